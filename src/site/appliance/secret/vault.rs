//! The values of a scope, for one release of it: what that release sealed, and what is kept here. Each is decrypted when it is first asked
//! for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::recipients;
use super::record;
use super::uses::{NeededSecret, Place};
use crate::bundle::desired::SecretSource;
use crate::crypto::SealedSecrets;
use crate::db::site::kept_secrets::KeptSecret;
use crate::domain::{Result, Scope, SecretValue};

/// The values.
pub(in crate::appliance) struct Vault {
    state: PathBuf,
    kept: BTreeMap<Place, KeptSecret>,
    sealed: Option<SealedSecrets>,
    /// Read when one is first needed.
    keys: RefCell<Option<Vec<recipients::Secret>>>,
    opened: RefCell<BTreeMap<(SecretSourceKind, Place), Arc<SecretValue>>>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SecretSourceKind {
    Sealed,
    Kept,
}

impl Vault {
    /// Takes what a scope has; rows of other scopes, and forgotten ones, are passed over.
    pub(in crate::appliance) fn new(
        state: &Path,
        scope: &Scope,
        kept: &[KeptSecret],
        sealed: Option<SealedSecrets>,
    ) -> Self {
        let own = kept.iter().filter(|row| row.scope == *scope && row.counts());
        Self {
            state: state.to_owned(),
            kept: own.map(|row| ((row.name.clone(), row.target), row.clone())).collect(),
            sealed,
            keys: RefCell::default(),
            opened: RefCell::default(),
        }
    }

    /// Whether there is a value for a use; whether it can be read is not looked at.
    pub(super) fn has(&self, used: &NeededSecret) -> bool {
        match used.declared.source {
            SecretSource::Sealed => self.sealed_value(used).is_some(),
            SecretSource::Ask | SecretSource::Generate => self.kept.contains_key(&used.place()),
        }
    }

    /// Returns the value for a use; nothing where there is none.
    ///
    /// # Errors
    ///
    /// `E-STATE secret-file` when it is here and cannot be read: its file is gone, damaged, another one's, or sealed to a key that is lost.
    /// `recipient-key`; `E-IO`.
    pub(in crate::appliance) fn value(&self, used: &NeededSecret) -> Result<Option<Arc<SecretValue>>> {
        let (kind, place) = match used.declared.source {
            SecretSource::Sealed => {
                let template = used.target.as_ref().map(|target| target.template.unwrap_or(target.id));
                (SecretSourceKind::Sealed, (used.name.clone(), template))
            }
            SecretSource::Ask | SecretSource::Generate => (SecretSourceKind::Kept, used.place()),
        };
        if let Some(value) = self.opened.borrow().get(&(kind, place.clone())) {
            return Ok(Some(value.clone()));
        }
        let value = match kind {
            SecretSourceKind::Sealed => self.sealed_value(used).cloned().map(Arc::new),
            SecretSourceKind::Kept => match self.kept.get(&place) {
                Some(row) => Some(Arc::new(self.open(row)?)),
                None => None,
            },
        };
        if let Some(value) = &value {
            self.opened.borrow_mut().insert((kind, place), value.clone());
        }
        Ok(value)
    }

    fn sealed_value(&self, used: &NeededSecret) -> Option<&SecretValue> {
        sealed_value(self.sealed.as_ref(), used)
    }

    fn open(&self, row: &KeptSecret) -> Result<SecretValue> {
        let mut keys = self.keys.borrow_mut();
        let keys = match &mut *keys {
            Some(keys) => keys,
            none => none.insert(recipients::all(&self.state)?),
        };
        Ok(record::open(&self.state, row, keys)?.value)
    }
}

/// Returns what a release sealed for a use, if anything.
pub(super) fn sealed_value<'a>(sealed: Option<&'a SealedSecrets>, used: &NeededSecret) -> Option<&'a SecretValue> {
    let target = used.target.as_ref().map(|target| target.template.unwrap_or(target.id));
    sealed?.value(&used.name, target)
}
