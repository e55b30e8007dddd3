//! Names with a grammar: products and channels, sites, repositories, tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::digest::string_conversions;

/// Why a text does not fit a grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct ParseNameError {
    found: String,
    expected: &'static str,
}

impl ParseNameError {
    pub(crate) fn new(found: &str, expected: &'static str) -> Self {
        Self {
            // Hostile text is bounded before it can reach a log or a terminal; Debug escapes it.
            found: found.chars().take(80).collect(),
            expected,
        }
    }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ParseNameError::new(text, $expected))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        string_conversions!($name);
    };
}

text_type!(
    /// Name of a product or channel: 1 to 64 of `a-z 0-9 . _ -`, a letter or digit at both ends.
    Name,
    "a name of 1 to 64 characters a-z 0-9 . _ - that begins and ends with a letter or digit",
    |text| {
        let edge = |c: Option<&u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        text.len() <= 64
            && edge(text.as_bytes().first())
            && edge(text.as_bytes().last())
            && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c))
    }
);

text_type!(
    /// Opaque id of a site: 32 lower-case hex digits, random, made once by `airlock init`.
    SiteId,
    "a site id of 32 lower-case hex digits",
    is_hex_128
);

text_type!(
    /// Instance: one life of an appliance's state folder, 32 random lower-case hex digits. A copied or restored folder begins another.
    InstanceId,
    "an instance of 32 lower-case hex digits",
    is_hex_128
);

fn is_hex_128(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

impl SiteId {
    /// Makes the id of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex_of_128(bytes))
    }

    /// Returns the 16 bytes that the digits stand for.
    pub fn to_bytes(&self) -> [u8; 16] {
        hex_128(&self.0)
    }
}

impl InstanceId {
    /// Makes the instance of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex_of_128(bytes))
    }

    /// Returns the 16 bytes that the digits stand for.
    pub fn to_bytes(&self) -> [u8; 16] {
        hex_128(&self.0)
    }
}

fn hex_of_128(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// The grammar was checked when the value was made.
fn hex_128(text: &str) -> [u8; 16] {
    u128::from_str_radix(text, 16).unwrap_or_default().to_be_bytes()
}

text_type!(
    /// What a release fixes: an id of the vendor's or the public's own, `[A-Z][A-Za-z0-9.-]{2,63}`, such as `CVE-2026-41234`.
    FixId,
    "an id [A-Z][A-Za-z0-9.-]{2,63}, such as CVE-2026-41234",
    |text| {
        (3..=64).contains(&text.len())
            && text.bytes().next().is_some_and(|c| c.is_ascii_uppercase())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-'))
    }
);

text_type!(
    /// Name of a secret: `[A-Z][A-Z0-9_]{0,63}`.
    SecretName,
    "a name of a secret [A-Z][A-Z0-9_]{0,63}",
    |text| {
        text.len() <= 64
            && text.bytes().next().is_some_and(|c| c.is_ascii_uppercase())
            && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
    }
);

text_type!(
    /// OCI tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution-spec, pulling manifests).
    Tag,
    "a tag [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}",
    |text| {
        text.len() <= 128
            && text.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_')
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    }
);

text_type!(
    /// Repository under its original registry host: `docker.io/library/postgres` (D8).
    ///
    /// At most 255 bytes. The first segment is a host: it has a dot or a port, or is `localhost`.
    RepositoryName,
    "a repository name HOST/PATH as in docker.io/library/postgres",
    |text| {
        text.len() <= 255
            && text.split_once('/').is_some_and(|(host, path)| is_host(host) && is_repository_path(path))
    }
);

text_type!(
    /// Repositories that a credential may read: one by its whole name, all below a host or path (`registry.example/erp/*`), or all (`*`).
    RepositoryPattern,
    "a repository HOST/PATH, all below a host or path as in HOST/PATH/*, or * for all",
    |text| {
        let is_repository = |text: &str| text.parse::<RepositoryName>().is_ok();
        match text.strip_suffix("/*") {
            Some(below) => is_host(below) || is_repository(below),
            None => text == "*" || is_repository(text),
        }
    }
);

impl RepositoryPattern {
    /// Whether a repository is one of them.
    pub fn admits(&self, repository: &RepositoryName) -> bool {
        match self.0.strip_suffix('*') {
            Some(below) => repository.as_str().starts_with(below),
            None => self.0 == repository.as_str(),
        }
    }
}

impl RepositoryName {
    /// Makes the name of a repository path under a host.
    pub fn under(host: &str, path: &str) -> Result<Self, ParseNameError> {
        format!("{host}/{path}").parse()
    }

    /// Returns the registry host, with its port if it has one.
    pub fn host(&self) -> &str {
        self.0.split_once('/').map_or("", |(host, _)| host)
    }

    /// Returns the path under the host: the repository name of the OCI distribution specification.
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }
}

