//! The outer form of an age file: what everybody can check who has no key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Longest header, its last line included.
const HEADER_BYTES: usize = 4096;
/// Most stanzas, those for others included.
const STANZAS: usize = 8;
/// Bytes of a full line of a stanza's body.
const COLUMNS: usize = 64;
/// First line.
pub(super) const VERSION: &[u8] = b"age-encryption.org/v1";
/// Bytes of plain text in a chunk of the payload.
pub(super) const CHUNK_BYTES: usize = 64 << 10;
/// Bytes that a chunk is longer than its plain text.
pub(super) const TAG_BYTES: usize = 16;
/// Bytes in front of the chunks.
pub(super) const NONCE_BYTES: usize = 16;
/// Plain texts are as many of these as they need.
pub(super) const UNIT_BYTES: usize = 1024;

/// An age file, cut into its parts.
#[derive(Debug)]
pub(super) struct AgeFile<'a> {
    /// What the code of the header covers.
    pub(super) covered: &'a [u8],
    /// The code.
    pub(super) code: [u8; 32],
    /// The sender's public key for this file.
    pub(super) share: [u8; 32],
    /// The file's key, encrypted.
    pub(super) wrapped: [u8; 32],
    /// In front of the chunks.
    pub(super) nonce: [u8; NONCE_BYTES],
    /// The chunks.
    pub(super) chunks: &'a [u8],
}

impl<'a> AgeFile<'a> {
    /// Cuts a file. What is in it is not known without the key.
    ///
    /// # Errors
    ///
    /// What is wrong with its form, as the end of a sentence.
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, &'static str> {
        let head = file.get(..HEADER_BYTES).unwrap_or(file);
        let mut rest = head;
        if line(&mut rest)? != VERSION {
            return Err("is no age file of version 1");
        }
        let mut own = None;
        let mut stanzas = 0_usize;
        let (covered, code) = loop {
            let begin = head.len().saturating_sub(rest.len());
            let first = line(&mut rest)?;
            if let Some(code) = first.strip_prefix(b"--- ") {
                let covered = file.get(..begin.saturating_add(3)).unwrap_or_default();
                break (covered, bytes_32(code).ok_or("has a header code that is not 32 bytes")?);
            }
            stanzas = stanzas.saturating_add(1);
            if stanzas > STANZAS {
                return Err("has more than 8 recipient stanzas");
            }
            let arguments = first.strip_prefix(b"-> ").ok_or("has a line that is no stanza")?;
            let arguments: Vec<&[u8]> = arguments.split(|byte| *byte == b' ').collect();
            let is_word = |word: &&[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
            if !arguments.iter().all(is_word) {
                return Err("has a stanza whose arguments are not words");
            }
            let body = body(&mut rest)?;
            match *arguments.as_slice() {
                [b"scrypt", ..] => return Err("is encrypted with a passphrase"),
                [b"X25519", share] if own.is_none() => {
                    let share = bytes_32(share).ok_or("has an X25519 share that is not 32 bytes")?;
                    // The body of 32 bytes is one short line.
                    let wrapped = body.and_then(bytes_32);
                    own = Some((share, wrapped.ok_or("has an X25519 body that is not 32 bytes")?));
                }
                [b"X25519", ..] => return Err("has not exactly one X25519 stanza of two arguments"),
                _ => {}
            }
        };
        let (share, wrapped) = own.ok_or("has no X25519 stanza")?;
        let header_bytes = head.len().saturating_sub(rest.len());
        let payload = file.get(header_bytes..).unwrap_or_default();
        let (nonce, chunks) = payload.split_first_chunk().ok_or("ends within its nonce")?;
        let plain = plain_bytes(chunks.len()).ok_or("has a last chunk that is cut")?;
        if plain == 0 || !plain.is_multiple_of(UNIT_BYTES) {
            return Err("is not padded to a multiple of 1,024 bytes");
        }
        Ok(Self {
            covered,
            code,
            share,
            wrapped,
            nonce: *nonce,
            chunks,
        })
    }
}

/// Bytes of plain text in so many bytes of chunks; nothing where no writer ends.
fn plain_bytes(chunks: usize) -> Option<usize> {
    let full = CHUNK_BYTES.saturating_add(TAG_BYTES);
    let count = chunks.div_ceil(full);
    let last = chunks.checked_sub(count.checked_sub(1)?.saturating_mul(full))?;
    if last <= TAG_BYTES {
        return None;
    }
    Some(chunks.saturating_sub(count.saturating_mul(TAG_BYTES)))
}

