//! A vendor's workspace: the real one, and beside it the book of what its ledger must hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use airlock::crypto::{Enrolment, KeyId, RoleName};
use airlock::db::SqlResult as _;
use airlock::db::ledger::findings;
use airlock::domain::{Hash, InstanceId, Timestamp};
use airlock::vendor_side::ledger::{IngestOptions, Outcome, acknowledge, ingest};
use airlock::vendor_side::{Workspace, replace, site};

use super::book::{Book, Verdict};
use super::cast::{Cast, teach};
use super::machine::put;
use super::stream::ensure;
use super::told::{Kind, Told};
use crate::support::disk::copy_folder;

pub(super) struct Desk {
    folder: PathBuf,
    v: usize,
    workspace: Workspace,
    pub(super) book: Book,
    /// Lives that a disk which was copied or turned back unseen has told of as well: whichever of two stories comes second is blamed.
    forked: BTreeSet<InstanceId>,
}

impl Desk {
    pub(super) fn new(cast: &Cast, v: usize, folder: PathBuf, key: KeyId) -> Self {
        copy_folder(&cast.workspace(v), &folder);
        let signed = cast.vendors[v].bundles.iter().map(|bundle| head_of(bundle)).collect();
        Self {
            workspace: Workspace::open(&folder).unwrap(),
            folder,
            v,
            book: Book::new(key, signed),
            forked: BTreeSet::new(),
        }
    }

    /// Takes packages in, and compares what becomes of them, and what the ledger holds then, with the book.
    pub(super) fn take(
        &mut self,
        cast: &Cast,
        packages: &[Rc<Told>],
        incoming: &Path,
        now: Timestamp,
    ) -> Result<(), String> {
        let files: Vec<PathBuf> = (0..packages.len()).map(|n| incoming.join(format!("{n}"))).collect();
        for (file, told) in files.iter().zip(packages) {
            put(file, &told.bytes);
        }
        let options = IngestOptions { now, dry_run: false };
        let verdicts = ingest(&self.workspace, &files, options, &mut |_| {}).map_err(|error| error.to_string())?;
        ensure(verdicts.len() == packages.len(), || "a package has no verdict".into())?;
        for verdict in verdicts {
            let place = files.iter().position(|file| *file == verdict.file).unwrap();
            let told = &packages[place];
            let expected = if told.vendor == self.v {
                self.book.take(told, now)
            } else {
                Verdict::Refused("E-TRUST", "unknown-domain")
            };
            let found = match &verdict.outcome {
                Outcome::Taken(_) => "taken in".to_owned(),
                Outcome::Already(_) => "there already".to_owned(),
                Outcome::Refused(refused) => {
                    format!(
                        "{} {} ({})",
                        refused.error.class().name(),
                        refused.error.code(),
                        refused.error
                    )
                }
            };
            let same = match (&expected, &verdict.outcome) {
                (Verdict::Taken, Outcome::Taken(_)) | (Verdict::Already, Outcome::Already(_)) => true,
                (Verdict::Refused(class, code), Outcome::Refused(refused)) => {
                    let error = &refused.error;
                    error.class().name() == *class && (code.is_empty() || error.code() == *code)
                }
                _ => false,
            };
            let name = format!("package {} of {}", told.head.number, told.head.instance);
            ensure(same, || format!("{name} is {found}, not {expected:?}"))?;
            let blames = matches!(&verdict.outcome, Outcome::Refused(refused) if refused.error.class().name() == "E-EQUIVOCATION");
            if told.forked {
                self.forked.insert(told.head.instance.clone());
            }
            ensure(!blames || self.forked.contains(&told.head.instance), || {
                format!("{name}, of an honest site, is {found}")
            })?;
        }
        self.compare(cast)
    }