/// Whether a text is a registry host: lower-case labels with a dot or a port, or `localhost`.
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let port_fits = port.is_none_or(|port| (1..=5).contains(&port.len()) && port.bytes().all(|c| c.is_ascii_digit()));
    let labels_fit = name.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    });
    port_fits && labels_fit && (name.contains('.') || port.is_some() || name == "localhost")
}

/// Whether a text is a repository name of the OCI distribution specification:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`.
pub(crate) fn is_repository_path(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.split('/').all(is_path_component)
}

fn is_path_component(text: &str) -> bool {
    let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().copied().is_some_and(alphanumeric) || !bytes.last().copied().is_some_and(alphanumeric) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|c| c == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_admit_whole_names_or_what_lies_below() {
        for (pattern, name, admitted) in [
            ("*", "docker.io/library/postgres", true),
            ("docker.io/*", "docker.io/library/postgres", true),
            ("docker.io/library/*", "docker.io/library/postgres", true),
            ("docker.io/library/postgres", "docker.io/library/postgres", true),
            ("docker.io/library/postgres", "docker.io/library/postgres2", false),
            ("docker.io/lib/*", "docker.io/library/postgres", false),
            ("docker.io/library/postgres/*", "docker.io/library/postgres", false),
            ("quay.io/*", "docker.io/library/postgres", false),
        ] {
            let (pattern, name): (RepositoryPattern, RepositoryName) =
                (pattern.parse().unwrap(), name.parse().unwrap());
            assert_eq!(pattern.admits(&name), admitted, "{pattern} {name}");
        }
        for bad in [
            "",
            "/*",
            "**",
            "erp/*",
            "docker.io",
            "docker.io/",
            "docker.io/li*",
            "*/postgres",
            "docker.io/*/a",
            "A.io/*",
        ] {
            assert!(bad.parse::<RepositoryPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn repository_names() {
        for good in [
            "docker.io/library/postgres",
            "registry.distr.sh/acme/web",
            "localhost/a",
            "localhost:5000/a/b__c/d---e",
            "10.0.0.1:443/x",
        ] {
            assert_eq!(good.parse::<RepositoryName>().unwrap().to_string(), good);
        }
        let long = format!("a.b/{}", "x".repeat(252));
        for bad in [
            "postgres",
            "library/postgres",
            "docker.io/",
            "docker.io/../x",
            "docker.io/a//b",
            "docker.io/A",
            "docker.io/a/",
            "Docker.io/a",
            "docker.io/a___b",
            "docker.io/.a",
            "docker.io:/a",
            "docker.io:123456/a",
            "docker..io/a",
            "-a.io/b",
            "docker.io/a:b",
            "docker.io/a b",
            "",
            "/",
            &long,
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_names_and_sites() {
        assert!("v1.0-rc_1".parse::<Tag>().is_ok());
        assert!("x".repeat(128).parse::<Tag>().is_ok());
        for bad in ["", ".a", "-a", "a/b", "a b", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
        assert!("acme-erp".parse::<Name>().is_ok());
        for bad in ["", "Acme", "-a", "a-", "a/b", "a b", &"x".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert!("0123456789abcdef0123456789abcdef".parse::<SiteId>().is_ok());
        for bad in ["*", "0123456789ABCDEF0123456789abcdef", "0123", ""] {
            assert!(bad.parse::<SiteId>().is_err(), "{bad}");
        }
    }
}
