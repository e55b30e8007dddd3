//! Case F24: the auditor's shell page is given what is no bundle, or a forged one. Every vector and some hundred hostile tars are judged by
//! `bundle-spec/audit_table.py`, which runs beside the tests; here are the two that once deceived it, and inputs that are no files.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FileType, Mode, mknodat};

use crate::support::appliance::{read, scratch, write};

/// What the page ended with.
struct Audit {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the page in a folder of its own; nothing may be left there.
fn audit(bundle: &Path, pin: &Path) -> Audit {
    let folder = scratch();
    let output = Command::new("bash")
        .arg(specification().join("audit.sh"))
        .args([bundle, pin])
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "something is left of the page"
    );
    Audit {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn refused(bundle: &Path, pin: &Path) {
    let Audit { code, out, err } = audit(bundle, pin);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.starts_with("refused: ") && err.lines().count() == 1, "{err}");
    assert!(!out.contains("good") && !out.contains('\u{1b}'), "{out}");
}

fn specification() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec")
}

/// The header of a link under a name that the page could use, to a file that it must not touch.
fn link(name: &str, target: &Path) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..148].copy_from_slice(b"0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00");
    header[148..156].fill(b' ');
    header[156] = b'2';
    let target = target.to_str().unwrap().as_bytes();
    header[157..157 + target.len()].copy_from_slice(target);
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[test]
fn f24_the_auditors_page_follows_no_link_and_believes_no_forgery() {
    let folder = scratch();
    let victim = folder.path().join("victim");
    write(&victim, b"the auditor's own");
    let good = specification().join("vectors/good/one-image");
    let vector: serde_json::Value = serde_json::from_slice(&read(&good.join("vector.json"))).unwrap();
    let pin = good.join(vector["trust"][0].as_str().unwrap());
    let bytes = read(&good.join("bundle.airlock"));
    let fifth = bytes.windows(10).position(|part| part == b"05-index/0").unwrap();
    let bundle = folder.path().join("bundle");
    // The page once wrote its own files through links that the bundle brought, and took an empty list of rules from one.
    // A run takes a third of a second: all names at both places with `AIRLOCK_SLOW=1`, else one of each way.
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let (first, last) = ((0, victim.as_path()), (fifth, Path::new("/dev/null")));
    for (name, place, telling) in [
        ("signature", first, true),
        ("signature", last, false),
        ("rules", first, false),
        ("rules", last, true),
        ("root-1", first, false),
        ("root-1", last, false),
    ] {
        if telling || slow {
            let (at, target) = place;
            let mut forged = bytes.clone();
            forged.splice(at..at, link(name, target));
            write(&bundle, &forged);
            refused(&bundle, &pin);
        }
    }
    for name in ["k01-none", "j02-sequence-2-53"] {
        refused(
            &specification().join(format!("vectors/bad/{name}/bundle.airlock")),
            &pin,
        );
    }
    let fifo = folder.path().join("fifo");
    mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let symlink = folder.path().join("symlink");
    std::os::unix::fs::symlink(good.join("bundle.airlock"), &symlink).unwrap();
    let inputs = [&fifo, &symlink, folder.path(), Path::new("/dev/zero"), Path::new("")];
    for (number, input) in inputs.into_iter().enumerate() {
        if slow || number % 2 == 0 {
            refused(input, &pin);
        }
        if slow || number % 2 == 1 {
            refused(&good.join("bundle.airlock"), input);
        }
    }
    assert_eq!(read(&victim), b"the auditor's own");

    // Twin: a good bundle, also under a strange name; and what is not checked is a part of what is said.
    let strange = folder.path().join("-rf $(touch x)\n");
    write(&strange, &bytes);
    // By default under the strange one alone: `display` runs the page over a bundle of a plain name.
    for bundle in [strange, good.join("bundle.airlock")]
        .into_iter()
        .take(if slow { 2 } else { 1 })
    {
        let Audit { code, out, err } = audit(&bundle, &pin);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        let verdict = out.rsplit_once("\n\n").unwrap().1;
        assert!(
            verdict.starts_with("good as far as this page checks: head "),
            "{verdict}"
        );
        assert!(
            verdict.contains("not checked here, so not said to be good"),
            "{verdict}"
        );
    }
}
