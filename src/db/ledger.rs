//! `ledger.db`: the vendor's sites, and which release numbers this workspace has signed with which bytes.
//!
//! A number belongs to one head for good. The row is written before a signature leaves the workspace, so that two bundles with
//! one number can never come from it.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::SqlResult as _;
use crate::crypto::Enrolment;
use crate::domain::{Class, Counter, Error, Hash, Result, Scope, SiteId, Timestamp};

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

/// A number that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRelease {
    /// Number within the scope.
    pub counter: Counter,
    /// Head digest.
    pub head: Hash,
    /// The release's label.
    pub version: String,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// What recording came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// A new row.
    New,
    /// The same was recorded before; nothing changed.
    Already,
}

/// Records a verified enrolment under a local name.
///
/// # Errors
///
/// `E-EQUIVOCATION site-keys` when the site is known with other keys, `E-USAGE site-name` when it is known by another name or
/// the name belongs to another site; those of [`super::SqlResult::sql`].
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
/// Those of [`super::SqlResult::sql`].
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
/// Those of [`super::SqlResult::sql`].
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
/// Those of [`super::SqlResult::sql`].
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

/// Records that a number is about to be signed for a head. The same head again is fine.
///
/// # Errors
///
/// `E-EQUIVOCATION number-used` when the number belongs to another head; those of [`super::SqlResult::sql`].
pub fn record_release(
    transaction: &Transaction<'_>,
    scope: &Scope,
    counter: Counter,
    head: Hash,
    version: &str,
    at: Timestamp,
) -> Result<Recorded> {
    if let Some(known) = signed_release(transaction, scope, counter)? {
        if known.head != head {
            return Err(Error::new(
                Class::Equivocation,
                "number-used",
                format!(
                    "release {counter} of {scope} was already signed as {:?} with other content (head {})",
                    known.version, known.head
                ),
            )
            .expected("one content for one number")
            .remedy("raise the sequence number"));
        }
        return Ok(Recorded::Already);
    }
    transaction
        .execute(
            "INSERT INTO signed_release (domain, product, channel, epoch, sequence, head, version, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence,
                head,
                version,
                at
            ],
        )
        .sql("record the release")?;
    Ok(Recorded::New)
}

/// Returns what was signed under a number.
///
/// # Errors
///
/// Those of [`super::SqlResult::sql`].
pub fn signed_release(connection: &Connection, scope: &Scope, counter: Counter) -> Result<Option<SignedRelease>> {
    connection
        .query_row(
            "SELECT epoch, sequence, head, version, created_at FROM signed_release
             WHERE domain = ? AND product = ? AND channel = ? AND epoch = ? AND sequence = ?",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence
            ],
            read_release,
        )
        .optional()
        .sql("read the signed releases")
}

/// Returns the highest number that was signed in a scope.
///
/// # Errors
///
/// Those of [`super::SqlResult::sql`].
pub fn newest_release(connection: &Connection, scope: &Scope) -> Result<Option<SignedRelease>> {
    connection
        .query_row(
            "SELECT epoch, sequence, head, version, created_at FROM signed_release
             WHERE domain = ? AND product = ? AND channel = ? ORDER BY epoch DESC, sequence DESC LIMIT 1",
            params![scope.domain, scope.product, scope.channel],
            read_release,
        )
        .optional()
        .sql("read the signed releases")
}

/// Records what a release that was just recorded tells targets to run: a desired-state document of all sites together.
///
/// # Errors
///
/// Those of [`super::SqlResult::sql`].
pub fn record_fleet(transaction: &Transaction<'_>, scope: &Scope, counter: Counter, state: &[u8]) -> Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO signed_fleet (domain, product, channel, epoch, sequence, state)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence,
                state
            ],
        )
        .sql("record what targets run")?;
    Ok(())
}

/// Returns what the newest release before a number told targets to run; nothing when no release said anything.
///
/// # Errors
///
/// Those of [`super::SqlResult::sql`].
pub fn fleet_before(connection: &Connection, scope: &Scope, counter: Counter) -> Result<Option<Vec<u8>>> {
    connection
        .query_row(
            "SELECT state FROM signed_fleet
             WHERE domain = ?1 AND product = ?2 AND channel = ?3 AND (epoch < ?4 OR (epoch = ?4 AND sequence < ?5))
             ORDER BY epoch DESC, sequence DESC LIMIT 1",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                counter.epoch,
                counter.sequence
            ],
            |row| row.get(0),
        )
        .optional()
        .sql("read what targets run")
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

fn read_release(row: &Row<'_>) -> rusqlite::Result<SignedRelease> {
    Ok(SignedRelease {
        counter: Counter {
            epoch: row.get(0)?,
            sequence: row.get(1)?,
        },
        head: row.get(2)?,
        version: row.get(3)?,
        created_at: row.get(4)?,
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
    fn a_number_belongs_to_one_head_for_good() {
        let (_folder, db) = ledger();
        let scope = Scope {
            domain: Hash([1; 32]),
            product: "acme".parse().unwrap(),
            channel: "stable".parse().unwrap(),
        };
        let record = |epoch, sequence, head| {
            let counter = Counter { epoch, sequence };
            db.write(|tx| record_release(tx, &scope, counter, Hash([head; 32]), "v1", Timestamp::EPOCH))
        };
        assert_eq!(record(0, 7, 1).unwrap(), Recorded::New);
        assert_eq!(record(0, 7, 1).unwrap(), Recorded::Already);
        let error = record(0, 7, 2).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Equivocation, "number-used"));
        assert_eq!(record(1, 7, 2).unwrap(), Recorded::New);
        assert_eq!(record(0, 8, 2).unwrap(), Recorded::New);
        let newest = db.read(|c| newest_release(c, &scope)).unwrap().unwrap();
        assert_eq!(newest.counter, Counter { epoch: 1, sequence: 7 });

        for (epoch, sequence, state) in [(0, 7, b"a"), (0, 8, b"b"), (1, 7, b"c")] {
            let counter = Counter { epoch, sequence };
            db.write(|tx| record_fleet(tx, &scope, counter, state)).unwrap();
        }
        let before = |epoch, sequence| {
            let counter = Counter { epoch, sequence };
            db.read(|c| fleet_before(c, &scope, counter)).unwrap()
        };
        assert_eq!(before(0, 7), None);
        assert_eq!(before(0, 8).unwrap(), b"a");
        assert_eq!(before(1, 0).unwrap(), b"b");
        assert_eq!(before(2, 0).unwrap(), b"c");
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
    fn a_newer_ledger_is_left_alone() {
        let (folder, db) = ledger();
        drop(db);
        let path = folder.path().join("ledger.db");
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = Db::open(&path, &Schema::LEDGER).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::State, "schema-too-new"));
    }
}
