//! The vendor's sites: what each proved about itself, under the name that the vendor gave it.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use serde_json::json;

use super::{Recorded, findings};
use crate::crypto::{Enrolment, KeyId, PublicKey};
use crate::db::{SqlResult as _, sealed_log};
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};

/// Action of a row of the log: a site's keys were replaced. Its detail has `site`, `status` and `before`, ids of keys.
pub(super) const REPLACE_KEYS: &str = "replace-keys";

/// A site as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Opaque id, made by the appliance.
    pub site: SiteId,
    /// Local name; never part of a bundle.
    pub name: String,
    /// The 32 bytes of its Ed25519 status key.
    pub status: Hash,
    /// The 32 bytes of its X25519 recipient key.
    pub recipient: Hash,
    /// When it was recorded here.
    pub enrolled_at: Timestamp,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
}

impl Site {
    /// Returns the id of its status key.
    ///
    /// # Errors
    ///
    /// `E-TRUST` for a key that no enrolment could have named.
    pub fn status_key_id(&self) -> Result<KeyId> {
        Ok(PublicKey::from_bytes(&self.status.0)?.id())
    }
}

/// What replacing an enrolment came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// Other keys are in force now.
    Keys,
    /// The site counts again, with the keys it had.
    TakenBack,
    /// Nothing changed.
    Already,
}

/// Records a verified enrolment under a local name; one that is known and goes by its id takes the name.
///
/// # Errors
///
/// `E-TRUST withdrawn-site` and `shared-key`; `E-EQUIVOCATION site-keys` when the site is known with other keys, `E-USAGE site-name` when it is known by
/// another name or the name belongs to another site; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn enrol(
    transaction: &Transaction<'_>,
    enrolment: &Enrolment,
    envelope: &[u8],
    name: &str,
    at: Timestamp,
) -> Result<Recorded> {
    let status = Hash::from(enrolment.status.public);
    if let Some(known) = site(transaction, &enrolment.site)? {
        if known.withdrawn_at.is_some() {
            return Err(withdrawn(&enrolment.site));
        }
        if known.status != status || known.recipient != enrolment.recipient.public {
            return Err(Error::new(
                Class::Equivocation,
                "site-keys",
                format!(
                    "site {} is already enrolled with other keys than those of the file (status key {})",
                    enrolment.site,
                    enrolment.status.id.spoken()
                ),
            )
            .expected(format!("status key {}", known.status_key_id()?.spoken()))
            .remedy("ask the site which appliance is the real one before anything is sent there; a key that the site itself replaced is taken, after comparing its fingerprint by voice, with --replace SITE"));
        }
        if known.name != name && known.name == enrolment.site.as_str() {
            // It goes by its id, since nobody named it yet.
            unnamed(transaction, name)?;
            transaction
                .execute("UPDATE site SET name = ? WHERE site = ?", params![name, enrolment.site])
                .sql("name the site")?;
        } else if known.name != name {
            return Err(Error::new(
                Class::Usage,
                "site-name",
                format!("site {} is already enrolled as {:?}", enrolment.site, known.name),
            )
            .remedy(format!("use --name {}", known.name)));
        }
        return Ok(Recorded::Already);
    }
    unshared(transaction, enrolment)?;
    unnamed(transaction, name)?;
    transaction
        .execute(
            "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES (?, ?, ?, ?, ?, ?)",
            params![enrolment.site, name, status, enrolment.recipient.public, envelope, at],
        )
        .sql("record the site")?;
    Ok(Recorded::New)
}

/// Checks that no site has a name.
fn unnamed(transaction: &Transaction<'_>, name: &str) -> Result<()> {
    match site_by_name(transaction, name)? {
        None => Ok(()),
        Some(other) => Err(Error::new(
            Class::Usage,
            "site-name",
            format!("the name {name:?} belongs to site {}", other.site),
        )
        .remedy("choose another one with --name")),
    }
}

/// Says that a site was withdrawn: nothing of it counts, and nothing is made for it.
pub fn withdrawn(site: &SiteId) -> Error {
    Error::new(Class::Trust, "withdrawn-site", format!("site {site} was withdrawn"))
        .expected("a site that counts")
        .remedy(format!(
            "take it back, after comparing its fingerprint by voice, with `airlock vendor enroll FILE --replace {site}`"
        ))
}

