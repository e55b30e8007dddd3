//! S01, S04 and S05 at the vendor's door: what is no package of the site that it names, what is no package at all, and what was made to
//! harm. Each is refused with its class and leaves one row of the vendor's log, or it is stored as what it is: words.

use airlock::domain::{Class, Timestamp};
use airlock::package::{Line, Quoted, Switch};

use super::ingest::refused::refused;
use super::plant::{Exported, Kept, Plant};
use super::workshop::Workshop;
use crate::package::{bits, made};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};

/// A package with something in it, and the workshop of its vendor.
fn package() -> (Workshop, Exported) {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(5);
    (shop, plant.export())
}

fn changed(package: &Exported, change: impl FnOnce(&mut Vec<u8>)) -> Exported {
    let mut changed = package.clone();
    change(&mut changed.bytes);
    changed
}

#[test]
fn s01_what_was_flipped_leaves_one_row_at_the_vendor() {
    let (shop, package) = package();
    let mut start = 0;
    let mut tried = 0;
    for (size, class) in bits::regions(&package.bytes) {
        for place in [start, start + size / 3, start + size / 2, start + size - 1] {
            if size == 0 || (place != start && package.bytes[start..start + size].iter().all(|byte| *byte == 0)) {
                continue;
            }
            let flipped = changed(&package, |bytes| bytes[place] ^= 4);
            let ((found, code, step), _) = shop.refuse(&flipped);
            // Whose package it is, is read before the signature says that it is so: what names nobody is a matter of trust or form.
            let hinted = class == Class::Signature && matches!(found, "E-TRUST" | "E-FORMAT") && step.as_str() < "V3";
            let header = size == 512 && found == "E-LIMIT";
            assert!(
                found == class.name() || hinted || header,
                "byte {place}, expected {class}: {found} {code} at {step}"
            );
            tried += 1;
        }
        start += size;
    }
    assert!(tried > 40, "{tried}");
    shop.take(&package);
}

#[test]
fn s01_what_was_cut_or_made_longer_leaves_one_row_at_the_vendor() {
    let (shop, package) = package();
    let regions = bits::regions(&package.bytes);
    let prologue: usize = regions.iter().take(15).map(|(size, _)| size).sum();
    let mut length = 0;
    for (size, _) in &regions[..regions.len() - 1] {
        let cut = changed(&package, |bytes| bytes.truncate(length));
        if length < prologue {
            refused(&shop, &cut, "E-FORMAT", "truncated", "V1");
        } else {
            let ((class, code, _), _) = shop.refuse(&cut);
            assert_eq!((class, code), ("E-INCOMPLETE", "truncated"), "{length} bytes");
        }
        length += size;
    }
    for tail in [&b"\0"[..], &[0; 512], &package.bytes.clone()] {
        let longer = changed(&package, |bytes| bytes.extend_from_slice(tail));
        refused(&shop, &longer, "E-FORMAT", "trailing-data", "V7");
    }
    shop.take(&package);
}

/// Both are sites of this vendor: neither speaks for the other, whichever of them signs, and a copy under another name is nobody's.
#[test]
fn s01_no_site_signs_for_another() {
    let shop = Workshop::new();
    let (mut one, mut two) = (shop.plant(1), shop.plant(2));
    one.report(2);
    two.report(3);
    let (first, second) = (one.clone().export(), two.clone().export());
    let as_the_other = |plant: &Plant, other: &Plant| {
        let mut liar = plant.clone();
        liar.site = other.site.clone();
        liar.export()
    };
    refused(&shop, &as_the_other(&one, &two), "E-SIGNATURE", "below-threshold", "V3");
    refused(&shop, &as_the_other(&two, &one), "E-SIGNATURE", "below-threshold", "V3");
    let name = |plant: &Plant| plant.site.to_string().into_bytes();
    let renamed = changed(&first, |bytes| {
        let at = bytes.windows(32).position(|window| window == name(&one)).unwrap();
        bytes[at..at + 32].copy_from_slice(&name(&two));
    });
    let ((class, ..), detail) = shop.refuse(&renamed);
    assert!(matches!(class, "E-SIGNATURE" | "E-FORMAT"), "{detail}");
    shop.take(&first);
    shop.take(&second);
}

