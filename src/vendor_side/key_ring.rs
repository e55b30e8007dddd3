//! The key files of a workspace, found by the id of their key.
//!
//! Beside each private key lies its public half (`release-1.pub`, hex), because an encrypted file does not say which key it
//! holds. The public file only chooses which private file is opened; what is inside is compared afterwards.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::crypto::{AskPassphrase, KeyFile, KeyId, PublicKey, RoleName, SigningKey, open_key, write_signing_key};
use crate::domain::{Class, Error, Result};
use crate::stream::{open_beside, read_bounded, sync_folder, write_atomically};

/// Ending of the files with public keys.
pub const PUBLIC_SUFFIX: &str = "pub";
const PRIVATE_SUFFIX: &str = "pem";
/// A folder of key files.
#[derive(Debug, Clone)]
pub struct KeyRing {
    folder: PathBuf,
}

impl KeyRing {
    /// Names the folder; nothing is read yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Opens those of the wanted keys whose files are here. Keys kept elsewhere are left out, not an error.
    ///
    /// # Errors
    ///
    /// `E-TRUST` for a file that others may read, a wrong passphrase, or a private key that is not the one its public file
    /// names; `E-IO`.
    pub fn open(&self, wanted: &BTreeSet<KeyId>, ask: &mut AskPassphrase<'_>) -> Result<Vec<SigningKey>> {
        let mut keys: Vec<SigningKey> = Vec::new();
        for path in self.private_files()? {
            let named = read_public(&path.with_extension(PUBLIC_SUFFIX))?;
            if named.is_some_and(|public| !wanted.contains(&public.id())) {
                continue;
            }
            let key = open_key(&path, ask)?;
            if named.is_some_and(|public| public != key.public()) {
                return Err(Error::new(
                    Class::Trust,
                    "key-file",
                    format!("{} holds another key than the file beside it says", path.display()),
                )
                .remedy("put the right pair of files back from your backup"));
            }
            let id = key.public().id();
            if wanted.contains(&id) && keys.iter().all(|known| known.public().id() != id) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Writes a new key under the next free name of its role and returns the path of the private file.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`; neither file is left behind then.
    pub fn add(&self, role: RoleName, key: &SigningKey, passphrase: Option<&str>) -> Result<PathBuf> {
        let path = self.free_name(role)?;
        write_signing_key(&path, key, passphrase)?;
        let public = path.with_extension(PUBLIC_SUFFIX);
        let text = format!("{:?}\n", key.public());
        if let Err(error) = write_atomically(&public, text.as_bytes(), 0o644).and_then(|()| sync_folder(&self.folder)) {
            Self::forget(&path);
            return Err(error);
        }
        Ok(path)
    }

    /// Takes a key back that was written for a change that did not happen.
    pub fn forget(path: &Path) {
        // Nothing depends on these files any more; one that stays is a key that no root names.
        fs::remove_file(path).ok();
        fs::remove_file(path.with_extension(PUBLIC_SUFFIX)).ok();
    }

    /// Returns the file names of the private keys at hand, with the ids that their public files name.
    ///
    /// # Errors
    ///
    /// `E-IO`, and `E-TRUST` for a public file that holds no key.
    pub fn names(&self) -> Result<Vec<(String, Option<KeyId>)>> {
        self.private_files()?
            .into_iter()
            .map(|path| {
                let id = read_public(&path.with_extension(PUBLIC_SUFFIX))?.map(PublicKey::id);
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Ok((name, id))
            })
            .collect()
    }

    /// Returns a private key file that has a passphrase, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`KeyFile::read`].
    pub fn first_locked(&self) -> Result<Option<PathBuf>> {
        for path in self.private_files()? {
            if KeyFile::read(&path)?.is_encrypted() {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn private_files(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder).map_err(|e| Error::io("list", &self.folder, e))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::io("list", &self.folder, e))?.path();
            if path.extension().is_some_and(|suffix| suffix == PRIVATE_SUFFIX) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    fn free_name(&self, role: RoleName) -> Result<PathBuf> {
        let taken = |path: &Path| path.try_exists().map_err(|e| Error::io("look at", path, e));
        for number in 1..=u32::from(u16::MAX) {
            let path = self.folder.join(format!("{}-{number}.{PRIVATE_SUFFIX}", role.as_str()));
            if !taken(&path)? && !taken(&path.with_extension(PUBLIC_SUFFIX))? {
                return Ok(path);
            }
        }
        Err(Error::new(
            Class::Usage,
            "key-names",
            format!("{} is full of keys", self.folder.display()),
        ))
    }
}

fn read_public(path: &Path) -> Result<Option<PublicKey>> {
    let Some(file) = open_beside(path, "open")? else {
        return Ok(None);
    };
    let bytes = read_bounded(file, 1024, "a public key file")?;
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end().parse().map(Some).map_err(|error: Error| {
        Error::new(
            Class::Trust,
            "key-file",
            format!("{} holds no public key: {error}", path.display()),
        )
        .with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn never(_: &Path) -> Result<Zeroizing<String>> {
        panic!("no passphrase is needed")
    }

    #[test]
    fn only_the_wanted_keys_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::new(folder.path().to_owned());
        let (plain, locked) = (SigningKey::from_secret(&[1; 32]), SigningKey::from_secret(&[2; 32]));
        ring.add(RoleName::Release, &plain, None).unwrap();
        let path = ring.add(RoleName::Release, &locked, Some("secret")).unwrap();
        assert!(path.ends_with("release-2.pem"));

        let wanted = BTreeSet::from([plain.public().id()]);
        let keys = ring.open(&wanted, &mut never).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].public(), plain.public());

        let wanted = BTreeSet::from([plain.public().id(), locked.public().id()]);
        let mut ask = |_: &Path| Ok(Zeroizing::new("secret".to_owned()));
        assert_eq!(ring.open(&wanted, &mut ask).unwrap().len(), 2);
        let mut wrong = |_: &Path| Ok(Zeroizing::new("wrong".to_owned()));
        assert_eq!(ring.open(&wanted, &mut wrong).unwrap_err().code(), "passphrase");
    }

    #[test]
    fn a_pair_that_does_not_belong_together_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::new(folder.path().to_owned());
        let key = SigningKey::from_secret(&[1; 32]);
        let other = SigningKey::from_secret(&[2; 32]).public();
        let path = ring.add(RoleName::Root, &key, None).unwrap();
        let text = format!("{other:?}\n");
        write_atomically(&path.with_extension(PUBLIC_SUFFIX), text.as_bytes(), 0o644).unwrap();
        let error = ring.open(&BTreeSet::from([other.id()]), &mut never).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Trust, "key-file"));
    }
}
