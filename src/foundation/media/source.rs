//! Opens what a bundle is read from: a plain file, a folder with one in it, a pipe.
//!
//! What a medium holds is looked at before it is opened (`stream::Looked`): in a folder nothing but plain files is ever opened. Of
//! what a person names, links are followed, and a pipe is read as well; devices and sockets are refused unopened.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;

use super::old_head::{OldHead, Restored, SUFFIX};
use super::output::PARTIAL;
use super::seekable::Seekable;
use super::volumes::{CANDIDATES, Candidate, gather, place_of};
use crate::bundle::OpenedBundle;
use crate::container::Input;
use crate::domain::{Class, Error, Hash, Result, Step};
use crate::stream::Looked;

/// Names looked at in a folder before giving up.
const FOLDER_ENTRIES: usize = 10_000;
/// A pipe must bring this much …
const STALL_BYTES: u64 = 64 << 10;
/// … in this time (threat model 2.8).
pub(super) const STALL_TIME: Duration = Duration::from_secs(120);

/// An opened source of a bundle.
pub struct BundleSource {
    /// Where its bytes come from: of several volumes, those of the lowest.
    pub input: Box<dyn Input>,
    /// What the file of the lowest volume is called, where it is one of several.
    pub name: Option<String>,
    /// Other volumes of the same set, ascending, and what their files are called.
    pub others: Vec<(Box<dyn Input>, String)>,
    /// What to call it.
    pub label: String,
    /// Size in bytes, for files.
    pub size: Option<u64>,
    /// Entries of a folder that were passed over, with the reason.
    pub skipped: Vec<String>,
    /// The old head that is read in place of the file's own, because signing the bundle was cut off.
    pub old_head: Option<PathBuf>,
}

impl std::fmt::Debug for BundleSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BundleSource({})", self.label)
    }
}

impl BundleSource {
    /// Reads the entries before the index, of every volume.
    ///
    /// # Errors
    ///
    /// As [`OpenedBundle::open`] and [`OpenedBundle::with_volume`].
    pub fn into_bundle(self) -> Result<OpenedBundle> {
        let opened = OpenedBundle::open(self.input)?;
        let opened = match self.name {
            Some(name) => opened.called(name),
            None => opened,
        };
        let mut others = self.others.into_iter();
        others.try_fold(opened, |opened, (other, name)| {
            opened.with_volume(OpenedBundle::open(other)?.called(name))
        })
    }
}

/// Opens several files, volumes of one bundle in any order, as one source; one alone as [`open`] does.
///
/// # Errors
///
/// `E-IO` and `E-FORMAT` at X1.
pub fn open_all(paths: &[PathBuf], stall: Option<Duration>) -> Result<BundleSource> {
    if let [path] = paths {
        return open(path, stall);
    }
    open_files(paths).map_err(|error| error.at(Step::X1))
}

fn open_files(paths: &[PathBuf]) -> Result<BundleSource> {
    let (mut candidates, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        let failed = |error| Error::io("open", path, error);
        let looked = Looked::at(path).map_err(failed)?;
        match looked.kind() {
            FileType::RegularFile => {
                let own = looked.real_path().map_err(failed)?;
                let fd = looked.open().map_err(failed)?;
                if !begins_like_a_bundle(&fd) || is_status_package(&fd) {
                    return Err(
                        Error::new(Class::Format, "source", format!("{} is no bundle", path.display()))
                            .expected("volumes of one bundle, where several files are named")
                            .remedy("name the volumes of one set"),
                    );
                }
                candidates.push(Candidate {
                    fd,
                    path: path.clone(),
                    own,
                });
            }
            FileType::Directory => {
                candidates.extend(bundles_in(&looked.open().map_err(failed)?, path, &mut skipped)?);
            }
            _ => {
                return Err(Error::new(
                    Class::Format,
                    "source",
                    format!("{} is {}", path.display(), looked.what()),
                )
                .expected("files or folders, where several are named"));
            }
        }
    }
    gather(candidates, &place_of(paths), skipped)
}

/// Puts volumes of one bundle together that are named one by one, wherever they lie; everything else stands alone, whatever it is.
pub fn sets(paths: &[PathBuf]) -> Vec<Vec<PathBuf>> {
    let mut sets: Vec<(Option<Hash>, Vec<PathBuf>)> = Vec::new();
    for path in paths {
        let head = set_of(path);
        let known = sets.iter_mut().find(|(known, _)| head.is_some() && *known == head);
        match known {
            Some((_, files)) => files.push(path.clone()),
            None => sets.push((head, vec![path.clone()])),
        }
    }
    sets.into_iter().map(|(_, files)| files).collect()
}

