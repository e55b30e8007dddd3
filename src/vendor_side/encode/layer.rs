//! A layer that is read more than once: from its source where that is near, else from a copy in a file without a name.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::shelf::{Shelf, Stretch};
use crate::bundle::BlobSource as _;
use crate::collect::Sources;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::read_exact_or_end;

/// A layer whose digest was compared.
pub(super) struct Layer<'a> {
    digest: Digest,
    size: u64,
    place: Place<'a>,
}

enum Place<'a> {
    Source(&'a Sources),
    /// And where it begins there.
    Copy(Arc<File>, u64),
}

impl<'a> Layer<'a> {
    /// Reads a layer to its end, and makes a copy where `copies` is given.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY source`; `E-IO` and `E-SPACE` of both ends.
    pub(super) fn read(
        digest: Digest,
        size: u64,
        mut reader: impl Read,
        sources: &'a Sources,
        copies: Option<&Shelf>,
    ) -> Result<Self> {
        match copies {
            None => {
                compare(digest, size, &mut reader, &mut io::sink())?;
                let place = Place::Source(sources);
                Ok(Self { digest, size, place })
            }
            Some(copies) => {
                compare(digest, size, &mut reader, &mut copies.writer()?)?;
                let place = Place::Copy(copies.file(), copies.end());
                Ok(Self { digest, size, place })
            }
        }
    }

    /// Opens it at its beginning.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.place {
            Place::Source(sources) => sources.open(&self.digest, self.size).map_err(io::Error::other),
            Place::Copy(file, start) => Ok(Box::new(Stretch::new(Arc::clone(file), *start, self.size))),
        }
    }

    /// Opens it, and tells of every part that is read.
    pub(super) fn open_telling<'t>(&self, told: &'t RefCell<&'t mut dyn FnMut()>) -> io::Result<Telling<'t>> {
        let reader = self.open()?;
        Ok(Telling { reader, told })
    }
}

/// A reader that tells that it reads.
pub(super) struct Telling<'t> {
    reader: Box<dyn Read + Send>,
    told: &'t RefCell<&'t mut dyn FnMut()>,
}

impl Read for Telling<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.told.borrow_mut())();
        self.reader.read(buffer)
    }
}

/// What a source failed with, as it was.
pub(super) fn unreadable(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io("read", Path::new("a layer"), error),
    }
}

/// Reads a layer, compares it, and writes it on.
pub(super) fn compare(digest: Digest, size: u64, reader: &mut dyn Read, out: &mut dyn Write) -> Result<()> {
    let wrong = |what: &str| {
        Error::new(Class::Integrity, "source", format!("the source of {digest} {what}"))
            .expected(format!("{size} bytes with that digest"))
            .remedy("check the source; it changed or is damaged")
    };
    let (mut hash, mut all) = (Sha256::new(), 0_u64);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = read_exact_or_end(reader, &mut buffer).map_err(unreadable)?;
        let came = buffer.get(..count).unwrap_or_default();
        all = all.saturating_add(count as u64);
        if all > size {
            return Err(wrong("is longer than stated"));
        }
        hash.update(came);
        out.write_all(came)
            .map_err(|error| Error::io("write", Path::new("the copy of a layer"), error))?;
        if count < buffer.len() {
            break;
        }
    }
    if all < size {
        return Err(wrong("ends too early"));
    }
    if Digest(Hash(hash.finalize().into())) == digest {
        Ok(())
    } else {
        Err(wrong("holds other content"))
    }
}
