//! The database file: one writer, a few readers, and the settings that keep hostile files and power cuts harmless.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, Transaction, TransactionBehavior};
use rustix::fs::{CWD, RenameFlags};

use super::header::side_file;
use super::{DAMAGED, Schema, SqlResult as _};
use crate::domain::{Class, Error, Result};
use crate::stream::{Expected, create_new, look, sync_folder};

/// How long a connection waits for another process's transaction, where transactions are short.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Readers that stay open between uses; more are opened under load and closed again.
const IDLE_READERS: usize = 4;
/// Page cache of the writer, in KiB: an import of 100,000 blobs fills indexes in random order.
const WRITER_CACHE_KIB: i64 = 8 << 10;
/// Page cache of each reader, in KiB.
const READER_CACHE_KIB: i64 = 512;

/// An open database.
///
/// Both ways in block the calling thread. A closure never waits for anything but the database: no network, no copying of
/// files inside a transaction.
pub struct Db {
    path: PathBuf,
    schema: Schema,
    // Closed in this order: the last connection tidies up the side files, and only the writer may.
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Connection>,
}

impl Db {
    /// Makes a new database file with mode 0600.
    ///
    /// # Errors
    ///
    /// `E-STATE exists` when there is a file already, `planted` when it is no plain file; `E-IO`, `E-SPACE`.
    pub fn create(path: &Path, schema: &Schema) -> Result<Self> {
        // SQLite gives its side files the mode of the main file, so this one decides for all three.
        create_new(path, 0o600).map_err(|error| match look(path, Expected::File) {
            Ok(Some(_)) => Error::new(Class::State, "exists", format!("{} exists already", path.display()))
                .expected("a folder without this database")
                .with_source(error),
            _ => error,
        })?;
        Self::start(path, schema, true).map_err(|error| schema.advise(error))
    }

    /// Opens a database file.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is missing (`database-missing`), damaged (`database-damaged`), of another kind
    /// (`other-database`), no plain file (`planted`), or written by a newer airlock ([`SCHEMA_TOO_NEW`](super::SCHEMA_TOO_NEW)): the
    /// file is left as it is. `E-IO`, `E-SPACE`.
    pub fn open(path: &Path, schema: &Schema) -> Result<Self> {
        examine(path, schema)?;
        Self::start(path, schema, false).map_err(|error| schema.advise(error))
    }

    fn start(path: &Path, schema: &Schema, fresh: bool) -> Result<Self> {
        let mut writer = connect(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE,
            WRITER_CACHE_KIB,
            schema.patience,
        )?;
        if fresh {
            writer
                .pragma_update(None, "page_size", schema.page_bytes)
                .sql("set up the database")?;
        } else {
            // Before anything that could write: a file of another kind or version is not even switched to WAL.
            schema.check(&writer)?;
        }
        writer
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
            .sql("switch the database to its write-ahead log")?;
        writer
            .pragma_update(None, "synchronous", "full")
            .sql("set up the database")?;
        writer
            .pragma_update(None, "foreign_keys", true)
            .sql("set up the database")?;
        // A log that a large import made long does not stay long.
        writer
            .pragma_update_and_check(None, "journal_size_limit", 16 << 20, |row| row.get::<_, i64>(0))
            .sql("set up the database")?;
        if fresh {
            schema.make(&mut writer)?;
        }
        Ok(Self {
            path: path.to_owned(),
            schema: *schema,
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
        })
    }

    /// Closes a database that was made under a name of its own, and gives it the name under which it is one: whole, or not at all.
    ///
    /// # Errors
    ///
    /// `E-IO database-io` when its log could not be moved into it, which only a bad or full disk causes; `E-IO` also when something has
    /// that name already.
    pub fn put_in_place(self, place: &Path) -> Result<()> {
        let path = self.path.clone();
        // The last connection moves the log into the file.
        drop(self);
        let log = side_file(&path, "-wal");
        if look(&log, Expected::File)?.is_some() {
            return Err(Error::new(
                Class::Io,
                "database-io",
                format!("{} could not be moved into its database", log.display()),
            )
            .remedy("check the disk, and that it is not full"));
        }
        rustix::fs::renameat_with(CWD, &path, CWD, place, RenameFlags::NOREPLACE)
            .map_err(|errno| Error::io("put in place", place, errno.into()))?;
        sync_folder(place.parent().unwrap_or(Path::new(".")))
    }

