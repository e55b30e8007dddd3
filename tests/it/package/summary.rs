//! Summaries: the vectors of `bundle-spec` judged as `verify.py` judges them, and what is made is read again.

use airlock::crypto::Enrolment;
use airlock::domain::{Error, Hash, Result, SiteId};
use airlock::package::{
    Age, LocalState, Sealer, SignedSummary, Summary, SummaryDeployments, SummaryLive, SummaryRelease, SummaryRuns,
    SummaryState, dictated, received, series,
};
use proptest::prelude::*;
use serde_json::Value;

use super::made;
use crate::format::vectors::{described, load};

fn sealers(folder: &std::path::Path, vector: &Value) -> Vec<Sealer> {
    let mut sealers: Vec<Sealer> = Vec::new();
    for name in vector["enrolments"].as_array().unwrap() {
        let enrolment = Enrolment::parse(&load(&folder.join(name.as_str().unwrap()))).unwrap();
        let [domain] = enrolment.domains[..] else {
            panic!("one domain")
        };
        sealers.retain(|sealer| (sealer.domain, &sealer.site) != (domain, &enrolment.site));
        sealers.push(Sealer {
            domain,
            site: enrolment.site,
            key: enrolment.status.public,
        });
    }
    sealers
}

fn judge(data: &[u8], sites: &[Sealer]) -> Result<SignedSummary> {
    SignedSummary::verify(&received(data)?, sites)
}

fn told(error: &Error) -> String {
    format!("{} {}", error.class(), error.code())
}

#[test]
fn every_summary_is_judged_as_by_the_other_reader_and_made_again() {
    let (mut good, mut bad) = (0, 0);
    let mut wrong = Vec::new();
    for kind in ["good", "bad"] {
        for (name, folder, vector) in described(&format!("status-vectors/{kind}")) {
            let file = vector["files"]
                .as_array()
                .unwrap()
                .last()
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned();
            if !file.starts_with("summary.") {
                continue;
            }
            let data = load(&folder.join(&file));
            let found = judge(&data, &sealers(&folder, &vector));
            if kind == "good" {
                good += 1;
                let summary = found.unwrap();
                let again =
                    SignedSummary::sign(summary.summary.clone(), summary.domain, &summary.site, &made::key()).unwrap();
                assert_eq!(again, summary, "{name}");
                let words = || String::from_utf8(data.clone()).unwrap();
                match name.as_str() {
                    "summary-binary" => assert_eq!(data, summary.bytes),
                    "summary-spoken" => {
                        let lines = dictated(&summary.bytes).unwrap();
                        assert_eq!(lines, words().lines().collect::<Vec<_>>());
                    }
                    _ => {
                        let mut texts = words().lines().map(str::to_owned).collect::<Vec<_>>();
                        let mut made = series(&summary.bytes);
                        texts.sort();
                        made.sort();
                        assert_eq!(made, texts, "{name}");
                    }
                }
            } else {
                bad += 1;
                let word = |member: &str| vector["expect"][member].as_str().unwrap().to_owned();
                let expected = format!("{} {}", word("class"), word("code"));
                match found {
                    Err(error) if told(&error) == expected => {}
                    other => wrong.push(format!("{name}: expected {expected}, found {other:?}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(good >= 4 && bad >= 24, "{good} good, {bad} bad");
}

fn state() -> impl Strategy<Value = SummaryState> {
    let runs = prop_oneof![
        Just(SummaryRuns::Wanted),
        Just(SummaryRuns::Another),
        Just(SummaryRuns::Unknown)
    ];
    (0..6_u8, runs, any::<bool>(), any::<u8>()).prop_map(|(state, runs, removed, age)| SummaryState {
        state,
        runs,
        removed,
        age: Age::from_byte(age),
    })
}

fn number() -> impl Strategy<Value = u64> {
    (0..53_u32).prop_flat_map(|bits| 0..=(1_u64 << bits))
}

fn release() -> impl Strategy<Value = SummaryRelease> {
    let each = proptest::collection::vec(state(), 0..40).prop_map(SummaryDeployments::Each);
    let counted = (proptest::array::uniform6(number()), number())
        .prop_map(|(by_state, not_wanted)| SummaryDeployments::Counted { by_state, not_wanted });
    let local = (any::<[u8; 8]>(), state()).prop_map(|(deployment, state)| LocalState { deployment, state });
    let live = (prop_oneof![each, counted], proptest::collection::vec(local, 0..4))
        .prop_map(|(deployments, local)| SummaryLive { deployments, local });
    (any::<[u8; 6]>(), any::<u8>(), proptest::option::of(live)).prop_map(|(head, age, live)| SummaryRelease {
        head,
        age: Age::from_byte(age),
        live,
    })
}

fn summary() -> impl Strategy<Value = Summary> {
    let fixed = (any::<[u8; 8]>(), any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u32>());
    let numbers = proptest::array::uniform7(number());
    (fixed, numbers, proptest::collection::vec(release(), 0..6)).prop_map(
        |((instance, head, seal, made), n, releases)| Summary {
            site: site().to_bytes()[..4].try_into().unwrap(),
            instance,
            number: n[0].max(1),
            head,
            made_at: airlock::domain::Timestamp::from_unix(i64::from(made)).unwrap(),
            records: n[1],
            receipts: n[2],
            audit: n[3],
            seal,
            lost: n[4],
            damaged: n[5],
            refused: n[6],
            releases,
        },
    )
}

fn site() -> SiteId {
    made::site()
}

fn sealer() -> Vec<Sealer> {
    vec![Sealer {
        domain: made::DOMAIN,
        site: site(),
        key: made::key().public(),
    }]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_made_is_read_again_in_every_form(summary in summary(), turn in any::<proptest::sample::Index>()) {
        let sealed = SignedSummary::sign(summary, made::DOMAIN, &site(), &made::key()).unwrap();
        let mut codes = series(&sealed.bytes);
        let turn = turn.index(codes.len());
        codes.rotate_left(turn);
        for data in [sealed.bytes.clone(), codes.join("\n").into_bytes(), codes.join("\r\n").into_bytes()] {
            prop_assert_eq!(judge(&data, &sealer()).unwrap(), sealed.clone());
        }
        if let Some(lines) = dictated(&sealed.bytes) {
            let data = lines.join("\n").into_bytes();
            prop_assert_eq!(judge(&data, &sealer()).unwrap(), sealed.clone());
        }
    }

    #[test]
    fn whatever_comes_is_refused_or_signed(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(judge(&data, &sealer()).is_err());
        let text: Vec<u8> = data.iter().map(|byte| b' ' + byte % 64).collect();
        prop_assert!(judge(&text, &sealer()).is_err());
    }
}

/// Every bit and every cut of a summary: nothing of another reading, and nothing that panics.
#[test]
fn every_bit_and_every_cut_is_refused() {
    let folder = described("status-vectors/good")
        .into_iter()
        .find(|(name, ..)| name == "summary-example")
        .unwrap()
        .1;
    let data = load(&folder.join("summary.txt"));
    let sites = sealer();
    let sealed = judge(
        &data,
        &[Sealer {
            domain: Hash([0xcd; 32]),
            ..sites[0].clone()
        }],
    )
    .unwrap();
    for at in 0..sealed.bytes.len() {
        assert!(SignedSummary::verify(&sealed.bytes[..at], &sites).is_err());
        for bit in 0..8 {
            let mut bytes = sealed.bytes.clone();
            bytes[at] ^= 1 << bit;
            assert!(SignedSummary::verify(&bytes, &sites).is_err(), "bit {bit} of byte {at}");
        }
    }
}
