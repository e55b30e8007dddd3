//! Writes a bundle in volumes: all of them under partial names, and named only when every one was synced and read back.
//!
//! How many there are is known when the last is written, so that is when they get names: `NAME.2-of-3.airlock`. One that holds everything
//! gets the name of the bundle itself.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::output::BundleFile;
use crate::bundle::VolumesOut;
use crate::domain::{Error, Result};

/// How bundles are called at their end.
const EXTENSION: &str = ".airlock";

/// The volumes of a bundle on their way to their names. Dropped before [`VolumeFiles::publish`], they leave nothing behind.
#[derive(Debug)]
pub struct VolumeFiles {
    path: PathBuf,
    payload_offset: u64,
    files: Vec<BundleFile>,
}

impl VolumeFiles {
    /// Begins the first volume of a bundle that would be called `path` in one file.
    ///
    /// # Errors
    ///
    /// As [`BundleFile::create`].
    pub fn create(path: &Path, payload_offset: u64) -> Result<Self> {
        let mut files = Self {
            path: path.to_owned(),
            payload_offset,
            files: Vec::new(),
        };
        files.begin()?;
        Ok(files)
    }

    fn begin(&mut self) -> Result<()> {
        let number = self.files.len() + 1;
        let path = with_words(&self.path, &format!(".{number}"));
        self.files.push(BundleFile::create(&path, self.payload_offset)?);
        Ok(())
    }

    /// Writes the bytes before the payload of a volume, counted from 1, and makes it durable; returns where it stands until it is published.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn seal(&mut self, volume: usize, prologue: &[u8]) -> Result<&Path> {
        let file = self.files.get_mut(volume.saturating_sub(1)).ok_or_else(|| {
            let gone = io::Error::from(io::ErrorKind::NotFound);
            Error::io("seal a volume of", &self.path, gone)
        })?;
        file.seal(prologue)?;
        Ok(file.partial_path())
    }

    /// Gives all volumes their names, and removes what is left of an earlier bundle of this name: volumes of another number, or the one file.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn publish(self) -> Result<Vec<PathBuf>> {
        let count = self.files.len();
        let mut stale = volumes_at(&self.path)?;
        stale.extend(self.path.is_file().then(|| self.path.clone()));
        let mut named = Vec::with_capacity(count);
        for (number, file) in (1..).zip(self.files) {
            let path = if count == 1 {
                self.path.clone()
            } else {
                with_words(&self.path, &format!(".{number}-of-{count}"))
            };
            file.publish_as(&path)?;
            named.push(path);
        }
        for path in stale.iter().filter(|path| !named.contains(path)) {
            fs::remove_file(path).map_err(|e| Error::io("remove", path, e))?;
        }
        Ok(named)
    }
}

impl Write for VolumeFiles {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.files.last_mut() {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.last_mut().map_or(Ok(()), Write::flush)
    }
}

impl VolumesOut for VolumeFiles {
    fn next_volume(&mut self) -> Result<()> {
        self.begin()
    }
}

/// Returns the volumes that stand where those of a bundle of this name would.
///
/// # Errors
///
/// `E-IO`.
pub fn volumes_at(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Whoever writes there says so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", folder, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let other = entry.map_err(|e| Error::io("list", folder, e))?.file_name();
        if is_volume_of(&name, &other.to_string_lossy()) {
            found.push(path.with_file_name(other));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file is called as a volume of a bundle.
fn is_volume_of(bundle: &str, file: &str) -> bool {
    let (stem, end) = split(bundle);
    let number = |text: &str| !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    file.strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(end))
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.split_once("-of-"))
        .is_some_and(|(volume, count)| number(volume) && number(count))
}

fn split(name: &str) -> (&str, &str) {
    match name.strip_suffix(EXTENSION) {
        Some(stem) if !stem.is_empty() => (stem, EXTENSION),
        _ => (name, ""),
    }
}

/// Puts words before the extension of a bundle's name.
fn with_words(path: &Path, words: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, end) = split(&name);
    path.with_file_name(format!("{stem}{words}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_called_after_their_bundle() {
        let named = |path: &str| with_words(Path::new(path), ".2-of-3").display().to_string();
        assert_eq!(named("a/erp-1.4.airlock"), "a/erp-1.4.2-of-3.airlock");
        assert_eq!(named("erp-1.4"), "erp-1.4.2-of-3");
        assert!(is_volume_of("erp.airlock", "erp.12-of-99.airlock"));
        for other in [
            "erp.airlock",
            "erp.1-of-.airlock",
            "erp.x-of-3.airlock",
            "crm.1-of-3.airlock",
            "erp.1-of-3",
        ] {
            assert!(!is_volume_of("erp.airlock", other), "{other}");
        }
    }
}
