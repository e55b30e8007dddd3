//! What is found in packages that are taken in, and what settles it.

use airlock::crypto::ReceiptResult;
use airlock::domain::Hash;
use airlock::package::Numbers;
use airlock::vendor_side::replace;
use serde_json::json;

use super::super::plant::{Kept, Plant};
use super::super::workshop::Workshop;

/// No codes.
const NONE: (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());

fn acknowledge(shop: &Workshop, plant: &mut Plant, number: u64, to: Numbers) {
    plant.acknowledge(number, to);
    shop.change(&format!(
        "INSERT INTO acknowledgement VALUES ('{}', {number}, x'', {}, {}, {}, 0)",
        plant.site, to.records, to.receipts, to.audit
    ));
}

#[test]
fn a_missing_package_is_found_once_and_settled_when_it_comes() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let packages: Vec<_> = (0..5).map(|_| plant.export()).collect();
    assert_eq!(shop.found(&packages[0]), NONE);
    assert_eq!(shop.found(&packages[2]), (vec!["package-missing"], vec![]));
    assert_eq!(shop.found(&packages[3]), NONE, "what is missing was said");
    assert_eq!(
        shop.query::<String>("SELECT count || code FROM finding"),
        "1package-missing"
    );
    assert_eq!(shop.found(&packages[1]), (vec![], vec!["package-missing"]));
    assert_eq!(shop.found(&packages[4]), NONE);
    assert_eq!(shop.count("finding WHERE ended_at IS NULL"), 0);
}

#[test]
fn numbers_that_no_package_told_are_found_until_they_are_covered() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(9);
    let at = |audit, records| Numbers {
        audit,
        receipts: 0,
        records,
    };
    let from = |audit, records| Numbers {
        audit,
        receipts: 1,
        records,
    };
    let first = plant.export_range(Numbers::all(1), at(1, 3));
    let middle = plant.export_range(from(2, 4), at(1, 6));
    let last = plant.export_range(from(2, 7), at(1, 9));
    assert_eq!(shop.found(&first), NONE);
    let (found, _) = shop.found(&last);
    assert_eq!(found, ["package-missing", "records-missing"]);
    let said: String = shop.query("SELECT detail FROM finding WHERE code = 'records-missing'");
    assert_eq!(said, "no package told some records above 3");
    assert_eq!(
        shop.found(&middle),
        (vec![], vec!["package-missing", "records-missing"])
    );
}

#[test]
fn gaps_have_room_for_what_is_missing_or_it_is_found() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(1);
    plant.lose(3);
    plant.report(1);
    assert_eq!(shop.found(&plant.export()), NONE);
    // The row that explains a hole comes with the next package of the run.
    plant.lose(5);
    plant.report(1);
    let lasts = plant.lasts();
    let short = plant.export_range(Numbers::all(1), Numbers { records: 11, ..lasts });
    assert_eq!(shop.found(&short), (vec!["gap-room"], vec![]));
    let from = Numbers {
        audit: 1,
        receipts: 1,
        records: 12,
    };
    assert_eq!(shop.found(&plant.export_range(from, lasts)), (vec![], vec!["gap-room"]));
    // No row ever explains this one.
    plant.keep(Kept::Missing);
    let (found, _) = shop.found(&plant.export());
    assert_eq!(found, ["gap-room"]);
}

#[test]
fn records_that_the_site_cannot_explain_are_found_until_a_package_does() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(2);
    plant.keep(Kept::Unexplained);
    assert_eq!(shop.found(&plant.export()).0, ["records-unexplained"]);
    let said: String = shop.query("SELECT detail FROM finding");
    assert_eq!(
        said,
        "package 1 says that 1 of the records 1 to 3 are missing there and that no gap tells why"
    );
    // The same again, cumulative; behind what is acknowledged nobody says anything of it.
    plant.report(1);
    assert_eq!(shop.found(&plant.export()), (vec!["records-unexplained"], vec![]));
    let mut later = plant.clone();
    acknowledge(&shop, &mut later, 1, plant.lasts());
    later.report(1);
    assert_eq!(shop.found(&later.export()), NONE);
    assert_eq!(shop.count("finding WHERE ended_at IS NULL"), 1);
    // A gap that was written later covers it: the number is one that the site explains.
    let known = Workshop::new();
    let mut plant = known.plant(1);
    plant.report(2);
    plant.keep(Kept::Unexplained);
    known.take(&plant.export());
    plant.records.insert(3, Kept::Metrics);
    assert_eq!(known.found(&plant.export()), (vec![], vec!["records-unexplained"]));
}

