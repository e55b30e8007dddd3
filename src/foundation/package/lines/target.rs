//! Lines of the part `targets`: where something runs, and what was reported of it.

use serde::{Deserialize, Serialize};

use super::super::quoted::Quoted;
use super::super::words::{DeploymentWord, TargetWord};
use super::metrics::TargetMetrics;
use crate::crypto::canonical::integer;
use crate::domain::{Class, Doubt, Error, Result, Signal, StatusKind, Timestamp, Uuid, limits};

/// A target of a live release, or one that was made at the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Version of its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Quoted>,
    /// Template of a target that was made at the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Uuid>,
    /// `target`.
    pub kind: TargetWord,
    /// Newest sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<TargetMetrics>,
    /// What the site calls a target that was made there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Quoted>,
    /// When the site took it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
    /// When its agent was heard last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// When its agent was heard first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The target.
    pub target: Uuid,
}

impl Target {
    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`.
    pub(in super::super) fn check(&self) -> Result<()> {
        for name in [&self.agent, &self.name].into_iter().flatten() {
            name.check(limits::QUOTED_NAME_BYTES)?;
        }
        if self.name.is_some() && self.follows.is_none() {
            return Err(wrong("a target that was not made at the site has a name of the site"));
        }
        Ok(())
    }
}

/// A deployment of a target: what was reported of it last, and what runs.
///
/// `count` to `state`, but for `doubt` and `removed`, stand together once something was reported. `runs` or `doubt` stands there, and
/// neither only where it was taken away and its agent is done with that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// How often the status was reported.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub count: Option<u64>,
    /// The deployment.
    pub deployment: Uuid,
    /// Why it is not known what runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// How often the state was entered.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub entered: Option<u64>,
    /// When the status was reported first, whatever was exported in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// `deployment`.
    pub kind: DeploymentWord,
    /// When it was reported last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Number of its record.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub number: Option<u64>,
    /// When the site took it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
    /// Revision that was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Uuid>,
    /// Revision that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Uuid>,
    /// What the status says of the apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// State that was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StatusKind>,
    /// Its target.
    pub target: Uuid,
    /// Revision that it is to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Uuid>,
}

impl Deployment {
    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT line`.
    pub(in super::super) fn check(&self) -> Result<()> {
        let reported = [
            self.count.is_some(),
            self.entered.is_some(),
            self.first.is_some(),
            self.last.is_some(),
            self.number.is_some(),
            self.revision.is_some(),
            self.signal.is_some(),
            self.state.is_some(),
        ];
        let all = reported.iter().all(|there| *there);
        if !all && reported.iter().any(|there| *there) {
            return Err(wrong("a deployment has a part of what stands there once it reported"));
        }
        match (self.runs, self.doubt) {
            (Some(_), Some(_)) => Err(wrong("a deployment says what runs, and that it is not known")),
            (None, None) if self.removed.is_none() => Err(wrong(
                "a deployment that was not taken away says neither what runs nor why that is not known",
            )),
            _ => Ok(()),
        }
    }
}

fn wrong(found: &str) -> Error {
    Error::new(Class::Format, "line", found)
}
