//! A release that is here is imported once more: what of it is missing or damaged is taken from its bundle (design D23, X11 once more).
//!
//! Everything that the store holds of the release is hashed: blobs, release documents, index pages; and its kept head is checked. What
//! is damaged is set aside, what comes in is durable before the rows say so, and nothing that is live changes but that damage ends. A stop
//! at any point leaves less damage than before, and the next try restores the rest.
//!
//! A repair file holds some chunks of the bundle. What it cannot make whole stays damaged and is named; one that mends nothing of what is
//! damaged is refused. Of a large blob only lost pieces need to come: the others are taken from what was set aside.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::admit::Here;
use super::event::Event;
use super::{bases, needs, room};
use crate::appliance::damage::{carrier, import_again};
use crate::appliance::live::signed_head;
use crate::appliance::release_rows::Rows;
use crate::appliance::state::Appliance;
use crate::bundle::{Blob, Head, Index, Need, RestoredSink, VerifiedBundle};
use crate::container::{ChosenSink, ChunkRanges};
use crate::crypto::ReceiptResult;
use crate::db::site::receipts::{self, About, Act, ReceiptRow};
use crate::db::site::release::{self, ReleaseId, ReleaseRow};
use crate::db::site::{damage, rows};
use crate::domain::{Class, Digest, Error, Hash, Result, Step, Timestamp, limits};
use crate::encoding::{Base, BasePlains, Unpacked};
use crate::store::{Condition, LeftOver, Staging, Store};
use crate::stream::{ordered_map, worker_count};

/// What healing a release came to.
#[derive(Debug)]
pub(super) struct Healed {
    pub(super) head: Head,
    pub(super) head_digest: Hash,
    /// Blobs, documents and index pages that were restored, or, in a dry run, would be.
    pub(super) blobs: u64,
    /// Whether the kept head or its signatures were.
    pub(super) signed_head: bool,
    /// Rows of the database that said nothing of it, or something else.
    pub(super) rows: u64,
    /// The receipt, when anything was restored.
    pub(super) receipt: Option<ReceiptRow>,
    /// Damage that this bundle cannot heal, for an earlier one carried the content.
    pub(super) lost: Vec<Error>,
}