/// The head of the bundle that a file is one of several volumes of. What cannot be read is told by who opens it.
fn set_of(path: &Path) -> Option<Hash> {
    let looked = Looked::at(path)
        .ok()
        .filter(|looked| looked.kind() == FileType::RegularFile)?;
    let own = looked.real_path().ok()?;
    let fd = looked.open().ok().filter(begins_like_a_bundle)?;
    let opened = regular(fd, path, &own).and_then(BundleSource::into_bundle).ok()?;
    (opened.claimed_volume().1 > 1).then(|| opened.head_digest())
}

/// Opens a file, a folder with exactly one bundle or with volumes of one in it, a named pipe, or `-` for standard input.
///
/// `stall` is how long a pipe may bring less than 64 KiB; 120 seconds when nothing is given.
///
/// # Errors
///
/// `E-IO` and `E-FORMAT` at X1.
pub fn open(path: &Path, stall: Option<Duration>) -> Result<BundleSource> {
    open_any(path, stall.unwrap_or(STALL_TIME)).map_err(|error| error.at(Step::X1))
}

fn open_any(path: &Path, stall: Duration) -> Result<BundleSource> {
    if path == Path::new("-") {
        let stdin = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::io("open", path, e))?;
        return Ok(BundleSource {
            input: Box::new(Pipe::new(stdin, stall)),
            name: None,
            others: Vec::new(),
            label: "standard input".into(),
            size: None,
            skipped: Vec::new(),
            old_head: None,
        });
    }
    let failed = |error| Error::io("open", path, error);
    let looked = Looked::at(path).map_err(failed)?;
    match looked.kind() {
        FileType::RegularFile => {
            let own = looked.real_path().map_err(failed)?;
            regular(looked.open().map_err(failed)?, path, &own)
        }
        FileType::Directory => folder(&looked.open().map_err(failed)?, path),
        FileType::Fifo => Ok(BundleSource {
            input: Box::new(Pipe::new(looked.open().map_err(failed)?, stall)),
            name: None,
            others: Vec::new(),
            label: path.display().to_string(),
            size: None,
            skipped: Vec::new(),
            old_head: None,
        }),
        _ => Err(Error::new(
            Class::Format,
            "source",
            format!("{} is {}", path.display(), looked.what()),
        )
        .expected("a bundle file, a folder with one bundle in it, a named pipe, or - for standard input")),
    }
}

/// Makes a source of a file; `own` is its path without links.
pub(super) fn regular(fd: OwnedFd, path: &Path, own: &Path) -> Result<BundleSource> {
    let file = File::from(fd);
    let size = file.metadata().map_err(|e| Error::io("look at", path, e))?.len();
    // Only a hint to the system's read-ahead; the import is as right without it.
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential).ok();
    let (input, old_head): (Box<dyn Input>, _) = if let Some(old) = OldHead::find(&file, size, own)? {
        let path = old.path.clone();
        (Box::new(Restored::new(old, file, size)), Some(path))
    } else {
        let input = Seekable::new(file, size).map_err(|e| Error::io("read", path, e))?;
        (Box::new(input), None)
    };
    Ok(BundleSource {
        input,
        name: None,
        others: Vec::new(),
        label: path.display().to_string(),
        size: Some(size),
        skipped: Vec::new(),
        old_head,
    })
}

fn folder(fd: &OwnedFd, path: &Path) -> Result<BundleSource> {
    let mut skipped = Vec::new();
    let mut candidates = bundles_in(fd, path, &mut skipped)?;
    if candidates.len() > 1 {
        return gather(candidates, &path.display().to_string(), skipped);
    }
    match candidates.pop() {
        Some(Candidate { fd, path, own }) => {
            let source = regular(fd, &path, &own)?;
            Ok(BundleSource { skipped, ..source })
        }
        None => Err(Error::new(
            Class::Format,
            "source",
            format!("{} holds no bundle{}", path.display(), passed_over(&skipped)),
        )
        .expected("exactly one bundle file, or the volumes of one")
        .remedy("check that the right medium is mounted")),
    }
}

/// What was passed over where nothing is left: the first few of it.
fn passed_over(skipped: &[String]) -> String {
    let Some(first) = skipped.first() else {
        return String::new();
    };
    let more = skipped.len().saturating_sub(1);
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    format!("; passed over {first}{more}")
}

