//! What an appliance keeps of what its agents reported, looked at from outside: its status database, read as bytes of rows.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::served_appliance::ServedAppliance;

/// The log lines that are kept, as text.
pub(super) fn logs(served: &ServedAppliance) -> String {
    text(served)
}

/// Every row of every table of `status.db`, as text; UUIDs and hashes as hex digits.
pub(super) fn text(served: &ServedAppliance) -> String {
    let path = served.state().join("status.db");
    // Written to only by SQLite itself: after a crash the reader has the log to recover.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    let mut names = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")
        .unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut text = String::new();
    for name in names {
        let mut rows = connection.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            text.push_str(&name);
            for column in 0..columns {
                text.push('|');
                match row.get_ref(column).unwrap() {
                    ValueRef::Null => {}
                    ValueRef::Integer(number) => text.push_str(&number.to_string()),
                    ValueRef::Real(number) => text.push_str(&number.to_string()),
                    ValueRef::Blob(bytes) if matches!(bytes.len(), 16 | 32) => text.push_str(&hex(bytes)),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
                }
            }
            text.push('\n');
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
