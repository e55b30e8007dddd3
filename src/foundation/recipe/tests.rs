//! Recipes judged and blobs rebuilt: over bytes of the real producers' emulators, in any cuts and any order.

use std::sync::Arc;

use crate::inflate::{self, Inflater, Source};
use crate::producer::tests::{is_slow, tried};
use crate::producer::{Border, Operation as Shape, Output, Producer, Start, Stop, Work};

use super::{Fault, Joiner, PieceBuffers, Rebuild, Splitter, Step, Worker, Writer, judge};

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    borders: Vec<Border>,
}

impl Output for Gathered {
    fn block(&mut self, bytes: &[u8], border: Border) -> Result<(), Stop> {
        self.bytes.extend_from_slice(bytes);
        self.borders.push(border);
        Ok(())
    }
}

/// A stream or the blocks of a framed operation.
fn made(producer: Producer, plain: &[u8], block: usize) -> Gathered {
    let mut gathered = Gathered::default();
    let mut encoder = producer.encoder();
    let (blocks, block) = match producer.operation() {
        Shape::Stream => (1, plain.len()),
        Shape::Framed => (
            usize::try_from(producer.blocks(plain.len() as u64, block as u64)).unwrap(),
            block,
        ),
    };
    for number in 0..blocks {
        let from = number * block;
        let part = &plain[from..plain.len().min(from + block)];
        encoder.start(&Start {
            before: &plain[from.saturating_sub(32_768)..from],
            position: from as u64,
            left: part.len() as u64,
            phase: 0,
            last: number + 1 == blocks,
        });
        encoder
            .feed(part, &mut gathered, &mut Work::of_blob(plain.len() as u64))
            .unwrap();
    }
    gathered
}

/// Words, repeats far away, noise and zeros, by a rule.
fn plain(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap()
    };
    let mut plain = Vec::with_capacity(size + 4_096);
    while plain.len() < size {
        match next() % 5 {
            0 => plain.extend((0..next() % 600).map(|_| next().to_le_bytes()[1])),
            1 => plain.resize(plain.len() + next() % 700, 0),
            2 if plain.len() > 40_000 => {
                let from = plain.len() - 1 - next() % 40_000;
                let length = (3 + next() % 400).min(plain.len() - from);
                plain.extend_from_within(from..from + length);
            }
            _ => (0..next() % 200).for_each(|_| {
                plain.extend_from_slice([&b"layer"[..], b"digest ", b"\n", b"of the "][next() % 4]);
                plain.push(b'a' + u8::try_from(next() % 26).unwrap());
            }),
        }
    }
    plain.truncate(size);
    plain
}

/// Pieces that end at the first border so many plain bytes after their start.
fn pieces(borders: &[Border], least: u64) -> Vec<(u64, u64)> {
    let mut pieces = Vec::new();
    let (mut plain, mut bits) = (0, 0);
    for (number, border) in borders.iter().enumerate() {
        if border.plain - plain >= least || number + 1 == borders.len() {
            pieces.push((border.plain - plain, border.bits - bits));
            (plain, bits) = (border.plain, border.bits);
        }
    }
    pieces
}

/// A blob of two members with what stands around them, its plain and its recipe.
fn blob(producer: Producer, size: usize, least: u64) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let all = plain(size);
    let (first, second) = all.split_at(size / 3);
    let (mut bytes, mut recipe) = (Vec::new(), Writer::default());
    for part in [first, second] {
        let gathered = made(producer, part, 65_536);
        recipe.raw(b"a header of any kind");
        match producer.operation() {
            Shape::Stream if producer.begins_anywhere() => recipe.stream(&pieces(&gathered.borders, least)),
            Shape::Stream => recipe.stream(&[(part.len() as u64, gathered.bytes.len() as u64 * 8)]),
            Shape::Framed => recipe.framed(65_536, part.len() as u64, gathered.bytes.len() as u64),
        }
        recipe.raw(b"trailer");
        bytes.extend_from_slice(b"a header of any kind");
        bytes.extend_from_slice(&gathered.bytes);
        bytes.extend_from_slice(b"trailer");
    }
    (bytes, all, recipe.finish())
}

fn rebuilt(recipe: &[u8], producer: Producer, plain: &[u8], size: usize, cut: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut rebuild = Rebuild::new(judge(recipe.to_vec(), producer, plain.len() as u64, size as u64)?);
    let mut take = |part: &[u8]| {
        bytes.extend_from_slice(part);
        Ok::<(), Fault>(())
    };
    for part in plain.chunks(cut) {
        rebuild.feed(part, &mut take)?;
    }
    rebuild.finish(&mut take)?;
    Ok(bytes)
}

