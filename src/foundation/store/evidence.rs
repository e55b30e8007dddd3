//! What is kept as evidence: documents that prove something, and blobs whose bytes changed under us.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::fs::RenameFlags;
use rustix::io::Errno;

use super::blobs::{Damage, Store};
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::{Expected, create_own_folder, look, sync_folder, write_atomically};

/// Damaged files kept of one digest.
const KEPT: u32 = 1000;

impl Store {
    /// Keeps a document as evidence under a hash; one that is kept already stays.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO` and `E-SPACE`.
    pub fn keep_evidence(&self, name: Hash, kind: &str, bytes: &[u8]) -> Result<()> {
        let path = self.evidence().join(format!("{name}.{kind}"));
        if look(&path, Expected::File)?.is_some() {
            return Ok(());
        }
        write_atomically(&path, bytes, 0o400)
    }

    /// Takes a damaged blob out of the store, keeps it as evidence under the first free number, and tells the witness. One that is
    /// not there any more is no error: another caller was first, and its word is enough.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`; `E-STATE evidence-full` when the same blob was damaged a thousand times.
    pub(super) fn set_aside(&self, digest: &Digest, found: &str) -> Result<()> {
        self.checked().forget(digest);
        let tell = |evidence| {
            self.testify(&Damage {
                digest: *digest,
                found: found.to_owned(),
                evidence,
            });
        };
        match self.move_to_evidence(digest) {
            Ok(Some(evidence)) => tell(Some(evidence)),
            Ok(None) => {}
            // It is damaged, wherever it stands.
            Err(error) => {
                tell(None);
                return Err(error);
            }
        }
        Ok(())
    }

    fn move_to_evidence(&self, digest: &Digest) -> Result<Option<String>> {
        let folder = self.evidence();
        create_own_folder(&folder)?;
        let evidence = File::open(&folder).map_err(|e| Error::io("open", &folder, e))?;
        for number in 1..KEPT {
            let name = format!("{}.blob-{number}", digest.0);
            let place = self.place(digest);
            let away = |from: &Path| {
                rustix::fs::renameat_with(
                    self.handle(),
                    from,
                    evidence.as_fd(),
                    name.as_str(),
                    RenameFlags::NOREPLACE,
                )
            };
            let moved = match away(&place) {
                // Something else stands in the place of the folder that it belongs in.
                Err(Errno::NOTDIR) => away(place.parent().unwrap_or(&place)).map(|()| self.folder()),
                moved => moved.map(|()| self.path(digest).parent().map_or_else(|| self.folder(), Path::to_owned)),
            };
            match moved {
                Ok(left) => {
                    sync_folder(&folder)?;
                    sync_folder(&left)?;
                    return Ok(Some(name));
                }
                Err(Errno::EXIST) => {}
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(Error::io("set aside", &self.path(digest), errno.into())),
            }
        }
        Err(Error::new(
            Class::State,
            "evidence-full",
            format!("{digest} was damaged a thousand times"),
        )
        .expected("room for what is set aside")
        .remedy(format!(
            "look at the disk; then move the files {}.blob-* out of {} and try again",
            digest.0,
            folder.display()
        )))
    }
}
