//! What a good package becomes: rows, ranges, the state of the site, a file.

use airlock::crypto::ReceiptResult;
use airlock::domain::Hash;
use airlock::vendor_side::ledger::Outcome;

use super::super::plant::{Kept, Plant};
use super::super::workshop::Workshop;

#[test]
fn a_good_package_is_taken_in_once() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.receipt(ReceiptResult::Imported, Hash([7; 32]), 1);
    plant.report(3);
    plant.keep(Kept::Metrics);
    plant.lose(2);
    plant.releases = vec![plant.holds(Hash([7; 32]), 1, 5, Hash([2; 32]))];
    plant.targets = Plant::target(1, 100);
    let package = plant.export();
    let taken = shop.take(&package);
    assert_eq!(
        (taken.records, taken.gaps, taken.audit_rows, taken.receipts.len()),
        (3, 1, 2, 1)
    );
    assert!(taken.is_newest);
    for (table, rows) in [
        ("instance", 1),
        ("package", 1),
        ("coverage", 3),
        ("record", 3),
        ("site_gap", 1),
        ("receipt", 1),
        ("site_audit", 2),
        ("held", 1),
        ("target_now", 1),
        ("deployment_now", 1),
    ] {
        assert_eq!(shop.count(table), rows, "{table}");
    }
    let name = format!(
        "{}/{}-1-{}",
        plant.site,
        &package.instance.as_str()[..8],
        &package.head.to_string()[..8]
    );
    assert_eq!(shop.files_of("packages"), [name.clone()]);
    let kept = std::fs::File::open(shop.path("packages").join(name)).unwrap();
    assert_eq!(
        airlock::stream::read_bounded(kept, 1 << 20, "it").unwrap(),
        package.bytes
    );
    assert!(!shop.path("incoming").try_exists().unwrap());

    let before = shop.dump();
    assert!(matches!(shop.verdict(&package, false), Outcome::Already(_)));
    assert_eq!(shop.dump(), before);
}
