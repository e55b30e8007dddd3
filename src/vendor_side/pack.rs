//! Packs content into a bundle as laid out: payload, signatures, sync, read-back, name.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::bundle::{BlobSource, BundleContent, BundleLayout, Head, UnsignedBundle};
use crate::crypto::Signature;
use crate::domain::{Class, Error, Hash, Result};
use crate::media::{BundleFile, UncachedFile, VolumeFiles};

/// Where a bundle goes.
pub enum Destination<'a> {
    /// A file, or volumes that are called after it: written once, read back from their medium, then named.
    File(&'a Path),
    /// A pipe: the head comes first and is known last, so the payload waits in an unnamed file of the work folder, the only
    /// case of a temporary copy.
    Pipe {
        /// Where the bundle goes.
        out: &'a mut dyn Write,
        /// Folder with room for the payload.
        work: &'a Path,
    },
}

impl std::fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Pipe { work, .. } => write!(f, "Pipe(through {})", work.display()),
        }
    }
}

/// What packing tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackEvent {
    /// Plain bytes packed, of how many.
    Packing(u64, u64),
    /// Bytes read back from the medium, of how many.
    ReadingBack(u64, u64),
}

/// A written bundle.
#[derive(Debug)]
pub struct Packed {
    /// Its head.
    pub head: Head,
    /// Its identity.
    pub head_digest: Hash,
    /// How many signatures it carries.
    pub signatures: usize,
    /// Its size in bytes, over all its volumes.
    pub bytes: u64,
    /// The files that it is in; none for a pipe.
    pub files: Vec<PathBuf>,
    /// Whether the read-back went to the device itself; nothing for a pipe.
    pub read_back_direct: Option<bool>,
}

/// Writes a bundle that was laid out. `sign` is given the finished head and returns its signatures, or an error that ends the writing:
/// nothing is left behind then.
///
/// # Errors
///
/// `E-INTEGRITY source`, `E-IO` and `E-SPACE`; those of `sign`.
pub fn pack(
    layout: BundleLayout,
    content: BundleContent,
    source: &dyn BlobSource,
    destination: Destination<'_>,
    sign: &mut dyn FnMut(&UnsignedBundle) -> Result<Vec<Signature>>,
    events: &mut dyn FnMut(PackEvent),
) -> Result<Packed> {
    let total = layout.travel_bytes();
    match destination {
        Destination::File(path) if layout.most_volumes().is_some() => {
            to_volumes(layout, content, source, path, sign, events).map_err(|error| began(error, path))
        }
        Destination::File(path) => {
            to_file(layout, content, source, path, sign, events).map_err(|error| began(error, path))
        }
        Destination::Pipe { out, work } => {
            let mut spool = unnamed_file(work)?;
            let bundle = layout.write_payload(content, source, &mut spool, |done| {
                events(PackEvent::Packing(done, total));
            })?;
            let signatures = sign(&bundle)?;
            let prologue = bundle.prologue(&signatures)?;
            let failed = |error| Error::io("write", Path::new("standard output"), error);
            out.write_all(&prologue).map_err(failed)?;
            spool.seek(SeekFrom::Start(0)).map_err(|e| Error::io("read", work, e))?;
            let payload = io::copy(&mut spool, out)
                .and_then(|count| out.flush().map(|()| count))
                .map_err(failed)?;
            let bytes = payload.saturating_add(prologue.len() as u64);
            Ok(packed(&bundle, &signatures, bytes, Vec::new(), None))
        }
    }
}

fn to_file(
    layout: BundleLayout,
    content: BundleContent,
    source: &dyn BlobSource,
    path: &Path,
    sign: &mut dyn FnMut(&UnsignedBundle) -> Result<Vec<Signature>>,
    events: &mut dyn FnMut(PackEvent),
) -> Result<Packed> {
    let total = layout.travel_bytes();
    let mut file = BundleFile::create(path, layout.payload_offset())?;
    let mut bundle = layout.write_payload(content, source, &mut file, |done| {
        events(PackEvent::Packing(done, total));
    })?;
    let signatures = sign(&bundle)?;
    let prologue = bundle.last_prologue(&signatures)?;
    file.seal(&prologue)?;
    let bytes = size_of(file.partial_path())?;
    let written = UncachedFile::open(file.partial_path())?;
    let direct = written.is_direct();
    bundle.read_back(&prologue, Box::new(written), |done| {
        events(PackEvent::ReadingBack(done, bytes));
    })?;
    file.publish()?;
    Ok(packed(&bundle, &signatures, bytes, vec![path.to_owned()], Some(direct)))
}

fn to_volumes(
    layout: BundleLayout,
    content: BundleContent,
    source: &dyn BlobSource,
    path: &Path,
    sign: &mut dyn FnMut(&UnsignedBundle) -> Result<Vec<Signature>>,
    events: &mut dyn FnMut(PackEvent),
) -> Result<Packed> {
    let total = layout.travel_bytes();
    let mut files = VolumeFiles::create(path, layout.payload_offset())?;
    let mut bundle = layout.write_volumes(content, source, &mut files, |done| {
        events(PackEvent::Packing(done, total));
    })?;
    let signatures = sign(&bundle)?;
    let volumes = 1..=bundle.volumes();
    let prologues = volumes.map(|volume| bundle.prologue_of(volume, &signatures));
    let prologues = prologues.collect::<Result<Vec<_>>>()?;
    bundle.forget_content();
    let mut written = Vec::with_capacity(prologues.len());
    for (volume, prologue) in (1..).zip(&prologues) {
        let path = files.seal(volume, prologue)?;
        written.push((path.to_owned(), size_of(path)?));
    }
    let bytes = written.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
    let (mut direct, mut before) = (true, 0_u64);
    for ((volume, prologue), (path, size)) in (1..).zip(&prologues).zip(written) {
        let file = UncachedFile::open(&path)?;
        direct &= file.is_direct();
        bundle.read_back_of(volume, prologue, Box::new(file), |done| {
            events(PackEvent::ReadingBack(before.saturating_add(done), bytes));
        })?;
        before = before.saturating_add(size);
    }
    let named = files.publish()?;
    Ok(packed(&bundle, &signatures, bytes, named, Some(direct)))
}

/// Says of a medium without room what is left there: nothing, for no part of a bundle is of use to a next run.
fn began(error: Error, path: &Path) -> Error {
    if error.class() != Class::Space {
        return error;
    }
    let found = format!(
        "{} was begun and could not be finished: {}",
        path.display(),
        error.found()
    );
    Error::new(Class::Space, "no-space", found)
        .expected("room for the whole bundle")
        .remedy(
            "free space there, or name another place with -o; nothing of it is left, and the next run writes it anew",
        )
        .with_source(error)
}

fn packed(
    bundle: &UnsignedBundle,
    signatures: &[Signature],
    bytes: u64,
    files: Vec<PathBuf>,
    read_back_direct: Option<bool>,
) -> Packed {
    Packed {
        head: bundle.head().clone(),
        head_digest: bundle.head_digest(),
        signatures: signatures.len(),
        bytes,
        files,
        read_back_direct,
    }
}

fn size_of(path: &Path) -> Result<u64> {
    std::fs::metadata(path)
        .map(|metadata| metadata.len())
        .map_err(|e| Error::io("look at", path, e))
}

/// A file without a name in a folder: it is gone when the process ends, however it ends.
fn unnamed_file(folder: &Path) -> Result<File> {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open(
        folder,
        OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC,
        Mode::RUSR | Mode::WUSR,
    )
    .map(File::from)
    .map_err(|e| Error::io("create an unnamed file in", folder, e.into()))
}
