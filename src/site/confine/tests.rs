//! A confined process tries what it may not do, and does what it may.

use std::io::{ErrorKind, Write as _};
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
    assert_eq!(UnixDatagram::unbound().unwrap_err().kind(), ErrorKind::PermissionDenied);
    // Threads begin by `clone`, where `clone3` is not to be had.
    std::thread::spawn(|| UnixStream::pair().unwrap()).join().unwrap();
    assert!(listener.accept().is_ok());
    drop(early);
}

/// What came of each attempt of the script, with the filter or without.
fn attempts(program: Option<&std::path::Path>) -> BTreeMap<String, String> {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/confine/attempts.py"));
    let output = command.args(program).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, result)| (name.to_owned(), result.to_owned()))
        .collect()
}

/// F20: raw system calls with sockets that were there before; their twin is the same process without the filter.
#[test]
fn f20_no_raw_call_reaches_out_and_what_a_server_does_goes_on() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "python3 does not work here");
        println!("skipped: python3 is not installed");
        return;
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for step in filter().unwrap() {
        let code = step.code.to_ne_bytes();
        file.write_all(&[code[0], code[1], step.jt, step.jf]).unwrap();
        file.write_all(&step.k.to_ne_bytes()).unwrap();
    }
    let (free, confined) = (attempts(None), attempts(Some(file.path())));
    assert_eq!(free.keys().collect::<Vec<_>>(), confined.keys().collect::<Vec<_>>());
    for (name, result) in &confined {
        let expected = match name.as_str() {
            "accept" | "send" | "writev" | "manager" | "pair" | "thread" => "ok",
            "fork" => "exit 0",
            "clone3" => "ENOSYS",
            "ioctl-else" => "EBADF",
            "x32-getpid" | "x32-sendto" => "SIGSYS",
            _ => "EPERM",
        };
        assert_eq!(result, expected, "{name}");
    }
    for (name, expected) in [
        ("sendto-address", "ok arrived"),
        ("sendmsg-address", "ok arrived"),
        ("sendmmsg-address", "ok arrived"),
        ("connect", "ok"),
        ("socket-AF_UNIX", "ok"),
        ("execve", "ENOENT"),
        ("send", "ok"),
        ("fork", "exit 0"),
    ] {
        assert_eq!(free[name], expected, "{name} of a free process");
    }
    let refused = |of: &BTreeMap<String, String>| of.values().filter(|result| *result == "EPERM").count();
    assert!(refused(&free) + 10 < refused(&confined), "{free:?}");
}
