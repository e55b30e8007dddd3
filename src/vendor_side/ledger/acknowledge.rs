//! What a site may let go: the next acknowledgement of what the ledger holds of its shown lineage (M-107).
//!
//! It says up to which numbers everything is here without a hole, and names the packages that prove it: who was never given a package
//! knows no head digest, and frees nothing. What the newest package's `acknowledged` says counts as here: the site let that go, also where
//! this ledger is an older copy that never knew of it. Nothing new to say makes no new one.
//!
//! Two things hold it back, since what a site lets go it cannot send again. A package proves what it covers only while its file is whole in
//! `packages/`: lines of logs are there alone. And while this ledger is an older copy that misses packages, nothing is acknowledged until they
//! came or somebody ended that finding: the site still has their files.

use std::collections::BTreeSet;

use super::super::Workspace;
use super::ingest::{Court, Identity, is_kept_whole};
use crate::container::digest_of;
use crate::crypto::{
    AcknowledgedAudit, AcknowledgedPackage, Acknowledgement, Alarm, AlarmCode, KeyId, RoleName, SigningKey,
};
use crate::db::ledger::{self, Lineage, Numbered, Site, acknowledgements, findings};
use crate::db::{Connection, Transaction};
use crate::domain::{Class, Code, Error, Hash, Result, SiteId, Timestamp, Version, limits};
use crate::package::{Acknowledged, Head};

/// Version of airlock that reads acknowledgements as they are made here.
const READER: Version = Version::new(0, 2, 0);

/// Codes of findings that say that this ledger is an older copy, and that packages never came.
const LEDGER_BEHIND: &str = "ledger-behind";
const PACKAGE_MISSING: &str = "package-missing";

/// Sub-code where the keys that sign acknowledgements are not at hand.
pub(crate) const NO_KEY: Code = Code::new("no-key");

/// An acknowledgement that was signed and recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// What it says.
    pub says: Acknowledgement,
    /// Its envelope: the bytes that travel.
    pub envelope: Vec<u8>,
    /// Whether it was made now; else nothing is new since it was.
    pub is_new: bool,
}

/// What is due to a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing can be said, or nothing that the site does not know.
    Nothing,
    /// There would be more to say, and it would let go what is not here.
    Withheld(Withheld),
    /// The newest one that was made says everything; whether the site applied it already.
    Newest(Box<Issued>, bool),
    /// There is more to say, in one that nobody signed yet; and the newest one that was made for the same instance and is not applied.
    New(Box<Acknowledgement>, Option<Box<Issued>>),
}

/// Why nothing is acknowledged that could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// Files of packages are gone from `packages/` or damaged, by their numbers.
    Files(Vec<u64>),
    /// This ledger is an older copy, and packages that it never knew are missing, as the finding says.
    Missing(String),
}

impl Withheld {
    /// Says it of a site, with what to do.
    pub(crate) fn error(&self, site: &str) -> Error {
        match self {
            Self::Files(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                Error::new(
                    Class::State,
                    "package-file",
                    format!(
                        "the file of package {} of site {site:?} is gone from packages/ or damaged",
                        numbers.join(", ")
                    ),
                )
                .expected("the whole file of what is acknowledged: the site lets it go")
                .remedy("take the file in once more with `airlock status verify FILE`; where you do not have it, the site brings it out again with `airlock status export DEST --again NUMBER`")
            }
            Self::Missing(detail) => Error::new(
                Class::State,
                "packages-missing",
                format!("this ledger is an older copy of itself, and of site {site:?} packages are missing: {detail}"),
            )
            .expected("every package that the site would let go")
            .remedy("have the site bring them out with `airlock status export DEST --again NUMBER`, and take them in; where they are gone, end the finding package-missing with `airlock vendor ledger end FINDING`"),
        }
    }
}

