//! An encoded blob of a bundle under way: restored, and told of as if it had travelled as it is.
//!
//! Small ones are gathered, and handed over once their digest is the one that was signed. Larger ones go on piece by piece, as they do from
//! chunks of their own, and count when they end.
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use super::bases::Span;
use super::index::{Blob, Index};
use super::kind::BUNDLE;
use crate::domain::{Class, Error, Hash, Result};
use crate::domain::{Digest, limits};
use crate::encoding::{Base, BasePlains, Buffers, Copying, Encoding, Restored, Restorer, Statement, Unpacked};
use crate::stream::read_exact_or_end;

/// Who takes restored blobs.
pub(super) trait TakeRestored {
    /// Opens what a blob is copied from; nothing where that is not at hand.
    fn bases(&mut self, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>>;

    /// A blob was judged as far as its bytes allow, and not made, for its bases are not at hand: nothing else is told of it.
    fn unrestored(&mut self, blob: &Blob) -> Result<()>;

    /// A blob of at most a chunk's bytes: its digest was compared.
    fn small(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()>;

    /// A larger blob begins.
    fn begin(&mut self, blob: &Blob) -> Result<()>;

    /// The next bytes of the blob that began, `offset` bytes behind its start: not verified yet.
    fn piece(&mut self, blob: &Blob, offset: u64, bytes: &[u8]) -> Result<()>;

    /// The blob that began is complete, and its digest was compared.
    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()>;
}

/// What the blobs of a bundle are restored with.
pub(super) struct Restoring<'a> {
    index: &'a Index,
    chunk_bytes: u64,
    buffers: Buffers,
    /// Small blobs are gathered in it, one after the other.
    small: Vec<u8>,
    under_way: Option<UnderWay>,
    /// How long each mentioned base is of use.
    spans: Vec<Span>,
    unpacked: Unpacked,
    /// What was unpacked, by the last encoded blob that names it.
    until: BTreeSet<(u32, Digest)>,
}

struct UnderWay {
    restorer: Restorer,
    plain_size: u64,
    /// A small blob, as much of it as there is.
    small: Option<Vec<u8>>,
}

impl<'a> Restoring<'a> {
    /// For the blobs of an index that are cut into chunks of so many bytes.
    pub(super) fn new(index: &'a Index, chunk_bytes: u64) -> Self {
        Self {
            index,
            chunk_bytes,
            buffers: Buffers::default(),
            small: Vec::new(),
            under_way: None,
            spans: index.base_spans(),
            unpacked: Unpacked::default(),
            until: BTreeSet::new(),
        }
    }

    /// Opens the bases of a blob, and gives back what is of no use from it on: blobs may be passed over.
    fn open(&mut self, blob: &Blob, bases: &[Base], take: &mut dyn TakeRestored) -> Result<Option<BasePlains>> {
        self.forget_before(blob.encoding.unwrap_or(0))?;
        let plains = take.bases(blob, bases, &mut self.unpacked)?;
        if plains.is_some() {
            let spans = self.spans.get(self.index.mentions_of(blob)).unwrap_or_default();
            let unpacked = bases.iter().zip(spans).filter(|(base, _)| base.inflated.is_some());
            self.until.extend(unpacked.map(|(base, span)| (span.last, base.digest)));
        }
        Ok(plains)
    }

    fn forget_before(&mut self, encoding: u32) -> Result<()> {
        while let Some((_, digest)) = self.until.first().filter(|(last, _)| *last < encoding) {
            self.unpacked.forget(digest)?;
            self.until.pop_first();
        }
        Ok(())
    }