/// Looks what of a release is not whole, and restores it unless it is a dry run.
pub(super) fn heal(
    appliance: &Appliance,
    here: Here,
    dry_run: bool,
    started: Timestamp,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Healed> {
    let (head, head_digest) = (here.bundle.head().clone(), here.bundle.head_digest());
    let (head_bytes, signatures) = (here.bundle.head_bytes().to_vec(), here.bundle.signatures_bytes());
    let signed_head = is_head_damaged(appliance, &here.release)?;
    let mut patient = Patient {
        appliance,
        release: here.release.id,
        head: head_digest,
        dry_run,
        known: appliance
            .db
            .read(damage::list)?
            .into_iter()
            .map(|row| row.digest)
            .collect(),
        staging: None,
        restored: HashSet::new(),
        midstates: HashMap::new(),
        chunk_bytes: head.chunk_bytes.max(limits::CHUNK_BYTES_MIN),
        left: HashMap::new(),
        signed_head,
        is_rest_damaged: false,
        total: 0,
        events,
    };
    let bundle = here.bundle.read_index(|hash, page| patient.page(hash, page))?;
    patient.total = bundle.total_bytes();
    let index = bundle.index().clone();
    let lost = patient.blobs(bundle)?;
    let is_rest_damaged = patient.is_rest_damaged;
    let Patient {
        staging,
        restored,
        midstates,
        chunk_bytes,
        ..
    } = patient;
    // Names come from documents, and in a dry run, or beyond a repair file, those that are damaged stay so.
    let rows = if is_rest_damaged || (dry_run && !restored.is_empty()) {
        None
    } else {
        Some(Rows::of(&head, &index, &appliance.store)?)
    };
    let wrong = match &rows {
        Some(rows) => appliance
            .db
            .read(|connection| rows::count_wrong(connection, here.release.id, &rows.expected()))?,
        None => 0,
    };
    let mut healed = Healed {
        rows: wrong,
        head,
        head_digest,
        blobs: restored.len() as u64,
        signed_head,
        receipt: None,
        lost,
    };
    if !dry_run && (signed_head || wrong > 0 || !restored.is_empty()) {
        let record = Record {
            appliance,
            release: &here.release,
            root_version: here.root_version,
            started,
        };
        let put_right = PutRight {
            signed_head: signed_head.then_some((head_bytes.as_slice(), signatures.as_slice())),
            rows: rows.filter(|_| wrong > 0),
            restored,
            midstates,
            chunk_bytes,
        };
        let receipt = record.keep(&healed, &put_right);
        healed.receipt = Some(receipt.map_err(|error| error.at(Step::X14))?);
    }
    if let Some(staging) = staging {
        staging.remove().map_err(|error| error.at(Step::X16))?;
    }
    Ok(healed)
}

/// Whether what the database keeps of the signed head is not what was signed.
fn is_head_damaged(appliance: &Appliance, release: &ReleaseRow) -> Result<bool> {
    let pins = appliance.good_pins()?;
    match appliance.db.read(|connection| signed_head(connection, &pins, release)) {
        Ok(_) => Ok(false),
        Err(error) if error.class() == Class::State => Ok(true),
        Err(error) => Err(error),
    }
}

/// A release under examination, and what is restored of it.
struct Patient<'a> {
    appliance: &'a Appliance,
    release: ReleaseId,
    head: Hash,
    dry_run: bool,
    /// Damage that was known before: of it, what is whole by now was restored by a try that was stopped.
    known: HashSet<Digest>,
    /// Opened when the first damage is met.
    staging: Option<Staging>,
    restored: HashSet<Digest>,
    /// Midstates of large blobs that were restored.
    midstates: HashMap<Digest, Vec<Hash>>,
    chunk_bytes: u64,
    /// What is left of large blobs, beside a repair file.
    left: HashMap<Digest, LeftOver>,
    /// Whether the kept head is damaged, which any file of the bundle mends.
    signed_head: bool,
    /// Whether a repair file left something of the release damaged.
    is_rest_damaged: bool,
    total: u64,
    events: &'a mut dyn FnMut(Event<'_>),
}

