//! What images are called where they come from, and what they are called in a bundle.

use std::fmt;
use std::str::FromStr;

use crate::domain::{Class, Digest, Error, RepositoryName, Tag};

/// The registry whose name is left out in short names.
const DEFAULT_HOST: &str = "docker.io";

/// An image reference, completed as Docker does: `postgres:16` is `docker.io/library/postgres:16`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageReference {
    /// Registry host, with its port if it has one.
    pub host: String,
    /// Repository path under the host.
    pub path: String,
    /// Tag, where one is given.
    pub tag: Option<Tag>,
    /// Digest, where one is given.
    pub digest: Option<Digest>,
}

impl ImageReference {
    /// Returns the repository name under which the image is stored, when the host has a form that allows it.
    pub fn repository(&self) -> Option<RepositoryName> {
        RepositoryName::under(&self.host, &self.path).ok()
    }

    /// Returns the reference that every client takes it for: one without tag and digest means the tag `latest`.
    #[must_use]
    pub fn meant(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(default_tag());
        }
        self
    }
}

/// The tag that is meant where neither tag nor digest is given.
pub(crate) fn default_tag() -> Tag {
    "latest".parse().expect("a legal tag")
}

/// Refuses a name with a port: `APPLIANCE/registry.example:5000/app` is no reference, because a path has no colon. `text` is the name as
/// its author wrote it.
///
/// # Errors
///
/// `E-CONTENT reference`.
pub(crate) fn readable(stored: &RepositoryName, text: &str) -> crate::domain::Result<()> {
    if !stored.host().contains(':') {
        return Ok(());
    }
    Err(Error::new(
        Class::Content,
        "reference",
        format!("{text:?} would stand under the appliance's name with a port in its path, which no engine can read"),
    )
    .expected("a name without a port")
    .remedy("give it one: {source: where it comes from, name: registry.example.com/app:1.0}, and under repositories a name without a tag"))
}

impl FromStr for ImageReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|error| error.to_string())?)),
            None => (text, None),
        };
        let (rest, tag) = match rest.rsplit_once(':') {
            // A colon before the last slash belongs to the port.
            Some((name, tag)) if !tag.contains('/') => {
                (name, Some(tag.parse::<Tag>().map_err(|error| error.to_string())?))
            }
            _ => (rest, None),
        };
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path.to_owned()),
            _ => (DEFAULT_HOST, rest.to_owned()),
        };
        let host = if host == "index.docker.io" { DEFAULT_HOST } else { host };
        let path = if host == DEFAULT_HOST && !path.contains('/') {
            format!("library/{path}")
        } else {
            path
        };
        // The path's grammar is that of the stored name; the host may also be an IPv6 address, which that grammar lacks.
        let fits = RepositoryName::under(DEFAULT_HOST, &path).is_ok()
            && (RepositoryName::under(host, "x").is_ok() || is_ipv6_host(host));
        if !fits {
            return Err(format!(
                "{:?} is not an image reference like registry.example.com/team/app:1.0",
                text.chars().take(120).collect::<String>()
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            path,
            tag,
            digest,
        })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// `[…]` with an optional port.
fn is_ipv6_host(host: &str) -> bool {
    host.strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(address, port)| {
            let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
            address.parse::<std::net::Ipv6Addr>().is_ok() && port_fits
        })
}

/// A platform as indexes name it: `os/arch` or `os/arch/variant`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform(String);

impl Platform {
    /// Whether content for `other` (`os/arch[/variant]`) is wanted: a platform without variant wants every variant.
    pub fn wants(&self, other: &str) -> bool {
        let other = canonical(other);
        other == self.0 || other.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// 64-bit ARM has one variant that is written or left out at will.
fn canonical(text: &str) -> &str {
    if text == "linux/arm64/v8" { "linux/arm64" } else { text }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            (1..=32).contains(&part.len())
                && part
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c))
        };
        if (2..=3).contains(&parts.len()) && parts.iter().all(word) {
            Ok(Self(canonical(text).to_owned()))
        } else {
            Err(format!(
                "{:?} is not a platform like linux/amd64 or linux/arm/v7",
                text.chars().take(80).collect::<String>()
            ))
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_completed_as_docker_does() {
        let hex = "a".repeat(64);
        for (text, whole) in [
            ("postgres", "docker.io/library/postgres".to_owned()),
            ("postgres:16", "docker.io/library/postgres:16".into()),
            ("acme/web:1", "docker.io/acme/web:1".into()),
            ("index.docker.io/postgres", "docker.io/library/postgres".into()),
            ("docker.io/postgres", "docker.io/library/postgres".into()),
            ("localhost/a", "localhost/a".into()),
            ("localhost:5000/a:b", "localhost:5000/a:b".into()),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b".into()),
            ("[::1]:5000/a:1", "[::1]:5000/a:1".into()),
            ("quay.io/a/b:1", "quay.io/a/b:1".into()),
        ] {
            let reference: ImageReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), whole);
            assert_eq!(reference.repository().is_some(), !text.starts_with('['));
        }
        let text = format!("quay.io/a/b:1@sha256:{hex}");
        assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), text);
        for bad in [
            "",
            "Postgres",
            "a//b",
            "../x",
            "a:b:c",
            "a b",
            "quay.io/a:",
            "quay.io/",
            "quay.io/a@sha512:aa",
            "[::1/a",
            "[zz]:1/a",
            "https://quay.io/a",
        ] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_platform_without_variant_wants_every_variant() {
        let wants = |platform: &str, other: &str| platform.parse::<Platform>().unwrap().wants(other);
        assert!(wants("linux/arm", "linux/arm/v7"));
        assert!(wants("linux/arm64/v8", "linux/arm64"));
        assert!(wants("linux/arm64", "linux/arm64/v8"));
        assert!(!wants("linux/arm/v6", "linux/arm/v7"));
        assert!(!wants("linux/arm", "linux/arm64"));
        assert!(!wants("linux/arm/v7", "linux/arm"));
        for bad in ["linux", "linux/amd64/v1/x", "linux/", "Linux/amd64", "*"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
