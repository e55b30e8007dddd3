//! What a release that is here says of secrets: its signed desired state, and what it sealed for this site.

use std::sync::Arc;

use super::recipients;
use super::sealed;
use crate::appliance::live::{DesiredDocument, desired_of, signed_head};
use crate::appliance::state::Appliance;
use crate::bundle::{Head, Places, sealed_for};
use crate::crypto::SealedSecrets;
use crate::db::site::release::ReleaseRow;
use crate::domain::{Digest, Result, Scope, limits};

/// Returns the signed desired state of a release; nothing where it has none.
///
/// # Errors
///
/// `E-STATE` when its head or document is not what was signed; `E-IO`.
pub(super) fn document(appliance: &Appliance, release: &ReleaseRow) -> Result<Option<Arc<DesiredDocument>>> {
    let pins = appliance.good_pins()?;
    appliance
        .db
        .read(|connection| desired_of(connection, &pins, release, &appliance.store))
}

/// Returns the places of a document that is here; nothing where it cannot be read.
pub(super) fn places(appliance: &Appliance, digest: &Digest) -> Option<Places> {
    let bytes = appliance.store.read(digest, limits::APPLICATION_DOCUMENT_BYTES).ok()?;
    Some(Places::of(&bytes))
}

/// Says whether a release that is here has every sealed value that this site needs, as its import did.
///
/// # Errors
///
/// `E-POLICY secrets-missing`; `E-STATE` when its head or a document is not what was signed.
pub(in crate::appliance) fn check_sealed(appliance: &Appliance, release: &ReleaseRow) -> Result<()> {
    let Some(document) = document(appliance, release)? else {
        return Ok(());
    };
    let pins = appliance.good_pins()?;
    let head = appliance
        .db
        .read(|connection| signed_head(connection, &pins, release))?;
    let read = |digest: &Digest| appliance.store.read(digest, limits::SECRETS_BYTES);
    let documents = document.sealed.iter().map(read).collect::<Result<Vec<_>>>()?;
    let documents = documents.iter().map(Vec::as_slice);
    let key = recipients::present(appliance.folder())?;
    sealed_for(&Head::parse(&head)?, documents, &document.state, appliance.site(), &key).map(|_| ())
}

/// Opens what a release sealed for this site; nothing where it sealed nothing for it.
///
/// # Errors
///
/// `E-STATE` when a document is missing or damaged, or the recipient key is; those of [`sealed::of_site`].
pub(in crate::appliance) fn sealed_for_site(
    appliance: &Appliance,
    release: &ReleaseRow,
    document: &DesiredDocument,
) -> Result<Option<SealedSecrets>> {
    if document.sealed.is_empty() {
        return Ok(None);
    }
    let keys = recipients::all(appliance.folder())?;
    let read = |digest| appliance.store.read(digest, limits::SECRETS_BYTES);
    let scope: &Scope = &release.scope;
    sealed::of_site(
        document.sealed.iter().map(read),
        &keys,
        (scope, release.counter, appliance.site()),
    )
}
