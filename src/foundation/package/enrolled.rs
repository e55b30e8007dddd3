//! Sites as their enrolment files name them: for whoever judges packages without a ledger (V2).

use std::collections::{BTreeMap, BTreeSet};

use super::hints::Hints;
use super::keys::StatusKeys;
use crate::crypto::{Enrolment, PublicKey};
use crate::domain::{Class, Error, Hash, Result, SiteId};

/// What is expected of the sender of a package.
const GIVEN: &str = "a package of a site whose enrolment file is given";

/// Status keys of sites, from enrolment files that people have compared.
#[derive(Debug, Default)]
pub struct EnrolledSites {
    keys: BTreeMap<(Hash, SiteId), Vec<PublicKey>>,
}

impl EnrolledSites {
    /// Adds what an enrolment says. Of several of one site the key that was added last is in force.
    ///
    /// # Errors
    ///
    /// `E-TRUST domains` for an enrolment that is not for exactly one trust domain.
    pub fn add(&mut self, enrolment: Enrolment) -> Result<()> {
        let [domain] = enrolment.domains[..] else {
            return Err(Error::new(
                Class::Trust,
                "domains",
                format!("an enrolment is for {} trust domains", enrolment.domains.len()),
            )
            .expected("the enrolment file that the site made for this vendor alone"));
        };
        let keys = self.keys.entry((domain, enrolment.site)).or_default();
        keys.retain(|key| *key != enrolment.status.public);
        keys.push(enrolment.status.public);
        Ok(())
    }

    /// Returns the keys of the site that a package says it comes from.
    ///
    /// # Errors
    ///
    /// `E-TRUST unknown-domain` and `unknown-site`.
    pub fn keys_of(&self, hints: &Hints) -> Result<StatusKeys> {
        let domains: BTreeSet<Hash> = self.keys.keys().map(|(domain, _)| *domain).collect();
        if !domains.contains(&hints.domain) {
            return Err(Error::new(
                Class::Trust,
                "unknown-domain",
                format!(
                    "the package goes to the trust domain {}, for which no enrolment file is given",
                    hints.domain
                ),
            )
            .expected(GIVEN)
            .remedy("it is for another vendor of the site: give the site's enrolment file for that one too, with --enrolment once more"));
        }
        let keys = self.keys.get(&(hints.domain, hints.site.clone()));
        match keys.and_then(|keys| keys.split_last()) {
            Some((in_force, earlier)) => Ok(StatusKeys::new(*in_force, earlier.iter().copied())),
            None => Err(Error::new(
                Class::Trust,
                "unknown-site",
                format!(
                    "the package comes from the site {}, whose enrolment file is not given",
                    hints.site
                ),
            )
            .expected(GIVEN)
            .remedy("give the enrolment file of that site too, with --enrolment once more, after comparing its fingerprint by voice")),
        }
    }
}
