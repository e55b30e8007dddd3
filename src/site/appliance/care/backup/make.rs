//! Makes a backup: what was gathered, and content where that is asked for.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::json;

use super::facts::SiteFacts;
use super::gather::{Gathered, gather};
use crate::appliance::{Appliance, parts};
use crate::backup::{BackupWriter, Entry, Kind, Sealing, check_room};
use crate::crypto::canonical;
use crate::db::site::audit;
use crate::domain::{Digest, Error, Result, Timestamp};

/// What went into a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// What it says of the site.
    pub facts: SiteFacts,
    /// Files.
    pub files: u64,
    /// Blobs among them.
    pub blobs: u64,
    /// Bytes of the backup.
    pub bytes: u64,
}

impl Appliance {
    /// Makes a backup of the appliance, while servers, agents and imports go on. `progress` is told of bytes, of how many.
    ///
    /// # Errors
    ///
    /// `E-USAGE output` when something has that name; `E-BUSY`; `E-INTEGRITY read-back`; `E-STATE`, `E-IO` and `E-SPACE`. No file has the
    /// name then.
    pub fn backup(
        &self,
        path: &Path,
        sealing: Sealing<'_>,
        content: bool,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackedUp> {
        // Which life it is of must be known.
        self.instance()?;
        self.check_whole()?;
        let gathered = gather(self, content)?;
        let blobs = if content { self.blobs()? } else { Vec::new() };
        let total = blobs.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
        check_room(path, total.saturating_add(gathered.bytes()?))?;
        let facts = canonical::to_vec(&gathered.facts);
        let mut writer = BackupWriter::begin(path, Kind::Site, sealing, now, &facts)?;
        let (mut files, mut done, mut taken) = (0_u64, 0_u64, 0_u64);
        for (name, bytes) in &gathered.small {
            writer.add(&Entry::private(name, bytes.len() as u64), bytes.as_slice())?;
            files = files.saturating_add(1);
        }
        for (name, file) in &gathered.held {
            let found = file
                .metadata()
                .map_err(|error| Error::io("look at", Path::new(name), error))?;
            let entry = Entry {
                mode: u64::from(found.mode()) & 0o600,
                path: name.clone(),
                size: found.len(),
            };
            writer.add(&entry, file)?;
            files = files.saturating_add(1);
        }
        for (name, file) in &gathered.databases {
            let size = size_of(file, Path::new(name))?;
            writer.add(&Entry::private(*name, size), file)?;
            files = files.saturating_add(1);
        }
        for (digest, size) in blobs {
            progress(done, total);
            // What went since, or is damaged, comes back with a bundle.
            if let Some(file) = self.store.open_found(&digest, size)? {
                let hex = digest.0.to_hex();
                let path = format!("blobs/sha256/{}/{hex}", hex.get(..2).unwrap_or_default());
                let entry = Entry {
                    mode: 0o400,
                    path,
                    size,
                };
                writer.add(&entry, file)?;
                taken = taken.saturating_add(1);
            }
            done = done.saturating_add(size);
        }
        let files = files.saturating_add(taken);
        let bytes = writer.finish(progress)?;
        self.db.write(|transaction| {
            let detail = json!({"blobs": taken, "bytes": bytes, "files": files});
            audit::append(transaction, now, "backup", &detail, &[]).map(|_| ())
        })?;
        Ok(BackedUp {
            facts: gathered.facts,
            files,
            blobs: taken,
            bytes,
        })
    }

    /// Checks that what a backup is for is there: one without keys would take the place of one that has them.
    fn check_whole(&self) -> Result<()> {
        let kept = || parts::look_at_kept(self.folder(), &self.db);
        let mut problems = self.unsound_parts();
        if !kept().is_empty() {
            // A change that another process made in between looks like damage, once.
            problems.extend(kept());
        }
        problems
            .into_iter()
            .reduce(|first, next| first.and_then(&next))
            .map_or(Ok(()), Err)
    }

    fn blobs(&self) -> Result<Vec<(Digest, u64)>> {
        let mut blobs = Vec::new();
        self.store.each_name(|digest| {
            if let Some(size) = self.store.size_of(&digest)? {
                blobs.push((digest, size));
            }
            Ok(())
        })?;
        Ok(blobs)
    }
}

impl Gathered {
    fn bytes(&self) -> Result<u64> {
        let small = self.small.iter().map(|(_, bytes)| bytes.len() as u64);
        let mut bytes = small.fold(0, u64::saturating_add);
        for (name, file) in &self.held {
            bytes = bytes.saturating_add(size_of(file, Path::new(name))?);
        }
        for (name, file) in &self.databases {
            bytes = bytes.saturating_add(size_of(file, Path::new(name))?);
        }
        Ok(bytes)
    }
}

fn size_of(file: &File, path: &Path) -> Result<u64> {
    let found = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    Ok(found.len())
}