/// Makes the next acknowledgement for a site, or returns the newest one where nothing is new since it was made. `keys` is asked only when
/// one is to be signed.
///
/// # Errors
///
/// `E-USAGE nothing-to-acknowledge` when no package of the site was taken in; `E-STATE package-file` and `packages-missing` when the site would
/// let go what is not here; `E-TRUST no-key`, and those of `keys`; those of the ledger.
pub fn acknowledge(
    workspace: &Workspace,
    site: &Site,
    keys: &mut dyn FnMut() -> Result<Vec<SigningKey>>,
    at: Timestamp,
) -> Result<Issued> {
    let ledger = workspace.ledger()?;
    match ledger.read(|connection| due(workspace, connection, &site.site, at))? {
        Due::Withheld(why) => Err(why.error(&site.name)),
        Due::Nothing => Err(Error::new(
            Class::Usage,
            "nothing-to-acknowledge",
            format!(
                "nothing was taken in of site {:?} that it does not know to be here",
                site.name
            ),
        )
        .expected("a status package of the site in the ledger")
        .remedy("take in what comes from the site with `airlock status verify FILE`, then make the acknowledgement")),
        Due::Newest(issued, _) => Ok(*issued),
        Due::New(says, _) => {
            let issued = sign(workspace, *says, keys)?;
            ledger.write(|transaction| issued.record(transaction, at))?;
            Ok(issued)
        }
    }
}

/// Signs an acknowledgement with the keys of its role.
///
/// # Errors
///
/// `E-TRUST no-key` when too few are at hand; those of `keys`; `E-LIMIT document-size`.
pub(crate) fn sign(
    workspace: &Workspace,
    says: Acknowledgement,
    keys: &mut dyn FnMut() -> Result<Vec<SigningKey>>,
) -> Result<Issued> {
    let keys = keys()?;
    let envelope = says.sign(&keys.iter().collect::<Vec<_>>());
    // What no site would take leaves no number behind.
    let role = workspace.chain().newest().role(RoleName::Ack);
    Acknowledgement::parse(&envelope, &role).map_err(|error| {
        if error.class() != Class::Signature {
            return error;
        }
        no_key().with_source(error)
    })?;
    Ok(Issued {
        says,
        envelope,
        is_new: true,
    })
}

fn no_key() -> Error {
    Error::new(
        Class::Trust,
        NO_KEY,
        "the workspace does not hold the keys that sign acknowledgements",
    )
    .expected("as many private keys of the role ack in keys/ as the newest root asks for")
    .remedy("give the command where these keys are; until then sites keep what they sent")
}

/// Makes what [`sign`] would make with the keys that are here, as large as it, with signatures by keys of nobody: for a plan alone.
///
/// # Errors
///
/// `E-TRUST no-key` when too few are here, `key-file` for a public file that holds no key; `E-IO`.
pub(crate) fn rehearse(workspace: &Workspace, says: Acknowledgement) -> Result<Issued> {
    let role = workspace.chain().newest().role(RoleName::Ack);
    let here: BTreeSet<KeyId> = workspace.keys().names()?.into_iter().filter_map(|(_, id)| id).collect();
    let mut signers = BTreeSet::new();
    for rule in role.rules() {
        let found: Vec<KeyId> = rule.keys.iter().copied().filter(|id| here.contains(id)).collect();
        if found.len() < rule.threshold {
            return Err(no_key());
        }
        signers.extend(found);
    }
    let nobodys: Vec<SigningKey> = (1_u8..)
        .take(signers.len())
        .map(|byte| SigningKey::from_secret(&[byte; 32]))
        .collect();
    Ok(Issued {
        envelope: says.sign(&nobodys.iter().collect::<Vec<_>>()),
        says,
        is_new: true,
    })
}

