//! Frames of travel forms: as those of chunks, but a single segment, and with a prefix (SPEC M-149, M-150).
//!
//! The prefix is raw content in front of the frame's own, whatever its first bytes: the library never parses it as a dictionary. A single
//! segment's window is its content, so that the prefix stays in reach to its last byte. Contexts borrow it, and live as long as one frame.
use zstd::zstd_safe::{CCtx, CParameter};
use zstd::zstd_safe::{DCtx, get_error_name};

use super::frame::{check_blocks, check_header, damaged, non_canonical};
use super::kind::Kind;
use crate::domain::{Class, Error, Result};

/// Checks all of a frame for so many plain bytes that can be checked without its prefix: its header, and that its blocks add up.
///
/// # Errors
///
/// `E-LIMIT window`, `E-FORMAT non-canonical-frame`, `E-INTEGRITY frame`.
pub(crate) fn check_prefixed(kind: &Kind, frame: &[u8], plain: u64) -> Result<()> {
    if !check_header(kind, frame, plain)? {
        return Err(non_canonical("the frame of a record is no single segment"));
    }
    check_blocks(kind, frame)
}

/// Decodes a frame, whose chunk's stored hash was compared before, into exactly as many bytes as the buffer has.
///
/// # Errors
///
/// `E-LIMIT window`, `E-FORMAT non-canonical-frame`, and `E-INTEGRITY frame` when the data is not what the header says.
pub(crate) fn decode_prefixed(kind: &Kind, frame: &[u8], prefix: &[u8], plain: &mut [u8]) -> Result<()> {
    check_prefixed(kind, frame, plain.len() as u64)?;
    let mut context = DCtx::try_create().ok_or_else(|| refused("it cannot start"))?;
    context
        .ref_prefix(prefix)
        .map_err(|code| refused(get_error_name(code)))?;
    match context.decompress(plain, frame) {
        Ok(count) if count == plain.len() => Ok(()),
        Ok(_) => Err(damaged(kind, "the frame holds fewer bytes than it says")),
        Err(code) => Err(damaged(kind, get_error_name(code))),
    }
}

/// Compresses a record into the buffer; returns the length, or nothing when that does not make it smaller.
///
/// # Errors
///
/// `E-INTERNAL` when the library refuses the parameters.
pub(crate) fn encode_prefixed(level: i32, prefix: &[u8], plain: &[u8], buffer: &mut [u8]) -> Result<Option<usize>> {
    /// Above the longest prefix and a record, so that every frame is a single segment and reaches all of its prefix.
    const WINDOW_LOG: u32 = 24;
    /// Of the levels that would have twice as many entries: each record's prefix is put in anew, and in a table that no cache holds that takes
    /// a fifth of the whole time, for 0.2 to 0.4 % of size.
    const HASH_LOG: u32 = 22;
    /// Levels from here on search in trees, whose tables are another matter.
    const TREES: i32 = 13;
    let mut context = CCtx::try_create().ok_or_else(|| refused("it cannot start"))?;
    for parameter in [
        CParameter::CompressionLevel(level),
        CParameter::WindowLog(WINDOW_LOG),
        CParameter::ContentSizeFlag(true),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
        CParameter::EnableLongDistanceMatching(false),
    ] {
        context
            .set_parameter(parameter)
            .map_err(|code| refused(get_error_name(code)))?;
    }
    if level < TREES {
        context
            .set_parameter(CParameter::HashLog(HASH_LOG))
            .map_err(|code| refused(get_error_name(code)))?;
    }
    context
        .ref_prefix(prefix)
        .map_err(|code| refused(get_error_name(code)))?;
    // A buffer one byte short of the plain size makes the library stop as soon as compression does not pay.
    let room = plain.len().saturating_sub(1).min(buffer.len());
    Ok(context
        .compress2(buffer.get_mut(..room).unwrap_or_default(), plain)
        .ok())
}

fn refused(found: &str) -> Error {
    Error::new(Class::Internal, "zstd", format!("zstd refuses its parameters: {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::tests::KIND;

    /// Bytes that no compressor makes smaller.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed;
        std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(length)
        .collect()
    }

    fn frame(prefix: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; plain.len()];
        let length = encode_prefixed(12, prefix, plain, &mut buffer).unwrap().unwrap();
        buffer.truncate(length);
        buffer
    }

    fn decode(frame: &[u8], prefix: &[u8], plain: usize) -> Result<Vec<u8>> {
        let mut out = vec![0; plain];
        decode_prefixed(&KIND, frame, prefix, &mut out).map(|()| out)
    }

    #[test]
    fn a_frame_reaches_the_first_byte_of_its_prefix_from_its_last() {
        // Nothing else that the tables could forget it for.
        let mut prefix = noise(1, 4096);
        prefix.resize(8 << 20, 0);
        let mut plain = vec![0; (4 << 20) - 4096];
        plain.extend_from_slice(&prefix[..4096]);
        let frame = frame(&prefix, &plain);
        assert!(frame.len() < 2000, "{}", frame.len());
        assert_eq!(
            frame[4], 0b1010_0000,
            "a single segment with four bytes of content size"
        );
        assert_eq!(decode(&frame, &prefix, plain.len()).unwrap(), plain);
        // Without its prefix it is another one, or none.
        let error = decode(&frame, &[], plain.len()).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Integrity, "frame"));
    }

    #[test]
    fn frames_of_every_size_are_single_segments() {
        for size in [2000, 65_536, 70_000, 1 << 20, 4 << 20] {
            let plain: Vec<u8> = b"airlock ".iter().copied().cycle().take(size).collect();
            let frame = frame(&plain[..size / 3], &plain);
            assert_eq!(frame[4] & 0b10_0000, 0b10_0000);
            assert_eq!(decode(&frame, &plain[..size / 3], size).unwrap(), plain);
        }
        let mut buffer = [0; 64];
        assert_eq!(
            encode_prefixed(12, b"", b"short and random", &mut buffer).unwrap(),
            None
        );
    }

    #[test]
    fn a_prefix_is_never_a_dictionary() {
        // The magic number of one, and what would be its identity.
        let prefix = [&0xEC30_A437_u32.to_le_bytes()[..], &[1, 0, 0, 0], &noise(3, 5000)].concat();
        let plain = [&prefix[..], &prefix[..]].concat();
        let frame = frame(&prefix, &plain);
        assert!(frame.len() < 200);
        assert_eq!(decode(&frame, &prefix, plain.len()).unwrap(), plain);
    }

    #[test]
    fn what_is_no_single_segment_is_refused() {
        let streamed = {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
            encoder.set_pledged_src_size(Some(100_000)).unwrap();
            encoder.include_contentsize(true).unwrap();
            encoder.window_log(15).unwrap();
            std::io::Write::write_all(&mut encoder, &vec![7; 100_000]).unwrap();
            encoder.finish().unwrap()
        };
        let error = decode(&streamed, b"", 100_000).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Format, "non-canonical-frame"));
    }
}
