//! Import: the one way in, for the command line and everything that comes later (X0 to X16, threat model 2.5).
//!
//! Bytes before rows: what is verified becomes durable in the blob store, and becomes visible by one transaction. A refusal changes
//! nothing but the audit log, except that valid root links move trust forward, in a transaction of their own, whatever
//! becomes of the rest. Nothing is trusted from an earlier try but what its journal says was verified and durable.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::policy::{self, Sequence};
use super::publication::{self, Activation};
use super::state::Appliance;
use super::{intake, marks, reserve};
use crate::bundle::{OpenedBundle, SignedBundle};
use crate::crypto::{Chain, Signature, canonical};
use crate::db;
use crate::db::site::release::{Activated, Mark};
use crate::db::site::{audit, release, trust};
use crate::domain::{Class, Clock, Counter, Error, Hash, Name, Result, Scope, Step, Timestamp};
use crate::media;

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run every check and write nothing but an audit row.
    pub dry_run: bool,
    /// Leave the release available instead of making it live.
    pub keep_inactive: bool,
    /// Products and channels that this site takes; empty: all that the pinned vendors may sign for.
    pub accept: Vec<(Name, Name)>,
    /// Today's date as a person confirmed it, for a machine whose clock is wrong.
    pub confirmed_date: Option<Timestamp>,
    /// Signatures kept in files of their own.
    pub signatures: Vec<Signature>,
    /// How long a pipe may bring less than 64 KiB.
    pub stall: Option<Duration>,
}

/// What an import tells while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// The head is verified: who sent what.
    Head(&'a SignedBundle),
    /// A line for the person who watches.
    Note(String),
    /// Bytes of the bundle that were read, of how many.
    Progress {
        /// Done, including what an earlier try had read.
        done: u64,
        /// Of the whole bundle.
        total: u64,
    },
}

/// What an import came to.
#[derive(Debug)]
pub struct Imported {
    /// Scope of the release.
    pub scope: Scope,
    /// Its number.
    pub counter: Counter,
    /// Its label.
    pub version: String,
    /// Head digest.
    pub head: Hash,
    /// What became of it.
    pub result: Outcome,
    /// What went wrong after everything that matters was done.
    pub warnings: Vec<Error>,
}

/// What became of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was published.
    Published {
        /// Number of the signed receipt.
        receipt: u64,
        /// Whether it went live.
        activated: Option<Activated>,
        /// Bytes of the bundle that an earlier try had read already.
        resumed_bytes: u64,
    },
    /// This very release was imported before; nothing was done.
    Already,
    /// Every check passed; nothing was kept.
    DryRun,
}

/// What the checks up to X9 have established.
pub(super) struct Admitted {
    pub(super) bundle: SignedBundle,
    pub(super) chain: Chain,
    pub(super) now: Timestamp,
    /// Whether the release goes live with its import.
    pub(super) activation: Activation,
}

