//! Enrolment files: how the appliance introduces itself, to each vendor alone (SPEC section 9). The database keeps them, and the outbox
//! holds copies to carry.

use std::path::{Path, PathBuf};

use super::folder::{NEXT_RECIPIENT_KEY, OUTBOX, RECIPIENT_KEY};
use super::own_key::{self, LOST};
use crate::crypto::{Enrolment, KeyFile, RecipientKey, SigningKey};
use crate::db::site::enrolments;
use crate::db::{Db, Reads};
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};
use crate::stream::write_atomically;

/// What all enrolment files of an appliance have in common.
pub(super) struct Introduction<'a> {
    pub(super) site: &'a SiteId,
    /// When the appliance was made.
    pub(super) created_at: Timestamp,
    pub(super) recipient: RecipientKey,
    pub(super) key: &'a SigningKey,
}

impl Introduction<'_> {
    /// Returns the signed file for the vendor of a trust domain.
    pub(super) fn to(&self, domain: Hash) -> Vec<u8> {
        Enrolment::sign(self.site.clone(), domain, self.recipient, self.created_at, self.key)
    }
}

/// Returns the key to which secrets for this site are encrypted.
///
/// # Errors
///
/// `E-STATE recipient-key` when it is missing, readable by others, or no key; `planted`.
pub(super) fn recipient(state: &Path) -> Result<RecipientKey> {
    let secret = own_key::read(&state.join(RECIPIENT_KEY), "recipient-key", LOST, KeyFile::secret)?;
    Ok(RecipientKey::of_secret(&secret))
}

/// Says whether the recipient key is the one that vendors were given; one that is about to take its place is that too.
///
/// # Errors
///
/// As [`recipient`], and when it is another one than the enrolment files name; `E-STATE enrolment-damaged`.
pub(super) fn check_recipient(state: &Path, db: &impl Reads) -> Result<()> {
    let held = recipient(state);
    let named = in_force(db)?.map(|enrolment| enrolment.recipient.public);
    let next = public_of(&state.join(NEXT_RECIPIENT_KEY)).ok().map(|key| key.public);
    if next.is_some() && next == named {
        return Ok(());
    }
    let held = held?.public;
    match named {
        Some(named) if named != held => Err(Error::new(
            Class::State,
            "recipient-key",
            format!("{} holds the key {held}", state.join(RECIPIENT_KEY).display()),
        )
        .expected(format!("{named}, which the enrolment files name"))
        .remedy(LOST)),
        _ => Ok(()),
    }
}

/// Returns the public half of a recipient key file.
///
/// # Errors
///
/// Those of [`KeyFile`].
pub(super) fn public_of(path: &Path) -> Result<RecipientKey> {
    let secret = KeyFile::read(path)?.secret()?;
    Ok(RecipientKey::of_secret(&secret))
}

/// Returns the status key that the enrolment files name; nothing before there are any.
///
/// # Errors
///
/// `E-STATE enrolment-damaged`; those of the database.
pub(super) fn status_key_in_force(db: &impl Reads) -> Result<Option<Hash>> {
    Ok(in_force(db)?.map(|enrolment| enrolment.status.id))
}

/// Returns one of the enrolment files that count: all name the same keys.
fn in_force(db: &impl Reads) -> Result<Option<Enrolment>> {
    let kept = db.read(enrolments::list)?;
    let Some((domain, envelope)) = kept.first() else {
        return Ok(None);
    };
    let enrolment = Enrolment::parse(envelope).map_err(|error| {
        Error::new(
            Class::State,
            "enrolment-damaged",
            format!("the enrolment file that is kept for the trust domain {domain} does not hold: {error}"),
        )
        .with_source(error)
        .remedy("end airlock serve, then put a whole copy of the state folder in its place")
    })?;
    Ok(Some(enrolment))
}

/// Returns where the copy of a vendor's file stands.
///
/// # Errors
///
/// Those of the database.
pub(super) fn path(state: &Path, db: &Db, domain: Hash) -> Result<PathBuf> {
    let kept = db.read(enrolments::list)?;
    let domains: Vec<Hash> = kept.iter().map(|(domain, _)| *domain).collect();
    Ok(state.join(OUTBOX).join(name(domain, &domains)))
}

/// Writes a copy of every enrolment file into the outbox, and returns where each stands.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO` and `E-SPACE`; those of the database.
pub(super) fn lay_out(state: &Path, db: &Db) -> Result<Vec<(Hash, PathBuf)>> {
    write(state, &db.read(enrolments::list)?)
}

/// As [`lay_out`], of these.
///
/// # Errors
///
/// As [`lay_out`].
pub(super) fn write(state: &Path, files: &[(Hash, Vec<u8>)]) -> Result<Vec<(Hash, PathBuf)>> {
    let domains: Vec<Hash> = files.iter().map(|(domain, _)| *domain).collect();
    let written = files.iter().map(|(domain, envelope)| {
        let path = state.join(OUTBOX).join(name(*domain, &domains));
        write_atomically(&path, envelope, 0o600)?;
        Ok((*domain, path))
    });
    written.collect()
}

/// Eight digits of a domain name its file, or all of them where a vendor chose a root that begins like another's.
fn name(domain: Hash, all: &[Hash]) -> String {
    let hex = domain.to_hex();
    let short = hex.get(..8).unwrap_or(&hex);
    let is_alone = all.iter().filter(|other| other.to_hex().starts_with(short)).count() <= 1;
    format!("enrolment-{}.json", if is_alone { short } else { &hex })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_vendor_takes_the_name_of_anothers_file() {
        let (one, two) = (Hash([0xab; 32]), Hash([2; 32]));
        let mut like = one;
        like.0[31] = 0;
        assert_eq!(name(one, &[one, two]), "enrolment-abababab.json");
        assert_eq!(name(two, &[one, two]), "enrolment-02020202.json");
        assert_eq!(name(one, &[one, like]), format!("enrolment-{one}.json"));
        assert_eq!(name(like, &[one, like]), format!("enrolment-{like}.json"));
    }
}
