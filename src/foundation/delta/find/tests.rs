//! What is found comes back, and is as little as it should be.

use proptest::prelude::*;

use super::super::{Applier, Fault, Stretch, judge};
use super::anchors::{Anchors, Rate};
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

/// What is not compressed already: bytes of which some are more frequent.
fn code(seed: u64, size: usize) -> Vec<u8> {
    noise(seed, size).into_iter().map(|byte| byte & 31).collect()
}

#[test]
fn what_a_file_was_stands_in_front_of_what_it_is() {
    // Nothing is long enough to be copied, and all of it is nearly the same.
    let (old, mut new) = (code(1, 9_000), code(1, 9_000));
    new.iter_mut().step_by(20).for_each(|byte| *byte ^= 1);
    let layer = |body: &[u8], time| [member("a", &noise(2, 5_000), time), member("b", body, time)].concat();
    let (_, literals, prefix) = there_and_back(&layer(&new, 7), &[layer(&old, 5)]);
    assert!(literals.len() > 8_900 && literals.len() < 9_300, "{}", literals.len());
    assert_eq!(prefix.len(), 1);
    assert_eq!(prefix[0].length, 9_000);
    // A member that is called otherwise by now: another number in its name, or another folder.
    for (before, now) in [("lib/x-1.2.so", "lib/x-1.3.so"), ("old/name", "new/place/name")] {
        let (before, now) = (member(before, &old, 5), member(now, &new, 5));
        assert_eq!(there_and_back(&now, &[before]).2.len(), 1);
    }
    // What is no tar is compared as one body.
    let (_, literals, prefix) = there_and_back(&new, &[old]);
    assert!(literals.len() > 8_900 && prefix[0].length == 9_000);
}

#[test]
fn what_moved_by_any_number_of_bytes_is_copied() {
    let old = noise(1, 300_000);
    let new = [&old[..70_001], b"thirteen more", &old[70_001..160_000], &old[160_007..]].concat();
    for member in [
        |body: &[u8]| member("lib/archive", body, 5),
        |body: &[u8]| body.to_vec(),
    ] {
        let (script, literals, _) = there_and_back(&member(&new), &[member(&old)]);
        assert!(literals.len() <= 13 + 16, "{}", literals.len());
        assert!(script.len() < 80, "{}", script.len());
    }
    // Parts of it in another order, some of them twice, with something between them.
    let parts = [
        (200_003, 299_000),
        (3, 41_000),
        (90_000, 90_200),
        (41_000, 199_999),
        (3, 5_000),
    ];
    let part = |(from, to): &(usize, usize)| [&old[*from..*to], b"between"].concat();
    let new: Vec<u8> = parts.iter().flat_map(part).collect();
    let (script, literals, _) = there_and_back(&new, &[noise(4, 5_000), old.clone()]);
    assert!(literals.len() <= parts.len() * 7, "{}", literals.len());
    assert!(script.len() < 120, "{}", script.len());
}

#[test]
fn bytes_that_change_everywhere_travel_behind_what_they_were() {
    let changed = |old: &[u8]| {
        let mut new = old.to_vec();
        new.iter_mut().skip(77).step_by(900).for_each(|byte| *byte ^= 0x15);
        new
    };
    // Of what is compressed already the rest is copied, and nothing stands in front of some bytes.
    let old = noise(1, 300_000);
    let (script, literals, prefix) = there_and_back(&changed(&old), &[old]);
    assert!(
        literals.len() <= 400 && script.len() < 334 * 7,
        "{} {}",
        literals.len(),
        script.len()
    );
    assert!(prefix.is_empty());
    // Anything else is compressed behind what it was, which takes less, also where all of it has moved.
    let old = code(1, 300_000);
    let moved = [b"moved", &changed(&old)[..]].concat();
    for new in [changed(&old), moved] {
        let (script, _, prefix) = there_and_back(&new, std::slice::from_ref(&old));
        let beside: u64 = prefix.iter().map(|range| range.length).sum();
        assert!(script.len() < 500 && beside > 280_000, "{} {beside}", script.len());
    }
}

