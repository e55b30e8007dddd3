//! How the appliance is, for machines: what was checked at the start, what is being checked, what is broken.

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
}

impl Health {
    /// What holds right after the start: requests are only answered once the releases were checked.
    pub(super) fn started() -> Self {
        Self {
            releases: Check::Good,
            database: Check::Running,
            index: Check::Running,
        }
    }

    /// Whether nothing is known to be broken.
    pub fn is_good(&self) -> bool {
        [&self.releases, &self.database, &self.index]
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
