//! Where in the file each key was said: every refusal names line and column.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::key::Key;
use crate::domain::{Class, Error, shown};

/// The file, and where its values stand.
#[derive(Debug, Default)]
pub(super) struct Places {
    file: PathBuf,
    /// Line and column of a key's value, and of each of its elements.
    values: BTreeMap<String, (Place, Vec<Place>)>,
}

/// A place for people: both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

impl Places {
    /// Reads where the keys of a file stand; of one that is no TOML, none.
    pub(super) fn read(text: &str, file: &Path) -> Self {
        let mut values = BTreeMap::new();
        if let Ok(document) = DeTable::parse(text) {
            for key in Key::all() {
                let table = match key.table {
                    "" => Some(document.get_ref()),
                    table => document
                        .get_ref()
                        .get(table)
                        .and_then(|table| table.get_ref().as_table()),
                };
                let Some(value) = table.and_then(|table| table.get(key.name)) else {
                    continue;
                };
                let elements = match value.get_ref() {
                    DeValue::Array(elements) => elements.iter().map(|one| Place::of(text, one.span().start)).collect(),
                    _ => Vec::new(),
                };
                values.insert(key.path(), (Place::of(text, value.span().start), elements));
            }
        }
        Self {
            file: file.to_owned(),
            values,
        }
    }

    /// Returns a table that a file writes as a list of tables, and where.
    pub(super) fn listed_table(text: &str) -> Option<(Place, &'static str)> {
        let document = DeTable::parse(text).ok()?;
        let mut tables = Key::all().map(|key| key.table).filter(|table| !table.is_empty());
        tables.find_map(|table| {
            let value = document.get_ref().get(table)?;
            matches!(value.get_ref(), DeValue::Array(_)).then(|| (Place::of(text, value.span().start), table))
        })
    }

    /// Returns where a key is said; nothing where it is not.
    pub(super) fn of(&self, key: &str) -> Option<Place> {
        self.values.get(key).map(|(place, _)| *place)
    }

    /// Refuses what the first of some keys says that is said at all.
    pub(super) fn wrong(&self, keys: &[&str], found: &str) -> Error {
        let place = keys.iter().find_map(|key| self.of(key));
        wrong(&self.file, place, found)
    }

    /// Refuses an element of a key.
    pub(super) fn wrong_element(&self, key: &str, number: usize, found: &str) -> Error {
        wrong(&self.file, self.element(key, number), found)
    }

    /// Says where an error about a key comes from.
    pub(super) fn tell(&self, error: Error, key: &str, number: usize) -> Error {
        let place = self.element(key, number);
        match place {
            Some(place) => error.context(&format!("{}, {place}", shown(&self.file.display().to_string()))),
            None => error,
        }
    }

    fn element(&self, key: &str, number: usize) -> Option<Place> {
        let (value, elements) = self.values.get(key)?;
        Some(elements.get(number).copied().unwrap_or(*value))
    }
}

impl Place {
    /// Returns the place of a byte of a text.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        // A mark of the byte order is no column.
        let before = text.get(..offset).unwrap_or(text).trim_start_matches('\u{feff}');
        Self {
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Refuses what a file says.
pub(super) fn wrong(file: &Path, place: Option<Place>, found: &str) -> Error {
    let found = match place {
        Some(place) => format!("{}, {place}: {found}", file.display()),
        None => format!("{}: {found}", file.display()),
    };
    Error::new(Class::Usage, "config", found)
        .remedy("correct that key in the file; `airlock config reference` shows all that it may say")
}
