//! From the bytes of an acknowledgement to what became of them.

use serde_json::{Value, json};

use super::alarms::{self, Found};
use super::follow::{self, Followed};
use super::judge::{self, Verdict};
use crate::appliance::state::Appliance;
use crate::crypto::{Acknowledgement, Alarm, Chain, RoleName};
use crate::db::site::acknowledgements::{self, ACKNOWLEDGE, REFUSE};
use crate::db::site::audit;
use crate::db::site::instances;
use crate::db::site::stream_log::Told;
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// Where an acknowledgement comes from.
#[derive(Debug, Clone, Copy)]
pub(in crate::appliance) enum Source {
    /// A file of its own: whichever vendor is pinned may have signed it.
    File,
    /// A bundle of this trust domain.
    Bundle(Hash),
}

/// An acknowledgement that was read.
#[derive(Debug)]
pub struct Heard {
    /// What it says, where a pinned vendor's role signed it.
    pub says: Option<Acknowledgement>,
    /// What the vendor found in packages of this site: shown whatever becomes of the rest. What it found of a life that is over, and was
    /// told before, is not among them.
    pub alarms: Vec<Alarm>,
    /// What it found of a life of this site that is over, told for the first time.
    pub over: Vec<Alarm>,
    /// What this site makes of it, where it names packages that were never signed here.
    pub found: Option<Found>,
    /// What became of it.
    pub outcome: Result<Outcome>,
    /// What it freed, where it was applied.
    pub freed: Option<LetGo>,
    /// What could not follow yet: it does with the next acknowledgement, or the next fold of the server.
    pub warnings: Vec<Error>,
}

/// What an acknowledgement freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LetGo {
    /// Numbers of records that it covers and none before did: what is kept of them goes when room is needed, or when it is old enough.
    pub records: u64,
    /// Packages whose files went from the outbox.
    pub packages: u64,
    /// Bytes of these files.
    pub bytes: u64,
}

/// What became of an acknowledgement that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What it covers may go.
    Applied,
    /// It was applied before.
    Already,
}

impl Appliance {
    /// Applies an acknowledgement that came as a file. That it is refused is an [outcome](Heard::outcome), with its row in the log.
    ///
    /// # Errors
    ///
    /// `E-BUSY import` while an import runs; `E-STATE instance`; `E-STATE`, `E-IO`, `E-SPACE`.
    pub fn acknowledge(&self, file: &[u8], now: Timestamp) -> Result<Heard> {
        let _lock = self.lock()?;
        hear(self, file, Source::File, now)
    }
}

/// Applies an acknowledgement; the caller holds the lock of imports.
///
/// # Errors
///
/// Those of the site alone: `E-STATE`, `E-IO`, `E-SPACE`.
pub(in crate::appliance) fn hear(appliance: &Appliance, bytes: &[u8], source: Source, now: Timestamp) -> Result<Heard> {
    let present = appliance.instance()?;
    let (domain, made) = match verify(appliance, bytes, source)? {
        Ok(verified) => verified,
        Err(error) => {
            // A vendor hears of what its own bundle carried; of a file nobody knows whose it is.
            let domain = match source {
                Source::File => None,
                Source::Bundle(domain) => Some(domain),
            };
            let refused = Refused::of(&error, domain);
            appliance.db.write(|transaction| refused.record(transaction, now))?;
            return Ok(Heard::refused(None, error));
        }
    };
    if made.domain != domain || made.site != *appliance.site() {
        let error = judge::other(&made, appliance.site());
        let refused = Refused::of(&error, Some(domain));
        appliance.db.write(|transaction| refused.record(transaction, now))?;
        return Ok(Heard::refused(Some(made), error));
    }
    let mut records = 0;
    let (outcome, found, sorted) = appliance.db.write(|transaction| {
        let is_over = made.instance != present && instances::is_known(transaction, &made.instance)?;
        let sorted = alarms::sorted(transaction, &made, is_over)?;
        match judge::judge(transaction, &present, &made, bytes)? {
            Verdict::Already => Ok((Ok(Outcome::Already), None, sorted)),
            Verdict::Apply(row) => {
                let before = acknowledgements::reached(transaction, domain)?.records;
                records = row.reached.records.saturating_sub(before);
                acknowledgements::keep(transaction, domain, &row, now)?;
                let told = json!({
                    "audit": row.reached.audit, "number": made.number, "receipts": row.reached.receipts, "records": row.reached.records,
                });
                let detail = with_alarms(told.clone(), &made, &sorted.over);
                let told = Told { domain, detail: told };
                audit::append(transaction, now, ACKNOWLEDGE, &detail, &[told])?;
                Ok((Ok(Outcome::Applied), None, sorted))
            }
            Verdict::Refuse(error, found) => {
                let refused = Refused {
                    says: Some((&made, &sorted.over)),
                    found,
                    ..Refused::of(&error, Some(domain))
                };
                refused.record(transaction, now)?;
                Ok((Err(error), found, sorted))
            }
        }
    })?;
    let followed = match outcome {
        Ok(_) => follow::follow(appliance, domain),
        Err(_) => Followed::default(),
    };
    let freed = LetGo {
        records,
        packages: followed.packages,
        bytes: followed.bytes,
    };
    Ok(Heard {
        alarms: sorted.told,
        over: sorted.over,
        says: Some(made),
        found,
        freed: matches!(outcome, Ok(Outcome::Applied)).then_some(freed),
        outcome,
        warnings: followed.undone,
    })
}

