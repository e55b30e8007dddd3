//! Which switches of a package are on: a profile is a name for some of them, a site may add more, and whoever exports only takes away
//! (M-96).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::{Class, Error, Result, limits};
use crate::package::{Room, Shows, Switch};

/// A name for a set of switches. Each shows what the one before it does, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Nothing beyond the least.
    Minimal,
    /// And versions of agents, and metrics.
    Standard,
    /// And every status with its text, and all lines of logs.
    Full,
}

impl Profile {
    /// Every profile, from the one that shows least.
    pub const ALL: [Self; 3] = [Self::Minimal, Self::Standard, Self::Full];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }

    /// Returns what it shows. Names of targets made here are in no profile.
    pub fn shows(self) -> Shows {
        let switches: &[Switch] = match self {
            Self::Minimal => &[],
            Self::Standard => &[Switch::Agents, Switch::Metrics],
            Self::Full => &[
                Switch::AgentLogs,
                Switch::Agents,
                Switch::Logs,
                Switch::Metrics,
                Switch::StatusText,
            ],
        };
        Shows::of(switches.iter().copied())
    }
}

/// What the site says of its exports: `[export]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSettings {
    /// The most that packages show.
    pub shows: Shows,
    /// What is taken out of every text beside what always is: regular expressions.
    pub redact: Vec<String>,
    /// How many people have to approve a package before it leaves; where it is left out, as many as was said last
    /// ([`Appliance::ask_approvals`](crate::appliance::Appliance::ask_approvals)).
    pub approvals: Option<u64>,
    /// The file of their keys.
    pub keys: PathBuf,
    /// Bytes that a package may have.
    pub max_size: u64,
    /// Bytes that signed packages may take in the outbox.
    pub outbox: u64,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self {
            shows: Profile::Minimal.shows(),
            redact: Vec::new(),
            approvals: None,
            keys: "/etc/airlock/site-keys.json".into(),
            max_size: limits::PACKAGE_BYTES_DEFAULT,
            outbox: 512 << 20,
        }
    }
}

impl ExportSettings {
    /// Returns what is shown when whoever exports takes something away: by a smaller profile, and switch by switch.
    ///
    /// # Errors
    ///
    /// `E-USAGE profile` for one that shows what the site does not.
    pub fn narrowed(&self, profile: Option<Profile>, without: &[Switch]) -> Result<Shows> {
        if let Some(profile) = profile {
            let more: Vec<_> = profile
                .shows()
                .iter()
                .filter(|switch| !self.shows.has(*switch))
                .map(Switch::as_str)
                .collect();
            if !more.is_empty() {
                return Err(Error::new(
                    Class::Usage,
                    "profile",
                    format!(
                        "the profile {} shows more than this site does: {}",
                        profile.as_str(),
                        more.join(", ")
                    ),
                )
                .expected("a profile that takes something away")
                .remedy("leave --profile out, or set profile or show under [export] in the configuration"));
            }
        }
        let stays =
            |switch: &Switch| profile.is_none_or(|profile| profile.shows().has(*switch)) && !without.contains(switch);
        Ok(Shows::of(self.shows.iter().filter(stays)))
    }

    /// Returns how large a package may become when whoever exports wants a smaller one, with room for the approvals that are asked for.
    ///
    /// # Errors
    ///
    /// `E-USAGE max-size` for a larger one than the site allows, or one below the least.
    pub fn room(&self, max_size: Option<u64>, approvals: u64) -> Result<Room> {
        let max_size = max_size.unwrap_or(self.max_size);
        if max_size > self.max_size || max_size < limits::PACKAGE_BYTES_MIN {
            return Err(Error::new(
                Class::Usage,
                "max-size",
                format!("a package of up to {} MiB is asked for", max_size >> 20),
            )
            .expected(format!("1 to {} MiB, what the site allows", self.max_size >> 20))
            .remedy("name a smaller size, or raise max_size_mib under [export] in the configuration"));
        }
        Ok(Room { max_size, approvals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(shows: &Shows) -> Vec<&'static str> {
        shows.iter().map(Switch::as_str).collect()
    }

    #[test]
    fn whoever_exports_only_takes_away() {
        let settings = ExportSettings {
            shows: Shows::of(Profile::Standard.shows().iter().chain([Switch::LocalNames])),
            ..ExportSettings::default()
        };
        for (profile, without, expected) in [
            (None, &[][..], &["agents", "local-names", "metrics"][..]),
            (None, &[Switch::Metrics, Switch::Logs], &["agents", "local-names"]),
            (Some(Profile::Standard), &[], &["agents", "metrics"]),
            (Some(Profile::Standard), &[Switch::Agents], &["metrics"]),
            (Some(Profile::Minimal), &[], &[]),
        ] {
            assert_eq!(words(&settings.narrowed(profile, without).unwrap()), expected);
        }
        let error = settings.narrowed(Some(Profile::Full), &[]).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "profile"));
        assert!(error.found().contains("agent-logs, logs, status-text"), "{error}");
        // Also where it is taken away again: what counts is that somebody asked for more.
        assert!(settings.narrowed(Some(Profile::Full), &Switch::ALL).is_err());
    }

    #[test]
    fn each_profile_shows_what_the_one_before_does() {
        for (less, more) in Profile::ALL.iter().zip(Profile::ALL.iter().skip(1)) {
            assert!(less.shows().iter().all(|switch| more.shows().has(switch)));
            assert!(less.shows() != more.shows());
        }
        assert!(!Profile::Full.shows().has(Switch::LocalNames));
    }

    #[test]
    fn a_package_is_at_most_as_large_as_the_site_allows() {
        let settings = ExportSettings::default();
        assert_eq!(settings.room(None, 0).unwrap().max_size, 64 << 20);
        let least = settings.room(Some(1 << 20), 2).unwrap();
        assert_eq!((least.max_size, least.approvals), (1 << 20, 2));
        for size in [0, (1 << 20) - 1, 65 << 20] {
            let error = settings.room(Some(size), 0).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "max-size"), "{size}");
        }
    }
}
