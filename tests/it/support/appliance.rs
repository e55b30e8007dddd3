//! An appliance run by the real binary, and what must hold in its state folder whatever happened to a process.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock::appliance::live::Live;
use airlock::appliance::registry::Registry;
use airlock::crypto::ReceiptResult;
use airlock::db::site::audit;
use airlock::db::site::release::{self, State};
use airlock::db::{Db, Schema};
use airlock::domain::{Counter, Digest, SystemClock};
use airlock::http::{Server, Settings};
use serde_json::Value;
use tempfile::TempDir;

use super::bundles::{Made, REPOSITORY, Vendor};
use super::client;
use super::site::digest;
use super::streams;

/// The program under test.
pub(crate) const AIRLOCK: &str = env!("CARGO_BIN_EXE_airlock");

/// A folder in memory where there is room for it, else among the temporary files: killing a process loses nothing that was
/// written, so the medium does not matter here, and syncs cost nothing.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let roomy = rustix::fs::statvfs(memory).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) > 2 << 30);
    if roomy {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// The JSON document on stdout; null where there is none.
    pub(crate) result: Value,
    /// Class, code and step of a refusal.
    pub(crate) refusal: Option<(String, String, String)>,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let refusal = stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["event"] == "refused")
            .map(|event| {
                let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
                (text("class"), text("code"), text("step"))
            });
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            result: serde_json::from_str(&String::from_utf8_lossy(&output.stdout)).unwrap_or(Value::Null),
            refusal,
            stderr,
        }
    }

    /// `imported` or `already`; empty after a refusal.
    pub(crate) fn word(&self) -> &str {
        self.result["result"].as_str().unwrap_or_default()
    }

    pub(crate) fn resumed_bytes(&self) -> u64 {
        self.result["resumed_bytes"].as_u64().unwrap_or_default()
    }

    /// What the refusal says to do.
    pub(crate) fn remedy(&self) -> String {
        let mut events = self
            .stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let refused = events.find(|event| event["event"] == "refused").unwrap_or_default();
        refused["remedy"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_imported(&self) {
        assert_eq!((self.code, self.word()), (Some(0), "imported"), "{}", self.stderr);
    }

    #[track_caller]
    pub(crate) fn assert_refused(&self, class: &str, code: &str, step: &str) {
        let found = self
            .refusal
            .as_ref()
            .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()));
        assert_eq!(found, Some((class, code, step)), "{}", self.stderr);
    }
}

/// The state folder of an appliance.
pub(crate) struct Appliance {
    scratch: TempDir,
}

impl Appliance {
    /// Makes one that trusts a vendor.
    pub(crate) fn init(vendor: &Vendor) -> Self {
        let appliance = Self { scratch: scratch() };
        Self::init_in(&appliance.path(), vendor);
        appliance
    }

