//! Gives up powers that a process of the appliance never needs (D15, D20): reaching out, and starting programs.
//!
//! `serve` and `import` call [`no_network`] once their sockets are bound and before threads start. From then on `connect(2)`, new
//! sockets of any family but local ones, `execve(2)` and `execveat(2)` fail with `EPERM`, for this process and all it could
//! become; `io_uring` too, which would do the same on another way. Programs under another system call convention are killed.
//! Sockets bound before go on accepting.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::domain::{Class, Error, Result};

/// `AF_UNIX`: the only family that stays, for the service manager's notification socket.
const LOCAL: u64 = 1;

/// System calls by number: `socket`, and those refused whatever their arguments (`connect`, `execve`, `execveat`,
/// `io_uring_setup`).
#[cfg(target_arch = "x86_64")]
const CALLS: (i64, [i64; 4], TargetArch) = (41, [42, 59, 322, 425], TargetArch::x86_64);
#[cfg(target_arch = "aarch64")]
const CALLS: (i64, [i64; 4], TargetArch) = (198, [203, 221, 281, 425], TargetArch::aarch64);

/// Gives up outbound connections and starting programs, for every thread of the process, for good.
///
/// # Errors
///
/// `E-STATE confine` when the kernel does not take the filter.
pub fn no_network() -> Result<()> {
    let refused = |error: &dyn std::fmt::Display| {
        Error::new(
            Class::State,
            "confine",
            format!("the kernel does not let airlock give up the network: {error}"),
        )
        .expected("a Linux kernel with seccomp filters")
    };
    let program = filter().map_err(|error| refused(&error).with_source(error))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| refused(&error).with_source(error))
}

fn filter() -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    let (socket, always, architecture) = CALLS;
    let foreign = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, LOCAL)?;
    let mut rules = BTreeMap::from([(socket, vec![SeccompRule::new(vec![foreign])?])]);
    rules.extend(always.map(|call| (call, Vec::new())));
    let refuse = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error().unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)?.try_into()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::process::Command;

    use super::*;

    const CHILD: &str = "AIRLOCK_TEST_CONFINED";

    /// A filter cannot be taken off again, so the test runs itself once more as a process of its own.
    #[test]
    fn a_confined_process_accepts_but_does_not_reach_out() {
        if std::env::var_os(CHILD).is_some() {
            confined();
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(TcpStream::connect(listener.local_addr().unwrap()).is_ok());
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "confine::tests::a_confined_process_accepts_but_does_not_reach_out",
            ])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }

    fn confined() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let early = TcpStream::connect(address).unwrap();
        let thread_before = std::thread::spawn(move || {
            std::thread::park();
            TcpStream::connect(address).unwrap_err().kind()
        });
        no_network().unwrap();
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            UdpSocket::bind("127.0.0.1:0").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            UdpSocket::bind("[::1]:0").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            Command::new("/bin/true").spawn().unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            UnixStream::connect("/nowhere").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        thread_before.thread().unpark();
        assert_eq!(thread_before.join().unwrap(), ErrorKind::PermissionDenied);
        UnixDatagram::unbound().unwrap();
        assert!(listener.accept().is_ok());
        drop(early);
    }
}
