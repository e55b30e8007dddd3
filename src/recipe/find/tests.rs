//! Recipes found for files of every producer, and none for others.

use std::io::{Cursor, Write as _};

use crate::producer::{Border, Output, Producer, Sample, Stop, make};

use super::{Found, Why, find};

struct Gathered(Vec<u8>);

impl Output for Gathered {
    fn block(&mut self, bytes: &[u8], _: Border) -> Result<(), Stop> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

fn member(producer: Producer, plain: &[u8]) -> Vec<u8> {
    let mut bytes = Gathered(HEADER.into());
    make(producer, plain, &mut bytes).unwrap();
    bytes.0.extend_from_slice(b"crc.size");
    bytes.0
}

fn found(file: &[u8]) -> Result<Found, Why> {
    find(&mut || Ok(Cursor::new(file)))
}

#[test]
fn every_producer_is_found_by_what_it_made() {
    let plain = [Sample::Text.plain(), Sample::Far.plain()].concat();
    for producer in Producer::ALL {
        let file = member(producer, &plain);
        let found = found(&file).unwrap();
        assert_eq!(found.producer, producer);
        assert_eq!(found.plain, plain.len() as u64);
        assert!(found.recipe.len() < 100, "{} bytes", found.recipe.len());
    }
}

#[test]
fn members_empty_ones_and_padding_are_of_the_recipe() {
    let mut file = member(Producer::Go1Level6, &Sample::Text.plain()[..90_000]);
    file.extend(member(Producer::Go1Level6, b""));
    file.extend(member(Producer::Go1Level6, b"a short one"));
    file.extend([0; 512]);
    let found = found(&file).unwrap();
    assert_eq!(
        (found.producer, found.plain, found.pieces),
        (Producer::Go1Level6, 90_011, 2)
    );
}

#[test]
fn a_file_whose_rebuilding_is_too_much_work_is_not_given_a_recipe() {
    // Each start of an emulator counts; many tiny members are more than half of what their plain allows.
    let file: Vec<u8> = (0..200).flat_map(|_| member(Producer::Go1Level6, b"x")).collect();
    assert!(matches!(found(&file), Err(Why::Work)));
}

#[test]
fn what_no_producer_made_has_no_recipe_and_says_why() {
    let plain = Sample::Text.plain();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
    encoder.write_all(&plain).unwrap();
    let other = encoder.finish().unwrap();
    assert!(matches!(found(&other), Err(Why::UnknownProducer)));
    let mixed = [
        member(Producer::Go1Level6, &plain),
        member(Producer::Zlib1Level9, &plain),
    ]
    .concat();
    assert!(matches!(found(&mixed), Err(Why::Differs)));
    let whole = member(Producer::Go1Level6, &plain);
    assert!(matches!(found(&whole[..whole.len() / 2]), Err(Why::NoGzip)));
    assert!(matches!(found(b"no gzip"), Err(Why::NoGzip)));
    assert!(matches!(
        found(&member(Producer::Go1Level6, b"")),
        Err(Why::UnknownProducer)
    ));
}
