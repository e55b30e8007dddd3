//! What encoded blobs are copied from, opened in the store: found whole at X10 where the bundle needs it, stored before where it carries it.

use std::sync::Arc;

use crate::bundle::Blob;
use crate::domain::{Class, Error, Result};
use crate::encoding::{Base, BasePlains, Unpacked};
use crate::store::Store;

/// Opens the bases of a blob; what of them the bundle carries has its name by now.
pub(super) fn open(store: &Store, blob: &Blob, bases: &[Base], unpacked: &mut Unpacked) -> Result<Option<BasePlains>> {
    let mut file = |base: &Base| match store.open_found(&base.digest, base.size)? {
        Some(file) => Ok(Some((Arc::new(file), 0))),
        None => Err(gone(blob, base)),
    };
    BasePlains::open(bases, &mut file, &store.scratch_folder(), unpacked)
}

fn gone(blob: &Blob, base: &Base) -> Error {
    Error::new(
        Class::State,
        "base-damaged",
        format!(
            "{}, which {} is copied from, was taken out of the store meanwhile",
            base.digest, blob.digest
        ),
    )
    .expected("what was there, whole, when the import began")
    .remedy("import the same bundle once more: `airlock import FILE`")
}
