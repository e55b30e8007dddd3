//! The state folder of an appliance (design, section 7): open it, lock it, find its keys.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::{pins, present, reserve};
use crate::crypto::{Chain, KeyFile, SigningKey};
use crate::db::site::trust;
use crate::db::{self, Db, Schema};
use crate::domain::{Class, Error, Hash, Result, SiteId, Step, Timestamp};
use crate::store::Store;

/// Name of the security database.
pub(super) const DATABASE: &str = "airlock.db";
/// Name of the status database.
pub(super) const STATUS_DATABASE: &str = "status.db";
/// The key that signs receipts and status packages.
pub(super) const STATUS_KEY: &str = "identity/status.pem";
/// The key that secrets are encrypted to.
pub(super) const RECIPIENT_KEY: &str = "identity/recipient.key";
/// Folder of the pinned roots.
pub(super) const ROOTS: &str = "roots";
/// Where signed receipts are laid out.
pub(super) const RECEIPTS: &str = "receipts";
/// What may leave.
pub(super) const OUTBOX: &str = "outbox";
/// File whose lock means that an import runs.
const LOCK: &str = "lock";

/// An appliance whose state was opened.
#[derive(Debug)]
pub struct Appliance {
    folder: PathBuf,
    /// Trust, content, names, evidence.
    pub db: Db,
    /// Content.
    pub store: Store,
    identity: db::site::appliance::ApplianceRow,
}

/// Held while an import runs; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct ImportLock {
    _file: File,
}

impl Appliance {
    /// Opens the state folder of an appliance.
    ///
    /// # Errors
    ///
    /// `E-STATE` when there is none or it is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let store = Store::open(folder)?;
        let db = open_database(folder)?;
        let identity = db.read(db::site::appliance::get)?;
        Ok(Self {
            folder: folder.to_owned(),
            db,
            store,
            identity,
        })
    }

    /// Returns the state folder.
    pub fn folder(&self) -> &Path {
        &self.folder
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
        let pins = pins::read(&self.folder.join(ROOTS))?;
        self.db
            .read(|connection| pins.iter().map(|pin| trust::load_chain(connection, pin)).collect())
    }

    /// Returns the chain of a trust domain.
    ///
    /// # Errors
    ///
    /// `E-TRUST unknown-domain` when nobody pinned it; `E-STATE`.
    pub fn chain(&self, domain: Hash) -> Result<Chain> {
        let chains = self.chains()?;
        let known: Vec<String> = chains.iter().map(|chain| chain.newest().vendor.clone()).collect();
        chains.into_iter().find(|chain| chain.domain() == domain).ok_or_else(|| {
            Error::new(Class::Trust, "unknown-domain", format!("the bundle belongs to the trust domain {domain}, which is not pinned here"))
                .expected(format!("a bundle of a pinned vendor: {}", known.join(", ")))
                .remedy("check where it comes from; a new vendor's root is pinned with `airlock trust add`, after comparing its fingerprint by voice")
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
        let path = self.folder.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| Error::io("open", &path, e).at(Step::X0))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(ImportLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::new(Class::Busy, "import", "another import is running")
                .remedy("wait for it to end")
                .at(Step::X0)),
            Err(error) => Err(Error::io("lock", &path, error.into()).at(Step::X0)),
        }
    }

    /// Returns the key that signs receipts.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is missing, readable by others, or no key.
    pub fn status_key(&self) -> Result<SigningKey> {
        KeyFile::read(&self.folder.join(STATUS_KEY))
            .and_then(|file| file.signing_key(None))
            .map_err(|error| error.reclassified(Class::State, "status-key"))
    }
}

/// Opens the security database. On a disk without a byte left even that fails, and the reserve makes room for it: so that what is
/// live is served, and a refusal is recorded.
///
/// # Errors
///
/// Those of [`Db::open`].
pub(super) fn open_database(folder: &Path) -> Result<Db> {
    let open = || Db::open(&folder.join(DATABASE), &Schema::SITE);
    match open() {
        Err(error) if error.class() == Class::Space => {
            reserve::give_up(folder)?;
            open()
        }
        other => other,
    }
}
