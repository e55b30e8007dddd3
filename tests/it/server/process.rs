//! `airlock serve` as a process: what it gives up, how it starts, how it ends, when it refuses.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;

use crate::support::client::get;
use crate::support::site::Site;

const A: &str = "docker.io/library/a";

pub(super) fn airlock(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
    command.env_clear().args(["serve", "--state"]).arg(state);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Reads what the process says until it says where it serves.
pub(super) fn address(child: &mut Child) -> (SocketAddr, Vec<String>) {
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said.push(line.unwrap());
        if said.last().unwrap().starts_with("     curl ") {
            break;
        }
    }
    let line = said.iter().find_map(|line| line.strip_prefix("serving http://"));
    (
        line.unwrap_or_else(|| panic!("{said:?}"))
            .trim_end_matches("/v2/")
            .parse()
            .unwrap(),
        said,
    )
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, signal).unwrap();
}

#[test]
fn the_process_is_confined_says_when_it_is_ready_and_ends_on_a_signal() {
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").live();
    let socket = site.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let told = || {
        let mut buffer = [0; 64];
        let count = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    };
    let mut child = airlock(site.path())
        .args(["--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &socket)
        .spawn()
        .unwrap();
    let (address, said) = address(&mut child);
    assert_eq!(told(), "READY=1");
    assert!(
        said.iter()
            .any(|line| line == &format!("try: docker pull {address}/{A}:v1")),
        "{said:?}"
    );
    assert_eq!(get(address, &format!("/v2/{A}/manifests/v1")).body, b"{}");
    // Every thread carries the filter: 2 is SECCOMP_MODE_FILTER.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let mut count = 0;
    for task in tasks {
        // A thread of the start may end meanwhile, as that does which checks the status database.
        let Some(status) = read_if_there(&task.unwrap().path().join("status")) else {
            continue;
        };
        assert!(
            status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n"),
            "{status}"
        );
        count += 1;
    }
    assert!(count > 1, "the server's threads are running");
    signal(&child, rustix::process::Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

#[test]
fn https_and_credentials_as_the_configuration_says() {
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").live();
    let config = site.path().join("airlock.toml");
    let text = "listen = []\n[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"airlock.plant.example\"]\n[registry]\nread = \"credentials\"\n";
    airlock::stream::write_atomically(&config, text.as_bytes(), 0o600).unwrap();
    let mut child = airlock(site.path()).arg("--config").arg(&config).spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said.push(line.unwrap());
        if said.last().unwrap().starts_with("     curl ") {
            break;
        }
    }
    let found = |start: &str| {
        said.iter()
            .find_map(|line| line.strip_prefix(start))
            .unwrap_or_else(|| panic!("{said:?}"))
    };
    let curl = found("     curl ");
    assert!(
        curl.starts_with("--cacert ") && curl.contains("/identity/ca.pem -u me https://"),
        "{said:?}"
    );
    assert!(found("     then log in with what it prints: ").starts_with("docker login airlock.plant.example:"));
    let address: SocketAddr = found("serving https://").trim_end_matches("/v2/").parse().unwrap();
    assert_eq!(
        found("agents: "),
        format!("https://airlock.plant.example:{}", address.port())
    );
    let pem = read(&site.path().join("identity/ca.pem"));
    let fingerprint = {
        use rustls::pki_types::pem::PemObject as _;
        let der = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        crate::support::site::digest(&der).0.to_hex()
    };
    assert!(found("authority: ").starts_with(&fingerprint), "{said:?}");
    let config = crate::support::tls::trusting(&pem);
    crate::support::tls::shown(&config, address, "airlock.plant.example").unwrap();
    let path = format!("/v2/{A}/manifests/v1");
    assert_eq!(crate::support::tls::get(&config, address, &path, "").status, 401);
    assert_eq!(crate::support::tls::get(&config, address, "/healthz", "").status, 200);
    signal(&child, rustix::process::Signal::TERM);
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_interrupt_ends_it_too() {
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").live();
    let mut child = airlock(site.path()).args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let (address, _) = address(&mut child);
    while get(address, "/readyz").status != 200 {}
    signal(&child, rustix::process::Signal::INT);
    // The signal may come before the process catches it; then it ends the process all the same.
    let status = child.wait().unwrap();
    assert!(
        status.success() || std::os::unix::process::ExitStatusExt::signal(&status) == Some(2),
        "{status}"
    );
}

#[test]
fn what_must_be_said_first_is_refused_with_its_exit_code() {
    let site = Site::new();
    let empty = crate::support::appliance::scratch();
    let configured = |name: &str, text: &str| {
        let config = site.path().join(name);
        airlock::stream::write_atomically(&config, text.as_bytes(), 0o600).unwrap();
        vec!["--config".to_owned(), config.display().to_string()]
    };
    for (state, arguments, code, part) in [
        (
            site.path(),
            vec!["--listen".into(), "0.0.0.0:0".into()],
            2,
            "E-USAGE plain-http",
        ),
        (
            site.path(),
            configured("1.toml", "listen_on = []"),
            2,
            "line 1, column 1: unknown field `listen_on`",
        ),
        (empty.path(), vec![], 27, "E-STATE database-missing"),
    ] {
        let output = airlock(state).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(part), "{said}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of the kernel")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The state of a thread; nothing of one that ended.
#[expect(clippy::disallowed_methods, reason = "a file of the kernel")]
fn read_if_there(path: &Path) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => None,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

#[test]
fn what_is_said_to_try_fits_what_is_there() {
    const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
    let chart = "a.example.com/charts/shop";
    let tried = |site: &Site| {
        let mut child = airlock(site.path()).args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
        let (address, said) = address(&mut child);
        signal(&child, rustix::process::Signal::TERM);
        assert!(child.wait().unwrap().success());
        let mut lines = said.iter().filter_map(|line| line.strip_prefix("try: "));
        lines.next().unwrap().replace(&address.to_string(), "HERE")
    };
    let site = Site::new();
    site.release("erp", 1).tag(chart, "1.0.0_a", MANIFEST).live();
    // An engine makes nothing of a chart.
    assert_eq!(
        tried(&site),
        format!("helm pull oci://HERE/{chart} --version 1.0.0+a --plain-http")
    );
    site.release("erp", 2)
        .tag(chart, "1.0.0_a", MANIFEST)
        .tag(A, "v1", b"{}")
        .live();
    assert_eq!(tried(&site), format!("docker pull HERE/{A}:v1"));
}
