//! Random files there and back, and random bytes in place of good ones.
//!
//! A few by default; each goes on for as many seconds as `AIRLOCK_FUZZ_SECONDS` says, from the seed in `AIRLOCK_FUZZ_SEED`. A failure names
//! the seed of its try.

#![allow(clippy::disallowed_methods, reason = "what is read was made here")]

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use super::gzip_tests::Way;
use super::tests::restore;
use crate::domain::Class;
use crate::inflate::{self, Inflater, Source};
use crate::producer::tests::{Gathered, member};
use crate::producer::{Operation, Producer, Start, Work};
use crate::recipe::find::{Found, Search, Why};

/// Tries of each target in a run that shall be fast.
const FEW: u64 = 12;
/// None may take longer, wherever nothing is optimised.
const LONGEST: Duration = Duration::from_secs(30);

pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ (self.0 >> 31)) >> 16
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(super) fn producer(&mut self) -> Producer {
        Producer::ALL[self.below(Producer::ALL.len())]
    }

    /// Words, noise, zeros, and what stood there before.
    pub(super) fn plain(&mut self, most: usize) -> Vec<u8> {
        let size = if self.one_in(8) {
            self.below(40)
        } else {
            self.below(most)
        };
        let mut plain = Vec::with_capacity(size + 1024);
        while plain.len() < size {
            match self.below(5) {
                0 => (0..self.below(600)).for_each(|_| plain.push(self.byte())),
                1 => plain.resize(plain.len() + self.below(900), 0),
                2 if plain.len() > 2 => {
                    let from = self.below(plain.len() - 1);
                    let length = (3 + self.below(900)).min(plain.len() - from);
                    plain.extend_from_within(from..from + length);
                }
                _ => (0..self.below(60)).for_each(|_| {
                    plain
                        .extend_from_slice([&b"layer"[..], b"digest ", b"\n", b"of the ", b"\0\0ustar"][self.below(5)]);
                }),
            }
        }
        plain.truncate(size);
        plain
    }

    pub(super) fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 if !bytes.is_empty() => bytes.truncate(at),
                1 => bytes.insert(at, self.byte()),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                _ if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                _ => bytes.push(self.byte()),
            }
        }
    }
}

/// Tries one target again and again; returns how often it said what.
pub(super) fn fuzz(target: &str, mut one: impl FnMut(&mut Random) -> String) -> BTreeMap<String, u64> {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (seconds, first) = (number("AIRLOCK_FUZZ_SECONDS", 0), number("AIRLOCK_FUZZ_SEED", 2026));
    let (begin, mut said) = (Instant::now(), BTreeMap::new());
    let mut seed = first;
    while seed < first + FEW || begin.elapsed() < Duration::from_secs(seconds) {
        let started = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| one(&mut Random(seed)))) {
            Ok(word) => *said.entry(word).or_default() += 1,
            Err(panic) => {
                println!("{target}: seed {seed}");
                resume_unwind(panic);
            }
        }
        assert!(
            started.elapsed() < LONGEST,
            "{target}: seed {seed} took {:?}",
            started.elapsed()
        );
        seed += 1;
    }
    println!("{target}: {} tries, {said:?}", seed - first);
    said
}

/// What a producer makes of a plain that it is fed in any cuts.
fn fed(producer: Producer, plain: &[u8], random: &mut Random) -> Vec<u8> {
    let block = match producer.operation() {
        Operation::Stream => plain.len(),
        Operation::Framed => crate::producer::ANSWER_BLOCK,
    };
    let blocks = match producer.operation() {
        Operation::Stream => 1,
        Operation::Framed => usize::try_from(producer.blocks(plain.len() as u64, block as u64)).unwrap(),
    };
    let (mut encoder, mut work) = (producer.encoder(), Work::of_blob(plain.len() as u64));
    let mut gathered = Gathered::default();
    for number in 0..blocks {
        let from = number * block;
        let mut part = &plain[from..plain.len().min(from + block)];
        encoder.start(&Start {
            before: &plain[from.saturating_sub(crate::producer::DICTIONARY)..from],
            position: from as u64,
            left: part.len() as u64,
            phase: 0,
            last: number + 1 == blocks,
        });
        loop {
            let (now, later) = part.split_at(part.len().min(random.below(9_000)));
            encoder.feed(now, &mut gathered, &mut work).unwrap();
            part = later;
            if part.is_empty() {
                break;
            }
        }
    }
    gathered.bytes
}

fn inflated_elsewhere(stream: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut plain = Vec::new();
    flate2::read::DeflateDecoder::new(stream)
        .read_to_end(&mut plain)
        .map(|_| plain)
}

