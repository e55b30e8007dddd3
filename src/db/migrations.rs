//! Which tables a database has: an ordered list per kind of database, never reordered, never shortened.
//!
//! `user_version` counts the steps that were taken, `application_id` tells the kinds of files apart. All missing steps run
//! in one transaction; a failure leaves the file as it was.

use rusqlite::{Connection, TransactionBehavior};

use super::SqlResult as _;
use crate::domain::{Class, Error, Result};

/// A kind of database.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Name of the kind, for people.
    pub name: &'static str,
    /// The `application_id` in the file's header.
    pub application_id: i32,
    /// SQL of every version, oldest first.
    pub steps: &'static [&'static str],
    /// Bytes of a page in new files.
    pub page_bytes: u32,
}

impl Schema {
    /// `airlock.db`: trust, content, names, evidence.
    pub const APPLIANCE: Self = Self {
        name: "airlock.db",
        application_id: 0x4149_524C,
        steps: &[
            include_str!("migrations/0001_init.sql"),
            include_str!("migrations/0002_agents.sql"),
        ],
        page_bytes: 4096,
    };

    /// `status.db`: what agents report. A flood or damage there cannot touch the other file.
    pub const STATUS: Self = Self {
        name: "status.db",
        application_id: 0x4149_5253,
        steps: &[
            include_str!("migrations/status_0001_init.sql"),
            include_str!("migrations/status_0002_buffer.sql"),
        ],
        // A group commit of repeats changes one page, however small; with pages of 4 KiB it would cost the disk two of its blocks.
        page_bytes: 1024,
    };

    /// `ledger.db`: the vendor's sites and signed numbers.
    pub const LEDGER: Self = Self {
        name: "ledger.db",
        application_id: 0x4149_524D,
        steps: &[
            include_str!("migrations/ledger_0001_init.sql"),
            include_str!("migrations/ledger_0002_fleet.sql"),
        ],
        page_bytes: 4096,
    };

    /// Returns the version that this program writes.
    fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).expect("a handful of steps")
    }

    /// Checks that a file has exactly the version that this program writes.
    pub(super) fn check_present(&self, connection: &Connection) -> Result<()> {
        let found: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .sql("read the database header")?;
        let (code, remedy) = match found.cmp(&self.version()) {
            std::cmp::Ordering::Equal => return Ok(()),
            std::cmp::Ordering::Less => (
                "schema-too-old",
                "start `airlock serve` once, which brings it up to date",
            ),
            std::cmp::Ordering::Greater => ("schema-too-new", "use the airlock that wrote it, or a newer one"),
        };
        Err(
            Error::new(Class::State, code, format!("{} has schema version {found}", self.name))
                .expected(self.version().to_string())
                .remedy(remedy),
        )
    }

    /// Checks that a database has the tables, columns and indexes that its version has: the version alone is a number that anybody can
    /// write.
    ///
    /// # Errors
    ///
    /// `E-STATE other-schema`; those of the database.
    pub fn check_tables(&self, connection: &Connection) -> Result<()> {
        let expected = Connection::open_in_memory().sql("make a database to compare with")?;
        for step in self.steps {
            expected.execute_batch(step).sql("make a database to compare with")?;
        }
        if columns(connection)? == columns(&expected)? {
            return Ok(());
        }
        Err(Error::new(
            Class::State,
            "other-schema",
            format!("{} has other tables than its version has", self.name),
        )
        .remedy("restore the state folder"))
    }

    /// Checks kind and version and takes the missing steps.
    pub(super) fn prepare(&self, connection: &mut Connection, fresh: bool) -> Result<()> {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .sql("lock the database")?;
        let id: i32 = transaction
            .pragma_query_value(None, "application_id", |row| row.get(0))
            .sql("read the database header")?;
        let found: i64 = transaction
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .sql("read the database header")?;
        let unused = fresh && id == 0 && found == 0;
        if !unused && id != self.application_id {
            return Err(Error::new(
                Class::State,
                "other-database",
                format!("the file has application id {id:#x}"),
            )
            .expected(format!("{:#x}, airlock's {}", self.application_id, self.name))
            .remedy("point --state at the appliance's state folder"));
        }
        if found > self.version() || (found < 1 && !unused) {
            return Err(Error::new(
                Class::State,
                "schema-too-new",
                format!("{} has schema version {found}", self.name),
            )
            .expected(format!("1 to {}", self.version()))
            .remedy("use the airlock that wrote it, or a newer one"));
        }
        if found == self.version() {
            return Ok(());
        }
        for step in self.steps.iter().skip(usize::try_from(found).unwrap_or(0)) {
            transaction.execute_batch(step).sql("bring the database up to date")?;
        }
        transaction
            .pragma_update(None, "application_id", self.application_id)
            .sql("write the database header")?;
        transaction
            .pragma_update(None, "user_version", self.version())
            .sql("write the database header")?;
        transaction.commit().sql("bring the database up to date")
    }
}

/// Kind and name of what a database consists of, and a column of it with its type.
type Column = (String, String, Option<String>, Option<String>);

/// Returns what a database consists of.
fn columns(connection: &Connection) -> Result<Vec<Column>> {
    let mut statement = connection
        .prepare(
            "SELECT s.type, s.name, c.name, c.type FROM sqlite_schema s LEFT JOIN pragma_table_xinfo(s.name) c
             ORDER BY s.type, s.name, c.cid",
        )
        .sql("read the schema")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .sql("read the schema")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the schema")
}
