//! An appliance without any process, and its agents' logins: imported into and asked directly.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::fleet::{Hub, Identity, Login, SiteView};
use airlock::appliance::live::Live;
use airlock::appliance::{Appliance, NewAppliance, Options, init};
use airlock::crypto::Chain;
use airlock::domain::{Clock as _, Digest, FixedClock, Result, Uuid};
use serde_json::Value;
use tempfile::TempDir;

use super::appliance::{import_here, scratch, write};
use super::bundles::{Made, Vendor};
use super::desired::{Desired, target_id};

/// An appliance without any process: imported into and asked directly.
pub(crate) struct InProcessAppliance {
    folder: TempDir,
    pub(crate) vendor: Vendor,
    pub(crate) clock: FixedClock,
}

impl InProcessAppliance {
    pub(crate) fn new() -> Self {
        Self::made_at("2026-11-21T10:00:00Z")
    }

    /// Made by a clock, which stands still.
    pub(crate) fn made_at(clock: &str) -> Self {
        let folder = scratch();
        let vendor = Vendor::new();
        let clock = FixedClock(clock.parse().unwrap());
        let pins = [Chain::parse(&vendor.chain_file()).unwrap()];
        let new = NewAppliance {
            name: "plant",
            pins: &pins,
            now: clock.now(),
        };
        init(&folder.path().join("state"), &new).unwrap();
        Self { folder, vendor, clock }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn appliance(&self) -> Appliance {
        Appliance::open(&self.state(), Arc::new(self.clock)).unwrap()
    }

    /// Imports a bundle; it goes live unless `keep_inactive`.
    pub(crate) fn import(&self, made: &Made, keep_inactive: bool) -> Result<()> {
        let options = Options {
            keep_inactive,
            ..Options::default()
        };
        self.import_with(made, &options)
    }

    pub(crate) fn import_with(&self, made: &Made, options: &Options) -> Result<()> {
        let path = self.folder.path().join("bundle");
        write(&path, &made.bytes);
        import_here(&self.appliance(), &path, options, &self.clock).map(|_| ())
    }

    /// Imports a release with `count` docker targets, which goes live.
    pub(crate) fn release(&self, sequence: u64, count: usize, text: &str) {
        let made = self
            .vendor
            .with_targets(sequence, |image| Desired::docker(image, count, text));
        self.import(&made, false).unwrap();
    }

    pub(crate) fn hub(&self) -> Hub {
        self.hub_as("127.0.0.1:5000", false, None)
    }

    pub(crate) fn hub_as(&self, address: &str, secure: bool, authority: Option<&str>) -> Hub {
        let view = SiteView::new(address, secure, SiteView::INTERVAL, authority).unwrap();
        let live = Live::load(&Arc::new(self.appliance()), Duration::ZERO).unwrap();
        Hub::new(&live, view).unwrap()
    }

    /// Where a blob stands.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        self.state().join("blobs/sha256").join(&hex[..2]).join(hex)
    }
}

/// Logs a target's agent in with a secret that is issued for it.
pub(crate) fn enrol(hub: &Hub, name: &str) -> Arc<Identity> {
    let secret = hub.issue_secret(&target_id(name), false).unwrap();
    login(hub, &target_id(name), secret.as_str()).expect("the secret was just issued")
}

/// Logs in and returns who the token stands for.
pub(crate) fn login(hub: &Hub, target: &Uuid, secret: &str) -> Option<Arc<Identity>> {
    match hub.login(target, secret).unwrap() {
        Login::Token(token) => Some(hub.identify(token.as_str()).expect("a fresh token")),
        Login::Refused => None,
        Login::Busy => panic!("nobody else logs in"),
    }
}

pub(crate) fn resources(hub: &Hub, identity: &Identity) -> Value {
    let bytes = hub.resources(identity).unwrap().expect("a short answer");
    serde_json::from_str(std::str::from_utf8(&bytes).unwrap()).unwrap()
}

/// Writes over a read-only file of the store.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    match std::fs::remove_file(path) {
        // What was found damaged was set aside.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => write(path, bytes),
    }
}
