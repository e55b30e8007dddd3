//! Statuses in the appliance's buffer, compared with what its clients were answered.

use std::collections::BTreeMap;
use std::path::Path;

use ::airlock::db::status::journal;
use rusqlite::{Connection, OpenFlags};

use crate::agent::looping::Acknowledged;
use crate::{Outcome, ensure};

/// Fails unless the buffer holds every acknowledged status as often as it was acknowledged.
pub(crate) fn compare(state: &Path, acknowledged: &[Acknowledged]) -> Outcome {
    ensure(!acknowledged.is_empty(), || "nothing was acknowledged".into())?;
    let mut wanted: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for status in acknowledged {
        let key = (status.revision.clone(), status.kind.clone(), status.message.clone());
        *wanted.entry(key).or_default() += 1;
    }
    let kept = rows(state)?;
    for (key, count) in &wanted {
        let found = kept.get(key).copied().unwrap_or_default();
        ensure(found >= *count, || {
            format!("{key:?} was answered {count} times and is kept {found} times")
        })?;
    }
    Ok(())
}

/// Revision, type and message of every status, with how often it came.
fn rows(state: &Path) -> Outcome<BTreeMap<(String, String, String), u64>> {
    // SQLite itself may have to recover the log of a process that was killed.
    let connection = Connection::open_with_flags(state.join("status.db"), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut statement = connection.prepare(
        "SELECT number, record.revision, record.kind, record.text, coalesce(repeats.count, 1)
         FROM record LEFT JOIN repeats USING (number) WHERE class IN (1, 2, 7)",
    )?;
    // Counts since the last fold stand in the journal; later rows say the same or more.
    let mut repeated: BTreeMap<u64, u64> = BTreeMap::new();
    for row in journal(&connection)? {
        repeated.extend(row.entries.iter().map(|entry| (entry.number, entry.count)));
    }
    let mut rows = statement.query([])?;
    let mut kept = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (number, revision, kind): (u64, Vec<u8>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (text, folded): (String, u64) = (row.get(3)?, row.get(4)?);
        let count = repeated.get(&number).copied().unwrap_or_default().max(folded);
        let kind = match kind {
            1 => "error",
            2 => "progressing",
            3 => "running",
            _ => "healthy",
        };
        *kept.entry((uuid(&revision), kind.to_owned(), text)).or_default() += count;
    }
    Ok(kept)
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text += &format!("{byte:02x}");
    }
    text
}
