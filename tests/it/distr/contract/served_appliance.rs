//! An appliance of the built binary with releases of a double, served on loopback, and its command line.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::release::{Draft, Signer};
use super::wire::Connection;
use crate::support::appliance::{AIRLOCK, Ended, import_command, scratch, wait_for, write};
use crate::support::client::Reply;

/// Registry reads need credentials, so that every client is asked for them as the hub asks.
pub(super) const CREDENTIALS: &str = "[registry]\nread = \"credentials\"\n";

/// An appliance.
pub(super) struct ServedAppliance {
    folder: TempDir,
    pub(super) signer: Signer,
    config: PathBuf,
    sequence: u64,
    serving: Option<Serving>,
    said: Arc<Mutex<String>>,
    port: u16,
}

/// A process that ends with its guard.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // Fails when it has ended already, which is as good.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl ServedAppliance {
    /// Makes one that trusts the signer, with a configuration; it does not serve yet.
    pub(super) fn new(configuration: &str) -> Self {
        let folder = scratch();
        let signer = Signer::new();
        let root = folder.path().join("root.json");
        write(&root, &signer.chain_file());
        let config = folder.path().join("airlock.toml");
        write(&config, configuration.as_bytes());
        let served = Self {
            folder,
            signer,
            config,
            sequence: 0,
            serving: None,
            said: Arc::default(),
            port: 0,
        };
        let root = root.display().to_string();
        let output = served.airlock(&["init", "--site", "plant", "--trust", &root]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        served
    }

    /// One that serves a release.
    pub(super) fn serving(configuration: &str, draft: &Draft) -> Self {
        let mut served = Self::new(configuration);
        served.install(draft);
        served.serve();
        served
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Runs a command on the state folder to its end.
    pub(super) fn airlock(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(AIRLOCK);
        command.args(arguments).arg("--state").arg(self.state());
        command.output().unwrap()
    }

    /// Imports the next release, which must go live.
    #[track_caller]
    pub(super) fn install(&mut self, draft: &Draft) {
        let ended = self.import(draft);
        ended.assert_imported();
    }

    /// Imports the next release, whatever becomes of it.
    pub(super) fn import(&mut self, draft: &Draft) -> Ended {
        let bytes = self.signer.bundle(self.sequence + 1, draft);
        let ended = self.import_bytes(&bytes);
        if ended.code == Some(0) {
            self.sequence += 1;
        }
        ended
    }

    pub(super) fn import_bytes(&self, bytes: &[u8]) -> Ended {
        let path = self.folder.path().join("bundle.airlock");
        write(&path, bytes);
        let mut command = import_command(&self.state(), &path);
        Ended::of(&command.output().unwrap())
    }

    /// Starts serving, on the port of the last time if there was one.
    pub(super) fn serve(&mut self) {
        let mut command = Command::new(AIRLOCK);
        command.arg("serve").arg("--config").arg(&self.config);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        command.arg("--state").arg(self.state());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        self.serving = Some(Serving(child));
        let (said, (tell, told)) = (Arc::clone(&self.said), channel());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(address) = line
                    .strip_prefix("serving http://")
                    .and_then(|rest| rest.split('/').next())
                {
                    // Only the first address counts, and only while somebody waits for it.
                    tell.send(address.parse::<SocketAddr>().unwrap()).ok();
                }
                let mut said = said.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        let address = told.recv_timeout(Duration::from_secs(60));
        self.port = address.unwrap_or_else(|error| panic!("{error}: {}", self.log())).port();
    }

    /// Ends the process at once (`kill -9`).
    pub(super) fn kill(&mut self) {
        self.serving = None;
    }

    /// What the servers so far have said.
    pub(super) fn log(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Puts a copy of the state in its own place, as a restore from a backup does.
    #[expect(clippy::disallowed_methods, reason = "a test's own folder")]
    pub(super) fn restore(&mut self) {
        assert!(!self.serves());
        let backup = self.folder.path().join("backup");
        let copied = Command::new("cp").arg("-a").arg(self.state()).arg(&backup).status();
        assert!(copied.unwrap().success());
        std::fs::remove_dir_all(self.state()).unwrap();
        std::fs::rename(&backup, self.state()).unwrap();
    }

    pub(super) fn serves(&self) -> bool {
        self.serving.is_some()
    }

    pub(super) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// A new connection.
    pub(super) fn connection(&self) -> Connection {
        Connection::new(self.address())
    }

    /// Sends one request on a connection of its own.
    pub(super) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.connection().send(method, target, &headers, body)
    }

    pub(super) fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], None)
    }

    /// Issues a new secret for a target.
    #[track_caller]
    pub(super) fn secret(&self, target: &str) -> String {
        let output = self.airlock(&["--format", "json", "target", "secret", target, "--yes"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let document: Value = serde_json::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
        document["secret"]
            .as_str()
            .unwrap_or_else(|| panic!("{document}"))
            .to_owned()
    }

    /// Logs in and returns the whole answer.
    pub(super) fn login(&self, target: &str, secret: &str) -> Reply {
        self.send(
            "POST",
            "/api/v1/agent/login",
            &[("Authorization", &basic(target, secret))],
            None,
        )
    }

    /// A token of a target, by a new secret.
    #[track_caller]
    pub(super) fn token(&self, target: &str) -> String {
        let reply = self.login(target, &self.secret(target));
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// Sends a request of an agent.
    pub(super) fn agent(&self, method: &str, route: &str, token: &str, body: Option<&str>) -> Reply {
        let headers = [
            ("Authorization", format!("Bearer {token}")),
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "DistrAgentClient/3.1.0".to_owned()),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.send(
            method,
            &format!("/api/v1/agent/{route}"),
            &headers,
            body.map(str::as_bytes),
        )
    }

    /// What a target shall run.
    #[track_caller]
    pub(super) fn resources(&self, token: &str) -> Value {
        let reply = self.agent("GET", "resources", token, None);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        reply.json()
    }

    /// Waits until what a target shall run fits.
    #[track_caller]
    pub(super) fn wait_for_resources(&self, token: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        wait_for("the new desired state", || {
            let reply = self.agent("GET", "resources", token, None);
            if reply.status == 200 {
                found = reply.json();
                if fits(&found) {
                    return true;
                }
            }
            // The limit of a target's requests is not what is tested here.
            std::thread::sleep(Duration::from_millis(150));
            false
        });
        found
    }
}

/// The value of an Authorization header.
pub(super) fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}
