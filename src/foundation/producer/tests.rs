//! The vectors: what the real producers make of every sample.

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{ANSWER_BLOCK, Border, DICTIONARY, Operation, Output, Producer, Sample, Start, Stop, Work, make};

#[derive(Deserialize)]
struct Vectors {
    block: usize,
    samples: BTreeMap<String, Stated>,
    outputs: Vec<Made>,
    layers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Stated {
    sha256: String,
    size: usize,
}

#[derive(Deserialize)]
struct Made {
    producer: String,
    sample: String,
    sha256: String,
    size: usize,
}

/// What a producer makes, and where its blocks end.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) bytes: Vec<u8>,
    pub(crate) borders: Vec<Border>,
}

impl Gathered {
    /// What it makes of one plain.
    pub(crate) fn of(producer: Producer, plain: &[u8]) -> Self {
        let mut gathered = Self::default();
        make(producer, plain, &mut gathered).unwrap();
        gathered
    }
}

/// One member of a gzip file, with a trailer that says nothing.
pub(crate) fn member(producer: Producer, plain: &[u8]) -> Vec<u8> {
    let stream = Gathered::of(producer, plain).bytes;
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], &stream[..], b"crc.size"].concat()
}

impl Output for Gathered {
    fn block(&mut self, bytes: &[u8], border: Border) -> Result<(), Stop> {
        self.bytes.extend_from_slice(bytes);
        self.borders.push(border);
        Ok(())
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../bundle-spec/vectors/producers/vectors.json")).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Whether there is time for everything: emulators are slow where nothing is optimised.
pub(crate) fn is_slow() -> bool {
    std::env::var_os("AIRLOCK_SLOW").is_some()
}

/// Every producer where there is time, else one of each core and framing.
pub(crate) fn tried() -> Vec<Producer> {
    if is_slow() {
        return Producer::ALL.into();
    }
    vec![
        Producer::Go1Level6,
        Producer::Zlib1Level6,
        Producer::Pigz1Level9,
        Producer::Klauspost2Level5,
        Producer::Pgzip1Level5,
    ]
}

#[test]
fn samples_follow_the_rule_of_the_vectors() {
    let vectors = vectors();
    assert_eq!(vectors.block, ANSWER_BLOCK);
    assert_eq!(vectors.samples.len(), Sample::ALL.len());
    for sample in Sample::ALL {
        let plain = sample.plain();
        let stated = &vectors.samples[sample.as_str()];
        assert_eq!(
            (plain.len(), hex(&plain)),
            (stated.size, stated.sha256.clone()),
            "{sample:?}"
        );
    }
}

#[test]
fn every_producer_makes_what_the_real_one_made() {
    let vectors = vectors();
    assert_eq!(vectors.outputs.len(), Producer::ALL.len() * Sample::ALL.len());
    // Known answers are of text and every producer; each sample is among the rest that are always tried.
    let outputs = vectors.outputs.into_iter().enumerate();
    for (_, stated) in outputs.filter(|(number, _)| is_slow() || number % 8 == 0) {
        let producer = Producer::parse(&stated.producer).unwrap();
        let sample = Sample::ALL
            .into_iter()
            .find(|sample| sample.as_str() == stated.sample)
            .unwrap();
        let mut made = Gathered::default();
        make(producer, &sample.plain(), &mut made).unwrap();
        let found = (made.bytes.len(), hex(&made.bytes));
        assert_eq!(
            found,
            (stated.size, stated.sha256),
            "{} of {}",
            stated.producer,
            stated.sample
        );
    }
}

#[test]
fn every_producer_makes_of_a_small_layer_what_the_real_one_made() {
    let words = &Sample::Text.plain()[..600];
    let plain = [words, &vec![0; 400_000], words].concat();
    let layers = vectors().layers;
    assert_eq!(layers.len(), Producer::ALL.len());
    for (producer, bytes) in layers {
        let mut made = Gathered::default();
        make(Producer::parse(&producer).unwrap(), &plain, &mut made).unwrap();
        assert!(BASE64.encode(&made.bytes) == bytes, "{producer}");
    }
}

#[test]
fn cuts_change_no_bit_and_no_border() {
    for producer in Producer::ALL
        .into_iter()
        .filter(|producer| producer.operation() == Operation::Stream)
    {
        let plain = &Sample::Far.plain()[..140_000];
        let mut whole = Gathered::default();
        make(producer, plain, &mut whole).unwrap();
        let mut encoder = producer.encoder();
        for cut in [1, 4_093, 65_535] {
            let mut cuts = Gathered::default();
            let mut work = Work::of_blob(plain.len() as u64);
            encoder.start(&Start {
                before: &[],
                position: 0,
                left: plain.len() as u64,
                phase: 0,
                last: true,
            });
            for part in plain.chunks(cut) {
                encoder.feed(part, &mut cuts, &mut work).unwrap();
            }
            assert!(
                cuts.bytes == whole.bytes && cuts.borders == whole.borders,
                "{producer:?} by {cut}"
            );
        }
    }
}

/// Stops at the second border.
struct Next {
    wanted: Border,
    found: Option<(u64, u64)>,
}

impl Output for Next {
    fn block(&mut self, _: &[u8], border: Border) -> Result<(), Stop> {
        self.found = Some((border.plain, border.bits));
        if border.plain >= self.wanted.plain {
            Err(Stop::Enough)
        } else {
            Ok(())
        }
    }
}

#[test]
fn a_fresh_start_at_a_border_comes_to_the_next_border() {
    let producers = tried().into_iter().filter(|producer| producer.begins_anywhere());
    let mut restarts = 0;
    for producer in producers {
        let mut plain = Sample::Binary.plain();
        plain.truncate(if is_slow() { plain.len() } else { 160_000 });
        let mut whole = Gathered::default();
        make(producer, &plain, &mut whole).unwrap();
        let mut encoder = producer.encoder();
        for pair in whole.borders.windows(2) {
            let [from, to] = pair else { continue };
            let at = usize::try_from(from.plain).unwrap();
            encoder.start(&Start {
                before: &plain[at.saturating_sub(DICTIONARY)..at],
                position: from.plain,
                left: plain.len() as u64 - from.plain,
                phase: u32::try_from(from.bits % 8).unwrap(),
                last: true,
            });
            let mut next = Next {
                wanted: Border {
                    plain: to.plain - from.plain,
                    ..*to
                },
                found: None,
            };
            let stopped = encoder.feed(&plain[at..], &mut next, &mut Work::of_blob(plain.len() as u64));
            assert_eq!(stopped, Err(Stop::Enough));
            assert_eq!(
                next.found,
                Some((to.plain - from.plain, to.bits - from.bits)),
                "{producer:?}"
            );
            restarts += 1;
        }
    }
    assert!(restarts > 3, "{restarts} restarts");
}
