//! Which tables a database has: one SQL text for each kind of database, kept in the folder of its statements.
//!
//! `application_id` tells the kinds of files apart, `user_version` those of a newer airlock. A new file gets all of it in one
//! transaction, or none.

use std::time::Duration;

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::header::Header;
use super::{DAMAGED, SqlResult as _};
use crate::domain::{Class, Code, Error, Result};

/// The version that this program writes.
const VERSION: i64 = 1;

/// A newer airlock wrote the database. Nobody writes to it, sets it aside or takes it for damaged.
pub const SCHEMA_TOO_NEW: Code = Code::new("schema-too-new");

/// The file is a database of another kind.
pub const OTHER_DATABASE: Code = Code::new("other-database");

/// The database has other tables than those of its kind.
pub const OTHER_SCHEMA: Code = Code::new("other-schema");

/// A kind of database.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Name of the kind, for people.
    pub name: &'static str,
    /// The `application_id` in the file's header.
    pub application_id: i32,
    /// What makes its tables.
    pub sql: &'static str,
    /// Bytes of a page in new files.
    pub page_bytes: u32,
    /// How long a connection waits for another process's transaction.
    pub patience: Duration,
    /// What to do where a file of this kind is damaged, missing, or none of this kind.
    pub damaged: &'static str,
}

impl Schema {
    /// Checks kind and version; nothing in the file changes.
    pub(super) fn check(&self, connection: &Connection) -> Result<()> {
        let id: i32 = connection
            .pragma_query_value(None, "application_id", |row| row.get(0))
            .sql("read the database header")?;
        if id != self.application_id {
            return Err(Error::new(
                Class::State,
                OTHER_DATABASE,
                format!("the database has application id {id:#x}"),
            )
            .expected(format!("{:#x}, airlock's {}", self.application_id, self.name))
            .remedy(self.damaged));
        }
        let found: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .sql("read the database header")?;
        match found {
            VERSION => Ok(()),
            newer if newer > VERSION => Err(self.too_new(newer)),
            // No airlock ever wrote a lower one.
            other => Err(Error::new(
                Class::State,
                OTHER_SCHEMA,
                format!("{} has schema version {other}", self.name),
            )
            .expected(VERSION.to_string())
            .remedy(self.damaged)),
        }
    }

    /// Checks, before SQLite opens a file of this kind, that no newer airlock wrote it; reads only. That there is no such file, or one
    /// that cannot be understood, is no error here.
    ///
    /// # Errors
    ///
    /// `E-STATE` [`SCHEMA_TOO_NEW`], `planted`; `E-IO`.
    pub fn refuse_newer(&self, path: &Path) -> Result<()> {
        let Some(header) = Header::read(path)? else {
            return Ok(());
        };
        let ours = i64::from(header.application_id) == i64::from(self.application_id);
        let version = i64::from(header.version);
        // The version is a signed number; airlock writes no negative one.
        if ours && version > VERSION && version <= i64::from(i32::MAX) {
            return Err(self.too_new(version));
        }
        Ok(())
    }

    /// Adds, to the failure of a statement that met damage, what to do about a file of this kind.
    pub(super) fn advise(&self, error: Error) -> Error {
        if error.is(DAMAGED) && error.advice().is_none() {
            return error.remedy(self.damaged);
        }
        error
    }

    fn too_new(&self, found: i64) -> Error {
        Error::new(
            Class::State,
            SCHEMA_TOO_NEW,
            format!(
                "{} was made by a newer airlock: it has schema version {found}",
                self.name
            ),
        )
        .expected(format!(
            "at most version {VERSION}, which airlock {} writes",
            env!("CARGO_PKG_VERSION")
        ))
        .remedy("use the airlock that wrote it, or a newer one; nothing in it was changed")
    }

    /// Checks that a database has the tables, columns and indexes that its version has: the version alone is a number that anybody can
    /// write.
    ///
    /// # Errors
    ///
    /// `E-STATE other-schema`; those of the database.
    pub fn check_tables(&self, connection: &Connection) -> Result<()> {
        let expected = Connection::open_in_memory().sql("make a database to compare with")?;
        expected
            .execute_batch(self.sql)
            .sql("make a database to compare with")?;
        if columns(connection)? == columns(&expected)? {
            return Ok(());
        }
        Err(Error::new(
            Class::State,
            OTHER_SCHEMA,
            format!("{} has other tables than its version has", self.name),
        )
        .remedy(self.damaged))
    }

    /// Makes the tables of a new file.
    pub(super) fn make(&self, connection: &mut Connection) -> Result<()> {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .sql("lock the database")?;
        transaction.execute_batch(self.sql).sql("make the tables")?;
        transaction
            .pragma_update(None, "application_id", self.application_id)
            .sql("write the database header")?;
        transaction
            .pragma_update(None, "user_version", VERSION)
            .sql("write the database header")?;
        transaction.commit().sql("make the tables")
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
