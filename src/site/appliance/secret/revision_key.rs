//! The key under which values of this site go into what agents are told (`identity/revision.key`): whoever knows a revision cannot try
//! values against it. It stays when other keys are replaced; with another one every deployment with secrets is applied once more.

use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::appliance::folder::REVISION_KEY;
use crate::appliance::own_key::{self, LOST};
use crate::crypto::{KeyFile, random, write_secret_file};
use crate::domain::{Hash, Result, SecretName, SecretValue, Uuid};
use crate::stream::{Expected, look};

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

impl RevisionKey {
    /// Reads the key.
    ///
    /// # Errors
    ///
    /// `E-STATE revision-key` when it is missing, damaged, or others may read it; `planted`.
    pub(in crate::appliance) fn open(state: &Path) -> Result<Self> {
        own_key::read(&state.join(REVISION_KEY), "revision-key", LOST, KeyFile::secret).map(Self)
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
