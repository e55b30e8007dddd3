//! Another status key, and another recipient key with it (SPEC section 15): a planned change, a loss and a theft have this one way.
//!
//! ```text
//! identity/recipient.next.key, status.next.pem   durable, and not yet anybody's; secrets/ sealed to the new one
//! one transaction: enrolment files, audit rows, instance, files of secrets     the new keys count
//! recipient.key ─> recipient-PUBLIC.key; next ones ─> their places; outbox; instance.json
//! ```
//!
//! What stops in between is finished, or dropped where the transaction was never made, by whoever opens the state folder next.
//! The earlier recipient key is kept: documents that are here were encrypted to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::enrolment::{self, Introduction, status_key_in_force};
use super::folder::{IDENTITY, NEXT_RECIPIENT_KEY, NEXT_STATUS_KEY, RECIPIENT_KEY, STATUS_KEY};
use super::instance::{self, in_every_stream};
use super::instance_file;
use super::own_key::{self, LOST};
use super::secret::{self, RevisionKey};
use crate::crypto::{KeyFile, RecipientKey, SigningKey, random, write_secret_file, write_signing_key};
use crate::db::site::appliance::ApplianceRow;
use crate::db::site::instances::Reason;
use crate::db::site::kept_secrets::KeptSecret;
use crate::db::site::own_keys::{self, OwnKey};
use crate::db::site::{audit, enrolments, stream_log};
use crate::db::{Db, Reads};
use crate::domain::{Class, Error, Hash, InstanceId, Result, Timestamp};
use crate::stream::{Expected, look, sync_folder};

/// Reads the status key, and compares it with what vendors were given.
///
/// # Errors
///
/// `E-STATE status-key` when it is missing, readable by others, no key, or another one than the enrolment files name.
pub(super) fn read(state: &Path, db: &impl Reads) -> Result<SigningKey> {
    let path = state.join(STATUS_KEY);
    let key = own_key::read(&path, "status-key", LOST, |file| file.signing_key(None))?;
    match status_key_in_force(db)? {
        Some(named) if named != key.public().id() => Err(Error::new(
            Class::State,
            "status-key",
            format!("{} holds the key {}", path.display(), key.public().id()),
        )
        .expected(format!("{named}, which the enrolment files name"))
        .remedy(LOST)),
        _ => Ok(key),
    }
}

/// Says whether the status key is the one that vendors were given; one that is about to take its place is that too.
///
/// # Errors
///
/// As [`read`].
pub(super) fn check(state: &Path, db: &impl Reads) -> Result<()> {
    let held = read(state, db).map(|_| ());
    if held.is_err() {
        let next = id_of(&state.join(NEXT_STATUS_KEY));
        if next.is_some() && next == status_key_in_force(db)? {
            return Ok(());
        }
    }
    held
}

/// Returns the id of the status key in a file; none where there is no such key.
fn id_of(path: &Path) -> Option<Hash> {
    let key = KeyFile::read(path).and_then(|file| file.signing_key(None));
    key.ok().map(|key| key.public().id())
}

/// Keys that were replaced.
pub(super) struct Replaced {
    /// The new instance.
    pub(super) instance: InstanceId,
    /// Values of secrets that the old key did not open: they are to be entered again.
    pub(super) unreadable: Vec<KeptSecret>,
}

