//! Whether a bundle may come in, from its first megabyte alone (X0 to X9). Nothing of its content was read yet.

use super::event::Event;
use super::links::{self, Followed};
use super::options::Options;
use super::policy::{self, Present, Sequence};
use crate::appliance::state::{Appliance, ImportLock};
use crate::appliance::{marks, reserve};
use crate::bundle::{Head, OpenedBundle, SignedBundle};
use crate::crypto::{Chain, canonical};
use crate::db::site::release::{Mark, ReleaseRow};
use crate::db::site::{receipts, release, stream_log};
use crate::domain::{Class, Error, Hash, Result, Step, Timestamp};
use crate::media::BundleSource;
use crate::stream::look_to_write;

/// A bundle that may come in: what the checks up to X9 have established.
pub(super) struct Admitted {
    pub(super) bundle: SignedBundle,
    pub(super) chain: Chain,
    /// Start of the import, by the machine's clock.
    pub(super) started: Timestamp,
    /// Whether the release goes live with its import (D16).
    pub(super) goes_live: bool,
}

/// A bundle of a release that is here.
pub(super) struct Here {
    pub(super) bundle: SignedBundle,
    pub(super) release: Box<ReleaseRow>,
    /// The root that vouches for it.
    pub(super) root_version: u64,
}

/// A release whose signed head was verified, whatever becomes of its bundle.
pub(super) struct Judged {
    pub(super) head: Head,
    pub(super) head_digest: Hash,
    /// The root that vouches for it.
    pub(super) root_version: u64,
}

/// What the checks came to.
pub(super) enum Admission {
    /// Its content is to be read.
    New(Admitted),
    /// This very release is here.
    Already(Here),
}

/// X0: nobody else imports, a refusal can be recorded in a log that holds, and there is a key and a place for the receipt, which is signed
/// at the very end, whosever release it is.
pub(super) fn begin(appliance: &Appliance) -> Result<ImportLock> {
    let lock = appliance.lock()?;
    look_at_places(appliance).map_err(|error| error.at(Step::X0))?;
    reserve::fill(appliance.folder()).map_err(|error| error.at(Step::X0))?;
    appliance.verify_seals().map_err(|error| error.at(Step::X0))?;
    appliance.signer().map_err(|error| error.at(Step::X0))?;
    appliance.check_recipient().map_err(|error| error.at(Step::X0))?;
    Ok(lock)
}

fn look_at_places(appliance: &Appliance) -> Result<()> {
    let next = appliance.db.read(|connection| {
        let domains = stream_log::domains(connection)?.into_iter();
        let next = domains.map(|domain| Ok((domain, receipts::next_number(connection, domain)?)));
        next.collect::<Result<Vec<_>>>()
    })?;
    next.into_iter()
        .try_for_each(|(domain, number)| look_to_write(&appliance.receipt_path(domain, number)))
}

/// X2 to X9. What was verified of the head stands in `judged`, also where the bundle is refused.
pub(super) fn admit(
    appliance: &Appliance,
    source: BundleSource,
    options: &Options,
    started: Timestamp,
    judged: &mut Option<Judged>,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Admission> {
    let opened = source.into_bundle()?.with_signatures(options.signatures.clone());
    let Followed { chain, floor, from } = links::follow(appliance, &opened, !options.dry_run, started)?;
    if chain.newest().version > from {
        events(Event::Root { from, chain: &chain });
    }
    let digest = opened.head_digest();
    let release = appliance.db.read(|connection| release::find(connection, digest))?;
    let root_version = judging_root(&opened, &chain, release.as_ref())?;
    let root = chain.document(root_version).unwrap_or(chain.newest());
    let bundle = opened.verify_under(&chain, root, &mut |head, head_digest| {
        *judged = Some(Judged {
            head: head.clone(),
            head_digest,
            root_version,
        });
    })?;
    events(Event::Head(&bundle));
    let present = Present {
        clock: started,
        confirmed: options.confirmed_date,
        floor,
    };
    if present.clock < floor {
        events(Event::Note(format!(
            "CLOCK_BEHIND: the clock says {started}, but what {:?} has signed, or the age of this program, proves that it is {floor} or later; \
             releases of this vendor are judged as of then. Set the clock of this machine right (`timedatectl set-time`, or its time service); where it is \
             right, a wrong date of the vendor's went out, and the vendor puts that right (`airlock vendor trust set --time-reset`)",
            chain.newest().vendor
        )));
    }
    policy::check_scope(bundle.head(), &options.accept)?;
    policy::check_audience(bundle.head(), appliance.site())?;
    // A release that the marks know and the database does not, because the state was put back from a copy, is imported again (M-110).
    let sequence = check_sequence(appliance, &bundle, &chain, release.is_some())?;
    if let (Sequence::Already, Some(release)) = (sequence, release) {
        // No rule of time (X8) concerns what was accepted before.
        return Ok(Admission::Already(Here {
            bundle,
            release: Box::new(release),
            root_version,
        }));
    }
    if let Some(chunks) = bundle.repair() {
        return Err(Error::new(
            Class::Dependency,
            "release",
            format!(
                "this repair file holds the chunks {chunks} of release {} of {}, which is not here",
                bundle.head().counter(),
                bundle.head().scope()
            ),
        )
        .expected("the release itself: a repair file restores what was lost of it")
        .remedy("import the whole bundle: `airlock import FILE`")
        .at(Step::X7));
    }
    policy::check_time(bundle.head(), chain.newest(), &present)?;
    bundle.approvals()?;
    Ok(Admission::New(Admitted {
        bundle,
        chain,
        started,
        goes_live: !options.keep_inactive,
    }))
}

/// Returns the root that judges a bundle: the newest, or, for a release that is here, the one that it was accepted under. After a change
/// of keys its bundle is still the one that heals it; nothing that was not accepted then comes in by it.
fn judging_root(opened: &OpenedBundle, chain: &Chain, release: Option<&ReleaseRow>) -> Result<u64> {
    let newest = chain.newest().version;
    match release {
        Some(release) if opened.is_signed_under(chain, release.root_version)? => Ok(release.root_version),
        _ => Ok(newest),
    }
}

/// X7, by the higher of the two copies of the mark.
fn check_sequence(appliance: &Appliance, bundle: &SignedBundle, chain: &Chain, is_here: bool) -> Result<Sequence> {
    let scope = bundle.head().scope();
    let in_database = appliance
        .db
        .read(|connection| release::mark(connection, &scope))
        .map_err(|error| error.at(Step::X7))?;
    let mark: Option<Mark> =
        marks::highest(appliance.folder(), &scope, in_database).map_err(|error| error.at(Step::X7))?;
    let sequence = policy::check_sequence(bundle.head(), bundle.head_digest(), mark, chain.newest(), is_here);
    sequence.map_err(|error| {
        if error.class() == Class::Equivocation
            && let Err(lost) = keep_evidence(appliance, bundle)
        {
            // That there are two heads is the alarm, also where the proof of it cannot be kept.
            return error.and_then(&lost);
        }
        error
    })
}

/// Two heads under one number prove that something is wrong at the vendor: the one that is refused is kept with its
/// signatures, the other one is in the database.
fn keep_evidence(appliance: &Appliance, bundle: &SignedBundle) -> Result<()> {
    let envelope = bundle.to_envelope();
    appliance
        .store
        .keep_evidence(bundle.head_digest(), "head.json", &canonical::to_vec(&envelope))
}
