//! Who takes part in every history: two vendors with keys and releases, and an appliance that both have enrolled. Made once, and copied.

use std::path::PathBuf;

use airlock::appliance::{NewAppliance, init};
use airlock::crypto::RoleName;
use airlock::domain::{Hash, SiteId, Timestamp};
use airlock::vendor_side::{Init, SigningTime, Workspace, enrol, learn};
use tempfile::TempDir;

use crate::support::appliance::{read, scratch};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};

/// When everything begins.
pub(super) const BEGIN: &str = "2026-11-21T10:00:00Z";
/// Releases that each vendor has signed before anything happens.
const RELEASES: u64 = 4;

pub(super) struct Cast {
    folder: TempDir,
    pub(super) site: SiteId,
    pub(super) vendors: [Maker; 2],
}

/// A vendor.
pub(super) struct Maker {
    pub(super) domain: Hash,
    pub(super) tool: Vendor,
    /// Bundles of its releases, the first one of number 1.
    pub(super) bundles: Vec<Vec<u8>>,
}

pub(super) fn begin() -> Timestamp {
    BEGIN.parse().unwrap()
}

impl Cast {
    pub(super) fn new() -> Self {
        let folder = scratch();
        let path = |name: &str| folder.path().join(name);
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let vendors = ["w0", "w1"].map(|name| {
            let init = Init {
                products: vec!["crm".parse().unwrap()],
                vendor: format!("Vendor {name}"),
                root_keys: 1,
                threshold: 1,
                time: SigningTime::at(time("2026-11-21T00:00:00Z")),
                issued_at: time("2020-01-01T00:00:00Z"),
                expires: time("2090-01-01T00:00:00Z"),
            };
            let workspace = Workspace::init(&path(name), &init, None).unwrap();
            let keys = workspace.signing_keys(RoleName::Release, &mut |_| panic!("no passphrase"));
            let tool = Vendor::holding(keys.unwrap().remove(0), workspace.chain().clone());
            let bundles: Vec<Vec<u8>> = (1..=RELEASES)
                .map(|sequence| tool.bundle(sequence, &[vec![1; 64]], SMALL_CHUNKS).bytes)
                .collect();
            for bundle in &bundles {
                teach(&workspace, bundle);
            }
            Maker {
                domain: workspace.chain().domain(),
                tool,
                bundles,
            }
        });
        let pins = [0, 1].map(|v| vendors[v].tool.chain().clone());
        let new = NewAppliance {
            name: "plant",
            pins: &pins,
            now: begin(),
        };
        init(&path("state"), &new).unwrap();
        let mut site = None;
        for (v, vendor) in vendors.iter().enumerate() {
            let workspace = Workspace::open(&path(&format!("w{v}"))).unwrap();
            let file = read(&path("state").join(enrolment_of(vendor.domain)));
            let enrolled = enrol(&workspace, &file, Some("plant"), begin()).unwrap();
            site = Some(enrolled.enrolment.site);
        }
        Self {
            site: site.unwrap(),
            vendors,
            folder,
        }
    }

    /// The appliance as it was made.
    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The workspace of a vendor as it was made.
    pub(super) fn workspace(&self, vendor: usize) -> PathBuf {
        self.folder.path().join(format!("w{vendor}"))
    }
}

/// Where the enrolment file for a vendor lies in a state folder.
pub(super) fn enrolment_of(domain: Hash) -> String {
    format!("outbox/enrolment-{}.json", &domain.to_hex()[..8])
}

/// Lets a workspace know a release.
pub(super) fn teach(workspace: &Workspace, bundle: &[u8]) {
    let opened = airlock::bundle::OpenedBundle::open(Box::new(std::io::Cursor::new(bundle.to_vec()))).unwrap();
    learn(workspace, opened, &[], begin()).unwrap();
}
