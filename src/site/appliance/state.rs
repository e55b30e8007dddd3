//! The state folder of an appliance (design, section 7) and its one owner in a process: security database, store, clock and keys
//! are opened here, once; everything else is a view of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::StatVfsMountFlags;

use super::folder::{self, DATABASE, LOCK, RECEIPTS, ROOTS, STATUS_DATABASE, TOKEN_KEY};
use super::keys::Keys;
use super::pins::Pins;
use super::place::Place;
use super::shared_hosts::SharedHosts;
use super::unreadable::Unreadable;
use super::{enrolment, identity, last_generation, pins, present, reserve, set_aside, status_key, suspect};
use crate::crypto::{Chain, SigningKey};
use crate::db::site::appliance::ApplianceRow;
use crate::db::site::receipts::Signer;
use crate::db::site::{name_claims, release, trust};
use crate::db::{self, Connection, Db, Reader, Schema};
use crate::domain::{Class, Clock, Error, Hash, InstanceId, Result, SiteId, Step, Timestamp};
use crate::store::Store;
use crate::stream::{LockFile, lock_holder, open_or_create};

/// How long an act that takes moments waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(20);

/// An appliance whose state was opened.
pub struct Appliance {
    pub(super) folder: PathBuf,
    pub(super) place: Arc<Place>,
    /// Trust, content, names, evidence.
    pub db: Arc<Db>,
    /// Content.
    pub store: Store,
    /// This machine's time.
    pub clock: Arc<dyn Clock>,
    pub(super) shared_hosts: SharedHosts,
    pub(super) identity: ApplianceRow,
    pub(super) keys: Mutex<Option<Arc<Keys>>>,
    /// The life that began when this was opened.
    pub(super) begun: Option<InstanceId>,
    pub(super) lost_content: bool,
    pub(super) unreadable: Option<Unreadable>,
}

/// Held while an import runs; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct ImportLock {
    _file: LockFile,
}

