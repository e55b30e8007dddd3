//! A vendor and a site between which bundles are carried.

use std::path::PathBuf;

use airlock::domain::Digest;

use crate::support::appliance::{self, Appliance, Ended, write};
use crate::support::bundles::{Made, Vendor};

pub(super) struct Stage {
    pub(super) folder: tempfile::TempDir,
    pub(super) site: Appliance,
    pub(super) vendor: Vendor,
}

impl Stage {
    pub(super) fn new() -> Self {
        let vendor = Vendor::new();
        Self {
            folder: appliance::scratch(),
            site: Appliance::init(&vendor),
            vendor,
        }
    }

    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        write(&path, bytes);
        path
    }

    pub(super) fn import(&self, made: &Made) -> Ended {
        self.site.import(&self.file("bundle", &made.bytes))
    }

    /// Where the site stores a blob.
    pub(super) fn stored(&self, digest: &Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        self.site.path().join("blobs/sha256").join(&hex[..2]).join(hex)
    }
}
