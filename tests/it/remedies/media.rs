//! Remedies about files that are no bundle, or not this one: the right file comes in.

use super::follow::Operator;
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::site::noise;

#[test]
fn what_is_no_bundle_is_answered_with_the_right_file() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(900, 1)], SMALL_CHUNKS);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = made.bytes.clone();
        change(&mut bytes);
        bytes
    };
    let at = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).position(|part| part == name).unwrap();
    let cases: [(Vec<u8>, &str, &str); 4] = [
        (
            noise(5000, 3),
            "header",
            "check that it is the right file, or copy it again",
        ),
        (
            made.bytes[..700].to_vec(),
            "truncated",
            "check that it is the right file, or copy the bundle again; nothing of it was kept",
        ),
        (
            with(&|bytes| bytes[512] = b'x'),
            "not-a-bundle",
            "check that it is the right file, or copy the bundle again",
        ),
        (
            with(&|bytes| {
                let at = at(bytes, b"03-");
                bytes[at + 120] ^= 1;
            }),
            "header",
            "copy the bundle again, or ask the vendor for it: something changed it or it is no airlock bundle",
        ),
    ];
    for (bytes, code, says) in cases {
        let operator = operator.fresh();
        let bad = operator.file("bad", &bytes);
        let remedy = operator
            .run(&["import", bad.to_str().unwrap()])
            .remedy("E-FORMAT", code);
        assert_eq!(remedy, says);
        operator.import(&made).succeeded();
    }
}
