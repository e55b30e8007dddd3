//! A server whose log is read: remedies of what nobody waits for stand there.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::follow::Operator;
use crate::support::appliance::{AIRLOCK, read, wait_for};

/// A server that ends with its test.
pub(super) struct Logged {
    child: Child,
    log: PathBuf,
    pub(super) address: SocketAddr,
    /// Where it serves without TLS, if it does.
    pub(super) plain: Option<SocketAddr>,
}

impl Logged {
    /// Starts one on a free port and waits until it serves.
    pub(super) fn start(operator: &Operator) -> Self {
        Self::spawn(operator, Command::new(AIRLOCK), &["--listen", "127.0.0.1:0"])
    }

    /// Starts one as a configuration says.
    pub(super) fn configured(operator: &Operator, config: &str) -> Self {
        let config = operator.file("airlock.toml", config.as_bytes());
        let words = ["--config", config.to_str().unwrap()];
        Self::spawn(operator, Command::new(AIRLOCK), &words)
    }

    /// Starts one by whatever runs the program with the words that are added.
    pub(super) fn spawn(operator: &Operator, mut command: Command, words: &[&str]) -> Self {
        let log = operator.file("log", b"");
        command.arg("serve").args(words).env("AIRLOCK_STATE", operator.state());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut serving = Self {
            child,
            log,
            address: ([127, 0, 0, 1], 0).into(),
            plain: None,
        };
        wait_for("the address", || {
            let text = serving.text();
            if let Some(status) = serving.child.try_wait().unwrap() {
                panic!("{status}: {text}");
            }
            let address = |begins: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(begins)?.strip_suffix("/v2/")?.parse().ok())
            };
            // The lines before the one about what is live are whole.
            serving.plain = address("serving http://");
            let found = serving.plain.or_else(|| address("serving https://"));
            let complete = text.contains("\nlive: ") || text.contains("\nnothing is live");
            found
                .filter(|_| complete)
                .map(|address| serving.address = address)
                .is_some()
        });
        serving
    }

    /// Everything that it said so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8(read(&self.log)).unwrap()
    }

    /// The newest line with these words.
    pub(super) fn last_error(&self, words: &str) -> String {
        let mut found = None;
        wait_for("the line of the log", || {
            found = self
                .text()
                .lines()
                .rfind(|line| line.contains(words))
                .map(ToOwned::to_owned);
            found.is_some()
        });
        found.unwrap()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
