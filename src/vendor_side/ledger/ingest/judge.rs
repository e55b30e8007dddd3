//! All steps for one package, in their order, within one transaction.

use serde_json::json;

use super::super::summary::take_up;
use super::copied::Copied;
use super::facts::{Facts, Told, cover};
use super::notice::{Noticing, notice};
use super::numbers::{Placed, place};
use super::run::IngestEvent;
use super::sender;
use super::snapshot::Snapshot;
use super::verdict::{Identity, TakenIn};
use crate::db::ledger::{self, INGEST, PackageRow, Site};
use crate::db::{Connection, Transaction, sealed_log};
use crate::domain::{Hash, InstanceId, Result, SiteId, Step, Timestamp};
use crate::package::{Head, OpenedPackage, SignedPackage};

/// Lines between two looks at how far the reading is.
const LOOK: u64 = 1000;

/// What all packages of one command are judged by.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) struct Court {
    /// Trust domain of the workspace.
    pub(in crate::ledger) domain: Hash,
    /// The time of all of it.
    pub(in crate::ledger) now: Timestamp,
}

/// As much as is known of a package when it is refused.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) site: Option<SiteId>,
    pub(super) head: Option<Hash>,
    pub(super) numbered: Option<(InstanceId, u64)>,
}

impl Seen {
    /// Returns what the package is, once its head was verified.
    pub(super) fn identity(&self) -> Option<Identity> {
        let (instance, number) = self.numbered.clone()?;
        Some(Identity {
            site: self.site.clone()?,
            instance,
            number,
            head: self.head?,
        })
    }
}

/// What became of a package that was not refused.
pub(super) enum Judged {
    Taken(Box<TakenIn>),
    /// With the rest of it, which was not read yet.
    Already(Identity, Box<SignedPackage>),
}

/// Reads the head of a copy as far as its signature: V1 to V4.
///
/// # Errors
///
/// Those of these steps.
pub(super) fn verify(
    connection: &Connection,
    court: Court,
    opened: OpenedPackage,
    seen: &mut Seen,
) -> Result<(Site, SignedPackage)> {
    seen.head = Some(opened.head_digest());
    let hints = opened.hints()?;
    let sender = sender::of(connection, court.domain, &hints)?;
    // What is known already was signed by the key of its time.
    let keys = match ledger::package_by_head(connection, opened.head_digest())? {
        Some(_) => sender.keys.of_known_head(),
        None => sender.keys,
    };
    let verified = opened.verify(keys);
    // Hints are all that is known before the signature; what V2 refuses is nobody's.
    if !verified.as_ref().is_err_and(|error| error.step() <= Some(Step::V2)) {
        seen.site = Some(sender.site.site.clone());
    }
    let signed = verified?;
    seen.numbered = Some((signed.head().instance.clone(), signed.head().number));
    Ok((sender.site, signed))
}

/// Judges a copy and writes down what it says. What is written counts when the transaction does.
///
/// # Errors
///
/// Those of V1 to V11; those of the ledger at V13.
pub(super) fn judge(
    transaction: &Transaction<'_>,
    court: Court,
    copied: &Copied,
    seen: &mut Seen,
    tell: &mut dyn FnMut(IngestEvent),
) -> Result<Judged> {
    let (input, position) = copied.open()?;
    let (site, signed) = verify(transaction, court, OpenedPackage::open(input)?, seen)?;
    let digest = signed.head_digest();
    let identity = Identity {
        site: site.site.clone(),
        instance: signed.head().instance.clone(),
        number: signed.head().number,
        head: digest,
    };
    let placed = place(transaction, &site, signed.head(), digest).map_err(|error| error.at(Step::V5))?;
    let Some(placed) = placed else {
        return Ok(Judged::Already(identity, Box::new(signed)));
    };
    let bytes = signed.head_bytes().to_vec();
    let head = signed.head().clone();
    let verified = signed.read_index()?;
    let noticing = Noticing::before(transaction, &site.site, &head, &placed)?;
    let snapshot = noticing
        .is_newest
        .then(|| Snapshot::begin(transaction, &site.site, digest))
        .transpose()?;
    let mut facts = Facts::new(transaction, &head, &placed, snapshot)?;
    let mut lines = 0_u64;
    verified.read_lines(&mut |line, seal| {
        lines = lines.saturating_add(1);
        if lines.is_multiple_of(LOOK) {
            tell(IngestEvent::Reading {
                done: position.bytes(),
                total: copied.size,
            });
        }
        facts.take(line, seal)
    })?;
    let keys_are_fresh = ledger::keys_are_fresh(transaction, &site.site)?;
    let (told, snapshot) = facts.finish(keys_are_fresh)?;
    let written = Written {
        court,
        site: &site,
        identity,
        head: &head,
        bytes: &bytes,
        placed: &placed,
        keys_are_fresh,
    };
    written
        .finish(transaction, &noticing, told, snapshot)
        .map_err(|error| error.at(Step::V13))
}

