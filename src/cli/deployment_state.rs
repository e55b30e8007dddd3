//! A deployment for people and machines: what it shall run, what its agent says, and what really runs. The three may differ, and then
//! the words say so: `healthy` alone is said only of what shall run.

use serde_json::json;

use super::ui::escape;
use crate::appliance::fleet::{DeploymentView, Hub, TargetView};
use crate::appliance::status::{DeploymentStatus, Dot, LatestStatus, Running, Told};
use crate::domain::{Result, Uuid};

/// Characters of a message that people are shown: no agent's real one is so long, and a hostile one has up to 256 KiB.
const MESSAGE: usize = 4000;

/// A deployment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DeploymentState {
    pub(super) view: DeploymentView,
    pub(super) taken: Option<Taken>,
    /// What its agent says.
    dot: Dot,
    pub(super) latest: Option<LatestStatus>,
    /// The revision that really runs, where it is known.
    pub(super) runs: Option<Uuid>,
    fit: Fit,
    /// What runs, for people; else why it is not known.
    runs_text: String,
    told: Option<Told>,
}

/// Who took it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// `airlock target undeploy`.
    Here,
    /// A release that has it no more.
    Release,
}

/// How what runs is to what shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Wanted,
    Earlier,
    Other,
    Unknown,
    Nothing,
}

impl DeploymentState {
    /// Puts together what is known.
    ///
    /// # Errors
    ///
    /// Those of the hub.
    pub(super) fn new(
        hub: &Hub,
        target: &TargetView,
        view: DeploymentView,
        known: Option<&DeploymentStatus>,
        taken: Option<Taken>,
    ) -> Result<Self> {
        let (runs, fit, runs_text) = match known.map(|known| known.runs) {
            None => (None, Fit::Unknown, "nothing was reported yet".to_owned()),
            Some(Running::Unknown(doubt)) => (None, Fit::Unknown, doubt.as_str().to_owned()),
            Some(Running::Nothing) => (None, Fit::Nothing, "nothing: it was taken away".to_owned()),
            Some(Running::Revision(revision)) if revision == view.revision => {
                (Some(revision), Fit::Wanted, escape(&view.version))
            }
            Some(Running::Revision(revision)) => {
                let known = hub.known_revision(&target.id, &revision)?;
                let earlier = known.as_ref().is_some_and(|known| known.counter < target.counter);
                let text = match known {
                    Some(known) => format!(
                        "{} of release {} ({})",
                        escape(&known.version),
                        known.counter,
                        escape(&known.release_version)
                    ),
                    None => format!("revision {revision}, which no release here had"),
                };
                (Some(revision), if earlier { Fit::Earlier } else { Fit::Other }, text)
            }
        };
        let dot = known.map_or(Dot::NoStatus, |known| known.dot);
        let told = known.and_then(|known| known.told);
        Ok(Self {
            view,
            taken,
            // Whatever is reported of it, it shall go.
            dot: match dot {
                Dot::Undeploying | Dot::Undeployed => dot,
                _ if taken.is_some() => Dot::Undeploying,
                dot => dot,
            },
            latest: known.and_then(|known| known.latest.clone()),
            runs,
            fit,
            runs_text,
            told,
        })
    }

