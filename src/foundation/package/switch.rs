//! Switches: what beyond the least a package may show (M-96). The head states them; a profile is a name for some of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Class, Error, Result};

/// One thing that a site may let out. In the order of their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Lines of the agents themselves.
    AgentLogs,
    /// Versions of agents.
    Agents,
    /// Names that the site gave to targets made there.
    LocalNames,
    /// Lines of containers.
    Logs,
    /// Newest metrics, and days of them.
    Metrics,
    /// Every status, and the texts of all of them.
    StatusText,
}

impl Switch {
    /// Every switch, in the order of the words.
    pub const ALL: [Self; 6] = [
        Self::AgentLogs,
        Self::Agents,
        Self::LocalNames,
        Self::Logs,
        Self::Metrics,
        Self::StatusText,
    ];

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentLogs => "agent-logs",
            Self::Agents => "agents",
            Self::LocalNames => "local-names",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::StatusText => "status-text",
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The switches that are on, each once, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shows(Vec<Switch>);

impl Shows {
    /// Puts switches into order.
    pub fn of(switches: impl IntoIterator<Item = Switch>) -> Self {
        let mut switches: Vec<_> = switches.into_iter().collect();
        switches.sort_unstable();
        switches.dedup();
        Self(switches)
    }

    /// Whether a switch is on.
    pub fn has(&self, switch: Switch) -> bool {
        self.0.contains(&switch)
    }

    /// Returns the switches that are on.
    pub fn iter(&self) -> impl Iterator<Item = Switch> + '_ {
        self.0.iter().copied()
    }

    /// Checks the order of what was read.
    ///
    /// # Errors
    ///
    /// `E-FORMAT shows`.
    pub(super) fn check(&self) -> Result<()> {
        if self.0.is_sorted_by(|a, b| a < b) {
            return Ok(());
        }
        Err(Error::new(
            Class::Format,
            "shows",
            "the switches of the head are repeated or out of order",
        ))
    }

    /// Refuses what a switch that is off would have to allow.
    ///
    /// # Errors
    ///
    /// `E-CONTENT shows`.
    pub(super) fn allow(&self, switch: Switch, what: &str) -> Result<()> {
        if self.has(switch) {
            return Ok(());
        }
        Err(Error::new(
            Class::Content,
            "shows",
            format!("the package holds {what} and does not say that it shows {switch}"),
        )
        .expected("nothing but what the head says is shown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_documents_and_ascend() {
        for switch in Switch::ALL {
            assert_eq!(serde_json::to_value(switch).unwrap(), switch.as_str());
        }
        assert!(Switch::ALL.is_sorted_by(|a, b| a < b && a.as_str() < b.as_str()));
        let shows = Shows::of([Switch::Logs, Switch::Agents, Switch::Logs]);
        assert_eq!(shows.iter().map(Switch::as_str).collect::<Vec<_>>(), ["agents", "logs"]);
        assert!(shows.check().is_ok() && Shows(vec![Switch::Logs, Switch::Agents]).check().is_err());
    }
}