impl Heard {
    fn refused(says: Option<Acknowledgement>, error: Error) -> Self {
        Self {
            says,
            alarms: Vec::new(),
            over: Vec::new(),
            found: None,
            outcome: Err(error),
            freed: None,
            warnings: Vec::new(),
        }
    }
}

fn parse(bytes: &[u8], chain: &Chain) -> Result<Acknowledgement> {
    Acknowledgement::parse(bytes, &chain.newest().role(RoleName::Ack)).map_err(|error| {
        error.remedy("copy the file again, or ask the vendor for the acknowledgement again; nothing is lost without it")
    })
}

/// Returns what a pinned vendor's role signed, and whose that is; or why nobody's did.
fn verify(appliance: &Appliance, bytes: &[u8], source: Source) -> Result<Result<(Hash, Acknowledgement)>> {
    let chains = match source {
        Source::Bundle(domain) => vec![appliance.chain(domain)?],
        Source::File => appliance.good_chains()?,
    };
    let mut refusal = None;
    for chain in &chains {
        match parse(bytes, chain) {
            Ok(made) => return Ok(Ok((chain.domain(), made))),
            Err(error) if error.class() == Class::Signature => {
                refusal.get_or_insert(error);
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    let nobody = || Error::new(Class::State, "pins", "no vendor's root is pinned here");
    Ok(Err(refusal.unwrap_or_else(nobody)))
}

/// A refusal, as it is written down.
struct Refused<'a> {
    error: &'a Error,
    /// What it says, and which of its alarms are of a life that is over.
    says: Option<(&'a Acknowledgement, &'a [Alarm])>,
    found: Option<Found>,
    domain: Option<Hash>,
}

impl<'a> Refused<'a> {
    fn of(error: &'a Error, domain: Option<Hash>) -> Self {
        Self {
            error,
            says: None,
            found: None,
            domain,
        }
    }

    fn record(&self, transaction: &crate::db::Transaction<'_>, now: Timestamp) -> Result<()> {
        let told = json!({"class": self.error.class().name(), "code": self.error.code()});
        let mut detail = match self.says {
            Some((says, over)) => with_alarms(told.clone(), says, over),
            None => told.clone(),
        };
        if let Some(members) = detail.as_object_mut() {
            if let Some(domain) = self.domain {
                members.insert("domain".into(), domain.to_hex().into());
            }
            if let Some(found) = self.found {
                members.insert("alarm".into(), found.as_str().into());
            }
        }
        let told = self.domain.map(|domain| Told { domain, detail: told });
        audit::append(transaction, now, REFUSE, &detail, told.as_slice()).map(|_| ())
    }
}

/// Adds whose it is, its number, and what the vendor found.
fn with_alarms(mut detail: Value, says: &Acknowledgement, over: &[Alarm]) -> Value {
    if let Some(members) = detail.as_object_mut() {
        members.insert("domain".into(), says.domain.to_hex().into());
        members.insert("number".into(), says.number.into());
        members.insert("alarms".into(), json!(says.alarms));
        if !over.is_empty() {
            members.insert("over".into(), json!(over));
        }
    }
    detail
}
