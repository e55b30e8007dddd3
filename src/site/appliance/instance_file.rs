//! `identity/instance.json`: which life of the state folder this is, and when the file itself was born.
//!
//! A file that was copied or restored was born at another time than it says: so a folder that is not the one that was written is known
//! (SPEC section 15). Where the file system knows no times of birth, nothing is compared. A disk or snapshot that was turned back as a
//! whole cannot be seen here.

use std::fs::File;
use std::path::Path;

use rustix::fs::{AtFlags, StatxFlags};
use serde::{Deserialize, Serialize};

use super::folder::INSTANCE;
use crate::crypto::canonical;
use crate::domain::{Class, Code, Error, InstanceId, Result};
use crate::stream::{open_plain, read_bounded, write_atomically_of};

/// The file and the database do not belong together, or the file says nothing.
pub(super) const DIFFERS: Code = Code::new("instance");

/// Far more than the file has.
const BYTES: u64 = 4 << 10;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// `SECONDS.NANOSECONDS`; absent where the file system knows no birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    birth: Option<String>,
    instance: InstanceId,
}

/// The file, read.
#[derive(Debug)]
pub(super) struct InstanceFile {
    pub(super) instance: InstanceId,
    /// Whether it is the file that was written, as far as the file system can tell.
    pub(super) is_original: bool,
}

/// Reads the file; nothing where there is none.
///
/// # Errors
///
/// `E-STATE instance` when it is damaged, `planted`; `E-IO`.
pub(super) fn read(state: &Path) -> Result<Option<InstanceFile>> {
    let path = state.join(INSTANCE);
    let Some(file) = open_plain(&path)? else {
        return Ok(None);
    };
    let born = birth(&file, &path)?;
    let bytes = read_bounded(file, BYTES, "the instance file")?;
    let said: Said = canonical::from_slice(&bytes, "the instance file").map_err(|error| {
        Error::new(Class::State, DIFFERS, format!("{} is damaged: {error}", path.display())).with_source(error)
    })?;
    Ok(Some(InstanceFile {
        is_original: born.is_none() || born == said.birth,
        instance: said.instance,
    }))
}

/// Writes the file anew: it is another one then, with a birth of its own, which is read before it takes its name.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO` and `E-SPACE`.
pub(super) fn write(state: &Path, instance: &InstanceId) -> Result<()> {
    let path = state.join(INSTANCE);
    write_atomically_of(&path, 0o600, |file| {
        let birth = birth(file, &path)?;
        let instance = instance.clone();
        Ok(canonical::to_vec(&Said { birth, instance }))
    })
}

/// Returns when a file was born; nothing where the file system does not know.
fn birth(file: &File, path: &Path) -> Result<Option<String>> {
    match rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME) {
        Ok(found) if found.stx_mask & StatxFlags::BTIME.bits() != 0 => {
            let at = found.stx_btime;
            Ok(Some(format!("{}.{:09}", at.tv_sec, at.tv_nsec)))
        }
        Ok(_) | Err(rustix::io::Errno::NOSYS) => Ok(None),
        Err(error) => Err(Error::io("look at", path, error.into())),
    }
}
