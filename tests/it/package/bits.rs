//! Every flipped bit and every cut of the least package, each with the class of its region.

use airlock::domain::Class;
use airlock::package::{OpenedPackage, check};

use super::made::{self, input, key};
use crate::support::slow::share;

/// What a place of the file holds, by its entry: how a flipped bit there is told.
pub(crate) fn regions(bytes: &[u8]) -> Vec<(usize, Class)> {
    let mut regions = Vec::new();
    let mut at = 0;
    loop {
        let header = &bytes[at..at + 512];
        regions.push((512, Class::Format));
        if header.iter().all(|byte| *byte == 0) {
            regions.push((bytes.len() - at - 512, Class::Format));
            break;
        }
        let name = std::str::from_utf8(&header[..100])
            .unwrap()
            .trim_end_matches('\0')
            .to_owned();
        let size = std::str::from_utf8(&header[124..135]).unwrap();
        let size = usize::from_str_radix(size, 8).unwrap();
        let class = match name.as_str() {
            "01-signatures.json" | "03-head.json" => Class::Signature,
            "02-trust.json" => Class::Trust,
            "04-approvals.json" => Class::Policy,
            name if name.starts_with("05-index") || name.starts_with("chunks") => Class::Integrity,
            _ => Class::Format,
        };
        regions.push((size, class));
        regions.push((size.next_multiple_of(512) - size, Class::Format));
        at += 512 + size.next_multiple_of(512);
    }
    assert_eq!(regions.iter().map(|(size, _)| size).sum::<usize>(), bytes.len());
    regions
}

#[test]
fn every_flipped_bit_of_a_package_is_refused_with_the_class_of_its_region() {
    let mut bytes = made::least_bytes();
    check(&bytes, key().public()).unwrap();
    let share = share();
    let slow = share.is_some();
    let mut tried = 0;
    let mut start = 0;
    for (size, class) in regions(&bytes) {
        for place in start..start + size {
            // Zeros are alike: of a long fill a part will do.
            let zeros = size > 4096 && bytes[start..start + size].iter().all(|byte| *byte == 0);
            if zeros && !slow && place % 61 != 0 {
                continue;
            }
            if share.is_some_and(|share| !share.takes(place)) {
                continue;
            }
            for bit in 0..8 {
                if !slow && (bit != place % 8 || place % 5 != 0) {
                    continue;
                }
                bytes[place] ^= 1 << bit;
                let found = check(&bytes, key().public()).map_err(|error| error.class());
                bytes[place] ^= 1 << bit;
                // A flipped digit may name another size, which is above a cap.
                let header = size == 512 && class == Class::Format;
                let fits = found == Err(class) || (header && found == Err(Class::Limit));
                assert!(fits, "byte {place} bit {bit}: {found:?}, expected {class}");
                tried += 1;
            }
        }
        start += size;
    }
    println!("{tried} flipped bits");
    assert!(tried > 1_000);
    check(&bytes, key().public()).unwrap();
}

#[test]
fn every_cut_of_a_package_is_told_and_what_was_not_there_was_not_read() {
    let bytes = made::least_bytes();
    let regions = regions(&bytes);
    // Header, content and padding of five entries.
    let prologue: usize = regions.iter().take(15).map(|(size, _)| size).sum();
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let step = if slow { 1 } else { 37 };
    let borders = [0, 1, 511, 512, prologue - 1, prologue, prologue + 1, bytes.len() - 1];
    for length in (0..bytes.len()).step_by(step).chain(borders) {
        let error = check(&bytes[..length], key().public()).unwrap_err();
        let class = if length < prologue {
            Class::Format
        } else {
            Class::Incomplete
        };
        assert_eq!((error.class(), error.code()), (class, "truncated"), "{length} bytes");
        // Nobody goes on from half of a package.
        assert!(!error.to_string().contains("goes on"), "{error}");
    }
}

#[test]
fn what_is_behind_the_head_is_read_under_its_caps() {
    let mut bytes = made::least_bytes();
    bytes.extend_from_slice(b"\0");
    assert_eq!(check(&bytes, key().public()).unwrap_err().code(), "trailing-data");
    // A claim of eight gigabytes in the first header takes no memory.
    let mut claim = made::least_bytes();
    claim[124..135].copy_from_slice(b"77777777777");
    let error = OpenedPackage::open(input(&claim)).unwrap_err();
    assert_eq!(error.class(), Class::Format, "the checksum is another: {error}");
}