    /// One stable word: what the agent says, but `healthy` and `running` only of what shall run.
    pub(super) fn word(&self) -> &'static str {
        match (self.dot, self.fit) {
            (Dot::Healthy | Dot::Running, Fit::Earlier | Fit::Other) => "other-revision",
            (Dot::Healthy | Dot::Running, Fit::Unknown | Fit::Nothing) => "unknown-revision",
            (dot, _) => dot.as_str(),
        }
    }

    /// The same for people.
    pub(super) fn phrase(&self) -> String {
        let says = match self.dot {
            Dot::Waiting => "waiting for the agent",
            Dot::Undeploying => return "undeploying, not yet confirmed".to_owned(),
            Dot::Undeployed => return "undeployed".to_owned(),
            dot => dot.as_str(),
        };
        match (self.dot, self.fit) {
            (_, Fit::Earlier) => format!("runs an earlier revision, {says}"),
            (_, Fit::Other) => format!("runs another revision, {says}"),
            (Dot::Healthy | Dot::Running, Fit::Unknown | Fit::Nothing) => format!("{says}, what runs is not known"),
            _ => says.to_owned(),
        }
    }

    /// The lower, the more it needs somebody: an error says more than that another deployment said nothing.
    pub(super) fn rank(&self) -> (bool, u8) {
        let place = match (self.dot, self.fit) {
            (Dot::Error, _) => 0,
            (Dot::NoStatus, _) => 1,
            (Dot::Stale, _) => 2,
            (Dot::Undeploying, _) => 3,
            (Dot::Waiting, _) => 4,
            (Dot::Progressing, _) => 5,
            (_, Fit::Earlier | Fit::Other | Fit::Unknown) => 6,
            (Dot::Running, _) => 7,
            (Dot::Healthy, _) => 8,
            (Dot::Undeployed, _) => 9,
        };
        // What a release has no more says nothing of the target as long as there is something else.
        (self.taken.is_some() && self.dot == Dot::Undeployed, place)
    }

    /// What it shall run, for people.
    pub(super) fn wanted(&self) -> String {
        let (application, version) = (&self.view.application, escape(&self.view.version));
        match self.mark() {
            None => format!("{application} {version}"),
            Some(mark) => format!("{application} {version} ({mark})"),
        }
    }

    /// Who took it away, and how far that is; none of what shall run.
    fn mark(&self) -> Option<&'static str> {
        match (self.taken?, self.dot) {
            (Taken::Here, Dot::Undeployed) => Some("undeployed here"),
            (Taken::Here, _) => Some("undeploying here, not yet confirmed"),
            (Taken::Release, Dot::Undeployed) => Some("undeployed by the release"),
            (Taken::Release, _) => Some("undeploying by the release, not yet confirmed"),
        }
    }

    /// What the agent says, on one line: whole, but where it would flood a screen. Then it says how much more there is, and where.
    pub(super) fn message(&self) -> String {
        let latest = self.latest.as_ref();
        let line = latest.map_or_else(String::new, |latest| escape(latest.message.trim_end()));
        let more = line.chars().count().saturating_sub(MESSAGE);
        if more == 0 {
            return line;
        }
        let head: String = line.chars().take(MESSAGE).collect();
        format!("{head} [{more} more characters: `airlock target list --format json` has all of it]")
    }

    /// What really runs, on one line.
    pub(super) fn running(&self) -> String {
        match (self.runs, self.fit) {
            (Some(_), _) | (None, Fit::Nothing) => format!("runs {}", self.runs_text),
            (None, _) => format!("runs ? ({})", self.runs_text),
        }
    }

    /// Everything, for machines.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let latest = self.latest.as_ref().map(|latest| {
            json!({
                "number": latest.number, "revision": latest.revision, "type": latest.kind, "message": latest.message,
                "first": latest.first, "last": latest.last, "count": latest.count,
            })
        });
        let told = self
            .told
            .map(|told| json!({"revision": told.revision, "at": told.at, "confirmed": told.confirmed}));
        json!({
            "id": self.view.id, "application": self.view.application, "version": self.view.version,
            "revision": self.view.revision, "engine": self.view.engine, "undeployed_here": self.taken == Some(Taken::Here),
            "removed_by_release": self.taken == Some(Taken::Release), "state": self.word(), "state_text": self.phrase(),
            "reported": self.dot.as_str(), "latest": latest, "told": told, "runs_revision": self.runs,
            "runs_wanted": match self.fit {
                Fit::Unknown => None,
                Fit::Wanted => Some(self.taken.is_none()),
                Fit::Nothing => Some(self.taken.is_some()),
                Fit::Earlier | Fit::Other => Some(false),
            },
            "runs": self.runs_text,
        })
    }
}