impl Patient<'_> {
    fn store(&self) -> &Store {
        &self.appliance.store
    }

    /// An index page, whose bytes are at hand.
    fn page(&mut self, hash: Hash, bytes: &[u8]) -> Result<()> {
        let digest = Digest(hash);
        let condition = look(self.store(), self.dry_run, &digest, bytes.len() as u64)?;
        if self.judge(digest, &condition) && !self.dry_run {
            self.staging()?.put(&digest, bytes)?;
        }
        Ok(())
    }

    /// Counts what is to be restored, or was by a try before; says whether there is work left.
    fn judge(&mut self, digest: Digest, condition: &Condition) -> bool {
        let whole = condition.is_whole();
        if !whole || self.known.contains(&digest) {
            self.restored.insert(digest);
        }
        !whole
    }

    fn staging(&mut self) -> Result<&mut Staging> {
        let staging = if let Some(staging) = self.staging.take() {
            staging
        } else {
            // What an import of it left says nothing of what is missing now.
            Staging::discard(self.store(), self.head)?;
            Staging::open(self.store(), self.head)?
        };
        Ok(self.staging.insert(staging))
    }

    /// Every blob of the release; returns the damage that the bundle cannot heal.
    fn blobs(&mut self, bundle: VerifiedBundle) -> Result<Vec<Error>> {
        let carried: Vec<(Digest, u64)> = bundle
            .index()
            .blobs()
            .iter()
            .map(|blob| (blob.digest, blob.size))
            .collect();
        let needed = self.needed(bundle.index())?;
        let domain = bundle.head().domain;
        let mut lost = Vec::new();
        for (digest, condition) in self.look_at_all(&needed)? {
            if !condition.is_whole() {
                lost.push(unrestorable(self.appliance, domain, &digest, &condition)?);
            }
        }
        let mut wanted: HashMap<Digest, u64> = HashMap::new();
        let sizes: HashMap<Digest, u64> = carried.iter().copied().collect();
        for (digest, condition) in self.look_at_all(&carried)? {
            if self.judge(digest, &condition) {
                wanted.insert(digest, sizes.get(&digest).copied().unwrap_or(0));
            }
        }
        lost.extend(self.beyond(&bundle, &mut wanted, carried.len())?);
        let scratch = self.check_bases(&bundle, &wanted)?;
        if self.dry_run || wanted.is_empty() {
            if let Some(staging) = &mut self.staging {
                staging.flush()?;
            }
            return Ok(lost);
        }
        let bytes = wanted.values().copied().fold(0, u64::saturating_add);
        room::check_space(self.appliance, bytes, wanted.len() as u64, scratch).map_err(|error| error.at(Step::X10))?;
        let source = match bundle.repair() {
            Some(_) => "the repair file",
            None => "the bundle",
        };
        // The same count as the outcome's: with index pages, and with what a try that was stopped had restored.
        let all = carried.len().saturating_add(bundle.head().index.len());
        (self.events)(Event::Note(match self.restored.len() {
            1 => format!("1 of {all} blobs is to be restored: it is taken from {source}"),
            count => format!("{count} of {all} blobs are to be restored: they are taken from {source}"),
        }));
        self.staging()?;
        let left = std::mem::take(&mut self.left);
        let beside = |blob: &Blob, offset: u64, buffer: &mut [u8]| match left.get(&blob.digest) {
            Some(left) => left.read(offset, buffer).map(|()| true),
            None => Ok(false),
        };
        let read = bundle.read_chosen_beside(&|blob| wanted.contains_key(&blob.digest), &beside, self);
        // What was verified is good whatever became of the rest; the first error is the one to report.
        let kept = self.staging()?.flush().map_err(|error| error.at(Step::X11));
        read.and(kept)?;
        Ok(lost)
    }

    /// Needed content of the release: what others are only copied from may be gone by now.
    fn needed(&self, index: &Index) -> Result<Vec<(Digest, u64)>> {
        let bases = index.needed_bases();
        let own = if bases.is_empty() {
            Vec::new()
        } else {
            self.appliance
                .db
                .read(|connection| release::blobs(connection, self.release))?
        };
        let own: HashSet<Digest> = own.into_iter().map(|(digest, _)| digest).collect();
        let is_content = |need: &&Need| !bases.contains(&need.digest) || own.contains(&need.digest);
        let needs = index.needs().iter().filter(is_content);
        Ok(needs.map(|need| (need.digest, need.size)).collect())
    }

    /// Takes out of what is wanted what a repair file cannot make whole, and says so of each.
    ///
    /// # Errors
    ///
    /// `E-DEPENDENCY repair` at X10 when it mends nothing of what is damaged.
    fn beyond(
        &mut self,
        bundle: &VerifiedBundle,
        wanted: &mut HashMap<Digest, u64>,
        carried: usize,
    ) -> Result<Vec<Error>> {
        let Some(chunks) = bundle.repair() else {
            return Ok(Vec::new());
        };
        for digest in wanted.keys() {
            if let Some(left) = self.appliance.left_over(digest)? {
                self.left.insert(*digest, left);
            }
        }
        let is_left = |digest: &Digest, bytes: u64, piece: u64| {
            let left = self.left.get(digest).filter(|left| left.piece_size() == bytes);
            left.is_some_and(|left| left.lost().binary_search(&piece).is_err())
        };
        let mendable = bundle.mendable(&|digest| wanted.contains_key(digest), &is_left);
        let beyond: BTreeSet<Digest> = wanted
            .keys()
            .filter(|digest| !mendable.contains(digest))
            .copied()
            .collect();
        if beyond.is_empty() {
            return Ok(Vec::new());
        }
        self.is_rest_damaged = true;
        for digest in &beyond {
            wanted.remove(digest);
            self.restored.remove(digest);
        }
        if self.restored.is_empty() && !self.signed_head {
            return Err(mends_nothing(chunks, beyond.len(), carried).at(Step::X10));
        }
        Ok(beyond.iter().map(left_damaged).collect())
    }

    /// What lost blobs are copied from is here, whole; returns how much of it is unpacked at once.
    fn check_bases(&mut self, bundle: &VerifiedBundle, wanted: &HashMap<Digest, u64>) -> Result<u64> {
        let index = bundle.index();
        let lost = index.blobs().iter().filter(|blob| wanted.contains_key(&blob.digest));
        let copied_from: BTreeSet<Digest> = lost
            .flat_map(|blob| index.bases(blob))
            .filter(|base| !base.carried)
            .map(|base| base.digest)
            .collect();
        let of_bases = index.needs().iter().filter(|need| copied_from.contains(&need.digest));
        let of_bases: Vec<Need> = of_bases.copied().collect();
        needs::check(
            self.appliance,
            bundle.head().domain,
            (&of_bases, &copied_from),
            self.dry_run,
            self.events,
        )
        .map_err(|error| error.at(Step::X10))?;
        Ok(index.largest_scratch())
    }

    /// Looks at content over all cores, and tells how far it is.
    fn look_at_all(&mut self, content: &[(Digest, u64)]) -> Result<Vec<(Digest, Condition)>> {
        let total = content.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
        let (mut waiting, mut done, mut looked) = (content.iter().copied(), 0_u64, Vec::with_capacity(content.len()));
        let (appliance, dry_run) = (self.appliance, self.dry_run);
        let look = |(digest, size): (Digest, u64)| {
            let condition = look(&appliance.store, dry_run, &digest, size)?;
            Ok::<_, Error>((digest, size, condition))
        };
        let workers = worker_count();
        ordered_map(
            workers,
            workers.saturating_mul(4),
            || waiting.next(),
            || look,
            |out: Result<(Digest, u64, Condition)>| {
                let (digest, size, condition) = out?;
                looked.push((digest, condition));
                done = done.saturating_add(size);
                (self.events)(Event::Checked { done, total });
                Ok(())
            },
        )
        .map_err(|error: Error| error.at(Step::X10))?;
        Ok(looked)
    }
}

