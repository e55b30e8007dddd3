//! A layout as a tar archive, for pipes: `podman load`, `skopeo copy oci-archive:`, `ctr image import -`.
//!
//! The same layout makes the same bytes: names ascending, times and owners zero.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use crate::container::{BLOCK, END_BYTES, entry_bytes, header, padding};
use crate::domain::{Error, Result};

/// The files before the blobs, as readers of pipes want them.
const FIRST: [&str; 2] = ["oci-layout", "index.json"];
/// The folder of the blobs.
const BLOBS: &str = "blobs/sha256";
/// Sizes below this fit the field of a plain header.
const OCTAL_END: u64 = 1 << 33;

/// Returns the bytes of a layout's archive.
///
/// # Errors
///
/// `E-IO`.
pub fn archive_bytes(layout: &Path) -> Result<u64> {
    let files = files(layout)?;
    let entries = files.iter().map(|(_, _, size)| entry_bytes(*size));
    Ok(entries.fold(END_BYTES as u64, u64::saturating_add))
}

/// Writes a layout as an archive; `progress` is told the bytes written.
///
/// # Errors
///
/// `E-IO`; an error of `out` is handed to `unwritten`.
pub fn write_archive(
    layout: &Path,
    out: &mut dyn Write,
    unwritten: &dyn Fn(io::Error) -> Error,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut done = 0_u64;
    let mut buffer = vec![0; 1 << 18];
    for (name, path, size) in files(layout)? {
        let failed = |error| Error::io("read", &path, error);
        out.write_all(&entry_header(&name, size)).map_err(unwritten)?;
        let mut file = File::open(&path).map_err(failed)?.take(size);
        let mut left = size;
        while left > 0 {
            let count = file.read(&mut buffer).map_err(failed)?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            out.write_all(bytes).map_err(unwritten)?;
            left = left.saturating_sub(count as u64);
            done = done.saturating_add(count as u64);
            progress(done);
        }
        let zeros = usize::try_from(padding(size)).unwrap_or(0);
        out.write_all([0; BLOCK].get(..zeros).unwrap_or_default())
            .map_err(unwritten)?;
    }
    out.write_all(&[0; END_BYTES])
        .and_then(|()| out.flush())
        .map_err(unwritten)
}

/// Name, path and size of every file, in the order of the archive.
fn files(layout: &Path) -> Result<Vec<(String, PathBuf, u64)>> {
    let blobs = layout.join(BLOBS);
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&blobs).map_err(|e| Error::io("list", &blobs, e))? {
        let entry = entry.map_err(|e| Error::io("list", &blobs, e))?;
        names.push(format!("{BLOBS}/{}", entry.file_name().display()));
    }
    names.sort_unstable();
    let first = FIRST.into_iter().map(str::to_owned);
    first
        .chain(names)
        .map(|name| {
            let path = layout.join(&name);
            let found = fs::symlink_metadata(&path).map_err(|e| Error::io("look at", &path, e))?;
            Ok((name, path, found.len()))
        })
        .collect()
}

/// A plain header; sizes from 8 GiB on stand in binary, as GNU tar and Go's and Python's libraries read them.
fn entry_header(name: &str, size: u64) -> [u8; BLOCK] {
    if size < OCTAL_END {
        return header(name, size);
    }
    let mut bytes = header(name, 0);
    let mut field = [0; 12];
    if let (Some(first), Some(low)) = (field.first_mut(), size.to_be_bytes().first_chunk::<8>()) {
        *first = 0x80;
        if let Some(place) = field.get_mut(4..12) {
            place.copy_from_slice(low);
        }
    }
    let mut put = |from: usize, with: &[u8]| {
        if let Some(place) = bytes.get_mut(from..from.saturating_add(with.len())) {
            place.copy_from_slice(with);
        }
    };
    put(124, &field);
    put(148, b"        ");
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).fold(0, u32::saturating_add);
    if let Some(place) = bytes.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_any_length_are_read_back_by_tar() {
        for size in [0, 5, OCTAL_END - 1, OCTAL_END, 3 << 40] {
            let bytes = entry_header("blobs/sha256/x", size);
            let parsed = tar::Header::from_byte_slice(&bytes);
            assert_eq!(parsed.entry_size().unwrap(), size);
            let mut again = parsed.clone();
            again.set_cksum();
            assert_eq!(again.cksum().unwrap(), parsed.cksum().unwrap(), "{size}");
        }
    }
}
