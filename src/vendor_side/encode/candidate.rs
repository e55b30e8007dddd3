//! Which layers may become smaller: judged by their size and first bytes.

use super::report::Reason;

/// Smaller ones travel as they are: they are packed with their neighbours.
const LEAST: u64 = 64 << 10;
/// First bytes that are looked at.
pub(super) const MAGIC: usize = 6;

/// What the size of a layer says.
///
/// # Errors
///
/// The reason to leave it as it is.
pub(super) fn by_size(size: u64) -> Result<(), Reason> {
    if size < LEAST { Err(Reason::Small) } else { Ok(()) }
}

/// What a layer is, as far as its encoding goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Its plain is what it is.
    Plain,
    /// A gzip file, whose plain is what is compressed in it.
    Gzip,
}

/// What the first bytes of a layer say.
///
/// # Errors
///
/// The reason to leave it as it is.
pub(super) fn by_magic(first: &[u8]) -> Result<Content, Reason> {
    const COMPRESSED: [&[u8]; 4] = [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"PK\x03\x04"];
    if first.starts_with(b"\x1f\x8b") {
        return Ok(Content::Gzip);
    }
    if COMPRESSED.iter().any(|magic| first.starts_with(magic)) {
        return Err(Reason::Compressed);
    }
    Ok(Content::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_is_known_by_its_first_bytes() {
        assert_eq!(by_magic(b"\x1f\x8b\x08\0\0\0"), Ok(Content::Gzip));
        for magic in [b"\x28\xb5\x2f\xfd\xa0\0", b"\xfd7zXZ\0", b"BZh91A", b"PK\x03\x04\0\0"] {
            assert_eq!(by_magic(magic), Err(Reason::Compressed));
        }
        assert_eq!(by_magic(b"usr/bi"), Ok(Content::Plain));
        assert_eq!(by_magic(b"\xfd7zXX\0"), Ok(Content::Plain));
        assert_eq!(by_size(65_535), Err(Reason::Small));
        assert_eq!(by_size(65_536), Ok(()));
    }
}
