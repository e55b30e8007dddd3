//! Puts a backup back: read to its end first, then into an empty folder, whole or not at all, as another life of the appliance.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::facts::SiteFacts;
use super::newer::Newer;
use crate::appliance::folder::{
    AUTHORITY_CERTIFICATE, DATABASE, IDENTITY, INSTANCE, MARKS, NEW_DATABASE, OUTBOX, RECEIPTS, RESERVE, RESTORING,
    ROOTS, SECRETS, STATUS_MARK, clear, may_restore, take_to_restore,
};
use crate::appliance::{enrolment, instance, instance_file, marks, pins, present, reserve};
use crate::backup::{Entry, Kind, OpenedBackup, damaged};
use crate::db::site::instances::Reason;
use crate::db::site::{appliance, audit, time_floor, trust};
use crate::db::{Db, Schema};
use crate::domain::{Class, Error, InstanceId, Result, Timestamp};
use crate::store::{Store, space};
use crate::stream::{create_new, create_own_folder, sync_folder};

/// Bytes that are copied at a time.
const COPIED: usize = 64 << 10;
/// Bytes that stay free: the reserve, the log of the database, folders.
const MARGIN: u64 = 16 << 20;
/// Marks in a row of the log: details are short.
const NAMED: usize = 32;

/// A backup that was read to its end, and may be put back.
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct Restore {
    opened: OpenedBackup,
    /// The files in it.
    names: BTreeSet<String>,
    /// What it says of the site.
    pub facts: SiteFacts,
    /// When it was made.
    pub made_at: Timestamp,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What others know that it does not.
    pub newer: Newer,
}

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The life that began.
    pub instance: InstanceId,
    /// Where it lies.
    pub folder: PathBuf,
}

