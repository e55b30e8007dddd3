//! X10: what comes fits on the disk.

use std::collections::HashSet;

use crate::appliance::release_plan::Room;
use crate::appliance::state::Appliance;
use crate::bundle::VerifiedBundle;
use crate::domain::{Class, Digest, Error, Result, sized};
use crate::store::space;

/// Bytes that stay free beside what a bundle needs: the database grows too.
const MARGIN_BYTES: u64 = 32 << 20;

/// Checks it for a bundle of whose content an earlier try has `part_bytes` on the disk. Returns what of it the store has by its name, whatever
/// stands there, and the room.
pub(super) fn check(
    appliance: &Appliance,
    bundle: &VerifiedBundle,
    part_bytes: u64,
) -> Result<(HashSet<Digest>, Room)> {
    let mut here = HashSet::new();
    let mut bytes: u64 = 0;
    let mut files: u64 = 0;
    let (mut whole_bytes, mut whole_files): (u64, u64) = (0, 0);
    for blob in bundle.index().blobs() {
        whole_bytes = whole_bytes.saturating_add(blob.size);
        whole_files = whole_files.saturating_add(1);
        let size = appliance.store.size_of(&blob.digest)?;
        if size.is_some() {
            here.insert(blob.digest);
        }
        if size != Some(blob.size) {
            bytes = bytes.saturating_add(blob.size);
            files = files.saturating_add(1);
        }
    }
    let scratch = bundle.index().largest_scratch();
    let room = Room {
        whole_bytes,
        whole_files,
        ..check_space(appliance, bytes.saturating_sub(part_bytes), files, scratch)?
    };
    Ok((here, room))
}

/// Checks that so many bytes in so many files fit on the disk, and beside them the largest plain that is unpacked to copy from it.
pub(super) fn check_space(appliance: &Appliance, bytes: u64, files: u64, scratch: u64) -> Result<Room> {
    let free = space(appliance.folder())?;
    let wanted = bytes.saturating_add(scratch).saturating_add(MARGIN_BYTES);
    if wanted > free.bytes || files.saturating_add(16) > free.inodes {
        return Err(Error::new(
            Class::Space,
            "no-space",
            format!(
                "{} has {} and {} files left",
                appliance.folder().display(),
                sized(free.bytes),
                free.inodes
            ),
        )
        .expected(if scratch > 0 {
            format!(
                "room for {} in {files} files, {} of them for as long as the import runs, and {} beside what comes",
                sized(wanted),
                sized(scratch),
                sized(MARGIN_BYTES)
            )
        } else {
            format!(
                "room for {} in {files} files, {} of them beside what comes: the database grows too",
                sized(wanted),
                sized(MARGIN_BYTES)
            )
        })
        .remedy(if appliance.store.stopped_imports()?.len() > 1 {
            "free space on that file system and import again; what stopped imports of other releases keep there goes with `airlock gc --abandon-imports`"
        } else {
            "free space on that file system and import again"
        }));
    }
    Ok(Room {
        bytes,
        files,
        whole_bytes: bytes,
        whole_files: files,
        scratch_bytes: scratch,
        margin_bytes: MARGIN_BYTES,
        free_bytes: free.bytes,
        free_files: (free.inodes != u64::MAX).then_some(free.inodes),
    })
}
