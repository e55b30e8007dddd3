//! Reads that end at a limit with an error, never with silence.

use std::io::{self, Read};

use crate::domain::{Class, Error, Result};

/// Reads everything, at most `limit` bytes.
///
/// # Errors
///
/// `E-LIMIT` when there is more, `E-IO` when reading fails.
pub fn read_bounded(reader: impl Read, limit: u64, what: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "the bounded helper itself")]
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Error::new(Class::Io, "io", format!("cannot read {what}: {error}")).with_source(error))?;
    if bytes.len() as u64 > limit {
        return Err(
            Error::new(Class::Limit, "size", format!("{what} has more than {limit} bytes"))
                .expected(format!("at most {limit}")),
        );
    }
    // It grew by doubling, and much of what is read so is kept for long.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// Fills the buffer as far as the input goes and returns how far that was: less than its length means end of input.
///
/// # Errors
///
/// Those of the reader; interruptions are tried again.
pub fn read_exact_or_end(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_fits_and_one_more_does_not() {
        assert_eq!(read_bounded(&[1, 2, 3][..], 3, "x").unwrap(), [1, 2, 3]);
        assert_eq!(read_bounded(&[1, 2, 3][..], 2, "x").unwrap_err().class(), Class::Limit);
    }
}
