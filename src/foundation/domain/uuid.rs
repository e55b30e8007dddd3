//! UUIDs of the hub's world: targets, deployments, revisions, agent versions. They cross the gap unchanged (D11).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::digest::string_conversions;
use super::{Hash, Name, ParseNameError, Scope};

/// A UUID, written in the lower-case canonical form 8-4-4-4-12: no other form is read.
///
/// Agents compare some of them as text, so one value must have one spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uuid([u8; 16]);

/// What a bad UUID is told to be.
const EXPECTED: &str = "a UUID in lower case like 7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b";

impl Uuid {
    /// Makes the UUID (version 8, RFC 9562) that follows from texts: the same texts give the same UUID on any machine and day.
    ///
    /// `kind` keeps what is derived for one purpose apart from what is derived for another.
    pub fn derived(kind: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&kind).chain(parts) {
            // Lengths in front, so that no two lists of texts run together to the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        Self::with_version(bytes, 8)
    }

    /// Returns the UUID of a target that a scope's releases state under a name: theirs alone, because the name of the trust
    /// domain is in it (SPEC M-119).
    pub fn of_target(scope: &Scope, name: &str) -> Self {
        let domain = scope.domain.to_string();
        Self::derived(
            "target",
            &[&domain, scope.product.as_str(), scope.channel.as_str(), name],
        )
    }

    /// Returns the UUID of an application's deployment on a target.
    pub fn of_deployment(target: Self, application: &Name) -> Self {
        Self::derived("deployment", &[&target.to_string(), application.as_str()])
    }

    /// Returns the UUID of a deployment of a target that was made at a site, where the target that it follows has `template`.
    pub fn of_local_deployment(target: Self, template: Self) -> Self {
        Self::derived("local-deployment", &[&target.to_string(), &template.to_string()])
    }

    /// Returns the revision that such a deployment has, where that of the template is `template`.
    pub fn of_local_revision(target: Self, template: Self) -> Self {
        Self::derived("local-revision", &[&target.to_string(), &template.to_string()])
    }

    /// Returns the revision that an agent is told in place of a stated one, where values of its site go into it: `mac` is a keyed hash of
    /// them, whose key never leaves the site.
    pub fn of_site_revision(stated: Self, mac: Hash) -> Self {
        Self::derived("site-revision", &[&stated.to_string(), &mac.to_hex()])
    }

    /// Whether it is of version 8, as what [`Uuid::derived`] makes, whatever its variant.
    pub fn is_derived(&self) -> bool {
        self.0[6] >> 4 == 8
    }

    /// Makes a random UUID (version 4) from 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::with_version(bytes, 4)
    }

    fn with_version(mut bytes: [u8; 16], version: u8) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | (version << 4);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads a UUID as the hub does in requests: upper case and 32 digits without dashes count too.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse_lenient(text: &str) -> Result<Self, ParseNameError> {
        let wrong = || ParseNameError::new(text, EXPECTED);
        let dashed = text.len() == 36
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23));
        if !dashed && (text.len() != 32 || text.contains('-')) {
            return Err(wrong());
        }
        let mut digits = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
        let mut bytes = [0_u8; 16];
        for byte in &mut bytes {
            let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else {
                return Err(wrong());
            };
            *byte = u8::try_from(high << 4 | low).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }

    /// Returns the 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Makes a UUID from its 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Uuid {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uuid = Self::parse_lenient(text)?;
        if uuid.to_string() == text {
            Ok(uuid)
        } else {
            Err(ParseNameError::new(text, EXPECTED))
        }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

string_conversions!(Uuid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_and_the_hubs_other_ones() {
        let text = "425f763a-63c6-4c4b-a1d1-0181d368e8fc";
        let uuid: Uuid = text.parse().unwrap();
        assert_eq!(uuid.to_string(), text);
        for other in [text.to_uppercase(), text.replace('-', "")] {
            assert_eq!(Uuid::parse_lenient(&other).unwrap(), uuid);
            assert!(other.parse::<Uuid>().is_err(), "{other}");
        }
        for bad in [
            "",
            "x",
            "425f763a63c6-4c4b-a1d1-0181d368e8fc",
            "425f763a-63c6-4c4b-a1d1-0181d368e8f",
            "g25f763a-63c6-4c4b-a1d1-0181d368e8fc",
            "{425f763a-63c6-4c4b-a1d1-0181d368e8fc}",
            "425f763a-63c6-4c4b-a1d1-0181d368e8fé",
        ] {
            assert!(Uuid::parse_lenient(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_targets_uuid_follows_from_its_scope_and_name() {
        let scope = Scope {
            domain: Hash([0xab; 32]),
            product: "acme-web".parse().unwrap(),
            channel: "stable".parse().unwrap(),
        };
        let target = Uuid::of_target(&scope, "Druckerei Süd");
        // The numbers are those of the vector writer.
        assert_eq!(target.to_string(), "754d2cb6-34e8-8934-abff-cf4d388fdd79");
        let deployment = Uuid::of_deployment(target, &"press".parse().unwrap());
        assert_eq!(deployment.to_string(), "1f480480-37b9-856e-90c1-0c42479a7328");
        assert!(target.is_derived() && !Uuid::from_random([0x88; 16]).is_derived());
    }

    #[test]
    fn derived_ones_are_stable_and_kept_apart() {
        let uuid = Uuid::derived("target", &["acme-erp", "press-1"]);
        assert_eq!(uuid, Uuid::derived("target", &["acme-erp", "press-1"]));
        assert_eq!(uuid.to_string().as_bytes()[14], b'8');
        for other in [
            Uuid::derived("target", &["acme-erpp", "ress-1"]),
            Uuid::derived("deployment", &["acme-erp", "press-1"]),
            Uuid::derived("target", &["acme-erp", "press-1", ""]),
        ] {
            assert_ne!(uuid, other);
        }
    }
}