/// The plain of a deflate stream that begins there, and the bytes of it.
fn inflated_here(stream: &[u8]) -> Option<Vec<u8>> {
    let (mut source, mut inflater, mut plain) = (Source::new(stream), Inflater::new(), Vec::new());
    loop {
        let block = inflater.block(&mut source, &mut |part: &[u8]| {
            plain.extend_from_slice(part);
            Ok::<(), inflate::Fault>(())
        });
        match block {
            Ok(block) if block.last => return Some(plain),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[test]
fn emulators_make_the_same_of_any_cuts_and_it_inflates() {
    fuzz("emulators", |random| {
        let (producer, plain) = (random.producer(), random.plain(60_000));
        let made = Gathered::of(producer, &plain).bytes;
        assert!(fed(producer, &plain, random) == made, "{} by cuts", producer.as_str());
        assert!(inflated_elsewhere(&made).unwrap() == plain, "{}", producer.as_str());
        assert!(inflated_here(&made).unwrap() == plain, "{}", producer.as_str());
        producer.as_str().to_owned()
    });
}

#[test]
fn what_the_inflater_takes_of_spoilt_streams_another_one_takes_alike() {
    let said = fuzz("inflater", |random| {
        let plain = random.plain(20_000);
        let mut stream = Gathered::of(random.producer(), &plain).bytes;
        random.spoil(&mut stream);
        // The other one takes codes that are not complete, which zlib does not.
        let Some(here) = inflated_here(&stream) else {
            return "refused".into();
        };
        assert!(inflated_elsewhere(&stream).unwrap() == here, "another plain");
        "good".into()
    });
    assert!(said.contains_key("refused"), "{said:?}");
}

#[test]
fn spoilt_travel_forms_and_recipes_are_refused_or_the_same() {
    let said = fuzz("travel forms", |random| {
        let producer = random.producer();
        let file: Vec<u8> = (0..=random.below(2))
            .flat_map(|_| member(producer, &random.plain(30_000)))
            .collect();
        let Ok(way) = catch_unwind(|| Way::of(file)) else {
            return "not found".into();
        };
        let travel = if random.one_in(2) {
            let mut recipe = way.recipe.clone();
            random.spoil(&mut recipe);
            way.travel_with(&recipe)
        } else {
            let mut travel = way.travel();
            random.spoil(&mut travel);
            travel
        };
        match restore(way.statement(&travel), &travel, 1 + random.below(5_000)) {
            Ok((restored, _)) => {
                assert!(restored == way.file, "another file");
                "the same".into()
            }
            Err(error) => {
                let class = error.class();
                assert!(
                    matches!(class, Class::Format | Class::Integrity | Class::Limit),
                    "{error}"
                );
                format!("{class} {}", error.code())
            }
        }
    });
    assert!(said.len() > 1, "{said:?}");
}

#[test]
fn random_gzip_files_come_back_or_travel_as_they_are() {
    let said = fuzz("gzip files", |random| {
        let first = random.producer();
        let (mut file, mut several) = (Vec::new(), false);
        for _ in 0..=random.below(3) {
            // A program that joins files of several makers is seldom, but there.
            let producer = if random.one_in(12) { random.producer() } else { first };
            several |= producer != first;
            file.extend_from_slice(&member(producer, &random.plain(40_000)));
        }
        if random.one_in(5) {
            file.resize(file.len() + random.below(1_000), 0);
        }
        let mut open = || Ok(Cursor::new(file.as_slice()));
        let back = |found: Found| {
            let way = Way::by(file.clone(), found);
            let travel = way.travel();
            restore(way.statement(&travel), &travel, 1 + file.len() / 3)
        };
        let found = Search::of(&mut open).and_then(|search| Ok((search.likely(&mut open)?, search)));
        let (likely, search) = match found {
            Ok(found) => found,
            Err(Why::Io(error)) => panic!("{error}"),
            Err(_) => return "as it is".into(),
        };
        match back(likely) {
            Ok((restored, _)) => {
                assert!(restored == file, "another file");
                return "rebuilt".into();
            }
            // A border that does not do, or what another producer made.
            Err(error) => assert!(
                error.class() == Class::Integrity && ["rebuild", "content-digest"].contains(&error.code()),
                "{error}"
            ),
        }
        match search.thorough(&mut open) {
            Ok(found) => {
                assert!(back(found).unwrap().0 == file, "another file");
                "rebuilt by a closer look".into()
            }
            Err(why) => {
                // Several producers make the same of a little; such files are no candidates.
                assert!(
                    several || file.len() < 10_000,
                    "{} bytes of {} alone: {why:?}",
                    file.len(),
                    first.as_str()
                );
                "of several makers".into()
            }
        }
    });
    assert!(said.contains_key("rebuilt"), "{said:?}");
}
