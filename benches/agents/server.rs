//! The server under test: the real `airlock serve`, and what is known about its process.

use std::collections::HashSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock::appliance::Appliance;
use airlock::appliance::fleet::{Hub, SiteView};
use airlock::appliance::live::Live;
use airlock::domain::{SystemClock, Uuid, oci};
use base64::Engine as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::crowd::Agent;
use super::report::Report;
use super::world::{Enrolled, REPOSITORY};

/// Clock ticks of `/proc/PID/stat` in a second: fixed on Linux.
const TICKS: f64 = 100.0;
/// Connections that log in at one time.
const LOGINS: usize = 16;

/// A running `airlock serve`; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a process has taken so far.
pub(crate) struct Taken {
    pub(crate) cpu: f64,
    /// Bytes that became dirty pages.
    pub(crate) written: f64,
}

impl Server {
    /// Starts on a free port and waits until it answers.
    pub(crate) fn start(folder: &Path, state: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = folder.join("airlock.toml");
        fs::write(
            &config,
            format!("listen = [\"{address}\"]\n[limits]\nconnections = 30000\nconnections_per_address = 30000\n"),
        )
        .unwrap();
        let program = std::env::var_os("AIRLOCK_BENCH_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_airlock").into());
        let child = Command::new(program)
            .arg("serve")
            .arg("--state")
            .arg(state)
            .arg("--config")
            .arg(&config)
            .env("AIRLOCK_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, address };
        for _ in 0..600_000 {
            if is_answered(address) {
                return server;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        panic!("the server did not start");
    }

    /// Ends it and starts it again; reports how long that takes.
    pub(crate) fn restart(&mut self, folder: &Path, state: &Path, report: &mut Report) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
        let start = Instant::now();
        *self = Self::start(folder, state);
        let wall = start.elapsed().as_secs_f64() * 1000.0;
        report.line("start to the first manifest", wall, "ms", None, Some(30.0));
        report.line("CPU until then", self.taken().cpu * 1000.0, "ms", None, None);
    }

    /// Issues a secret to every target and logs all of them in.
    pub(crate) fn log_in(&self, runtime: &tokio::runtime::Runtime, state: &Path, enrolled: &[Enrolled]) -> Vec<Agent> {
        let view = SiteView::new(&self.address.to_string(), false, "5.37s", None).unwrap();
        let appliance = Arc::new(Appliance::open(state, Arc::new(SystemClock)).unwrap());
        let hub = Hub::new(&Live::load(&appliance, Duration::ZERO).unwrap(), view).unwrap();
        let targets: Vec<Uuid> = enrolled.iter().map(|enrolled| enrolled.target).collect();
        let secrets: Vec<String> = hub
            .issue_secrets(&targets, false)
            .unwrap()
            .iter()
            .map(|secret| secret.as_str().to_owned())
            .collect();
        let address = self.address;
        // The server notices new secrets by itself, a moment later.
        let first = (targets[0], secrets[0].clone());
        runtime.block_on(async {
            for _ in 0..600 {
                if login(address, first.0, &first.1).await.is_some() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("the server does not know the new secrets");
        });
        let mut tokens = vec![String::new(); targets.len()];
        runtime.block_on(async {
            let numbers: Vec<usize> = (0..targets.len()).collect();
            let mut tasks = tokio::task::JoinSet::new();
            for part in numbers.chunks(targets.len().div_ceil(LOGINS)) {
                let work: Vec<(usize, Uuid, String)> =
                    part.iter().map(|n| (*n, targets[*n], secrets[*n].clone())).collect();
                tasks.spawn(async move {
                    let mut made = Vec::new();
                    for (number, target, secret) in work {
                        made.push((number, login(address, target, &secret).await.expect("a login")));
                    }
                    made
                });
            }
            while let Some(made) = tasks.join_next().await {
                for (number, token) in made.unwrap() {
                    tokens[number] = token;
                }
            }
        });
        enrolled
            .iter()
            .zip(tokens)
            .map(|(enrolled, token)| super::agent(enrolled, token))
            .collect()
    }

    pub(crate) fn taken(&self) -> Taken {
        let id = self.child.id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field behind it.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let io = fs::read_to_string(format!("/proc/{id}/io")).unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:")).unwrap();
        Taken {
            cpu: (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS,
            written: line.trim().parse().unwrap(),
        }
    }

    /// The most memory that it has held, in bytes.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
    }

    /// Ends it as a power cut would, as far as a process is concerned.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed and waited for before; then there is nothing to end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether the manifest that every release here has is answered.
fn is_answered(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        let path = format!("/v2/{REPOSITORY}/manifests/1.0");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {}\r\nConnection: close\r\n\r\n",
            oci::OCI_MANIFEST
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    asked().unwrap_or(false)
}

async fn login(address: SocketAddr, target: Uuid, secret: &str) -> Option<String> {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{target}:{secret}"));
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = format!(
        "POST /api/v1/agent/login HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {basic}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, rest) = answer.split_once(r#""token":""#)?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Target and message of every status in the buffer of a state folder that nobody serves.
pub(crate) fn kept(state: &Path) -> HashSet<(String, String)> {
    let connection = rusqlite::Connection::open(state.join("status.db")).unwrap();
    let mut select = connection
        .prepare("SELECT source.target, record.text FROM record JOIN source ON source.id = record.source WHERE record.class IN (1, 2, 7)")
        .unwrap();
    let rows = select
        .query_map([], |row| {
            Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Option<String>>(1)?))
        })
        .unwrap();
    rows.map(|row| {
        let (target, text) = row.unwrap();
        (Uuid::from_bytes(target).to_string(), text.unwrap_or_default())
    })
    .collect()
}
