//! Entry 02 of a package: from which site it is and to which trust domain it goes, before anything is verified (M-90).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::canonical;
use crate::domain::{Class, Error, Hash, Result, SiteId};

/// What a package says before its signature is checked; the head repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hints {
    /// Trust domain that it goes to.
    pub domain: Hash,
    /// Site that it comes from.
    pub site: SiteId,
    /// Links of a status key: room that nothing may stand in yet.
    pub(super) links: usize,
}

/// Entry 02.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    domain: Hash,
    /// Room for links of the status key: of any form, and none is taken.
    enrolments: Vec<Value>,
    site: SiteId,
}

impl Hints {
    /// Returns entry 02.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        canonical::to_vec(&Document {
            domain: self.domain,
            enrolments: Vec::new(),
            site: self.site.clone(),
        })
    }

    /// Reads entry 02.
    ///
    /// # Errors
    ///
    /// `E-TRUST` for content that does not parse; `E-LIMIT`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let document: Document =
            canonical::from_slice(bytes, "the entry 02-trust.json").map_err(|error| error.into_class(Class::Trust))?;
        Ok(Self {
            domain: document.domain,
            site: document.site,
            links: document.enrolments.len(),
        })
    }

    /// Refuses links of a status key, once it is known whose package it is.
    ///
    /// # Errors
    ///
    /// `E-TRUST enrolments`.
    pub(super) fn check_links(&self) -> Result<()> {
        if self.links == 0 {
            return Ok(());
        }
        Err(Error::new(
            Class::Trust,
            "enrolments",
            format!("the package brings {} links of its status key", self.links),
        )
        .expected("none: a site's key is replaced by an enrolment file that people compare"))
    }
}
