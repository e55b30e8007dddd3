//! The walls of the vendor side: what a release may read, how much a compressed layout may become (J10), and that every
//! remedy these refusals name works when it is followed to the letter.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use crate::support::image_set::ImageSet;

/// What must never travel: it lies outside the folder of the release.
const CANARY: &str = "canary-4711";

/// A workspace, and the folder of a release beside what it must not read.
pub(super) struct Around {
    folder: tempfile::TempDir,
}

impl Around {
    pub(super) fn new() -> Self {
        let around = Self {
            folder: crate::support::appliance::scratch(),
        };
        let init = ["vendor", "init", "--product", "shop", "--vendor", "Test", "w"];
        around.good(&[&init[..], &["--expires", "2100-01-01T00:00:00Z"]].concat());
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello"),
            &around.path("release/hello"),
        );
        around.write(
            "release/compose.yaml",
            "services:\n  a:\n    image: example.com/web:2\n",
        );
        around.write("outside/secret.env", &format!("NOTE={CANARY}\n"));
        around.write(
            "outside/more.yaml",
            &format!("services:\n  b:\n    image: example.com/web:2\n    labels: {{note: {CANARY}}}\n"),
        );
        around
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn real(&self, name: &str) -> String {
        self.path(name).canonicalize().unwrap().display().to_string()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes the release file: one application of `compose.yaml`, and more lines for it and for the whole.
    pub(super) fn release(&self, application: &str, whole: &str) {
        let text = format!(
            "product: shop\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n{whole}\
             applications:\n- name: shop\n  version: \"1\"\n{application}  images: {{'example.com/web:2': 'oci:hello:1.0'}}\n\
             agents:\n- name: 3.1.0\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com/d:1'}}\n  \
             autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n\
             targets:\n- name: press\n  kind: docker\n  deployments: [{{application: shop}}]\n"
        );
        self.write("release/release.yaml", &text);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_airlock"))
            .args(["--format", "json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .output()
            .unwrap()
    }

    #[track_caller]
    fn good(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn create(&self, more: &[&str]) -> Output {
        self.run(&[&CREATE[..], more].concat())
    }

    /// Creates the bundle, and returns what travels in it as a whole: nothing in it is compressed.
    #[track_caller]
    pub(super) fn created(&self, more: &[&str]) -> Value {
        fs::remove_file(self.path("out.airlock")).ok();
        self.good(&[&CREATE[..], more].concat())
    }

    /// A creation that must be refused: class and code, and the whole event; nothing is left.
    #[track_caller]
    pub(super) fn refused(&self, more: &[&str]) -> (String, String, Value) {
        fs::remove_file(self.path("out.airlock")).ok();
        let output = self.create(more);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let event: Value = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["event"] == "refused")
            .unwrap_or_else(|| panic!("{more:?} was not refused\n{text}"));
        assert_eq!(output.status.code().map(i64::from), event["exit"].as_i64());
        assert!(
            !text.contains(CANARY),
            "a refusal shows nothing of what it did not read: {text}"
        );
        let left = fs::read_dir(self.folder.path()).unwrap();
        let left: Vec<_> = left
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("out.airlock"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let word = |name: &str| event[name].as_str().unwrap().to_owned();
        (word("class"), word("code"), event.clone())
    }
}

const CREATE: [&str; 8] = [
    "bundle",
    "create",
    "-f",
    "release/release.yaml",
    "-w",
    "w",
    "-o",
    "out.airlock",
];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The words after an option in a remedy.
pub(super) fn advised(event: &Value, option: &str) -> Vec<String> {
    let said = format!("{} {}", event["found"], event["remedy"]);
    said.split(&format!("{option} "))
        .skip(1)
        .map(|rest| {
            let end = rest.find([',', ' ', ';', '"', '\\']).unwrap_or(rest.len());
            rest[..end].to_owned()
        })
        .collect()
}

/// Every way in which a release could lead out of its folder: refused as what it is, and built when the remedy is followed.
#[test]
fn j10_what_a_release_names_stays_in_its_folder_unless_allowed_by_name() {
    let compose = "  compose: [compose.yaml]\n";
    let include = |path: &str| format!("include: ['{path}']\nservices:\n  a:\n    image: example.com/web:2\n");
    let included = |env: &str| {
        format!("include: [{{path: inner.yaml, env_file: {env}}}]\nservices:\n  a:\n    image: example.com/web:2\n")
    };
    let extends = |path: &str| {
        format!("services:\n  a:\n    extends: {{file: {path}, service: b}}\n    image: example.com/web:2\n")
    };
    let sample = Around::new();
    let absolute = |name: &str| sample.path(name).display().to_string();
    let (whole, env) = (absolute("outside/more.yaml"), absolute("outside/secret.env"));
    drop(sample);
    // What the release file says, what the compose file says, and which part of the outside is meant.
    let compose_files: Vec<(String, String, &str)> = vec![
        (compose.to_owned(), include("../outside/more.yaml"), "outside/more.yaml"),
        (
            compose.to_owned(),
            include("sub/../../outside/more.yaml"),
            "outside/more.yaml",
        ),
        (compose.to_owned(), include("link.yaml"), "outside/more.yaml"),
        (compose.to_owned(), include("door/more.yaml"), "outside/more.yaml"),
        (compose.to_owned(), include(&whole), "outside/more.yaml"),
        (
            compose.to_owned(),
            include("../outside/${FILE:-more}.yaml"),
            "outside/more.yaml",
        ),
        (
            compose.to_owned(),
            included("../outside/secret.env"),
            "outside/secret.env",
        ),
        (compose.to_owned(), included(&env), "outside/secret.env"),
        (
            compose.to_owned(),
            included("[sub/own.env, link.env]"),
            "outside/secret.env",
        ),
        (compose.to_owned(), extends("../outside/more.yaml"), "outside/more.yaml"),
        (compose.to_owned(), extends("link.yaml"), "outside/more.yaml"),
    ];
    let plain = "services:\n  a:\n    image: example.com/web:2\n";
    let release_files: Vec<(String, String, &str)> = [
        ("  compose: [compose.yaml, ../outside/more.yaml]\n", "outside/more.yaml"),
        ("  compose: [compose.yaml, link.yaml]\n", "outside/more.yaml"),
        (
            "  compose: [compose.yaml]\n  env_file: ../outside/secret.env\n",
            "outside/secret.env",
        ),
        (
            "  compose: [compose.yaml]\n  env_file: link.env\n",
            "outside/secret.env",
        ),
    ]
    .into_iter()
    .map(|(application, meant)| (application.to_owned(), plain.to_owned(), meant))
    .collect();
    for (application, text, meant) in [compose_files, release_files].concat() {
        let around = Around::new();
        let here = |text: &str| {
            text.replace(&whole, &around.path("outside/more.yaml").display().to_string())
                .replace(&env, &around.path("outside/secret.env").display().to_string())
        };
        let text = here(&text);
        around.write("release/compose.yaml", &text);
        around.write("release/inner.yaml", "services:\n  c:\n    image: example.com/web:2\n");
        around.write("release/sub/own.env", "A=1\n");
        symlink("../outside/more.yaml", around.path("release/link.yaml")).unwrap();
        symlink("../outside/secret.env", around.path("release/link.env")).unwrap();
        symlink("../outside", around.path("release/door")).unwrap();
        around.release(&application, "");
        let (class, code, event) = around.refused(&[]);
        assert_eq!(
            (class.as_str(), code.as_str()),
            ("E-USAGE", "outside"),
            "{text}: {event}"
        );
        let advice = advised(&event, "--allow-outside");
        assert_eq!(advice, [around.real(meant)], "{event}");
        // A neighbour of what is meant opens nothing.
        let (_, code, _) = around.refused(&["--allow-outside", "w"]);
        assert_eq!(code, "outside");
        // Followed to the letter, on the command line and in the release file; and with the whole folder.
        around.created(&["--allow-outside", &advice[0]]);
        around.created(&["--allow-outside", "outside"]);
        for allowed in [advice[0].as_str(), "../outside"] {
            around.release(&application, &format!("allow_outside: [{allowed}]\n"));
            around.created(&[]);
        }
        // Or a copy is put into the folder.
        around.release(&application, "");
        for name in ["link.yaml", "link.env", "door"] {
            fs::remove_file(around.path(&format!("release/{name}"))).unwrap();
        }
        copy(&around.path("outside"), &around.path("release/door"));
        fs::copy(around.path("outside/more.yaml"), around.path("release/link.yaml")).unwrap();
        fs::copy(around.path("outside/secret.env"), around.path("release/link.env")).unwrap();
        let into = |text: &str| {
            here(text)
                .replace("sub/../../outside", "door")
                .replace("../outside", "door")
                .replace(&around.path("outside").display().to_string(), "door")
        };
        around.write("release/compose.yaml", &into(&text));
        around.release(&into(&application), "");
        around.created(&[]);
    }
}

/// Layouts, charts, values, notes and deployments' files, and that all that leads out is one list.
#[test]
fn j10_one_list_of_everything_outside_with_a_remedy_for_each() {
    let around = Around::new();
    copy(&around.path("release/hello"), &around.path("outside/hello"));
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/chart");
    copy(&chart, &around.path("outside/chart"));
    around.write("outside/values.yaml", &format!("note: {CANARY}\n"));
    around.write("outside/notes.txt", CANARY);
    around.write(
        "release/compose.yaml",
        "include: [../outside/more.yaml]\nservices:\n  a:\n    image: example.com/web:2\n",
    );
    symlink("../outside/hello", around.path("release/linked")).unwrap();
    let release = |allowed: &str| {
        format!(
            "product: shop\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n{allowed}\
             notes_file: ../outside/notes.txt\n\
             images:\n- {{source: 'oci:../outside/hello:1.0', name: 'b.example.com/x:1'}}\n\
             - {{source: 'oci:linked:1.0', name: 'b.example.com/y:1'}}\n\
             applications:\n- name: shop\n  version: \"1\"\n  compose: [compose.yaml]\n  \
             images: {{'example.com/web:2': 'oci:hello:1.0'}}\n\
             - name: second\n  version: \"1\"\n  compose: [second.yaml]\n  env_file: ../outside/secret.env\n  \
             images: {{'example.com/web:2': 'oci:hello:1.0'}}\n"
        )
    };
    around.write("release/second.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    around.write("release/release.yaml", &release(""));
    let (class, code, event) = around.refused(&[]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "outside"), "{event}");
    let mut advice = advised(&event, "--allow-outside");
    advice.sort();
    advice.dedup();
    let mut meant =
        ["notes.txt", "hello", "secret.env", "more.yaml"].map(|name| around.real(&format!("outside/{name}")));
    meant.sort();
    assert_eq!(advice, meant, "{event}");
    let found = event["found"].as_str().unwrap();
    for place in [
        "release.yaml:7:",
        "release.yaml:9:",
        "release.yaml:10:",
        "release.yaml:19:",
        "compose.yaml:1:",
    ] {
        assert!(found.contains(place), "{place}: {found}");
    }
    // One of them less is one less in the list; all of them, and the bundle is built.
    let mut options = Vec::new();
    for (number, path) in advice.iter().enumerate() {
        let (_, code, event) = around.refused(&options);
        assert_eq!(code, "outside");
        let mut left = advised(&event, "--allow-outside");
        left.sort();
        left.dedup();
        assert_eq!(left.len(), advice.len() - number, "{event}");
        options.extend(["--allow-outside", path.as_str()]);
    }
    around.created(&options);

    // Charts and their values.
    let helm = |chart: &str, values: &str, allowed: &str| {
        format!(
            "product: shop\nchannel: stable\nversion: \"2\"\nsequence: 2\nexpires: 2099-01-01T00:00:00Z\naudience: any\n{allowed}\
             applications:\n- name: chart\n  version: \"1\"\n  chart: {chart}\n  values: [{values}]\n  image_values: [image]\n  \
             images: [{{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}]\n"
        )
    };
    around.write("release/own.yaml", "note: ours\n");
    copy(&chart, &around.path("release/own"));
    symlink("../outside/chart", around.path("release/away")).unwrap();
    for (chart, values, meant) in [
        ("../outside/chart", "own.yaml", "outside/chart"),
        ("away", "own.yaml", "outside/chart"),
        ("own", "../outside/values.yaml", "outside/values.yaml"),
    ] {
        around.write("release/release.yaml", &helm(chart, values, ""));
        let (class, code, event) = around.refused(&[]);
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "outside"), "{event}");
        assert_eq!(advised(&event, "--allow-outside"), [around.real(meant)]);
    }
    around.write("release/release.yaml", &helm("own", "own.yaml", ""));
    let twin = around.create(&[]);
    let said = String::from_utf8_lossy(&twin.stderr).into_owned();
    assert!(!said.contains("outside"), "{said}");
    // A link within a chart is no part of it, wherever it leads.
    symlink("../../outside/secret.env", around.path("release/own/leak.txt")).unwrap();
    let (class, code, event) = around.refused(&[]);
    assert_eq!((class.as_str(), code.as_str()), ("E-CONTENT", "chart"), "{event}");
}

#[test]
fn j10_paths_of_home_folders_and_windows_are_no_paths_here() {
    for path in [
        "~/secret.env",
        "~root/secret.env",
        "'C:\\secret.env'",
        "'\\\\server\\secret.env'",
    ] {
        let around = Around::new();
        around.release(&format!("  compose: [compose.yaml]\n  env_file: {path}\n"), "");
        let (class, code, event) = around.refused(&[]);
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "value"), "{event}");
        around.release("  compose: [compose.yaml]\n", "");
        around.write(
            "release/compose.yaml",
            &format!("include: [{path}]\nservices:\n  a:\n    image: example.com/web:2\n"),
        );
        let (class, code, event) = around.refused(&[]);
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "outside"), "{event}");
    }
    // What is fetched from elsewhere was refused before and still is.
    let around = Around::new();
    around.release("  compose: [compose.yaml]\n", "");
    around.write(
        "release/compose.yaml",
        "include: ['file:///etc/hostname']\nservices:\n  a:\n    image: example.com/web:2\n",
    );
    let (class, code, event) = around.refused(&[]);
    assert_eq!((class.as_str(), code.as_str()), ("E-CONTENT", "remote"), "{event}");
}

