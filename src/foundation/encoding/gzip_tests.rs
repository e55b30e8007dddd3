//! Gzip files there and back: by the recipe that was found for them, and what is refused.

use std::collections::BTreeSet;
use std::io::Cursor;

use super::tests::restore;
use super::*;
use crate::container::digest_of;
use crate::domain::{Class, limits};
use crate::producer::tests::{Gathered, member, tried};
use crate::producer::{Producer, Sample};
use crate::recipe::Writer;
use crate::recipe::find::{Found, Search, inflated};

/// A gzip file on its way: what a line says of it, its plain, and its recipe.
pub(super) struct Way {
    pub(super) file: Vec<u8>,
    plain: Vec<u8>,
    gzip: Gzip,
    pub(super) recipe: Vec<u8>,
}

impl Way {
    pub(super) fn of(file: Vec<u8>) -> Self {
        let mut open = || Ok(Cursor::new(file.as_slice()));
        let search = Search::of(&mut open).unwrap();
        let found = search.likely(&mut open).unwrap();
        Self::by(file, found)
    }

    pub(super) fn by(file: Vec<u8>, found: Found) -> Self {
        let mut plain = Vec::new();
        inflated(file.as_slice(), found.plain, &mut |part: &[u8]| {
            plain.extend_from_slice(part);
            Ok::<(), crate::inflate::Fault>(())
        })
        .unwrap();
        assert_eq!(digest_of(&plain), found.plain_digest);
        Self {
            file,
            plain,
            gzip: Gzip {
                producer: found.producer,
                plain_size: found.plain,
                plain_digest: found.plain_digest,
            },
            recipe: found.recipe,
        }
    }

    /// The travel form with another recipe.
    pub(super) fn travel_with(&self, recipe: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut plain = Cursor::new(self.plain.clone());
        // What a travel form is worth is not the question here.
        let size = u64::MAX / 10;
        let encoding = (self.gzip, recipe);
        let form = write_gzip_travel(size, encoding, &mut plain, Level::Quick, &mut out, &mut |_| ()).unwrap();
        assert_eq!(form.unwrap().digest, digest_of(&out));
        out
    }

    pub(super) fn travel(&self) -> Vec<u8> {
        self.travel_with(&self.recipe)
    }

    pub(super) fn statement(&self, travel: &[u8]) -> Statement {
        Statement {
            digest: digest_of(&self.file),
            size: self.file.len() as u64,
            travel_size: travel.len() as u64,
            encoding: Encoding::Gzip(self.gzip),
            chunk_bytes: 65_536,
        }
    }

    fn refused(&self, travel: &[u8]) -> (Class, &'static str) {
        let error = restore(self.statement(travel), travel, 1 << 20).unwrap_err();
        (error.class(), error.code())
    }

    fn refused_with(&self, recipe: &[u8]) -> (Class, &'static str) {
        self.refused(&self.travel_with(recipe))
    }
}

/// A short file with a piece that is not all of it, and what is none of its plain.
fn short() -> Way {
    let plain = &Sample::Tar.plain()[..9_000];
    let file = [
        member(Producer::Go1Level6, plain),
        member(Producer::Go1Level6, b""),
        member(Producer::Go1Level6, &plain[..2_000]),
        vec![0; 40],
    ];
    Way::of(file.concat())
}

#[test]
fn gzip_files_of_every_core_come_back_in_any_cuts() {
    let plain = [&Sample::Text.plain()[..60_000], &Sample::Far.plain()[..90_000]].concat();
    for producer in tried() {
        let way = Way::of([member(producer, &plain), member(producer, &plain[..70_000])].concat());
        assert_eq!(way.gzip.producer, producer);
        let travel = way.travel();
        let (restored, midstates) = restore(way.statement(&travel), &travel, 777).unwrap();
        assert!(restored == way.file, "{}", producer.as_str());
        assert_eq!(midstates.len(), way.file.len().div_ceil(65_536) - 1);
    }
}

#[test]
fn pieces_that_begin_anywhere_are_put_together() {
    let plain = &Sample::Binary.plain()[..200_000];
    let way = Way::of(member(Producer::Zlib1Level6, plain));
    // As many pieces as there are borders: more than are under way at once is not for a quick test.
    let borders = Gathered::of(Producer::Zlib1Level6, plain).borders;
    let mut before = (0, 0);
    let mut pieces: Vec<(u64, u64)> = borders
        .iter()
        .map(|border| {
            let piece = (border.plain - before.0, border.bits - before.1);
            before = (border.plain, border.bits);
            piece
        })
        .collect();
    pieces.last_mut().unwrap().1 = (way.file.len() as u64 - 18) * 8 - borders[borders.len() - 2].bits;
    assert!(pieces.len() > 3);
    let mut recipe = Writer::default();
    recipe.raw(&way.file[..10]);
    recipe.stream(&pieces);
    recipe.raw(b"crc.size");
    let travel = way.travel_with(&recipe.finish());
    assert!(restore(way.statement(&travel), &travel, 4_096).unwrap().0 == way.file);
}

