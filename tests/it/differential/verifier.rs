//! `bundle-spec/verify.py` as one process that judges bundle after bundle.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The time that everything is judged at.
pub(super) const AT: &str = "2026-12-01T00:00:00Z";

/// The files that a program is given.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn bundle(&self) -> PathBuf {
        self.0.path().join("bundle.airlock")
    }

    pub(super) fn pin(&self) -> PathBuf {
        self.0.path().join("root.json")
    }

    #[expect(clippy::disallowed_methods, reason = "a file for the test's own program")]
    pub(super) fn put(&self, bundle: &[u8]) {
        std::fs::write(self.bundle(), bundle).unwrap();
    }
}

/// The process.
pub(super) struct Verifier {
    child: Child,
    feed: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    files: Files,
}

impl Verifier {
    /// Starts it with a pinned chain; nothing where what it needs is not installed.
    pub(super) fn start(chain: &[u8]) -> Option<Self> {
        Self::launch(AT, chain)
    }

    /// Starts it with the enrolment file of a site whose packages it is to judge.
    pub(super) fn of_packages(enrolment: &[u8]) -> Option<Self> {
        Self::launch("--enrolment", enrolment)
    }

    #[expect(clippy::disallowed_methods, reason = "a file for the test's own program")]
    fn launch(how: &str, trusted: &[u8]) -> Option<Self> {
        let ready = |name: &str| {
            let asked = Command::new(name).arg("--version").stdout(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        };
        if !ready("python3") || !ready("zstd") {
            return None;
        }
        let files = Files(crate::support::appliance::scratch());
        std::fs::write(files.pin(), trusted).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/judge_many.py");
        let mut child = crate::support::python::python()
            // Nothing is written beside the sources.
            .arg("-B")
            .arg(program)
            .arg(how)
            .arg(files.pin())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self {
            feed: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
            files,
        })
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// What it says of a bundle.
    pub(super) fn judge(&mut self, bundle: &[u8]) -> String {
        let feed = self.feed.as_mut().unwrap();
        writeln!(feed, "{}", bundle.len()).unwrap();
        feed.write_all(bundle).unwrap();
        feed.flush().unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let found: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        if found["verdict"] == "good" {
            return "good".into();
        }
        verdict(&found)
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        self.feed = None;
        self.child.wait().ok();
    }
}

/// Class, sub-code and step of a refusal.
pub(super) fn verdict(refusal: &Value) -> String {
    let word = |name: &str| refusal[name].as_str().unwrap_or_default();
    format!("{} {} at {}", word("class"), word("code"), word("step"))
}