    /// Runs a closure in one `IMMEDIATE` transaction; its effects are durable when this returns, or gone when it fails.
    ///
    /// # Errors
    ///
    /// Those of the closure, and those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let work = || {
            let mut writer = lock(&self.writer);
            let transaction = writer
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .sql("begin a transaction")?;
            let value = change(&transaction)?;
            transaction.commit().sql("commit a transaction")?;
            Ok(value)
        };
        work().map_err(|error| self.schema.advise(error))
    }

    /// Runs a closure as [`Self::write`] does, and takes every effect of it back: to say what would happen.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub fn rehearse<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let work = || {
            let mut writer = lock(&self.writer);
            let transaction = writer
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .sql("begin a transaction")?;
            let value = change(&transaction)?;
            transaction.rollback().sql("take a transaction back")?;
            Ok(value)
        };
        work().map_err(|error| self.schema.advise(error))
    }

    /// Runs a closure that reads; everything it reads belongs to one moment.
    ///
    /// # Errors
    ///
    /// Those of the closure, and those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = lock(&self.readers).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.reader()?,
        };
        let value = look_into(&reader, &self.schema, query)?;
        let mut readers = lock(&self.readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        Ok(value)
    }

    /// Starts watching for transactions of others, in this process or another one.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn watch(&self) -> Result<Watch> {
        let mut watch = Watch {
            connection: self.reader()?,
            seen: 0,
        };
        watch.changed()?;
        Ok(watch)
    }

    /// Reads every page and checks the structure; takes seconds on a large file, and blocks nobody.
    ///
    /// # Errors
    ///
    /// `E-STATE database-damaged`.
    pub fn quick_check(&self) -> Result<()> {
        self.checker()?.check()
    }

    /// Returns what checks the structure on its own: the database may be written, closed and moved away meanwhile.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn checker(&self) -> Result<Checker> {
        let reader = self.reader()?;
        // Its log is opened now: once the file is moved away, another one may have the log's name.
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
            .sql("begin reading")
            .map_err(|error| self.schema.advise(error))?;
        Ok(Checker {
            connection: reader,
            schema: self.schema,
        })
    }

    /// Copies the database as it stands at one moment into an empty file, while others read and write it; blocks nobody. What is copied is
    /// not durable, and has no log of its own.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn copy_to(&self, copy: &Path) -> Result<()> {
        copy_into(&self.reader()?, copy).map_err(|error| self.schema.advise(error))
    }

    fn reader(&self) -> Result<Connection> {
        connect(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_ONLY,
            READER_CACHE_KIB,
            self.schema.patience,
        )
        .map_err(|error| self.schema.advise(error))
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Runs a closure within a transaction; when it fails, its effects are taken back and the transaction goes on.
///
/// # Errors
///
/// Those of the closure, and those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn attempt<T>(transaction: &Transaction<'_>, change: impl FnOnce() -> Result<T>) -> Result<T> {
    transaction.execute_batch("SAVEPOINT attempt").sql("begin an attempt")?;
    let result = change();
    let end = if result.is_ok() {
        "RELEASE attempt"
    } else {
        "ROLLBACK TO attempt; RELEASE attempt"
    };
    transaction.execute_batch(end).sql("end an attempt")?;
    result
}

/// Checks the structure of a database through a connection of its own.
#[derive(Debug)]
pub struct Checker {
    connection: Connection,
    schema: Schema,
}

impl Checker {
    /// Returns what ends the check early, with an error that is not `E-STATE`.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt(self.connection.get_interrupt_handle())
    }

    /// Reads every page; takes seconds on a large file, and blocks nobody.
    ///
    /// # Errors
    ///
    /// `E-STATE database-damaged`.
    pub fn check(self) -> Result<()> {
        check_structure(&self.connection, &self.schema)
    }
}

/// Ends a query of another thread.
pub struct Interrupt(rusqlite::InterruptHandle);

impl Interrupt {
    /// Ends the query that runs now, if any.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupt")
    }
}

/// A database that another process writes, for reading only.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    schema: Schema,
}

impl Reader {
    /// Opens a database file of exactly this schema; nothing in it changes.
    ///
    /// # Errors
    ///
    /// As [`Db::open`].
    pub fn open(path: &Path, schema: &Schema) -> Result<Self> {
        Self::open_with(path, schema, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// As [`Self::open`], and makes no side file either, also where nothing may be written: one without a log, which nobody has open, is
    /// read as what stands still. So it must not be kept longer than it takes to look.
    ///
    /// # Errors
    ///
    /// As [`Db::open`].
    pub fn open_to_look(path: &Path, schema: &Schema) -> Result<Self> {
        let log = look(&side_file(path, "-wal"), Expected::File)?;
        if log.is_some() {
            return Self::open(path, schema);
        }
        Self::open_with(
            path,
            schema,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        )
    }

    fn open_with(path: &Path, schema: &Schema, access: OpenFlags) -> Result<Self> {
        examine(path, schema)?;
        let connection = connect(path, access, READER_CACHE_KIB, schema.patience)
            .and_then(|connection| schema.check(&connection).map(|()| connection))
            .map_err(|error| schema.advise(error))?;
        Ok(Self {
            path: path.to_owned(),
            connection,
            schema: *schema,
        })
    }

    /// Copies the database as [`Db::copy_to`] does.
    ///
    /// # Errors
    ///
    /// As [`Db::copy_to`].
    pub fn copy_to(&self, copy: &Path) -> Result<()> {
        let connection = connect(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_ONLY,
            READER_CACHE_KIB,
            self.schema.patience,
        );
        connection
            .and_then(|connection| copy_into(&connection, copy))
            .map_err(|error| self.schema.advise(error))
    }

    /// Runs a closure that reads; everything it reads belongs to one moment.
    ///
    /// # Errors
    ///
    /// Those of the closure, and those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        look_into(&self.connection, &self.schema, query)
    }

    /// Reads every page and checks the structure, as [`Db::quick_check`].
    ///
    /// # Errors
    ///
    /// `E-STATE database-damaged`.
    pub fn quick_check(&self) -> Result<()> {
        check_structure(&self.connection, &self.schema)
    }
}

/// What reads a database: of one moment in each call.
pub trait Reads {
    /// Runs a closure that reads; everything it reads belongs to one moment.
    ///
    /// # Errors
    ///
    /// Those of the closure, and those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T>;
}

impl Reads for Db {
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        Self::read(self, query)
    }
}