/// Opens every file in a folder that begins like a bundle, and says of the others why they were passed over.
fn bundles_in(fd: &OwnedFd, path: &Path, skipped: &mut Vec<String>) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    let entries = rustix::fs::Dir::read_from(fd).map_err(|e| Error::io("list", path, e.into()))?;
    for (count, entry) in entries.enumerate() {
        if count >= FOLDER_ENTRIES {
            return Err(Error::new(
                Class::Limit,
                "folder",
                format!("{} holds more than {FOLDER_ENTRIES} entries", path.display()),
            )
            .remedy("name the bundle file itself"));
        }
        let entry = entry.map_err(|e| Error::io("list", path, e.into()))?;
        let name = entry.file_name();
        if name.to_bytes().starts_with(b".") {
            continue;
        }
        let label = name.to_string_lossy().into_owned();
        // Parts of bundles that were not finished are no bundles of their own.
        if label.ends_with(SUFFIX) || label.ends_with(PARTIAL) {
            skipped.push(format!("{label}: part of a bundle that was not finished"));
            continue;
        }
        // A link, pipe or device that is called like a bundle is nothing to open.
        let opened = match Looked::in_folder(fd.as_fd(), name) {
            Ok(looked) if !looked.is_file() => {
                skipped.push(format!("{label}: {}, no plain file", looked.what()));
                continue;
            }
            Ok(looked) => looked.open(),
            Err(error) => Err(error),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                skipped.push(format!("{label}: {error}"));
                continue;
            }
        };
        if !begins_like_a_bundle(&opened) {
            skipped.push(format!("{label}: not a bundle"));
            continue;
        }
        // What goes back to the vendor often lies on the same stick.
        if is_status_package(&opened) {
            skipped.push(format!("{label}: a status package"));
            continue;
        }
        if found.len() == CANDIDATES {
            return Err(Error::new(
                Class::Limit,
                "folder",
                format!("{} holds more than {CANDIDATES} bundle files", path.display()),
            )
            .remedy("name the bundle file itself"));
        }
        let path = path.join(label);
        found.push(Candidate {
            fd: opened,
            own: path.clone(),
            path,
        });
    }
    Ok(found)
}

/// Whether the first bytes are the name of a bundle's first entry: enough to choose a file, nothing is trusted by it.
fn begins_like_a_bundle(fd: &OwnedFd) -> bool {
    let mut start = [0; 10];
    rustix::io::pread(fd, &mut start, 0).is_ok_and(|count| count == 10 && &start == b"00-format\0")
}

fn is_status_package(fd: &OwnedFd) -> bool {
    let mut word = [0; 15];
    rustix::io::pread(fd, &mut word, 512).is_ok_and(|count| count == 15 && &word == b"airlock-status ")
}

/// A pipe or diode feed: bounded patience.
struct Pipe {
    fd: OwnedFd,
    stall: Duration,
    window_start: Option<Instant>,
    window_bytes: u64,
}

impl Pipe {
    fn new(fd: OwnedFd, stall: Duration) -> Self {
        Self {
            fd,
            stall,
            window_start: None,
            window_bytes: 0,
        }
    }

    /// Waits for input until the time in which 64 KiB must come is over.
    fn wait(&mut self) -> io::Result<()> {
        let start = *self.window_start.get_or_insert_with(Instant::now);
        let left = self.stall.saturating_sub(start.elapsed());
        let seconds = self.stall.as_secs_f64();
        let stalled = || io::Error::new(io::ErrorKind::TimedOut, format!("at least 64 KiB in {seconds} seconds"));
        if left.is_zero() {
            return Err(stalled());
        }
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => Err(stalled()),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.wait()?;
            match rustix::io::read(&self.fd, &mut *buffer) {
                Ok(count) => {
                    self.window_bytes = self.window_bytes.saturating_add(count as u64);
                    if self.window_bytes >= STALL_BYTES {
                        (self.window_start, self.window_bytes) = (None, 0);
                    }
                    return Ok(count);
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Input for Pipe {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut *self).take(count), &mut io::sink())?;
        if skipped == count {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_pipe_is_given_up() {
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        let error = Pipe::new(reader, Duration::from_millis(20))
            .read(&mut [0; 8])
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_folder_must_hold_exactly_one_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            io::Write::write_all(&mut File::create(folder.path().join(name)).unwrap(), bytes).unwrap();
        };
        put("notes.txt", b"hello");
        assert_eq!(open(folder.path(), None).unwrap_err().class(), Class::Format);
        put("a.bundle", b"00-format\0");
        std::os::unix::fs::symlink("a.bundle", folder.path().join("link")).unwrap();
        let source = open(folder.path(), None).unwrap();
        assert!(source.label.ends_with("a.bundle"));
        assert_eq!(source.skipped.len(), 2, "{:?}", source.skipped);
        put("b.bundle", b"00-format\0");
        assert_eq!(open(folder.path(), None).unwrap_err().code(), "source");
        assert_eq!(open(Path::new("/dev/null"), None).unwrap_err().code(), "source");
    }
}
