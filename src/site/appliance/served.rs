//! Where agents find the server of this state folder, for commands beside it: a configuration need not say it, as with `serve --listen`.
//!
//! The server holds the file locked that says it. What stands in one that nobody holds was said by a server that has ended.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::folder::SERVED;
use super::state::Appliance;
use crate::domain::{Error, Result};
use crate::stream::{Expected, LockFile, look_at_own, open_or_create, read_bounded};

/// Longest address.
const BYTES: u64 = 1 << 10;
/// How long a server waits for commands that look.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it tries.
const PAUSE: Duration = Duration::from_millis(5);

/// Held while a server says where it is found.
#[derive(Debug)]
pub struct Served {
    _file: LockFile,
}

impl Appliance {
    /// Says where agents find this server, as `https://HOST:PORT`, until what is returned goes; nothing where another server of the state
    /// folder says so already.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`, `E-SPACE`.
    pub fn say_served(&self, base: &str) -> Result<Option<Served>> {
        let path = self.folder().join(SERVED);
        let file = LockFile::new(open_or_create(&path, 0o600)?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(Error::io("lock", &path, error.into())),
            }
        }
        let mut plain: &File = &file;
        plain
            .set_len(0)
            .and_then(|()| plain.rewind())
            .and_then(|()| plain.write_all(base.as_bytes()))
            .map_err(|error| Error::io("write", &path, error))?;
        Ok(Some(Served { _file: file }))
    }

    /// Returns where agents find the server that runs on this state folder; nothing where none runs.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`.
    pub fn served(&self) -> Result<Option<String>> {
        served(self.folder())
    }
}

/// As [`Appliance::served`], of a state folder that need not be opened; makes and changes nothing.
///
/// # Errors
///
/// As [`Appliance::served`].
pub fn served(state: &Path) -> Result<Option<String>> {
    let path = state.join(SERVED);
    if look_at_own(&path, Expected::File)?.is_none() {
        return Ok(None);
    }
    let file = LockFile::new(open_or_create(&path, 0o600)?);
    match file.try_lock_shared() {
        Err(Errno::WOULDBLOCK) => {}
        _ => return Ok(None),
    }
    let plain: &File = &file;
    let bytes = read_bounded(plain, BYTES, "where the server is found")?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((!text.is_empty()).then_some(text))
}
