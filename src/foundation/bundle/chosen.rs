//! Reads chosen blobs of a bundle, for an appliance that has the rest of them (X11 and X12 once more).

use super::emulators::check_emulators;
use super::index::Blob;
use super::reader::VerifiedBundle;
use super::restoring::{Restoring, TakeRestored};
use crate::container::{Beside, ChosenSink, read_chosen};
use crate::domain::{Hash, Result, Step};
use crate::encoding::{Base, BasePlains, Unpacked};

/// Takes chosen blobs of a bundle, and opens what they are copied from.
pub trait RestoredSink: ChosenSink<Blob> {
    /// As [`Sink::bases`](super::Sink::bases).
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn bases(&mut self, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>>;

    /// As [`Sink::unrestored`](super::Sink::unrestored).
    ///
    /// # Errors
    ///
    /// Any; it ends the reading.
    fn unrestored(&mut self, blob: &Blob) -> Result<()>;
}

impl VerifiedBundle {
    /// Reads the bundle to its end and hands over the blobs that are chosen; chunks without any are passed over. The reference graph is
    /// not judged again: the head says that it was.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL emulator` at X10; `E-FORMAT`, `E-LIMIT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO` at X11; `E-FORMAT` at X12; and those of the sink.
    pub fn read_chosen(self, is_chosen: &(dyn Fn(&Blob) -> bool + Sync), sink: &mut dyn RestoredSink) -> Result<()> {
        self.read_chosen_beside(is_chosen, &|_, _, _| Ok(false), sink)
    }

    /// As [`Self::read_chosen`], of a repair file: of blobs that travel as they are, `beside` fills a buffer with bytes so far behind the start
    /// of one, where it has them, and says whether it did.
    ///
    /// # Errors
    ///
    /// As [`Self::read_chosen`]; those of `beside`.
    pub fn read_chosen_beside(
        self,
        is_chosen: &(dyn Fn(&Blob) -> bool + Sync),
        beside: Beside<'_, Blob>,
        sink: &mut dyn RestoredSink,
    ) -> Result<()> {
        let Self {
            mut source,
            head,
            index,
            ..
        } = self;
        check_emulators(&index)?;
        let mut restored = Restored {
            restoring: Restoring::new(&index, head.chunk_bytes),
            out: Out(sink),
        };
        read_chosen(
            &mut source,
            index.payload(&head),
            &index.chunks,
            is_chosen,
            beside,
            &mut restored,
        )
        .map_err(|error| error.at(Step::X11))?;
        source.end().map_err(|error| error.at(Step::X12))
    }
}

/// Stands between chunks and sink: encoded blobs are restored on the way.
struct Restored<'a, 's> {
    restoring: Restoring<'a>,
    out: Out<'s>,
}

struct Out<'s>(&'s mut dyn RestoredSink);

impl TakeRestored for Out<'_> {
    fn bases(&mut self, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
        self.0.bases(blob, bases, unpacked)
    }

    fn unrestored(&mut self, blob: &Blob) -> Result<()> {
        self.0.unrestored(blob)
    }

    fn small(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.0.blob(blob, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.0.begin(blob)
    }

    fn piece(&mut self, blob: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        self.0.piece(blob, offset, bytes)
    }

    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        self.0.end(blob, midstates)
    }
}

impl ChosenSink<Blob> for Restored<'_, '_> {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.out.0.blob(blob, bytes)
    }

    fn begin(&mut self, blob: &Blob) -> Result<()> {
        self.out.0.begin(blob)
    }

    fn piece(&mut self, blob: &Blob, offset: u64, bytes: &[u8]) -> Result<()> {
        self.out.0.piece(blob, offset, bytes)
    }

    fn end(&mut self, blob: &Blob, midstates: Vec<Hash>) -> Result<()> {
        self.out.0.end(blob, midstates)
    }

    fn begin_travel(&mut self, blob: &Blob) -> Result<()> {
        self.restoring.begin(blob, &mut self.out)
    }

    fn travel(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.restoring.travel(blob, bytes, &mut self.out)
    }

    fn end_travel(&mut self, blob: &Blob) -> Result<()> {
        self.restoring.end(blob, &mut self.out)
    }

    fn chunk_done(&mut self, position: u64) -> Result<()> {
        self.out.0.chunk_done(position)
    }
}
