//! Hashes, reads, copies and unpacks: nothing else.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::measure::{Taken, timed};

const BLOCK: usize = 1 << 20;

/// Hashes so many bytes of memory, shared by threads.
pub(crate) fn hash(threads: u64, bytes: u64) -> Vec<Taken> {
    timed(|| {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let block = vec![7; BLOCK];
                    let mut hasher = Sha256::new();
                    for _ in 0..bytes / threads / BLOCK as u64 {
                        hasher.update(&block);
                    }
                    std::hint::black_box(hasher.finalize());
                });
            }
        });
    })
}

/// Reads a file from front to back.
pub(crate) fn read(path: &Path) -> Vec<Taken> {
    timed(|| {
        let mut file = File::open(path).unwrap();
        let mut block = vec![0; BLOCK];
        while file.read(&mut block).unwrap() > 0 {}
    })
}

/// Reads a file, writes `bytes` bytes of what it holds, and syncs.
pub(crate) fn copy(path: &Path, bytes: u64, out: &Path) -> Vec<Taken> {
    timed(|| {
        let (mut file, mut copy) = (File::open(path).unwrap(), File::create(out).unwrap());
        let total = file.metadata().unwrap().len();
        let mut block = vec![0; BLOCK];
        let (mut read, mut written) = (0_u64, 0_u64);
        loop {
            let count = file.read(&mut block).unwrap();
            read += count as u64;
            // What decodes to more than is stored is written as often as that takes.
            let due = u64::try_from(u128::from(bytes) * u128::from(read) / u128::from(total)).unwrap();
            while written < due {
                let part = usize::try_from(due - written).unwrap().min(BLOCK);
                copy.write_all(&block[..part]).unwrap();
                written += part as u64;
            }
            if count == 0 {
                break;
            }
        }
        copy.sync_all().unwrap();
    })
}

/// `cp -r`, then `sync` of that file system.
pub(crate) fn cp(from: &Path, to: &Path) -> Vec<Taken> {
    timed(|| {
        let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
        assert!(copied.unwrap().success());
        let synced = Command::new("sync").arg("-f").arg(to).status();
        assert!(synced.unwrap().success());
    })
}

/// `tar x`, then `sync` of that file system.
pub(crate) fn tar(archive: &Path, out: &Path) -> Vec<Taken> {
    timed(|| {
        let unpacked = Command::new("tar").arg("xf").arg(archive).arg("-C").arg(out).status();
        assert!(unpacked.unwrap().success());
        let synced = Command::new("sync").arg("-f").arg(out).status();
        assert!(synced.unwrap().success());
    })
}