#[test]
fn bytes_that_come_again_and_again_cost_no_more_than_others() {
    let pattern = |period: usize| -> Vec<u8> {
        let bytes = noise(period as u64, period).into_iter().cycle();
        bytes.take(400_000).collect()
    };
    for base in [
        vec![0; 400_000],
        vec![0xff; 400_000],
        pattern(3),
        pattern(40),
        pattern(700),
    ] {
        let bytes = base.len() as u64;
        let mut anchors = Anchors::of(Rate::of(bytes), bytes);
        anchors.take(&base);
        anchors.finish();
        assert!(anchors.len() <= 2 * (base.len() >> 6) + 1024);
        let new = [b"moved by some".as_slice(), &base].concat();
        let (script, ..) = there_and_back(&new, &[base]);
        assert!(script.len() < 4_000, "{}", script.len());
    }
    // One byte again and again is no anchor but at its beginning.
    for byte in 0..=255 {
        let mut sum = Rate::OFTEN.sum();
        let found = std::iter::successors(sum.next(&[byte; 1_000], 0), |at| sum.next(&[byte; 1_000], *at));
        assert!(found.count() < 40, "{byte}");
    }
}

fn profile(plain: &[u8]) -> Profile {
    Profile::read(plain).unwrap()
}

#[test]
fn bases_are_chosen_by_what_stands_in_them() {
    let layer = |seed: u64| -> Vec<u8> {
        let body = |number: u64| noise(seed + number, 60_000);
        let members = (0..4).flat_map(|number| member(&format!("app/{number}"), &body(number), seed));
        members.collect()
    };
    let (right, names) = (layer(10), layer(90));
    // Seven bytes more in the first member.
    let mut body = noise(10, 60_000);
    body.splice(500..500, *b"another");
    let new = [member("app/0", &body, 10), right[60_416 + 512..].to_vec()].concat();
    let bytes = new.len() as u64;
    let of = profile(&new);
    let (has, called) = (of.shared(&profile(&right)), of.shared(&profile(&names)));
    assert!(has > bytes * 9 / 10 && has <= bytes, "{has} of {bytes}");
    assert!(called > bytes / 8 && called <= bytes * 3 / 10, "{called} of {bytes}");
    // Wherever it stands, whatever it is called.
    let elsewhere = [b"something in front", &right[..]].concat();
    assert!(of.shared(&profile(&elsewhere)) > bytes * 9 / 10);
    // What one base has counts for no other, and what it has not does.
    let mut left = of.clone();
    left.forget(&profile(&right));
    assert!(left.shared(&profile(&names)) < bytes / 20 && left.shared(&profile(&right)) < bytes / 20);
    let mut left = of.clone();
    left.forget(&profile(&right[..right.len() / 2]));
    let rest = left.shared(&profile(&right));
    assert!(rest > bytes * 2 / 5 && rest < bytes * 3 / 5, "{rest} of {bytes}");
    assert_eq!(of.bytes(), bytes);
    // Nothing in common, and nothing at all.
    assert_eq!(of.shared(&profile(&noise(500, 90_000))), 0);
    assert_eq!((profile(&[]).shared(&of), of.shared(&profile(&[]))), (0, 0));
}

#[test]
fn plains_of_any_sizes_are_compared_by_as_many_places_as_both_keep() {
    // More places than are kept of one of them, and few of the other.
    let large = noise(7, 6_000_000);
    let part = &large[2_000_000..2_300_000];
    let (whole, of_part) = (profile(&large), profile(part));
    let shared = of_part.shared(&whole);
    assert!(shared > 270_000 && shared <= 300_000, "{shared}");
    let shared = whole.shared(&of_part);
    assert!((200_000..400_000).contains(&shared), "{shared}");
    let mut left = whole.clone();
    left.forget(&of_part);
    let shared = left.shared(&whole);
    assert!((5_600_000..5_800_000).contains(&shared), "{shared}");
}

#[test]
fn what_is_known_of_a_base_is_the_same_beside_others() {
    let (one, other) = (
        noise(1, 200_000),
        [member("a", &noise(2, 90_000), 5), noise(3, 400)].concat(),
    );
    let new = [&other[..50_000], &one[70_000..150_000], b"x", &other[50_000..]].concat();
    let plains: Vec<&dyn BasePlain> = vec![&one, &other];
    let density = Density::of(plains.iter().map(|plain| plain.size()));
    let bases = plains.iter().map(|plain| KnownBase::read(*plain, density).unwrap());
    let bases: Vec<std::sync::Arc<KnownBase>> = bases.map(std::sync::Arc::new).collect();
    for base in &bases {
        assert!(base.memory() > 10_000 && base.memory() <= density.memory(200_000) + 4_000);
    }
    let script = |known: &Known| {
        let mut matcher = Matcher::new(&plains, known, new.len() as u64);
        let mut literals = Vec::new();
        matcher.feed(&new, &mut literals).unwrap();
        (matcher.group().script(&[Vec::new()]), literals.len())
    };
    let joined = script(&Known::joined(density, bases));
    assert_eq!(joined, script(&Known::of(&plains).unwrap()));
    assert!(joined.1 < 100, "{}", joined.1);
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
