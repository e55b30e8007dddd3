//! How large a file may be where a bundle is written: told before the first byte, for FAT refuses in the middle.

use std::path::Path;

use crate::domain::{Class, Error, Result};

/// `f_type` of FAT, whatever the width of its table.
const MSDOS_SUPER_MAGIC: u64 = 0x4d44;
/// Most bytes of a file on FAT.
pub const FAT_FILE_BYTES: u64 = (1 << 32) - 1;

/// Checks that a file of at most so many bytes can be written at `path`.
///
/// # Errors
///
/// `E-SPACE file-size`; `E-IO` when the file system cannot be asked.
pub fn check_file_size(path: &Path, bytes: u64) -> Result<()> {
    if bytes <= FAT_FILE_BYTES {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let stat = rustix::fs::statfs(folder).map_err(|e| Error::io("ask for the file system of", folder, e.into()))?;
    #[expect(clippy::allow_attributes, reason = "the width of the field differs between machines")]
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "a magic number")]
    judge(stat.f_type as u64, path, bytes)
}

fn judge(magic: u64, path: &Path, bytes: u64) -> Result<()> {
    if magic != MSDOS_SUPER_MAGIC {
        return Ok(());
    }
    Err(Error::new(
        Class::Space,
        "file-size",
        format!(
            "{} lies on a FAT file system, and the file may have up to {bytes} bytes; nothing was written",
            path.display()
        ),
    )
    .expected(format!("files of at most {FAT_FILE_BYTES} bytes there"))
    .remedy("write volumes that fit, with --volume-size 4G, or format the medium as exFAT or ext4"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fat_takes_no_file_of_four_gibibytes() {
        let path = Path::new("/media/usb/erp.airlock");
        let refused = judge(MSDOS_SUPER_MAGIC, path, FAT_FILE_BYTES + 1).unwrap_err();
        assert_eq!((refused.class(), refused.code()), (Class::Space, "file-size"));
        assert!(refused.to_string().contains("--volume-size 4G"), "{refused}");
        // ext4.
        judge(0xef53, path, u64::MAX).unwrap();
        // Not even asked: there is no such folder.
        check_file_size(Path::new("/nowhere/x/erp.airlock"), FAT_FILE_BYTES).unwrap();
    }
}