/// Returns what is due to a site now.
///
/// # Errors
///
/// Those of the ledger; `E-STATE planted` and `E-IO` for files of packages.
pub(crate) fn due(workspace: &Workspace, connection: &Connection, site: &SiteId, at: Timestamp) -> Result<Due> {
    let Some(held) = Held::read(connection, site)? else {
        return Ok(Due::Nothing);
    };
    let domain = workspace.chain().domain();
    let court = Court { domain, now: at };
    let proof = held.proof(&mut |number, head| {
        let identity = Identity {
            site: site.clone(),
            instance: held.lineage.youngest().instance.clone(),
            number,
            head,
        };
        is_kept_whole(workspace.folder(), connection, court, &identity)
    })?;
    let newest = match acknowledgements::newest(connection, site)? {
        Some(envelope) => Some(Box::new(Issued::kept(envelope)?)),
        None => None,
    };
    let issued = newest.as_ref().map_or(0, |newest| newest.says.number);
    let number = issued.max(held.known.number).saturating_add(1);
    let nothing = if proof.without_files.is_empty() {
        Due::Nothing
    } else {
        Due::Withheld(Withheld::Files(proof.without_files.clone()))
    };
    let says = held.say(connection, domain, site, proof, number, at)?;
    let Some(says) = says else {
        return Ok(nothing);
    };
    let is_applied = issued <= held.known.number;
    let told: &[Alarm] = newest.as_ref().map_or(&[], |newest| &newest.says.alarms);
    let is_news = says.records > held.known.records
        || says.receipts > held.known.receipts
        || says.audit.number > held.known.audit
        || says.alarms != told;
    match newest {
        Some(newest) if is_same(&newest.says, &says) => Ok(Due::Newest(newest, is_applied)),
        newest if is_news => {
            if let Some(detail) = missing(connection, site)? {
                return Ok(Due::Withheld(Withheld::Missing(detail)));
            }
            let newest = newest.filter(|newest| !is_applied && newest.says.instance == says.instance);
            Ok(Due::New(Box::new(says), newest))
        }
        _ => Ok(nothing),
    }
}

/// Returns which packages are missing where this ledger is an older copy; nothing where it is not, or none is.
fn missing(connection: &Connection, site: &SiteId) -> Result<Option<String>> {
    let open = findings::open(connection, Some(site))?;
    if !open.iter().any(|finding| finding.code == LEDGER_BEHIND) {
        return Ok(None);
    }
    let missing = open.into_iter().find(|finding| finding.code == PACKAGE_MISSING);
    Ok(missing.map(|finding| finding.detail))
}

/// Whether two say the same, whatever their numbers and times.
fn is_same(one: &Acknowledgement, other: &Acknowledgement) -> bool {
    let said = |says: &Acknowledgement| {
        (
            says.instance.clone(),
            says.records,
            says.receipts,
            says.audit,
            says.alarms.clone(),
        )
    };
    said(one) == said(other)
}

impl Issued {
    /// Returns one that was recorded before.
    pub(crate) fn kept(envelope: Vec<u8>) -> Result<Self> {
        Ok(Self {
            says: Acknowledgement::kept(&envelope)?,
            envelope,
            is_new: false,
        })
    }

    /// Records it before it leaves.
    pub(crate) fn record(&self, transaction: &Transaction<'_>, at: Timestamp) -> Result<()> {
        acknowledgements::record(transaction, &self.says, &self.envelope, at)
    }
}

/// What the ledger holds of the instance that is shown.
struct Held {
    lineage: Lineage,
    /// Packages of the instance, the newest first.
    packages: Vec<(AcknowledgedPackage, Head)>,
    /// What the site says that it let go.
    known: Acknowledged,
}

/// What an acknowledgement stands on.
struct Proof {
    /// Packages whose files are here.
    packages: Vec<AcknowledgedPackage>,
    /// How far they lead: records, receipts, rows of the log.
    reached: [u64; 3],
    /// Packages that would lead further, and whose files are not here.
    without_files: Vec<u64>,
}

const KINDS: [Numbered; 3] = [Numbered::Records, Numbered::Receipts, Numbered::Audit];

impl Held {
    /// Reads it; nothing where no package of the shown instance was taken in.
    fn read(connection: &Connection, site: &SiteId) -> Result<Option<Self>> {
        let Some(lineage) = ledger::shown(connection, site)? else {
            return Ok(None);
        };
        let heads = ledger::package_heads(connection, lineage.youngest().id)?;
        let packages = heads.into_iter().rev().map(|bytes| {
            let head = Head::parse(&bytes)?;
            let named = AcknowledgedPackage {
                head: digest_of(&bytes).0,
                number: head.number,
            };
            Ok((named, head))
        });
        let packages = packages.collect::<Result<Vec<_>>>()?;
        let Some((_, newest)) = packages.first() else {
            return Ok(None);
        };
        let known = newest.acknowledged.unwrap_or(Acknowledged {
            audit: 0,
            number: 0,
            receipts: 0,
            records: 0,
        });
        Ok(Some(Self {
            lineage,
            packages,
            known,
        }))
    }

