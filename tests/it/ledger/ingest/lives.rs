//! Lives of a site's state folder: declared, undeclared, beside one another.

use airlock::crypto::ReceiptResult;
use airlock::domain::Hash;

use super::super::plant::{Plant, instance};
use super::super::workshop::Workshop;

fn shown(shop: &Workshop, plant: &Plant) -> String {
    let ledger = shop.workspace.ledger().unwrap();
    let shown = ledger
        .read(|c| airlock::db::ledger::shown(c, &plant.site))
        .unwrap()
        .unwrap();
    shown.youngest().instance.to_string()
}

/// M-83: it begins right after what was acknowledged; what only the lost branch knew stays apart as that branch's.
#[test]
fn a_recovered_site_goes_on_after_what_both_share() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.targets = Plant::target(1, 100);
    plant.report(3);
    let first = plant.export();
    shop.take(&first);
    shop.change(&format!(
        "INSERT INTO acknowledgement VALUES ('{}', 1, x'', 3, 0, 1, 0)",
        plant.site
    ));
    plant.acknowledge(1, first.lasts);
    let backup = plant.clone();
    plant.report(4);
    plant.receipt(ReceiptResult::Imported, Hash([1; 32]), 1);
    shop.take(&plant.export());
    let lost = plant.instance.clone();

    let mut restored = backup;
    restored.recover(0xabc, "restored");
    restored.targets = Plant::target(2, 200);
    restored.report(2);
    let taken = shop.take(&restored.export());
    let found: Vec<_> = taken.findings.iter().map(|found| found.code).collect();
    assert_eq!(found, ["new-instance"]);
    assert!(
        taken.findings[0]
            .detail
            .contains("the reason that it gives is restored")
    );
    assert!(taken.is_newest);
    assert_eq!(shown(&shop, &restored), instance(0xabc).to_string());
    // Numbers 4 to 7 are the lost branch's, 4 and 5 the new one's too, and 1 to 3 both's.
    assert_eq!(
        shop.query::<String>(
            "SELECT group_concat(instance || ':' || n) FROM (SELECT instance, count(*) AS n FROM record GROUP BY 1)"
        ),
        "1:7,2:2"
    );
    let targets: Vec<u8> = shop.query("SELECT target FROM target_now");
    assert_eq!(targets, super::super::plant::uuid(2).as_bytes());
    let ledger = shop.workspace.ledger().unwrap();
    let reach = ledger
        .read(|c| {
            let line = airlock::db::ledger::shown(c, &restored.site)?.unwrap();
            airlock::db::ledger::reach(c, &line, airlock::db::ledger::Numbered::Records, 0)
        })
        .unwrap();
    assert_eq!(reach, 5);

    // The lost branch was not lost: it reports on. Both are kept, the youngest is shown.
    let state = shop.dump()["target_now"].clone();
    plant.report(1);
    let taken = shop.take(&plant.export());
    let found: Vec<_> = taken.findings.iter().map(|found| found.code).collect();
    assert_eq!((found, taken.is_newest), (vec!["branches"], false));
    assert!(taken.findings[0].detail.contains(lost.as_str()), "{:?}", taken.findings);
    assert_eq!(shop.dump()["target_now"], state);
    assert_eq!(shown(&shop, &restored), instance(0xabc).to_string());
    restored.report(1);
    let taken = shop.take(&restored.export());
    assert!(taken.is_newest && taken.findings.is_empty(), "{taken:?}");
}

/// What was lost on the way before a site was recovered is no sign that the old life goes on.
#[test]
fn a_late_package_of_an_earlier_life_that_fills_a_hole_is_no_branch() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let packages: Vec<_> = (0..3).map(|_| plant.export()).collect();
    shop.take(&packages[0]);
    shop.take(&packages[2]);
    plant.recover(0xdef, "copied");
    shop.take(&plant.export());
    assert_eq!(shop.found(&packages[1]), (vec![], vec!["package-missing"]));
}

