//! `airlock file list|get`: what is listed can be had, compared and whole under the name that was asked for, or nothing of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use airlock::db::site::release::ReleaseId;
use serde_json::{Value, json};

use super::file_world::{File, bundle, manifest};
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::appliance::{AIRLOCK, Ended, read, scratch, write};
use crate::support::client::get;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{PIECE, Site, noise};

const PATH: &str = "crm/stable/manuals/press";

/// A site, and a folder of a person's own.
pub(super) struct Desk {
    pub(super) site: Site,
    folder: tempfile::TempDir,
}

impl Desk {
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            folder: scratch(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn output(&self, format: &str, words: &[&str]) -> Output {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", format, "file"]).args(words);
        command
            .env("AIRLOCK_STATE", self.site.path())
            .current_dir(self.folder.path());
        command.output().unwrap()
    }

    pub(super) fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&self.output("json", words))
    }

    pub(super) fn get(&self, name: &str, to: &str, more: &[&str]) -> Ended {
        self.run(&[&["get", name, "-o", to], more].concat())
    }

    /// What stands in the folder.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn head(&self, id: ReleaseId) -> String {
        let releases = self.site.appliance().unwrap().releases().unwrap();
        let release = releases.into_iter().find(|release| release.id == id).unwrap();
        release.head.to_hex()
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// As a file that this process makes gets it.
fn under_umask(bits: u32) -> u32 {
    let folder = scratch();
    let path = folder.path().join("x");
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, bits);
    options.write(true).create_new(true).open(&path).unwrap();
    mode(&path)
}

