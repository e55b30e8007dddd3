//! Reads chosen blobs of a bundle, for an appliance that has the rest of them (X11 and X12 once more).

use super::index::Blob;
use super::reader::VerifiedBundle;
use crate::container::{ChosenSink, read_chosen};
use crate::domain::{Result, Step};

impl VerifiedBundle {
    /// Reads the bundle to its end and hands over the blobs that are chosen; chunks without any are passed over. The reference graph is
    /// not judged again: the head says that it was.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-LIMIT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO` at X11; `E-FORMAT` at X12; and those of the sink.
    pub fn read_chosen(
        self,
        is_chosen: &(dyn Fn(&Blob) -> bool + Sync),
        sink: &mut dyn ChosenSink<Blob>,
    ) -> Result<()> {
        let Self {
            mut source,
            head,
            index,
            ..
        } = self;
        read_chosen(&mut source, index.payload(&head), &index.chunks, is_chosen, sink)
            .map_err(|error| error.at(Step::X11))?;
        source.end().map_err(|error| error.at(Step::X12))
    }
}
