//! Backups of a few small files: what opens, and that nothing else does.

use std::fs;
use std::path::{Path, PathBuf};

use super::head::Head;
use super::*;
use crate::crypto::{PassphraseCost, PassphraseKey};
use crate::domain::{Class, Result, Timestamp};
use crate::stream::read_bounded;

const PASSPHRASE: &str = "correct horse battery staple";
const SEALING: Sealing<'_> = Sealing {
    passphrase: PASSPHRASE,
    cost: PassphraseCost::LEAST,
};

/// What is said of these.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {}

struct Made {
    _folder: tempfile::TempDir,
    path: PathBuf,
    files: Vec<(Entry, Vec<u8>)>,
}

fn made(sizes: &[usize]) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let mut files = Vec::new();
    let mut writer = BackupWriter::begin(&path, Kind::Site, SEALING, Timestamp::EPOCH, b"{}").unwrap();
    for (number, size) in sizes.iter().enumerate() {
        let content: Vec<u8> = (0..*size)
            .map(|at| u8::try_from((at + number) % 251).unwrap())
            .collect();
        let entry = Entry::private(format!("folder/{number}"), *size as u64);
        writer.add(&entry, content.as_slice()).unwrap();
        files.push((entry, content));
    }
    assert!(!path.is_file());
    let size = writer.finish(&mut |_, _| {}).unwrap();
    assert_eq!(size, fs::metadata(&path).unwrap().len());
    Made {
        _folder: folder,
        path,
        files,
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    read_bounded(fs::File::open(path).unwrap(), 16 << 20, "a backup").unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a file of a test need not last")]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

fn open(path: &Path, passphrase: &str) -> Result<(u64, u64)> {
    OpenedBackup::open(path, Kind::Site, passphrase)?.check(&mut drop, &mut |_, _| {})
}

/// Goes through changed bytes with the key of before.
fn check(made: &Made, key: &PassphraseKey, bytes: &[u8]) -> Result<(u64, u64)> {
    put(&made.path, bytes);
    // What is not a backup of this program's is told before the passphrase.
    peek(&made.path)?;
    let head = Head::parse(bytes)?;
    OpenedBackup::with_key(fs::File::open(&made.path).unwrap(), &head, key)?.check(&mut drop, &mut |_, _| {})
}

#[test]
fn what_was_put_in_comes_out_and_nothing_else_is_left_beside() {
    let made = made(&[0, 1, (64 << 10) - 1, 64 << 10, 200_000]);
    let mut opened = OpenedBackup::open(&made.path, Kind::Site, PASSPHRASE).unwrap();
    assert_eq!(
        (opened.facts::<Facts>().unwrap(), opened.kind()),
        (Facts {}, Kind::Site)
    );
    for (entry, content) in &made.files {
        assert_eq!(opened.entry().unwrap().as_ref(), Some(entry));
        // The third is passed over.
        if entry.path != "folder/2" {
            assert!(
                read_bounded(&mut opened, 1 << 20, "it").unwrap() == *content,
                "{entry:?}"
            );
        }
    }
    assert_eq!(opened.entry().unwrap(), None);
    // Once more from the beginning, from the middle of it too.
    for entries in [made.files.len(), 3] {
        opened.rewind().unwrap();
        for (entry, content) in made.files.iter().take(entries) {
            assert_eq!(opened.entry().unwrap().as_ref(), Some(entry));
            assert!(read_bounded(&mut opened, 1 << 20, "it").unwrap() == *content);
        }
    }
    opened.rewind().unwrap();
    assert_eq!(opened.check(&mut drop, &mut |_, _| {}).unwrap().0, 5);
    assert_eq!(fs::read_dir(made.path.parent().unwrap()).unwrap().count(), 1);
    // Nothing of it can be read.
    let sealed = bytes(&made.path);
    assert!(!sealed.windows(8).any(|window| window == b"folder/0"));

    let error = open(&made.path, "correct horse battery stapler").unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Trust, "passphrase"));
    let error = OpenedBackup::open(&made.path, Kind::Workspace, PASSPHRASE)
        .err()
        .unwrap();
    assert_eq!((error.class(), error.code()), (Class::Usage, "backup-kind"));
}

