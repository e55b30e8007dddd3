//! A later package of an instance that reaches less far than one before it (M-111).

use airlock::crypto::ReceiptResult;
use airlock::domain::Hash;
use airlock::package::{Numbers, Switch};

use super::super::plant::Kept;
use super::super::workshop::Workshop;
use super::refused::refused;
use crate::package::made;

type Cut = fn(&mut Numbers);

/// A log, or a stream, that was cut or turned back under the same name, with the next number.
#[test]
fn a_later_package_reaches_as_far_as_those_before_it() {
    let base = Workshop::new();
    let mut plant = base.plant(1);
    plant.report(3);
    plant.receipt(ReceiptResult::Imported, Hash([1; 32]), 1);
    plant.receipt(ReceiptResult::Imported, Hash([2; 32]), 2);
    let before = plant.clone();
    let first = plant.export();
    let (firsts, lasts) = (plant.firsts(), plant.lasts());
    let cuts: [(Cut, &str, &str); 3] = [
        (|lasts| lasts.audit -= 1, "audit-discontinuity", "V10"),
        (|lasts| lasts.receipts -= 1, "receipt", "V11"),
        (|lasts| lasts.records -= 1, "record", "V11"),
    ];
    for (cut, code, step) in cuts {
        let mut to = lasts;
        cut(&mut to);
        let second = plant.clone().export_range(firsts, to);
        let shop = base.copy();
        shop.take(&first);
        let detail = refused(&shop, &second, "E-EQUIVOCATION", code, step);
        let found = detail["found"].as_str().unwrap();
        assert!(found.contains("in package 2, and with"), "{found}");
        assert_eq!(shop.files_of("evidence").len(), 1);
        // From the other side it is the same.
        let shop = base.copy();
        shop.take(&second);
        refused(&shop, &first, "E-EQUIVOCATION", code, step);
    }
    base.take(&first);
    // As far is far enough, and so is less of another life.
    base.take(&plant.export());
    let mut again = before;
    again.number = 1;
    again.recover(55, "restored");
    again.records.clear();
    again.receipts.clear();
    base.take(&again.export());
}

/// One that had no room for all of it ends earlier than the run before did.
#[test]
fn the_first_package_of_another_run_may_end_earlier() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.shows = vec![Switch::AgentLogs];
    let mut state = 1_u64;
    for number in 1..=6 {
        // What cannot be compressed.
        let text: String = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
        })
        .take(100_000)
        .collect();
        plant.keep(Kept::Line(made::agent_log(number, &text)));
    }
    shop.take(&plant.export());
    let (firsts, mut lasts) = (plant.firsts(), plant.lasts());
    lasts.records -= 1;
    shop.take(&plant.export_range(firsts, lasts));
}
