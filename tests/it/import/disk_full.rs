//! Case F03 on real file systems: a disk that is too small, one that fills up during an import, and one without a byte left.
//!
//! Each test runs itself once more in a mount namespace of its own, where it may mount small file systems; they vanish with it. That
//! needs root.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use airlock::db::{Db, Schema};

use crate::support::appliance::{self, Appliance, Ended, Serving, check, import_command, wait_for, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::left_out::left_out;
use crate::support::site::noise;

const INSIDE: &str = "AIRLOCK_TEST_MOUNTS";
const SIZE: u64 = 128 << 20;

/// Runs a test in a mount namespace: returns true inside.
pub(crate) fn in_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--"]);
        command
    };
    let works = unshare().args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        left_out("mounting a small file system needs root and a mount namespace");
        return false;
    }
    let mut command = unshare();
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    print!("{text}");
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// A small file system.
pub(crate) struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Mounts one; none where the kernel or the machine does not let us.
    pub(crate) fn mount(kind: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (image, point) = (folder.path().join("image"), folder.path().join("mnt"));
        fs::create_dir(&point).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            output.is_ok_and(|output| output.status.success())
        };
        let place = point.to_str().unwrap();
        let mounted = if kind == "tmpfs" {
            run("mount", &["-t", "tmpfs", "-o", &format!("size={SIZE}"), "none", place])
        } else {
            File::create(&image).unwrap().set_len(SIZE).unwrap();
            let image = image.to_str().unwrap();
            run("mkfs.ext4", &["-q", "-F", "-m", "0", image]) && run("mount", &["-o", "loop", image, place])
        };
        mounted.then_some(Self { folder })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mnt")
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Takes space away until so many bytes are left; 0 means the last byte.
    pub(crate) fn fill(&self, leave: u64) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(self.path().join("filler"))
            .unwrap();
        for block in [1 << 20, 4096, 1] {
            let block = vec![7; block];
            while self.free() >= leave + block.len() as u64 || leave == 0 {
                if file.write_all(&block).and_then(|()| file.sync_data()).is_err() {
                    break;
                }
            }
        }
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be taken off now goes with the namespace.
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

/// Release 1 is live on a small disk, and release 2 of 20 MiB shall come.
struct Setup {
    disk: Disk,
    state: PathBuf,
    bundles: tempfile::TempDir,
    releases: [Made; 2],
}

impl Setup {
    fn new(disk: Disk) -> Self {
        let vendor = Vendor::new();
        let old = vendor.bundle(1, &[noise(200_000, 1)], SMALL_CHUNKS);
        let new = vendor.bundle(
            2,
            &[noise(900_000, 2), noise(19 << 20, 3), noise(500_000, 4)],
            SMALL_CHUNKS,
        );
        let state = disk.path().join("state");
        Appliance::init_in(&state, &vendor);
        let setup = Self {
            disk,
            state,
            bundles: tempfile::tempdir().unwrap(),
            releases: [old, new],
        };
        for (name, made) in ["1", "2"].iter().zip(&setup.releases) {
            write(&setup.bundles.path().join(name), &made.bytes);
        }
        setup.import("1").assert_imported();
        setup
    }

    fn import(&self, name: &str) -> Ended {
        Ended::of(
            &import_command(&self.state, &self.bundles.path().join(name))
                .output()
                .unwrap(),
        )
    }

    #[track_caller]
    fn assert_old(&self) {
        assert_eq!(check(&self.state, &[&self.releases[0], &self.releases[1]]), 1);
        assert_eq!(appliance::audit_actions(&self.state).last().unwrap(), "refuse");
    }

    #[track_caller]
    fn assert_new(&self, server: &Serving) {
        assert_eq!(check(&self.state, &[&self.releases[0], &self.releases[1]]), 2);
        assert_eq!(appliance::incoming(&self.state), Vec::<String>::new());
        assert_eq!(reserve(&self.state), Some(4 << 20), "the reserve is there again");
        wait_for("release 2", || {
            airlock_digest(&server.latest()) == self.releases[1].manifest
        });
        server.assert_serves(&self.releases[1]);
    }
}

fn airlock_digest(bytes: &[u8]) -> airlock::domain::Digest {
    crate::support::site::digest(bytes)
}

fn reserve(state: &Path) -> Option<u64> {
    fs::metadata(state.join("reserve")).ok().map(|metadata| metadata.len())
}

fn has_journal(state: &Path) -> bool {
    let heads = appliance::incoming(state);
    heads
        .iter()
        .any(|head| state.join("incoming").join(head).join("journal").is_file())
}

