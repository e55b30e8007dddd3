//! Packs a chart's folder as `helm package` does, the same bytes each time: names sorted, no times, no owners.

use std::fs::{self, File};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::archive::wrong;
use super::ignore::Ignore;
use super::metadata::Metadata;
use crate::domain::{Class, Error, Result};
use crate::stream::read_bounded;

/// File with the patterns of what stays out.
const IGNORE: &str = ".helmignore";
/// Largest file; helm refuses larger ones when it reads the archive.
const FILE_BYTES: u64 = 5 << 20;
/// Bytes of all files.
const FOLDER_BYTES: u64 = 64 << 20;
/// Folders inside folders.
const DEPTH: usize = 32;

/// Returns the archive of a chart's folder; `name` is the chart's own.
///
/// # Errors
///
/// `E-CONTENT chart` for links and other things that are no files; `E-LIMIT`; `E-IO`.
pub(in super::super) fn pack(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let label = folder.display().to_string();
    let ignore = match File::open(folder.join(IGNORE)) {
        Ok(file) => {
            let bytes = read_bounded(file, FILE_BYTES, IGNORE)?;
            Ignore::parse(&String::from_utf8_lossy(&bytes)).map_err(|what| wrong(&label, &what))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ignore::parse("").map_err(|what| wrong(&label, &what))?
        }
        Err(error) => return Err(Error::io("open", &folder.join(IGNORE), error)),
    };
    let mut files = Vec::new();
    list(folder, "", &ignore, &mut files, &label, 0)?;
    files.sort();
    let mut total = 0_u64;
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::best());
    let mut tar = Builder::new(gzip);
    let failed = |error| Error::io("pack", folder, error);
    for file in files {
        let path = folder.join(&file);
        let opened = File::open(&path).map_err(|e| Error::io("open", &path, e))?;
        let bytes = read_bounded(opened, FILE_BYTES, &file)?;
        total = total.saturating_add(bytes.len() as u64);
        if total > FOLDER_BYTES {
            return Err(
                Error::new(Class::Limit, "chart", format!("{label} holds more than 64 MiB"))
                    .remedy("leave out what is no part of the chart with .helmignore"),
            );
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, format!("{name}/{file}"), bytes.as_slice())
            .map_err(failed)?;
    }
    tar.into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .map_err(failed)
}

/// Returns the name of the chart in a folder.
///
/// # Errors
///
/// `E-CONTENT chart`; `E-IO`.
pub(in super::super) fn chart_name(folder: &Path) -> Result<String> {
    let path = folder.join("Chart.yaml");
    let file = File::open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong(&folder.display().to_string(), "it has no Chart.yaml"),
        _ => Error::io("open", &path, error),
    })?;
    let bytes = read_bounded(file, FILE_BYTES, "Chart.yaml")?;
    Metadata::parse(&folder.display().to_string(), &bytes, None).map(|metadata| metadata.name)
}

/// Lists the files that are no patterns' business, relative to the chart's folder.
fn list(folder: &Path, below: &str, ignore: &Ignore, files: &mut Vec<String>, label: &str, depth: usize) -> Result<()> {
    if depth > DEPTH {
        return Err(Error::new(
            Class::Limit,
            "chart",
            format!("{label} has folders more than {DEPTH} deep"),
        ));
    }
    let at = folder.join(below);
    for entry in fs::read_dir(&at).map_err(|e| Error::io("read the folder", &at, e))? {
        let entry = entry.map_err(|e| Error::io("read the folder", &at, e))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| wrong(label, &format!("the name {} is no UTF-8", name.display())))?;
        let path = if below.is_empty() {
            name
        } else {
            format!("{below}/{name}")
        };
        let kind = entry.file_type().map_err(|e| Error::io("look at", &entry.path(), e))?;
        if ignore.leaves_out(&path, kind.is_dir()) {
            continue;
        }
        if kind.is_dir() {
            list(folder, &path, ignore, files, label, depth.saturating_add(1))?;
        } else if kind.is_file() {
            files.push(path);
        } else {
            return Err(wrong(label, &format!("{path:?} is a link or a device"))
                .expected("files and folders")
                .remedy("put a copy in its place, or leave it out with .helmignore"));
        }
    }
    Ok(())
}
