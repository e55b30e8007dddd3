//! Whose package it is, by what stands before its signature: for this vendor, from a site that counts (V2).

use crate::crypto::PublicKey;
use crate::db::Connection;
use crate::db::ledger::{self, Site};
use crate::domain::{Class, Error, Hash, Result, Step};
use crate::package::{Hints, StatusKeys};

/// The site that a package says it comes from, and its keys.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) site: Site,
    pub(super) keys: StatusKeys,
}

/// Finds the site that hints name.
///
/// # Errors
///
/// `E-TRUST unknown-domain`, `unknown-site` and `withdrawn-site` at V2; those of the ledger.
pub(super) fn of(connection: &Connection, domain: Hash, hints: &Hints) -> Result<Sender> {
    find(connection, domain, hints).map_err(|error| error.at(Step::V2))
}

fn find(connection: &Connection, domain: Hash, hints: &Hints) -> Result<Sender> {
    if hints.domain != domain {
        return Err(Error::new(
            Class::Trust,
            "unknown-domain",
            format!(
                "the package is another vendor's: it goes to the trust domain {}",
                hints.domain
            ),
        )
        .expected(format!("a package for {domain}, the trust domain of this workspace"))
        .remedy(
            "give it back to the site, which sends each vendor its own (`airlock status export DEST` there); where that trust domain is yours too, \
             name its workspace with -w",
        ));
    }
    let Some(site) = ledger::site(connection, &hints.site)? else {
        return Err(Error::new(
            Class::Trust,
            "unknown-site",
            format!(
                "the package comes from the site {}, which is not enrolled here",
                hints.site
            ),
        )
        .expected("a site that is enrolled")
        .remedy("enrol it first, after comparing its fingerprint by voice: `airlock vendor enroll FILE`"));
    };
    if let Some(at) = site.withdrawn_at {
        return Err(Error::new(
            Class::Trust,
            "withdrawn-site",
            format!("site {} was withdrawn on {at}", site.site),
        )
        .expected("a site that counts")
        .remedy(format!(
            "take it back, after comparing its fingerprint by voice, with `airlock vendor enroll FILE --replace {}`",
            site.site
        )));
    }
    let key = |bytes: Hash| PublicKey::from_bytes(&bytes.0);
    let earlier = ledger::earlier_keys(connection, &site.site)?;
    let earlier: Vec<PublicKey> = earlier
        .into_iter()
        .map(|(bytes, _)| key(bytes))
        .collect::<Result<_>>()?;
    let keys = StatusKeys::new(key(site.status)?, earlier);
    Ok(Sender { site, keys })
}
