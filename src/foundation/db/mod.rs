//! SQLite: the only place with SQL. One folder for each database, with its schema: [`site`] for `airlock.db` (trust, content,
//! names, agents, evidence), [`status`] for `status.db` (D6), [`ledger`] for the vendor's `ledger.db`.
//!
//! # Rules
//!
//! - Bytes before rows: whoever writes a row about a blob has made the blob durable before.
//! - One writer connection per process, `IMMEDIATE` transactions, WAL with `synchronous=FULL`: what [`Db::write`] returned
//!   is on disk. Readers never write and never block the writer.
//! - Every effect and its audit row stand in one transaction ([`site::audit`]); receipts have no gaps ([`site::receipts`]).
//! - A file that is damaged, of another kind, or written by a newer airlock is `E-STATE` and stays untouched.
//! - Rows of a release never change after it was published, except its state. So a reader that names releases by id sees
//!   one generation, whatever is activated meanwhile ([`site::names`]).
//!
//! Functions take a [`Connection`] to read and a [`Transaction`] to write, and speak in domain values only.

mod failure;
mod handle;
mod header;
pub mod ledger;
mod schema;
pub mod sealed_log;
pub mod site;
mod sql_types;
pub mod status;
#[cfg(test)]
mod tests;

pub use failure::{DAMAGED, SqlResult};
pub use handle::{Checker, Db, Interrupt, PATIENCE, Reader, Reads, Watch, attempt};
pub use header::side_file;
pub use rusqlite::{Connection, Transaction};
pub use schema::{OTHER_DATABASE, OTHER_SCHEMA, SCHEMA_TOO_NEW, Schema};
