//! Cases that no single bundle shows: edges of the curve, roles and purposes, bounds of chains, receipts.

use std::collections::BTreeSet;
use std::fs;

use airlock::appliance::Options;
use airlock::crypto::{Chain, Envelope, PayloadType, PublicKey, RoleName, Signature, verify_role};
use airlock::domain::Class;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::kit::{Site, key};
use crate::format::vectors::{spec_file, vectors};

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_str(std::str::from_utf8(bytes).unwrap()).unwrap()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap().as_bytes();
    text.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// K06: small order, encodings that are not canonical, S + L, mixed order (M-10, M-12).
#[test]
fn edges_of_the_curve_are_judged_strictly() {
    let cases: Value = parse(&spec_file("vectors/ed25519.json"));
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let public: [u8; 32] = hex(&case["public"]).try_into().unwrap();
        let signature: [u8; 64] = hex(&case["signature"]).try_into().unwrap();
        let loaded = PublicKey::from_bytes(&public);
        assert_eq!(loaded.is_ok(), case["key"] == true, "{}", case["says"]);
        let valid = match loaded {
            Ok(key) => key.verifies(&hex(&case["message"]), &signature),
            Err(error) => {
                assert_eq!(
                    (error.class(), error.code()),
                    (Class::Trust, "weak-key"),
                    "{}",
                    case["says"]
                );
                false
            }
        };
        assert_eq!(valid, case["valid"] == true, "{}", case["says"]);
    }
}

fn default_chain() -> Chain {
    vectors("good")
        .into_iter()
        .find(|vector| vector.name == "one-image")
        .unwrap()
        .pins()
        .unwrap()
        .remove(0)
}

/// J04, K04: a signature counts for exactly one purpose and for the roles of its key alone.
#[test]
fn a_signature_counts_for_its_role_and_purpose_only() {
    let chain = default_chain();
    let mut good = 0;
    for signer in RoleName::ALL {
        for signed_as in PayloadType::ALL {
            let signature = Signature::make(&key(signer.as_str()), signed_as, b"{}");
            for role in RoleName::ALL {
                for read_as in PayloadType::ALL {
                    let found = verify_role(
                        &chain.newest().role(role),
                        read_as,
                        b"{}",
                        std::slice::from_ref(&signature),
                    );
                    let expected = match (signer == role, signed_as == read_as) {
                        (true, true) => None,
                        (true, false) => Some((Class::Signature, "bad-signature")),
                        (false, _) => Some((Class::Signature, "below-threshold")),
                    };
                    assert_eq!(found.as_ref().err().map(|e| (e.class(), e.code())), expected);
                    good += usize::from(expected.is_none());
                }
            }
        }
    }
    assert_eq!(good, RoleName::ALL.len() * PayloadType::ALL.len());
}

/// K12, M-21: 1,024 links are walked in one step, one more is refused before any is looked at.
#[test]
fn chain_files_and_links_are_bounded() {
    let chain = default_chain();
    let root = key("root");
    let links: Vec<Envelope> = (2..=1026)
        .map(|version| {
            let mut document = chain.newest().clone();
            document.version = version;
            Envelope::sign(PayloadType::TrustRoot, document.to_payload(), &[&root])
        })
        .collect();
    let walked = chain.extend(&links[..1024]);
    assert!(walked.refusal.is_none(), "{:?}", walked.refusal);
    assert_eq!((walked.added, walked.chain.newest().version), (1024, 1025));
    let walked = chain.extend(&links);
    assert_eq!(walked.added, 0);
    let refusal = walked.refusal.unwrap();
    assert_eq!((refusal.class(), refusal.code()), (Class::Limit, "links"));
    let refusal = Chain::parse(&vec![b' '; (4 << 20) + 1]).unwrap_err();
    assert_eq!((refusal.class(), refusal.code()), (Class::Limit, "chain-size"));
}

/// M-66: the receipt is signed by the status key, and its payload has exactly the members of the schema.
#[test]
fn a_receipt_is_what_the_specification_says() {
    let vector = vectors("good")
        .into_iter()
        .find(|vector| vector.name == "one-image")
        .unwrap();
    let site = Site::of(&vector);
    site.import(&vector.bundle(), &Options::default()).unwrap();
    let folder = site.path().join("state/receipts");
    let path = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let envelope: Value = parse(&crate::format::vectors::load(&path));
    assert_eq!(envelope["payloadType"], PayloadType::ImportReceipt.as_str());
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let receipt: Value = parse(&payload);
    let schema: Value = parse(&spec_file("schemas/receipt.schema.json"));
    let required = schema["required"].as_array().unwrap().iter();
    let required: BTreeSet<_> = required.map(|name| name.as_str().unwrap().to_owned()).collect();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(members(&receipt), required);
    let of_a_refusal = ["class", "code", "step"].map(str::to_owned);
    assert_eq!(
        members(&schema["properties"]),
        required.into_iter().chain(of_a_refusal).collect()
    );
    assert_eq!(
        (&receipt["number"], &receipt["sequence"], &receipt["result"]),
        (&1.into(), &7.into(), &"imported".into())
    );
}

/// B08: what is accepted lists alike in another reader of tar.
#[test]
fn a_good_bundle_lists_alike_in_another_tar_reader() {
    for vector in vectors("good") {
        let bundle = vector.bundle();
        let mut archive = tar::Archive::new(&bundle[..]);
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert!(entry.header().entry_type().is_file());
                String::from_utf8(entry.path_bytes().into_owned()).unwrap()
            })
            .collect();
        let prologue = [
            "00-format",
            "01-signatures.json",
            "02-trust.json",
            "03-head.json",
            "04-approvals.json",
        ];
        let (early, late) = names.split_at(prologue.len());
        assert_eq!(early, prologue);
        let pages = (1..)
            .zip(late)
            .take_while(|(n, name)| **name == format!("05-index/{n:04}"))
            .count();
        assert_eq!(late[pages], "06-fill");
        let chunks = &late[pages + 1..];
        assert!(
            (1..)
                .zip(chunks)
                .all(|(n, name): (u64, _)| *name == format!("chunks/{n:010}"))
        );
    }
}
