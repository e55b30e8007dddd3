//! An appliance with two vendors, without any process, and what is done there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::fleet::{Hub, SiteView};
use airlock::appliance::live::Live;
use airlock::appliance::{Appliance, Imported, NewAppliance, Options, init};
use airlock::crypto::Chain;
use airlock::db::site::targets::Undeploy;
use airlock::domain::{Clock as _, FixedClock, Hash, Result};
use tempfile::TempDir;

use crate::support::appliance::{import_here, scratch, write};
use crate::support::bundles::{Made, Vendor};

/// The appliance. The second vendor is pinned by a later act, or never.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) a: Vendor,
    pub(crate) b: Vendor,
    pub(crate) clock: FixedClock,
}

impl Site {
    /// Made for A alone.
    pub(crate) fn new() -> Self {
        let a = Vendor::new();
        Self::pinning(&a.chain().clone(), a, Vendor::new())
    }

    /// Made with one root.
    pub(crate) fn pinning(root: &Chain, a: Vendor, b: Vendor) -> Self {
        let folder = scratch();
        let clock = FixedClock("2026-11-21T10:00:00Z".parse().unwrap());
        let new = NewAppliance {
            name: "plant",
            pins: std::slice::from_ref(root),
            now: clock.now(),
        };
        init(&folder.path().join("state"), &new).unwrap();
        Self { folder, a, b, clock }
    }

    /// The same, read as this vendor's.
    pub(crate) fn of_vendor(self, a: Vendor) -> Self {
        Self { a, ..self }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn appliance(&self) -> Appliance {
        Appliance::open(&self.state(), Arc::new(self.clock)).unwrap()
    }

    pub(crate) fn pin(&self, vendor: &Vendor) {
        let chain = Chain::parse(&vendor.chain_file()).unwrap();
        let appliance = self.appliance();
        appliance.pin(&chain, self.clock.now()).unwrap();
    }

    pub(crate) fn import(&self, made: &Made) -> Result<Imported> {
        self.import_with(made, &Options::default())
    }

    pub(crate) fn import_with(&self, made: &Made, options: &Options) -> Result<Imported> {
        let path = self.folder.path().join("bundle");
        write(&path, &made.bytes);
        import_here(&self.appliance(), &path, options, &self.clock)
    }

    pub(crate) fn activate(&self, head: Hash) {
        let appliance = self.appliance();
        appliance.activate(head, Undeploy::AsSigned, self.clock.now()).unwrap();
    }

    pub(crate) fn hub(&self) -> Hub {
        let view = SiteView::new("127.0.0.1:5000", false, SiteView::INTERVAL, None).unwrap();
        let live = Live::load(&Arc::new(self.appliance()), Duration::ZERO).unwrap();
        Hub::new(&live, view).unwrap()
    }

    /// Lets the clock go on.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.clock = FixedClock(self.clock.now().plus_seconds(seconds));
    }

    /// Where a blob stands.
    pub(crate) fn blob(&self, digest: &airlock::domain::Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        self.state().join("blobs/sha256").join(&hex[..2]).join(hex)
    }
}

/// Head digest of a bundle.
pub(crate) fn head(made: &Made) -> Hash {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path(), &made.bytes);
    let source = airlock::media::open(file.path(), None).unwrap();
    airlock::bundle::OpenedBundle::open(source.input).unwrap().head_digest()
}
