//! Why it is not known what runs.

use serde::{Deserialize, Serialize};

/// Why it cannot be known what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Nothing was reported yet.
    NoStatus,
    /// Its agent was told what to run, and has reported nothing since.
    Waiting,
    /// Its agent was told that it is gone, and has not asked again since.
    Removing,
    /// An apply is under way and replaces what ran.
    Applying,
    /// An apply failed before it changed anything, and what ran before is not known here.
    Before,
    /// An apply failed half way.
    HalfApplied,
    /// An upgrade failed, and no status says whether it was rolled back.
    FailedUpgrade,
    /// The cluster reports health, and no status says that this revision was installed: it may be one that was rolled back.
    Unseen,
}

impl Doubt {
    /// Says it in a sentence's words, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoStatus => "no status yet",
            Self::Waiting => "waiting for the agent: it has reported nothing since it was told",
            Self::Removing => "the agent was told to remove it, and has not confirmed that yet",
            Self::Applying => "it is being applied",
            Self::Before => "the apply failed before it changed anything, and what ran before was not reported here",
            Self::HalfApplied => "the apply failed half way",
            Self::FailedUpgrade => "the upgrade failed, and whether it was rolled back was not reported",
            Self::Unseen => "the upgrade to this revision was not seen, so it may have been rolled back",
        }
    }
}
