//! A vendor and a site, and somebody who does what a page prints.

use std::collections::BTreeMap;

use serde_json::Value;

use super::page::Page;
use crate::agent::looping::{Agent, Round};
use crate::circle::stage::{Books, Stage};
use crate::support::appliance::{AIRLOCK, Serving, write, write_private};

/// What the page calls the workspace and the site, and files that are at hand.
const PUT_IN: [(&str, &str); 2] = [("acme", "w"), ("plant-7", "plant")];
/// The state folder of the site.
pub(super) const STATE: [&str; 2] = ["--state", "state"];
/// The passphrase of backups.
pub(super) const PASSPHRASE: [&str; 2] = ["--passphrase-file", "passphrase"];

pub(super) struct Drill {
    pub(super) stage: Stage,
    page: Page,
}

impl Drill {
    pub(super) fn new() -> Self {
        let stage = Stage::new();
        write_private(&stage.path("passphrase"), b"correct horse battery staple\n");
        Self {
            stage,
            page: Page::read("recovery.md"),
        }
    }

    #[track_caller]
    fn words(&self, section: &str, command: &str, put_in: &[(&str, &str)], more: &[&str]) -> Vec<String> {
        let put_in = [put_in, &PUT_IN].concat();
        self.page.words(section, command, &put_in, more)
    }

    /// Whether a section holds a text.
    pub(super) fn says(&self, section: &str, text: &str) -> bool {
        self.page.section(section).contains(text)
    }

    /// Does a command of a section, which works.
    #[track_caller]
    pub(super) fn good(&self, section: &str, command: &str, put_in: &[(&str, &str)], more: &[&str]) -> Value {
        let words = self.words(section, command, put_in, more);
        self.stage.good(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Does a command of a section, which is refused: class, code, remedy.
    #[track_caller]
    pub(super) fn refused(
        &self,
        section: &str,
        command: &str,
        put_in: &[(&str, &str)],
        more: &[&str],
    ) -> (String, String, String) {
        let words = self.words(section, command, put_in, more);
        self.stage
            .refused(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Does a command of a section and returns what a person reads.
    #[track_caller]
    pub(super) fn human(&self, section: &str, command: &str, put_in: &[(&str, &str)], more: &[&str]) -> String {
        let words = self.words(section, command, put_in, more);
        self.stage.human(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Does a command of a section that reads something from its standard input.
    #[track_caller]
    pub(super) fn with_input(
        &self,
        section: &str,
        command: &str,
        put_in: &[(&str, &str)],
        more: &[&str],
        input: &[u8],
    ) {
        write(&self.stage.path("input"), input);
        let mut program = std::process::Command::new(AIRLOCK);
        let output = program
            .args(self.words(section, command, put_in, more))
            .current_dir(self.stage.path(""))
            .stdin(std::fs::File::open(self.stage.path("input")).unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{said}");
    }

    /// Starts the server as a section says, at an address of before or a free one.
    #[track_caller]
    pub(super) fn serve(&self, section: &str, address: Option<std::net::SocketAddr>) -> Serving {
        let listen = address.map_or_else(|| "127.0.0.1:0".to_owned(), |address| address.to_string());
        let words = self.words(section, "airlock serve", &[], &["--listen", &listen]);
        let mut command = std::process::Command::new(AIRLOCK);
        command.args(words).arg("--state").arg(self.stage.path("state"));
        Serving::spawn(command)
    }

    /// Connects the target once more as a section says, and returns its agent.
    #[track_caller]
    pub(super) fn connect_again(&self, section: &str, serving: &Serving) -> Agent<Books> {
        let text = format!("[agents]\naddress = \"{}\"\nplain_http = true\n", serving.address);
        write(&self.stage.path("connect.toml"), text.as_bytes());
        let manifest = self.human(
            section,
            "airlock target connect TARGET --new-secret",
            &[("TARGET", "counter")],
            &["--manifest", "--config", "connect.toml", "--state", "state"],
        );
        Agent::start(
            &manifest,
            Books::default(),
            self.stage.path("agent-again"),
            BTreeMap::new(),
        )
        .unwrap()
    }

    /// Exports a package, and hands it to the vendor; returns the verdict.
    #[track_caller]
    pub(super) fn tell(&self) -> Value {
        let package = self.stage.export();
        let taken = self.stage.good(&["status", "verify", &package, "-w", "w"]);
        assert_eq!(taken[0]["result"], "taken-in", "{taken}");
        taken
    }
}

/// Lets an agent look, and report.
#[track_caller]
pub(super) fn rounds(agent: &mut Agent<Books>) {
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done);
    }
}
