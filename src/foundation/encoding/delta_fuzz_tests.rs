//! Random layers over random others there and back, and random bytes in place of good ones: as in `fuzz_tests`.

#![allow(clippy::disallowed_methods, reason = "what is read was made here")]

use std::io::{Cursor, Write as _};
use std::sync::Arc;

use super::fuzz_tests::{Random, fuzz};
use super::gzip_tests::Way;
use super::tests::{restore, restore_copying};
use super::*;
use crate::container::digest_of;
use crate::delta::find::{BasePlain, Known, Matcher};
use crate::domain::{Class, Result};
use crate::producer::tests::member;
use crate::stream::unnamed_file;

/// A member of a tar, its head as Go and GNU tar write it.
fn tar_member(name: &str, body: &[u8], time: u64) -> Vec<u8> {
    let mut head = ::tar::Header::new_ustar();
    head.set_path(name).unwrap();
    head.set_size(body.len() as u64);
    head.set_mode(0o644);
    head.set_mtime(time);
    let bytes = head.as_mut_bytes();
    bytes[148..156].fill(b' ');
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = [head.as_bytes().as_slice(), body].concat();
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

type Files = Vec<(String, Vec<u8>)>;

fn files(random: &mut Random) -> Files {
    (0..=random.below(6))
        .map(|number| (format!("usr/lib/{number}"), random.plain(40_000)))
        .collect()
}

/// The same files, later.
fn edited(mut files: Files, random: &mut Random) -> Files {
    for _ in 0..random.below(8) {
        let number = random.below(files.len());
        let (from, size) = (random.plain(2_000), random.below(3_000));
        let (name, body) = &mut files[number];
        let at = random.below(body.len() + 1);
        let end = body.len().min(at + size);
        match random.below(7) {
            0 => drop(body.splice(at..at, from)),
            1 => drop(body.drain(at..end)),
            2 => drop(body.splice(at..end, from)),
            3 => body
                .iter_mut()
                .skip(at)
                .step_by(1 + size)
                .for_each(|byte| *byte ^= 0x21),
            4 => body.rotate_left(at),
            5 => name.push_str("-1"),
            _ => {
                let other = random.below(files.len());
                files.swap(number, other);
            }
        }
    }
    files
}

/// A tar of them, or all of them one after the other.
fn layer(files: &Files, time: u64, is_tar: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, body) in files {
        if is_tar {
            out.extend_from_slice(&tar_member(name, body, time));
        } else {
            out.extend_from_slice(body);
        }
    }
    out.resize(out.len() + if is_tar { 1_024 } else { 1 }, 0);
    out
}

/// Plains, and what each is a blob of.
struct Older(Vec<Vec<u8>>);

impl Older {
    fn plains(&self) -> Vec<&dyn BasePlain> {
        self.0.iter().map(|plain| plain as &dyn BasePlain).collect()
    }

    fn copying(&self) -> Copying {
        let base = |plain: &Vec<u8>| Base {
            digest: digest_of(plain),
            size: plain.len() as u64,
            inflated: None,
            carried: false,
        };
        let opened = |plain: &Vec<u8>| {
            let mut file = unnamed_file(&std::env::temp_dir()).unwrap();
            file.write_all(plain).unwrap();
            (Arc::new(file), 0)
        };
        Copying {
            bases: self.0.iter().map(base).collect(),
            plains: Some(BasePlains::of(self.0.iter().map(opened))),
        }
    }

    /// The travel form of a plain over them. What it is worth is not the question here.
    fn travel(&self, made: Made<'_>, plain: &[u8]) -> Vec<u8> {
        let plains = self.plains();
        let known = Known::of(&plains).unwrap();
        let bases = Bases {
            plains: &plains,
            known: &known,
        };
        let mut out = Vec::new();
        let mut source = Cursor::new(plain.to_vec());
        let form = write_delta_travel(made, bases, &mut source, Level::Quick, &mut out, &mut |_| ()).unwrap();
        form.map_or_else(Vec::new, |_| out)
    }

