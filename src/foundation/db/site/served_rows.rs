//! The rows that a server answers from, as lines of text: what a generation is made of beside what its signed documents say.
//!
//! A row is a line: a JSON object whose one member is named as its table and lists the columns in the order of the schema. Blobs stand as
//! lists of one text, their base64. Who reads them must have the same schema ([`schema_hash`]). Names of content are not among them: they
//! follow from the signed index.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Column, ValueRef};
use rusqlite::{Connection, Transaction, params_from_iter};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::release::ReleaseId;
use crate::db::{DAMAGED, Schema, SqlResult as _};
use crate::domain::{Class, Code, Error, Hash, Result};

/// What is kept of the last generation does not hold.
pub const GENERATION_DAMAGED: Code = Code::new("generation-damaged");

/// Which rows of a table: all, or those of the releases that are named.
#[derive(Debug, Clone, Copy)]
enum Of {
    All,
    Releases(&'static str),
}

/// The tables, each behind those that its rows refer to.
const TABLES: [(&str, Of); 24] = [
    ("appliance", Of::All),
    ("own_key", Of::All),
    ("instance", Of::All),
    ("enrolment", Of::All),
    ("trust_root", Of::All),
    ("time_floor", Of::All),
    ("scope", Of::All),
    ("release", Of::Releases("id")),
    ("home_claim", Of::All),
    ("host_owner", Of::All),
    ("repository", Of::All),
    ("tag_claim", Of::All),
    ("damage", Of::All),
    ("release_target", Of::Releases("release")),
    ("release_deployment", Of::Releases("release")),
    ("release_removal", Of::Releases("release")),
    ("kept_secret", Of::All),
    ("site_revision", Of::All),
    ("local_target", Of::All),
    ("owner", Of::All),
    ("local_removal", Of::All),
    ("target_secret", Of::All),
    ("access", Of::All),
    ("access_grant", Of::All),
];

/// Returns what tells the schema that lines were written under from any other.
pub fn schema_hash() -> Hash {
    Hash(Sha256::digest(Schema::SITE.sql).into())
}

/// Calls `line` with every row that is served from, of one moment: those of the releases, and what this site decided.
///
/// # Errors
///
/// Those of the database, and of `line`.
pub fn each(connection: &Connection, releases: &[ReleaseId], line: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    let ids: Vec<i64> = releases.iter().map(|release| release.0).collect();
    let ids = Value::from(ids).to_string();
    for (table, of) in TABLES {
        let (which, ids) = match of {
            Of::All => (String::new(), None),
            Of::Releases(column) => (
                format!(" WHERE {column} IN (SELECT value FROM json_each(?))"),
                Some(ids.as_str()),
            ),
        };
        let mut select = connection
            .prepare(&format!("SELECT * FROM {table}{which}"))
            .sql("read the rows that are served")?;
        let columns = select.column_count();
        let mut rows = select
            .query(params_from_iter(ids))
            .sql("read the rows that are served")?;
        while let Some(row) = rows.next().sql("read the rows that are served")? {
            let values = (0..columns).map(|column| {
                let value = row.get_ref(column).sql("read the rows that are served")?;
                to_json(value).ok_or_else(|| {
                    let found = format!("a row of the table {table} holds what airlock never writes");
                    Error::new(Class::State, DAMAGED, found)
                })
            });
            let values = Value::from(values.collect::<Result<Vec<Value>>>()?);
            line(&format!("{{\"{table}\":{values}}}"))?;
        }
    }
    Ok(())
}

/// Inserts the row of a line.
///
/// # Errors
///
/// `E-STATE` [`GENERATION_DAMAGED`] when it is none; those of the database.
pub fn insert(transaction: &Transaction<'_>, line: &[u8]) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "rows of our own writing, which nobody signed")]
    let row = serde_json::from_slice::<serde_json::Map<String, Value>>(line);
    let row = row.map_err(|error| damaged().with_source(error))?;
    let mut members = row.into_iter();
    let (Some((name, Value::Array(values))), None) = (members.next(), members.next()) else {
        return Err(damaged());
    };
    // The name goes into the statement: one of ours.
    let table = TABLES.iter().find(|(table, _)| *table == name);
    let (table, _) = table.ok_or_else(damaged)?;
    let columns = values
        .into_iter()
        .map(from_json)
        .collect::<Option<Vec<Column>>>()
        .filter(|columns| !columns.is_empty())
        .ok_or_else(damaged)?;
    let places = vec!["?"; columns.len()].join(",");
    transaction
        .prepare_cached(&format!("INSERT INTO {table} VALUES ({places})"))
        .and_then(|mut insert| insert.execute(params_from_iter(columns)))
        .sql("put a row that was served in its place")
        .map(|_| ())
}

fn to_json(column: ValueRef<'_>) -> Option<Value> {
    Some(match column {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.into(),
        ValueRef::Blob(bytes) => vec![STANDARD.encode(bytes)].into(),
        ValueRef::Real(_) => return None,
    })
}

fn from_json(value: Value) -> Option<Column> {
    Some(match value {
        Value::Null => Column::Null,
        Value::Number(number) => Column::Integer(number.as_i64()?),
        Value::String(text) => Column::Text(text),
        Value::Array(one) => match <[Value; 1]>::try_from(one).ok()? {
            [Value::String(text)] => Column::Blob(STANDARD.decode(text).ok()?),
            _ => return None,
        },
        Value::Bool(_) | Value::Object(_) => return None,
    })
}

fn damaged() -> Error {
    Error::new(
        Class::State,
        GENERATION_DAMAGED,
        "a line of generation.json, the last generation that was served, is no row of the database",
    )
    .remedy("start airlock serve again once airlock.db is whole: it writes it anew")
}