#[test]
fn every_producer_rebuilds_its_blob_in_any_cuts() {
    for producer in Producer::ALL {
        let size = if is_slow() { 240_000 } else { 100_000 };
        let (bytes, plain, recipe) = blob(producer, size, 20_000);
        for cut in [777, 1 << 20] {
            let again = rebuilt(&recipe, producer, &plain, bytes.len(), cut).unwrap();
            assert!(again == bytes, "{} in cuts of {cut}", producer.as_str());
        }
    }
}

#[test]
fn a_large_piece_is_made_as_its_plain_comes() {
    let (bytes, plain, recipe) = blob(Producer::Go1Level6, 400_000, 70_000);
    let recipe = judge(recipe, Producer::Go1Level6, plain.len() as u64, bytes.len() as u64).unwrap();
    let mut joiner = Joiner::new(&recipe);
    let mut splitter = Splitter::gathering(recipe, 80_000, &PieceBuffers::default());
    let mut worker = Worker::new(
        Producer::Go1Level6,
        plain.len() as u64,
        &PieceBuffers::default(),
        Arc::default(),
    );
    let (mut pieces, mut parts, mut again) = (0, 0, Vec::new());
    let mut step = |step| {
        let made = match step {
            Step::Piece(piece) => {
                pieces += 1;
                worker.make(&piece)?
            }
            Step::Made(made) => {
                parts += 1;
                made
            }
        };
        again.extend_from_slice(&joiner.take(made)?);
        Ok::<(), Fault>(())
    };
    splitter.feed(&plain, &mut step).unwrap();
    splitter.finish(&mut step).unwrap();
    assert!(parts > 4 && pieces > 0, "{parts} parts, {pieces} pieces");
    assert!(again == bytes);
}

#[test]
fn pieces_made_in_another_order_give_the_same_blob() {
    for producer in [Producer::Go1Level6, Producer::Zlib1Level6, Producer::Pigz1Level6] {
        let (bytes, plain, recipe) = blob(producer, 300_000, 20_000);
        let recipe = judge(recipe, producer, plain.len() as u64, bytes.len() as u64).unwrap();
        let buffers = PieceBuffers::default();
        let mut joiner = Joiner::new(&recipe);
        let mut splitter = Splitter::new(recipe, &buffers);
        let mut steps = Vec::new();
        let mut step = |step| {
            steps.push(Some(step));
            Ok::<(), Fault>(())
        };
        splitter.feed(&plain, &mut step).unwrap();
        splitter.finish(&mut step).unwrap();
        let mut workers = [0, 1].map(|_| Worker::new(producer, plain.len() as u64, &buffers, Arc::default()));
        let mut all: Vec<_> = steps
            .iter_mut()
            .enumerate()
            .rev()
            .map(|(number, step)| match step.take().unwrap() {
                Step::Piece(piece) => workers[number % 2].make(&piece).unwrap(),
                Step::Made(made) => made,
            })
            .collect();
        assert!(all.len() > 5, "{} parts", all.len());
        all.reverse();
        let mut again = Vec::new();
        for made in all {
            again.extend_from_slice(&joiner.take(made).unwrap());
        }
        assert!(again == bytes, "{}", producer.as_str());
    }
}

#[test]
fn borders_found_by_inflating_are_those_of_the_producer() {
    for producer in [Producer::Go1Level6, Producer::Zlib1Level9, Producer::Go1Level1] {
        let plain = plain(150_000);
        let gathered = made(producer, &plain, 0);
        let (mut inflater, mut source) = (Inflater::new(), Source::new(gathered.bytes.as_slice()));
        let (mut again, mut at, mut found) = (Vec::new(), 0, Vec::new());
        loop {
            let block = inflater
                .block(&mut source, &mut |part: &[u8]| {
                    again.extend_from_slice(part);
                    Ok::<(), inflate::Fault>(())
                })
                .unwrap();
            at += block.plain;
            found.push((at, block.end));
            if block.last {
                break;
            }
        }
        assert!(again == plain);
        for border in &gathered.borders[..gathered.borders.len() - 1] {
            assert!(found.contains(&(border.plain, border.bits)), "{border:?}");
        }
    }
}