    fn restored(&self, statement: Statement, travel: &[u8], part: usize) -> Result<Vec<u8>> {
        restore_copying(statement, Some(self.copying()), travel, part).map(|(restored, _)| restored)
    }
}

fn older(random: &mut Random, files: &Files, is_tar: bool) -> Older {
    let mut plains = vec![layer(files, 1_700_000_000, is_tar)];
    for _ in 0..random.below(3) {
        let other = self::files(random);
        plains.insert(random.below(plains.len() + 1), layer(&other, 1_600_000_000, is_tar));
    }
    Older(plains)
}

fn statement(blob: &[u8], travel: &[u8], encoding: Encoding) -> Statement {
    Statement {
        digest: digest_of(blob),
        size: blob.len() as u64,
        travel_size: travel.len() as u64,
        encoding,
        chunk_bytes: 65_536,
    }
}

#[test]
fn random_layers_come_back_over_random_others() {
    let said = fuzz("deltas", |random| {
        let (before, is_tar) = (files(random), !random.one_in(3));
        let older = older(random, &before, is_tar);
        let new = layer(&edited(before, random), 1_700_003_600, is_tar);
        let (blob, encoding, travel) = if random.one_in(3) {
            let file = member(random.producer(), &new);
            let Ok(way) = std::panic::catch_unwind(|| Way::of(file)) else {
                return "no recipe".into();
            };
            // What is likely right is not always: that is found by making the file alone.
            let alone = way.travel();
            if restore(way.statement(&alone), &alone, alone.len()).is_err() {
                return "no recipe".into();
            }
            let Encoding::Gzip(gzip) = way.statement(&[]).encoding else {
                panic!("a gzip file without a producer");
            };
            let travel = older.travel(Made::Gzip(u64::MAX / 10, gzip, &way.recipe), &new);
            (way.file, Encoding::Gzip(gzip), travel)
        } else {
            let travel = older.travel(Made::Plain(digest_of(&new), new.len() as u64), &new);
            (new, Encoding::Plain, travel)
        };
        if travel.is_empty() {
            return "no gain".into();
        }
        let part = 1 + random.below(travel.len());
        let restored = older
            .restored(statement(&blob, &travel, encoding), &travel, part)
            .unwrap();
        assert!(restored == blob, "another layer");
        encoding.word().into()
    });
    assert!(said.contains_key("chained"), "{said:?}");
}

/// A record that is the bytes themselves.
fn record(bytes: &[u8]) -> Vec<u8> {
    let head = u32::try_from(bytes.len()).unwrap() | 1 << 31;
    [&head.to_le_bytes()[..], bytes].concat()
}

#[test]
fn spoilt_scripts_and_forms_over_bases_are_refused_or_the_same() {
    let said = fuzz("spoilt deltas", |random| {
        let (before, is_tar) = (files(random), !random.one_in(3));
        let older = older(random, &before, is_tar);
        let new = layer(&edited(before, random), 1_700_003_600, is_tar);
        let plains = older.plains();
        let known = Known::of(&plains).unwrap();
        let mut matcher = Matcher::new(&plains, &known, new.len() as u64);
        let mut literals = Vec::new();
        matcher.feed(&new, &mut literals).unwrap();
        let ranges = vec![Vec::new(); usize::from(!literals.is_empty())];
        let mut script = matcher.group().script(&ranges);
        let is_script = random.one_in(2);
        if is_script {
            random.spoil(&mut script);
        }
        if script.is_empty() {
            return "no script".into();
        }
        let mut travel = record(&script);
        if !literals.is_empty() {
            travel.extend_from_slice(&record(&literals));
        }
        if !is_script {
            random.spoil(&mut travel);
        }
        match older.restored(
            statement(&new, &travel, Encoding::Plain),
            &travel,
            1 + random.below(5_000),
        ) {
            Ok(restored) => {
                assert!(restored == new, "another layer");
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
