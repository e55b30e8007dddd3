//! Plains of gzip files that blobs are copied from: each is inflated once, and is there for as long as a later blob names it (SPEC M-162).
//!
//! Several blobs may name one base, and what is inflated may be a thousand times what travelled: inflating it anew for each of them would let a
//! bundle of some kilobytes keep a site busy for an hour. All plains stand in one file without a name, for a process holds few files open;
//! what no later blob names is given back to the disk as a hole.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::base::{Base, OpenedBase, inflate};
use crate::domain::{Digest, Error, Result};
use crate::stream::unnamed_file;

/// Plains begin at multiples of this: holes are made of whole blocks.
const BLOCK: u64 = 4096;

/// Plains that were made, of one bundle that is read.
#[derive(Debug, Default)]
pub struct Unpacked {
    file: Option<Arc<File>>,
    end: u64,
    kept: BTreeMap<Digest, Kept>,
}

/// Where a plain stands.
#[derive(Debug, Clone, Copy)]
struct Kept {
    start: u64,
    size: u64,
}

impl Unpacked {
    /// Returns where the plain of a base stands; nothing where it was not made.
    pub(super) fn find(&self, base: &Base) -> Option<OpenedBase> {
        let size = base.inflated?;
        let kept = self.kept.get(&base.digest).filter(|kept| kept.size == size)?;
        Some((Arc::clone(self.file.as_ref()?), kept.start))
    }

    /// Makes the plain of a base, whose file that is, in a folder with room for it.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY base-plain`, `E-STATE base-damaged`; `E-IO`, `E-SPACE` of the folder.
    pub(super) fn make(&mut self, base: &Base, size: u64, opened: &OpenedBase, folder: &Path) -> Result<OpenedBase> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(Arc::new(unnamed_file(folder)?))),
        };
        let start = self.end;
        inflate(base, size, opened, (&file, start, folder))?;
        self.end = start.saturating_add(size).next_multiple_of(BLOCK);
        self.kept.insert(base.digest, Kept { start, size });
        Ok((file, start))
    }

    /// No later blob names a base: its plain takes no room any more.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(crate) fn forget(&mut self, digest: &Digest) -> Result<()> {
        let Some(Kept { start, size }) = self.kept.remove(digest) else {
            return Ok(());
        };
        let Some(file) = self.file.take_if(|_| self.kept.is_empty()) else {
            return self.file.as_ref().map_or(Ok(()), |file| punch(file, start, size));
        };
        self.end = 0;
        drop(file);
        Ok(())
    }
}

/// Gives room back. File systems without holes give it back with the file.
fn punch(file: &File, start: u64, size: u64) -> Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(file, hole, start, size.next_multiple_of(BLOCK)) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(errno) => Err(Error::io("give back", Path::new("the plain of a base"), errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::linux::fs::MetadataExt as _;

    use super::*;
    use crate::container::digest_of;
    use crate::encoding::BasePlains;

    fn zipped(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn base(zipped: &[u8], plain: &[u8]) -> Base {
        Base {
            digest: digest_of(zipped),
            size: zipped.len() as u64,
            inflated: Some(plain.len() as u64),
            carried: false,
        }
    }

    #[test]
    fn a_base_is_inflated_once_and_gone_when_no_blob_names_it_any_more() {
        let plains = [
            vec![7; 1 << 20],
            (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect::<Vec<u8>>(),
        ];
        let files = plains.each_ref().map(|plain| zipped(plain));
        let bases = [0, 1].map(|n| base(&files[n], &plains[n]));
        let folder = std::env::temp_dir();
        let (mut unpacked, mut opened) = (Unpacked::default(), 0);
        let mut open = |of: &[Base], unpacked: &mut Unpacked| {
            let mut file = |base: &Base| {
                opened += 1;
                let number = bases.iter().position(|one| one.digest == base.digest).unwrap();
                let mut file = unnamed_file(&folder)?;
                file.write_all(&files[number]).unwrap();
                Ok(Some((Arc::new(file), 0)))
            };
            BasePlains::open(of, &mut file, &folder, unpacked).unwrap().unwrap()
        };
        let both = open(&bases, &mut unpacked);
        for _ in 0..1000 {
            let again = open(&bases[..1], &mut unpacked);
            let mut bytes = [0; 5];
            again.read(0, 1000, &mut bytes).unwrap();
            assert_eq!(bytes, [7; 5]);
        }
        let file = unpacked.file.clone().unwrap();
        let taken = || file.metadata().unwrap().st_blocks() * 512;
        assert!(taken() >= 2 << 20);
        // The first one is given back, and the other one is there.
        unpacked.forget(&bases[0].digest).unwrap();
        assert!(taken() <= (1 << 20) + BLOCK, "{}", taken());
        let mut bytes = vec![0; 1 << 20];
        both.read(1, 0, &mut bytes).unwrap();
        assert!(bytes == plains[1]);
        unpacked.forget(&bases[1].digest).unwrap();
        assert!(unpacked.file.is_none() && unpacked.kept.is_empty());
        // Whoever names it once more gets it anew.
        open(&bases[..1], &mut unpacked);
        assert_eq!(opened, 3, "two, and the first one once more");
    }
}
