//! Who holds the lock of a file: for people who are told to wait.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{major, minor};

use super::bounded::read_bounded;

/// More than any list of locks is, and than any command line that is worth reading.
const BYTES: u64 = 1 << 20;
/// Characters of a command that are told.
const SHOWN: usize = 80;

/// Returns the process that has locked a file as a whole, in words: `process 4711 (airlock gc --yes)`. Nothing where the system does not say.
pub fn lock_holder(file: &File) -> Option<String> {
    let held = file.metadata().ok()?;
    let locks = text(Path::new("/proc/locks"))?;
    let process = locks.lines().find_map(|line| holder(line, &held))?;
    let command = text(Path::new(&format!("/proc/{process}/cmdline"))).map(|line| command(&line));
    Some(match command.filter(|command| !command.is_empty()) {
        Some(command) => format!("process {process} ({command})"),
        None => format!("process {process}"),
    })
}

/// Reads `1: FLOCK  ADVISORY  WRITE 4711 08:02:131 0 EOF`.
fn holder(line: &str, held: &Metadata) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next() != Some("FLOCK") {
        return None;
    }
    let (process, place) = (words.nth(2)?, words.next()?);
    let device = held.dev();
    (place == format!("{:02x}:{:02x}:{}", major(device), minor(device), held.ino())).then_some(())?;
    process.parse().ok().filter(|process| *process > 0)
}

fn text(path: &Path) -> Option<String> {
    let bytes = read_bounded(File::open(path).ok()?, BYTES, "what the system says of locks").ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A command line as a person gave it, without the path of the program.
fn command(line: &str) -> String {
    let mut words = line.split('\0').filter(|word| !word.is_empty());
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let all = std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ");
    match all.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", all.get(..end).unwrap_or_default()),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::LockFile;

    #[test]
    fn the_process_that_holds_a_lock_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let held = LockFile::new(file.reopen().unwrap());
        held.try_lock().unwrap();
        let next = file.reopen().unwrap();
        // A file system of layers may say another device than the list does; then nobody is named, and never the wrong one.
        if let Some(holder) = lock_holder(&next) {
            assert!(
                holder.starts_with(&format!("process {} (", std::process::id())),
                "{holder}"
            );
        }
        drop(held);
        assert_eq!(lock_holder(&next), None);
    }

    #[test]
    fn a_line_is_read_by_device_and_inode() {
        let file = tempfile::tempfile().unwrap();
        let held = file.metadata().unwrap();
        let place = |inode| format!("{:02x}:{:02x}:{inode}", major(held.dev()), minor(held.dev()));
        let own = format!("1: FLOCK  ADVISORY  WRITE 4711 {} 0 EOF", place(held.ino()));
        assert_eq!(holder(&own, &held), Some(4711));
        assert_eq!(holder(&own.replace("FLOCK", "POSIX"), &held), None);
        let other = format!("1: FLOCK  ADVISORY  WRITE 4711 {} 0 EOF", place(held.ino() + 1));
        assert_eq!(holder(&other, &held), None);
        assert_eq!(command("/usr/bin/airlock\0gc\0--yes\0"), "airlock gc --yes");
    }
}
