//! The token key of an appliance (`identity/token.key`) and what is derived from it.
//!
//! It survives restarts, upgrades and restores, so that agents keep their tokens; it never leaves the appliance. A key of its own
//! for each purpose keeps a keyed hash of one kind from ever being one of another.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::folder::{IDENTITY, TOKEN_KEY};
use super::own_key;
use crate::crypto::{KeyFile, random, write_secret_file};
use crate::db::Reads;
use crate::db::site::own_keys::OwnKey;
use crate::domain::{Error, Hash, Result, Uuid};
use crate::stream::{Expected, look, sync_folder};

/// What to do where it is lost.
const TOKEN_KEY_LOST: &str = "end airlock serve, then put a whole copy of the state folder in its place; or make another key with `airlock recover --as token-key-lost`, start the server again, run `airlock target connect TARGET --new-secret` for every target once more, and for every credential of `airlock access list` run `airlock access remove NAME` and `airlock access add NAME --read PATTERN`: until then its agents, and people with such credentials, are refused";

/// The keys of an appliance.
pub(super) struct Keys {
    tokens: Zeroizing<[u8; 32]>,
    secrets: Zeroizing<[u8; 32]>,
    access: Zeroizing<[u8; 32]>,
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
    /// Reads the token key. Reading makes none: another key would lock every agent out, and nobody would know why.
    ///
    /// # Errors
    ///
    /// `E-STATE token-key` when it is missing, damaged, or others may read it; `planted`.
    pub(super) fn open(state: &Path) -> Result<Self> {
        let key = own_key::read(&state.join(TOKEN_KEY), "token-key", TOKEN_KEY_LOST, KeyFile::secret)?;
        let mut attempts = Zeroizing::new([0; 32]);
        random(attempts.as_mut())?;
        Ok(Self {
            tokens: Zeroizing::new(mac(&key, &[b"airlock-token-v1"])),
            secrets: Zeroizing::new(mac(&key, &[b"airlock-target-secret-v1"])),
            access: Zeroizing::new(mac(&key, &[b"airlock-access-secret-v1"])),
            attempts,
        })
    }

    /// As [`Keys::open`], and only those of this appliance: with another's every agent would be refused, and none of them knew why.
    ///
    /// # Errors
    ///
    /// As [`Keys::open`]; `E-STATE token-key` too when it is another appliance's. Those of the database.
    pub(super) fn open_own(state: &Path, db: &impl Reads) -> Result<Self> {
        let keys = Self::open(state)?;
        let path = state.join(TOKEN_KEY);
        own_key::check_is_own(db, (OwnKey::Token, keys.proof()), &path, "token-key", TOKEN_KEY_LOST)?;
        Ok(keys)
    }

    /// Returns what the key proves itself with.
    pub(super) fn proof(&self) -> Hash {
        Hash(mac(&self.tokens, &[b"airlock-key-proof-v1"]))
    }

    /// Whether these are made of the same key.
    pub(super) fn are(&self, other: &Self) -> bool {
        bool::from(self.tokens.ct_eq(other.tokens.as_slice()))
    }

    /// Returns the signature of a token.
    pub(super) fn token_mac(&self, text: &[u8]) -> [u8; 32] {
        mac(&self.tokens, &[text])
    }

    /// Returns what is kept of a secret.
    pub(super) fn secret_mac(&self, target: &Uuid, secret: &str) -> Hash {
        Hash(mac(&self.secrets, &[target.as_bytes(), secret.as_bytes()]))
    }

    /// Returns what is kept of the secret of somebody who is no agent: found by it, whatever name is shown with it.
    pub(super) fn access_mac(&self, secret: &str) -> Hash {
        Hash(mac(&self.access, &[secret.as_bytes()]))
    }

    /// Returns what is remembered of an attempt.
    pub(super) fn attempt_mac(&self, target: &Uuid, secret: &str) -> [u8; 32] {
        mac(&self.attempts, &[target.as_bytes(), secret.as_bytes()])
    }
}

/// Makes another token key in place of one that is lost; what stands there and is none is kept beside it.
///
/// # Errors
///
/// `planted`, `E-IO`, `E-SPACE`.
pub(super) fn replace_lost(state: &Path) -> Result<()> {
    let (path, folder) = (state.join(TOKEN_KEY), state.join(IDENTITY));
    if look(&path, Expected::File)?.is_some() {
        let aside = own_key::damaged_name(&folder, "token")?;
        renameat_with(CWD, &path, CWD, &aside, RenameFlags::NOREPLACE)
            .map_err(|error| Error::io("set aside", &path, error.into()))?;
    }
    create(state)?;
    sync_folder(&folder)
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
