//! What verifying and importing a bundle come to when nobody has to be doubted: read, hash, decode, hash, write, sync.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::measure::{Taken, timed};

const BLOCK: usize = 512;
const PLAIN: usize = 16 << 20;

/// Reads the chunks of a bundle, hashes what is stored, decodes it and hashes that; writes it to `out`, if that is given, and syncs once.
pub(crate) fn take_in(bundle: &Path, out: Option<&Path>) -> Vec<Taken> {
    timed(|| {
        let mut file = File::open(bundle).unwrap();
        let mut out = out.map(|out| File::create(out).unwrap());
        let mut decoder = zstd::bulk::Decompressor::new().unwrap();
        let (mut stored, mut plain) = (Vec::new(), vec![0; PLAIN]);
        let mut whole = Sha256::new();
        loop {
            let mut header = [0; BLOCK];
            file.read_exact(&mut header).unwrap();
            if header[0] == 0 {
                break;
            }
            let digits = std::str::from_utf8(&header[124..135]).unwrap();
            let size = u64::from_str_radix(digits, 8).unwrap();
            let entry = i64::try_from(size.next_multiple_of(BLOCK as u64)).unwrap();
            if !header.starts_with(b"chunks/") {
                file.seek(SeekFrom::Current(entry)).unwrap();
                continue;
            }
            stored.resize(usize::try_from(entry).unwrap(), 0);
            file.read_exact(&mut stored).unwrap();
            let stored = &stored[..usize::try_from(size).unwrap()];
            std::hint::black_box(Sha256::digest(stored));
            let bytes = if stored.starts_with(&0xFD2F_B528_u32.to_le_bytes()) {
                let count = decoder.decompress_to_buffer(stored, &mut plain).unwrap();
                &plain[..count]
            } else {
                stored
            };
            whole.update(bytes);
            if let Some(out) = &mut out {
                out.write_all(bytes).unwrap();
            }
        }
        std::hint::black_box(whole.finalize());
        if let Some(out) = out {
            out.sync_all().unwrap();
        }
    })
}
