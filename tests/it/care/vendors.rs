//! What vendors may build on stays until they know that it goes (SPEC M-102).

use serde_json::Value;

use super::world::World;
use crate::support::appliance::scratch;

/// A stick to which packages go.
struct Stick(tempfile::TempDir);

impl Stick {
    fn new() -> Self {
        Self(scratch())
    }

    #[track_caller]
    fn export(&self, world: &World) {
        world.good(&["status", "export", self.0.path().to_str().unwrap()]);
    }
}

#[track_caller]
fn gc(world: &World) -> Value {
    world.good(&["gc", "--yes", "--keep", "0"])["collected"].clone()
}

/// Says that the vendor has acknowledged everything up to a row of its stream.
fn acknowledge(world: &World, number: u64, row: &str) {
    world.sql(&format!(
        "INSERT INTO acknowledgement (domain, number, envelope, records, receipts, audit, at)
         SELECT domain, {number}, x'', 0, 0, {row}, 0 FROM enrolment"
    ));
}

/// What the newest package lists stays, is told to go, and goes once a newer one that was written out does not list it.
#[test]
fn what_a_vendor_builds_on_goes_only_after_a_package_that_does_not_list_it() {
    let world = World::new(3);
    let stick = scratch();
    let export = || world.good(&["status", "export", stick.path().to_str().unwrap()]);
    export();
    let plan = world.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(
        (
            plan["goes"].as_array().unwrap().len(),
            plan["leaves"].as_array().unwrap().len()
        ),
        (0, 2)
    );
    assert_eq!(world.here(), [3, 2, 1]);
    let told = world.good(&["release", "list"]);
    let leaving: Vec<bool> = told["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["leaving"] == true)
        .collect();
    assert_eq!(leaving, [false, true, true]);
    assert_eq!((world.rows("gc-mark").len(), world.rows("gc").len()), (1, 0));
    // Told once, whoever asks again; and one that goes live again stays.
    let again = world.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(
        (again["leaves"].as_array().unwrap().len(), world.rows("gc-mark").len()),
        (0, 1)
    );
    world.good(&["release", "activate", "2.0", "--yes"]);
    world.age();
    export();
    let plan = world.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(plan["collected"]["releases"], 1, "{plan}");
    assert_eq!(world.here(), [3, 2]);
}

/// A draft may be signed as it is: what it lists stays as well.
#[test]
fn what_a_draft_lists_goes_only_after_it() {
    let world = World::new(2);
    let stick = scratch();
    let gc = || world.good(&["gc", "--yes", "--keep", "0"])["collected"].clone();
    world.good(&["status", "preview"]);
    assert_eq!(gc()["told"], 1);
    // Signed now, it is the newest package and lists it still.
    world.good(&["status", "export", stick.path().to_str().unwrap()]);
    assert_eq!(gc(), Value::Null);
    assert_eq!(world.here(), [2, 1]);
    world.good(&["status", "export", stick.path().to_str().unwrap()]);
    assert_eq!(gc()["releases"], 1);
}

/// A package that was signed and did not get out tells its vendor nothing.
#[test]
fn a_package_that_never_left_lets_nothing_go() {
    let (world, stick) = (World::new(2), Stick::new());
    stick.export(&world);
    assert_eq!(gc(&world)["told"], 1);
    stick.export(&world);
    // As where the medium was full.
    world.sql("UPDATE package SET state = 'signed' WHERE number = 2");
    assert_eq!(gc(&world), Value::Null);
    assert_eq!(world.here(), [2, 1]);
    stick.export(&world);
    assert_eq!(gc(&world)["releases"], 1);
    assert_eq!(world.here(), [2]);
}

/// Where its vendor acknowledges, what it has acknowledged counts, and not what left.
#[test]
fn what_its_vendor_acknowledged_counts_where_it_acknowledges() {
    let (world, stick) = (World::new(2), Stick::new());
    acknowledge(&world, 1, "(SELECT max(number) FROM stream_audit)");
    stick.export(&world);
    assert_eq!(gc(&world)["told"], 1);
    stick.export(&world);
    assert_eq!(gc(&world), Value::Null);
    assert_eq!(world.here(), [2, 1]);
    acknowledge(&world, 2, "(SELECT max(number) FROM stream_audit)");
    assert_eq!(gc(&world)["releases"], 1);
    assert_eq!(world.here(), [2]);
}

/// No package lists what came after it.
#[test]
fn what_came_after_the_newest_package_need_not_be_told() {
    let (world, stick) = (World::new(1), Stick::new());
    stick.export(&world);
    for sequence in 2..=3 {
        world.import(&world.release(sequence, 1000)).assert_imported();
    }
    world.age();
    let done = gc(&world);
    assert_eq!((&done["releases"], &done["told"]), (&1.into(), &1.into()));
    assert_eq!(world.here(), [3, 1]);
}

/// A person may say that a release goes whatever its vendor knows.
#[test]
fn a_person_need_not_wait_for_the_vendor() {
    let (world, stick) = (World::new(2), Stick::new());
    stick.export(&world);
    let plan = world.good(&["release", "remove", "1.0", "--dry-run"]);
    assert_eq!(plan["release"]["listed"], true);
    assert_eq!(
        world.good(&["release", "remove", "1.0", "--at-once", "--yes"])["result"],
        "removed"
    );
    assert_eq!(world.here(), [2]);
}
