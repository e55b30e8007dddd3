//! What is checked of a release before a generation answers its first request: its trust chain, and the signatures of its head.
//!
//! A head is checked under the root version it was accepted with (threat model 2.5): after a key rotation the newest root
//! does not know the old key any more. Only heads are read, so the time does not grow with the content.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::appliance::pins::Pins;
use crate::crypto::{PayloadType, RoleName, Signature, canonical, verify_role};
use crate::db::Connection;
use crate::db::site::release::{self, ReleaseRow};
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
    let damaged = |found: String| {
        Error::new(
            Class::State,
            "release-damaged",
            format!("release {} of {} {found}", release.counter, release.scope),
        )
        .expected("the signed head that was imported")
        .remedy("import the bundle of this release again: `airlock import FILE`")
    };
    let domain = release.scope.domain;
    let Some(pin) = pins.chains.iter().find(|pin| pin.domain() == domain) else {
        let file = pins.damaged.iter().find(|(name, _)| *name == domain.to_hex());
        let why = file.map_or_else(String::new, |(_, error)| format!(": {}", error.found()));
        return Err(damaged(format!("belongs to domain {domain}, which is not pinned{why}"))
            .remedy("pin the vendor's root again with `airlock trust add`"));
    };
    let chain = trust::load_chain(connection, pin)?;
    let root = chain.document(release.root_version).ok_or_else(|| {
        damaged(format!(
            "was accepted under root {}, which is missing",
            release.root_version
        ))
    })?;
    let signed = release::signed(connection, release.id)?;
    if Hash(Sha256::digest(&signed.head).into()) != release.head {
        return Err(damaged("has another head than the one recorded".into()));
    }
    let signatures: Signatures = canonical::from_slice(&signed.signatures, "the kept signatures")
        .map_err(|error| damaged(format!("has damaged signatures: {error}")).with_source(error))?;
    verify_role(
        &root.role(RoleName::Release),
        PayloadType::BundleHead,
        &signed.head,
        &signatures.signatures,
    )
    .map_err(|error| damaged(format!("is not signed any more: {error}")).with_source(error))?;
    Ok(signed.head)
}