#[test]
fn a_release_that_is_listed_otherwise_than_it_was_signed_is_found_once() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let (head, content) = shop.sign(1, None);
    plant.releases = vec![plant.holds(head, 1, 1, content)];
    let taken = shop.take(&plant.export());
    assert_eq!((taken.releases[0].agrees, taken.findings.len()), (Some(true), 0));
    let other = [
        (
            plant.holds(head, 2, 1, content),
            "shop/stable 2, whose head was signed here as shop/stable 1",
        ),
        (
            plant.holds(head, 1, 2, content),
            "shop/stable 1, of 2 blobs in place of 1",
        ),
        (
            plant.holds(head, 1, 1, Hash([9; 32])),
            "shop/stable 1, of other content than was signed here",
        ),
    ];
    for (line, how) in other {
        let known = shop.copy();
        let mut lying = plant.clone();
        lying.releases = vec![line];
        assert_eq!(known.found(&lying.export()).0, ["release-differs"], "{how}");
        let said: String = known.query("SELECT detail FROM finding");
        assert_eq!(said, format!("package 2 lists {how}"));
        assert_eq!(known.query::<u64>("SELECT agrees FROM held"), 0);
        assert_eq!(known.found(&lying.export()), NONE, "it is said once");
    }
    // A head that nobody here signed: nothing can be compared, and nothing is accused.
    plant.releases = vec![plant.holds(Hash([7; 32]), 7, 1, content)];
    let taken = shop.take(&plant.export());
    assert_eq!(taken.releases[0].agrees, None);
    assert_eq!(taken.findings[0].code, "foreign-release");
    assert_eq!(shop.count("held WHERE agrees IS NULL"), 1);
}

#[test]
fn clocks_that_went_back_or_are_ahead_are_found_and_refuse_nothing() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    shop.take(&plant.export());
    plant.now = plant.now.plus_seconds(-3 * 3600);
    assert_eq!(shop.found(&plant.export()).0, ["clock-back"]);
    let said: String = shop.query("SELECT detail FROM finding");
    assert!(said.contains("3 h 0 min before package 1"), "{said}");
    plant.now = shop.now.plus_seconds(86_400);
    assert_eq!(shop.found(&plant.export()), NONE);
    plant.now = shop.now.plus_seconds(86_401);
    assert_eq!(shop.found(&plant.export()).0, ["clock-ahead"]);
}

#[test]
fn releases_of_others_are_the_loudest_and_settled_when_they_are_learned() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let (here, _) = shop.sign(1, Some(&plant.site));
    let (elsewhere, _) = shop.sign(2, Some(&shop.plant(2).site));
    let away = Hash([3; 32]);
    plant.receipt(ReceiptResult::Imported, here, 1);
    assert_eq!(shop.found(&plant.export()), NONE);
    plant.receipt(ReceiptResult::Refused, elsewhere, 2);
    assert_eq!(shop.found(&plant.export()), NONE, "a refusal of what is not for it");
    plant.receipt(ReceiptResult::Imported, elsewhere, 2);
    plant.receipt(ReceiptResult::Imported, away, 3);
    // A number that was signed for another head.
    plant.receipt(ReceiptResult::Refused, Hash([9; 32]), 1);
    let taken = shop.take(&plant.export());
    let found: Vec<_> = taken
        .findings
        .iter()
        .map(|found| (found.code, found.detail.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("foreign-release", "receipts 4, 5 of a release that was not signed here"),
            (
                "unexpected-import",
                "receipt 3 of a release that was not signed for this site"
            ),
        ]
    );
    let matched: String =
        shop.query("SELECT group_concat(matched, '') FROM (SELECT matched FROM receipt ORDER BY number)");
    assert_eq!(matched, "10000");
    assert_eq!(shop.found(&plant.export()), NONE, "told again, they are no news");
    // Another workspace signed it: learned, it matches.
    shop.sign(3, None);
    let ledger = shop.workspace.ledger().unwrap();
    ledger
        .write(|tx| airlock::db::ledger::match_receipts(tx, away, shop.now))
        .unwrap();
    assert_eq!(shop.query::<u64>("SELECT matched FROM receipt WHERE number = 4"), 1);
    assert_eq!(
        shop.count("finding WHERE code = 'foreign-release' AND ended_at IS NULL"),
        1,
        "receipt 5 stays"
    );
    shop.change("DELETE FROM receipt WHERE number = 5");
    ledger
        .write(|tx| airlock::db::ledger::match_receipts(tx, away, shop.now))
        .unwrap();
    assert_eq!(
        shop.count("finding WHERE code = 'foreign-release' AND ended_at IS NULL"),
        0
    );
}

