//! The token key of an appliance (`identity/token.key`) and what is derived from it.
//!
//! It survives restarts, upgrades and restores, so that agents keep their tokens; it never leaves the appliance. A key of its own
//! for each purpose keeps a keyed hash of one kind from ever being one of another.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::{CWD, RenameFlags};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::folder::TOKEN_KEY;
use crate::crypto::{KeyFile, random, write_secret_file};
use crate::domain::{Class, Error, Hash, Result, Uuid};
use crate::stream::{Expected, look};

/// The keys of an appliance.
pub(super) struct Keys {
    tokens: Zeroizing<[u8; 32]>,
    secrets: Zeroizing<[u8; 32]>,
    /// Only for this run: what was tried in vain is remembered under it.
    attempts: Zeroizing<[u8; 32]>,
}

/// Makes the token key of a new appliance.
///
/// # Errors
///
/// `E-IO`, `E-SPACE`.
pub(super) fn create(state: &Path) -> Result<()> {
    let mut key = Zeroizing::new([0; 32]);
    random(key.as_mut())?;
    write_secret_file(&state.join(TOKEN_KEY), &key)
}

impl Keys {
    /// Reads the token key; a state folder that is older than it gets one.
    ///
    /// # Errors
    ///
    /// `E-STATE token-key` when others may read it or it is damaged; `E-IO`, `E-SPACE`.
    pub(super) fn open(state: &Path) -> Result<Self> {
        let path = state.join(TOKEN_KEY);
        if look(&path, Expected::File)?.is_none() {
            create_late(state)?;
        }
        let key = KeyFile::read(&path)
            .and_then(|file| file.secret())
            .map_err(|error| error.reclassified(Class::State, "token-key"))?;
        let mut attempts = Zeroizing::new([0; 32]);
        random(attempts.as_mut())?;
        Ok(Self {
            tokens: Zeroizing::new(mac(&key, &[b"airlock-token-v1"])),
            secrets: Zeroizing::new(mac(&key, &[b"airlock-target-secret-v1"])),
            attempts,
        })
    }

    /// Returns the signature of a token.
    pub(super) fn token_mac(&self, text: &[u8]) -> [u8; 32] {
        mac(&self.tokens, &[text])
    }

    /// Returns what is kept of a secret.
    pub(super) fn secret_mac(&self, target: &Uuid, secret: &str) -> Hash {
        Hash(mac(&self.secrets, &[target.as_bytes(), secret.as_bytes()]))
    }

    /// Returns what is remembered of an attempt.
    pub(super) fn attempt_mac(&self, target: &Uuid, secret: &str) -> [u8; 32] {
        mac(&self.attempts, &[target.as_bytes(), secret.as_bytes()])
    }
}

/// Under a name of its own first, so that of two processes that need the key one makes it, whole.
fn create_late(state: &Path) -> Result<()> {
    let mut name = [0; 16];
    random(&mut name)?;
    let fresh = state.join(format!("identity/.token.{}", Uuid::from_random(name)));
    let mut key = Zeroizing::new([0; 32]);
    random(key.as_mut())?;
    write_secret_file(&fresh, &key)?;
    let path = state.join(TOKEN_KEY);
    match rustix::fs::renameat_with(CWD, &fresh, CWD, &path, RenameFlags::NOREPLACE) {
        Ok(()) => crate::stream::sync_folder(&state.join("identity")),
        Err(rustix::io::Errno::EXIST) => {
            std::fs::remove_file(&fresh).map_err(|error| Error::io("remove", &fresh, error))
        }
        Err(error) => Err(Error::io("put in place", &path, error.into())),
    }
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}
