//! Case F07: what a medium, a folder or a command line names and is no plain file is looked at and never opened: opening a device acts,
//! and opening a pipe waits.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::support::appliance::{self, AIRLOCK, Appliance, import_arguments, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::strace::{self, Call};

struct Setup {
    appliance: Appliance,
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Setup {
    fn new() -> Self {
        let vendor = Vendor::new();
        let folder = appliance::scratch();
        let medium = folder.path().join("medium");
        fs::create_dir(&medium).unwrap();
        write(
            &medium.join("good.airlock"),
            &vendor.bundle(1, &[noise(3000, 1)], SMALL_CHUNKS).bytes,
        );
        // Names like bundles', kinds like nobody wants them; device nodes are for root to make, links lead to them.
        mkfifoat(CWD, medium.join("pipe.airlock"), Mode::RWXU).unwrap();
        std::os::unix::net::UnixListener::bind(medium.join("socket.airlock")).unwrap();
        fs::create_dir(medium.join("folder.airlock")).unwrap();
        for (name, target) in [
            ("device.airlock", "/dev/zero"),
            ("link.airlock", "good.airlock"),
            ("lost", "nothing"),
        ] {
            std::os::unix::fs::symlink(target, medium.join(name)).unwrap();
        }
        let made = Command::new("mknod")
            .arg(medium.join("null.airlock"))
            .args(["c", "1", "3"])
            .stderr(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            println!("no device node was made: only root may");
        }
        let root = folder.path().join("root.json");
        write(&root, &vendor.chain_file());
        Self {
            appliance: Appliance::init(&vendor),
            folder,
            root,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Whether a call opened something for more than a look.
fn opens(call: &Call, name: &str) -> bool {
    call.name.starts_with("open") && call.rest.contains(name) && !call.rest.contains("O_PATH")
}

#[test]
fn f07_nothing_but_plain_files_of_a_medium_is_opened() {
    if !strace::available() {
        return;
    }
    let setup = Setup::new();
    let medium = setup.path("medium");
    let trace = vec!["-e".to_owned(), "trace=open,openat,openat2".to_owned()];
    let names = [
        "pipe.airlock",
        "socket.airlock",
        "folder.airlock",
        "device.airlock",
        "link.airlock",
        "null.airlock",
        "/dev/zero",
    ];
    let verify: Vec<OsString> = [
        "bundle".into(),
        "verify".into(),
        medium.clone().into(),
        "--trust".into(),
    ]
    .into_iter()
    .chain([OsString::from(&setup.root)])
    .collect();
    for arguments in [verify, import_arguments(&setup.appliance.path(), &medium)] {
        let run = strace::run(&trace, &arguments);
        assert_eq!(run.ended.code, Some(0), "{}", run.ended.stderr);
        let looked = run
            .calls
            .iter()
            .filter(|call| call.rest.contains("pipe.airlock"))
            .count();
        assert!(looked > 0, "the trace shows what was looked at");
        for name in names {
            let opened: Vec<&Call> = run.calls.iter().filter(|call| opens(call, name)).collect();
            assert!(opened.is_empty(), "{name}: {opened:?}");
        }
    }
    // Without the good one there is nothing, and the refusal changes nothing.
    fs::remove_file(medium.join("good.airlock")).unwrap();
    let before = appliance::audit_actions(&setup.appliance.path()).len();
    let ended = setup.appliance.import(&medium);
    ended.assert_refused("E-FORMAT", "source", "X1");
    assert_eq!(appliance::audit_actions(&setup.appliance.path()).len(), before + 1);
}

/// The same for every file that an option names: refused with what it is, without waiting and without opening.
#[test]
fn f07_devices_and_folders_are_no_trust_no_signatures_no_keys() {
    let setup = Setup::new();
    let bundle = setup.path("medium/good.airlock");
    let pipe = setup.path("medium/pipe.airlock");
    let run = |arguments: &[&Path]| {
        Command::new(AIRLOCK)
            .args(["--format", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let verify = |trust: &Path, signatures: &Path| {
        run(&[
            Path::new("bundle"),
            Path::new("verify"),
            &bundle,
            Path::new("--trust"),
            trust,
            Path::new("--signatures"),
            signatures,
        ])
    };
    let signatures = setup.path("none.sig");
    write(&signatures, br#"{"signatures":[]}"#);
    assert_eq!(verify(&setup.root, &signatures).status.code(), Some(0));
    for other in [Path::new("/dev/zero"), Path::new("/dev/null"), setup.folder.path()] {
        for output in [
            verify(other, &signatures),
            verify(&setup.root, other),
            #[cfg(feature = "vendor")]
            run(&[
                Path::new("vendor"),
                Path::new("enroll"),
                other,
                Path::new("-w"),
                setup.folder.path(),
            ]),
        ] {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{}: {text}", other.display());
        }
    }
    for (source, code) in [
        (Path::new("/dev/zero"), "source"),
        (&setup.path("medium/socket.airlock"), "source"),
    ] {
        setup.appliance.import(source).assert_refused("E-FORMAT", code, "X1");
    }
    // A key is never read from a pipe: this ends although nobody writes.
    #[cfg(feature = "vendor")]
    {
        let output = run(&[
            Path::new("vendor"),
            Path::new("trust"),
            Path::new("passphrase"),
            &pipe,
            Path::new("--remove"),
        ]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(13), "{text}");
        assert!(text.contains("is a pipe"), "{text}");
    }
    // What a person names may be a pipe: here the shell's `<(…)`.
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "cat {} | {AIRLOCK} bundle verify {} --trust /dev/fd/0",
            setup.root.display(),
            bundle.display()
        ))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(pipe.exists());
}
