//! What a failure of SQLite means to the one who asked: full disk, broken disk, damaged file, or a bug.

use rusqlite::ErrorCode;

use crate::domain::{Class, Code, Error, Result};

/// Content of a database is damaged. What helps depends on whose database it is ([`Schema::damaged`](super::Schema::damaged)), so the
/// failure of a statement names no remedy: [`Db`](super::Db) adds that of its kind.
pub const DAMAGED: Code = Code::new("database-damaged");

/// Turns results of SQLite into results of the project, with the words of the step that failed.
pub trait SqlResult<T> {
    /// Says what was tried: `"read the audit log"`.
    ///
    /// # Errors
    ///
    /// `E-SPACE` for a full disk, `E-IO` for a failing one, `E-STATE` for damaged content, `E-BUSY` when another process
    /// holds the database too long, `E-INTERNAL` for everything that only a bug can cause.
    fn sql(self, what: &'static str) -> Result<T>;
}

impl<T> SqlResult<T> for rusqlite::Result<T> {
    fn sql(self, what: &'static str) -> Result<T> {
        self.map_err(|error| refuse(what, error))
    }
}

/// Whether the file has lost a table or column: it was cut off, or is another one.
fn lacks_table(error: &rusqlite::Error) -> bool {
    let text = error.to_string();
    text.starts_with("no such table") || text.starts_with("no such column")
}

fn refuse(what: &'static str, error: rusqlite::Error) -> Error {
    use rusqlite::Error as Sql;
    let (class, code, remedy) = match &error {
        Sql::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => (Class::Space, "no-space", Some("free space and try again")),
            // The shared memory of the log is a file too, made anew by the first process that opens the database.
            ErrorCode::SystemIoFailure if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
                (Class::Space, "no-space", Some("free space and try again"))
            }
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (
                Class::Io,
                "database-io",
                Some("check the disk and the permissions of the folder"),
            ),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => (Class::State, DAMAGED.as_str(), None),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                (Class::Busy, "database-busy", Some("try again"))
            }
            _ if lacks_table(&error) => (Class::State, DAMAGED.as_str(), None),
            _ => (Class::Internal, "database", None),
        },
        // A value that does not fit its domain type, or a row that must be there and is not, was not written by airlock.
        Sql::FromSqlConversionFailure(..)
        | Sql::InvalidColumnType(..)
        | Sql::IntegralValueOutOfRange(..)
        | Sql::Utf8Error(..)
        | Sql::QueryReturnedNoRows => (Class::State, DAMAGED.as_str(), None),
        // Every table and column that is asked for was made with the file, so one that is not there was lost.
        other if lacks_table(other) => (Class::State, DAMAGED.as_str(), None),
        _ => (Class::Internal, "database", None),
    };
    let found = if class == Class::Busy {
        format!("cannot {what}: another command or program has been writing into the database all the while")
    } else {
        format!("cannot {what}: {error}")
    };
    let refusal = Error::new(class, code, found).with_source(error);
    match remedy {
        Some(remedy) => refusal.remedy(remedy),
        None => refusal,
    }
}
