//! Tells the service manager how the service is (`sd_notify` protocol): one datagram each to the socket in `$NOTIFY_SOCKET`.
//!
//! Written by hand, because the crate for it (`sd-notify`) connects its socket when it sends, and `connect(2)` is what
//! [`crate::confine`] has taken from the process by then: here it is connected before. The crate knows no abstract names (`@…`)
//! either, which managers of containers use.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with};

use crate::domain::{Class, Error, Result};

/// The service manager; none where nobody asked to be told.
#[derive(Debug)]
pub(crate) struct ServiceManager(Option<OwnedFd>);

impl ServiceManager {
    /// Connects to the manager that `$NOTIFY_SOCKET` names, before the process gives up connecting.
    ///
    /// # Errors
    ///
    /// `E-IO notify` when there is no such socket.
    pub(crate) fn from_environment() -> Result<Self> {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let connected = name.map(|name| reach(name.as_bytes())).transpose();
        connected
            .map(Self)
            .map_err(|errno| failed("that airlock starts", errno))
    }

    /// Tells it a state such as `READY=1`.
    ///
    /// # Errors
    ///
    /// `E-IO notify` when its socket does not take the message.
    pub(crate) fn notify(&self, state: &str) -> Result<()> {
        let Some(socket) = &self.0 else { return Ok(()) };
        match send(socket, state.as_bytes(), SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(errno) => Err(failed(state, errno)),
        }
    }
}

fn reach(name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new(name)?,
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &address)?;
    Ok(socket)
}

fn failed(what: &str, errno: rustix::io::Errno) -> Error {
    Error::new(
        Class::Io,
        "notify",
        format!("cannot tell the service manager {what}: {errno}"),
    )
    .with_source(errno)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn the_manager_gets_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = path.as_os_str().as_bytes();
        assert!(reach(name).is_err());
        let manager = UnixDatagram::bind(&path).unwrap();
        let told = ServiceManager(Some(reach(name).unwrap()));
        told.notify("READY=1").unwrap();
        let mut buffer = [0; 64];
        let count = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"READY=1");
        drop(manager);
        assert_eq!(told.notify("READY=1").unwrap_err().code(), "notify");
        ServiceManager(None).notify("READY=1").unwrap();
    }
}
