//! Remedies about bundles that are too large in one respect: the vendor makes several of them.

use serde_json::json;

use super::follow::{Operator, Ran};
use crate::differential::draft::{Changes, Draft, written};
use crate::support::bundles::SMALL_CHUNKS;

/// Names that one bundle may have.
const NAMES: usize = 100_000;

/// With `AIRLOCK_SLOW=1` the releases that are made instead share out all of the names; else the ends of them.
#[test]
fn names_that_are_too_many_get_several_releases() {
    let operator = Operator::new();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let whole = Draft::of(&operator.vendor.bundle(1, &[b"a layer".to_vec()], SMALL_CHUNKS).bytes);
    let mut one = whole.names[0].clone();
    one["tag"] = json!("TAG");
    let one = String::from_utf8(written(&one)).unwrap();
    let verify = |sequence: u64, names: std::ops::Range<usize>| -> Ran {
        let mut draft = whole.clone();
        draft.names.clear();
        draft.head["sequence"] = json!(sequence);
        let mut put = |lines: &mut Vec<Vec<u8>>| {
            let names = names
                .clone()
                .map(|n| one.replace("TAG", &format!("t{n:06}")).into_bytes());
            lines.splice(0..0, names);
        };
        let changes = Changes {
            lines: Some(&mut put),
            ..Changes::default()
        };
        let bytes = draft.build(operator.vendor.key(), changes);
        let file = operator.file("bundle.airlock", &bytes);
        operator.run(&[
            "bundle",
            "verify",
            file.to_str().unwrap(),
            "--trust",
            root.to_str().unwrap(),
        ])
    };
    let remedy = verify(1, 0..NAMES + 1).remedy("E-LIMIT", "lines");
    assert_eq!(remedy, "have the vendor make several releases of it");
    let share = if std::env::var_os("AIRLOCK_SLOW").is_some() {
        NAMES / 2
    } else {
        1000
    };
    verify(1, 0..share).succeeded();
    verify(2, NAMES + 1 - share..NAMES + 1).succeeded();
}
