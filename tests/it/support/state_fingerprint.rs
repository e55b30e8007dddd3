//! The world fingerprint: what a refusal must leave as it was (invariant I0 of the threat model).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use airlock::appliance::Appliance;
use airlock::domain::Hash;
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};

/// What must be the same after a refusal (I0), trust apart, which valid links may move forward (I0t).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateFingerprint {
    rows: Hash,
    files: BTreeMap<PathBuf, Hash>,
    roots: i64,
    /// The time floor of every domain.
    floors: Vec<String>,
    audit: i64,
    /// Receipts, and rows of stream logs: what a vendor may learn of a refusal.
    receipts: i64,
    told: i64,
}

impl StateFingerprint {
    /// Every row but those of the audit log and of what leaves of it, the roots' and the floors', every file that content or trust is in.
    pub(crate) fn of(state: &Path) -> Self {
        let appliance = Appliance::open(state, std::sync::Arc::new(airlock::domain::SystemClock)).unwrap();
        let (rows, roots, floors, [audit, receipts, told]) = appliance
            .db
            .read(|connection| {
                let mut hasher = Sha256::new();
                let mut tables = connection
                    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
                    .unwrap();
                let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(|name| name.unwrap()).collect();
                for table in tables.iter().filter(|table| !matches!(table.as_str(), "audit" | "receipt" | "stream_audit" | "trust_root" | "time_floor")) {
                    let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
                    let count = statement.column_count();
                    let mut lines: Vec<String> = Vec::new();
                    let mut rows = statement.query([]).unwrap();
                    while let Some(row) = rows.next().unwrap() {
                        let line: Vec<String> = (0..count).map(|n| shown(row.get_ref(n).unwrap())).collect();
                        lines.push(line.join("|"));
                    }
                    lines.sort();
                    hasher.update(format!("{table}\n{}\n", lines.join("\n")));
                }
                let mut statement = connection.prepare("SELECT hex(domain) || ' ' || floor FROM time_floor ORDER BY 1").unwrap();
                let floors = statement.query_map([], |row| row.get(0)).unwrap().map(|floor| floor.unwrap()).collect();
                let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
                Ok((
                    Hash(hasher.finalize().into()),
                    count("SELECT count(*) FROM trust_root"),
                    floors,
                    [
                        count("SELECT count(*) FROM audit"),
                        count("SELECT count(*) FROM receipt"),
                        count("SELECT count(*) FROM stream_audit"),
                    ],
                ))
            })
            .unwrap();
        drop(appliance);
        let mut files = BTreeMap::new();
        for name in ["blobs", "incoming", "roots", "marks", "receipts", "outbox", "identity"] {
            collect(state, Path::new(name), &mut files);
        }
        Self {
            rows,
            files,
            roots,
            floors,
            audit,
            receipts,
            told,
        }
    }

    /// Whether something of an unfinished import is left.
    pub(crate) fn has_incoming(&self) -> bool {
        self.files.keys().any(|path| path.starts_with("incoming"))
    }

    /// Whether new roots were accepted.
    pub(crate) fn trust_moved_since(&self, before: &Self) -> bool {
        self.roots > before.roots
    }

    /// Whether nothing but the log changed: by so many rows, and so many of streams.
    pub(crate) fn is_but_for_rows(&self, before: &Self, rows: i64, told: i64) -> bool {
        let grown = Self {
            audit: before.audit + rows,
            told: before.told + told,
            ..before.clone()
        };
        *self == grown
    }

    /// Compares with the world before a refusal; what is left for the next try does not count when it may stay.
    pub(crate) fn differs_from(&self, before: &Self, links: bool, may_keep_incoming: bool) -> Option<String> {
        let kept = |world: &Self| -> BTreeMap<PathBuf, Hash> {
            let wanted =
                |path: &Path| !may_keep_incoming || !(path.starts_with("incoming") || path.starts_with("blobs"));
            world
                .files
                .iter()
                .filter(|(path, _)| wanted(path))
                .map(|(path, hash)| (path.clone(), *hash))
                .collect()
        };
        if self.rows != before.rows {
            return Some("rows of the database changed".into());
        }
        if kept(self) != kept(before) {
            return Some(format!(
                "files changed: {:?}",
                kept(self)
                    .keys()
                    .filter(|path| !before.files.contains_key(*path))
                    .collect::<Vec<_>>()
            ));
        }
        let moved = self.roots - before.roots;
        if moved < 0 || (moved > 0 && !links) {
            return Some("trust moved".into());
        }
        if moved == 0 && self.floors != before.floors {
            return Some(format!("floors moved from {:?} to {:?}", before.floors, self.floors));
        }
        let rows = self.audit - before.audit;
        if rows != 1 + i64::from(moved > 0) {
            return Some(format!("{rows} audit rows for {moved} new roots"));
        }
        let (receipts, told) = (self.receipts - before.receipts, self.told - before.told);
        if !(0..=1).contains(&receipts) || told != receipts + i64::from(moved > 0) {
            return Some(format!(
                "{receipts} receipts and {told} rows of streams for {moved} new roots"
            ));
        }
        None
    }
}

fn shown(value: ValueRef<'_>) -> String {
    format!("{value:?}")
}

#[expect(clippy::disallowed_methods, reason = "test files")]
fn collect(state: &Path, name: &Path, files: &mut BTreeMap<PathBuf, Hash>) {
    let path = state.join(name);
    if path.is_dir() {
        for entry in fs::read_dir(&path).unwrap() {
            collect(state, &name.join(entry.unwrap().file_name()), files);
        }
    } else if let Ok(bytes) = fs::read(&path) {
        files.insert(name.to_owned(), Hash(Sha256::digest(&bytes).into()));
    }
}
