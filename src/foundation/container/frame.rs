//! Stored chunks: plain bytes, or exactly one zstd frame whose header is checked before the decoder sees it.
//!
//! The zstd format allows windows of terabytes, chains of frames, skippable frames with hidden data and missing sizes; the
//! library's decoder accepts most of that in silence. None of it is accepted here (SPEC section 6, RFC 8878 section 3.1.1).

use std::io;

use super::kind::Kind;
use crate::domain::{Class, Error, Result, limits};

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// Makes stored chunks of plain ones.
pub(super) struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
}

impl Encoder {
    /// Makes an encoder of a compression level.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when the library refuses the parameters.
    pub(super) fn new(level: i32) -> Result<Self> {
        let internal = |error| Error::new(Class::Internal, "zstd", format!("zstd refuses its parameters: {error}"));
        let mut compressor = zstd::bulk::Compressor::new(level).map_err(internal)?;
        compressor.include_checksum(false).map_err(internal)?;
        compressor.include_contentsize(true).map_err(internal)?;
        Ok(Self { compressor })
    }

    /// Compresses a chunk into the buffer; returns the length, or nothing when that does not make it smaller.
    pub(super) fn encode(&mut self, plain: &[u8], buffer: &mut [u8]) -> Option<usize> {
        // A buffer one byte short of the plain size makes the library stop as soon as compression does not pay.
        let room = plain.len().checked_sub(1)?;
        let written = self
            .compressor
            .compress_to_buffer(plain, buffer.get_mut(..room)?)
            .ok()?;
        Some(written)
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

/// Makes plain chunks of stored ones.
pub(super) struct Decoder {
    kind: &'static Kind,
    decompressor: zstd::bulk::Decompressor<'static>,
}

impl Decoder {
    /// Makes a decoder.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when the library cannot start.
    pub(super) fn new(kind: &'static Kind) -> Result<Self> {
        zstd::bulk::Decompressor::new()
            .map(|decompressor| Self { kind, decompressor })
            .map_err(|error| Error::new(Class::Internal, "zstd", format!("zstd cannot start: {error}")))
    }

    /// Decodes a frame, whose stored hash was compared before, into exactly as many bytes as the buffer has.
    ///
    /// # Errors
    ///
    /// `E-LIMIT window`, `E-FORMAT non-canonical-frame`, and `E-INTEGRITY frame` when the data is not what the header says.
    pub(super) fn decode(&mut self, frame: &[u8], plain: &mut [u8]) -> Result<()> {
        check_header(self.kind, frame, plain.len() as u64)?;
        check_blocks(self.kind, frame)?;
        let decoded: io::Result<usize> = self.decompressor.decompress_to_buffer(frame, plain);
        match decoded {
            Ok(count) if count == plain.len() => Ok(()),
            Ok(_) => Err(damaged(self.kind, "the frame holds fewer bytes than it says")),
            Err(error) => Err(damaged(self.kind, &error.to_string())),
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

/// What the header of a frame says.
struct Header {
    single_segment: bool,
    window: u64,
    content: u64,
}

/// Returns the content size that a frame states, its magic number and flags checked.
///
/// # Errors
///
/// `E-FORMAT non-canonical-frame`.
pub(crate) fn stated_size(frame: &[u8]) -> Result<u64> {
    read_header(frame).map(|header| header.content)
}

/// Checks magic number, flags, window and content size; returns whether the frame is a single segment.
pub(super) fn check_header(kind: &Kind, frame: &[u8], plain: u64) -> Result<bool> {
    let header = read_header(frame)?;
    if header.window > 1 << limits::ZSTD_WINDOW_LOG {
        return Err(
            Error::new(Class::Limit, "window", "a zstd frame wants a window above 8 MiB")
                .expected("at most 8 MiB")
                .remedy(format!("have {} make the {} with airlock", kind.maker, kind.noun)),
        );
    }
    if header.content != plain {
        return Err(non_canonical(
            "the frame's content size is not the one that follows from the index",
        ));
    }
    Ok(header.single_segment)
}

fn read_header(frame: &[u8]) -> Result<Header> {
    let missing = || non_canonical("the frame's header is cut");
    let (magic, rest) = frame.split_at_checked(4).ok_or_else(missing)?;
    if magic != MAGIC {
        return Err(non_canonical("the chunk does not begin with a zstd frame"));
    }
    let (&descriptor, rest) = rest.split_first().ok_or_else(missing)?;
    let single_segment = descriptor & 0b10_0000 != 0;
    let size_flag = descriptor >> 6;
    // Bits 4 (unused), 3 (reserved), 2 (checksum) and 1–0 (dictionary id): the writer sets none of them.
    if descriptor & 0b1_1111 != 0 {
        return Err(non_canonical(
            "the frame's header sets bits that no airlock writer sets",
        ));
    }
    let (window, rest) = if single_segment {
        (None, rest)
    } else {
        let (&byte, rest) = rest.split_first().ok_or_else(missing)?;
        let base = 1_u64
            .checked_shl(u32::from(byte >> 3).saturating_add(10))
            .unwrap_or(u64::MAX);
        (
            Some(base.saturating_add((base >> 3).saturating_mul(u64::from(byte & 7)))),
            rest,
        )
    };
    let field = |length: usize| -> Result<u64> {
        let bytes = rest.get(..length).ok_or_else(missing)?;
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(u64::from_le_bytes(wide))
    };
    let content = match (size_flag, single_segment) {
        (0, false) => return Err(non_canonical("the frame does not state its content size")),
        (0, true) => field(1)?,
        (1, _) => field(2)?.saturating_add(256),
        (2, _) => field(4)?,
        _ => field(8)?,
    };
    Ok(Header {
        single_segment,
        window: window.unwrap_or(content),
        content,
    })
}

/// Walks the block headers only: nothing may stand behind the one frame.
pub(super) fn check_blocks(kind: &Kind, frame: &[u8]) -> Result<()> {
    match zstd::zstd_safe::find_frame_compressed_size(frame) {
        Ok(size) if size == frame.len() => Ok(()),
        Ok(_) => Err(non_canonical("something follows the frame")),
        Err(_) => Err(damaged(kind, "the frame's blocks do not add up")),
    }
}

pub(super) fn non_canonical(found: &str) -> Error {
    Error::new(Class::Format, "non-canonical-frame", found)
        .expected("exactly one zstd frame with its content size, no dictionary, nothing before or after")
}

pub(super) fn damaged(kind: &Kind, found: &str) -> Error {
    Error::new(
        Class::Integrity,
        "frame",
        format!("a chunk under a good hash does not decode: {found}"),
    )
    .remedy(format!(
        "ask {} for a {} made by another builder",
        kind.maker, kind.noun
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::tests::KIND;

    fn frame(plain: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; plain.len()];
        let length = Encoder::new(3).unwrap().encode(plain, &mut buffer).unwrap();
        buffer.truncate(length);
        buffer
    }

    fn decode(frame: &[u8], plain: usize) -> Result<Vec<u8>> {
        let mut out = vec![0; plain];
        Decoder::new(&KIND).unwrap().decode(frame, &mut out).map(|()| out)
    }

    #[test]
    fn frames_of_every_size_come_back() {
        for size in [100, 255, 256, 1000, 65_791, 65_792, 70_000, 4 << 20, 16 << 20] {
            let plain = vec![7; size];
            assert_eq!(decode(&frame(&plain), size).unwrap(), plain, "{size}");
        }
        let mut buffer = [0; 64];
        assert_eq!(Encoder::new(3).unwrap().encode(b"short and random", &mut buffer), None);
        assert_eq!(Encoder::new(3).unwrap().encode(b"", &mut buffer), None);
    }

    #[test]
    fn every_other_form_is_refused_with_its_class() {
        let good = frame(&[7; 1000]);
        let skippable = [&0x184D_2A50_u32.to_le_bytes()[..], &[4, 0, 0, 0, 1, 2, 3, 4]].concat();
        let with_descriptor = |flip: u8| {
            let mut bad = good.clone();
            bad[4] ^= flip;
            bad
        };
        let streamed = {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
            io::Write::write_all(&mut encoder, &[7; 1000]).unwrap();
            encoder.finish().unwrap()
        };
        let window = |byte: u8| [&MAGIC[..], &[0b1000_0000, byte, 0xe8, 3, 0, 0, 1, 0, 0]].concat();
        let huge_segment = [&MAGIC[..], &[0b1110_0000, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]].concat();
        for (bad, class) in [
            (good[..good.len() - 1].to_vec(), Class::Integrity),
            ([&good[..], &good[..]].concat(), Class::Format),
            ([&good[..], &skippable[..]].concat(), Class::Format),
            ([&skippable[..], &good[..]].concat(), Class::Format),
            ([&good[..], b"x"].concat(), Class::Format),
            (with_descriptor(0b1000), Class::Format),
            (with_descriptor(0b1), Class::Format),
            (with_descriptor(0b100), Class::Format),
            (streamed, Class::Format),
            (frame(&[7; 1001]), Class::Format),
            (window(0xff), Class::Limit),
            (window(21 << 3), Class::Limit),
            (huge_segment, Class::Limit),
            (Vec::new(), Class::Format),
            (b"\x25\xb5\x2f\xfd\0\0\0\0".to_vec(), Class::Format),
        ] {
            assert_eq!(decode(&bad, 1000).unwrap_err().class(), class, "{bad:02x?}");
        }
    }

    /// A thousand sevens as one run: magic number, descriptor, two bytes of content size, three of the block's header, and the byte.
    #[test]
    fn every_change_of_a_frame_has_its_outcome() {
        let good = [&MAGIC[..], &[0b0110_0000, 0xe8, 2, 0x43, 0x1f, 0, 7]].concat();
        assert_eq!(decode(&good, 1000).unwrap(), [7; 1000]);
        for at in 0..good.len() {
            for flip in 1..=255 {
                let mut bad = good.clone();
                bad[at] ^= flip;
                let found = decode(&bad, 1000).map_err(|error| (error.class(), error.code()));
                match at {
                    // A longer field of the size may say that it is huge, which is told first.
                    4 => assert!(
                        matches!(
                            found,
                            Err((Class::Format, "non-canonical-frame") | (Class::Limit, "window"))
                        ),
                        "{flip:x}: {found:?}"
                    ),
                    0..4 | 5..7 => assert_eq!(found, Err((Class::Format, "non-canonical-frame")), "{at} {flip:x}"),
                    // Another kind of block, another length, or more blocks to come: nothing that adds up.
                    7..10 => assert_eq!(found, Err((Class::Integrity, "frame")), "{at} {flip:x}"),
                    // What is said anew is read as it is said; that it is not what was packed is for the hashes to tell.
                    _ => assert_eq!(found, Ok(vec![7 ^ flip; 1000])),
                }
            }
        }
    }
}
