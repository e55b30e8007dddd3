//! What stands around a stream: a member's header, which is taken as it is, and its trailer.

use std::io::Read;

use super::source::{Fault, Source};

/// Bytes of a header that are read.
const LONGEST: usize = 1 << 20;

/// Whether a file begins as gzip does, with deflate.
pub fn is_gzip(begin: &[u8]) -> bool {
    begin.starts_with(&[0x1f, 0x8b, 8])
}

/// A member of a gzip file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its header, as it stands.
    pub header: Vec<u8>,
}

impl Member {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`Fault::Damaged`] if it is none of RFC 1952, or longer than a mebibyte.
    pub fn read<R: Read>(source: &mut Source<R>) -> Result<Self, Fault> {
        let mut header = Vec::new();
        take(source, &mut header, 10)?;
        let flags = header[3];
        if !is_gzip(&header) || flags & 0xe0 != 0 {
            return Err(Fault::Damaged);
        }
        if flags & 4 != 0 {
            take(source, &mut header, 2)?;
            let size = usize::from(u16::from_le_bytes([header[10], header[11]]));
            take(source, &mut header, size)?;
        }
        for flag in [8, 16] {
            if flags & flag != 0 {
                loop {
                    take(source, &mut header, 1)?;
                    if header.last() == Some(&0) {
                        break;
                    }
                }
            }
        }
        if flags & 2 != 0 {
            take(source, &mut header, 2)?;
        }
        Ok(Self { header })
    }

    /// Reads the trailer: what the member's end says of its plain.
    ///
    /// # Errors
    ///
    /// [`Fault::Cut`].
    pub fn trailer<R: Read>(source: &mut Source<R>) -> Result<[u8; 8], Fault> {
        source.align()?;
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            *byte = source.byte()?;
        }
        Ok(trailer)
    }
}

fn take<R: Read>(source: &mut Source<R>, header: &mut Vec<u8>, size: usize) -> Result<(), Fault> {
    for _ in 0..size {
        if header.len() == LONGEST {
            return Err(Fault::Damaged);
        }
        header.push(source.byte()?);
    }
    Ok(())
}