#[test]
fn a_receipt_names_a_row_of_the_log_or_it_is_found_until_that_comes() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let (head, _) = shop.sign(1, None);
    plant.receipt(ReceiptResult::Imported, head, 1);
    let lasts = plant.lasts();
    let before = plant.export_range(Numbers::all(1), Numbers { audit: 1, ..lasts });
    assert_eq!(shop.found(&before), (vec!["receipt-row"], vec![]));
    assert_eq!(shop.found(&plant.export()), (vec![], vec!["receipt-row"]));
    // A seal that is that of another row, and a row that names another receipt.
    let seal = plant.act("import", &json!({"receipt": 9}));
    plant.bare_receipt(ReceiptResult::Imported, head, 1, seal);
    assert_eq!(shop.found(&plant.export()).0, ["receipt-row"]);
}

#[test]
fn an_acknowledgement_that_was_never_issued_means_an_older_ledger() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(3);
    let first = plant.export();
    shop.take(&first);
    let older = shop.copy();
    plant.report(2);
    let second = plant.export();
    shop.take(&second);
    acknowledge(&shop, &mut plant, 1, second.lasts);
    plant.report(4);
    let third = plant.export();
    assert_eq!(shop.found(&third), NONE);
    // The copy of the ledger from before: a package is missing, and what it told.
    assert_eq!(
        older.found(&third).0,
        ["package-missing", "records-missing", "ledger-behind"]
    );
    // What is still in the outbox, or in `packages/`, fills it again.
    assert_eq!(
        older.found(&second),
        (vec![], vec!["package-missing", "records-missing"])
    );
    for table in ["record", "site_audit", "coverage"] {
        assert_eq!(older.dump()[table], shop.dump()[table], "{table}");
    }
}

/// M-92: a person said that the new key is the site's; the log may have been written by whoever had the old one.
#[test]
fn other_keys_end_equivocations_and_take_the_log_as_it_comes_once() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.act("pin", &json!({}));
    let first = plant.export();
    // A thief of the key tells another log, which comes first.
    let mut thief = plant.clone();
    thief.rows[1].action = "init".into();
    thief.number = 0;
    thief.previous = None;
    shop.take(&thief.export());
    shop.refuse(&first);
    let refusals = || {
        let ledger = shop.workspace.ledger().unwrap();
        ledger
            .read(|c| airlock::db::ledger::findings::open(c, Some(&plant.site)))
            .unwrap()
            .len()
    };
    assert_eq!(refusals(), 1);
    acknowledge(&shop, &mut plant.clone(), 1, first.lasts);
    let mut renewed = plant.clone();
    renewed.acknowledge(1, first.lasts);
    renewed.rotate(8, 77);
    replace(&shop.workspace, &renewed.enrolment(), plant.site.as_str(), shop.now).unwrap();
    assert_eq!(refusals(), 0);
    let (found, _) = shop.found(&renewed.export());
    assert_eq!(found, ["key-replaced", "audit-discontinuity", "new-instance"]);
    // Once: what comes then must go on from it, and begins as it did as long as nothing is acknowledged.
    renewed.report(1);
    let (found, _) = shop.found(&renewed.export());
    assert_eq!(found, Vec::<&str>::new());
    renewed.rows[2].action = "init".into();
    let (said, _) = shop.refuse(&renewed.export());
    assert_eq!((said.1, said.2.as_str()), ("audit-discontinuity", "V10"));
}

/// The label is signed with the head, so a receipt that has another one tells of what nobody signed.
#[test]
fn a_receipt_that_calls_a_release_otherwise_is_found() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let (head, _) = shop.sign(1, None);
    plant.receipt(ReceiptResult::Imported, head, 1);
    assert_eq!(shop.found(&plant.export()), NONE);
    plant.version = "v2\u{202e}";
    plant.receipt(ReceiptResult::Activated, head, 1);
    let taken = shop.take(&plant.export());
    let found: Vec<_> = taken
        .findings
        .iter()
        .map(|found| (found.code, found.detail.as_str()))
        .collect();
    let said = "receipt 2 calls shop/stable 1 v2\\u202e, which its head calls v1";
    assert_eq!(found, [("receipt-differs", said)]);
}