#[test]
fn plain_files_and_artifacts_are_listed_and_images_are_not() {
    let site = Site::new();
    let policy = manifest(
        &[
            ("rules.rego", "0640", "application/rego", b"package x"),
            ("../evil", "4777", "text/plain", b"evil"),
        ],
        r#","artifactType":"application/vnd.acme.policy""#,
    );
    let config = br#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
    let draft = File {
        title: "press.pdf",
        mode: "0444",
        ..File::new(PATH, b"how to")
    }
    .carried(site.release("crm", 7));
    draft
        .tag("registry.test/acme/policy", "1.0", &policy)
        .blob("registry.test/acme/policy", b"package x")
        .blob("registry.test/acme/policy", b"evil")
        .tag("registry.test/acme/web", "1.0", config)
        // Says something about an image: nobody looks for it as a file.
        .tag(
            "registry.test/acme/web",
            &format!("sha256-{}.sig", "0".repeat(64)),
            &policy,
        )
        .live();
    // What is not live has nothing to give.
    File::new("crm/stable/later", b"later")
        .carried(site.release("crm", 8))
        .publish(false);
    let desk = Desk::new(site);
    let listed = desk.run(&["list"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let files = listed.result["files"].as_array().unwrap();
    let shown = |file: &Value| {
        let text = |member: &str| file[member].as_str().unwrap_or("-").to_owned();
        [
            "name",
            "kind",
            "title",
            "mode",
            "media_type",
            "product",
            "channel",
            "path",
        ]
        .map(text)
        .join(" ")
            + &format!(" {} {}", file["bytes"], file["sequence"])
    };
    assert_eq!(
        files.iter().map(shown).collect::<Vec<_>>(),
        [
            format!(
                "manuals/press file press.pdf 0444 application/pdf crm stable /files/{}/{PATH} 6 7",
                desk.site.domain(0)
            ),
            "registry.test/acme/policy:1.0 artifact rules.rego 0640 application/rego crm stable - 9 7".to_owned(),
            "registry.test/acme/policy:1.0 artifact - - text/plain crm stable - 4 7".to_owned(),
        ]
    );
    let human = desk.output("human", &["list"]);
    let human = String::from_utf8(human.stdout).unwrap();
    let first: Vec<&str> = human.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        first,
        [
            "manuals/press",
            "6",
            "B",
            "0444",
            "application/pdf",
            "7",
            "(1.0)",
            "crm/stable",
            "press.pdf"
        ],
        "{human}"
    );
    assert!(human.starts_with("NAME "), "{human}");
    assert_eq!(human.lines().count(), 4, "{human}");
    // Each of them can be had, by what stands in the list.
    for file in files {
        let digest = file["digest"].as_str().unwrap();
        let ended = desk.get(digest, "out", &["--replace"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(read(&desk.path("out")).len() as u64, file["bytes"].as_u64().unwrap());
    }
    let empty = Desk::new(Site::new());
    assert_eq!(empty.run(&["list"]).result["files"], json!([]));
}

#[test]
fn a_file_comes_out_whole_with_its_mode_and_under_its_name() {
    let bytes = noise(6 << 20, 3);
    let site = Site::new();
    let file = File {
        title: "press.bin",
        mode: "0755",
        media_type: "application/x-firmware",
        ..File::new("crm/stable/firmware/press", &bytes)
    };
    file.carried(site.release("crm", 1)).live();
    let desk = Desk::new(site);
    fs::create_dir(desk.path("usb")).unwrap();
    for (name, to, found) in [
        ("firmware/press", "a", "a"),
        ("crm/stable/firmware/press", "b", "b"),
        (
            &format!(
                "files.airlock.internal/{}/crm/stable/firmware/press:latest",
                desk.site.domain(0)
            ),
            "c",
            "c",
        ),
        ("press.bin", "usb", "usb/press.bin"),
        (&file.digest().to_string(), "./d", "d"),
    ] {
        let ended = desk.get(name, to, &[]);
        assert_eq!((ended.code, ended.word()), (Some(0), "written"), "{}", ended.stderr);
        assert_eq!(ended.result["digest"], file.digest().to_string());
        assert!(read(&desk.path(found)) == bytes, "{name}");
        assert_eq!(mode(&desk.path(found)), under_umask(0o755));
    }
    assert_eq!(desk.left(), ["a", "b", "c", "d", "usb"]);
    assert_eq!(fs::read_dir(desk.path("usb")).unwrap().count(), 1);
    let piped = desk.output("json", &["get", "press.bin", "-o", "-"]);
    assert!(piped.status.success() && piped.stdout == bytes);
    assert_eq!(desk.left().len(), 5);
}

#[test]
fn what_stands_there_is_kept_unless_somebody_says_otherwise() {
    let site = Site::new();
    File::new(PATH, b"how to").carried(site.release("crm", 1)).live();
    let desk = Desk::new(site);
    fs::create_dir(desk.path("usb")).unwrap();
    write(&desk.path("mine"), b"mine");
    write(&desk.path("usb/manual.pdf"), b"mine");
    symlink("mine", desk.path("link")).unwrap();
    symlink("/nowhere", desk.path("dangling")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        desk.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let before = desk.left();
    let mut remedy = String::new();
    for to in ["mine", "usb", "usb/", "usb/manual.pdf", "link", "dangling", "pipe"] {
        let refused = desk.get("manuals/press", to, &[]);
        refused.assert_refused("E-USAGE", "output", "");
        remedy = refused.remedy();
    }
    // Nor is anything but a file replaced, whatever is said.
    for to in ["link", "dangling", "pipe"] {
        desk.get("manuals/press", to, &["--replace"])
            .assert_refused("E-USAGE", "output", "");
    }
    assert_eq!(desk.left(), before);
    assert_eq!(
        (read(&desk.path("mine")), read(&desk.path("usb/manual.pdf"))),
        (b"mine".to_vec(), b"mine".to_vec())
    );
    assert!(
        remedy.starts_with("give another name with -o, or move it away; "),
        "{remedy}"
    );
    assert_eq!(desk.get("manuals/press", "other", &[]).code, Some(0));
    assert!(remedy.ends_with("is replaced with --replace"), "{remedy}");
    for to in ["mine", "usb"] {
        assert_eq!(desk.get("manuals/press", to, &["--replace"]).code, Some(0), "{to}");
    }
    assert_eq!(
        (read(&desk.path("mine")), read(&desk.path("usb/manual.pdf"))),
        (b"how to".to_vec(), b"how to".to_vec())
    );
}

#[test]
fn places_that_are_none_or_the_appliances_own_are_refused() {
    let site = Site::new();
    File::new(PATH, b"how to").carried(site.release("crm", 1)).live();
    let desk = Desk::new(site);
    let state = desk.site.path().display().to_string();
    let inside = format!("{state}/blobs/x");
    let before = fs::read_dir(desk.site.path()).unwrap().count();
    for to in [state.as_str(), &inside] {
        desk.get("manuals/press", to, &[])
            .assert_refused("E-USAGE", "output", "");
    }
    assert_eq!(fs::read_dir(desk.site.path()).unwrap().count(), before);
    let refused = desk.get("manuals/press", "usb/", &[]);
    refused.assert_refused("E-USAGE", "output", "");
    assert!(refused.remedy().starts_with("make the folder"), "{}", refused.remedy());
    assert_eq!(desk.left(), [""; 0]);
    fs::create_dir(desk.path("usb")).unwrap();
    assert_eq!(desk.get("manuals/press", "usb/", &[]).code, Some(0));
    assert_eq!(read(&desk.path("usb/manual.pdf")), b"how to");
    // A folder that is not there is not made.
    desk.get("manuals/press", "none/x", &[])
        .assert_refused("E-IO", "io", "");
}

/// Two vendors, two products and two channels have a file of one name.
#[test]
fn of_several_with_one_name_a_person_says_which() {
    let site = Site::of_vendors(2);
    let crm = File::new(PATH, b"crm").carried(site.release("crm", 1)).live();
    let beta = File::new("crm/beta/manuals/press", b"beta")
        .carried(site.release("crm", 2).on("beta"))
        .live();
    File::new("erp/stable/manuals/press", b"erp")
        .carried(site.release("erp", 3))
        .live();
    // Another vendor's product of the same name: its file has a name of its own.
    let theirs = File::new(PATH, b"theirs").carried(site.release_of(1, "crm", 4)).live();
    let desk = Desk::new(site);
    let listed = desk.run(&["list"]).result;
    let hidden: Vec<bool> = listed["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| !file["hidden"].is_null())
        .collect();
    assert_eq!(hidden, [false; 4], "{listed}");
    let refused = desk.get("manuals/press", "out", &[]);
    refused.assert_refused("E-USAGE", "several-files", "");
    let list: Vec<Value> = refused
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &Value| event["event"] == "refused")
        .collect();
    assert_eq!(list[0]["list"].as_array().unwrap().len(), 4, "{}", refused.stderr);
    assert!(
        refused
            .remedy()
            .starts_with("say which one: with --product PRODUCT/CHANNEL, with --vendor and its name or trust domain, with --release and its head digest"),
        "{}",
        refused.remedy()
    );
    desk.get("manual.pdf", "out", &[])
        .assert_refused("E-USAGE", "several-files", "");
    // Two of them are of one product and channel.
    desk.get("manuals/press", "out", &["--product", "crm/stable"])
        .assert_refused("E-USAGE", "several-files", "");
    assert_eq!(desk.left(), [""; 0]);
    let digest = File::new(PATH, b"theirs").digest().to_string();
    for (name, more, bytes) in [
        ("manuals/press", ["--product", "erp"], &b"erp"[..]),
        ("manuals/press", ["--product", "crm/beta"], b"beta"),
        ("manuals/press", ["--release", &desk.head(crm)], b"crm"),
        ("manuals/press", ["--release", &desk.head(theirs)[..8]], b"theirs"),
        ("manuals/press", ["--release", &desk.head(beta)], b"beta"),
        ("manual.pdf", ["--release", "3"], b"erp"),
        (&digest, ["--product", "crm"], b"theirs"),
    ] {
        let ended = desk.get(name, "out", &[&more[..], &["--replace"]].concat());
        assert_eq!(ended.code, Some(0), "{name} {more:?}: {}", ended.stderr);
        assert_eq!(read(&desk.path("out")), bytes, "{name} {more:?}");
    }
    // A product that has none of this name.
    desk.get("manuals/press", "no", &["--product", "erp/beta"])
        .assert_refused("E-USAGE", "file", "");
}

#[test]
fn a_release_that_is_not_live_gives_files_once_it_is_made_live() {
    let instance = InProcessAppliance::new();
    for (sequence, bytes) in [(1, b"old"), (2, b"new")] {
        let made = bundle(&instance, sequence, &File::new(PATH, bytes));
        instance.import(&made, sequence == 2).unwrap();
    }
    let folder = scratch();
    let airlock = |words: &[&str]| {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", "json"])
            .args(words)
            .env("AIRLOCK_STATE", instance.state());
        Ended::of(&command.current_dir(folder.path()).output().unwrap())
    };
    let get = |more: &[&str]| airlock(&[&["file", "get", "manuals/press", "-o", "out", "--replace"], more].concat());
    let got = |more: &[&str]| {
        assert_eq!(get(more).code, Some(0));
        read(&folder.path().join("out"))
    };
    let refused = get(&["--release", "2"]);
    refused.assert_refused("E-USAGE", "release-not-live", "");
    let remedy = refused.remedy();
    assert!(
        remedy.starts_with("take the file of the live one, without --release; or "),
        "{remedy}"
    );
    assert_eq!(got(&[]), b"old");
    let command = remedy.split('`').nth(1).unwrap().replace("RELEASE", "2");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(airlock(&words).code, Some(0), "{command}");
    assert_eq!(got(&["--release", "2"]), b"new");
    assert_eq!(got(&[]), b"new");
}

#[test]
fn a_name_that_nothing_has_is_answered_with_the_nearest() {
    let site = Site::new();
    File::new(PATH, b"how to").carried(site.release("crm", 1)).live();
    let desk = Desk::new(site);
    let refused = desk.get("manuals/pres", "out", &[]);
    refused.assert_refused("E-USAGE", "file", "");
    let remedy = refused.remedy();
    let meant = remedy.strip_prefix("did you mean ").unwrap().strip_suffix('?').unwrap();
    assert_eq!(desk.get(meant, "out", &[]).code, Some(0));
    let refused = desk.get("something-else", "x", &[]);
    refused.assert_refused("E-USAGE", "file", "");
    assert_eq!(refused.remedy(), "look at `airlock file list`");
    let listed = desk.run(&["list"]).result;
    assert_eq!(
        desk.get(listed["files"][0]["name"].as_str().unwrap(), "x", &[]).code,
        Some(0)
    );
    for name in [
        "../manuals/press",
        "crm/stable/../stable/manuals/press",
        "/etc/passwd",
        "",
    ] {
        desk.get(name, "y", &[]).assert_refused("E-USAGE", "file", "");
    }
    assert_eq!(desk.left(), ["out", "x"]);
}

#[test]
fn a_form_that_leads_elsewhere_writes_nothing() {
    let site = Site::new();
    let mut draft = site.release("crm", 1);
    for (name, title, mode) in [
        ("a", "../a", "0644"),
        ("b", "/etc/b", "0644"),
        ("c", "c", "4755"),
        ("d", "..", "0644"),
    ] {
        let path = format!("crm/stable/{name}");
        draft = File {
            title,
            mode,
            ..File::new(&path, name.as_bytes())
        }
        .carried(draft);
    }
    let away = manifest(
        &[("../../evil", "0644", "text/plain", b"evil")],
        r#","artifactType":"application/x""#,
    );
    draft
        .tag("registry.test/away", "1", &away)
        .blob("registry.test/away", b"evil")
        .live();
    let desk = Desk::new(site);
    fs::create_dir_all(desk.path("a/b/c")).unwrap();
    let listed = desk.run(&["list"]).result;
    for (number, name) in ["a", "b", "c", "d"].iter().enumerate() {
        assert_eq!(listed["files"][number]["error"]["code"], "file-form", "{listed}");
        for to in ["a/b/c", "out", "-"] {
            desk.get(name, to, &[]).assert_refused("E-CONTENT", "file-form", "");
        }
    }
    let refused = desk.get("registry.test/away:1", "a/b/c", &[]);
    refused.assert_refused("E-USAGE", "title", "");
    assert_eq!(refused.remedy(), "name the file with -o; nothing was written");
    assert_eq!(
        (desk.left().len(), fs::read_dir(desk.path("a/b/c")).unwrap().count()),
        (1, 0)
    );
    assert_eq!(desk.get("registry.test/away:1", "evil", &[]).code, Some(0));
    assert_eq!(
        (read(&desk.path("evil")), mode(&desk.path("evil"))),
        (b"evil".to_vec(), under_umask(0o644))
    );
    // What is said of the others: as artifacts they are pulled as they are.
    let remedy = desk.get("c", "out", &[]).remedy();
    assert!(remedy.ends_with("as an artifact it can be pulled as it is"), "{remedy}");
    let (_server, address) = desk.site.serve();
    let layer = File::new("crm/stable/c", b"c").digest();
    let pulled = get(
        address,
        &format!(
            "/v2/files.airlock.internal/{}/crm/stable/c/blobs/{layer}",
            desk.site.domain(0)
        ),
    );
    assert_eq!(pulled.body, b"c");
}

#[test]
fn of_what_is_damaged_no_byte_gets_a_name_and_it_is_told_as_elsewhere() {
    let (small, large) = (noise(10_000, 1), noise(6 << 20, 2));
    let site = Site::new();
    let (first, second) = (File::new(PATH, &small), File::new("crm/stable/large", &large));
    let third = File::new("crm/stable/good", b"good");
    let lost = File::new("crm/stable/lost", b"lost");
    let draft = third.carried(second.carried(first.carried(site.release("crm", 1))));
    lost.carried(draft).live();
    let flip = |path: &Path, at: usize| {
        let mut bytes = read(path);
        bytes[at] ^= 1;
        write(path, &bytes);
    };
    flip(&site.blob_path(&first.digest()), 9_999);
    flip(&site.blob_path(&second.digest()), 4 * PIECE + 17);
    fs::remove_file(site.blob_path(&lost.digest())).unwrap();
    let desk = Desk::new(site);
    write(&desk.path("mine"), b"mine");
    // What was checked before the damage is what left; nobody takes it for the whole, for the command fails.
    let piped = desk.output("json", &["get", "large", "-o", "-"]);
    Ended::of(&piped).assert_refused("E-STATE", "blob-damaged", "");
    assert!(!piped.status.success() && piped.stdout == large[..4 * PIECE]);
    for name in ["manuals/press", "large", "lost"] {
        for to in ["out", "mine"] {
            let refused = desk.get(name, to, &["--replace"]);
            refused.assert_refused("E-STATE", "blob-damaged", "");
            assert!(
                refused.remedy().contains("import its bundle again"),
                "{}",
                refused.remedy()
            );
        }
    }
    let piped = desk.output("json", &["get", "manuals/press", "-o", "-"]);
    assert_eq!((piped.status.code(), piped.stdout.len()), (Some(27), 0));
    assert_eq!(
        (desk.left(), read(&desk.path("mine"))),
        (vec!["mine".to_owned()], b"mine".to_vec())
    );
    let damage = desk.site.appliance().unwrap().damage().unwrap();
    assert_eq!((damage.len(), damage[0].count()), (1, 3));
    let listed = desk.run(&["list"]).result;
    assert_eq!(listed["damage"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["files"].as_array().unwrap().len(), 4);
    assert_eq!(desk.get("good", "out", &[]).code, Some(0));
}

#[test]
fn room_is_asked_for_before_a_byte_is_written() {
    if !in_namespace("ways_out::file_commands::room_is_asked_for_before_a_byte_is_written") {
        return;
    }
    let bytes = noise(3 << 20, 1);
    let site = Site::new();
    File::new(PATH, &bytes).carried(site.release("crm", 1)).live();
    let desk = Desk::new(site);
    let disk = Disk::mount("tmpfs").unwrap();
    disk.fill(1 << 20);
    let to = disk.path().join("out").display().to_string();
    let refused = desk.get("manuals/press", &to, &[]);
    refused.assert_refused("E-SPACE", "no-space", "");
    assert!(
        refused
            .remedy()
            .starts_with("free space there, or name another place with -o"),
        "{}",
        refused.remedy()
    );
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
    assert_eq!(desk.get("manuals/press", "out", &[]).code, Some(0));
    disk.empty();
    assert_eq!(desk.get("manuals/press", &to, &[]).code, Some(0));
    assert!(read(&disk.path().join("out")) == bytes);
}
