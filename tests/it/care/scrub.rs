//! What `airlock scrub` finds, what becomes of it, and where it goes on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use airlock::db::{Db, Schema};
use airlock::domain::Digest;

use super::world::World;
use crate::support::appliance::{AIRLOCK, Serving, read, wait_for, write};
use crate::support::bundles::REPOSITORY;
use crate::support::client::get;

fn place(world: &World, digest: &Digest) -> PathBuf {
    let hex = digest.0.to_hex();
    world.state().join("blobs/sha256").join(&hex[..2]).join(hex)
}

/// Changes one bit of a stored blob.
fn flip(world: &World, digest: &Digest) {
    let path = place(world, digest);
    let mut bytes = read(&path);
    bytes[100] ^= 1;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    write(&path, &bytes);
}

#[test]
fn damage_is_set_aside_told_and_mended_by_the_bundle_that_is_named() {
    let world = World::new(2);
    let whole = world.good(&["scrub"]);
    assert_eq!(
        (whole["damaged"].as_u64(), whole["missing"].as_u64()),
        (Some(0), Some(0))
    );
    assert_eq!(whole["checked"].as_u64(), Some(world.stored().len() as u64));

    let (flipped, gone) = (world.releases[1].layers[1], world.releases[0].layers[1]);
    flip(&world, &flipped);
    std::fs::remove_file(place(&world, &gone)).unwrap();
    let ended = world.run(&["scrub", "--rate", "0"]);
    // Whoever runs it unattended notices.
    ended.assert_refused("E-STATE", "content-damaged", "");
    assert!(ended.remedy().contains("the oldest first"), "{}", ended.remedy());
    let found = ended.result;
    assert_eq!(
        (found["damaged"].as_u64(), found["missing"].as_u64()),
        (Some(1), Some(1)),
        "{found}"
    );
    assert!(!place(&world, &flipped).is_file());
    let evidence = world.state().join(format!("evidence/{}.blob-1", flipped.0));
    assert!(evidence.is_file());
    let damage = found["damage"].as_array().unwrap();
    for (damage, release) in damage.iter().zip([2, 1]) {
        let remedy = damage["remedy"].as_str().unwrap();
        let head = damage["head"].as_str().unwrap();
        assert!(
            damage["sequence"] == release && remedy.contains(head) && remedy.contains("airlock import FILE"),
            "{damage}"
        );
    }
    assert_eq!(damage.len(), 2);
    let rows = world.rows("scrub");
    assert_eq!(
        (rows.len(), &rows[1]["damaged"], &rows[1]["missing"]),
        (2, &1.into(), &1.into())
    );
    assert_eq!((world.rows("set-aside").len(), world.rows("missing").len()), (1, 1));
    let serving = Serving::start(&world.state());
    let path = format!("/v2/{REPOSITORY}/blobs/{flipped}");
    assert_eq!(get(serving.address, &path).status, 500);

    for made in &world.releases {
        assert_eq!(world.import(made).result["restored_blobs"], 1);
    }
    assert_eq!(get(serving.address, &path).status, 200);
    let mended = world.good(&["scrub"]);
    assert_eq!(
        (mended["damaged"].as_u64(), mended["damage"].as_array().unwrap().len()),
        (Some(0), 0)
    );
}

/// It goes on behind the content that had its turn, and `--restart` begins anew.
#[test]
fn a_walk_that_was_stopped_goes_on() {
    let world = World::new(1);
    let names: Vec<String> = world.stored().into_iter().collect();
    let half = names.len() / 2;
    let stopped = || {
        let (after, bytes) = (&names[half - 1], 1000);
        world.sql(&format!(
            "INSERT OR REPLACE INTO scrub (one, begun_at, after, checked, bytes, damaged, missing)
             VALUES (1, 1000, x'{after}', {half}, {bytes}, 0, 0)"
        ));
    };
    stopped();
    let gone_on = world.good(&["scrub"]);
    assert_eq!(
        (gone_on["resumed_after"].as_u64(), gone_on["checked"].as_u64()),
        (Some(half as u64), Some(names.len() as u64))
    );
    assert_eq!(gone_on["begun_at"], "1970-01-01T00:16:40Z");
    assert_eq!(world.good(&["scrub"])["resumed_after"], 0);
    stopped();
    let anew = world.good(&["scrub", "--restart"]);
    assert_eq!(
        (anew["resumed_after"].as_u64(), anew["checked"].as_u64()),
        (Some(0), Some(names.len() as u64))
    );
}

/// However it is stopped: what had its turn is kept as the walk goes.
#[test]
fn a_walk_that_is_killed_goes_on_behind_what_was_kept() {
    let world = World::new(8);
    let mut command = std::process::Command::new(AIRLOCK);
    command.args(world.arguments(&["scrub", "--rate", "1"]));
    let mut walk = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let kept = || {
        let db = Db::open(&world.state().join("airlock.db"), &Schema::SITE).unwrap();
        db.read(airlock::db::site::scrub::stopped).unwrap().is_some()
    };
    wait_for("what is kept of the walk", kept);
    walk.kill().unwrap();
    walk.wait().unwrap();
    let gone_on = world.good(&["scrub", "--rate", "0"]);
    assert!(gone_on["resumed_after"].as_u64().unwrap() > 0, "{gone_on}");
    assert_eq!(gone_on["checked"].as_u64(), Some(world.stored().len() as u64));
}

#[test]
fn it_reads_no_faster_than_it_is_told() {
    let world = World::new(2);
    let begun = Instant::now();
    let slow = world.good(&["scrub", "--rate", "1"]);
    let bytes = slow["bytes"].as_u64().unwrap();
    assert!(bytes > 200_000, "{slow}");
    assert!(
        begun.elapsed() >= Duration::from_nanos(bytes * 1_000_000_000 / (1 << 20)),
        "{:?}",
        begun.elapsed()
    );
}
