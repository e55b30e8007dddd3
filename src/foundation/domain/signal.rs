//! What one status says about the apply that it speaks of.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ParseNameError;

/// The meaning of a known agent's text, fixed when the status is accepted: who never sees the text can still follow what runs.
///
/// An unknown text is [`Self::Well`] or [`Self::Failed`], as its state says; it makes nothing certain that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Not about this deployment.
    Nothing,
    /// Work that changes nothing yet.
    Preparing,
    /// Work that replaces what runs.
    Replacing,
    /// The apply is done, or a check that is only made once it was.
    Applied,
    /// Failed before anything was changed.
    Untouched,
    /// Failed, and what ran before was put back.
    RolledBack,
    /// Failed somewhere.
    Failed,
    /// A check of a cluster: made after a rollback too.
    ClusterCheck,
    /// Something well, in words that are not known.
    Well,
}

impl Signal {
    /// Every meaning, in the order of their numbers in databases, which begin at 1.
    pub const ALL: [Self; 9] = [
        Self::Nothing,
        Self::Preparing,
        Self::Replacing,
        Self::Applied,
        Self::Untouched,
        Self::RolledBack,
        Self::Failed,
        Self::ClusterCheck,
        Self::Well,
    ];

    /// Returns the word in status packages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Preparing => "preparing",
            Self::Replacing => "replacing",
            Self::Applied => "applied",
            Self::Untouched => "untouched",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
            Self::ClusterCheck => "cluster-check",
            Self::Well => "well",
        }
    }
}

impl FromStr for Signal {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|signal| signal.as_str() == text);
        known.ok_or_else(|| ParseNameError::new(text, "what a status says about an apply"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_code_have_one_word_for_each() {
        for signal in Signal::ALL {
            assert_eq!(serde_json::to_value(signal).unwrap(), signal.as_str());
            assert_eq!(signal.as_str().parse(), Ok(signal));
        }
    }
}
