//! `airlock disk`: its figures are those of the disk.

use super::world::{OWN_LAYER, World};
use crate::support::appliance::write;
use crate::support::site::digest;

#[test]
fn who_uses_what_adds_up() {
    let world = World::new(2);
    let disk = world.good(&["disk"]);
    let stored: u64 = world
        .stored()
        .iter()
        .map(|name| {
            let path = world.state().join("blobs/sha256").join(&name[..2]).join(name);
            std::fs::metadata(path).unwrap().len()
        })
        .sum();
    assert_eq!(
        (disk["content"]["bytes"].as_u64(), disk["content"]["blobs"].as_u64()),
        (Some(stored), Some(world.stored().len() as u64))
    );
    let releases = disk["releases"].as_array().unwrap();
    assert_eq!(releases.len(), 2);
    let (mut all, mut own) = (0, 0);
    for release in releases {
        all += release["all"]["bytes"].as_u64().unwrap();
        own += release["own"]["bytes"].as_u64().unwrap();
        // What both have is the layer of 3000 bytes.
        assert_eq!(
            release["all"]["bytes"].as_u64().unwrap() - release["own"]["bytes"].as_u64().unwrap(),
            3000
        );
        assert!(release["own"]["bytes"].as_u64().unwrap() > OWN_LAYER as u64 + 100_000);
    }
    assert_eq!((own + 3000, all - 3000), (stored, stored));
    for list in ["vendors", "products"] {
        let one = &disk[list][0];
        assert_eq!(
            (one["all"]["bytes"].as_u64(), one["own"]["bytes"].as_u64()),
            (Some(stored), Some(stored)),
            "{list}"
        );
        assert_eq!(disk[list].as_array().unwrap().len(), 1);
    }
    // What `release remove` frees is what is called own.
    let plan = world.good(&["release", "remove", "1.0", "--dry-run"]);
    assert_eq!(plan["bytes"], releases[1]["own"]["bytes"]);
    for part in ["airlock.db", "status.db", "outbox", "receipts", "identity"] {
        assert!(
            disk["parts"][part].as_u64().unwrap() > 0 || part == "outbox",
            "{part}: {disk}"
        );
    }

    let stray = digest(b"stray").0.to_hex();
    write(
        &world.state().join("blobs/sha256").join(&stray[..2]).join(&stray),
        b"stray",
    );
    let disk = world.good(&["disk"]);
    assert_eq!(
        (disk["unnamed"]["blobs"].as_u64(), disk["unnamed"]["bytes"].as_u64()),
        (Some(1), Some(5))
    );
    let human = world.human(&["disk"]);
    assert!(
        human.contains("unnamed      5 B in 1 blob: `airlock gc") && human.contains("crm/stable"),
        "{human}"
    );
}
