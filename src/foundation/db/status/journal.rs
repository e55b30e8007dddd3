//! Repeats of one group commit as one short row.
//!
//! A row holds, as variable-length numbers: the time of the commit, the number that the next record will get, then for each record
//! the step from the number before it, and its count so far with two bits more: whether a text follows, and whether the deployment came
//! into this state again. Counts are absolute, so that a row may be read twice. A text is there only when it is not the one before.

use rusqlite::{Connection, Transaction, params};

use crate::db::{DAMAGED, SqlResult as _};
use crate::domain::{Class, Error, Result, Timestamp};

/// A record that was repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number of the record.
    pub number: u64,
    /// How often it came so far.
    pub count: u64,
    /// Whether the deployment was in another state before.
    pub entered: bool,
    /// The text as it came, where it is not the one before.
    pub text: Option<String>,
}

/// The repeats of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When they came.
    pub time: Timestamp,
    /// The number that the next record would get then: what is below came before.
    pub next: u64,
    /// Ascending by number.
    pub entries: Vec<Entry>,
}

/// Packs the repeats of a commit.
pub fn pack(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(row.entries.len().saturating_mul(6).saturating_add(12));
    put(&mut bytes, u64::try_from(row.time.unix()).unwrap_or(0));
    put(&mut bytes, row.next);
    let mut before = 0;
    for entry in &row.entries {
        put(&mut bytes, entry.number.wrapping_sub(before));
        let flags = u64::from(entry.text.is_some()) << 1 | u64::from(entry.entered);
        put(&mut bytes, (entry.count << 2) | flags);
        if let Some(text) = &entry.text {
            put(&mut bytes, text.len() as u64);
            bytes.extend_from_slice(text.as_bytes());
        }
        before = entry.number;
    }
    bytes
}

/// Reads a packed row.
///
/// # Errors
///
/// `E-STATE database-damaged`.
pub fn unpack(bytes: &[u8]) -> Result<Row> {
    let mut rest = bytes;
    let time = take(&mut rest)?;
    let time = i64::try_from(time)
        .ok()
        .and_then(Timestamp::from_unix)
        .ok_or_else(damaged)?;
    let next = take(&mut rest)?;
    let mut entries = Vec::new();
    let mut number = 0_u64;
    while !rest.is_empty() {
        number = number.wrapping_add(take(&mut rest)?);
        let word = take(&mut rest)?;
        let text = if word & 2 == 2 {
            Some(take_text(&mut rest)?)
        } else {
            None
        };
        entries.push(Entry {
            number,
            count: word >> 2,
            entered: word & 1 == 1,
            text,
        });
    }
    Ok(Row { time, next, entries })
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, after) = rest.split_first().ok_or_else(damaged)?;
        *rest = after;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(damaged())
}

fn take_text(rest: &mut &[u8]) -> Result<String> {
    let length = usize::try_from(take(rest)?).map_err(|_| damaged())?;
    let (text, after) = rest.split_at_checked(length).ok_or_else(damaged)?;
    *rest = after;
    String::from_utf8(text.to_vec()).map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::new(Class::State, DAMAGED, "a row of the journal of repeats is damaged")
}

/// Appends a row and returns its length in bytes.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn append(transaction: &Transaction<'_>, row: &Row) -> Result<usize> {
    let body = pack(row);
    transaction
        .prepare_cached("INSERT INTO journal (body) VALUES (?)")
        .and_then(|mut statement| statement.execute(params![body]))
        .sql("record repeats")?;
    Ok(body.len())
}

/// Returns every repeat since the last fold, in the order in which they came.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql); `E-STATE` for a damaged row.
pub fn journal(connection: &Connection) -> Result<Vec<Row>> {
    let mut statement = connection
        .prepare_cached("SELECT body FROM journal ORDER BY id")
        .sql("read the repeats")?;
    let rows = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .sql("read the repeats")?;
    rows.map(|row| unpack(&row.sql("read the repeats")?)).collect()
}

/// Empties the journal: a fold took it in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn clear(transaction: &Transaction<'_>) -> Result<()> {
    transaction
        .prepare_cached("DELETE FROM journal")
        .and_then(|mut statement| statement.execute([]))
        .sql("empty the journal of repeats")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_is_short() {
        let time = Timestamp::from_unix(1_800_000_000).unwrap();
        let entries: Vec<Entry> = (0..20)
            .map(|n| Entry {
                number: 1_000_000 + n * 700,
                count: 17_280,
                entered: n == 3,
                text: (n == 4).then(|| "Exited (3) 17 seconds ago".to_owned()),
            })
            .collect();
        let row = Row {
            time,
            next: 5_000_000,
            entries,
        };
        let bytes = pack(&row);
        assert!(bytes.len() < 146, "{}", bytes.len());
        assert_eq!(unpack(&bytes).unwrap(), row);
        for cut in [&bytes[..bytes.len() - 1], &[], &[0xff; 12]] {
            assert_eq!(unpack(cut).unwrap_err().code(), "database-damaged");
        }
    }
}
