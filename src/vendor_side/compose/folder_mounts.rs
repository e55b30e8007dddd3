//! Lines to write in the place of a mounted folder: one for each file in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::{Error, Result};
use crate::release_folder::ReleaseFolder;

/// Most lines that a message has.
const LINES: usize = 20;
/// Most entries that are looked at, and how deep.
const ENTRIES: usize = 2_000;
const DEPTH: usize = 16;

/// A folder that a service mounts.
pub(super) struct FolderMount<'a> {
    pub(super) path: &'a Path,
    /// As the compose file names it.
    pub(super) source: &'a str,
    pub(super) target: &'a str,
}

impl FolderMount<'_> {
    /// Returns the items of `volumes` for its files, in quotes; nothing where it has none.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-USAGE outside` for links that lead out.
    pub(super) fn items(&self, folder: &ReleaseFolder) -> Result<Vec<String>> {
        let mut files = Vec::new();
        let mut entries = 0_usize;
        // A path of nothing is the folder in which this program runs.
        let path = if self.path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            self.path
        };
        gather(folder, path, &mut PathBuf::new(), &mut entries, &mut files)?;
        files.sort();
        let more = files.len().saturating_sub(LINES);
        let shown = files.iter().take(LINES).map(|file| format!("`{}`", self.item(file)));
        let mut lines: Vec<String> = shown.collect();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        Ok(lines)
    }

    fn item(&self, file: &Path) -> String {
        let file = file.display();
        let source = match self.source.trim_end_matches('/') {
            "" => ".",
            source => source,
        };
        let source = format!("{source}/{file}").replace('$', "$$");
        let target = format!("{}/{file}", self.target.trim_end_matches('/')).replace('$', "$$");
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        if is_plain(&source) && is_plain(&target) {
            return format!("- {source}:{target}:ro");
        }
        // JSON is YAML too.
        let [source, target] = [source, target].map(serde_json::Value::String);
        format!("- {{type: bind, source: {source}, target: {target}, read_only: true}}")
    }
}

fn gather(
    folder: &ReleaseFolder,
    at: &Path,
    below: &mut PathBuf,
    entries: &mut usize,
    files: &mut Vec<PathBuf>,
) -> Result<()> {
    let failed = |error| Error::io("list", at, error);
    for entry in fs::read_dir(at).map_err(failed)? {
        *entries = entries.saturating_add(1);
        if *entries > ENTRIES || below.components().count() > DEPTH {
            return Ok(());
        }
        let entry = entry.map_err(failed)?;
        below.push(entry.file_name());
        match folder.look(&entry.path())? {
            Some(looked) if looked.is_file() => files.push(below.clone()),
            Some(looked) if looked.is_folder() => gather(folder, &entry.path(), below, entries, files)?,
            _ => {}
        }
        below.pop();
    }
    Ok(())
}
