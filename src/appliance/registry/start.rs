//! What is checked before a generation answers its first request: trust chains, and the signatures of live releases.
//!
//! A head is checked under the root version it was accepted with (threat model 2.5): after a key rotation the newest root
//! does not know the old key any more. Only heads are read, so the time does not grow with the content.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::snapshot::Snapshot;
use crate::crypto::{Chain, PayloadType, RoleName, Signature, canonical, verify_role};
use crate::db::site::release::{self, ReleaseRow, State};
use crate::db::site::{appliance, trust};
use crate::db::{Connection, Db};
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// Entry 01 of a bundle, as it was kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signatures {
    signatures: Vec<Signature>,
}

/// Takes the present generation; heads that the one before has checked are not checked again.
pub(super) fn take_snapshot(
    db: &Db,
    pins: &[Chain],
    before: Option<&Snapshot>,
    now: Timestamp,
    grace_seconds: i64,
) -> Result<Snapshot> {
    db.read(|connection| {
        let generation = appliance::generation(connection)?;
        let releases = release::readable(connection, now.plus_seconds(grace_seconds.saturating_neg()))?;
        let mut homes = Vec::new();
        for release in &releases {
            let checked = before.is_some_and(|before| before.releases.iter().any(|known| known.head == release.head));
            if !checked {
                check_head(connection, pins, release)?;
            }
            if release.state == State::Active {
                let hosts = release::home_hosts(connection, release.id)?;
                homes.extend(hosts.into_iter().map(|host| (release.id, host)));
            }
        }
        Ok(Snapshot::new(generation, releases, homes, grace_seconds))
    })
}

/// Checks that the recorded head of a release is the signed one.
///
/// # Errors
///
/// `E-STATE release-damaged`; those of the database.
pub(in crate::appliance) fn check_head(connection: &Connection, pins: &[Chain], release: &ReleaseRow) -> Result<()> {
    let damaged = |found: String| {
        Error::new(
            Class::State,
            "release-damaged",
            format!("release {} of {} {found}", release.counter, release.scope),
        )
        .expected("the signed head that was imported")
        .remedy("restore the state folder")
    };
    let pin = pins
        .iter()
        .find(|pin| pin.domain() == release.scope.domain)
        .ok_or_else(|| {
            damaged(format!(
                "belongs to domain {}, which is not pinned",
                release.scope.domain
            ))
        })?;
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
    .map_err(|error| damaged(format!("is not signed any more: {error}")).with_source(error))
}