#[test]
fn each_fault_of_a_recipe_has_its_code() {
    let way = short();
    let good = way.travel();
    assert!(restore(way.statement(&good), &good, 5).unwrap().0 == way.file);
    // What is no recipe, what is none for this file, and what makes another one.
    assert_eq!(way.refused_with(&[9]), (Class::Format, "recipe"));
    let (most, rest) = way.recipe.split_at(way.recipe.len() - 1);
    assert_eq!(way.refused_with(most), (Class::Format, "recipe"));
    let other_last = [most, &[rest[0] ^ 1]].concat();
    assert_eq!(way.refused_with(&other_last), (Class::Integrity, "content-digest"));
    let bits = (way.file.len() as u64 - 18 - 28 - 40) * 8;
    let mut swapped = Writer::default();
    swapped.raw(&[0; 18 + 28 + 40]);
    swapped.stream(&[(5_000, bits / 2), (6_000, bits - bits / 2)]);
    assert_eq!(way.refused_with(&swapped.finish()), (Class::Integrity, "rebuild"));
    // Sizes are judged before anything is decoded.
    let limit = usize::try_from(limits::RECIPE_BYTES).unwrap();
    let record = |body: &[u8], raw: bool| {
        let head = u32::try_from(body.len()).unwrap() | if raw { 1 << 31 } else { 0 };
        [&head.to_le_bytes()[..], body].concat()
    };
    let size = (Class::Limit, "recipe-size");
    assert_eq!(way.refused(&record(&vec![0; limit + 1], true)), size);
    assert_eq!(way.refused_with(&vec![0; limit + 1]), size);
    assert_eq!(way.refused_with(&vec![0; limit]), (Class::Format, "recipe"));
    // A frame that states nothing, and one that is not smaller than what it states.
    assert_eq!(
        way.refused(&record(&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0], false)),
        size
    );
    assert_eq!(
        way.refused(&record(&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 7], false)),
        (Class::Format, "travel")
    );
    assert_eq!(
        way.refused(&record(b"no frame at all", false)),
        (Class::Format, "non-canonical-frame")
    );
    // A recipe and no plain, and nothing at all.
    let first = usize::try_from(u32::from_le_bytes(good[..4].try_into().unwrap()) & !(1 << 31)).unwrap() + 4;
    assert_eq!(way.refused(&good[..first]), (Class::Format, "travel"));
    assert_eq!(way.refused(&[]), (Class::Format, "travel"));
}

#[test]
fn another_plain_is_told_apart_from_another_blob() {
    let mut way = short();
    let travel = way.travel();
    let right = way.gzip.plain_digest;
    way.gzip.plain_digest = digest_of(b"another");
    assert_eq!(way.refused(&travel), (Class::Integrity, "plain-digest"));
    way.gzip.plain_digest = right;
    way.file.push(0);
    way.file.remove(0);
    let error = restore(way.statement(&travel), &travel, 1 << 20).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Integrity, "content-digest"));
    assert!(error.found().contains("go-1-6"), "{error}");
    assert!(error.advice().unwrap().contains("--encodings none"));
}

#[test]
fn starts_without_end_are_too_much_work() {
    let tiny = member(Producer::Go1Level6, b"x");
    let file = tiny.repeat(200);
    let mut recipe = Writer::default();
    for _ in 0..200 {
        recipe.raw(&tiny[..10]);
        recipe.stream(&[(1, (tiny.len() as u64 - 18) * 8)]);
        recipe.raw(b"crc.size");
    }
    let plain = vec![b'x'; 200];
    let gzip = Gzip {
        producer: Producer::Go1Level6,
        plain_size: 200,
        plain_digest: digest_of(&plain),
    };
    let way = Way {
        file,
        plain,
        gzip,
        recipe: recipe.finish(),
    };
    assert_eq!(way.refused(&way.travel()), (Class::Limit, "rebuild-work"));
}

#[test]
fn every_changed_byte_is_refused_or_makes_the_same() {
    let way = short();
    let good = way.travel();
    let mut codes = BTreeSet::new();
    for at in (0..good.len()).step_by(if crate::producer::tests::is_slow() { 1 } else { 7 }) {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        match restore(way.statement(&bad), &bad, 1 << 20) {
            Ok((restored, _)) => assert!(restored == way.file, "{at}"),
            Err(error) => {
                codes.insert(error.code());
            }
        }
    }
    // The recipe alone, each byte of it, under a good record.
    for at in 0..way.recipe.len() {
        for flip in [1, 0x80] {
            let mut recipe = way.recipe.clone();
            recipe[at] ^= flip;
            codes.insert(way.refused_with(&recipe).1);
        }
    }
    // Of another plain it is either that or what is made of it that is told, whichever is seen first.
    for code in ["content-digest", "recipe"] {
        assert!(codes.contains(code), "{code} of {codes:?}");
    }
    assert!(!codes.contains("panic"), "{codes:?}");
}