/// Makes both keys and decides for them; [`finish`] puts them in place. What is kept of secrets is sealed to the new one.
///
/// # Errors
///
/// `E-STATE`, `E-IO` and `E-SPACE`; nothing has changed then.
pub(super) fn replace(state: &Path, db: &Db, site: &ApplianceRow, now: Timestamp) -> Result<Replaced> {
    // One that is lost is made anew as well: that is what whoever reads of it is sent here for.
    if RevisionKey::open_own(state, db).is_err() {
        secret::replace_lost_revision_key(state)?;
    }
    let proof = RevisionKey::open(state)?.proof();
    let status = SigningKey::generate()?;
    let mut secret = Zeroizing::new([0; 32]);
    random(secret.as_mut())?;
    let instance = instance::new()?;
    write_secret_file(&state.join(NEXT_RECIPIENT_KEY), &secret)?;
    write_signing_key(&state.join(NEXT_STATUS_KEY), &status, None)?;
    sync_folder(&state.join(IDENTITY))?;
    let introduction = Introduction {
        site: &site.site,
        created_at: site.created_at,
        recipient: RecipientKey::of_secret(&secret),
        key: &status,
    };
    let keyid = status.public().id();
    let resealed = secret::reseal(state, db, &introduction.recipient)?;
    let written = db.write(|transaction| {
        for domain in stream_log::domains(transaction)? {
            enrolments::set(transaction, domain, &introduction.to(domain))?;
        }
        let told = in_every_stream(transaction, &json!({"keyid": keyid}))?;
        let detail = json!({"keyid": keyid, "public": Hash::from(status.public())});
        audit::append(transaction, now, "status-key", &detail, &told)?;
        own_keys::put(transaction, OwnKey::Revision, proof)?;
        resealed.record(transaction)?;
        instance::record(transaction, &instance, Reason::StatusKey, now)
    });
    written.map_err(|error| resealed.drop_new(error))?;
    resealed.drop_old();
    Ok(Replaced {
        instance,
        unreadable: resealed.unreadable,
    })
}

/// Finishes a replacement that was decided, or drops one that was not; nothing to do without either.
///
/// # Errors
///
/// `E-STATE status-key` when the keys are none of those that were given to vendors; `E-IO` and `E-SPACE`.
pub(super) fn finish(state: &Path, db: &Db) -> Result<()> {
    let (next_status, next_recipient) = (state.join(NEXT_STATUS_KEY), state.join(NEXT_RECIPIENT_KEY));
    if look(&next_status, Expected::File)?.is_none() && look(&next_recipient, Expected::File)?.is_none() {
        return Ok(());
    }
    let in_force = status_key_in_force(db)?;
    if in_force.is_some() && id_of(&next_status) == in_force {
        put_in_place(state, &next_recipient)?;
        enrolment::lay_out(state, db)?;
        // Last: that it is still there says that the rest is not done.
        rename(&next_status, &state.join(STATUS_KEY))?;
    } else {
        remove(&next_recipient)?;
        remove(&next_status)?;
    }
    sync_folder(&state.join(IDENTITY))
}

fn put_in_place(state: &Path, next: &Path) -> Result<()> {
    if look(next, Expected::File)?.is_none() {
        return Ok(());
    }
    let present = state.join(RECIPIENT_KEY);
    if look(&present, Expected::File)?.is_some() {
        rename(&present, &earlier(state, &present)?)?;
    }
    rename(next, &present)?;
    sync_folder(&state.join(IDENTITY))
}

/// Returns where an earlier recipient key is kept: under its public half, or, where nothing can be read in it, under the next free name.
fn earlier(state: &Path, key: &Path) -> Result<PathBuf> {
    let folder = state.join(IDENTITY);
    if let Ok(key) = enrolment::public_of(key) {
        return Ok(folder.join(format!("recipient-{}.key", key.public)));
    }
    own_key::damaged_name(&folder, "recipient")
}

#[expect(
    clippy::disallowed_methods,
    reason = "whole files that are durable change their names"
)]
fn rename(from: &Path, to: &Path) -> Result<()> {
    look(to, Expected::File)?;
    fs::rename(from, to).map_err(|error| Error::io("put in place", to, error))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// Puts new keys in place once they count, and says which life of the folder this is.
///
/// # Errors
///
/// As [`finish`]; whoever opens the folder next goes on.
pub(super) fn settle(state: &Path, db: &Db, instance: &InstanceId) -> Result<()> {
    finish(state, db)?;
    instance_file::write(state, instance)
}
