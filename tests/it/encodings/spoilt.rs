//! Bundles with spoilt travel forms: signed ones and others, each refused with its class, or the same after all.

use std::collections::BTreeMap;
use std::io::Cursor;

use airlock::bundle::{CheckOnly, OpenedBundle};
use airlock::domain::Class;

use crate::format::vectors::{judge as judge_vector, vectors};
use crate::support::appliance::{self, Appliance, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;

fn judge(vendor: &Vendor, bundle: &[u8]) -> Result<(), (Class, &'static str)> {
    let verify = || {
        let opened = OpenedBundle::open(Box::new(Cursor::new(bundle.to_vec())))?;
        let bundle = opened.verify(vendor.chain())?.read_index(|_, _| Ok(()))?;
        bundle.read_payload(&mut CheckOnly(|_| ()))
    };
    verify().map_err(|error: airlock::domain::Error| (error.class(), error.code()))
}

/// One layer whose travel form is small and has a frame and a raw record in it.
fn layer() -> Vec<u8> {
    [vec![3; 70_000], noise(700, 2), vec![4; 9000]].concat()
}

fn made(vendor: &Vendor, spoil: &mut dyn FnMut(Vec<u8>) -> Vec<u8>) -> Made {
    vendor.encoded(1, &[layer(), noise(600, 5)], SMALL_CHUNKS, spoil)
}

#[test]
fn every_bit_of_a_chunk_with_travel_forms_is_under_its_hash() {
    let vendor = Vendor::new();
    let good = made(&vendor, &mut |form| form).bytes;
    judge(&vendor, &good).unwrap();
    // The last chunk: its padding and the end blocks stand behind it.
    let size = good.len() - 1024;
    let mut judged = 0;
    for bit in ((size - 2048) * 8..size * 8).step_by(13) {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let found = judge(&vendor, &bad).unwrap_err();
        let expected = [
            (Class::Integrity, "stored-hash"),
            (Class::Format, "padding"),
            (Class::Format, "header"),
        ];
        assert!(expected.contains(&found), "{bit}: {found:?}");
        judged += usize::from(found.1 == "stored-hash");
    }
    assert!(judged > 500, "{judged}");
}

#[test]
fn every_changed_byte_of_a_signed_travel_form_is_refused_or_the_same() {
    let vendor = Vendor::new();
    let mut length = 0;
    made(&vendor, &mut |form| {
        length = form.len();
        form
    });
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for at in (0..length).step_by(if std::env::var_os("AIRLOCK_SLOW").is_some() {
        1
    } else {
        5
    }) {
        let bad = made(&vendor, &mut |mut form| {
            form[at] ^= 0x41;
            form
        });
        match judge(&vendor, &bad.bytes) {
            Ok(()) => *codes.entry("same").or_default() += 1,
            Err((class, code)) => {
                assert!(
                    matches!(class, Class::Format | Class::Integrity | Class::Limit),
                    "{class:?} {code}"
                );
                *codes.entry(code).or_default() += 1;
            }
        }
    }
    assert!(
        codes.contains_key("frame") || codes.contains_key("content-digest"),
        "{codes:?}"
    );
    assert!(!codes.contains_key("panic"), "{codes:?}");
}

#[test]
fn a_signed_travel_form_of_another_layer_leaves_nothing_at_a_site() {
    let vendor = Vendor::new();
    let site = Appliance::init(&vendor);
    let folder = appliance::scratch();
    let import = |made: &Made| {
        let path = folder.path().join("bundle");
        write(&path, &made.bytes);
        site.import(&path)
    };
    for (spoil, class, code) in [
        // Records that are cut, one too many, and a head of nothing.
        (
            &(|form: Vec<u8>| form[..form.len() - 1].to_vec()) as &dyn Fn(Vec<u8>) -> Vec<u8>,
            "E-FORMAT",
            "travel",
        ),
        (
            &|form: Vec<u8>| [&form[..], &[1, 0, 0, 0x80, 9]].concat(),
            "E-FORMAT",
            "travel",
        ),
        (
            &|form: Vec<u8>| [&[0, 0, 0, 0x80], &form[..]].concat(),
            "E-FORMAT",
            "travel",
        ),
        // A frame that is no single segment, and one whose blocks end too early.
        (
            &|mut form: Vec<u8>| {
                form[8] ^= 0x20;
                form
            },
            "E-FORMAT",
            "non-canonical-frame",
        ),
        (
            &|mut form: Vec<u8>| {
                form.truncate(form.len() - 40);
                let body = u32::try_from(form.len() - 4).unwrap();
                form[..4].copy_from_slice(&body.to_le_bytes());
                form
            },
            "E-INTEGRITY",
            "frame",
        ),
    ] {
        let bad = made(&vendor, &mut |form| spoil(form));
        import(&bad).assert_refused(class, code, "X11");
        assert_eq!(appliance::incoming(&site.path()), Vec::<String>::new());
        let hex = bad.layers[0].0.to_hex();
        assert!(
            !site
                .path()
                .join("blobs/sha256")
                .join(&hex[..2])
                .join(&hex)
                .try_exists()
                .unwrap()
        );
    }
    let good = made(&vendor, &mut |form| form);
    import(&good).assert_imported();
    assert_eq!(appliance::check(&site.path(), &[&good]), 1);
}

#[test]
fn without_encodings_comes_what_a_bad_travel_form_kept_out() {
    for (name, also) in [
        ("enc-unknown-form", ""),
        ("enc-plain-size", ""),
        ("enc-rest", ", and tell them that this one was built wrong"),
    ] {
        let bad = vectors("bad").into_iter().find(|vector| vector.name == name).unwrap();
        let error = judge_vector(bad.bundle(), &bad.pins().unwrap()).unwrap_err();
        let says = format!("ask the vendor for a bundle made with --encodings none{also}");
        assert_eq!(error.advice(), Some(says.as_str()), "{name}");
    }
    let vendor = Vendor::new();
    let site = Appliance::init(&vendor);
    let folder = appliance::scratch();
    let import = |made: &Made| {
        let path = folder.path().join("bundle");
        write(&path, &made.bytes);
        site.import(&path)
    };
    let bad = made(&vendor, &mut |form| [form, vec![0]].concat());
    import(&bad).assert_refused("E-FORMAT", "travel", "X11");
    let plain = vendor.bundle(1, &[layer(), noise(600, 5)], SMALL_CHUNKS);
    assert_eq!(plain.layers, bad.layers);
    import(&plain).assert_imported();
    assert_eq!(appliance::check(&site.path(), &[&plain]), 1);
}
