//! The one way in, from the first check to the last copy.

use super::admit::{self, Admission, Here, Judged};
use super::event::Event;
use super::options::Options;
use super::outcome::{Imported, Needed, Outcome, Restored};
use super::{acknowledge, heal, publish, record, rehearse, settle, take_in};
use crate::appliance::hidden::Hidden;
use crate::appliance::secret::MissingSecret;
use crate::appliance::state::Appliance;
use crate::db::site::owners::Held;
use crate::db::site::release;
use crate::domain::{Clock, Hash, Result, Timestamp};
use crate::media::BundleSource;

impl Appliance {
    /// Imports a bundle from what `open` opens.
    ///
    /// `open` is called once, after X0: with another import at work, or without a key for the receipt, a source is not even
    /// touched; and that it cannot be opened is a refusal like every other, and in the audit log.
    ///
    /// # Errors
    ///
    /// Every class of the threat model, with the step at which the bundle was refused. The refusal is in the audit log then.
    pub fn import(
        &self,
        open: impl FnOnce() -> Result<BundleSource>,
        options: &Options,
        clock: &dyn Clock,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Imported> {
        let started = clock.now();
        let mut judged = None;
        let result = run(self, open, options, started, &mut judged, events);
        let Err(error) = result else { return result };
        match record::refusal(self, &error, judged.as_ref(), options, started) {
            Ok(()) => Err(error),
            // It is refused for what it was refused for; that the log lost it is said beside that.
            Err(unrecorded) => Err(error.and_then(&unrecorded.context("the refusal could not be recorded"))),
        }
    }
}

fn run(
    appliance: &Appliance,
    open: impl FnOnce() -> Result<BundleSource>,
    options: &Options,
    started: Timestamp,
    judged: &mut Option<Judged>,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Imported> {
    let _lock = admit::begin(appliance)?;
    let source = open()?;
    for skipped in &source.skipped {
        events(Event::Note(format!("passed over {skipped}")));
    }
    let admitted = match admit::admit(appliance, source, options, started, judged, events)? {
        Admission::New(admitted) => admitted,
        Admission::Already(here) => return again(appliance, here, options, started, events),
    };
    if options.dry_run {
        let rehearsed = rehearse::rehearse(appliance, admitted, events)?;
        let (head, digest, held) = (rehearsed.head, rehearsed.head_digest, rehearsed.held);
        record::dry_run(appliance, &head, digest, held.as_ref(), (options, started))?;
        tell(held.as_ref(), events);
        let outcome = Outcome::DryRun { held };
        return Ok(
            Imported::new(&head, digest, outcome, rehearsed.hidden, rehearsed.needed, Vec::new())
                .waiting_for(rehearsed.missing)
                .planned(rehearsed.plan),
        );
    }
    let taken = take_in::take_in(appliance, admitted, events)?;
    let published = publish::publish(appliance, taken, options.confirmed_date)?;
    tell(published.held.as_ref(), events);
    let result = Outcome::Published {
        receipt: published.receipt.number,
        activated: published.activated.clone(),
        held: published.held.clone(),
        resumed_bytes: published.resumed_bytes,
    };
    let (head, digest) = (published.head.clone(), published.head_digest);
    let (needed, missing, plan) = (published.needed, published.missing.clone(), published.plan.clone());
    let mut warnings = settle::settle(appliance, published);
    let heard = acknowledge::apply(appliance, &head, started, &mut warnings);
    // What it brought may be what was missing of others.
    warnings.extend(appliance.settle_damage().err());
    // The release is imported, whether or not this can be told.
    let hidden = hidden(appliance, digest).unwrap_or_else(|error| {
        warnings.push(error);
        Hidden::default()
    });
    let imported = Imported::new(&head, digest, result, hidden, needed, warnings);
    Ok(imported.waiting_for(missing).planned(plan).with(heard))
}

/// A release that is here: what of it is missing or damaged is restored.
fn again(
    appliance: &Appliance,
    here: Here,
    options: &Options,
    started: Timestamp,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Imported> {
    let healed = heal::heal(appliance, here, options.dry_run, started, events)?;
    let (head, digest) = (healed.head, healed.head_digest);
    let result = Outcome::Already(Restored {
        blobs: healed.blobs,
        signed_head: healed.signed_head,
        rows: healed.rows,
        lost: healed.lost.len() as u64,
        receipt: healed.receipt.as_ref().map(|receipt| receipt.number),
    });
    let (mut warnings, mut heard) = (healed.lost, None);
    if !options.dry_run {
        warnings.extend(settle::again(appliance, &head, digest)?);
        heard = acknowledge::again(appliance, &head, started, &mut warnings);
    }
    if healed.receipt.is_none() {
        let would = (options.dry_run && healed.blobs > 0).then_some(healed.blobs);
        record::already(appliance, &head, digest, would, (options, started))?;
    }
    let hidden = hidden(appliance, digest)?;
    let missing = missing(appliance, digest)?;
    Ok(
        Imported::new(&head, digest, result, hidden, Needed::default(), warnings)
            .waiting_for(missing)
            .with(heard),
    )
}

/// Returns what of a release that is here only its own clients see.
fn hidden(appliance: &Appliance, head: Hash) -> Result<Hidden> {
    match appliance.db.read(|connection| release::find(connection, head))? {
        Some(release) => appliance.hidden(&release),
        None => Ok(Hidden::default()),
    }
}

/// Returns what a release that is here and above the live one waits for. Where that cannot be read, damage is told of it.
fn missing(appliance: &Appliance, head: Hash) -> Result<Vec<MissingSecret>> {
    let waiting = appliance.waiting_releases()?.into_iter();
    let mut own = waiting.filter(|waiting| waiting.release.head == head);
    Ok(own.next().map(|waiting| waiting.missing).unwrap_or_default())
}

fn tell(held: Option<&Held>, events: &mut dyn FnMut(Event<'_>)) {
    if let Some(held) = held {
        events(Event::Note(held.to_string()));
    }
}
