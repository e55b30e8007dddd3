//! Who uses what of the disk. Content is nobody's: what several have is counted once where it is shared, and with each where the question
//! is what it has.

use std::collections::{BTreeMap, BTreeSet};

use crate::appliance::Appliance;
use crate::appliance::folder::{DATABASE, IDENTITY, OUTBOX, RECEIPTS, RESERVE, ROOTS, SECRETS, STATUS_DATABASE};
use crate::db::site::release::{self, ReleaseId, ReleaseRow};
use crate::db::site::removal;
use crate::domain::{Hash, Name, Result};
use crate::store::{Space, folder_bytes, space};

/// So many blobs of so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// How many.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// All of it.
    pub all: Used,
    /// What nobody else has: what its end would free.
    pub own: Used,
}

/// Who uses what.
#[derive(Debug)]
pub struct Disk {
    /// By trust domain.
    pub vendors: BTreeMap<Hash, Share>,
    /// By trust domain and product.
    pub products: BTreeMap<(Hash, Name), Share>,
    /// By release, by scope and newest first.
    pub releases: Vec<(ReleaseRow, Share)>,
    /// Content of all releases, each once.
    pub content: Used,
    /// What of it several vendors have.
    pub shared: Used,
    /// Blobs that no release names.
    pub unnamed: Used,
    /// Imports that were stopped and may go on with some of those.
    pub stopped_imports: u64,
    /// Everything beside content, by a stable word.
    pub parts: Vec<(&'static str, u64)>,
    /// What the file system has left.
    pub free: Space,
}

impl Used {
    fn add(&mut self, size: u64) {
        self.blobs = self.blobs.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
    }
}

impl Share {
    fn add(&mut self, size: u64, is_own: bool) {
        self.all.add(size);
        if is_own {
            self.own.add(size);
        }
    }
}

impl Appliance {
    /// Returns who uses what of the disk. Sizes of content are those that were imported.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn disk(&self) -> Result<Disk> {
        let releases = self.db.read(release::list)?;
        let of: BTreeMap<ReleaseId, (Hash, Name)> = releases
            .iter()
            .map(|release| (release.id, (release.scope.domain, release.scope.product.clone())))
            .collect();
        let (mut vendors, mut products) = (BTreeMap::<Hash, Share>::new(), BTreeMap::<(Hash, Name), Share>::new());
        let mut by_release = BTreeMap::<ReleaseId, Share>::new();
        let (mut content, mut shared) = (Used::default(), Used::default());
        self.db.read(|connection| {
            removal::each_content(connection, |size, holders| {
                content.add(size);
                for id in holders {
                    by_release.entry(*id).or_default().add(size, holders.len() == 1);
                }
                let of_products: BTreeSet<&(Hash, Name)> = holders.iter().filter_map(|id| of.get(id)).collect();
                let of_vendors: BTreeSet<Hash> = of_products.iter().map(|(domain, _)| *domain).collect();
                let (is_of_one, is_of_one_vendor) = (of_products.len() == 1, of_vendors.len() == 1);
                for product in of_products {
                    products.entry(product.clone()).or_default().add(size, is_of_one);
                }
                for vendor in of_vendors {
                    vendors.entry(vendor).or_default().add(size, is_of_one_vendor);
                }
                if !is_of_one_vendor {
                    shared.add(size);
                }
            })
        })?;
        let mut unnamed = Used::default();
        for digest in self.unnamed()? {
            unnamed.add(self.store.size_of(&digest)?.unwrap_or(0));
        }
        let releases = releases.into_iter().map(|release| {
            let share = by_release.get(&release.id).copied().unwrap_or_default();
            (release, share)
        });
        Ok(Disk {
            vendors,
            products,
            releases: releases.collect(),
            content,
            shared,
            unnamed,
            stopped_imports: self.store.stopped_imports()?.len() as u64,
            parts: self.parts_on_disk()?,
            free: space(self.folder())?,
        })
    }

    /// Returns what everything beside content takes.
    fn parts_on_disk(&self) -> Result<Vec<(&'static str, u64)>> {
        let (incoming, evidence) = self.store.beside()?;
        let mut parts = vec![("incoming", incoming), ("evidence", evidence)];
        for (word, database) in [("airlock.db", DATABASE), ("status.db", STATUS_DATABASE)] {
            let files = ["", "-wal", "-shm", ".copy"].map(|end| self.file_bytes(&format!("{database}{end}")));
            parts.push((word, files.into_iter().fold(0, u64::saturating_add)));
        }
        for folder in [OUTBOX, RECEIPTS, SECRETS, IDENTITY, ROOTS] {
            parts.push((folder, folder_bytes(&self.folder().join(folder))?));
        }
        parts.push((RESERVE, self.file_bytes(RESERVE)));
        Ok(parts)
    }

    /// Returns how long a file of the state folder is; 0 where there is none.
    fn file_bytes(&self, name: &str) -> u64 {
        let found = std::fs::symlink_metadata(self.folder().join(name));
        found.map_or(0, |found| found.len())
    }
}
