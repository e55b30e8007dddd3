//! Streams of another deflater, whole, in cuts, cut off and damaged.

use std::io::{self, Read, Write as _};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::{Fault, Inflater, Source};

/// Gives so many bytes at once.
struct Cuts<'a>(&'a [u8], usize);

impl Read for Cuts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = self.1.min(buffer.len());
        self.0.read(&mut buffer[..now])
    }
}

/// What a stream inflates to, its symbols, and the bits that it has.
fn inflate(stream: &[u8], cut: usize) -> Result<(Vec<u8>, u64, u64), Fault> {
    let (mut source, mut inflater) = (Source::new(Cuts(stream, cut)), Inflater::new());
    let (mut plain, mut sum, mut symbols) = (Vec::new(), 0, 0);
    inflater.start();
    loop {
        let block = inflater.block(&mut source, &mut |part: &[u8]| {
            plain.extend_from_slice(part);
            Ok::<(), Fault>(())
        })?;
        sum += block.plain;
        symbols += block.symbols;
        if block.last {
            assert_eq!(sum, plain.len() as u64);
            return Ok((plain, symbols, block.end));
        }
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 9_u64;
    let mut byte = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| byte()).collect()
}

/// Plain with literals of every length of code, and matches of every length and many distances.
fn plains() -> Vec<Vec<u8>> {
    let noise = noise(150_000);
    let skewed = noise
        .iter()
        .map(|byte| byte.leading_zeros().to_le_bytes()[0] * 31 + (byte >> 7))
        .collect();
    let mut matches = noise[..40_000].to_vec();
    for (number, byte) in noise.iter().enumerate().take(4_000).skip(1) {
        let (length, distance) = (number % 256 + 3, number * number % 32_768 + 1);
        let from = matches.len() - distance;
        (from..from + length).for_each(|at| matches.push(matches[at]));
        matches.push(*byte);
    }
    vec![Vec::new(), vec![7; 200_000], noise, skewed, matches]
}

#[test]
fn streams_of_another_deflater_come_out_in_any_cuts() {
    for plain in plains() {
        for level in [0, 1, 6, 9] {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
            encoder.write_all(&plain).unwrap();
            let stream = encoder.finish().unwrap();
            let (found, symbols, end) = inflate(&stream, usize::MAX).unwrap();
            assert!(found == plain);
            assert_eq!(end.div_ceil(8), stream.len() as u64);
            for cut in [1, 7, 4_000] {
                let again = inflate(&stream, cut).unwrap();
                assert!(again.0 == plain && (again.1, again.2) == (symbols, end), "{cut}");
            }
            for length in [0, 1, stream.len() / 2, stream.len() - 1] {
                assert!(
                    matches!(inflate(&stream[..length], usize::MAX), Err(Fault::Cut)),
                    "{length}"
                );
            }
        }
    }
}

#[test]
fn damage_is_met_alike_however_the_bytes_come() {
    let plain = &plains()[4][38_000..44_000];
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(plain).unwrap();
    let stream = encoder.finish().unwrap();
    for at in (0..stream.len()).step_by(3) {
        let mut bad = stream.clone();
        bad[at] ^= 1 << (at % 8);
        // One byte at a time nothing is ever at hand: symbols are read one by one.
        match (inflate(&bad, usize::MAX), inflate(&bad, 1)) {
            (Ok(one), Ok(other)) => assert!(one == other, "{at}"),
            (Err(Fault::Damaged), Err(Fault::Damaged)) | (Err(Fault::Cut), Err(Fault::Cut)) => {}
            (one, other) => panic!("{at}: {:?}, {:?}", one.map(|_| ()), other.map(|_| ())),
        }
    }
}