    /// Compares findings, facts and coverage with the book.
    fn compare(&self, cast: &Cast) -> Result<(), String> {
        let ledger = self.workspace.ledger().unwrap();
        let open = ledger.read(|c| findings::open(c, Some(&cast.site))).unwrap();
        // Gaps may be told later than what they account for, in a run.
        let mut codes: BTreeSet<&str> = open.iter().map(|finding| finding.code.as_str()).collect();
        codes.remove("gap-room");
        let mut expected = self.book.findings.clone();
        expected.extend(&self.book.two_stories);
        ensure(codes == expected, || format!("findings {codes:?}, not {expected:?}"))?;
        for (kind, sql) in [
            (
                Kind::Records,
                "SELECT i.instance, f.number FROM (SELECT instance, number FROM record UNION ALL SELECT instance, number FROM site_gap) f
                 JOIN instance i ON i.id = f.instance",
            ),
            (
                Kind::Receipts,
                "SELECT i.instance, f.number FROM receipt f JOIN instance i ON i.id = f.instance",
            ),
            (
                Kind::Audit,
                "SELECT i.instance, f.number FROM site_audit f JOIN instance i ON i.id = f.instance",
            ),
        ] {
            let rows: Vec<(String, u64)> = ledger
                .read(|c| {
                    let mut select = c.prepare(sql).sql("ask")?;
                    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).sql("ask")?;
                    rows.collect::<rusqlite::Result<_>>().sql("ask")
                })
                .unwrap();
            let found: BTreeSet<(String, u64)> = rows.iter().cloned().collect();
            ensure(found.len() == rows.len(), || format!("{kind:?}: a number is there twice"))?;
            let known = self.book.known(kind);
            ensure(found == known, || {
                let more: Vec<_> = found.difference(&known).collect();
                let less: Vec<_> = known.difference(&found).collect();
                format!("{kind:?}: {more:?} should not be in the ledger, {less:?} should")
            })?;
        }
        let rows: Vec<(String, u8, u64, u64)> = ledger
            .read(|c| {
                let mut select = c
                    .prepare("SELECT i.instance, f.kind, f.first, f.last FROM coverage f JOIN instance i ON i.id = f.instance")
                    .sql("ask")?;
                let rows = select
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                    .sql("ask")?;
                rows.collect::<rusqlite::Result<_>>().sql("ask")
            })
            .unwrap();
        let mut found = BTreeSet::new();
        for (instance, kind, first, last) in rows {
            let kind = [Kind::Records, Kind::Receipts, Kind::Audit][usize::from(kind) - 1];
            for number in first..=last {
                ensure(found.insert((instance.clone(), kind, number)), || {
                    format!("{kind:?} {number} is covered twice")
                })?;
            }
        }
        ensure(found == self.book.told(), || {
            "another coverage than what was told".into()
        })?;
        let shown = ledger.read(|c| airlock::db::ledger::shown(c, &cast.site)).unwrap();
        let shown = shown.map(|line| line.youngest().instance.clone());
        ensure(shown.as_ref() == self.book.shown_name(), || {
            format!("{shown:?} is shown, not {:?}", self.book.shown_name())
        })
    }

    /// Makes what the site is acknowledged; nothing where there is nothing to say, or where that would let go what is missing here.
    pub(super) fn acknowledge(&mut self, cast: &Cast, now: Timestamp) -> Result<Option<Vec<u8>>, String> {
        let site = site(&self.workspace, cast.site.as_str()).unwrap();
        let mut keys = || {
            self.workspace
                .signing_keys(RoleName::Ack, &mut |_| panic!("no passphrase"))
        };
        let issued = match acknowledge(&self.workspace, &site, &mut keys, now) {
            Ok(issued) => issued,
            Err(error) if error.code() == "nothing-to-acknowledge" => return Ok(None),
            Err(error) if error.code() == "packages-missing" && self.book.misses_packages() => return Ok(None),
            Err(error) => return Err(format!("acknowledge: {error}")),
        };
        let says = &issued.says;
        if issued.is_new {
            ensure(!self.book.misses_packages(), || {
                "packages are missing, and what they tell is acknowledged".into()
            })?;
            let most = self
                .book
                .acknowledgeable()
                .ok_or("nothing was taken in, and it is acknowledged")?;
            for (kind, said) in [
                (Kind::Records, says.records),
                (Kind::Receipts, says.receipts),
                (Kind::Audit, says.audit.number),
            ] {
                ensure(said <= most.of(kind), || {
                    format!("{kind:?} up to {said} are acknowledged, and {} are here", most.of(kind))
                })?;
            }
            ensure(says.number > self.book.issued, || {
                format!("number {} again", says.number)
            })?;
            self.book.issued = says.number;
        }
        Ok(Some(issued.envelope))
    }

    /// Ends the finding that packages never came: a person knows that they are gone.
    pub(super) fn give_up_packages(&mut self, cast: &Cast, now: Timestamp) -> Result<(), String> {
        let ledger = self.workspace.ledger().unwrap();
        let open = ledger.read(|c| findings::open(c, Some(&cast.site))).unwrap();
        let missing = open.iter().find(|finding| finding.code == "package-missing");
        let id = missing.ok_or("no package is missing")?.id;
        ledger
            .write(|transaction| findings::end(transaction, id, now).map(drop))
            .map_err(|error| error.to_string())?;
        self.book.findings.remove("package-missing");
        Ok(())
    }

    /// Takes an enrolment file in the place of the one before.
    pub(super) fn replace(&mut self, cast: &Cast, file: &[u8], now: Timestamp) -> Result<(), String> {
        let key = Enrolment::parse(file).unwrap().status.id;
        let replaced = replace(&self.workspace, file, cast.site.as_str(), now);
        if key == self.book.key {
            return replaced.map(drop).map_err(|error| error.to_string());
        }
        if self.book.earlier.contains(&key) {
            let code = replaced.err().map(|error| error.code());
            return ensure(code == Some("replaced-key"), || format!("an earlier key: {code:?}"));
        }
        replaced.map_err(|error| format!("enroll --replace: {error}"))?;
        self.book.replace_key(key);
        Ok(())
    }

    pub(super) fn teach(&mut self, bundle: &[u8]) {
        teach(&self.workspace, bundle);
        self.book.signed.insert(head_of(bundle));
    }

    pub(super) fn back_up(&self, to: &Path) -> Book {
        copy_folder(&self.folder, to);
        self.book.clone()
    }

    pub(super) fn restore(&mut self, from: &Path, book: &Book) {
        fs::remove_dir_all(&self.folder).unwrap();
        copy_folder(from, &self.folder);
        self.workspace = Workspace::open(&self.folder).unwrap();
        self.book = book.clone();
    }
}

/// The head digest of a bundle.
pub(super) fn head_of(bundle: &[u8]) -> Hash {
    let input = Box::new(std::io::Cursor::new(bundle.to_vec()));
    airlock::bundle::OpenedBundle::open(input).unwrap().head_digest()
}