/// Nothing of it was acknowledged: the new life tells everything again, under its own name.
#[test]
fn a_life_of_which_nothing_was_acknowledged_is_left_out_of_the_lineage() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(2);
    shop.take(&plant.export());
    plant.recover(0x111, "a \u{202e}word");
    let taken = shop.take(&plant.export());
    assert_eq!(taken.records, 2);
    assert_eq!(plant.lineage.len(), 1);
    assert_eq!(taken.findings[0].code, "new-instance");
    assert!(
        taken.findings[0].detail.contains("a \\u202eword"),
        "{:?}",
        taken.findings
    );
    assert_eq!(shown(&shop, &plant), instance(0x111).to_string());
    assert_eq!(shop.count("instance WHERE parent IS NULL"), 2);
}

/// What is shown is the life that goes on, however short its lineage: else nothing of it would ever be acknowledged, nor its lineage grow.
#[test]
fn a_folder_that_was_restored_from_an_old_copy_is_shown() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(1);
    let backup = plant.clone();
    for life in 1..=2 {
        let package = plant.export();
        shop.take(&package);
        shop.change(&format!(
            "INSERT INTO acknowledgement VALUES ('{}', {life}, x'', 0, 0, 0, 0)",
            plant.site
        ));
        plant.acknowledge(life, package.lasts);
        plant.recover(0xa0 + life, "cloned");
        plant.report(1);
    }
    shop.take(&plant.export());
    assert_eq!(plant.lineage.len(), 3);
    let mut restored = backup;
    restored.recover(0xb1, "restored");
    let taken = shop.take(&restored.export());
    assert_eq!(restored.lineage.len(), 1);
    assert_eq!(shown(&shop, &restored), instance(0xb1).to_string());
    assert!(taken.is_newest, "{taken:?}");
    let found: Vec<_> = taken.findings.iter().map(|found| found.code).collect();
    assert_eq!(found, ["new-instance"]);
}

/// The log of a later life says that it went on from this one, though no lineage does.
#[test]
fn what_comes_late_of_a_life_that_is_over_does_not_take_the_place_of_the_one_that_goes_on() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let first = plant.export();
    plant.recover(0x222, "copied");
    plant.recover(0x333, "copied");
    shop.take(&plant.export());
    assert_eq!(plant.lineage.len(), 1);
    let late = shop.take(&first);
    assert!(!late.is_newest, "{late:?}");
    assert_eq!(shown(&shop, &plant), instance(0x333).to_string());
    let taken = shop.take(&plant.export());
    assert!(taken.is_newest && taken.findings.is_empty(), "{taken:?}");
}

/// M-83: what everything is acknowledged of is left out at the oldest end, and the ledger goes on from what it knows; also one that
/// never knew it.
#[test]
fn more_lives_than_a_head_names_lock_nobody_out() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(2);
    shop.take(&plant.export());
    let late = shop.copy();
    for life in 1..=256 {
        plant.acknowledge(life, plant.lasts());
        plant.recover(1000 + life, "copied");
        if life == 255 {
            assert_eq!(plant.lineage.len(), 256);
            assert!(shop.take(&plant.export()).is_newest);
        }
    }
    shop.change(&format!(
        "INSERT INTO acknowledgement VALUES ('{}', 256, x'', 2, 0, 256, 0)",
        plant.site
    ));
    let root = plant.lineage.remove(0);
    plant.report(1);
    let package = plant.export();
    let taken = shop.take(&package);
    assert_eq!(
        (taken.is_newest, shown(&shop, &plant)),
        (true, plant.instance.to_string())
    );
    let ledger = shop.workspace.ledger().unwrap();
    let line = ledger
        .read(|c| airlock::db::ledger::shown(c, &plant.site))
        .unwrap()
        .unwrap();
    assert_eq!(
        (line.instances().len(), &line.instances()[0].instance),
        (257, &root.instance)
    );
    plant.report(1);
    assert_eq!(shop.found(&plant.export()), (vec![], vec![]));

    // A copy of the ledger from before knows the oldest alone: taken, and the numbers between are said to be missing.
    let taken = late.take(&package);
    let found: Vec<_> = taken.findings.iter().map(|found| found.code).collect();
    assert!(
        taken.is_newest && found.contains(&"records-missing") && found.contains(&"ledger-behind"),
        "{found:?}"
    );
    assert_eq!(shown(&late, &plant), plant.instance.to_string());
}
