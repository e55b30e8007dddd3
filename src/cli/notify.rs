//! Tells the service manager how the service is (`sd_notify` protocol): one datagram to the socket in `$NOTIFY_SOCKET`.
//!
//! Written by hand, because the crate for it (`sd-notify`) connects its socket before it sends, and `connect(2)` is what
//! [`crate::confine`] has taken from the process by the time that it is ready. It knows no abstract names (`@…`) either, which
//! managers of containers use.

use std::os::unix::ffi::OsStrExt as _;

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType, sendto, socket};

use crate::domain::{Class, Error, Result};

/// Sends a state such as `READY=1`; does nothing where no service manager asked for it.
///
/// # Errors
///
/// `E-IO notify` when the manager's socket does not take the message.
pub(crate) fn notify(state: &str) -> Result<()> {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    send(name.as_bytes(), state).map_err(|errno| {
        Error::new(
            Class::Io,
            "notify",
            format!("cannot tell the service manager {state}: {errno}"),
        )
        .with_source(errno)
    })
}

fn send(name: &[u8], state: &str) -> rustix::io::Result<()> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new(name)?,
    };
    // Not connected: a confined process may send, but not connect.
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None)?;
    sendto(&socket, state.as_bytes(), SendFlags::NOSIGNAL, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn the_manager_gets_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str().as_bytes(), "READY=1").unwrap();
        let mut buffer = [0; 64];
        let count = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"READY=1");
        drop(manager);
        assert!(send(path.as_os_str().as_bytes(), "READY=1").is_err());
    }
}