impl<T: Reads> Reads for Arc<T> {
    fn read<V>(&self, query: impl FnOnce(&Connection) -> Result<V>) -> Result<V> {
        (**self).read(query)
    }
}

impl Reads for Reader {
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        Self::read(self, query)
    }
}

/// Notices that somebody else committed a transaction, for the price of one look into shared memory.
#[derive(Debug)]
pub struct Watch {
    connection: Connection,
    seen: i64,
}

impl Watch {
    /// Whether anything was committed since the last call.
    ///
    /// # Errors
    ///
    /// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
    pub fn changed(&mut self) -> Result<bool> {
        let now: i64 = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .sql("look for new transactions")?;
        Ok(std::mem::replace(&mut self.seen, now) != now)
    }
}

/// Reads every page.
fn check_structure(connection: &Connection, schema: &Schema) -> Result<()> {
    let verdict: Result<String> = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .sql("check the database");
    let error = match verdict {
        Ok(verdict) if verdict == "ok" => return Ok(()),
        Ok(verdict) => Error::new(Class::State, DAMAGED, format!("the database is damaged: {verdict}")),
        Err(error) => error,
    };
    Err(schema.advise(error))
}

/// A name in a statement: not every file's is UTF-8.
struct FileName<'a>(&'a [u8]);

impl ToSql for FileName<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// Copies what a connection reads, which is used for nothing else, in one transaction. The copy keeps page size, kind, version and row ids.
fn copy_into(connection: &Connection, copy: &Path) -> Result<()> {
    let folder = copy.parent().unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|e| Error::io("look at", folder, e))?;
    let copy = folder.join(copy.file_name().unwrap_or_default());
    let name = FileName(copy.as_os_str().as_encoded_bytes());
    connection
        .set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)
        .sql("set up the database")?;
    connection
        .execute("VACUUM INTO ?", [name])
        .sql("copy the database")
        .map(|_| ())
}

/// Runs a closure that reads, in a transaction.
fn look_into<T>(connection: &Connection, schema: &Schema, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let work = || {
        let transaction = connection.unchecked_transaction().sql("begin reading")?;
        query(&transaction)
    };
    work().map_err(|error| schema.advise(error))
}

/// Checks what can be checked of a database before SQLite opens it; nothing in it changes.
fn examine(path: &Path, schema: &Schema) -> Result<()> {
    match look(path, Expected::File)? {
        None => Err(Error::new(
            Class::State,
            "database-missing",
            format!("there is no {}", path.display()),
        )
        .remedy(schema.damaged)),
        // SQLite would take an empty file for a new database.
        Some(found) if found.size() == 0 => Err(schema.advise(Error::new(
            Class::State,
            DAMAGED,
            format!("{} is empty", path.display()),
        ))),
        Some(_) => schema.refuse_newer(path),
    }
}

fn connect(path: &Path, access: OpenFlags, cache_kib: i64, patience: Duration) -> Result<Connection> {
    // SQLite follows no links to its files, but it would share the bytes of another name of theirs, and wait for a pipe.
    for suffix in ["", "-wal", "-shm", "-journal"] {
        look(&side_file(path, suffix), Expected::File)?;
    }
    // It allows links in no part of the path then, so those above the file are resolved first.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|e| Error::io("look at", folder, e))?;
    let mut path = folder.join(path.file_name().unwrap_or_default());
    if access.contains(OpenFlags::SQLITE_OPEN_URI) {
        path = still(&path);
    }
    let flags =
        access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).sql("open the database")?;
    connection.busy_timeout(patience).sql("set up the database")?;
    // A damaged or hostile file shall neither run code of its own nor reach outside.
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(setting, on).sql("set up the database")?;
    }
    connection
        .set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)
        .sql("set up the database")?;
    connection
        .pragma_update(None, "cell_size_check", true)
        .sql("set up the database")?;
    connection
        .pragma_update(None, "cache_size", -cache_kib)
        .sql("set up the database")?;
    connection
        .pragma_update(None, "temp_store", "memory")
        .sql("set up the database")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Returns the name under which SQLite reads a file that nobody changes: without locks, log and index.
fn still(path: &Path) -> PathBuf {
    let mut name = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => name.push(*byte),
            other => name.extend(format!("%{other:02x}").bytes()),
        }
    }
    name.extend(b"?immutable=1");
    PathBuf::from(OsString::from_vec(name))
}

/// A panic inside a closure rolled its transaction back, so a poisoned lock guards a sound connection.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
