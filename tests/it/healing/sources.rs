//! Which bundles heal: expired ones, those of releases that are not live or not the newest, of keys that were replaced, from pipes, and for
//! others that hold the same bytes. And which do not.

use std::io::Write as _;
use std::process::{Command, Stdio};

use airlock::appliance::{Appliance, Options, Outcome};
use airlock::domain::{Class, FixedClock};

use super::ward::{Damage, Ward, assert_whole, audited, blob_path, receipts, stored};
use crate::support::appliance::{AIRLOCK, Ended, import_here, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::in_process::InProcessAppliance;
use crate::support::site::noise;

fn import_at(instance: &InProcessAppliance, made: &Made, clock: FixedClock) -> airlock::domain::Result<Outcome> {
    let path = instance.state().join("../bundle");
    write(&path, &made.bytes);
    let appliance: Appliance = instance.appliance();
    import_here(&appliance, &path, &Options::default(), &clock).map(|imported| imported.result)
}

#[track_caller]
fn restored(outcome: airlock::domain::Result<Outcome>) -> u64 {
    match outcome.unwrap() {
        Outcome::Already(restored) => restored.blobs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn f23_an_expired_bundle_heals_what_is_here_and_brings_in_nothing_new() {
    let instance = InProcessAppliance::new();
    let dated = |sequence: u64| {
        instance.vendor.bundle_as("crm", sequence, |release| {
            release.expires = "2026-12-24T00:00:00Z".parse().unwrap();
        })
    };
    let (made, next) = (dated(1), dated(2));
    instance.import(&made, false).unwrap();
    let files = stored(&instance.state());
    let late = FixedClock("2031-01-01T00:00:00Z".parse().unwrap());
    for damage in [Damage::Gone, Damage::Flipped] {
        damage.strike(&files[0]);
        assert_eq!(restored(import_at(&instance, &made, late)), 1);
        assert_whole(&instance.state(), &files);
    }
    assert_eq!(import_at(&instance, &next, late).unwrap_err().class(), Class::Expired);
}

#[test]
fn f23_an_earlier_release_is_healed_and_no_mark_moves() {
    let instance = InProcessAppliance::new();
    let state = instance.state();
    let made = |sequence: u64| {
        let layers = [noise(2000, sequence), noise(5 << 20, sequence + 10)];
        instance.vendor.bundle(sequence, &layers, SMALL_CHUNKS)
    };
    let releases = [made(3), made(5), made(7)];
    instance.import(&releases[0], false).unwrap();
    instance.import(&releases[1], false).unwrap();
    // The newest is not live.
    instance.import(&releases[2], true).unwrap();
    let (files, marks) = (stored(&state), crate::support::appliance::read(&state.join("marks")));
    let states = || {
        let releases = instance.appliance().releases().unwrap();
        releases
            .iter()
            .map(|release| (release.counter, release.state))
            .collect::<Vec<_>>()
    };
    let before = states();
    for made in &releases {
        for layer in &made.layers {
            Damage::Flipped.strike(&blob_path(&state, layer));
        }
        assert_eq!(restored(import_at(&instance, made, instance.clock)), 2);
        assert_whole(&state, &files);
    }
    assert_eq!(crate::support::appliance::read(&state.join("marks")), marks);
    assert_eq!(states(), before);
    // What was never here is older for good.
    let never = made(4);
    assert_eq!(
        import_at(&instance, &never, instance.clock).unwrap_err().class(),
        Class::Rollback
    );
    let rows = audited(&state);
    assert_eq!(rows.iter().filter(|(action, _)| action == "restore").count(), 3);
}

#[test]
fn f23_a_bundle_of_a_key_that_was_replaced_heals_its_release() {
    let mut instance = InProcessAppliance::new();
    let old = instance.vendor.bundle(1, &[noise(3000, 1)], SMALL_CHUNKS);
    let unseen = instance.vendor.bundle(2, &[noise(3000, 2)], SMALL_CHUNKS);
    instance.import(&old, false).unwrap();
    instance.vendor.replace_release_key();
    let newer = instance.vendor.bundle(3, &[noise(3000, 3)], SMALL_CHUNKS);
    instance.import(&newer, false).unwrap();
    let files = stored(&instance.state());
    Damage::Gone.strike(&blob_path(&instance.state(), &old.layers[0]));
    assert_eq!(restored(import_at(&instance, &old, instance.clock)), 1);
    assert_whole(&instance.state(), &files);
    let refused = import_at(&instance, &unseen, instance.clock).unwrap_err();
    assert_eq!(
        refused.class(),
        Class::Signature,
        "the old key brings nothing in any more"
    );
}

#[test]
fn f23_bytes_of_several_vendors_are_healed_by_either() {
    let (ours, theirs) = (Vendor::new(), Vendor::new());
    let appliance = crate::support::appliance::Appliance::init(&ours);
    let state = appliance.path();
    let folder = crate::support::appliance::scratch();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        write(&path, bytes);
        path
    };
    let root = file("root.json", &theirs.chain_file());
    let added = super::ward::airlock(
        &state,
        &[
            "trust",
            "add",
            root.to_str().unwrap(),
            "--fingerprint",
            &theirs.chain().fingerprint().to_hex(),
        ],
    );
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let shared = noise(7000, 9);
    let one = ours.bundle_of("crm", "registry.one/a", 1, &[shared.clone(), noise(100, 1)]);
    let two = theirs.bundle_of("erp", "registry.two/b", 1, &[shared, noise(100, 2)]);
    let (one_file, two_file) = (file("one", &one.bytes), file("two", &two.bytes));
    appliance.import(&one_file).assert_imported();
    appliance.import(&two_file).assert_imported();
    let files = stored(&state);
    let told = || {
        let list = super::ward::json(&state, &["release", "list"]);
        let mut products: Vec<String> = list["damage"]
            .as_array()
            .unwrap()
            .iter()
            .map(|damage| damage["product"].as_str().unwrap().to_owned())
            .collect();
        products.sort();
        products
    };
    Damage::Gone.strike(&blob_path(&state, &one.layers[0]));
    assert_eq!(told(), ["crm", "erp"]);
    Damage::Gone.strike(&blob_path(&state, &one.layers[1]));
    // Theirs heals what is theirs too, and nothing else.
    let healed = appliance.import(&two_file);
    assert_eq!(
        (healed.word(), &healed.result["restored_blobs"]),
        ("already", &1.into()),
        "{}",
        healed.stderr
    );
    assert_eq!(told(), ["crm"]);
    let healed = appliance.import(&one_file);
    assert_eq!(healed.result["restored_blobs"], 1);
    assert!(told().is_empty());
    assert_whole(&state, &files);
    assert_eq!(receipts(&state).len(), 4);
}

#[test]
fn f23_a_pipe_heals_as_a_file_does() {
    let ward = Ward::new();
    let Ward { state, made, .. } = &ward;
    let files = stored(state);
    for path in files.iter().step_by(3) {
        Damage::Flipped.strike(path);
    }
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", "json", "import", "-", "--state"]).arg(state);
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = made.bytes.clone();
    let feed = std::thread::spawn(move || pipe.write_all(&bytes));
    let ended = Ended::of(&child.wait_with_output().unwrap());
    feed.join().unwrap().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.result["restored_blobs"], files.len().div_ceil(3));
    assert_whole(state, &files);
}

#[test]
fn f23_a_damaged_bundle_restores_nothing_wrong() {
    let instance = InProcessAppliance::new();
    let state = instance.state();
    let layers = [noise(900_000, 1), noise(900_000, 2), noise(900_000, 3)];
    let made = instance.vendor.bundle(1, &layers, SMALL_CHUNKS);
    instance.import(&made, false).unwrap();
    let files = stored(&state);
    Damage::Gone.strike(&blob_path(&state, &made.layers[1]));
    let at = made
        .bytes
        .windows(64)
        .position(|window| *window == layers[1][1000..1064])
        .unwrap();
    let mut bad = made.clone();
    bad.bytes[at] ^= 1;
    assert_eq!(
        import_at(&instance, &bad, instance.clock).unwrap_err().class(),
        Class::Integrity
    );
    assert!(!blob_path(&state, &made.layers[1]).try_exists().unwrap());
    // Damage of the medium where nothing is missing here is passed over.
    let elsewhere = made
        .bytes
        .windows(64)
        .position(|window| *window == layers[2][1000..1064])
        .unwrap();
    let mut other = made.clone();
    other.bytes[elsewhere] ^= 1;
    assert_eq!(restored(import_at(&instance, &other, instance.clock)), 1);
    assert_whole(&state, &files);
}
