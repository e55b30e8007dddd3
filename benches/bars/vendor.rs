//! A vendor's workspace, and bundles from data sets.

use std::fs;
use std::path::{Path, PathBuf};

use airlock::bundle::{BundleLayout, Packing, ReleaseStatement};
use airlock::crypto::RoleName;
use airlock::domain::{Audience, Version};
use airlock::vendor_side::{Destination, Init, PackEvent, Packed, SigningTime, Workspace, pack};

use super::data::{self, Set};

/// Opens the workspace of a set; makes it where there is none.
pub(crate) fn workspace(set: &Path) -> Workspace {
    let folder = set.join("workspace");
    if folder.try_exists().unwrap() {
        return Workspace::open(&folder).unwrap();
    }
    let init = Init {
        products: vec!["bench".parse().unwrap()],
        vendor: "Bench".into(),
        root_keys: 1,
        threshold: 1,
        time: SigningTime::at("2026-01-01T00:00:00Z".parse().unwrap()),
        issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: "2036-01-01T00:00:00Z".parse().unwrap(),
    };
    Workspace::init(&folder, &init, None).unwrap()
}

/// Makes a bundle of a set's layout, by the path that `airlock bundle create` takes.
pub(crate) fn create(set: &Path, out: &Path, events: &mut dyn FnMut(PackEvent)) -> Packed {
    let workspace = workspace(set);
    let keys = workspace
        .signing_keys(RoleName::Release, &mut |_| unreachable!("the keys have no passphrase"))
        .unwrap();
    let release = ReleaseStatement {
        product: "bench".parse().unwrap(),
        channel: "stable".parse().unwrap(),
        version: "1.0".into(),
        epoch: 0,
        sequence: 1,
        issued_at: "2026-02-01T00:00:00Z".parse().unwrap(),
        expires: "2035-01-01T00:00:00Z".parse().unwrap(),
        audience: Audience::ANY,
        home_hosts: vec!["registry.example".into()],
        minimum_appliance: Version::new(0, 1, 0),
    };
    let content = data::content(set);
    let plan = BundleLayout::new(&release, &content, workspace.chain(), Packing::default()).unwrap();
    let source = data::Blobs(data::blob_folder(set));
    pack(
        plan,
        content,
        &source,
        Destination::File(out),
        &mut |bundle| Ok(keys.iter().map(|key| bundle.sign(key)).collect()),
        events,
    )
    .unwrap()
}

/// Returns the bundle of a set; makes it where there is none.
pub(crate) fn bundle(set: &Set) -> PathBuf {
    set.layout();
    let path = set.bundle();
    if !path.try_exists().unwrap() {
        create(&set.folder, &path, &mut |_| ());
    }
    path
}

/// The size of a file in bytes.
pub(crate) fn size(path: &Path) -> f64 {
    fs::metadata(path).unwrap().len() as f64
}
