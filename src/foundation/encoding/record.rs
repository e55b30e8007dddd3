//! A record: four bytes of head, then the plain bytes themselves or one zstd frame (SPEC M-148, M-151).

use super::plain_cut::RECORD;
use crate::container::{Kind, decode_prefixed, stated_size};
use crate::domain::{Class, Error, Result, limits};

/// Bytes of a record's head.
pub(super) const HEAD: usize = 4;
/// Says in a head that the body is the plain bytes themselves.
const RAW: u32 = 1 << 31;

/// What says how the blob is made, in a record of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// How a gzip file is made of its plain.
    Recipe,
    /// How a group of the plain is made of bases.
    Script,
}

impl Told {
    fn noun(self) -> &'static str {
        match self {
            Self::Recipe => "recipe",
            Self::Script => "script",
        }
    }

    fn of_another_size(self, size: u64) -> Error {
        let expected = format!("1 to {}", limits::RECIPE_BYTES);
        match self {
            Self::Recipe => Error::new(Class::Limit, "recipe-size", format!("a recipe of {size} bytes"))
                .expected(expected)
                .remedy("ask the vendor for a bundle made with --encodings none"),
            Self::Script => Error::new(Class::Limit, "script-size", format!("a script of {size} bytes"))
                .expected(expected)
                .remedy("ask the vendor for a bundle made with --encodings none"),
        }
    }
}

/// What a record's head says, found to fit what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHead {
    /// Whether the body is the plain bytes themselves.
    pub(super) raw: bool,
    /// Bytes of the body.
    pub(super) body: usize,
}

impl RecordHead {
    /// Judges a head: `left` bytes of the travel form stand behind it, and the record's plain has `plain`.
    ///
    /// # Errors
    ///
    /// `E-FORMAT travel`.
    pub(super) fn read(bytes: [u8; HEAD], left: u64, plain: u64) -> Result<Self> {
        let word = u32::from_le_bytes(bytes);
        let (raw, length) = (word & RAW != 0, word & !RAW);
        let body = u64::from(length);
        if body == 0 || body > RECORD {
            return Err(wrong(format!("a record of {body} bytes")));
        }
        if body > left {
            return Err(wrong(format!("a record of {body} bytes where {left} are left")));
        }
        if raw && body != plain {
            return Err(wrong(format!("{body} plain bytes in a record of {plain}")));
        }
        if !raw && body >= plain {
            return Err(wrong(format!("a frame of {body} bytes for {plain} plain ones")));
        }
        Ok(Self {
            raw,
            body: usize::try_from(length).unwrap_or(usize::MAX),
        })
    }

    /// Judges the head of a recipe or script, whose plain is not known yet.
    ///
    /// # Errors
    ///
    /// `E-FORMAT travel`.
    pub(super) fn read_unsized(bytes: [u8; HEAD], left: u64) -> Result<Self> {
        let raw = u32::from_le_bytes(bytes) & RAW != 0;
        let body = u64::from(u32::from_le_bytes(bytes) & !RAW);
        Self::read(bytes, left, if raw { body } else { u64::MAX })
    }

    /// Returns the recipe or script in a body.
    ///
    /// # Errors
    ///
    /// `E-LIMIT recipe-size` and `script-size`; `E-FORMAT travel` and `non-canonical-frame`; `E-INTEGRITY frame`.
    pub(super) fn told(self, kind: &Kind, what: Told, body: &[u8]) -> Result<Vec<u8>> {
        let size = if self.raw {
            body.len() as u64
        } else {
            stated_size(body)?
        };
        if !(1..=limits::RECIPE_BYTES).contains(&size) {
            return Err(what.of_another_size(size));
        }
        if self.raw {
            return Ok(body.to_vec());
        }
        if body.len() as u64 >= size {
            return Err(wrong(format!(
                "a frame of {} bytes for a {} of {size}",
                body.len(),
                what.noun()
            )));
        }
        let mut told = vec![0; usize::try_from(size).unwrap_or(0)];
        decode_prefixed(kind, body, &[], &mut told)?;
        Ok(told)
    }

    /// Returns the head of a body of at most [`RECORD`] bytes.
    pub(super) fn bytes(raw: bool, body: usize) -> [u8; HEAD] {
        let length = u32::try_from(body).unwrap_or(RAW);
        (if raw { length | RAW } else { length }).to_le_bytes()
    }
}

/// A travel form that is not the one that its line and the rules give.
pub(super) fn wrong(found: impl std::fmt::Display) -> Error {
    Error::new(Class::Format, "travel", format!("a travel form holds {found}"))
        .expected("exactly the records that follow from its index line")
        .remedy("ask the vendor for a bundle made with --encodings none, and tell them that this one was built wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_fits_what_is_left_and_what_it_makes() {
        let read = |word: u32, left, plain| {
            RecordHead::read(word.to_le_bytes(), left, plain).map_err(|error| (error.class(), error.code()))
        };
        let travel = Err((Class::Format, "travel"));
        assert_eq!(read(9, 9, 10), Ok(RecordHead { raw: false, body: 9 }));
        assert_eq!(read(9 | RAW, 9, 9), Ok(RecordHead { raw: true, body: 9 }));
        for (word, left, plain) in [
            (0, 9, 10),
            (RAW, 9, 10),
            (9, 8, 10),
            (9, 9, 9),
            (10, 10, 9),
            (9 | RAW, 9, 10),
            (9 | RAW, 9, 8),
            (9 | RAW, 8, 9),
            ((4 << 20) + 1, 1 << 30, 1 << 30),
            (RAW - 1, 1 << 40, 1 << 40),
        ] {
            assert_eq!(read(word, left, plain), travel, "{word:x}");
        }
        assert_eq!(read(4 << 20, 4 << 20, (4 << 20) + 1).map(|head| head.body), Ok(4 << 20));
    }
}