/// Checks that no other site has, or had, a key of an enrolment: what is sealed for one could be opened by the other, and one could
/// speak for the other.
///
/// # Errors
///
/// `E-TRUST shared-key`; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
fn unshared(transaction: &Transaction<'_>, enrolment: &Enrolment) -> Result<()> {
    let status = Hash::from(enrolment.status.public);
    let other: Option<String> = transaction
        .query_row(
            "SELECT name FROM site WHERE site <> ?1 AND (status IN (?2, ?3) OR recipient IN (?2, ?3))
             UNION SELECT s.name FROM earlier_key k JOIN site s USING (site) WHERE k.site <> ?1 AND k.key IN (?2, ?3) LIMIT 1",
            params![enrolment.site, status, enrolment.recipient.public],
            |row| row.get(0),
        )
        .optional()
        .sql("look for the keys at other sites")?;
    match other {
        None => Ok(()),
        Some(name) => Err(Error::new(
            Class::Trust,
            "shared-key",
            format!("the site {name:?} has a key of this enrolment"),
        )
        .expected("keys that no other site has")
        .remedy("ask the site for the file that its own `airlock init` wrote; an appliance is not made from a copy of another one")),
    }
}

/// Puts the keys of a verified enrolment in the place of those that the site had, and takes a withdrawn site back.
///
/// Other keys end what was refused of the site as equivocation: whoever had the old key may have told it (M-92).
///
/// # Errors
///
/// `E-TRUST replaced-key` for a key that the site had before, `shared-key`; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn replace(
    transaction: &Transaction<'_>,
    known: &Site,
    enrolment: &Enrolment,
    envelope: &[u8],
    at: Timestamp,
) -> Result<Replacement> {
    let status = Hash::from(enrolment.status.public);
    let had: bool = transaction
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM earlier_key WHERE site = ? AND key = ?)",
            params![known.site, status],
            |row| row.get(0),
        )
        .sql("read the earlier keys")?;
    if had {
        return Err(Error::new(
            Class::Trust,
            "replaced-key",
            format!(
                "site {} had the status key {} before, and replaced it",
                known.site,
                enrolment.status.id.spoken()
            ),
        )
        .expected("a key that the site never had")
        .remedy("ask the site for the file that its last `airlock status rotate-key` wrote"));
    }
    unshared(transaction, enrolment)?;
    let is_same = known.status == status && known.recipient == enrolment.recipient.public;
    if is_same && known.withdrawn_at.is_none() {
        return Ok(Replacement::Already);
    }
    if known.status != status {
        transaction
            .execute(
                "INSERT INTO earlier_key (site, key, envelope, until) SELECT site, status, envelope, ? FROM site WHERE site = ?",
                params![at, known.site],
            )
            .sql("keep the earlier key")?;
    }
    transaction
        .execute(
            "UPDATE site SET status = ?, recipient = ?, envelope = ?, withdrawn_at = NULL WHERE site = ?",
            params![status, enrolment.recipient.public, envelope, known.site],
        )
        .sql("replace the keys of the site")?;
    if known.status != status {
        let detail = json!({"before": known.status_key_id()?, "site": known.site, "status": enrolment.status.id});
        sealed_log::append(transaction, at, REPLACE_KEYS, &detail)?;
        findings::end_refusals(transaction, &known.site, at)?;
    }
    Ok(if is_same {
        Replacement::TakenBack
    } else {
        Replacement::Keys
    })
}

/// Withdraws a site; says whether it counted before.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn withdraw(transaction: &Transaction<'_>, site: &SiteId, at: Timestamp) -> Result<bool> {
    transaction
        .execute(
            "UPDATE site SET withdrawn_at = ? WHERE site = ? AND withdrawn_at IS NULL",
            params![at, site],
        )
        .map(|rows| rows > 0)
        .sql("withdraw the site")
}

/// Returns the status keys that a site had before, the last one first, with the time when each was replaced.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn earlier_keys(connection: &Connection, site: &SiteId) -> Result<Vec<(Hash, Timestamp)>> {
    let mut select = connection
        .prepare_cached("SELECT key, until FROM earlier_key WHERE site = ? ORDER BY until DESC, key")
        .sql("read the earlier keys")?;
    let rows = select
        .query_map([site], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql("read the earlier keys")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the earlier keys")
}

/// Returns every site, by name.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn sites(connection: &Connection) -> Result<Vec<Site>> {
    let mut select = connection
        .prepare_cached("SELECT site, name, status, recipient, enrolled_at, withdrawn_at FROM site ORDER BY name")
        .sql("read the sites")?;
    let rows = select.query_map([], read_site).sql("read the sites")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the sites")
}

/// Returns a site by its id.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn site(connection: &Connection, id: &SiteId) -> Result<Option<Site>> {
    connection
        .query_row(
            "SELECT site, name, status, recipient, enrolled_at, withdrawn_at FROM site WHERE site = ?",
            [id],
            read_site,
        )
        .optional()
        .sql("read the site")
}

