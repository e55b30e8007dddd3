//! What is found comes back, and is as little as it should be.

use proptest::prelude::*;

use super::super::{Applier, Fault, Stretch, judge};
use super::*;

impl BasePlain for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&self[from..from + buffer.len()]);
        Ok(())
    }
}

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(size).collect()
}

fn member(name: &str, body: &[u8], time: u64) -> Vec<u8> {
    let mut head = ::tar::Header::new_ustar();
    head.set_path(name).unwrap();
    head.set_size(body.len() as u64);
    head.set_mode(0o644);
    head.set_mtime(time);
    // As Go and GNU tar write it.
    let bytes = head.as_mut_bytes();
    bytes[148..156].fill(b' ');
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = [head.as_bytes().as_slice(), body].concat();
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    out
}

/// Compares, and makes the plain again; returns the script and the literals.
fn there_and_back(new: &[u8], bases: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>, Vec<Stretch>) {
    let bases: Vec<&dyn BasePlain> = bases.iter().map(|base| base as &dyn BasePlain).collect();
    let known = Known::of(&bases).unwrap();
    let mut matcher = Matcher::new(&bases, &known, new.len() as u64);
    let mut literals = Vec::new();
    for part in new.chunks(16 * BLOCK) {
        matcher.feed(part, &mut literals).unwrap();
    }
    let prefix = matcher.prefix();
    let group = matcher.group();
    assert_eq!(group.literals(), literals.len() as u64);
    let records = literals.len().div_ceil(4 << 20);
    let script = group.script(&vec![prefix.clone(); records]);
    let sizes: Vec<u64> = bases.iter().map(|base| base.size()).collect();
    let judged = judge(script.clone(), new.len() as u64, &sizes).unwrap();
    let mut applier = Applier::new(judged);
    let mut made = Vec::new();
    for part in [&[][..], &literals] {
        applier
            .apply::<Fault>(
                part,
                |base, offset, buffer| {
                    bases[base].read(offset, buffer).unwrap();
                    Ok(())
                },
                |bytes| {
                    made.extend_from_slice(bytes);
                    Ok(())
                },
            )
            .unwrap();
    }
    assert!(made == new);
    (script, literals, prefix)
}

#[test]
fn a_layer_of_the_same_files_at_another_time_is_a_script_alone() {
    let files: Vec<(String, Vec<u8>)> = (0..40_u64)
        .map(|number| {
            (
                format!("usr/lib/{number}"),
                noise(number, 700 + usize::try_from(number).unwrap() * 90),
            )
        })
        .collect();
    let layer = |time: u64| {
        let members = files.iter().flat_map(|(name, body)| member(name, body, time));
        members.chain(vec![0; 1024]).collect::<Vec<u8>>()
    };
    let (script, literals, _) = there_and_back(&layer(1_700_003_600), &[layer(1_700_000_000)]);
    assert!(literals.is_empty(), "{}", literals.len());
    assert!(script.len() < 40 * 12, "{}", script.len());
}

#[test]
fn what_a_file_was_stands_in_front_of_what_it_is() {
    let old = noise(1, 9_000);
    let new = [&old[..4_000], b"something that moves the rest", &old[4_000..]].concat();
    let layer = |body: &[u8], time| [member("a", &noise(2, 5_000), time), member("b", body, time)].concat();
    let (_, literals, prefix) = there_and_back(&layer(&new, 7), &[layer(&old, 5)]);
    assert!(literals.len() < 6_000, "{}", literals.len());
    assert_eq!(prefix.len(), 1);
    assert_eq!(prefix[0].length, 9_000);
    // A member that is called otherwise by now: another number in its name, or another folder.
    for (before, now) in [("lib/x-1.2.so", "lib/x-1.3.so"), ("old/name", "new/place/name")] {
        let (before, now) = (member(before, &old, 5), member(now, &new, 5));
        assert_eq!(there_and_back(&now, &[before]).2.len(), 1);
    }
    // What is no tar is compared as one body.
    let (_, literals, prefix) = there_and_back(&new, &[old]);
    assert!(literals.len() < 6_000 && prefix[0].length == 9_000);
}

#[test]
fn bases_are_chosen_by_the_members_they_have() {
    let layer = |names: &[&str]| {
        names
            .iter()
            .flat_map(|name| member(name, &[7; 600], 1))
            .collect::<Vec<u8>>()
    };
    let profile = |names: &[&str]| Profile::read(&layer(names)[..]).unwrap();
    let mut new = profile(&["a", "b", "c"]);
    let old = profile(&["a", "b", "x"]);
    assert_eq!(new.shared(&old), 2 * 1536);
    assert_eq!(new.shared(&profile(&["y"])), 0);
    new.forget(&old);
    assert_eq!(new.shared(&old), 0);
    assert_eq!(new.shared(&profile(&["c"])), 1536);
    assert_eq!(new.bytes(), 3 * 1536);
    let noise = noise(9, 200_000);
    let same = Profile::read(&noise[..]).unwrap();
    assert!(same.shared(&Profile::read(&noise[..]).unwrap()) > 150_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_compared_comes_back(seed: u64, cuts in proptest::collection::vec((0_usize..60_000, 0_usize..5_000, any::<bool>()), 0..12)) {
        let old = [member("x", &noise(seed, 30_000), 5), member("y", &noise(seed ^ 1, 20_000), 5), noise(seed ^ 2, 9_000)].concat();
        let mut new = old.clone();
        for (at, size, inserts) in cuts {
            let at = at % new.len().max(1);
            if inserts {
                new.splice(at..at, noise(at as u64, size));
            } else {
                new.drain(at..(at + size).min(new.len()));
            }
        }
        prop_assume!(!new.is_empty());
        there_and_back(&new, &[old.clone(), noise(seed ^ 3, 4_000)]);
        there_and_back(&new, &[noise(seed ^ 3, 4_000), old]);
    }
}
