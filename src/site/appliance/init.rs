//! Makes an appliance: identity, databases, store, pinned roots, an enrolment file for each vendor.
//!
//! It begins in a folder that is new or empty, and removes nothing, ever: what stands in a folder may be the only copy of a site's
//! keys. `airlock.db` gets its name last, whole, so what an interrupted attempt leaves is no appliance and does not look like one; no
//! command works with it, and the next `init` refuses it like every other folder that is not empty.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::enrolment::{self, Introduction};
use super::folder::{
    DATABASE, IDENTITY, NEW_DATABASE, OUTBOX, RECEIPTS, RECIPIENT_KEY, ROOTS, SECRETS, STATUS_DATABASE, STATUS_KEY,
    take_empty,
};
use super::keys::{Keys, create as create_token_key};
use super::{authority, instance, instance_file, marks, present, reserve, secret};
use crate::crypto::{Chain, RecipientKey, SigningKey, random, write_secret_file, write_signing_key};
use crate::db::site::audit;
use crate::db::site::instances::{self, Reason};
use crate::db::site::own_keys::{self, OwnKey};
use crate::db::site::stream_log::Told;
use crate::db::{self, Db, Schema};
use crate::domain::{Class, Error, Hash, InstanceId, Result, SiteId, Timestamp};
use crate::store::Store;
use crate::stream::{create_own_folder, sync_folder, write_atomically};

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
    /// Its signed enrolment files, one for each vendor, in the order of the pins.
    pub enrolments: Vec<EnrolmentFile>,
    /// Fingerprint of its status key.
    pub status_key: Hash,
    /// Fingerprint of its certificate authority.
    pub authority: Hash,
}

/// An enrolment file: how the appliance introduces itself to one vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentFile {
    /// Trust domain of the vendor.
    pub domain: Hash,
    /// The signed file.
    pub bytes: Vec<u8>,
    /// Where a copy of it stands.
    pub path: PathBuf,
}

/// Makes an appliance in a folder that is new or empty.
///
/// # Errors
///
/// `E-USAGE no-root` and `same-vendor`; `E-STATE` when the folder holds anything (`already`, `part-of-state`, `not-empty`) or is not this user's; nothing was touched then.
/// `E-IO` and `E-SPACE`: what was made so far stays, and the remedy says so.
pub fn init(folder: &Path, new: &NewAppliance<'_>) -> Result<Initialised> {
    if new.pins.is_empty() {
        return Err(Error::new(Class::Usage, "no-root", "no root was given to pin"));
    }
    for (place, chain) in new.pins.iter().enumerate() {
        if new
            .pins
            .iter()
            .take(place)
            .any(|earlier| earlier.domain() == chain.domain())
        {
            return Err(Error::new(
                Class::Usage,
                "same-vendor",
                format!(
                    "two of the roots are of one vendor, with the trust domain {}",
                    chain.domain()
                ),
            )
            .expected("one chain file for each vendor")
            .remedy("give the vendor's newest chain file alone; nothing was made"));
        }
    }
    let folder = take_empty(folder)?;
    // Of two attempts at the same time one makes this folder, and the other one ends here.
    let identity = folder.join(IDENTITY);
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&identity)
        .map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                Error::new(
                    Class::State,
                    "part-of-state",
                    format!(
                        "{} was made while this began: another `airlock init` is at work",
                        identity.display()
                    ),
                )
                .remedy("give another --state folder")
            } else {
                Error::io("create the folder", &identity, error)
            }
        })?;
    make(&folder, new).map_err(|error| {
        let advice = format!(
            "then run `airlock init --trust ROOT.JSON --site NAME --state NEW` with another folder, or once you have moved away what this attempt left in {}: it was never used",
            folder.display()
        );
        let first = error.advice().map_or_else(|| "mend that".to_owned(), ToOwned::to_owned);
        error.remedy(format!("{first}; {advice}"))
    })
}

fn make(folder: &Path, new: &NewAppliance<'_>) -> Result<Initialised> {
    for name in [ROOTS, OUTBOX, RECEIPTS, SECRETS] {
        create_own_folder(&folder.join(name))?;
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
    create_token_key(folder)?;
    secret::create_revision_key(folder)?;
    let proofs = [
        (OwnKey::Token, Keys::open(folder)?.proof()),
        (OwnKey::Revision, secret::RevisionKey::open(folder)?.proof()),
    ];
    sync_folder(&folder.join(IDENTITY))?;
    let site = new_site_id()?;
    let instance = instance::new()?;
    instance_file::write(folder, &instance)?;
    let introduction = Introduction {
        site: &site,
        created_at: new.now,
        recipient: RecipientKey::of_secret(&secret),
        key: &status,
    };
    let enrolments = introduce(folder, &introduction, new.pins)?;
    authority::create(folder, &site, new.now)?;
    marks::create(folder)?;
    reserve::fill(folder)?;
    db::status::create(&folder.join(STATUS_DATABASE), &site)?;
    let db = Db::create(&folder.join(NEW_DATABASE), &Schema::SITE)?;
    let row = db::site::appliance::ApplianceRow {
        site: site.clone(),
        name: new.name.to_owned(),
        created_at: new.now,
    };
    db.write(|transaction| {
        db::site::appliance::insert(transaction, &row)?;
        for (key, proof) in proofs {
            own_keys::put(transaction, key, proof)?;
        }
        instances::begin(transaction, &instance, Reason::Init, new.now)?;
        for chain in new.pins {
            present::keep_links(transaction, chain, 1, new.now)?;
        }
        for file in &enrolments {
            db::site::enrolments::set(transaction, file.domain, &file.bytes)?;
            instances::begin_stream(transaction, file.domain)?;
        }
        let roots: Vec<_> = new.pins.iter().map(describe).collect();
        let told: Vec<Told> = new
            .pins
            .iter()
            .map(|chain| begin_stream(chain, &instance, status.public().id()))
            .collect();
        audit::append(
            transaction,
            new.now,
            "init",
            &json!({
                "instance": instance, "public": Hash::from(status.public()), "roots": roots, "site": site,
                "status_key": status.public().id(),
            }),
            &told,
        )
    })?;
    db.put_in_place(&folder.join(DATABASE))?;
    Ok(Initialised {
        site,
        enrolments,
        status_key: status.public().id(),
        authority: authority::fingerprint(folder)?,
    })
}

/// Returns the first row of a vendor's stream log.
pub(super) fn begin_stream(chain: &Chain, instance: &InstanceId, status_key: Hash) -> Told {
    Told {
        domain: chain.domain(),
        detail: json!({"instance": instance, "root_version": chain.newest().version, "status_key": status_key}),
    }
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

/// Lays out an enrolment file for each vendor.
fn introduce(folder: &Path, introduction: &Introduction<'_>, pins: &[Chain]) -> Result<Vec<EnrolmentFile>> {
    let files: Vec<(Hash, Vec<u8>)> = pins
        .iter()
        .map(|chain| (chain.domain(), introduction.to(chain.domain())))
        .collect();
    let places = enrolment::write(folder, &files)?;
    let files = files.into_iter().zip(places);
    Ok(files
        .map(|((domain, bytes), (_, path))| EnrolmentFile { domain, bytes, path })
        .collect())
}

fn new_site_id() -> Result<SiteId> {
    let mut bytes = [0; 16];
    random(&mut bytes)?;
    Ok(SiteId::from_bytes(bytes))
}