/// Returns a site by its local name.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn site_by_name(connection: &Connection, name: &str) -> Result<Option<Site>> {
    connection
        .query_row(
            "SELECT site, name, status, recipient, enrolled_at, withdrawn_at FROM site WHERE name = ?",
            [name],
            read_site,
        )
        .optional()
        .sql("read the site")
}

fn read_site(row: &Row<'_>) -> rusqlite::Result<Site> {
    Ok(Site {
        site: row.get(0)?,
        name: row.get(1)?,
        status: row.get(2)?,
        recipient: row.get(3)?,
        enrolled_at: row.get(4)?,
        withdrawn_at: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{RecipientKey, SigningKey};
    use crate::db::{Db, Schema};

    fn ledger() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::create(&folder.path().join("ledger.db"), &Schema::LEDGER).unwrap();
        (folder, db)
    }

    fn enrolment(site: u8, status: u8) -> (Enrolment, Vec<u8>) {
        let file = Enrolment::sign(
            format!("{site:032x}").parse().unwrap(),
            Hash([1; 32]),
            RecipientKey::of_secret(&[site; 32]),
            Timestamp::EPOCH,
            &SigningKey::from_secret(&[status; 32]),
        );
        (Enrolment::parse(&file).unwrap(), file)
    }

    #[test]
    fn a_site_keeps_its_keys_and_its_name() {
        let (_folder, db) = ledger();
        let enrol_as = |site, status, name: &str| {
            let (enrolment, file) = enrolment(site, status);
            db.write(|tx| enrol(tx, &enrolment, &file, name, Timestamp::EPOCH))
        };
        assert_eq!(enrol_as(1, 1, "plant").unwrap(), Recorded::New);
        assert_eq!(enrol_as(1, 1, "plant").unwrap(), Recorded::Already);
        for (site, status, name, class, code) in [
            (1, 2, "plant", Class::Equivocation, "site-keys"),
            (1, 1, "other", Class::Usage, "site-name"),
            (2, 2, "plant", Class::Usage, "site-name"),
        ] {
            let error = enrol_as(site, status, name).unwrap_err();
            assert_eq!((error.class(), error.code()), (class, code));
        }
        assert_eq!(db.read(sites).unwrap().len(), 1);
        assert_eq!(enrol_as(2, 2, "mill").unwrap(), Recorded::New);
    }

    #[test]
    fn a_replaced_key_stays_known_and_never_comes_back() {
        let (_folder, db) = ledger();
        let (first, file) = enrolment(1, 1);
        let at = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
        db.write(|tx| enrol(tx, &first, &file, "plant", at(0))).unwrap();
        let known = || db.read(|c| site(c, &first.site)).unwrap().unwrap();
        let replace_by = |status, seconds| {
            let (enrolment, file) = enrolment(1, status);
            let known = known();
            db.write(|tx| replace(tx, &known, &enrolment, &file, at(seconds)))
        };
        assert_eq!(replace_by(1, 1).unwrap(), Replacement::Already);
        assert_eq!(replace_by(2, 2).unwrap(), Replacement::Keys);
        assert_eq!(replace_by(3, 3).unwrap(), Replacement::Keys);
        let key = |n: u8| Hash::from(SigningKey::from_secret(&[n; 32]).public());
        assert_eq!((known().status, known().name.as_str()), (key(3), "plant"));
        let earlier = db.read(|c| earlier_keys(c, &first.site)).unwrap();
        assert_eq!(earlier, [(key(2), at(3)), (key(1), at(2))]);
        for status in [1, 2] {
            let error = replace_by(status, 4).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Trust, "replaced-key"));
        }
        assert_eq!(known().status, key(3));
        // Withdrawn, and taken back with the same key or another one.
        assert!(db.write(|tx| withdraw(tx, &first.site, at(5))).unwrap());
        assert!(!db.write(|tx| withdraw(tx, &first.site, at(6))).unwrap());
        assert_eq!(known().withdrawn_at, Some(at(5)));
        let (third, file) = enrolment(1, 3);
        let error = db.write(|tx| enrol(tx, &third, &file, "plant", at(6))).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Trust, "withdrawn-site"));
        assert_eq!(replace_by(3, 7).unwrap(), Replacement::TakenBack);
        db.write(|tx| withdraw(tx, &first.site, at(8))).unwrap();
        assert_eq!(replace_by(4, 9).unwrap(), Replacement::Keys);
        assert_eq!((known().status, known().withdrawn_at), (key(4), None));
    }
}