    /// Makes one in a given folder.
    pub(crate) fn init_in(state: &Path, vendor: &Vendor) {
        let root = tempfile::NamedTempFile::new().unwrap();
        write(root.path(), &vendor.chain_file());
        let mut command = Command::new(AIRLOCK);
        command.args(["init", "--site", "plant", "--trust"]).arg(root.path());
        let output = command.arg("--state").arg(state).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    /// The same state in another folder.
    pub(crate) fn copy(&self) -> Self {
        let copy = self.copy_unopened();
        // Another folder begins another instance by itself, with its own row of the log: here and now, so that tests see their own.
        airlock::appliance::Appliance::open(&copy.path(), Arc::new(SystemClock)).unwrap();
        copy
    }

    /// The same state in another folder, which nobody has opened yet.
    pub(crate) fn copy_unopened(&self) -> Self {
        let copy = Self { scratch: scratch() };
        let mut command = Command::new("cp");
        assert!(
            command
                .arg("-a")
                .arg(self.path())
                .arg(copy.path())
                .status()
                .unwrap()
                .success()
        );
        copy
    }

    /// Imports a file and waits for the end.
    pub(crate) fn import(&self, bundle: &Path) -> Ended {
        Ended::of(&import_command(&self.path(), bundle).output().unwrap())
    }
}

/// The command that imports a bundle; its stdin is empty unless the caller connects it.
pub(crate) fn import_command(state: &Path, bundle: &Path) -> Command {
    let mut command = Command::new(AIRLOCK);
    command.args(import_arguments(state, bundle)).stdin(Stdio::null());
    command
}

/// The arguments of that command.
pub(crate) fn import_arguments(state: &Path, bundle: &Path) -> Vec<std::ffi::OsString> {
    let words = ["--format".as_ref(), "json".as_ref(), "import".as_ref()];
    let paths = [bundle.as_os_str(), "--state".as_ref(), state.as_os_str()];
    words
        .into_iter()
        .chain(paths)
        .map(|word: &std::ffi::OsStr| word.to_owned())
        .collect()
}

/// Writes a file of a test.
#[expect(clippy::disallowed_methods, reason = "a test's own files")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    write(path, bytes);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Reads a file of a test.
#[expect(clippy::disallowed_methods, reason = "a test's own files")]
pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

/// What is in staging: names of the heads.
pub(crate) fn incoming(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(state.join("incoming")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The actions in the audit log, oldest first.
pub(crate) fn audit_actions(state: &Path) -> Vec<String> {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    let rows = db.read(|connection| audit::list(connection, 0, 10_000)).unwrap();
    rows.into_iter().map(|row| row.action).collect()
}

/// What a row that the program wrote says beside who ran it.
#[track_caller]
pub(crate) fn beside_the_operator(detail: &str) -> Value {
    let mut detail: Value = serde_json::from_str(detail).unwrap();
    let operator = detail.as_object_mut().unwrap().remove("operator");
    assert_eq!(operator.unwrap()["uid"], rustix::process::getuid().as_raw());
    detail
}

/// Opens a state as after a restart, checks everything that must hold, and returns the number of the live release.
///
/// `releases` are those that may be there, by sequence number 1, 2, 3 …; the newest one that is published must be live.
#[track_caller]
pub(crate) fn check(state: &Path, releases: &[&Made]) -> u64 {
    let live = check_database(state);
    check_blobs(state);
    assert!(incoming(state).len() <= 1, "one staging at most: {:?}", incoming(state));
    if live > 0 {
        check_served(state, releases, live);
    }
    live
}

/// As [`check`], where what was not synced may be lost: content that no release names yet may be anything.
#[track_caller]
pub(crate) fn check_after_power_loss(state: &Path, releases: &[&Made]) -> u64 {
    let live = check_database(state);
    check_served(state, releases, live);
    live
}

fn check_database(state: &Path) -> u64 {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    db.quick_check().unwrap();
    let rows = db.read(audit::verify).unwrap();
    let log = db.read(|connection| audit::list(connection, 0, 10_000)).unwrap();
    assert_eq!(rows, log.len() as u64);
    let releases = db.read(release::list).unwrap();
    let imported: Vec<_> = streams::all(state)
        .into_iter()
        .flat_map(|stream| stream.receipts)
        .collect();
    let imported = imported
        .iter()
        .filter(|receipt| receipt.result == ReceiptResult::Imported);
    let imported: BTreeSet<_> = imported.map(|receipt| receipt.head).collect();
    assert_eq!(
        imported,
        releases.iter().map(|release| release.head).collect(),
        "a receipt for each release"
    );
    assert_eq!(log.iter().filter(|row| row.action == "import").count(), releases.len());
    let Some(newest) = releases.first() else { return 0 };
    assert_eq!(newest.state, State::Active, "the newest release is live");
    assert_eq!(
        releases.iter().filter(|release| release.state == State::Active).count(),
        1
    );
    let mark = db
        .read(|connection| release::mark(connection, &newest.scope))
        .unwrap()
        .unwrap();
    assert_eq!((mark.counter, mark.head), (newest.counter, newest.head));
    let Counter { sequence, .. } = newest.counter;
    for release in &releases {
        for (digest, size) in db.read(|connection| release::blobs(connection, release.id)).unwrap() {
            let hex = digest.0.to_hex();
            let path = state.join("blobs/sha256").join(&hex[..2]).join(&hex);
            assert_eq!(fs::symlink_metadata(&path).unwrap().len(), size, "{digest}");
        }
    }
    sequence
}

/// Every name in the store is the hash of what stands under it.
fn check_blobs(state: &Path) {
    for folder in fs::read_dir(state.join("blobs/sha256")).unwrap() {
        for blob in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = blob.unwrap().path();
            let hex = digest(&read(&path)).0.to_hex();
            assert_eq!(path.file_name().unwrap().to_str(), Some(hex.as_str()));
        }
    }
}

/// A server that starts now serves exactly the live release, whole, and nothing of a later one.
fn check_served(state: &Path, releases: &[&Made], live: u64) {
    let appliance = Arc::new(airlock::appliance::Appliance::open(state, Arc::new(SystemClock)).unwrap());
    let registry = Registry::new(&Live::load(&appliance, Duration::ZERO).unwrap()).unwrap();
    let settings = Settings {
        listen: vec![([127, 0, 0, 1], 0).into()],
        ..Settings::default()
    };
    let running = Server::start(settings, &Arc::new(registry)).unwrap();
    let address = running.addresses()[0];
    let mut seen = BTreeSet::new();
    for (sequence, release) in (1..).zip(releases) {
        let manifest = format!("/v2/{REPOSITORY}/manifests/");
        let by_tag = client::get(address, &format!("{manifest}v{sequence}"));
        if sequence == live {
            assert_eq!(by_tag.status, 200);
            assert_eq!(digest(&by_tag.body), release.manifest);
            let latest = client::get(address, &format!("{manifest}latest"));
            assert_eq!(latest.body, by_tag.body);
            for layer in &release.layers {
                let reply = client::get(address, &blob_path(layer));
                assert_eq!((reply.status, digest(&reply.body)), (200, *layer));
                seen.insert(*layer);
            }
        } else {
            assert_eq!(by_tag.status, 404);
        }
    }
    for release in releases.iter().skip(usize::try_from(live).unwrap()) {
        assert_eq!(client::head(address, &blob_path(&release.manifest)).status, 404);
        for layer in release.layers.iter().filter(|layer| !seen.contains(layer)) {
            assert_eq!(client::head(address, &blob_path(layer)).status, 404, "{layer}");
        }
    }
}

fn blob_path(digest: &Digest) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// `airlock serve` as a process; it ends with the test.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Starts a server and waits until it answers.
    pub(crate) fn start(state: &Path) -> Self {
        let mut command = Command::new(AIRLOCK);
        command.args(["serve", "--listen", "127.0.0.1:0", "--state"]).arg(state);
        Self::spawn(command)
    }

    /// Starts a server that logs everything, into a file.
    pub(crate) fn start_logging(state: &Path, log: &Path) -> Self {
        Self::start_limited(state, None, log)
    }

    /// As [`Serving::start_logging`], with a configuration.
    pub(crate) fn start_limited(state: &Path, config: Option<&Path>, log: &Path) -> Self {
        let mut command = Command::new(AIRLOCK);
        command.args(["serve", "--listen", "127.0.0.1:0", "--state"]).arg(state);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        command.env("AIRLOCK_LOG", "debug");
        let mut file = fs::File::create(log).unwrap();
        Self::spawn_heard(command, move |line| writeln!(file, "{line}").unwrap())
    }

    /// Starts whatever runs a server in the end.
    pub(crate) fn spawn(command: Command) -> Self {
        // A log that nobody reads would hold the server up.
        Self::spawn_heard(command, |_| ())
    }

    fn spawn_heard(mut command: Command, mut hear: impl FnMut(&str) + Send + 'static) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            hear(&line);
            let address = line
                .strip_prefix("serving http://")
                .and_then(|rest| rest.strip_suffix("/v2/"))
                .map(|address| address.parse().unwrap());
            said.push(line);
            address
        });
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| hear(&line)));
        Self {
            child,
            address: address.unwrap_or_else(|| panic!("the server says where it serves: {said:#?}")),
        }
    }

    /// The bytes under the tag `latest` of every image of the tests.
    pub(crate) fn latest(&self) -> Vec<u8> {
        let reply = client::get(self.address, &format!("/v2/{REPOSITORY}/manifests/latest"));
        assert_eq!(reply.status, 200);
        reply.body
    }

    /// Asserts that every layer of a release comes whole.
    pub(crate) fn assert_serves(&self, release: &Made) {
        assert_eq!(digest(&self.latest()), release.manifest);
        for layer in &release.layers {
            let reply = client::get(self.address, &blob_path(layer));
            assert_eq!((reply.status, digest(&reply.body)), (200, *layer));
        }
    }

    /// Number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the process to end and waits for it.
    pub(crate) fn stop(self) -> std::process::ExitStatus {
        let process = self.id();
        self.stop_process(process)
    }

    /// Asks the one child of the process, which traces it, to end, and waits for both.
    pub(crate) fn stop_traced(self) -> std::process::ExitStatus {
        let children = read(Path::new(&format!("/proc/{0}/task/{0}/children", self.id())));
        let child = String::from_utf8(children).unwrap().trim().parse().unwrap();
        self.stop_process(child)
    }

    fn stop_process(mut self, process: u32) -> std::process::ExitStatus {
        let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Fails when it has ended already, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits for something that another process brings about. That it never comes is a failure, however slow the machine.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(120), "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Imports a file in this process.
pub(crate) fn import_here(
    appliance: &airlock::appliance::Appliance,
    bundle: &Path,
    options: &airlock::appliance::Options,
    clock: &dyn airlock::domain::Clock,
) -> airlock::domain::Result<airlock::appliance::Imported> {
    import_here_telling(appliance, bundle, options, clock, &mut |_| ())
}

/// As [`import_here`], for who wants to know what is told meanwhile.
pub(crate) fn import_here_telling(
    appliance: &airlock::appliance::Appliance,
    bundle: &Path,
    options: &airlock::appliance::Options,
    clock: &dyn airlock::domain::Clock,
    events: &mut dyn FnMut(airlock::appliance::Event<'_>),
) -> airlock::domain::Result<airlock::appliance::Imported> {
    appliance.import(|| airlock::media::open(bundle, None), options, clock, events)
}