/// A package all of whose lines are written.
struct Written<'a> {
    court: Court,
    site: &'a Site,
    identity: Identity,
    head: &'a Head,
    bytes: &'a [u8],
    placed: &'a Placed,
    keys_are_fresh: bool,
}

impl Written<'_> {
    /// Writes down the package itself, what it covers, what is found in it, and the row of the log.
    fn finish(
        self,
        transaction: &Transaction<'_>,
        noticing: &Noticing,
        told: Told,
        snapshot: Option<Snapshot<'_>>,
    ) -> Result<Judged> {
        let Self {
            court,
            site,
            identity,
            head,
            bytes,
            placed,
            keys_are_fresh,
        } = self;
        ledger::record_package(
            transaction,
            &PackageRow {
                head: identity.head,
                instance: placed.lineage.youngest().id,
                number: head.number,
                previous: head.previous,
                made_at: head.made_at,
                ingested_at: court.now,
            },
            bytes,
        )?;
        cover(transaction, &placed.lineage, head)?;
        let news = snapshot.map(Snapshot::news).unwrap_or_default();
        if noticing.is_newest {
            take_up(
                transaction,
                court.domain,
                site,
                &identity.instance,
                identity.number,
                court.now,
            )?;
        }
        let found = notice(
            transaction,
            court.now,
            &identity,
            head,
            placed,
            noticing,
            &told,
            &news,
            keys_are_fresh,
        )?;
        sealed_log::append(
            transaction,
            court.now,
            INGEST,
            &json!({"head": identity.head, "instance": identity.instance, "number": identity.number, "site": identity.site}),
        )?;
        Ok(Judged::Taken(Box::new(TakenIn {
            identity,
            name: site.name.clone(),
            made_at: head.made_at,
            is_newest: noticing.is_newest,
            records: told.records,
            gaps: told.gaps,
            log_lines: told.log_lines,
            audit_rows: told.audit_rows,
            new_receipts: told.new_receipts,
            receipts: told.receipts,
            new_releases: news.new_releases,
            releases: news.releases,
            new_failures: news.new_failures,
            failed: news.failed,
            findings: found.noticed,
            settled: found.settled,
        })))
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    use super::*;
    use crate::crypto::Enrolment;
    use crate::db::{Db, Schema, attempt};
    use crate::stream::read_bounded;

    fn load(path: &Path) -> Vec<u8> {
        let file = std::fs::File::open(path).unwrap();
        read_bounded(file, 64 << 20, "a vector").unwrap()
    }

    /// A package of a vector as a copy; nothing where the file is another one.
    fn copied(path: &Path, folder: &Path) -> Option<Copied> {
        let name = path.file_name()?.to_str()?;
        if !name.contains(".airlock-status") {
            return None;
        }
        let bytes = load(path);
        let bytes = if name.strip_suffix(".zst").is_some() {
            zstd::stream::decode_all(&bytes[..]).unwrap()
        } else {
            bytes
        };
        let copy = folder.join(name);
        std::fs::remove_file(&copy).ok();
        crate::stream::write_atomically(&copy, &bytes, 0o600).unwrap();
        Some(Copied {
            path: copy,
            size: bytes.len() as u64,
        })
    }

    /// Every row of every table, as SQLite writes it.
    fn rows(db: &Db) -> Vec<String> {
        db.read(|connection| {
            let mut rows = Vec::new();
            let mut tables = connection
                .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
                .unwrap();
            let tables: Vec<String> = tables
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(|name| name.unwrap())
                .collect();
            for table in tables {
                let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
                let columns = statement.column_count();
                let values = statement.query_map([], |row| {
                    let cells = (0..columns).map(|n| format!("{:?}", row.get_ref(n).unwrap()));
                    Ok(format!("{table} {}", cells.collect::<Vec<_>>().join("|")))
                });
                rows.extend(values.unwrap().map(|row| row.unwrap()));
            }
            Ok(rows)
        })
        .unwrap()
    }

    /// Takes the packages of a vector in, one after the other, and says what became of the last one. What is refused leaves no row behind.
    fn verdict(folder: &Path, text: &Value) -> Option<String> {
        let scratch = tempfile::tempdir().unwrap();
        let db = Db::create(&scratch.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let court = Court {
            domain: Hash([0xcd; 32]),
            now,
        };
        let paths = |member: &str| -> Vec<PathBuf> {
            let names = text[member].as_array().unwrap().iter();
            names.map(|name| folder.join(name.as_str().unwrap())).collect()
        };
        let packages: Vec<Copied> = paths("files")
            .iter()
            .filter_map(|path| copied(path, scratch.path()))
            .collect();
        if packages.len() != paths("files").len() {
            return None;
        }
        for path in paths("enrolments") {
            let file = load(&path);
            let enrolment = Enrolment::parse(&file).unwrap();
            db.write(|tx| match ledger::site(tx, &enrolment.site)? {
                Some(known) => ledger::replace(tx, &known, &enrolment, &file, now).map(drop),
                None => ledger::enrol(tx, &enrolment, &file, enrolment.site.as_str(), now).map(drop),
            })
            .unwrap();
        }
        let mut last = String::new();
        for copied in &packages {
            let before = rows(&db);
            let judged = db.write(|tx| {
                Ok(attempt(tx, || {
                    judge(tx, court, copied, &mut Seen::default(), &mut |_| {})
                }))
            });
            last = match judged.unwrap() {
                Ok(_) => "taken".to_owned(),
                Err(error) => {
                    assert_eq!(rows(&db), before, "{}", folder.display());
                    let step = error.step().map(|step| step.to_string()).unwrap_or_default();
                    format!("{} {} {step}", error.class(), error.code())
                }
            };
        }
        Some(last)
    }

    /// The vectors of the specification: what only a ledger can say of them too.
    #[test]
    fn every_package_of_the_vectors_is_judged_as_by_the_other_reader() {
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bundle-spec/status-vectors");
        let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
        let (mut seen, mut two_stories, mut wrong) = (0, 0, Vec::new());
        for kind in ["good", "bad"] {
            for entry in std::fs::read_dir(all.join(kind)).unwrap() {
                let folder = entry.unwrap().path();
                let text = String::from_utf8(load(&folder.join("vector.json"))).unwrap();
                let text: Value = serde_json::from_str(&text).unwrap();
                // What a package says by itself is judged in `package`; here with AIRLOCK_SLOW alone.
                if !slow && text["files"].as_array().unwrap().len() < 2 {
                    continue;
                }
                let Some(found) = verdict(&folder, &text) else { continue };
                seen += 1;
                let expect = &text["expect"];
                let word = |name: &str| expect[name].as_str().unwrap_or_default();
                let expected = if expect["verdict"] == "refused" {
                    format!("{} {} {}", word("class"), word("code"), word("step"))
                } else {
                    "taken".to_owned()
                };
                two_stories += u32::from(expected.starts_with("E-EQUIVOCATION"));
                if found != expected {
                    wrong.push(format!("{}: expected {expected}, found {found}", folder.display()));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(
            seen > (if slow { 150 } else { 15 }) && two_stories >= 8,
            "{seen} packages, {two_stories} with two stories"
        );
    }
}
