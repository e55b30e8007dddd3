//! What really runs: derived from the sequence of statuses, because no agent says it (distr-protocol 2.3).
//!
//! An agent reports under the newest revision, whatever happened to it. `healthy` after a failed upgrade that helm rolled back
//! means that the revision before is healthy; `error` after an image that could not be pulled means that the containers of the
//! revision before still run. Where the statuses do not decide it, the answer is that it is not known, and why.
//!
//! The texts are those of unmodified agents. An unknown text never makes anything certain that was not.

use serde::{Deserialize, Serialize};

pub use crate::domain::Doubt;
use crate::domain::{Signal, StatusKind, Uuid};

/// What runs for a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// This revision.
    Revision(Uuid),
    /// It was taken away, and its agent is done with that.
    Nothing,
    /// It cannot be known.
    Unknown(Doubt),
}

/// What the statuses of one deployment have shown so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Runs {
    /// What ran for certain, apart from the apply that is looked at.
    known: Option<Uuid>,
    /// The revision that is spoken of.
    revision: Option<Uuid>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Phase {
    /// Nothing was done yet, as far as can be seen.
    #[default]
    New,
    /// What ran is being replaced.
    Touched,
    /// It is what runs.
    Applied,
    /// It failed and changed nothing.
    Kept,
    /// It failed and was rolled back.
    RolledBack,
    /// It is not known, for good.
    Unclear(Doubt),
}

/// What one status says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    signal: Signal,
    /// Of what failed somewhere: what is not known then.
    doubt: Doubt,
}

impl From<Signal> for Said {
    fn from(signal: Signal) -> Self {
        Self {
            signal,
            doubt: Doubt::HalfApplied,
        }
    }
}

/// Returns what a status says of the apply that it speaks of: the one place that reads texts.
pub(super) fn signal(kind: StatusKind, message: &str) -> Signal {
    read(kind, message).signal
}

/// Pulls come before everything that changes containers, and these are their failures.
const PULL_FAILURES: [&str; 14] = [
    "not found",
    "no such image",
    "manifest unknown",
    "name unknown",
    "pull access denied",
    "unauthorized",
    "denied:",
    "failed to resolve",
    "failed to do request",
    "no basic auth credentials",
    "connection refused",
    "no such host",
    "i/o timeout",
    "x509:",
];

fn read(kind: StatusKind, message: &str) -> Said {
    let starts = |words: &[&str]| words.iter().any(|word| message.starts_with(word));
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let signal = match kind {
        StatusKind::Error if starts(&["error applying agent manifest"]) => Signal::Nothing,
        StatusKind::Error if says(&["has been rolled back", "been rolled back due to"]) => Signal::RolledBack,
        StatusKind::Error
            if starts(&[
                "docker login failed",
                "invalid reference",
                "failed to create or update docker config",
            ]) || says(&[
                "helm preflight failed",
                "could not locate chart",
                "could not load chart",
            ]) =>
        {
            Signal::Untouched
        }
        // The restart that follows a finished deployment of a stack.
        StatusKind::Error if starts(&["service "]) || says(&["update out of sequence"]) => Signal::Applied,
        StatusKind::Error if starts(&["compose up failed"]) && says(&PULL_FAILURES) && !says(&["container"]) => {
            Signal::Untouched
        }
        StatusKind::Error if starts(&["upgrade error", "helm upgrade failed"]) => {
            return Said {
                signal: Signal::Failed,
                doubt: Doubt::FailedUpgrade,
            };
        }
        StatusKind::Error => Signal::Failed,
        _ if starts(&[
            "compose command executed successfully",
            "status check results:",
            "helm install succeeded",
            "helm upgrade succeeded",
            "Creating network ",
            "Creating service ",
            "Creating config ",
            "Creating secret ",
            "Updating service ",
        ]) || message == "status check passed" =>
        {
            Signal::Applied
        }
        StatusKind::Progressing if says(&["Container ", " container", "helm ", "Volume ", "Network "]) => {
            Signal::Replacing
        }
        StatusKind::Progressing => Signal::Preparing,
        _ if starts(&["status check passed"]) => Signal::ClusterCheck,
        _ => Signal::Well,
    };
    signal.into()
}

impl Runs {
    /// Takes one status in.
    pub(super) fn step(&mut self, revision: Uuid, kind: StatusKind, message: &str) {
        let Said { signal, doubt } = read(kind, message);
        if signal == Signal::Nothing {
            return;
        }
        if self.revision != Some(revision) {
            // What an unfinished or failed apply left is a mixture, whatever comes next.
            if matches!(self.phase, Phase::Touched | Phase::Unclear(_)) {
                self.known = None;
            }
            self.revision = Some(revision);
            self.phase = Phase::New;
        }
        self.phase = match (self.phase, signal) {
            (Phase::Applied, _) | (_, Signal::Applied) | (Phase::New | Phase::Touched, Signal::Well) => Phase::Applied,
            (Phase::New, Signal::ClusterCheck) if self.known == Some(revision) => Phase::Applied,
            (_, Signal::RolledBack) => Phase::RolledBack,
            (Phase::New | Phase::Kept, Signal::Untouched) => Phase::Kept,
            (_, Signal::Failed) => Phase::Unclear(doubt),
            (Phase::New | Phase::Touched | Phase::Kept, Signal::ClusterCheck) => Phase::Unclear(Doubt::Unseen),
            (Phase::New | Phase::Kept | Phase::Touched, Signal::Replacing) => Phase::Touched,
            // A failed apply that nobody reports as done is what it was, however well the check goes; an upgrade that failed and was
            // rolled back is checked for ever.
            (phase, _) => phase,
        };
        if self.phase == Phase::Applied {
            self.known = Some(revision);
        }
    }

    /// Says what runs.
    pub(super) fn running(&self) -> Running {
        match (self.revision, self.phase) {
            (None, _) => Running::Unknown(Doubt::NoStatus),
            (_, Phase::Touched) => Running::Unknown(Doubt::Applying),
            (_, Phase::Unclear(doubt)) => Running::Unknown(doubt),
            (_, phase) => match self.known {
                Some(revision) => Running::Revision(revision),
                None if phase == Phase::New => Running::Unknown(Doubt::Applying),
                None => Running::Unknown(Doubt::Before),
            },
        }
    }
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