    /// Says what is here; nothing where the seal that goes with it was never carried.
    fn say(
        &self,
        connection: &Connection,
        domain: Hash,
        site: &SiteId,
        proof: Proof,
        number: u64,
        at: Timestamp,
    ) -> Result<Option<Acknowledgement>> {
        let Proof {
            packages,
            reached: proven,
            ..
        } = proof;
        let mut reached = [0; 3];
        for (reached, (kind, proven)) in reached.iter_mut().zip(KINDS.into_iter().zip(proven)) {
            let told = ledger::reach(connection, &self.lineage, kind, known(&self.known, kind))?;
            *reached = told.min(proven);
        }
        let [records, receipts, audit] = reached;
        let Some(hash) = self.seal(connection, audit)? else {
            return Ok(None);
        };
        Ok(Some(Acknowledgement {
            alarms: alarms(connection, site)?,
            audit: AcknowledgedAudit { hash, number: audit },
            domain,
            instance: self.lineage.youngest().instance.clone(),
            issued_at: at,
            number,
            packages,
            reader: READER,
            receipts,
            records,
            requires: Vec::new(),
            site: site.clone(),
        }))
    }

    /// Finds the fewest packages that lead from what the site let go as far as all of them do whose files are here: one, but for runs, of
    /// which each goes on where the one before it ended.
    fn proof(&self, has_file: &mut dyn FnMut(u64, Hash) -> Result<bool>) -> Result<Proof> {
        let mut proof = Proof {
            packages: Vec::new(),
            reached: KINDS.map(|kind| known(&self.known, kind)),
            without_files: Vec::new(),
        };
        while proof.packages.len() < limits::ACKNOWLEDGEMENT_ITEMS {
            let next = self.packages.iter().find_map(|(package, head)| {
                let further = std::array::from_fn(|at| further(head, KINDS[at], proof.reached[at]));
                let is_passed_over = proof.without_files.contains(&package.number);
                (further != proof.reached && !is_passed_over).then_some((*package, further))
            });
            let Some((package, further)) = next else { break };
            if has_file(package.number, package.head)? {
                proof.packages.push(package);
                proof.reached = further;
            } else {
                proof.without_files.push(package.number);
            }
        }
        proof.packages.sort_by_key(|package| package.number);
        proof.without_files.sort_unstable();
        Ok(proof)
    }

    fn seal(&self, connection: &Connection, number: u64) -> Result<Option<Hash>> {
        let carried = self.packages.iter().find_map(|(_, head)| {
            let audit = &head.audit;
            let is_last = audit.last == number;
            let is_before = audit.first.saturating_sub(1) == number;
            is_last.then_some(audit.hash).or(is_before.then_some(audit.before))
        });
        match carried {
            Some(seal) => Ok(Some(seal)),
            None => acknowledgements::seal(connection, &self.lineage, number),
        }
    }
}

fn known(known: &Acknowledged, kind: Numbered) -> u64 {
    match kind {
        Numbered::Records => known.records,
        Numbered::Receipts => known.receipts,
        Numbered::Audit => known.audit,
    }
}

/// Returns how far numbers are known without a hole once a package is, by the range that it covers.
fn further(head: &Head, kind: Numbered, known: u64) -> u64 {
    let (first, last) = match kind {
        Numbered::Records => (head.records.first, head.records.last),
        Numbered::Receipts => (head.receipts.first, head.receipts.last),
        Numbered::Audit => (head.audit.first, head.audit.last),
    };
    if first <= known.saturating_add(1) {
        known.max(last)
    } else {
        known
    }
}

/// Returns what was found of a site and is open, as far as the site should know.
fn alarms(connection: &Connection, site: &SiteId) -> Result<Vec<Alarm>> {
    let mut alarms = Vec::new();
    for finding in findings::open(connection, Some(site))? {
        if let Some(code) = AlarmCode::ALL.into_iter().find(|code| code.as_str() == finding.code) {
            let number = acknowledgements::package_of(connection, &finding)?;
            alarms.push(Alarm { code, number });
        }
    }
    alarms.sort_by_key(|alarm| (alarm.code, alarm.number));
    alarms.dedup();
    alarms.truncate(limits::ACKNOWLEDGEMENT_ITEMS);
    Ok(alarms)
}
