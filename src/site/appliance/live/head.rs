//! What is checked of a release before a generation answers its first request: its trust chain, and the signatures of its head.
//!
//! A head is checked under the root version it was accepted with (threat model 2.5): after a key rotation the newest root
//! does not know the old key any more. Only heads are read, so the time does not grow with the content; a chain, of up to a thousand
//! links that a vendor chooses, is walked once a generation, and only where a release is met whose head this process has not checked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::appliance::pins::Pins;
use crate::bundle::Head;
use crate::crypto::{Chain, PayloadType, RoleName, Signature, canonical, verify_role};
use crate::db::Connection;
use crate::db::site::release::{self, ReleaseRow, Signed};
use crate::db::site::trust;
use crate::domain::{Class, Error, Hash, Result};

/// Entry 01 of a bundle, as it was kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signatures {
    signatures: Vec<Signature>,
}

/// Checks that the recorded head of a release is the signed one, and returns it.
///
/// # Errors
///
/// `E-STATE release-damaged`; those of the database.
pub(in crate::appliance) fn signed_head(connection: &Connection, pins: &Pins, release: &ReleaseRow) -> Result<Vec<u8>> {
    let pin = pin_of(pins, release)?;
    let signed = kept_head(connection, release)?;
    check(&trust::load_chain(connection, pin)?, release, &signed)?;
    Ok(signed.head)
}

/// Reads heads for one generation: each chain is walked once, and what the generation before has checked is compared by digest alone.
pub(in crate::appliance) struct Heads<'a> {
    pins: &'a Pins,
    /// Heads whose signatures were checked for the generation before.
    known: &'a HashSet<Hash>,
    chains: HashMap<Hash, Result<Chain, Arc<Error>>>,
}

impl<'a> Heads<'a> {
    pub(in crate::appliance) fn new(pins: &'a Pins, known: &'a HashSet<Hash>) -> Self {
        Self {
            pins,
            known,
            chains: HashMap::new(),
        }
    }

    /// As [`signed_head`].
    ///
    /// # Errors
    ///
    /// `E-STATE release-damaged` or `trust-damaged`; those of the database.
    pub(in crate::appliance) fn signed_head(
        &mut self,
        connection: &Connection,
        release: &ReleaseRow,
    ) -> Result<Vec<u8>, Arc<Error>> {
        let pin = pin_of(self.pins, release)?;
        let signed = kept_head(connection, release)?;
        if !self.known.contains(&release.head) {
            let chain = self
                .chains
                .entry(pin.domain())
                .or_insert_with(|| trust::load_chain(connection, pin).map_err(Arc::new));
            check(chain.as_ref().map_err(Arc::clone)?, release, &signed)?;
        }
        Ok(signed.head)
    }
}

fn pin_of<'a>(pins: &'a Pins, release: &ReleaseRow) -> Result<&'a Chain> {
    let domain = release.scope.domain;
    pins.chains.iter().find(|pin| pin.domain() == domain).ok_or_else(|| {
        let file = pins.damaged.iter().find(|(name, _)| *name == domain.to_hex());
        let why = file.map_or_else(String::new, |(_, error)| format!(": {}", error.found()));
        damaged(
            release,
            &format!("belongs to domain {domain}, which is not pinned{why}"),
        )
        .remedy("pin the vendor's root again with `airlock trust add ROOT --fingerprint HEX`")
    })
}

fn kept_head(connection: &Connection, release: &ReleaseRow) -> Result<Signed> {
    let signed = release::signed(connection, release.id)?;
    if Hash(Sha256::digest(&signed.head).into()) != release.head {
        return Err(damaged(release, "has another head than the one recorded"));
    }
    // One that this version cannot read says nothing here: that it is the signed one, hash and signatures say.
    if let Ok(head) = Head::parse(&signed.head) {
        compare(release, &head)?;
    }
    Ok(signed)
}

/// The row of a release repeats its signed head, and says nothing else.
fn compare(release: &ReleaseRow, head: &Head) -> Result<()> {
    let other = || {
        let (counter, scope, version) = (head.counter(), head.scope(), &head.version);
        damaged(
            release,
            &format!("has the signed head of release {counter} of {scope}, version {version:?}"),
        )
    };
    if head.scope() != release.scope {
        // Importing it again goes by its own scope, and leaves this row as it is.
        return Err(other().remedy("end airlock serve, then put a whole copy of the state folder in its place"));
    }
    if (head.counter(), &head.version) != (release.counter, &release.version) {
        return Err(other());
    }
    Ok(())
}

fn damaged(release: &ReleaseRow, found: &str) -> Error {
    Error::new(
        Class::State,
        "release-damaged",
        format!("release {} of {} {found}", release.counter, release.scope),
    )
    .expected("the signed head that was imported")
    .remedy("import the bundle of this release again: `airlock import FILE`")
}

/// Checks the signatures of a head, by the root under which it was accepted.
fn check(chain: &Chain, release: &ReleaseRow, signed: &Signed) -> Result<()> {
    let root = chain.document(release.root_version).ok_or_else(|| {
        damaged(
            release,
            &format!("was accepted under root {}, which is missing", release.root_version),
        )
    })?;
    let signatures: Signatures = canonical::from_slice(&signed.signatures, "the kept signatures")
        .map_err(|error| damaged(release, &format!("has damaged signatures: {error}")).with_source(error))?;
    verify_role(
        &root.role(RoleName::Release),
        PayloadType::BundleHead,
        &signed.head,
        &signatures.signatures,
    )
    .map_err(|error| damaged(release, &format!("is not signed any more: {error}")).with_source(error))
}