#[test]
fn no_bit_changes_and_no_byte_is_missing_or_more() {
    let made = made(&[10, 70_000]);
    let whole = bytes(&made.path);
    let head = Head::parse(&whole).unwrap();
    let key = head.open(PASSPHRASE).unwrap();
    assert_eq!(check(&made, &key, &whole).unwrap(), (2, 70_010));
    let begin = head.bytes.len();
    let (end, sealed) = (whole.len(), (64 << 10) + 16);
    let places = (0..begin + 60)
        .chain([begin + sealed - 17, begin + sealed - 1, begin + sealed])
        .chain(end - 40..end);
    for place in places {
        let mut bad = whole.clone();
        bad[place] ^= 1;
        let error = check(&made, &key, &bad).unwrap_err();
        let expected = match place {
            0..15 => (Class::Format, "no-backup"),
            // Another digit is another version.
            15 => (Class::Integrity, "backup-damaged"),
            _ if place >= end - 19 => (Class::Incomplete, "backup-cut"),
            _ => (Class::Integrity, "backup-damaged"),
        };
        let newer = (Class::Format, "backup-version");
        let found = (error.class(), error.code());
        assert!(
            found == expected || (place == 15 && found == newer),
            "byte {place}: {error}"
        );
    }
    for length in [
        16,
        17,
        40,
        begin - 1,
        begin,
        begin + 5,
        begin + sealed,
        end - 20,
        end - 1,
    ] {
        let error = check(&made, &key, &whole[..length]).unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (Class::Incomplete, "backup-cut"),
            "{length}"
        );
    }
    // With its last line put back, the records say so themselves.
    for kept in [begin + sealed, begin + sealed - 1, begin + 5, begin] {
        let bad = [&whole[..kept], b"airlock-backup-end\n"].concat();
        let error = check(&made, &key, &bad).unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (Class::Integrity, "backup-damaged"),
            "{kept}"
        );
    }
    let more = [&whole, b"airlock-backup-end\n".as_slice()].concat();
    assert_eq!(check(&made, &key, &more).unwrap_err().code(), "backup-damaged");
    assert_eq!(check(&made, &key, &whole).unwrap(), (2, 70_010));
}

#[test]
fn versions_of_later_programs_are_named() {
    let later = b"airlock-backup 2\nwhatever\n";
    let error = Head::parse(later).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Format, "backup-version"));
    assert!(error.found().contains("version 2"), "{error}");
}

#[test]
fn a_backup_that_was_stopped_leaves_nothing_and_takes_nobody_elses_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, partial) = (folder.path().join("b"), folder.path().join("b.partial"));
    let begin = || BackupWriter::begin(&path, Kind::Site, SEALING, Timestamp::EPOCH, b"{}");
    drop(begin().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    put(&partial, b"airlock-backup 1\nhalf of a");
    let mut writer = begin().unwrap();
    let error = begin().err().unwrap();
    assert_eq!((error.class(), error.code()), (Class::Busy, "backup"));
    let error = writer.add(&Entry::private("short", 5), b"four".as_slice()).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Busy, "backup"));
    drop(writer);
    put(&partial, b"a letter");
    for bad in [&partial, &path] {
        put(bad, b"a letter");
        let error = begin().err().unwrap();
        assert_eq!(
            (error.class(), error.code()),
            (Class::Usage, "output"),
            "{}",
            bad.display()
        );
        assert_eq!(bytes(bad), b"a letter");
    }
}

#[test]
fn names_stay_below_the_folder() {
    for good in ["a", "a/b.c", "blobs/sha256/ab/cd"] {
        assert!(Entry::private(good, 0).is_sound(), "{good}");
    }
    for bad in [
        "",
        "/a",
        "a/",
        "../a",
        "a/../b",
        "./a",
        "a//b",
        "a\nb",
        "a/b/c/d/e/f/g/h/i",
    ] {
        assert!(!Entry::private(bad, 0).is_sound(), "{bad:?}");
    }
    let entry = |mode| Entry {
        mode,
        ..Entry::private("a", 0)
    };
    assert!(entry(0o400).is_sound() && !entry(0o644).is_sound() && !entry(0o4600).is_sound());
}

/// What a key takes stands in the head: more is refused before it is done, and other numbers are another key.
#[test]
fn a_head_states_what_its_key_takes() {
    let made = made(&[10]);
    let whole = bytes(&made.path);
    let text = String::from_utf8(whole[..whole.iter().position(|byte| *byte == b'}').unwrap()].to_vec()).unwrap();
    assert!(text.contains(r#""memory_kib":32,"passes":1,"#), "{text}");
    let restated = |memory_kib: u64, passes: u64| {
        let line = text.replace(
            r#""memory_kib":32,"passes":1,"#,
            &format!(r#""memory_kib":{memory_kib},"passes":{passes},"#),
        );
        let covered = format!("{line}}}\n");
        let sum = crate::domain::Hash(<sha2::Sha256 as sha2::Digest>::digest(&covered).into());
        let rest = Head::parse(&whole).unwrap().bytes.len();
        put(
            &made.path,
            &[covered.as_bytes(), format!("{sum}\n").as_bytes(), &whole[rest..]].concat(),
        );
        open(&made.path, PASSPHRASE).map_err(|error| (error.class(), error.code().to_owned()))
    };
    restated(32, 1).unwrap();
    assert_eq!(restated(33, 1), Err((Class::Trust, "passphrase".to_owned())));
    for (memory_kib, passes) in [((256 << 10) + 1, 1), (32, 17), (0, 0)] {
        assert_eq!(
            restated(memory_kib, passes),
            Err((Class::Integrity, "backup-damaged".to_owned()))
        );
    }
}