impl Appliance {
    /// Opens the state folder of an appliance; its owner is compared before anything in it is opened ([`folder`]).
    ///
    /// # Errors
    ///
    /// `E-STATE` when there is none, it is another user's, others may write it, a name in it leads elsewhere, or it is damaged.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = folder::check(folder)?;
        folder::complete(&folder)?;
        let db = Arc::new(open_database(&folder)?);
        // Where nothing was imported yet its folders are empty too.
        let lost_content = Store::complete(&folder)? && !db.read(release::list)?.is_empty();
        let place = Arc::new(Place::of(&folder)?);
        let store = {
            let (db, clock) = (db.clone(), clock.clone());
            Store::open(&folder, move |aside| set_aside::record(&db, aside, clock.now()))?
        };
        let row = db.read(db::site::appliance::get)?;
        let begun = match identity::settle(&folder, &db, clock.now()) {
            Ok(life) => life.is_copy.then_some(life.instance),
            Err(error) => {
                // What is live is served all the same; imports and exports ask again, and are told.
                tracing::warn!(%error, "which life of the state folder this is could not be settled");
                None
            }
        };
        Ok(Self {
            folder,
            place,
            db,
            store,
            clock,
            shared_hosts: SharedHosts::default(),
            identity: row,
            keys: Mutex::default(),
            begun,
            lost_content,
            unreadable: None,
        })
    }

    /// Says which hosts belong to nobody here, in place of the defaults.
    #[must_use]
    pub fn with_shared_hosts(self, shared_hosts: SharedHosts) -> Self {
        Self { shared_hosts, ..self }
    }

    /// Returns the domains that hosts belong to (D18 c); those on which many publish belong to nobody.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn host_owners(&self, connection: &Connection) -> Result<BTreeMap<String, Hash>> {
        let mut owners = name_claims::host_owners(connection)?;
        owners.retain(|host, _| !self.shared_hosts.contains(host));
        Ok(owners)
    }

    /// Returns the life that began when this was opened, since the state folder was copied or restored: a person is to be told.
    pub fn begun_as_a_copy(&self) -> Option<&InstanceId> {
        self.begun.as_ref()
    }

    /// Whether the folder of content was not there when this was opened, and was made anew: a person is to be told.
    pub fn opened_without_content(&self) -> bool {
        self.lost_content
    }

    /// Returns the state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder as it was opened: whether it stands in its place still.
    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Says whether the state folder, or a part that this process holds open, was replaced since: then nobody is to be answered from what
    /// was opened.
    ///
    /// # Errors
    ///
    /// `E-STATE state-replaced`, as it was noticed last.
    pub fn check_place(&self) -> Result<()> {
        self.place.check()
    }

    /// Returns how long the file of the database is; 0 where it cannot be looked at.
    pub(super) fn database_bytes(&self) -> u64 {
        let found = std::fs::symlink_metadata(self.folder.join(DATABASE));
        found.map_or(0, |found| found.len())
    }

    /// Checks the structure of the database as it stands on the disk: through a connection that has nothing of it in memory.
    ///
    /// # Errors
    ///
    /// `E-STATE database-damaged`; `E-IO`.
    pub(super) fn check_database_file(&self) -> Result<()> {
        Reader::open(&self.folder.join(DATABASE), &Schema::SITE)?.quick_check()
    }

    /// Says that the database was found damaged while it was served from: the next start reads all of it. Returns what to say of it.
    pub(super) fn suspect_database(&self, error: Error) -> Error {
        if !error.is(db::DAMAGED) {
            return error;
        }
        if let Err(error) = suspect::note(&self.folder) {
            tracing::error!(%error, "the next start will not know that the database was found damaged");
        }
        match (last_generation::is_there(&self.folder), error.advice()) {
            (Ok(true), Some(remedy)) => {
                let remedy = format!("{remedy}; until then, airlock serve, started again, serves the last generation");
                error.remedy(remedy)
            }
            _ => error,
        }
    }

    /// Returns when the file of the database was written last, by whomever; nothing where it cannot be looked at.
    pub(super) fn database_written_at(&self) -> Option<SystemTime> {
        folder::database_written_at(&self.folder)
    }

    /// Returns where the status database stands.
    pub(super) fn status_database(&self) -> PathBuf {
        self.folder.join(STATUS_DATABASE)
    }

    /// Returns where a receipt is laid out: the n-th one of a trust domain's stream.
    pub(super) fn receipt_path(&self, domain: Hash, number: u64) -> PathBuf {
        self.folder.join(RECEIPTS).join(format!("{domain}-{number}.json"))
    }

    /// Returns the site id.
    pub fn site(&self) -> &SiteId {
        &self.identity.site
    }

    /// Returns the local name.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// Returns every trusted chain: pinned, and moved forward by the links accepted since.
    ///
    /// # Errors
    ///
    /// `E-STATE` when a pin or link is damaged.
    pub fn chains(&self) -> Result<Vec<Chain>> {
        let pins = self.pins()?;
        self.db
            .read(|connection| pins.iter().map(|pin| trust::load_chain(connection, pin)).collect())
    }

    /// Returns what became of each pin, by the name of its file: the trusted chain, or why there is none.
    ///
    /// # Errors
    ///
    /// `E-STATE pins`, and what is wrong with the database or the folder as a whole; `E-IO`.
    pub fn chains_one_by_one(&self) -> Result<Vec<(String, Result<Chain>)>> {
        let pins = self.good_pins()?;
        let mut told = Vec::new();
        for pin in &pins.chains {
            let loaded = self.db.read(|connection| trust::load_chain(connection, pin));
            told.push((
                pin.domain().to_hex(),
                match loaded {
                    Err(error) if error.class() != Class::State || error.is(db::DAMAGED) => return Err(error),
                    loaded => loaded,
                },
            ));
        }
        told.extend(pins.damaged.into_iter().map(|(name, error)| (name, Err(error))));
        Ok(told)
    }

    /// Returns the trusted chains of those vendors whose pins are whole.
    ///
    /// # Errors
    ///
    /// `E-STATE` when there is none, or a link is damaged; `E-IO`.
    pub(super) fn good_chains(&self) -> Result<Vec<Chain>> {
        let pins = self.good_pins()?;
        if pins.chains.is_empty()
            && let Some((_, error)) = pins.damaged.into_iter().next()
        {
            return Err(error);
        }
        self.db.read(|connection| {
            let chains = pins.chains.iter().map(|pin| trust::load_chain(connection, pin));
            chains.collect()
        })
    }

    /// Returns the chain of a trust domain.
    ///
    /// # Errors
    ///
    /// `E-TRUST unknown-domain` when nobody pinned it; `E-STATE`.
    pub fn chain(&self, domain: Hash) -> Result<Chain> {
        let pins = self.good_pins()?;
        if let Some((_, error)) = pins.damaged.into_iter().find(|(name, _)| *name == domain.to_hex()) {
            return Err(error);
        }
        let chains = self.db.read(|connection| {
            let chains = pins.chains.iter().map(|pin| trust::load_chain(connection, pin));
            chains.collect::<Result<Vec<_>>>()
        })?;
        let known: Vec<String> = chains.iter().map(|chain| chain.newest().vendor.clone()).collect();
        chains.into_iter().find(|chain| chain.domain() == domain).ok_or_else(|| {
            Error::new(Class::Trust, "unknown-domain", format!("the bundle belongs to the trust domain {domain}, which is not pinned here"))
                .expected(format!("a bundle of a pinned vendor: {}", known.join(", ")))
                .remedy("check where it comes from; a new vendor's root is pinned with `airlock trust add ROOT --fingerprint HEX`, after comparing its fingerprint by voice")
        })
    }

    /// Returns the time floor of a trust domain: what its signed statements, or the age of this version of airlock, prove to be past.
    ///
    /// # Errors
    ///
    /// `E-STATE`.
    pub fn floor(&self, domain: Hash) -> Result<Timestamp> {
        self.db.read(|connection| present::floor(connection, domain))
    }

    /// Takes the lock of an import.
    ///
    /// # Errors
    ///
    /// `E-BUSY` at X0 when another import runs.
    pub fn lock(&self) -> Result<ImportLock> {
        self.lock_within(Duration::ZERO)
    }

    /// As [`Appliance::lock`], and waits a while for whoever has it: what is done under it beside imports takes moments.
    ///
    /// # Errors
    ///
    /// As [`Appliance::lock`].
    pub(in crate::appliance) fn lock_in_turn(&self) -> Result<ImportLock> {
        self.lock_within(TURN)
    }

    fn lock_within(&self, patience: Duration) -> Result<ImportLock> {
        let path = self.folder.join(LOCK);
        let file = LockFile::new(open_or_create(&path, 0o600).map_err(|error| error.at(Step::X0))?);
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(ImportLock { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < patience => std::thread::sleep(PAUSE),
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let found = match lock_holder(&file) {
                        Some(holder) => format!("{holder} is changing what is here"),
                        None => "an import, `gc`, or a change of keys or secrets is running".to_owned(),
                    };
                    return Err(Error::new(Class::Busy, "import", found)
                        .remedy("wait for it to end")
                        .at(Step::X0));
                }
                Err(error) => return Err(Error::io("lock", &path, error.into()).at(Step::X0)),
            }
        }
    }

    /// Returns the pinned chains, as they were pinned.
    ///
    /// # Errors
    ///
    /// `E-STATE` when a pin is damaged; `E-IO`.
    pub(super) fn pins(&self) -> Result<Vec<Chain>> {
        pins::read(&self.folder.join(ROOTS))
    }

    /// As [`Appliance::pins`]; damaged ones are told beside the good ones.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-STATE pins`.
    pub(super) fn good_pins(&self) -> Result<Pins> {
        pins::read_good(&self.folder.join(ROOTS))
    }

    /// Returns the keys of tokens and secrets. They are read when they are first needed: who serves no agents needs none.
    ///
    /// # Errors
    ///
    /// `E-STATE token-key` when the key is missing or damaged, or others may read it.
    pub(super) fn keys(&self) -> Result<Arc<Keys>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = &*keys {
            return Ok(keys.clone());
        }
        let read = Arc::new(Keys::open_own(&self.folder, &*self.db)?);
        *keys = Some(read.clone());
        Ok(read)
    }

    /// Says whether the token key holds, and is the one that agents are answered with.
    ///
    /// # Errors
    ///
    /// As [`Appliance::keys`].
    pub(super) fn check_token_key(&self) -> Result<()> {
        let there = Keys::open_own(&self.folder, &*self.db)?;
        let held = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(held) if !held.are(&there) => Err(Error::new(
                Class::State,
                "token-key",
                format!(
                    "{} is not the key that the server began with",
                    self.folder.join(TOKEN_KEY).display()
                ),
            )
            .remedy("start the server again")),
            _ => Ok(()),
        }
    }

    /// Says whether the key to which secrets for this site are encrypted holds.
    ///
    /// # Errors
    ///
    /// `E-STATE recipient-key` when it is missing, readable by others, no key, or another one than vendors were given.
    pub(super) fn check_recipient(&self) -> Result<()> {
        enrolment::check_recipient(&self.folder, &self.db)
    }

    /// Returns the present life of the state folder; in one that was copied or restored it begins now.
    ///
    /// # Errors
    ///
    /// `E-STATE instance` when database and file do not belong together; what is wrong with the database where the last generation is
    /// served; `E-STATE`, `E-IO` and `E-SPACE`.
    pub fn instance(&self) -> Result<InstanceId> {
        if let Some(why) = self.unreadable() {
            // No life begins, and none is told of, in what is made anew with every start.
            return Err(why.again());
        }
        Ok(identity::settle(&self.folder, &self.db, self.clock.now())?.instance)
    }

    /// Returns the key that signs receipts and status packages.
    ///
    /// # Errors
    ///
    /// `E-STATE status-key` when it is missing, readable by others, no key, or another one than vendors were given.
    pub fn status_key(&self) -> Result<SigningKey> {
        status_key::read(&self.folder, &self.db)
    }

    /// Returns the fingerprint of the status key that vendors were given; nothing before there is an enrolment file.
    ///
    /// # Errors
    ///
    /// `E-STATE enrolment-damaged`; those of the database.
    pub fn status_key_in_force(&self) -> Result<Option<Hash>> {
        enrolment::status_key_in_force(&self.db)
    }

    /// Returns who signs receipts now.
    ///
    /// # Errors
    ///
    /// As [`Appliance::instance`] and [`Appliance::status_key`].
    pub(super) fn signer(&self) -> Result<Signer> {
        Ok(Signer {
            site: self.site().clone(),
            instance: self.instance()?,
            key: self.status_key()?,
        })
    }

    /// Returns site id, local name, and when the appliance was made.
    pub(super) fn identity(&self) -> &ApplianceRow {
        &self.identity
    }
}

impl fmt::Debug for Appliance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appliance")
            .field("folder", &self.folder)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Opens the security database. On a disk without a byte left even that fails, and the reserve makes room for it: so that what is
/// live is served, and a refusal is recorded.
///
/// # Errors
///
/// Those of [`Db::open`].
fn open_database(folder: &Path) -> Result<Db> {
    let open = || Db::open(&folder.join(DATABASE), &Schema::SITE);
    match open() {
        Err(error) if error.class() == Class::Space => {
            reserve::give_up(folder)?;
            open()
        }
        Err(error) if error.class() == Class::Io && is_read_only(folder) => {
            let found = format!("{} is on a file system that is mounted read-only", folder.display());
            Err(Error::new(Class::Io, "read-only", found)
                .expected("one that can be written: also who only reads leaves its mark in the database's files")
                .remedy("copy the folder with `cp -a` to a disk that can be written, and name the copy with --state; or mount it for writing")
                .with_source(error))
        }
        other => other,
    }
}

/// Whether nothing can be written where the folder stands, whoever tries.
fn is_read_only(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}
