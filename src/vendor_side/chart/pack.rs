//! Packs a chart's folder as `helm package` does, the same bytes each time: names sorted, no times, no owners.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use rustix::fs::OFlags;
use tar::{Builder, EntryType, Header};

use super::archive::wrong;
use super::ignore::Ignore;
use super::metadata::Metadata;
use crate::domain::{Class, Error, Result};
use crate::stream::{Looked, read_bounded};

/// File with the patterns of what stays out.
const IGNORE: &str = ".helmignore";
/// Largest file; helm refuses larger ones when it reads the archive.
const FILE_BYTES: u64 = 5 << 20;
/// Bytes of all files.
const FOLDER_BYTES: u64 = 64 << 20;
/// Folders inside folders.
const DEPTH: usize = 32;

/// A chart's folder, held open: its files are opened below it and nowhere else.
#[derive(Debug)]
pub(in super::super) struct ChartFolder {
    handle: OwnedFd,
    path: PathBuf,
}

impl ChartFolder {
    /// Opens a folder that was looked at; `path` is what it is called.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(in super::super) fn open(looked: &Looked, path: &Path) -> Result<Self> {
        let handle = looked
            .open_with(OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|e| Error::io("open the chart", path, e))?;
        Ok(Self {
            handle,
            path: path.to_owned(),
        })
    }

    fn label(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads a file of the chart; nothing when there is none.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let failed = |error| Error::io("open", &path, error);
        let looked = match Looked::below(self.handle.as_fd(), Path::new(name)) {
            Ok(looked) => looked,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                return Err(wrong(&self.label(), &format!("{name:?} leads out of it")).expected("files and folders"));
            }
            Err(error) => return Err(failed(error)),
        };
        if !looked.is_file() {
            return Err(wrong(&self.label(), &format!("{name:?} is {}", looked.what())).expected("files and folders"));
        }
        let file = File::from(looked.open().map_err(failed)?);
        read_bounded(file, FILE_BYTES, name).map(Some)
    }
}

/// Returns the archive of a chart's folder.
///
/// # Errors
///
/// `E-CONTENT chart` for links and other things that are no files; `E-LIMIT`; `E-IO`.
pub(in super::super) fn pack(chart: &ChartFolder) -> Result<Vec<u8>> {
    let (folder, label, name) = (chart.path.as_path(), chart.label(), chart_name(chart)?);
    let patterns = chart.read(IGNORE)?.unwrap_or_default();
    let ignore = Ignore::parse(&String::from_utf8_lossy(&patterns)).map_err(|what| wrong(&label, &what))?;
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
        let bytes = chart
            .read(&file)?
            .ok_or_else(|| Error::io("open", &folder.join(&file), ErrorKind::NotFound.into()))?;
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
fn chart_name(chart: &ChartFolder) -> Result<String> {
    let label = chart.label();
    let bytes = chart
        .read("Chart.yaml")?
        .ok_or_else(|| wrong(&label, "it has no Chart.yaml"))?;
    Metadata::parse(&label, &bytes, None, &mut |_| ()).map(|metadata| metadata.name)
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
