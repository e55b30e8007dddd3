//! SQLite: the only place with SQL. Trust, content, names, agents and evidence in `airlock.db`, status in `status.db` (D6),
//! the vendor's record in `ledger.db`.
//!
//! # Rules
//!
//! - Bytes before rows: whoever writes a row about a blob has made the blob durable before.
//! - One writer connection per process, `IMMEDIATE` transactions, WAL with `synchronous=FULL`: what [`Db::write`] returned
//!   is on disk. Readers never write and never block the writer.
//! - Every effect and its audit row stand in one transaction ([`audit`]); receipts have no gaps ([`receipts`]).
//! - A file that is damaged, of another kind, or written by a newer airlock is `E-STATE` and stays untouched.
//! - Rows of a release never change after it was published, except its state. So a reader that names releases by id sees
//!   one generation, whatever is activated meanwhile ([`names`]).
//!
//! Functions take a [`Connection`] to read and a [`Transaction`] to write, and speak in domain values only.

pub mod appliance;
pub mod audit;
mod failure;
mod handle;
pub mod ledger;
mod migrations;
pub mod names;
mod publish;
pub mod receipts;
pub mod release;
mod sql_types;
pub mod status;
pub mod target_secrets;
pub mod targets;
#[cfg(test)]
mod tests;
pub mod trust;

pub use failure::SqlResult;
pub use handle::{Db, Interrupt, Reader, Watch};
pub use migrations::Schema;
pub use publish::{BlobRow, Name, Page, Publication, Published, publish};
pub use rusqlite::{Connection, Transaction};
