//! Versions of airlock itself, `X.Y.Z`, compared by number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::digest::string_conversions;
use super::names::ParseNameError;

/// A version `X.Y.Z` of airlock; no pre-release, no build part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Makes a version from its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Returns the version of the running program.
    pub fn current() -> Self {
        env!("CARGO_PKG_VERSION").parse().expect("the package version is X.Y.Z")
    }
}

impl FromStr for Version {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseNameError::new(text, "a version X.Y.Z");
        let mut parts = text.split('.').map(|part| {
            let number: u32 = part.parse().map_err(|_| error())?;
            // "01" and "+1" parse as numbers but are not canonical.
            if number.to_string() == part {
                Ok(number)
            } else {
                Err(error())
            }
        });
        let mut next = || parts.next().unwrap_or_else(|| Err(error()));
        let version = Self::new(next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(error());
        }
        Ok(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

string_conversions!(Version);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!("0.10.0".parse::<Version>().unwrap() > "0.9.9".parse().unwrap());
        for bad in [
            "", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.-3", "+1.2.3", "1.2.3 ",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
