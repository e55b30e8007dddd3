//! The hub's address, and when it may be reached without TLS.

use std::fmt;

use reqwest::Url;

use crate::collect::{host_of, is_this_machine};
use crate::domain::{Class, Error, Result};

/// Where a hub is. Written in one way, because the journal is kept under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubAddress {
    base: String,
    is_plain: bool,
}

impl HubAddress {
    /// Reads an address such as `https://hub.example.com`.
    ///
    /// # Errors
    ///
    /// `E-USAGE hub` for anything but an http(s) address of a host, perhaps with a path; `E-USAGE plain-http` for one without TLS beyond
    /// this machine that is not allowed.
    pub fn parse(text: &str, plain_allowed: bool) -> Result<Self> {
        let shown: String = text.chars().take(200).collect();
        let wrong = || {
            // A password in it would be shown.
            let shown = if text.contains('@') {
                "the address"
            } else {
                shown.as_str()
            };
            Error::new(Class::Usage, "hub", format!("{shown} is no address of a hub"))
                .expected("an address such as https://hub.example.com, without user, query or fragment")
        };
        let url = Url::parse(text).map_err(|_| wrong())?;
        let is_plain = url.scheme() == "http";
        let fits = (is_plain || url.scheme() == "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !fits {
            return Err(wrong());
        }
        let host = host_of(&url);
        if is_plain && !plain_allowed && !is_this_machine(&host) {
            return Err(
                Error::new(Class::Usage, "plain-http", format!("{host} is addressed without TLS"))
                    .expected("an https:// address: secrets of targets are sent there")
                    .remedy("name the hub's https:// address; or allow plain HTTP with --plain-http"),
            );
        }
        Ok(Self {
            base: url.as_str().trim_end_matches('/').to_owned(),
            is_plain,
        })
    }

    /// Returns the address without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether there is no TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling_and_plain_ones_are_of_this_machine() {
        for (text, written) in [
            ("https://Hub.Example.com", "https://hub.example.com"),
            ("https://hub.example.com:443/", "https://hub.example.com"),
            ("https://hub.example.com/distr//", "https://hub.example.com/distr"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://localhost", "http://localhost"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(HubAddress::parse(text, false).unwrap().as_str(), written);
        }
        for text in [
            "hub.example.com",
            "ftp://hub.example.com",
            "https://",
            "https://user:secret@hub.example.com",
            "https://hub.example.com/?x",
            "https://hub.example.com/#x",
            "",
        ] {
            let error = HubAddress::parse(text, true).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "hub"), "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        for text in [
            "http://hub.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
        ] {
            let error = HubAddress::parse(text, false).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "plain-http"), "{text}");
            assert!(HubAddress::parse(text, true).is_ok());
        }
    }
}