    /// A travel form begins.
    pub(super) fn begin(&mut self, blob: &Blob, take: &mut dyn TakeRestored) -> Result<()> {
        let statement = Statement {
            digest: blob.digest,
            size: blob.size,
            travel_size: blob.travel_size,
            encoding: self.index.encoding(blob).ok_or_else(out_of_order)?,
            chunk_bytes: self.chunk_bytes,
        };
        let bases = self.index.bases(blob);
        let copying = if bases.is_empty() {
            None
        } else {
            let plains = self.open(blob, &bases, take)?;
            Some(Copying { bases, plains })
        };
        let is_small = blob.size <= self.chunk_bytes;
        if !is_small && copying.as_ref().is_none_or(|copying| copying.plains.is_some()) {
            take.begin(blob)?;
        }
        self.under_way = Some(UnderWay {
            plain_size: statement.encoding.plain_size(blob.size),
            restorer: Restorer::new(&BUNDLE, statement, copying, &self.buffers),
            small: is_small.then(|| std::mem::take(&mut self.small)),
        });
        Ok(())
    }

    /// The next bytes of the travel form that began.
    pub(super) fn travel(&mut self, blob: &Blob, bytes: &[u8], take: &mut dyn TakeRestored) -> Result<()> {
        let UnderWay { restorer, small, .. } = self.under_way.as_mut().ok_or_else(out_of_order)?;
        restorer.push(bytes, &mut hand_on(blob, small, take))
    }

    /// Returns how many bytes of the plain under way are made, and how many there are.
    pub(super) fn plain_done(&self) -> Option<(u64, u64)> {
        let under_way = self.under_way.as_ref()?;
        Some((under_way.restorer.plain_done(), under_way.plain_size))
    }

    /// The travel form has ended.
    pub(super) fn end(&mut self, blob: &Blob, take: &mut dyn TakeRestored) -> Result<()> {
        let UnderWay {
            restorer, mut small, ..
        } = self.under_way.take().ok_or_else(out_of_order)?;
        let Some(Restored { midstates, .. }) = restorer.finish(&mut hand_on(blob, &mut small, take))? else {
            return take.unrestored(blob);
        };
        self.forget_before(blob.encoding.unwrap_or(0).saturating_add(1))?;
        match small {
            Some(mut bytes) => {
                take.small(blob, &bytes)?;
                bytes.clear();
                self.small = bytes;
                Ok(())
            }
            None => take.end(blob, midstates),
        }
    }
}

/// Gathers what is made of a small blob, and hands on what is made of another.
fn hand_on<'a>(
    blob: &'a Blob,
    small: &'a mut Option<Vec<u8>>,
    take: &'a mut dyn TakeRestored,
) -> impl FnMut(u64, &[u8]) -> Result<()> + 'a {
    move |offset, bytes| match small {
        Some(small) => {
            small.extend_from_slice(bytes);
            Ok(())
        }
        None => take.piece(blob, offset, bytes),
    }
}

/// The container hands a travel form over from its beginning to its end.
fn out_of_order() -> Error {
    Error::new(Class::Internal, "travel", "a travel form came out of its order")
}

/// What a reader makes of a travel form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The blob.
    Same,
    /// Something else, or nothing.
    Another,
    /// The blob, with more than half of the work that a reader allows.
    Laborious,
}

