//! The key under which values of this site go into what agents are told (`identity/revision.key`): whoever knows a revision cannot try
//! values against it. It stays when other keys are replaced; with another one every deployment with secrets is applied once more.

use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::appliance::folder::{IDENTITY, REVISION_KEY};
use crate::appliance::own_key::{self, LOST};
use crate::crypto::{KeyFile, random, write_secret_file};
use crate::db::Reads;
use crate::db::site::own_keys::OwnKey;
use crate::domain::{Error, Hash, Result, SecretName, SecretValue, Uuid};
use crate::stream::{Expected, look, sync_folder};

/// The key.
pub(in crate::appliance) struct RevisionKey(Zeroizing<[u8; 32]>);

/// Makes the key where there is none.
///
/// # Errors
///
/// `planted`, `E-IO`, `E-SPACE`.
pub(in crate::appliance) fn create(state: &Path) -> Result<()> {
    let path = state.join(REVISION_KEY);
    if look(&path, Expected::File)?.is_some() {
        return Ok(());
    }
    let mut key = Zeroizing::new([0; 32]);
    random(key.as_mut())?;
    write_secret_file(&path, &key)
}

/// Makes another key in place of one that is lost; what stands there is kept beside it.
///
/// # Errors
///
/// `planted`, `E-IO`, `E-SPACE`.
pub(in crate::appliance) fn replace_lost(state: &Path) -> Result<()> {
    let (path, folder) = (state.join(REVISION_KEY), state.join(IDENTITY));
    if look(&path, Expected::File)?.is_some() {
        let aside = own_key::damaged_name(&folder, "revision")?;
        renameat_with(CWD, &path, CWD, &aside, RenameFlags::NOREPLACE)
            .map_err(|error| Error::io("set aside", &path, error.into()))?;
    }
    create(state)?;
    sync_folder(&folder)
}

impl RevisionKey {
    /// Reads the key.
    ///
    /// # Errors
    ///
    /// `E-STATE revision-key` when it is missing, damaged, or others may read it; `planted`.
    pub(in crate::appliance) fn open(state: &Path) -> Result<Self> {
        own_key::read(&state.join(REVISION_KEY), "revision-key", LOST, KeyFile::secret).map(Self)
    }

    /// As [`RevisionKey::open`], and only that of this appliance: another one makes other revisions of everything.
    ///
    /// # Errors
    ///
    /// As [`RevisionKey::open`]; `E-STATE revision-key` too when it is another appliance's. Those of the database.
    pub(in crate::appliance) fn open_own(state: &Path, db: &impl Reads) -> Result<Self> {
        let key = Self::open(state)?;
        let path = state.join(REVISION_KEY);
        own_key::check_is_own(db, (OwnKey::Revision, key.proof()), &path, "revision-key", LOST)?;
        Ok(key)
    }

    /// Returns what the key proves itself with. No list of values begins with a length like the first 8 bytes of this.
    pub(in crate::appliance) fn proof(&self) -> Hash {
        let mut mac = <Hmac<Sha256>>::new_from_slice(self.0.as_slice()).expect("HMAC takes keys of any length");
        mac.update(b"airlock-key-proof-v1");
        Hash(mac.finalize().into_bytes().into())
    }

    /// Returns what an agent is told in place of a stated revision, with these names and values, ascending by name.
    pub(in crate::appliance) fn revision(&self, stated: &Uuid, values: &[(SecretName, Arc<SecretValue>)]) -> Uuid {
        // What canonical JSON would write, without another copy of the values in memory: lengths say as clearly where each one ends.
        let mut mac = <Hmac<Sha256>>::new_from_slice(self.0.as_slice()).expect("HMAC takes keys of any length");
        for part in values.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let mac = Hash(mac.finalize().into_bytes().into());
        Uuid::of_site_revision(*stated, mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_value_name_key_or_revision_makes_another_one() {
        let (one, two) = (
            RevisionKey(Zeroizing::new([1; 32])),
            RevisionKey(Zeroizing::new([2; 32])),
        );
        let value = |text: &str| Arc::new(SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap());
        let list = |pairs: &[(&str, &str)]| -> Vec<(SecretName, Arc<SecretValue>)> {
            let parse = |name: &str| name.parse().unwrap();
            pairs.iter().map(|(name, text)| (parse(name), value(text))).collect()
        };
        let stated = Uuid::derived("revision", &["x"]);
        let first = one.revision(&stated, &list(&[("A", "xy"), ("B", "z")]));
        assert!(first.is_derived());
        assert_eq!(first, one.revision(&stated, &list(&[("A", "xy"), ("B", "z")])));
        for other in [
            one.revision(&stated, &list(&[("A", "x"), ("B", "yz")])),
            one.revision(&stated, &list(&[("A", "xy"), ("C", "z")])),
            one.revision(&stated, &list(&[("A", "xyBz")])),
            one.revision(&Uuid::derived("revision", &["y"]), &list(&[("A", "xy"), ("B", "z")])),
            two.revision(&stated, &list(&[("A", "xy"), ("B", "z")])),
        ] {
            assert_ne!(first, other);
        }
    }
}