/// What a release names and is no file is not opened: a pipe would wait, a device would act.
#[test]
fn j10_pipes_and_devices_in_a_release_are_refused_unopened() {
    let around = Around::new();
    for name in ["pipe.yaml", "pipe.env", "pipe.txt", "pipe.tar"] {
        mkfifoat(CWD, around.path(&format!("release/{name}")), Mode::RWXU).unwrap();
    }
    let plain = "services:\n  a:\n    image: example.com/web:2\n";
    for (application, whole, text) in [
        ("  compose: [pipe.yaml]\n", "", plain),
        ("  compose: [compose.yaml]\n  env_file: pipe.env\n", "", plain),
        ("  compose: [compose.yaml]\n", "notes_file: pipe.txt\n", plain),
        (
            "  compose: [compose.yaml]\n",
            "images: [{source: 'oci:pipe.tar', name: 'b.example.com/x:1'}]\n",
            plain,
        ),
        (
            "  compose: [compose.yaml]\n",
            "",
            "include: [pipe.yaml]\nservices:\n  a:\n    image: example.com/web:2\n",
        ),
        (
            "  compose: [compose.yaml]\n",
            "",
            "include: [{path: second.yaml, env_file: pipe.env}]\nservices:\n  a:\n    image: example.com/web:2\n",
        ),
        (
            "  compose: [compose.yaml]\n",
            "",
            "services:\n  a:\n    extends: {file: pipe.yaml, service: b}\n",
        ),
    ] {
        around.write("release/compose.yaml", text);
        around.write("release/second.yaml", plain);
        around.release(application, whole);
        // The run ends: nobody writes into the pipes, so opening one to read would last for ever.
        let (class, _, event) = around.refused(&[]);
        assert_eq!(class, "E-USAGE", "{event}");
        assert!(event["found"].as_str().unwrap().contains("is a pipe"), "{event}");
    }
}