/// Looks how content is; what is damaged is set aside, but for a dry run.
fn look(store: &Store, dry_run: bool, digest: &Digest, size: u64) -> Result<Condition> {
    if dry_run {
        store.examine(digest, size)
    } else {
        store.check(digest, size)
    }
}

/// What makes another repair file.
const ANOTHER: &str = "have another repair file made by what is damaged now, which `airlock scrub --report FILE` writes down, or import the whole bundle";

fn mends_nothing(chunks: &ChunkRanges, damaged: usize, carried: usize) -> Error {
    Error::new(
        Class::Dependency,
        "repair",
        format!("this repair file holds the chunks {chunks}, and mends none of the {damaged} of {carried} blobs that are damaged here"),
    )
    .expected("every chunk of a blob that is damaged")
    .remedy(ANOTHER)
}

fn left_damaged(digest: &Digest) -> Error {
    Error::new(
        Class::Dependency,
        "repair",
        format!("{digest} is damaged, and this repair file does not hold all of it"),
    )
    .expected("every chunk of it")
    .remedy(ANOTHER)
}

/// Says what heals content that the bundle does not carry.
fn unrestorable(appliance: &Appliance, domain: Hash, digest: &Digest, condition: &Condition) -> Result<Error> {
    let carrier = appliance.db.read(|connection| carrier(connection, domain, digest))?;
    let error = Error::new(
        Class::Dependency,
        "base-damaged",
        format!("{digest} is needed and not carried by this bundle: {condition}"),
    )
    .expected("content that an earlier bundle brought");
    Ok(match carrier {
        Some(release) => error.remedy(import_again(&release)),
        None => error,
    })
}

