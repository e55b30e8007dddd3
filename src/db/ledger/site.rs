//! The vendor's sites: what each proved about itself, under the name that the vendor gave it.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::Recorded;
use crate::crypto::Enrolment;
use crate::db::SqlResult as _;
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};

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
}

/// Records a verified enrolment under a local name.
///
/// # Errors
///
/// `E-EQUIVOCATION site-keys` when the site is known with other keys, `E-USAGE site-name` when it is known by another name or
/// the name belongs to another site; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn enrol(
    transaction: &Transaction<'_>,
    enrolment: &Enrolment,
    envelope: &[u8],
    name: &str,
    at: Timestamp,
) -> Result<Recorded> {
    let status = Hash::from(enrolment.status.public);
    if let Some(known) = site(transaction, &enrolment.site)? {
        if known.status != status || known.recipient != enrolment.recipient.public {
            return Err(Error::new(
                Class::Equivocation,
                "site-keys",
                format!("site {} is already enrolled with other keys", enrolment.site),
            )
            .expected(format!("status key {}", known.status))
            .remedy("ask the site which appliance is the real one before anything is sent there"));
        }
        if known.name != name {
            return Err(Error::new(
                Class::Usage,
                "site-name",
                format!("site {} is already enrolled as {:?}", enrolment.site, known.name),
            )
            .remedy(format!("use --name {}", known.name)));
        }
        return Ok(Recorded::Already);
    }
    if let Some(other) = site_by_name(transaction, name)? {
        return Err(Error::new(
            Class::Usage,
            "site-name",
            format!("the name {name:?} belongs to site {}", other.site),
        )
        .remedy("choose another one with --name"));
    }
    transaction
        .execute(
            "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES (?, ?, ?, ?, ?, ?)",
            params![enrolment.site, name, status, enrolment.recipient.public, envelope, at],
        )
        .sql("record the site")?;
    Ok(Recorded::New)
}

/// Returns every site, by name.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn sites(connection: &Connection) -> Result<Vec<Site>> {
    let mut select = connection
        .prepare_cached("SELECT site, name, status, recipient, enrolled_at FROM site ORDER BY name")
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
            "SELECT site, name, status, recipient, enrolled_at FROM site WHERE site = ?",
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
            "SELECT site, name, status, recipient, enrolled_at FROM site WHERE name = ?",
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
            vec![Hash([1; 32])],
            RecipientKey::x25519([9; 32]),
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
}
