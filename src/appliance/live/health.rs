//! How the appliance is, for machines: what was checked at the start, what is being checked, what is broken.

use crate::appliance::ReleaseDamage;
use crate::db::site::release::State;
use crate::domain::Class;

/// State of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Still at work; requests are answered meanwhile.
    Running,
    /// Passed.
    Good,
    /// Failed: class and sub-code. The sentence is in the log.
    Failed(String),
}

/// How the appliance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Trust chains and signatures of the live releases.
    pub releases: Check,
    /// Structure of the database.
    pub database: Check,
    /// Hashes of the live releases' index pages.
    pub index: Check,
    /// Whether all blobs of the live releases are there, as far as anybody met damage.
    pub content: Check,
}

impl Health {
    /// What holds right after the start: requests are only answered once the releases were checked.
    pub(super) fn started() -> Self {
        Self {
            releases: Check::Good,
            database: Check::Running,
            index: Check::Running,
            content: Check::Running,
        }
    }

    /// Adds what is known of damage to live releases; it ends when that does.
    pub(super) fn with(mut self, damage: &[ReleaseDamage]) -> Self {
        let live = || damage.iter().filter(|damage| damage.release.state == State::Active);
        if live().any(|damage| damage.head.is_some()) {
            self.releases = Check::Failed(format!("{} release-damaged", Class::State.name()));
        }
        if live().any(|damage| damage.pages > 0) {
            self.index = Check::Failed(format!("{} page-damaged", Class::State.name()));
        }
        if live().any(|damage| damage.count() > 0) {
            self.content = Check::Failed(format!("{} content-damaged", Class::State.name()));
        }
        self
    }

    /// Whether nothing is known to be broken.
    pub fn is_good(&self) -> bool {
        [&self.releases, &self.database, &self.index, &self.content]
            .iter()
            .all(|check| !matches!(check, Check::Failed(_)))
    }
}

impl Check {
    /// Returns the stable word, or class and code of the failure.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Running => "running",
            Self::Good => "ok",
            Self::Failed(why) => why,
        }
    }
}

impl From<crate::domain::Result<()>> for Check {
    fn from(result: crate::domain::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Good,
            Err(error) => Self::Failed(format!("{} {}", error.class(), error.code())),
        }
    }
}
