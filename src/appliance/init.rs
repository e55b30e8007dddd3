//! Makes an appliance: identity, databases, store, pinned roots, enrolment file.
//!
//! The row of the appliance in `airlock.db` is written last: a folder without it is no appliance, and what an interrupted
//! attempt left there is made again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::keys::create as create_token_key;
use super::state::{DATABASE, OUTBOX, RECEIPTS, RECIPIENT_KEY, ROOTS, STATUS_DATABASE, STATUS_KEY};
use super::{authority, marks, present, reserve};
use crate::crypto::{Chain, Enrolment, RecipientKey, SigningKey, random, write_secret_file, write_signing_key};
use crate::db::site::audit;
use crate::db::{self, Db, Schema};
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};
use crate::store::Store;
use crate::stream::{create_folder, sync_folder, write_atomically};

/// What a new appliance is called and trusts.
#[derive(Debug)]
pub struct NewAppliance<'a> {
    /// Local name; it never leaves the site.
    pub name: &'a str,
    /// Roots to pin, one for each vendor.
    pub pins: &'a [Chain],
    /// The present.
    pub now: Timestamp,
}

/// A new appliance.
#[derive(Debug)]
pub struct Initialised {
    /// Its random id.
    pub site: SiteId,
    /// Its signed enrolment file.
    pub enrolment: Vec<u8>,
    /// Where a copy of that file stands.
    pub enrolment_path: PathBuf,
    /// Fingerprint of its status key.
    pub status_key: Hash,
    /// Fingerprint of its certificate authority.
    pub authority: Hash,
}

/// Makes an appliance in a folder that is new, empty, or left over from an interrupted attempt.
///
/// # Errors
///
/// `E-USAGE already` when an appliance lives there; `E-USAGE not-empty` when something else does; `E-IO` and `E-SPACE`.
pub fn init(folder: &Path, new: &NewAppliance<'_>) -> Result<Initialised> {
    if new.pins.is_empty() {
        return Err(Error::new(Class::Usage, "no-root", "no root was given to pin")
            .remedy("give the vendor's root.json with --trust"));
    }
    create_folder(folder)?;
    make_empty(folder)?;
    create_folder(&folder.join("identity"))?;
    for name in [ROOTS, OUTBOX, RECEIPTS] {
        create_folder(&folder.join(name))?;
    }
    Store::create(folder)?;
    for chain in new.pins {
        write_atomically(&pin_path(folder, chain), &chain.to_file(), 0o600)?;
    }
    let status = SigningKey::generate()?;
    write_signing_key(&folder.join(STATUS_KEY), &status, None)?;
    let mut secret = zeroize::Zeroizing::new([0; 32]);
    random(secret.as_mut())?;
    write_secret_file(&folder.join(RECIPIENT_KEY), &secret)?;
    let recipient = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*secret));
    create_token_key(folder)?;
    sync_folder(&folder.join("identity"))?;
    let site = new_site_id()?;
    let domains: Vec<Hash> = new.pins.iter().map(Chain::domain).collect();
    let enrolment = Enrolment::sign(
        site.clone(),
        domains,
        RecipientKey::x25519(recipient.to_bytes()),
        new.now,
        &status,
    );
    let enrolment_path = folder.join(OUTBOX).join("enrolment.json");
    write_atomically(&enrolment_path, &enrolment, 0o600)?;
    authority::create(folder, &site, new.now)?;
    marks::create(folder)?;
    reserve::fill(folder)?;
    db::status::create(&folder.join(STATUS_DATABASE), &site)?;
    let db = Db::create(&folder.join(DATABASE), &Schema::SITE)?;
    let identity = db::site::appliance::ApplianceRow {
        site: site.clone(),
        name: new.name.to_owned(),
        created_at: new.now,
    };
    db.write(|transaction| {
        db::site::appliance::insert(transaction, &identity)?;
        for chain in new.pins {
            present::keep_links(transaction, chain, 1, new.now)?;
        }
        let roots: Vec<_> = new.pins.iter().map(describe).collect();
        audit::append(
            transaction,
            new.now,
            "init",
            &json!({"roots": roots, "site": site, "status_key": status.public().id()}),
        )
    })?;
    sync_folder(folder)?;
    Ok(Initialised {
        site,
        enrolment,
        enrolment_path,
        status_key: status.public().id(),
        authority: authority::fingerprint(folder)?,
    })
}

/// Returns what an audit row says about a pinned chain.
pub(super) fn describe(chain: &Chain) -> serde_json::Value {
    json!({
        "domain": chain.domain(), "fingerprint": chain.fingerprint(), "vendor": chain.newest().vendor,
        "version": chain.newest().version,
    })
}

/// Returns where a pinned chain stands.
pub(super) fn pin_path(folder: &Path, chain: &Chain) -> PathBuf {
    folder.join(ROOTS).join(format!("{}.json", chain.domain()))
}

fn new_site_id() -> Result<SiteId> {
    let mut bytes = [0; 32];
    random(&mut bytes)?;
    let hex = Hash(bytes).to_hex();
    Ok(hex
        .get(..32)
        .unwrap_or_default()
        .parse()
        .expect("hex digits fit the grammar"))
}

/// Refuses a folder in use, and clears what an interrupted attempt left.
fn make_empty(folder: &Path) -> Result<()> {
    const OURS: [&str; 11] = [
        "blobs",
        "incoming",
        "evidence",
        "identity",
        ROOTS,
        OUTBOX,
        RECEIPTS,
        "marks",
        "reserve",
        DATABASE,
        STATUS_DATABASE,
    ];
    let database = folder.join(DATABASE);
    if database.try_exists().map_err(|e| Error::io("look for", &database, e))? {
        let lives = Db::open(&database, &Schema::SITE).and_then(|db| db.read(db::site::appliance::get));
        if lives.is_ok() {
            return Err(Error::new(
                Class::Usage,
                "already",
                format!("an appliance lives in {} already", folder.display()),
            )
            .remedy("give another --state folder; pin a further vendor with `airlock trust add`"));
        }
    }
    for entry in fs::read_dir(folder).map_err(|e| Error::io("list", folder, e))? {
        let entry = entry.map_err(|e| Error::io("list", folder, e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = OURS.iter().any(|ours| {
            name == *ours
                || name
                    .strip_prefix(ours)
                    .is_some_and(|rest| rest == "-wal" || rest == "-shm")
        });
        if name != "lost+found" && !ours {
            return Err(Error::new(
                Class::Usage,
                "not-empty",
                format!("{} holds {name:?}", folder.display()),
            )
            .expected("a new or empty folder")
            .remedy("give another --state folder"));
        }
        if ours {
            let path = entry.path();
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &path, error)),
                _ => {}
            }
        }
    }
    Ok(())
}
