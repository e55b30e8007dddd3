//! After X14: the acknowledgement that the bundle brought, if any, is applied. What becomes of it changes nothing of the release.

use crate::appliance::acknowledgement::{Heard, Source, hear};
use crate::appliance::state::Appliance;
use crate::bundle::Head;
use crate::crypto::Acknowledgement;
use crate::db::site::acknowledgements;
use crate::domain::{DocumentType, Error, Result, Timestamp, limits};

/// Applies what a bundle brought whose release is here now; what kept it from being read is a warning.
pub(super) fn apply(appliance: &Appliance, head: &Head, now: Timestamp, warnings: &mut Vec<Error>) -> Option<Heard> {
    settle(appliance, head, now, |_| Ok(true), warnings)
}

/// As [`apply`], for a release that was here before: one that the appliance is past says nothing new.
pub(super) fn again(appliance: &Appliance, head: &Head, now: Timestamp, warnings: &mut Vec<Error>) -> Option<Heard> {
    let is_news = |envelope: &[u8]| {
        // What cannot be read was refused when it first came.
        let Ok(says) = Acknowledgement::kept(envelope) else {
            return Ok(false);
        };
        let newest = appliance
            .db
            .read(|connection| acknowledgements::newest(connection, head.domain))?;
        Ok(newest.is_none_or(|newest| newest.reached.number < says.number))
    };
    settle(appliance, head, now, is_news, warnings)
}

fn settle(
    appliance: &Appliance,
    head: &Head,
    now: Timestamp,
    is_news: impl FnOnce(&[u8]) -> Result<bool>,
    warnings: &mut Vec<Error>,
) -> Option<Heard> {
    let entry = head.document(DocumentType::Acknowledgement)?;
    let act = || {
        let envelope = appliance
            .store
            .read(&entry.digest, limits::ACKNOWLEDGEMENT_BYTES as u64)?;
        if !is_news(&envelope)? {
            return Ok(None);
        }
        hear(appliance, &envelope, Source::Bundle(head.domain), now).map(Some)
    };
    act().unwrap_or_else(|error: Error| {
        warnings.push(error.context("the acknowledgement that the bundle brought was not read"));
        None
    })
}