impl ChosenSink<Blob> for Patient<'_> {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if blob.size > limits::CHUNK_BYTES_DEFAULT {
            self.midstates.insert(blob.digest, Vec::new());
        }
        self.staging()?.put(&blob.digest, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.staging()?.begin(&blob.digest);
        Ok(())
    }

    fn piece(&mut self, blob: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        let staging = self.staging()?;
        staging.shelf().write(&blob.digest, blob.size, offset, bytes)?;
        staging.advance(bytes.len() as u64);
        Ok(())
    }

    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        if blob.size > limits::CHUNK_BYTES_DEFAULT {
            self.midstates.insert(blob.digest, midstates);
        }
        self.staging()?.end();
        Ok(())
    }

    fn chunk_done(&mut self, position: u64) -> Result<()> {
        self.staging()?.picked()?;
        (self.events)(Event::Progress {
            done: position,
            total: self.total,
        });
        Ok(())
    }
}

impl RestoredSink for Patient<'_> {
    fn bases(&mut self, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        if bases.iter().any(|base| base.carried) {
            self.staging()?.flush()?;
        }
        bases::open(self.store(), blob, bases, unpacked)
    }

    fn unrestored(&mut self, blob: &Blob) -> Result<()> {
        Err(Error::new(
            Class::Internal,
            "bases",
            format!("{} was not restored although its bases are here", blob.digest),
        ))
    }
}

/// What changes in the database.
struct PutRight<'a> {
    /// Head and signatures, where they were damaged.
    signed_head: Option<(&'a [u8], &'a [u8])>,
    /// What the rows of the release shall say, where they say something else.
    rows: Option<Rows>,
    restored: HashSet<Digest>,
    midstates: HashMap<Digest, Vec<Hash>>,
    chunk_bytes: u64,
}

/// Writes down that a release was healed.
struct Record<'a> {
    appliance: &'a Appliance,
    release: &'a ReleaseRow,
    root_version: u64,
    started: Timestamp,
}

impl Record<'_> {
    /// One transaction: the signed head and rows where they were damaged, midstates, the end of the damage, receipt and audit row.
    fn keep(&self, healed: &Healed, put_right: &PutRight<'_>) -> Result<ReceiptRow> {
        let signer = self.appliance.signer()?;
        let head = &healed.head;
        self.appliance.db.write(|transaction| {
            let id = self.release.id;
            if let Some((bytes, signatures)) = put_right.signed_head {
                let (counter, version) = (head.counter(), &head.version);
                damage::restore_head(transaction, id, bytes, signatures, self.root_version, counter, version)?;
            }
            if let Some(rows) = &put_right.rows {
                rows::restore(transaction, id, &rows.expected())?;
            }
            for (digest, midstates) in &put_right.midstates {
                damage::restore_pieces(transaction, digest, put_right.chunk_bytes, midstates)?;
            }
            for digest in &put_right.restored {
                damage::end(transaction, digest)?;
            }
            damage::raise_repairs(transaction)?;
            let mut detail = super::record::describe(head, healed.head_digest);
            let scope = head.scope();
            let about = About {
                scope: &scope,
                counter: head.counter(),
                head: healed.head_digest,
                root_version: self.root_version,
                version: &head.version,
            };
            let mut told = about.told();
            if let Some(members) = told.as_object_mut() {
                members.insert("restored".into(), healed.blobs.into());
            }
            if let Some(members) = detail.as_object_mut() {
                members.insert("restored".into(), healed.blobs.into());
                if healed.rows > 0 {
                    members.insert("restored_rows".into(), healed.rows.into());
                }
                if healed.signed_head {
                    members.insert("restored_head".into(), true.into());
                }
            }
            let act = Act {
                at: self.started,
                action: "restore",
                result: ReceiptResult::Imported,
                refusal: None,
                detail,
                told,
            };
            receipts::issue(transaction, &signer, &about, act)
        })
    }
}
