//! Random histories of a site and of what becomes of its packages, against a small model: every record that a package in the ledger told is
//! there exactly once, under the instance its number belongs to, and nothing else is.

use std::collections::BTreeMap;

use airlock::domain::InstanceId;
use airlock::vendor_side::ledger::Outcome;

use super::super::plant::{Exported, Kept, Plant};
use super::super::workshop::Workshop;

/// A generator of numbers that is the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a package tells: the instance that each of its records belongs to.
fn told(plant: &Plant, first: u64) -> Vec<(InstanceId, u64)> {
    let owner = |number: u64| {
        let entry = plant
            .lineage
            .iter()
            .rev()
            .find(|entry| entry.records <= number)
            .unwrap();
        entry.instance.clone()
    };
    plant
        .records
        .range(first..)
        .filter(|(_, kept)| matches!(kept, Kept::Line(airlock::package::Line::Status(_))))
        .map(|(number, _)| (owner(*number), *number))
        .collect()
}

struct Sent {
    package: Exported,
    records: Vec<(InstanceId, u64)>,
}

#[test]
fn whatever_becomes_of_packages_every_record_is_there_once() {
    let rounds = if std::env::var_os("AIRLOCK_SLOW").is_some() {
        60
    } else {
        6
    };
    let (mut taken, mut lives) = (0, 0);
    for seed in 0..rounds {
        let mut dice = Dice(seed);
        let shop = Workshop::new();
        let mut plant = shop.plant(1);
        let mut backup = plant.clone();
        let mut sent: Vec<Sent> = Vec::new();
        let mut expected: BTreeMap<(InstanceId, u64), ()> = BTreeMap::new();
        let mut issued = 0;
        let mut name = 1000;
        for _ in 0..40 {
            match dice.roll(13) {
                0..=2 => plant.report(1 + dice.roll(3)),
                3 => plant.lose(1 + dice.roll(2)),
                4 | 5 => {
                    let first = plant.firsts().records;
                    let records = told(&plant, first);
                    let package = plant.export();
                    sent.push(Sent { package, records });
                }
                6 => backup = plant.clone(),
                7 => {
                    // The folder is restored from a copy, and somebody says so.
                    plant = backup.clone();
                    name += 1;
                    plant.recover(name, "restored");
                    lives += 1;
                }
                _ => {
                    // One of what is under way arrives, perhaps once more, perhaps late.
                    if sent.is_empty() {
                        continue;
                    }
                    let n = usize::try_from(dice.roll(sent.len() as u64)).unwrap();
                    let Sent { package, records } = &sent[n];
                    match shop.verdict(package, false) {
                        Outcome::Taken(_) => taken += 1,
                        Outcome::Already(_) => {}
                        other @ Outcome::Refused(_) => panic!("seed {seed}: {other:?}"),
                    }
                    expected.extend(records.iter().cloned().map(|key| (key, ())));
                    // What the ledger has without a hole along the shown line is acknowledged now and then.
                    let newer = plant
                        .acknowledged
                        .is_none_or(|known| known.audit < package.lasts.audit || known.records < package.lasts.records);
                    if package.instance == plant.instance && newer && dice.roll(2) == 0 {
                        issued += 1;
                        plant.acknowledge(issued, package.lasts);
                        shop.change(&format!(
                            "INSERT INTO acknowledgement VALUES ('{}', {issued}, x'', 0, 0, 0, 0)",
                            plant.site
                        ));
                    }
                }
            }
        }
        let ledger = shop.workspace.ledger().unwrap();
        let all = ledger.read(|c| airlock::db::ledger::instances(c, &plant.site)).unwrap();
        let names: BTreeMap<u64, InstanceId> = all.into_iter().map(|row| (row.id, row.instance)).collect();
        let mut found = BTreeMap::new();
        for row in &shop.dump()["record"] {
            let numbers: Vec<u64> = row
                .split(['(', ')'])
                .filter_map(|word| word.parse().ok())
                .take(2)
                .collect();
            assert!(found.insert((names[&numbers[0]].clone(), numbers[1]), ()).is_none());
        }
        assert_eq!(found, expected, "seed {seed}");
    }
    println!("{taken} packages taken in, {lives} lives");
    assert!(
        taken >= 4 * rounds && lives >= rounds,
        "{taken} packages, {lives} lives"
    );
}