/// What an agent wrote has every byte of a bundle's head, and leads nobody to read a package as a bundle.
#[test]
fn s04_a_package_is_no_bundle_whatever_its_texts_say_and_a_bundle_is_no_package() {
    let bundle = Vendor::new().bundle(1, &[vec![1; 64]], SMALL_CHUNKS);
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let as_package = Exported {
        bytes: bundle.bytes.clone(),
        ..plant.clone().export()
    };
    let detail = refused(&shop, &as_package, "E-FORMAT", "wrong-type", "V1");
    assert_eq!((detail.get("site"), detail.get("head")), (None, None));

    plant.shows = vec![Switch::AgentLogs];
    let text = String::from_utf8_lossy(&bundle.bytes[..bundle.bytes.len().min(20_000)]).into_owned();
    plant.keep(Kept::Line(made::agent_log(1, &text)));
    let package = plant.export();
    let told = airlock::bundle::OpenedBundle::open(made::input(&package.bytes)).unwrap_err();
    assert_eq!((told.class(), told.code()), (Class::Format, "wrong-type"));
    shop.take(&package);
    // Its words are words: as they were written, on one line.
    let quoted = Quoted::text(&text);
    assert!(text.contains('\0') && !quoted.as_str().contains(|c: char| c.is_control()));
}

/// What a site says at the ends of what can be said is stored, told, and harms nobody: neither who asks nor the site beside it.
#[test]
fn s05_the_ends_of_time_and_names_that_look_like_paths_are_words() {
    let shop = Workshop::new();
    let mut good = shop.plant(1);
    good.report(1);
    shop.take(&good.export());
    let of_the_good = |shop: &Workshop| {
        let mut rows = shop.dump();
        for table in rows.values_mut() {
            table.retain(|row| row.contains(good.site.as_str()));
        }
        rows
    };
    let before = of_the_good(&shop);
    let mut hostile = shop.plant(2);
    hostile.now = "9999-12-31T23:59:59Z".parse::<Timestamp>().unwrap();
    hostile.shows = vec![Switch::LocalNames, Switch::AgentLogs];
    let mut target = made::target(7);
    target.follows = Some(made::uuid(1));
    target.name = Some(Quoted::text("../../../../etc/passwd\0\u{1b}[2J"));
    hostile.targets.push(Line::Target(Box::new(target)));
    hostile.keep(Kept::Line(made::agent_log(
        1,
        "=HYPERLINK(\"http://127.0.0.1\")<script>alert(1)</script>",
    )));
    let (found, _) = shop.found(&hostile.export());
    assert!(found.contains(&"clock-ahead"), "{found:?}");
    assert_eq!(of_the_good(&shop), before);
    // Names of files are made of the site's id, numbers and digests alone.
    for name in shop.files_of("packages") {
        let (site, package) = name.split_once('/').unwrap();
        let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        assert!(site.len() == 32 && hex(site) && hex(package), "{name}");
    }
    let site = hostile.site.to_string();
    for words in [
        &["status", "show"][..],
        &["status", "show", &site, "--last", "all", "--logs"],
        &["vendor", "ledger", "sites"],
        &["vendor", "ledger", "findings", "--all"],
        &[
            "vendor",
            "ledger",
            "report",
            &site,
            "--since",
            "2026-01-01T00:00:00Z",
            "--html",
        ],
    ] {
        for format in ["human", "json"] {
            let mut command = std::process::Command::new(crate::support::appliance::AIRLOCK);
            command
                .args(["--format", format])
                .args(words)
                .arg("-w")
                .arg(shop.folder.path().join("w"));
            let output = command.output().unwrap();
            assert_eq!(
                output.status.code(),
                Some(0),
                "{words:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(!text.contains(|c: char| c != '\n' && c.is_control()), "{text}");
            assert!(!words.contains(&"--html") || !text.contains("<script>"), "{text}");
        }
    }
}