impl Restore {
    /// Reads a backup to its end and compares it with others of its site: state folders, or backups with the same passphrase. Writes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`OpenedBackup`]; `E-USAGE other-site`; those of reading the others.
    pub fn read(
        path: &Path,
        passphrase: &str,
        against: &[PathBuf],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self> {
        let mut opened = OpenedBackup::open(path, Kind::Site, passphrase)?;
        let facts = opened.facts::<SiteFacts>()?;
        let mut names = BTreeSet::new();
        let mut each = |name| {
            names.insert(name);
        };
        let (files, bytes) = opened.check(&mut each, progress)?;
        let mut newer = Newer::default();
        for other in against {
            newer.add(&facts, other, passphrase)?;
        }
        Ok(Self {
            made_at: opened.made_at(),
            opened,
            names,
            facts,
            files,
            bytes,
            newer,
        })
    }

    /// Puts it back into a folder that is new or empty.
    ///
    /// # Errors
    ///
    /// `E-STATE already`, `part-of-state`, `not-empty` when the folder holds anything, `restore-stopped` when what a stopped one left is not this
    /// backup's alone; `E-BUSY restore`; `E-INTEGRITY backup-damaged` when the
    /// file was changed meanwhile; `E-SPACE`, `E-IO`, `E-STATE`. The folder is empty then; where the program was killed, no command takes
    /// it for an appliance, and the next try begins anew.
    pub fn put_back(&mut self, state: &Path, now: Timestamp, progress: &mut dyn FnMut(u64, u64)) -> Result<Restored> {
        // Which backup it is: no other was made in that life at that time.
        let mark = format!("{} {}\n", self.facts.instance, self.made_at);
        let (folder, _lock) = take_to_restore(state, &mark, &|path| self.makes(path))?;
        match self.fill(&folder, now, progress) {
            Ok(instance) => Ok(Restored { instance, folder }),
            Err(error) => Err(match clear(&folder) {
                Ok(()) => error,
                Err(left) => error.and_then(&left),
            }),
        }
    }

    /// Whether a file is one that putting this back makes.
    fn makes(&self, path: &str) -> bool {
        // Also as it is called while it is written.
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let name = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".new"))
            .unwrap_or(name);
        let path = if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        let other = path.starts_with(NEW_DATABASE) || [RESERVE, INSTANCE].contains(&path.as_str());
        other || self.names.contains(&path) || (folder == OUTBOX && name.starts_with("enrolment-"))
    }

    fn fill(&mut self, folder: &Path, now: Timestamp, progress: &mut dyn FnMut(u64, u64)) -> Result<InstanceId> {
        check_room(folder, self.bytes)?;
        Store::create(folder)?;
        for name in [IDENTITY, ROOTS, RECEIPTS, SECRETS, OUTBOX] {
            create_own_folder(&folder.join(name))?;
        }
        self.opened.rewind()?;
        let mut done = 0_u64;
        while let Some(entry) = self.opened.entry()? {
            put(folder, &entry, &mut self.opened)?;
            done = done.saturating_add(entry.size);
            progress(done, self.bytes);
        }
        reserve::fill(folder)?;
        self.begin_life(folder, now)
    }

    /// Begins another life, takes over what others know, and gives the database its name, all of it durable before that.
    fn begin_life(&self, folder: &Path, now: Timestamp) -> Result<InstanceId> {
        let db = Db::open(&folder.join(NEW_DATABASE), &Schema::SITE)?;
        db.quick_check()?;
        let life = instance::new()?;
        let pinned = pins::read_good(&folder.join(ROOTS))?.chains;
        db.write(|transaction| {
            instance::record(transaction, &life, Reason::Restored, now)?;
            for root in self.newer.roots.iter().filter(|root| root.is_taken_over()) {
                let Some((pin, chain)) = pinned
                    .iter()
                    .find(|pin| pin.domain() == root.domain)
                    .zip(root.chain.as_ref())
                else {
                    continue;
                };
                let held = trust::load_chain(transaction, pin)?;
                let links: Vec<_> = chain.links().cloned().collect();
                let step = held.extend(&links);
                if let Some(refusal) = step.refusal {
                    return Err(refusal);
                }
                let first = held.newest().version.saturating_add(1);
                present::keep_links(transaction, &step.chain, first, now)?;
            }
            for (domain, floor) in &self.newer.floors {
                time_floor::raise(transaction, *domain, *floor)?;
            }
            if let Some(approvals) = self.newer.approvals {
                appliance::set_approvals(transaction, approvals)?;
                let detail = json!({"from": self.facts.approvals, "to": approvals});
                audit::append(transaction, now, "approvals", &detail, &[])?;
            }
            let marks: Vec<_> = self
                .newer
                .marks
                .iter()
                .take(NAMED)
                .map(|mark| {
                    json!({
                        "channel": mark.scope.channel, "domain": mark.scope.domain, "head": mark.to.head,
                        "product": mark.scope.product, "to": mark.to.counter.to_string(),
                    })
                })
                .collect();
            let detail = json!({
                "before": self.facts.instance, "content": self.facts.content, "made_at": self.made_at, "marks": marks,
                "rows_lost": self.newer.rows,
            });
            audit::append(transaction, now, "put-back", &detail, &[]).map(|_| ())
        })?;
        for mark in &self.newer.marks {
            marks::raise(folder, &mark.scope, mark.to)?;
        }
        instance_file::write(folder, &life)?;
        enrolment::lay_out(folder, &db)?;
        // Content has been written without a sync of each.
        let handle = File::open(folder).map_err(|error| Error::io("open", folder, error))?;
        rustix::fs::syncfs(&handle).map_err(|error| Error::io("sync", folder, error.into()))?;
        db.put_in_place(&folder.join(DATABASE))?;
        let marker = folder.join(RESTORING);
        fs::remove_file(&marker).map_err(|error| Error::io("remove", &marker, error))?;
        sync_folder(folder)?;
        Ok(life)
    }
}

/// Checks that what is put back has room.
fn check_room(folder: &Path, bytes: u64) -> Result<()> {
    let (wanted, free) = (bytes.saturating_add(MARGIN), space(folder)?.bytes);
    if wanted <= free {
        return Ok(());
    }
    Err(Error::new(
        Class::Space,
        "no-space",
        format!("{} has {free} bytes left", folder.display()),
    )
    .expected(format!("room for {wanted} bytes"))
    .remedy("free space there, or give another --state folder; nothing was written"))
}

fn put(folder: &Path, entry: &Entry, opened: &mut OpenedBackup) -> Result<()> {
    if !may_restore(&entry.path) {
        return Err(damaged());
    }
    // Which life it was is told by the database; that file is written anew.
    if entry.path == INSTANCE {
        return Ok(());
    }
    let name = if entry.path == DATABASE {
        NEW_DATABASE
    } else {
        entry.path.as_str()
    };
    let path = folder.join(name);
    let mode = match name {
        // What everybody may know; and content, which nobody changes.
        AUTHORITY_CERTIFICATE => 0o644,
        _ if name.starts_with("blobs/") => 0o444,
        _ => u32::try_from(entry.mode).unwrap_or(0o600),
    };
    let mut file = create_new(&path, mode)?;
    loop {
        let bytes = opened.content(COPIED)?;
        if bytes.is_empty() {
            break;
        }
        file.write_all(bytes)
            .map_err(|error| Error::io("write", &path, error))?;
    }
    // What decides is synced by itself; the rest all at once.
    if matches!(name, NEW_DATABASE | MARKS | STATUS_MARK) {
        file.sync_all().map_err(|error| Error::io("write", &path, error))?;
    }
    Ok(())
}