/// Takes the next line.
fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (Some(line), Some(after)) = (parts.next(), parts.next()) else {
        return Err("has no header of at most 4,096 bytes");
    };
    *rest = after;
    Ok(line)
}

/// Takes the body of a stanza, up to its first short line; returns it where it is that one line.
fn body<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let mut full = false;
    loop {
        let line = line(rest)?;
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if line.len() > COLUMNS || !line.iter().all(is_base64) {
            return Err("has a stanza whose body is no base64 in lines of 64");
        }
        if line.len() < COLUMNS {
            return Ok((!full).then_some(line));
        }
        full = true;
    }
}

/// Reads 32 bytes in the one form of base64 that age writes.
fn bytes_32(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 43 {
        return None;
    }
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, payload: usize) -> Vec<u8> {
        let mut file = header.as_bytes().to_vec();
        file.resize(file.len() + payload, 7);
        file
    }

    fn reason(header: &str, payload: usize) -> Option<&'static str> {
        AgeFile::parse(&file(header, payload)).err()
    }

    const ONE: usize = NONCE_BYTES + UNIT_BYTES + TAG_BYTES;

    /// M-123 of the specification.
    #[test]
    fn one_x25519_stanza_stands_among_others_and_nothing_is_left_open() {
        let zero = "A".repeat(43);
        let own = format!("-> X25519 {zero}\n{zero}\n");
        let end = format!("--- {zero}\n");
        let whole = |stanzas: &str| format!("age-encryption.org/v1\n{stanzas}{end}");
        let grease = format!("-> x-grease a {{b\n{}\nAA\n-> short\n\n", "A".repeat(64));
        let good = whole(&format!("{grease}{own}"));
        let bytes = file(&good, ONE);
        let parsed = AgeFile::parse(&bytes).unwrap();
        assert_eq!(parsed.covered, &good.as_bytes()[..good.len() - 45]);
        assert_eq!((parsed.nonce, parsed.chunks.len()), ([7; 16], UNIT_BYTES + TAG_BYTES));
        let long = format!("-> x {}\n\n", "y".repeat(4096));
        for (header, says) in [
            (whole(""), "no X25519"),
            (whole(&own.repeat(2)), "exactly one"),
            (whole(&format!("-> scrypt a 18\n\n{own}")), "passphrase"),
            (whole(&format!("{}{own}", "-> x\n\n".repeat(8))), "more than 8"),
            (whole(&format!("{long}{own}")), "4,096"),
            (whole(&own.replace("-> X25519", "-> X25519 x")), "exactly one"),
            (whole(&own.replacen("-> X25519 AA", "-> X25519 A", 1)), "share"),
            (whole(&own.replacen("\nAA", "\nA", 1)), "body"),
            (whole(&own.replacen("AAA\n", "AAB\n", 1)), "share"),
            (whole(&own.replace("X25519 ", "X25519  ")), "words"),
            (whole(&own.replace("-> X", "->X")), "no stanza"),
            (whole(&format!("-> x\n{}=\n{own}", "A".repeat(43))), "base64"),
            (good.replace("org/v1", "org/v2"), "version 1"),
            (good.replace("--- A", "--- "), "code"),
            (good.trim_end().to_owned(), "4,096"),
        ] {
            // Without a line feed in the payload, as it might complete what is cut.
            assert!(
                reason(&header, ONE).is_some_and(|reason| reason.contains(says)),
                "{header}"
            );
        }
    }

    #[test]
    fn payloads_end_where_chunks_end_and_plain_texts_are_padded() {
        let zero = "A".repeat(43);
        let header = format!("age-encryption.org/v1\n-> X25519 {zero}\n{zero}\n--- {zero}\n");
        let full = CHUNK_BYTES + TAG_BYTES;
        for good in [ONE, NONCE_BYTES + full, full + ONE] {
            assert_eq!(reason(&header, good), None, "{good}");
        }
        for bad in [
            0,
            NONCE_BYTES - 1,
            NONCE_BYTES,
            NONCE_BYTES + TAG_BYTES,
            ONE - 1,
            ONE + 1,
            NONCE_BYTES + full + 1,
            NONCE_BYTES + full + TAG_BYTES,
        ] {
            assert!(reason(&header, bad).is_some(), "{bad}");
        }
    }
}