#[test]
fn each_rule_of_the_grammar_refuses() {
    let go = Producer::Go1Level6;
    let good = [0, 2, 7, 7, 1, 2, 5, 9, 5, 7, 0, 1, 7];
    assert!(judge(good.to_vec(), go, 10, 5).is_ok());
    let refused = |bytes: &[u8], producer, plain, size| {
        let fault = judge(bytes.to_vec(), producer, plain, size).unwrap_err();
        assert!(matches!(fault, Fault::Recipe(_)), "{bytes:?}: {fault:?}");
    };
    refused(&good, go, 11, 5);
    refused(&good, go, 10, 6);
    refused(&good, Producer::Go1Level1, 10, 5);
    refused(&good, Producer::Pigz1Level6, 10, 5);
    for end in 1..good.len() {
        refused(&good[..end], go, 10, 5);
    }
    refused(&[], go, 10, 5);
    refused(&[3], go, 0, 0);
    refused(&[0, 0], go, 0, 0);
    refused(&[0, 0x81, 0, 7], go, 0, 1);
    refused(&[1, 0], go, 0, 0);
    refused(&[1, 1, 0, 8], go, 0, 1);
    refused(&[1, 1, 1, 7], go, 1, 0);
    let mut writer = Writer::default();
    writer.stream(&[(8, 65_536 + 80)]);
    assert!(judge(writer.finish(), go, 8, 8_202).is_ok());
    let mut writer = Writer::default();
    writer.stream(&[(8, 65_536 + 88)]);
    refused(&writer.finish(), go, 8, 8_203);
    let pigz = Producer::Pigz1Level9;
    for (block, plain, fits) in [
        (65_536, 1, true),
        (1_048_576, 1, true),
        (65_535, 1, false),
        (1_048_577, 1, false),
        (65_536, 0, false),
    ] {
        let mut writer = Writer::default();
        writer.framed(block, plain, 3);
        let recipe = writer.finish();
        if fits {
            assert!(judge(recipe.clone(), pigz, plain, 3).is_ok());
            refused(&recipe, go, plain, 3);
        } else {
            refused(&recipe, pigz, plain, 3);
        }
    }
    let mut writer = Writer::default();
    writer.stream(&[((1 << 53) - 1, 8), ((1 << 53) - 1, 8)]);
    refused(&writer.finish(), go, 10, 2);
}

#[test]
fn other_plain_and_other_statements_are_told() {
    for producer in tried() {
        let (bytes, plain, recipe) = blob(producer, 110_000, 20_000);
        let mut other = plain.clone();
        other[100_000] ^= 1;
        // One byte may leave the size as it was; then the bytes differ.
        match rebuilt(&recipe, producer, &other, bytes.len(), 4_096) {
            Ok(again) => assert!(again != bytes),
            Err(fault) => assert_eq!(fault, Fault::Differs),
        }
        let shorter = &plain[..plain.len() - 1];
        let judged = judge(recipe.clone(), producer, plain.len() as u64, bytes.len() as u64).unwrap();
        let mut rebuild = Rebuild::new(judged);
        let mut take = |_: &[u8]| Ok::<(), Fault>(());
        rebuild.feed(shorter, &mut take).unwrap();
        assert_eq!(rebuild.finish(&mut take), Err(Fault::Differs));
    }
    // The same sums, a border elsewhere.
    let part = plain(100_000);
    let gathered = made(Producer::Go1Level6, &part, 0);
    let bits = gathered.bytes.len() as u64 * 8;
    let mut writer = Writer::default();
    writer.stream(&[(50_000, bits / 2), (50_000, bits - bits / 2)]);
    let fault = rebuilt(
        &writer.finish(),
        Producer::Go1Level6,
        &part,
        gathered.bytes.len(),
        4_096,
    )
    .unwrap_err();
    assert_eq!(fault, Fault::Differs);
}

#[test]
fn work_is_bounded_by_the_plain() {
    // Starts alone: each piece counts 65,536, so small ones are more than 4,096 a byte.
    let part = plain(100);
    let gathered = made(Producer::Go1Level6, &part, 0);
    let recipe = |members: usize| {
        let mut writer = Writer::default();
        (0..members).for_each(|_| writer.stream(&[(100, gathered.bytes.len() as u64 * 8)]));
        writer.finish()
    };
    let one = rebuilt(&recipe(1), Producer::Go1Level6, &part, gathered.bytes.len(), 4_096).unwrap();
    assert_eq!(one, gathered.bytes);
    let tiny = made(Producer::Go1Level6, &part[..1], 0);
    let mut writer = Writer::default();
    (0..200).for_each(|_| writer.stream(&[(1, tiny.bytes.len() as u64 * 8)]));
    let fault = rebuilt(
        &writer.finish(),
        Producer::Go1Level6,
        &[part[0]; 200],
        tiny.bytes.len() * 200,
        4_096,
    );
    assert_eq!(fault.unwrap_err(), Fault::Work);
}
