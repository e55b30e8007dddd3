//! The blobs that parts of a plain are copied from, opened: each one's plain is read at random (SPEC M-161, M-162).
//!
//! A base that is its own plain is read where it lies. Of a gzip file the plain is written once into a file without a name, where it stays for
//! as long as blobs name it ([`Unpacked`]), and the file is compared on the way: what was whole a moment ago may be something else by now.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::unpacked::Unpacked;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::inflate::{Fault, Inflater, Member, Source};

/// A base, as the index has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// The blob.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Bytes of the plain that is compressed in it; nothing where it is its own plain.
    pub inflated: Option<u64>,
    /// Whether the bundle carries it; else it is needed.
    pub carried: bool,
}

/// A base that was opened: a file, and where it begins there.
pub type OpenedBase = (Arc<File>, u64);

/// The plains of a blob's bases.
#[derive(Debug)]
pub struct BasePlains(Vec<OpenedBase>);

impl Base {
    /// Returns the bytes of its plain.
    pub fn plain_size(&self) -> u64 {
        self.inflated.unwrap_or(self.size)
    }
}

impl BasePlains {
    /// Opens bases, in their order; nothing where one of them is not at hand. `file` opens one that was not `unpacked` before; what is unpacked
    /// goes into a file without a name in a folder.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY base-plain` where a gzip file has another plain than was signed, `E-STATE base-damaged` where the file is another one;
    /// `E-IO`, `E-SPACE`; those of `file`.
    pub fn open(
        bases: &[Base],
        file: &mut dyn FnMut(&Base) -> Result<Option<OpenedBase>>,
        folder: &Path,
        unpacked: &mut Unpacked,
    ) -> Result<Option<Self>> {
        // All of them first: nothing is inflated for a blob that is not made.
        let mut found = Vec::with_capacity(bases.len());
        for base in bases {
            let plain = unpacked.find(base);
            let is_plain = plain.is_some() || base.inflated.is_none();
            match plain.map_or_else(|| file(base), |plain| Ok(Some(plain)))? {
                Some(opened) => found.push((opened, base.inflated.filter(|_| !is_plain))),
                None => return Ok(None),
            }
        }
        let plain = |(base, (opened, to_inflate)): (&Base, (OpenedBase, Option<u64>))| match to_inflate {
            Some(size) => unpacked.make(base, size, &opened, folder),
            None => Ok(opened),
        };
        let plains: Result<Vec<OpenedBase>> = bases.iter().zip(found).map(plain).collect();
        plains.map(|plains| Some(Self(plains)))
    }

    /// Plains that are at hand, in the order of their bases.
    pub fn of(plains: impl IntoIterator<Item = OpenedBase>) -> Self {
        Self(plains.into_iter().collect())
    }

    /// Fills the buffer with bytes of a base's plain.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-STATE base-damaged` where the file ends before them.
    pub(super) fn read(&self, base: usize, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let unreadable = |error| Error::io("read", Path::new("the base of a blob"), error);
        let (file, start) = self
            .0
            .get(base)
            .ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))?;
        file.read_exact_at(buffer, start.saturating_add(offset))
            .map_err(|error| {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    changed("a base of a blob")
                } else {
                    unreadable(error)
                }
            })
    }
}

/// What ends the inflating of a base.
enum Ends {
    Fault(Fault),
    /// It has more plain than was signed.
    More,
    Error(Error),
}

impl From<Fault> for Ends {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Writes what a gzip file inflates to behind what stands in `plain`, and compares the file.
pub(super) fn inflate(base: &Base, size: u64, file: &OpenedBase, place: (&File, u64, &Path)) -> Result<()> {
    if unpack(base, file, place, size)? == Some(size) {
        return Ok(());
    }
    Err(Error::new(
        Class::Integrity,
        "base-plain",
        format!(
            "{}, which a layer is copied from, is no gzip file with {size} bytes of plain",
            base.digest
        ),
    )
    .remedy("ask the vendor for a bundle made with --encodings none, and tell them that this one was built wrong"))
}

/// Writes what a gzip file inflates to into another file, from an offset on, and compares the first one with its digest. Returns how much that is;
/// nothing where it is no gzip file, or of more than `most` bytes of plain. The other file has no name: the folder that it was made in has.
///
/// # Errors
///
/// `E-STATE base-damaged` where the file is another one; `E-IO`, `E-SPACE`.
pub fn unpack(
    base: &Base,
    (file, start): &OpenedBase,
    (plain, at, folder): (&File, u64, &Path),
    most: u64,
) -> Result<Option<u64>> {
    let mut hashed = Hashed {
        file: Arc::clone(file),
        start: *start,
        hash: Sha256::new(),
        read: 0,
        most: base.size,
    };
    let written = |error| Error::io("write the plain of a base in", folder, error);
    let mut place = plain;
    place.seek(SeekFrom::Start(at)).map_err(written)?;
    let (mut out, mut made) = (BufWriter::with_capacity(1 << 18, plain), 0_u64);
    let mut take = |bytes: &[u8]| {
        made = made.saturating_add(bytes.len() as u64);
        if made > most {
            return Err(Ends::More);
        }
        out.write_all(bytes).map_err(|error| Ends::Error(written(error)))
    };
    let inflated = members(&mut hashed, &mut take);
    out.flush().map_err(written)?;
    let is_gzip = match inflated {
        Ok(()) => true,
        Err(Ends::Error(error)) => return Err(error),
        Err(Ends::Fault(Fault::Io(error))) => return Err(Error::io("read", Path::new("the base of a blob"), error)),
        Err(Ends::Fault(Fault::Cut | Fault::Damaged) | Ends::More) => false,
    };
    // A file that is another one by now says nothing about the bundle.
    io::copy(&mut hashed, &mut io::sink())
        .map_err(|error| Error::io("read", Path::new("the base of a blob"), error))?;
    if hashed.read != base.size || Digest(Hash(hashed.hash.finalize().into())) != base.digest {
        return Err(changed(&base.digest.to_string()));
    }
    Ok(is_gzip.then_some(made))
}

/// Inflates all members of a file, one after the other, up to its end.
fn members(
    file: &mut Hashed,
    take: &mut dyn FnMut(&[u8]) -> std::result::Result<(), Ends>,
) -> std::result::Result<(), Ends> {
    let (mut source, mut inflater) = (Source::new(file), Inflater::new());
    while !source.at_end()? {
        Member::read(&mut source)?;
        inflater.start();
        while !inflater.block(&mut source, take)?.last {}
        Member::trailer(&mut source)?;
    }
    Ok(())
}

/// A base as it is read.
struct Hashed {
    file: Arc<File>,
    start: u64,
    hash: Sha256,
    read: u64,
    most: u64,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.most.saturating_sub(self.read);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let count = self.file.read_at(buffer, self.start.saturating_add(self.read))?;
        let came = buffer.get(..count).unwrap_or_default();
        self.hash.update(came);
        self.read = self.read.saturating_add(count as u64);
        Ok(count)
    }
}

/// A base is another one than it was when the bundle's needs were looked at.
fn changed(which: &str) -> Error {
    Error::new(
        Class::State,
        "base-damaged",
        format!("{which}, which a layer is copied from, changed while the bundle was read"),
    )
    .expected("the bytes that were there a moment ago")
    .remedy("import the same bundle once more: `airlock import FILE`")
}
