//! Where agents find the server of this state folder, for commands beside it: a configuration need not say it, as with `serve --listen`.
//!
//! The server holds the file locked that says it. What stands in one that nobody holds was said by a server that has ended.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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

/// Where a server says that it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// By agents: `https://HOST:PORT`.
    pub base: String,
    /// Without TLS, at a loopback address; nothing where it does not serve so.
    pub plain: Option<SocketAddr>,
}

/// Held while a server says where it is found.
#[derive(Debug)]
pub struct Served {
    _file: LockFile,
}

impl Appliance {
    /// Says where agents find this server, as `https://HOST:PORT`, and at which loopback address it serves without TLS, until what is returned goes;
    /// nothing where another server of the state folder says so already.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`, `E-SPACE`.
    pub fn say_served(&self, base: &str, plain: &[SocketAddr]) -> Result<Option<Served>> {
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
        let text = match plain.iter().find_map(loopback) {
            Some(address) => format!("{base}\n{address}"),
            None => base.to_owned(),
        };
        let mut file_text: &File = &file;
        file_text
            .set_len(0)
            .and_then(|()| file_text.rewind())
            .and_then(|()| file_text.write_all(text.as_bytes()))
            .map_err(|error| Error::io("write", &path, error))?;
        Ok(Some(Served { _file: file }))
    }

    /// Returns where agents find the server that runs on this state folder; nothing where none runs.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`.
    pub fn served(&self) -> Result<Option<String>> {
        served(self.folder()).map(|found| found.map(|found| found.base))
    }
}

/// As [`Appliance::served`], of a state folder that need not be opened; makes and changes nothing.
///
/// # Errors
///
/// As [`Appliance::served`].
pub fn served(state: &Path) -> Result<Option<Found>> {
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
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    Ok(lines.next().map(|base| Found {
        base: base.to_owned(),
        plain: lines
            .next()
            .and_then(|line| line.parse().ok())
            .filter(|address: &SocketAddr| address.ip().is_loopback()),
    }))
}

/// Returns the loopback address at which this machine reaches what is listened on; nothing where there is none.
fn loopback(address: &SocketAddr) -> Option<SocketAddr> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    ip.is_loopback().then(|| SocketAddr::new(ip, address.port()))
}