impl Appliance {
    /// Imports a bundle from a file, a folder with exactly one bundle in it, a pipe, or `-` for standard input.
    ///
    /// # Errors
    ///
    /// Every class of the threat model, with the step at which the bundle was refused. The refusal is in the audit log then.
    pub fn import(
        &self,
        source: &Path,
        options: &Options,
        clock: &dyn Clock,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Imported> {
        let started = clock.now();
        let mut head = None;
        let result = self.run(source, options, started, &mut head, events);
        let Err(error) = result else { return result };
        match self.record_refusal(&error, head, started) {
            Ok(()) => Err(error),
            // The log must not lose a refusal in silence; what could not be recorded is worse than what was refused.
            Err(unrecorded) => Err(Error::new(
                unrecorded.class(),
                unrecorded.code(),
                format!("the import was refused ({error}) and that could not be recorded: {unrecorded}"),
            )
            .remedy("free space or repair the state folder")
            .with_source(error)),
        }
    }

    fn run(
        &self,
        source: &Path,
        options: &Options,
        started: Timestamp,
        head: &mut Option<Hash>,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Imported> {
        let _lock = self.lock()?;
        reserve::fill(self.folder()).map_err(|error| error.at(Step::X0))?;
        // The receipt is signed at the very end; that there is a key for it is known before anything is read.
        self.status_key().map_err(|error| error.at(Step::X0))?;
        let source = media::open(source, options.stall)?;
        for skipped in &source.skipped {
            events(Event::Note(format!("passed over {skipped}")));
        }
        let opened = OpenedBundle::open(source.input)?.with_signatures(options.signatures.clone());
        let chain = self.advance_trust(&opened, options, started)?;
        let bundle = opened.verify(&chain)?;
        *head = Some(bundle.head_digest());
        events(Event::Head(&bundle));
        let floor = self.db.read(db::site::appliance::time_floor)?;
        let clock = options.confirmed_date.unwrap_or(started);
        let now = policy::effective_now(clock, floor);
        if clock < floor {
            events(Event::Note(format!(
                "CLOCK_BEHIND: the clock says {clock}, but signed statements prove that it is {floor} or later"
            )));
        }
        policy::check_scope(bundle.head(), &options.accept)?;
        policy::check_audience(bundle.head(), self.site())?;
        let scope = bundle.head().scope();
        let in_database = self
            .db
            .read(|connection| release::mark(connection, &scope))
            .map_err(|error| error.at(Step::X7))?;
        let mark = marks::highest(self.folder(), &scope, in_database).map_err(|error| error.at(Step::X7))?;
        let done = |result, warnings| Imported {
            scope: scope.clone(),
            counter: bundle.head().counter(),
            version: bundle.head().version.clone(),
            head: bundle.head_digest(),
            result,
            warnings,
        };
        let sequence = policy::check_sequence(bundle.head(), bundle.head_digest(), mark, chain.newest());
        if sequence
            .as_ref()
            .is_err_and(|error| error.class() == Class::Equivocation)
        {
            self.keep_evidence(&bundle).map_err(|error| error.at(Step::X7))?;
        }
        if sequence? == Sequence::Already {
            self.check_still_here(bundle.head_digest())?;
            let mark = Mark {
                counter: bundle.head().counter(),
                head: bundle.head_digest(),
            };
            let warnings = if options.dry_run {
                Vec::new()
            } else {
                publication::settle_again(self, &scope, mark)?
            };
            self.record("import-already", &bundle, started)?;
            return Ok(done(Outcome::Already, warnings));
        }
        let confirmed = if options.confirmed_date.is_some() {
            Timestamp::EPOCH
        } else {
            clock
        };
        policy::check_time(bundle.head(), chain.newest(), now, confirmed, floor)?;
        bundle.approvals()?;
        let described = done(Outcome::DryRun, Vec::new());
        let activation = if options.keep_inactive {
            Activation::Manual
        } else {
            Activation::Automatic
        };
        let admitted = Admitted {
            bundle,
            chain,
            now: started,
            activation,
        };
        if options.dry_run {
            let bundle = self.rehearse(admitted, events)?;
            self.record_dry_run(&bundle, started)?;
            return Ok(described);
        }
        let taken = self.take_in(admitted, events)?;
        let (result, warnings) = publication::publish(self, taken, activation)?;
        Ok(Imported {
            result,
            warnings,
            ..described
        })
    }

    /// X3 and TX-T: valid new links move trust forward, whatever becomes of the bundle.
    fn advance_trust(&self, opened: &OpenedBundle, options: &Options, now: Timestamp) -> Result<Chain> {
        let (domain, links) = opened.links()?;
        let held = self.chain(domain).map_err(|error| error.at(Step::X3))?;
        let step = held.extend(&links);
        if step.added > 0 && !options.dry_run {
            self.db
                .write(|transaction| {
                    trust::store_chain(transaction, &step.chain, now)?;
                    let newest = step.chain.newest();
                    let floor = newest.issued_at.min(newest.expires);
                    if newest.time_reset {
                        db::site::appliance::reset_time_floor(transaction, floor)?;
                    } else {
                        db::site::appliance::raise_time_floor(transaction, floor)?;
                    }
                    audit::append(
                        transaction,
                        now,
                        "trust",
                        &json!({"domain": domain, "fingerprint": step.chain.fingerprint(), "from": held.newest().version, "to": newest.version}),
                    )
                })
                .map_err(|error| error.at(Step::X3))?;
        }
        match step.refusal {
            Some(refusal) => Err(refusal.at(Step::X3)),
            None => Ok(step.chain),
        }
    }

    /// Two heads under one number prove that something is wrong at the vendor: the one that is refused is kept with its
    /// signatures, the other one is in the database.
    fn keep_evidence(&self, bundle: &SignedBundle) -> Result<()> {
        let envelope = bundle.to_envelope();
        self.store
            .keep_evidence(bundle.head_digest(), "head.json", &canonical::to_vec(&envelope))
    }

    /// The mark says that this release is here; after a restored database it may not be.
    fn check_still_here(&self, head: Hash) -> Result<()> {
        match self.db.read(|connection| release::find(connection, head))? {
            Some(_) => Ok(()),
            None => Err(Error::new(
                Class::State,
                "release-missing",
                "the marks say that this release was imported, but the database does not have it",
            )
            .remedy("restore the state folder; its database is older than its marks")
            .at(Step::X7)),
        }
    }

    fn record(&self, action: &str, bundle: &SignedBundle, at: Timestamp) -> Result<()> {
        let detail = describe(bundle);
        self.db
            .write(|transaction| audit::append(transaction, at, action, &detail).map(|_| ()))
    }

    fn record_dry_run(&self, bundle: &intake::Rehearsed, at: Timestamp) -> Result<()> {
        self.db
            .write(|transaction| audit::append(transaction, at, "dry-run", &bundle.detail).map(|_| ()))
    }

    /// Writes the audit row of a refusal; on a full disk the reserve makes room for it.
    fn record_refusal(&self, error: &Error, head: Option<Hash>, at: Timestamp) -> Result<()> {
        let mut detail = json!({
            "class": error.class().name(), "code": error.code(), "found": printable(error.found()),
        });
        if let Some(members) = detail.as_object_mut() {
            if let Some(step) = error.step() {
                members.insert("step".into(), step.to_string().into());
            }
            if let Some(head) = head {
                members.insert("head".into(), head.to_hex().into());
            }
        }
        let write = || {
            self.db
                .write(|transaction| audit::append(transaction, at, "refuse", &detail).map(|_| ()))
        };
        match write() {
            Err(error) if error.class() == Class::Space => {
                reserve::give_up(self.folder())?;
                write()
            }
            other => other,
        }
    }
}

/// Returns what an audit row says about a bundle.
pub(super) fn describe(bundle: &SignedBundle) -> serde_json::Value {
    let head = bundle.head();
    json!({
        "channel": head.channel, "domain": head.domain, "epoch": head.epoch, "head": bundle.head_digest(),
        "product": head.product, "sequence": head.sequence, "version": head.version,
    })
}

/// Text from outside as canonical JSON may hold it: bounded, and without control characters.
fn printable(text: &str) -> String {
    text.chars()
        .take(1000)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
