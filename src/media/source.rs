//! Opens what a bundle is read from: without following links, without blocking on a device, regular files and pipes only.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};

use crate::container::Input;
use crate::domain::{Class, Error, Result, Step};

/// Names looked at in a folder before giving up.
const FOLDER_ENTRIES: usize = 10_000;
/// A pipe must bring this much …
const STALL_BYTES: u64 = 64 << 10;
/// … in this time (threat model 2.8).
pub(super) const STALL_TIME: Duration = Duration::from_secs(120);

/// An opened source of a bundle.
pub struct BundleSource {
    /// Where its bytes come from.
    pub input: Box<dyn Input>,
    /// What to call it.
    pub label: String,
    /// Size in bytes, for files.
    pub size: Option<u64>,
    /// Entries of a folder that were passed over, with the reason.
    pub skipped: Vec<String>,
}

impl std::fmt::Debug for BundleSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BundleSource({})", self.label)
    }
}

/// Opens a file, a folder with exactly one bundle in it, a named pipe, or `-` for standard input.
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
            label: "standard input".into(),
            size: None,
            skipped: Vec::new(),
        });
    }
    // Non-blocking, so that a pipe nobody writes to or a strange device does not hang the import.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Error::io("open", path, e.into()))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| Error::io("look at", path, e.into()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => regular(fd, path, Vec::new()),
        FileType::Directory => folder(&fd, path),
        FileType::Fifo => Ok(BundleSource {
            input: Box::new(Pipe::new(fd, stall)),
            label: path.display().to_string(),
            size: None,
            skipped: Vec::new(),
        }),
        _ => Err(Error::new(
            Class::Format,
            "source",
            format!("{} is a device or socket", path.display()),
        )
        .expected("a bundle file, a folder with one bundle in it, a named pipe, or - for standard input")),
    }
}

fn regular(fd: OwnedFd, path: &Path, skipped: Vec<String>) -> Result<BundleSource> {
    let file = File::from(fd);
    let size = file.metadata().map_err(|e| Error::io("look at", path, e))?.len();
    // Only a hint to the system's read-ahead; the import is as right without it.
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential).ok();
    Ok(BundleSource {
        input: Box::new(Seekable { file, size }),
        label: path.display().to_string(),
        size: Some(size),
        skipped,
    })
}

fn folder(fd: &OwnedFd, path: &Path) -> Result<BundleSource> {
    let mut found = None;
    let mut skipped = Vec::new();
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
        // A link, pipe or device that is called like a bundle is nothing to open.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOCTTY;
        let opened = match rustix::fs::openat(fd, name, flags, Mode::empty()) {
            Ok(opened) => opened,
            Err(error) => {
                skipped.push(format!("{label}: {error}"));
                continue;
            }
        };
        let stat = rustix::fs::fstat(&opened).map_err(|e| Error::io("look at", path, e.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            skipped.push(format!("{label}: no regular file"));
            continue;
        }
        if !begins_like_a_bundle(&opened) {
            skipped.push(format!("{label}: not a bundle"));
            continue;
        }
        if let Some((_, other)) = found.replace((opened, label.clone())) {
            return Err(Error::new(
                Class::Format,
                "source",
                format!(
                    "{} holds several bundles, {other:?} and {label:?} among them",
                    path.display()
                ),
            )
            .expected("exactly one")
            .remedy("name the bundle file itself"));
        }
    }
    match found {
        Some((fd, label)) => regular(fd, &path.join(label), skipped),
        None => Err(
            Error::new(Class::Format, "source", format!("{} holds no bundle", path.display()))
                .expected("exactly one bundle file")
                .remedy("check that the right medium is mounted"),
        ),
    }
}

/// Whether the first bytes are the name of a bundle's first entry: enough to choose a file, nothing is trusted by it.
fn begins_like_a_bundle(fd: &OwnedFd) -> bool {
    let mut start = [0; 10];
    rustix::io::pread(fd, &mut start, 0).is_ok_and(|count| count == 10 && &start == b"00-format\0")
}

/// A file: skipping seeks.
struct Seekable {
    file: File,
    size: u64,
}

impl Read for Seekable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Input for Seekable {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        let step = i64::try_from(count).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let position = self.file.seek(SeekFrom::Current(step))?;
        if position > self.size {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }
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
        let stalled = || io::Error::new(io::ErrorKind::TimedOut, "less than 64 KiB came in the time allowed");
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
