//! Scripts: written, judged and applied; refused by the rule that they break.

use proptest::prelude::*;

use super::*;

/// The head of a tar member with this time and size, its checksum right.
fn head(time: u64, size: u64) -> [u8; HEAD] {
    let mut block = [0; HEAD];
    block[..4].copy_from_slice(b"name");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(format!("{time:011o} ").as_bytes());
    block[148..156].copy_from_slice(b"        ");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// What a judged script makes of these bases and literals, which come in parts of so many bytes.
fn applied(judged: Judged, bases: &[&[u8]], literals: &[u8], part: usize) -> Result<Vec<u8>, Fault> {
    let mut applier = Applier::new(judged);
    let mut made = Vec::new();
    let none: &[u8] = &[];
    for part in std::iter::once(none).chain(literals.chunks(part)) {
        applier.apply(
            part,
            |base, offset, bytes: &mut [u8]| {
                let from = usize::try_from(offset).unwrap();
                bytes.copy_from_slice(&bases[base][from..from + bytes.len()]);
                Ok(())
            },
            |bytes: &[u8]| {
                made.extend_from_slice(bytes);
                Ok(())
            },
        )?;
    }
    Ok(made)
}

fn stretch(base: usize, offset: u64, length: u64) -> Stretch {
    Stretch { base, offset, length }
}

#[test]
fn a_script_is_what_the_page_says_and_makes_what_it_says() {
    let mut writer = Writer::default();
    writer.copy(stretch(0, 10, 3));
    writer.copy(stretch(0, 13, 2));
    writer.literal(3);
    writer.literal(1);
    // Replaced bytes move both sides: the distance is 0.
    writer.copy(stretch(0, 19, 5));
    writer.copy(stretch(1, 2, 4));
    writer.head(1, 6, 7, -1);
    writer.head(1, 518, 5, 0);
    assert_eq!(writer.literals(), 4);
    let script = writer.finish(&[vec![stretch(1, 100, 50), stretch(0, 5, 6)]]);
    #[rustfmt::skip]
    let expected = [
        4, 2, 1, 200, 1, 50, 0, 0xa1, 2, 6,
        // 5 bytes from 10 on; 4 literal ones; 5 more, where both sides are
        5 << 2 | 1, 20, 4 << 2, 5 << 2 | 1, 0,
        // another base, 4 bytes from 2 on; heads
        1 << 2 | 3, 4 << 2 | 1, 4, 1 << 2 | 2, 0, 14, 2, 0, 3,
    ];
    assert_eq!(script, expected);
    let first: Vec<u8> = (0..30).collect();
    let mut second = vec![9; 6];
    second.extend_from_slice(&head(1000, 100));
    second.extend_from_slice(&head(2000, 0));
    let plain = 5 + 4 + 5 + 4 + 2 * 512;
    let judged = judge(script, plain, &[30, second.len() as u64]).unwrap();
    assert_eq!(judged.literals(), 4);
    let ranges: Vec<_> = judged.ranges().collect();
    assert_eq!(ranges, [[stretch(1, 100, 50), stretch(0, 5, 6)]]);
    let mut wanted = first[10..15].to_vec();
    wanted.extend_from_slice(b"abcd");
    wanted.extend_from_slice(&first[19..24]);
    wanted.extend_from_slice(&second[2..6]);
    wanted.extend_from_slice(&head(1007, 99));
    wanted.extend_from_slice(&head(2005, 0));
    for part in [1, 3, 4] {
        assert_eq!(
            applied(judged.clone(), &[&first, &second], b"abcd", part),
            Ok(wanted.clone())
        );
    }
    assert_eq!(
        applied(judged, &[&first, &second], b"abcde", 9),
        Err(Fault::Script("literal bytes that no operation takes"))
    );
}

#[test]
fn what_breaks_a_rule_is_refused_before_anything_is_made() {
    let refused = |script: &[u8], plain, bases: &[u64]| judge(script.to_vec(), plain, bases).unwrap_err();
    let script = |script: &[u8]| matches!(refused(script, 8, &[100]), Fault::Script(_));
    // The twin of those below: 3 literal bytes behind no range, 5 copied.
    assert!(judge(vec![3, 0, 3 << 2, 5 << 2 | 1, 0], 8, &[100]).is_ok());
    for wrong in [
        &[][..],
        &[0x80, 0],
        // cut, or more than there is
        &[3],
        &[3, 0, 3 << 2, 5 << 2 | 1],
        &[3, 1, 0, 0],
        // literals and plain of another number
        &[9, 0, 9 << 2],
        &[3, 0, 2 << 2, 6 << 2 | 1, 0],
        &[3, 0, 3 << 2, 4 << 2 | 1, 0],
        &[3, 0, 3 << 2, 6 << 2 | 1, 0],
        // nothing
        &[3, 0, 0, 3 << 2, 5 << 2 | 1, 0],
        &[3, 0, 3 << 2, 1, 0, 5 << 2 | 1, 0],
        &[3, 1, 0, 0, 0, 3 << 2, 5 << 2 | 1, 0],
        // before the base, behind it, of a base that is not there
        &[0, 8 << 2 | 1, 1],
        &[0, 8 << 2 | 1, 0xba, 1],
        &[0, 1 << 2 | 3, 8 << 2 | 1, 0],
        &[0, 8 << 2 | 3, 8 << 2 | 1, 0],
        &[3, 1, 1, 0, 5, 3 << 2, 5 << 2 | 1, 0],
        &[3, 1, 0, 0, 101, 3 << 2, 5 << 2 | 1, 0],
        &[3, 1, 8, 0, 5, 3 << 2, 5 << 2 | 1, 0],
    ] {
        assert!(script(wrong), "{wrong:?}");
    }
    // A group of copies only, up to the last byte.
    assert!(judge(vec![0, 8 << 2 | 1, 0xb8, 1], 8, &[100]).is_ok());
    // A head needs 512 bytes in its base.
    assert!(judge(vec![0, 2, 0, 0], 512, &[512]).is_ok());
    assert!(matches!(refused(&[0, 2, 0, 0], 512, &[511]), Fault::Script(_)));
    // Ranges: so many, and so many bytes.
    let many = |count: u64, length: u64| {
        let ranges = vec![stretch(0, 0, length); usize::try_from(count).unwrap()];
        let mut writer = Writer::default();
        writer.literal(8);
        judge(writer.finish(&[ranges]), 8, &[5 << 20])
    };
    assert!(many(RANGES, 256).is_ok() && many(1, RANGE_BYTES).is_ok());
    assert!(matches!(many(RANGES + 1, 1), Err(Fault::Ranges(_))));
    assert!(matches!(many(1, RANGE_BYTES + 1), Err(Fault::Ranges(_))));
}

#[test]
fn a_head_is_told_anew_where_its_fields_are_written_so_and_nowhere_else() {
    assert_eq!(retold(&head(1000, 100), 5, -100), Some(head(1005, 0)));
    assert_eq!(retold(&head(0, 0), 0, 0), Some(head(0, 0)));
    let largest = (1 << 33) - 1;
    assert_eq!(retold(&head(0, 0), largest, 1), Some(head(largest.cast_unsigned(), 1)));
    assert_eq!(retold(&head(1, 0), largest, 0), None);
    assert_eq!(retold(&head(1, 0), -2, 0), None);
    assert_eq!(retold(&head(1, 0), i64::MIN, i64::MAX), None);
    for (at, byte) in [
        (0, b'x'),
        (124, b' '),
        (130, b'8'),
        (135, b'0'),
        (147, b'1'),
        (148, b' '),
        (154, b'0'),
        (155, 0),
    ] {
        let mut other = head(1000, 100);
        other[at] = byte;
        if !(148..156).contains(&at) && at != 0 {
            // The sum is made right again, so that the field alone is wrong.
            other[148..156].copy_from_slice(b"        ");
            let sum: u64 = other.iter().map(|byte| u64::from(*byte)).sum();
            other[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        assert_eq!(retold(&other, 1, 1), None, "{at}");
    }
    let judged = judge(vec![0, 2, 0, 0], 512, &[512]).unwrap();
    assert_eq!(applied(judged, &[&[0; 512]], &[], 1), Err(Fault::Head));
}

/// Steps of a script: literal bytes, or a stretch of one of two bases.
fn steps() -> impl Strategy<Value = Vec<(Option<usize>, u64, u64)>> {
    let step = (proptest::option::of(0..2_usize), 0..900_u64, 1..100_u64);
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn what_was_written_is_judged_right_and_comes_out(steps in steps(), part in 1..200_usize) {
        let bases = [250, 12].map(|last: u8| (0..=last).cycle().take(1000).collect::<Vec<u8>>());
        let (mut writer, mut literals, mut wanted) = (Writer::default(), Vec::new(), Vec::new());
        for (base, offset, length) in steps {
            let from = usize::try_from(offset).unwrap()..usize::try_from(offset + length).unwrap();
            if let Some(base) = base {
                writer.copy(stretch(base, offset, length));
                wanted.extend_from_slice(&bases[base][from]);
            } else {
                writer.literal(length);
                let bytes = vec![offset.to_le_bytes()[0]; from.len()];
                literals.extend_from_slice(&bytes);
                wanted.extend_from_slice(&bytes);
            }
        }
        let ranges = vec![Vec::new(); usize::from(!literals.is_empty())];
        let judged = judge(writer.finish(&ranges), wanted.len() as u64, &[1000, 1000]).unwrap();
        prop_assert_eq!(applied(judged, &[&bases[0], &bases[1]], &literals, part), Ok(wanted));
    }

    #[test]
    fn arbitrary_bytes_are_judged_and_never_trusted(bytes in proptest::collection::vec(any::<u8>(), 0..60), plain in 0..2000_u64) {
        if let Ok(judged) = judge(bytes, plain, &[1000, 600]) {
            let literals = vec![7; usize::try_from(judged.literals()).unwrap()];
            match applied(judged, &[&[1; 1000], &[2; 600]], &literals, 64) {
                Ok(made) => prop_assert_eq!(made.len() as u64, plain),
                Err(fault) => prop_assert_eq!(fault, Fault::Head),
            }
        }
    }
}
