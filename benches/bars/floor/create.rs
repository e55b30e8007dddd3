//! Reads every blob once, makes both hashes, compresses chunks of 4 MiB at level 3, writes once, syncs once, on all cores.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Condvar, Mutex};

use sha2::{Digest as _, Sha256};

use crate::data;
use crate::measure::{Taken, timed};

const CHUNK: usize = 4 << 20;

struct Source {
    files: Vec<std::path::PathBuf>,
    open: Option<(File, Sha256)>,
    number: u64,
}

impl Source {
    /// Fills the buffer with a piece of a blob, or with whole small blobs, and hashes each blob as a whole.
    fn next(&mut self, buffer: &mut Vec<u8>) -> Option<u64> {
        buffer.clear();
        while buffer.len() < CHUNK {
            if self.open.is_none() {
                let Some(path) = self.files.pop() else { break };
                self.open = Some((File::open(path).unwrap(), Sha256::new()));
            }
            let (file, hasher) = self.open.as_mut().unwrap();
            let from = buffer.len();
            let room = (CHUNK - from) as u64;
            let count = std::io::Read::by_ref(file).take(room).read_to_end(buffer).unwrap();
            hasher.update(&buffer[from..]);
            if count == 0 {
                let (_, hasher) = self.open.take().unwrap();
                std::hint::black_box(hasher.finalize());
            }
        }
        self.number += 1;
        (!buffer.is_empty()).then_some(self.number)
    }
}

/// The bare program beside `bundle create`.
pub(crate) fn create(set: &Path, out: &Path) -> Vec<Taken> {
    let mut files: Vec<_> = fs::read_dir(data::blob_folder(set))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    timed(|| {
        let source = Mutex::new(Source {
            files,
            open: None,
            number: 0,
        });
        let written = Mutex::new((File::create(out).unwrap(), 0));
        let turn = Condvar::new();
        let run = || {
            let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
            let (mut plain, mut packed) = (Vec::with_capacity(CHUNK + 1), vec![0; CHUNK]);
            loop {
                let Some(number) = source.lock().unwrap().next(&mut plain) else {
                    break;
                };
                let room = plain.len() - 1;
                let stored = match compressor.compress_to_buffer(&plain, &mut packed[..room]) {
                    Ok(length) => &packed[..length],
                    Err(_) => &plain,
                };
                std::hint::black_box(Sha256::digest(stored));
                let mut place = written.lock().unwrap();
                while place.1 + 1 != number {
                    place = turn.wait(place).unwrap();
                }
                place.0.write_all(stored).unwrap();
                place.1 = number;
                turn.notify_all();
            }
        };
        std::thread::scope(|scope| {
            // One more than there are cores, so that both stay busy while one waits for the disk.
            for _ in 0..=airlock::stream::worker_count() {
                scope.spawn(run);
            }
        });
        written.lock().unwrap().0.sync_all().unwrap();
    })
}
