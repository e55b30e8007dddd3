//! Volumes: the chunks of one file over several, each a complete container with the same head and index (SPEC M-36).
//!
//! Which chunk lies in which volume follows from the counts that the head states; cut is only between chunks.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many chunks each volume holds, in order, and what the files of some are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeTable {
    counts: Arc<[u64]>,
    names: Arc<BTreeMap<usize, String>>,
}

impl VolumeTable {
    /// Takes the counts of a head that was checked.
    pub(crate) fn new(counts: &[u64]) -> Self {
        Self::named(counts, BTreeMap::new())
    }

    /// The same, with what files are called.
    pub(crate) fn named(counts: &[u64], names: BTreeMap<usize, String>) -> Self {
        Self {
            counts: counts.into(),
            names: Arc::new(names),
        }
    }

    /// Returns how many volumes there are.
    pub(crate) fn count(&self) -> usize {
        self.counts.len()
    }

    /// Returns the numbers of the first and the last chunk of a volume; all three are counted from 1.
    pub(crate) fn chunks(&self, volume: usize) -> (u64, u64) {
        chunks_of(&self.counts, volume)
    }

    /// Returns the volume that holds a chunk; both are counted from 1.
    pub(crate) fn volume_of(&self, chunk: u64) -> usize {
        let mut last = 0_u64;
        let before = self.counts.iter().take_while(|count| {
            last = last.saturating_add(**count);
            last < chunk
        });
        before.count().saturating_add(1)
    }

    /// Returns what people call the file of a volume: `noun` where there is only one.
    pub(crate) fn noun(&self, noun: &str, volume: usize) -> String {
        if self.count() == 1 {
            return noun.to_owned();
        }
        let called = self.names.get(&volume).map(|name| format!(" ({name:?})"));
        format!(
            "file of volume {volume} of {}{}",
            self.count(),
            called.unwrap_or_default()
        )
    }
}

/// As [`VolumeTable::chunks`], of bare counts. A volume without a chunk, the only one then, has the chunks 0 to 0.
pub(super) fn chunks_of(counts: &[u64], volume: usize) -> (u64, u64) {
    let before = counts.iter().take(volume.saturating_sub(1)).copied();
    let before = before.fold(0, u64::saturating_add);
    let held = counts.get(volume.saturating_sub(1)).copied().unwrap_or(0);
    (before.saturating_add(u64::from(held > 0)), before.saturating_add(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_lies_in_one_volume() {
        let table = VolumeTable::new(&[3, 1, 2]);
        assert_eq!([1, 2, 3].map(|volume| table.chunks(volume)), [(1, 3), (4, 4), (5, 6)]);
        assert_eq!([1, 3, 4, 5, 6].map(|chunk| table.volume_of(chunk)), [1, 1, 2, 3, 3]);
        assert_eq!(VolumeTable::new(&[0]).chunks(1), (0, 0));
        assert_eq!(table.noun("bundle", 2), "file of volume 2 of 3");
        assert_eq!(VolumeTable::new(&[3]).noun("bundle", 1), "bundle");
        let named = VolumeTable::named(&[3, 1], BTreeMap::from([(2, "b.airlock".to_owned())]));
        assert_eq!(named.noun("bundle", 2), "file of volume 2 of 2 (\"b.airlock\")");
    }
}
