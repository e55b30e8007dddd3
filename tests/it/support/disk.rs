//! Copies of folders, and of disks.
#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::fs;
use std::path::Path;

use super::appliance::{read, write};

/// Copies a folder: files are born anew.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, from.metadata().unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// As [`copy_folder`], of a disk: the life of a state folder goes on in it.
pub(crate) fn copy_disk(from: &Path, to: &Path) {
    copy_folder(from, to);
    let path = to.join("identity/instance.json");
    let text = String::from_utf8(read(&path)).unwrap();
    let Some(said) = text.split('"').nth(3).filter(|_| text.contains("birth")) else {
        return;
    };
    // Written where it stands, it keeps the birth that the copy gave it.
    let born = birth(&path);
    write(&path, text.replace(said, &born).as_bytes());
    assert_eq!(birth(&path), born);
}

fn birth(path: &Path) -> String {
    let born = path.metadata().unwrap().created().unwrap();
    let since = born.duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}