/// Runs a test on every file system that can be mounted here.
fn on_each_disk(test: &str, body: impl Fn(&Setup) + Sync) {
    if !in_namespace(test) {
        return;
    }
    // At the same time: what they do is mostly waiting.
    std::thread::scope(|scope| {
        for kind in ["tmpfs", "ext4"] {
            let body = &body;
            scope.spawn(move || match Disk::mount(kind) {
                Some(disk) => {
                    body(&Setup::new(disk));
                    println!("{test} on {kind}: done");
                }
                None => println!("{test} on {kind}: skipped, it cannot be mounted here"),
            });
        }
    });
}

#[test]
fn a_bundle_that_does_not_fit_is_refused_before_its_first_chunk() {
    on_each_disk(
        "import::disk_full::a_bundle_that_does_not_fit_is_refused_before_its_first_chunk",
        |setup| {
            let server = Serving::start(&setup.state);
            setup.disk.fill(40 << 20);
            let free = setup.disk.free();
            setup.import("2").assert_refused("E-SPACE", "no-space", "X10");
            assert!(free - setup.disk.free() < 1 << 20, "nothing was written but a row");
            setup.assert_old();
            server.assert_serves(&setup.releases[0]);
            setup.disk.empty();
            setup.import("2").assert_imported();
            setup.assert_new(&server);
        },
    );
}

#[test]
fn a_disk_that_fills_up_meanwhile_stops_the_import_and_nothing_else() {
    on_each_disk(
        "import::disk_full::a_disk_that_fills_up_meanwhile_stops_the_import_and_nothing_else",
        |setup| {
            let server = Serving::start(&setup.state);
            let mut command = import_command(&setup.state, Path::new("-"));
            let command = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut feed = child.stdin.take().unwrap();
            let mut chunks = setup.releases[1].bytes.chunks(1 << 20);
            // Slowly, so that the first batch is over by time; half of the bundle at most.
            for chunk in chunks.by_ref().take(3) {
                feed.write_all(chunk).unwrap();
            }
            while !has_journal(&setup.state) {
                std::thread::sleep(Duration::from_millis(700));
                feed.write_all(chunks.next().unwrap()).unwrap();
            }
            setup.disk.fill(0);
            for chunk in chunks {
                // The import hangs up when it is refused.
                if feed.write_all(chunk).is_err() {
                    break;
                }
            }
            drop(feed);
            let ended = Ended::of(&child.wait_with_output().unwrap());
            ended.assert_refused("E-SPACE", "no-space", "X11");
            assert_eq!(reserve(&setup.state), None, "the reserve made room for the audit row");
            server.assert_serves(&setup.releases[0]);
            setup.disk.empty();
            setup.assert_old();
            assert_eq!(appliance::incoming(&setup.state).len(), 1, "what was verified is kept");
            let ended = setup.import("2");
            ended.assert_imported();
            assert!(ended.resumed_bytes() > 0, "{ended:?}");
            setup.assert_new(&server);
            assert!(server.stop().success());
        },
    );
}

#[test]
fn a_disk_without_a_byte_left_still_takes_the_audit_row() {
    on_each_disk(
        "import::disk_full::a_disk_without_a_byte_left_still_takes_the_audit_row",
        |setup| {
            // Whoever opens the database first must even make its shared memory anew.
            for server in ["none", "before", "after"] {
                setup.import("1");
                assert_eq!(reserve(&setup.state), Some(4 << 20));
                let before = appliance::audit_actions(&setup.state).len();
                // Closed in order, the database leaves neither log nor shared memory behind.
                drop(Db::open(&setup.state.join("airlock.db"), &Schema::SITE).unwrap());
                assert!(!setup.state.join("airlock.db-shm").is_file());
                let early = (server == "before").then(|| Serving::start(&setup.state));
                setup.disk.fill(0);
                let server = early.or_else(|| (server == "after").then(|| Serving::start(&setup.state)));
                let refused = setup.import("2");
                let (class, _, _) = refused.refusal.clone().unwrap();
                assert_eq!(
                    (class.as_str(), refused.code),
                    ("E-SPACE", Some(26)),
                    "{}",
                    refused.stderr
                );
                if let Some(server) = &server {
                    server.assert_serves(&setup.releases[0]);
                }
                setup.disk.empty();
                assert_eq!(appliance::audit_actions(&setup.state).len(), before + 1);
                setup.assert_old();
            }
            let server = Serving::start(&setup.state);
            setup.import("2").assert_imported();
            setup.assert_new(&server);
        },
    );
}