#[test]
fn gzipped_layouts_expand_under_a_bound() {
    let around = Around::new();
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", &vec![0; 8 << 20]);
    image_set.tag("1.0", &image);
    fs::write(around.path("release/bomb.tar.gz"), image_set.tar_gz(&[image])).unwrap();
    around.release(
        "  compose: [compose.yaml]\n",
        "images: [{source: 'oci:bomb.tar.gz:1.0', name: 'b.example.com/x:1'}]\n",
    );
    let (class, code, event) = around.refused(&["--expand-limit", "8MiB"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-LIMIT", "expanded"), "{event}");
    assert!(
        event["remedy"].as_str().unwrap().contains("--expand-limit SIZE"),
        "{event}"
    );
    around.created(&["--expand-limit", "9MiB"]);
    around.created(&[]);
    // A name that never ends is kept in nobody's memory.
    let mut tar = tar_header(b'L', 1 << 30);
    tar.resize(16 << 20, b'a');
    fs::write(around.path("release/bomb.tar.gz"), gzip(&tar)).unwrap();
    let (class, code, event) = around.refused(&[]);
    assert_eq!((class.as_str(), code.as_str()), ("E-LIMIT", "headers"), "{event}");
    // Under the same bound, whatever compressed it; and one that is none.
    fs::write(
        around.path("release/bomb.tar.gz"),
        zstd::encode_all(&vec![0; 10 << 20][..], 1).unwrap(),
    )
    .unwrap();
    let (class, code, event) = around.refused(&["--expand-limit", "9MiB"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-LIMIT", "expanded"), "{event}");
    fs::write(
        around.path("release/bomb.tar.gz"),
        [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0xff; 64]].concat(),
    )
    .unwrap();
    let (class, code, event) = around.refused(&[]);
    assert_eq!((class.as_str(), code.as_str()), ("E-FORMAT", "layout"), "{event}");
}

fn tar_header(kind: u8, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..7].copy_from_slice(b"a-name\0");
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A number below one that was signed is refused unless it is said on the command line; the remedy names the next free one.
#[test]
fn a_lower_number_is_taken_only_when_it_is_meant() {
    let around = Around::new();
    around.release("  compose: [compose.yaml]\n", "");
    around.created(&["--sequence", "5"]);
    let (class, code, event) = around.refused(&[]);
    assert_eq!(
        (class.as_str(), code.as_str()),
        ("E-ROLLBACK", "lower-number"),
        "{event}"
    );
    assert!(event["remedy"].as_str().unwrap().contains("sequence to 6"), "{event}");
    assert_eq!(advised(&event, "--sequence"), ["1"]);
    around.created(&["--sequence", "1"]);
    // Known now: making it again is nothing new.
    around.created(&[]);
    around.created(&["--sequence", "6"]);
}