/// What a reader would make of a travel form: asked before one is used. `progress` is told the bytes of plain done so far.
///
/// # Errors
///
/// `E-IO` where the form cannot be read.
pub fn restores(
    digest: Digest,
    size: u64,
    travel_size: u64,
    (encoding, copying): (Encoding, Option<(Vec<Base>, BasePlains)>),
    travel: &mut dyn Read,
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict> {
    let statement = Statement {
        digest,
        size,
        travel_size,
        encoding,
        chunk_bytes: limits::CHUNK_BYTES_DEFAULT,
    };
    let copying = copying.map(|(bases, plains)| Copying {
        bases,
        plains: Some(plains),
    });
    let mut restorer = Restorer::new(&BUNDLE, statement, copying, &Buffers::default());
    let mut buffer = vec![0; 1 << 20];
    let mut left = travel_size;
    loop {
        let count = read_exact_or_end(travel, &mut buffer)
            .map_err(|error| Error::io("read", Path::new("a travel form"), error))?;
        left = left.saturating_sub(count as u64);
        let came = buffer.get(..count).unwrap_or_default();
        if restorer.push(came, &mut |_, _| Ok(())).is_err() {
            return Ok(Verdict::Another);
        }
        progress(restorer.plain_done());
        if count < buffer.len() {
            return Ok(match restorer.finish(&mut |_, _| Ok(())) {
                Ok(_) if left > 0 => Verdict::Another,
                Ok(Some(Restored { easy: true, .. })) => Verdict::Same,
                Ok(Some(_)) => Verdict::Laborious,
                Ok(None) | Err(_) => Verdict::Another,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::super::bases::Place;
    use super::*;
    use crate::bundle::index::Need;
    use crate::container::digest_of;
    use crate::delta::{Stretch, Writer};
    use crate::encoding::OpenedBase;
    use crate::stream::unnamed_file;

    /// Counts how often a base is opened, and what is made.
    struct Counting {
        zipped: Vec<u8>,
        opened: u32,
        made: Vec<Digest>,
    }

    impl TakeRestored for Counting {
        fn bases(&mut self, _: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
            let mut file = |_: &Base| -> Result<Option<OpenedBase>> {
                self.opened += 1;
                let mut file = unnamed_file(&std::env::temp_dir())?;
                file.write_all(&self.zipped).unwrap();
                Ok(Some((Arc::new(file), 0)))
            };
            BasePlains::open(bases, &mut file, &std::env::temp_dir(), unpacked)
        }

        fn unrestored(&mut self, blob: &Blob) -> Result<()> {
            panic!("{} was not made", blob.digest);
        }

        fn small(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
            assert_eq!(digest_of(bytes), blob.digest);
            self.made.push(blob.digest);
            Ok(())
        }

        fn begin(&mut self, _: &Blob) -> Result<()> {
            Ok(())
        }

        fn piece(&mut self, _: &Blob, _: u64, _: &[u8]) -> Result<()> {
            Ok(())
        }

        fn end(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_thousand_layers_over_one_base_inflate_it_once() {
        let plain: Vec<u8> = (0..60_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).unwrap();
        let zipped = encoder.finish().unwrap();
        let need = Need {
            digest: digest_of(&zipped),
            size: zipped.len() as u64,
            plain_size: Some(plain.len() as u64),
        };
        let layers = (0..1000).map(|number| &plain[number * 4..][..200]);
        let forms = (0..1000).map(|number| {
            let mut script = Writer::default();
            let (base, offset, length) = (0, number * 4, 200);
            script.copy(Stretch { base, offset, length });
            let script = script.finish(&[]);
            let head = u32::try_from(script.len()).unwrap() | 1 << 31;
            [&head.to_le_bytes()[..], &script].concat()
        });
        let forms: Vec<Vec<u8>> = forms.collect();
        let mut index = Index {
            needs: vec![need],
            blobs: layers
                .map(|layer| Blob::as_it_is(digest_of(layer), 200, None))
                .collect(),
            ..Index::default()
        };
        for (number, form) in forms.iter().enumerate() {
            index.encode(number, form.len() as u64, Encoding::Plain, &[Place::Need(0)]);
        }
        assert_eq!(index.largest_scratch(), plain.len() as u64);
        let mut counting = Counting {
            zipped,
            opened: 0,
            made: Vec::new(),
        };
        let mut restoring = Restoring::new(&index, 1 << 20);
        for (blob, form) in index.blobs().iter().zip(&forms) {
            restoring.begin(blob, &mut counting).unwrap();
            restoring.travel(blob, form, &mut counting).unwrap();
            restoring.end(blob, &mut counting).unwrap();
        }
        assert_eq!((counting.opened, counting.made.len()), (1, 1000));
        assert!(restoring.until.is_empty(), "no later blob names it");
    }
}
