//! Who gets at files that hold what nobody else may know. What the keys say of themselves stands with them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::appliance::folder::{
    AUTHORITY_KEY, DATABASE, IDENTITY, RECIPIENT_KEY, REVISION_KEY, SECRETS, STATUS_DATABASE, STATUS_KEY, TOKEN_KEY,
};
use crate::db::side_file;
use crate::domain::{Class, Error, Result, counted};

/// Files that are written out.
const NAMED: usize = 10;
/// Keys that are judged where they are read.
const JUDGED: [&str; 5] = [STATUS_KEY, RECIPIENT_KEY, REVISION_KEY, TOKEN_KEY, AUTHORITY_KEY];

/// Looks at databases, keys and kept values, and at the folder itself; nothing where only their owner gets at them.
///
/// # Errors
///
/// `E-IO`.
pub(super) fn look(state: &Path) -> Result<Option<Finding>> {
    let mut open = Vec::new();
    let databases = [DATABASE, STATUS_DATABASE].map(|name| state.join(name));
    let logs = databases.iter().map(|database| side_file(database, "-wal"));
    for path in std::iter::once(state.to_owned()).chain(logs).chain(databases.clone()) {
        note(path, &mut open)?;
    }
    let judged = JUDGED.map(|name| state.join(name));
    for entry in entries(&state.join(IDENTITY))? {
        let is_key = entry.extension().is_some_and(|extension| extension == "key");
        if is_key && !judged.contains(&entry) {
            note(entry, &mut open)?;
        }
    }
    for entry in entries(&state.join(SECRETS))? {
        note(entry, &mut open)?;
    }
    if open.is_empty() {
        return Ok(None);
    }
    let shown: Vec<String> = open.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let more = match open.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = shown.join(" ");
    let error = Error::new(
        Class::State,
        "readable",
        format!(
            "others than their owner may get at {} that only it shall read: {shown}{more}",
            counted(open.len() as u64, "file or folder")
        ),
    )
    .remedy(format!("find out who read them; then chmod go-rwx {shown}"));
    Ok(Some(Finding::look("permissions", &error)))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", folder, error)),
    };
    let paths = entries.map(|entry| Ok(entry.map_err(|error| Error::io("list", folder, error))?.path()));
    let mut paths = paths.collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn note(path: PathBuf, open: &mut Vec<PathBuf>) -> Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.mode() & 0o077 != 0 => open.push(path),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("look at", &path, error)),
    }
    Ok(())
}
