//! Status packages that are forged under the site's own key: judged by the product and by `verify.py`, with one verdict; and, as the fuzz
//! target `status_package`, by the product alone for as long as `AIRLOCK_FUZZ_SECONDS` says, which must neither panic nor hang.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use airlock::crypto::{Enrolment, PayloadType, RecipientKey, Signature, SigningKey};
use airlock::domain::Step;
use airlock::package::{EnrolledSites, OpenedPackage, RecordCounts, Room, Switch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::draft::{parsed, written};
use super::mutation::{Random, near, spoil, spoil_frame};
use super::package_draft::{Changes, PackageDraft};
use super::verifier::Verifier;
use crate::package::made;
use crate::support::left_out::left_out;
use crate::support::slow::share;

const SEED: u64 = 2026;
/// What of a package is changed, in turn.
const KINDS: [&str; 11] = [
    "line",
    "lines",
    "head",
    "nudged line",
    "nudged head",
    "receipt",
    "index page",
    "hints",
    "approvals",
    "container",
    "chunk",
];

/// Packages to change.
struct Forge {
    key: SigningKey,
    least: PackageDraft,
    full: PackageDraft,
}

impl Forge {
    fn new() -> Self {
        let (lines, lasts, counts) = made::least();
        let least = made::write(made::statement(&[]), Room::default(), &lines, lasts, counts).unwrap();
        let lines = made::every_kind();
        let records = lines
            .iter()
            .filter(|line| line.part() == airlock::package::PartType::Records);
        let records = records.filter_map(airlock::package::Line::number).max().unwrap();
        let lasts = airlock::package::Numbers {
            audit: 3,
            receipts: 3,
            records,
        };
        let full = made::write(
            made::statement(&Switch::ALL),
            Room::default(),
            &lines,
            lasts,
            RecordCounts::default(),
        );
        Self {
            key: made::key(),
            least: PackageDraft::of(&made::sign(&least.bytes)),
            full: PackageDraft::of(&made::sign(&full.unwrap().bytes)),
        }
    }

    /// A package in whose last row of the log a number stands that no seal covers: what is judged before that is the line.
    fn with_number(&self, number: &str) -> Vec<u8> {
        let mut draft = self.least.clone();
        let line = draft.part("audit").last_mut().unwrap();
        let begun = b"\"detail\":{";
        let at = line.windows(begun.len()).position(|bytes| bytes == begun).unwrap() + begun.len();
        let comma = if line[at] == b'}' { "" } else { "," };
        drop(line.splice(at..at, format!("\"a\":{number}{comma}").into_bytes()));
        draft.build(&self.key, Changes::default())
    }

    fn make(&self, kind: &str, random: &mut Random) -> Vec<u8> {
        let mut draft = if random.one_in(2) {
            self.least.clone()
        } else {
            self.full.clone()
        };
        let none = Changes::default;
        match kind {
            "line" => {
                let part = random.below(draft.parts.len());
                let lines = &mut draft.parts[part].1;
                let at = random.below(lines.len());
                lines[at] = near(&parsed(&lines[at]), random);
                draft.build(&self.key, none())
            }
            "nudged line" => {
                let part = random.below(draft.parts.len());
                let lines = &mut draft.parts[part].1;
                let at = random.below(lines.len());
                let mut line = parsed(&lines[at]);
                nudge(&mut line, random);
                lines[at] = written(&line);
                draft.build(&self.key, none())
            }
            "nudged head" => {
                let members = [
                    "acknowledged",
                    "audit",
                    "lineage",
                    "made_at",
                    "number",
                    "receipts",
                    "records",
                    "shows",
                ];
                let member = members[random.below(members.len())];
                nudge(&mut draft.head[member], random);
                draft.build(&self.key, none())
            }
            "lines" => {
                for _ in 0..=random.below(2) {
                    rearrange(&mut draft, random);
                }
                if random.one_in(2) {
                    draft.count();
                }
                draft.build(&self.key, none())
            }
            "head" => {
                let mut change = |head: Vec<u8>| near(&parsed(&head), random);
                let changes = Changes {
                    head: Some(&mut change),
                    ..none()
                };
                draft.build(&self.key, changes)
            }
            "receipt" => {
                let lines = draft.part("receipts");
                let at = random.below(lines.len());
                let mut envelope = parsed(&lines[at]);
                let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
                let payload = near(&parsed(&payload), random);
                let signature = Signature::make(&self.key, PayloadType::ImportReceipt, &payload);
                envelope["payload"] = STANDARD.encode(&payload).into();
                envelope["signatures"] = serde_json::json!([signature]);
                lines[at] = written(&envelope);
                draft.build(&self.key, none())
            }
            "index page" => {
                let mut change = |lines: &mut Vec<Vec<u8>>| {
                    let (at, other) = (random.below(lines.len()), random.below(lines.len()));
                    match random.below(5) {
                        0 => drop(lines.remove(at)),
                        1 => lines.insert(other, lines[at].clone()),
                        2 => lines.swap(at, other),
                        _ => lines[at] = near(&parsed(&lines[at]), random),
                    }
                };
                let changes = Changes {
                    index: Some(&mut change),
                    ..none()
                };
                draft.build(&self.key, changes)
            }
            "hints" => {
                draft.hints = near(&parsed(&draft.hints), random);
                draft.build(&self.key, none())
            }
            "approvals" => {
                draft.approvals = near(&parsed(&draft.approvals), random);
                draft.build(&self.key, none())
            }
            "container" => {
                let mut package = draft.build(&self.key, none());
                for _ in 0..=random.below(2) {
                    spoil(&mut package, random);
                }
                package
            }
            _ => {
                let mut change = |plain: &[u8]| {
                    if random.one_in(4) {
                        return ("none", plain.to_vec());
                    }
                    let mut frame = zstd::bulk::compress(plain, 3).unwrap();
                    spoil_frame(&mut frame, random);
                    ("zstd", frame)
                };
                let changes = Changes {
                    chunk: Some(&mut change),
                    ..none()
                };
                draft.build(&self.key, changes)
            }
        }
    }
}

/// Makes a value into another one of the same form: numbers by one, texts by a digit or letter, members with another value beside them.
fn nudge(value: &mut Value, random: &mut Random) {
    match value {
        Value::Number(number) => {
            let number = number.as_u64().unwrap_or(0);
            let other = [number + 1, number.saturating_sub(1), number * 2, 0, 1];
            *value = other[random.below(other.len())].into();
        }
        Value::String(text) => {
            let places: Vec<usize> = (0..text.len())
                .filter(|at| text.as_bytes()[*at].is_ascii_alphanumeric())
                .collect();
            let Some(at) = places.get(random.below(places.len().max(1))) else {
                return;
            };
            let digits = ["0", "1", "2", "9", "a", "f"];
            text.replace_range(at..&(at + 1), digits[random.below(digits.len())]);
        }
        Value::Array(items) if !items.is_empty() => {
            let (at, other) = (random.below(items.len()), random.below(items.len()));
            match random.below(4) {
                0 => items.swap(at, other),
                1 => drop(items.remove(at)),
                _ => nudge(&mut items[at], random),
            }
        }
        Value::Object(members) if !members.is_empty() => {
            let names: Vec<String> = members.keys().cloned().collect();
            let (name, other) = (&names[random.below(names.len())], &names[random.below(names.len())]);
            match random.below(6) {
                0 => members[name] = members[other].clone(),
                1 => drop(members.remove(name)),
                _ => nudge(&mut members[name], random),
            }
        }
        _ => {}
    }
}

/// Takes a line away, doubles one, or changes the order of lines or parts.
fn rearrange(draft: &mut PackageDraft, random: &mut Random) {
    let (part, other) = (random.below(draft.parts.len()), random.below(draft.parts.len()));
    let lines = &mut draft.parts[part].1;
    let (at, to) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(6) {
        0 if lines.len() > 1 => drop(lines.remove(at)),
        1 => lines.insert(to, lines[at].clone()),
        2 => lines.swap(at, to),
        3 => {
            let line = lines[at].clone();
            draft.parts[other].1.push(line);
        }
        4 => draft.parts.swap(part, other),
        _ => {
            let copy = draft.parts[part].clone();
            draft.parts.insert(other, copy);
        }
    }
}

/// Who enrolled the site.
fn sites() -> (Vec<u8>, EnrolledSites) {
    let recipient = RecipientKey::of_secret(&[9; 32]);
    let file = Enrolment::sign(
        made::site(),
        made::DOMAIN,
        recipient,
        made::time("08:00:00"),
        &made::key(),
    );
    let mut sites = EnrolledSites::default();
    sites.add(Enrolment::parse(&file).unwrap()).unwrap();
    (file, sites)
}

/// What the product says.
fn product(package: &[u8], sites: &EnrolledSites) -> String {
    let judge = || {
        let opened = OpenedPackage::open(made::input(package))?;
        let keys = sites.keys_of(&opened.hints()?).map_err(|error| error.at(Step::V2))?;
        opened.verify(keys)?.read_index()?.read_lines(&mut |_, _| Ok(()))
    };
    match judge() {
        Ok(_) => "good".into(),
        Err(error) => {
            let step = error.step().map(|step| step.to_string()).unwrap_or_default();
            format!("{} {} at {step}", error.class(), error.code())
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "kept for who looks into a difference")]
fn keep(number: usize, package: &[u8]) -> String {
    let path = format!("{}/differential-{number}.airlock-status", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, package).unwrap();
    path
}

/// Numbers in the free detail of a row of the log, and what both readers say of them.
const NUMBERS: [(&str, &str); 9] = [
    ("0", "E-CONTENT audit-chain at V10"),
    ("9007199254740991", "E-CONTENT audit-chain at V10"),
    ("9007199254740992", "E-FORMAT line at V8"),
    ("18446744073709551615", "E-FORMAT line at V8"),
    ("18446744073709551616", "E-FORMAT grammar at V8"),
    ("-9223372036854775808", "E-FORMAT line at V8"),
    ("-0", "E-FORMAT grammar at V8"),
    ("1.5", "E-FORMAT grammar at V8"),
    ("1e2", "E-FORMAT grammar at V8"),
];

#[test]
fn forged_packages_have_one_verdict() {
    let (file, sites) = sites();
    let Some(mut other) = Verifier::of_packages(&file) else {
        left_out("python3 or zstd is not here");
        return;
    };
    let seed = std::env::var("AIRLOCK_DIFFERENTIAL_SEED").map_or(SEED, |text| text.parse().unwrap());
    let (count, more) = share().map_or((88, 0), |share| share.random(3000));
    let seed = seed + more;
    println!("seed {seed}, {count} packages");
    let forge = Forge::new();
    for draft in [&forge.least, &forge.full] {
        let package = draft.build(&forge.key, Changes::default());
        assert_eq!(product(&package, &sites), "good", "what is not changed is good");
        assert_eq!(other.judge(&package), "good");
    }
    for (number, expected) in NUMBERS {
        let package = forge.with_number(number);
        let both = (product(&package, &sites), other.judge(&package));
        assert_eq!(both, (expected.to_owned(), expected.to_owned()), "{number}");
    }
    let mut random = Random::new(seed);
    let mut seen: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut differ: BTreeMap<(&str, String, String), (String, usize)> = BTreeMap::new();
    for number in 0..count {
        let kind = KINDS[number % KINDS.len()];
        let package = forge.make(kind, &mut random);
        let (ours, theirs) = (product(&package, &sites), other.judge(&package));
        if ours != theirs {
            let place = differ.entry((kind, ours.clone(), theirs)).or_default();
            if place.1 == 0 {
                place.0 = keep(number, &package);
            }
            place.1 += 1;
        }
        *seen.entry((kind, ours)).or_default() += 1;
    }
    for ((kind, verdict), count) in &seen {
        println!("{kind}: {count} {verdict}");
    }
    for kind in KINDS {
        let refused = |(of, verdict): &(&str, String)| *of == kind && verdict != "good";
        assert!(seen.keys().any(refused), "{kind}: nothing was refused");
    }
    let accepted = |kind: &'static str| seen.contains_key(&(kind, "good".into()));
    assert!(
        accepted("line") || accepted("nudged line"),
        "no changed line was accepted"
    );
    assert!(
        differ.is_empty(),
        "seed {seed}: kind, product, verifier: first file, how often\n{differ:#?}"
    );
}

/// The fuzz target `status_package`. It sees no coverage; what it changes is signed again, so that it gets behind every check.
#[test]
fn status_package_neither_panics_nor_hangs() {
    let seconds = std::env::var("AIRLOCK_FUZZ_SECONDS").map_or(0, |text| text.parse().unwrap());
    let seed = std::env::var("AIRLOCK_DIFFERENTIAL_SEED").map_or(SEED + 1, |text| text.parse().unwrap());
    let (_, sites) = sites();
    let forge = Forge::new();
    let mut random = Random::new(seed);
    let (begin, mut done) = (Instant::now(), 0_u64);
    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    while done < 40 || begin.elapsed() < Duration::from_secs(seconds) {
        let kind = KINDS[random.below(KINDS.len())];
        let mut package = forge.make(kind, &mut random);
        // Often a second change, behind what the first one broke or not.
        if random.one_in(4) {
            spoil(&mut package, &mut random);
        }
        let judged = Instant::now();
        let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| product(&package, &sites)));
        let number = usize::try_from(done).unwrap();
        let Ok(verdict) = verdict else {
            panic!("seed {seed}: {} panics", keep(number, &package))
        };
        assert!(
            !verdict.starts_with("E-INTERNAL") && judged.elapsed() < Duration::from_secs(20),
            "seed {seed}: {}: {verdict} after {:?}",
            keep(number, &package),
            judged.elapsed()
        );
        *verdicts.entry(verdict).or_default() += 1;
        done += 1;
    }
    println!(
        "seed {seed}: {done} packages in {:?}, {} verdicts",
        begin.elapsed(),
        verdicts.len()
    );
    for (verdict, count) in &verdicts {
        println!("{count:8} {verdict}");
    }
}
