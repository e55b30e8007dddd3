//! Export approvals: people at the site agree that exactly this package may leave (SPEC section 14).
//!
//! They have a payload type of their own: who approves an import never lets anything out.

use std::collections::BTreeSet;

use serde::Serialize;

use super::canonical;
use super::envelope::{BELOW_THRESHOLD, PayloadType, Signature, verify_role};
use super::key::{KeyId, PublicKey, SigningKey};
use super::root::Signers;
use crate::domain::{Class, Error, Hash, Result, SiteId, counted};

/// What is approved. It is rebuilt by whoever checks, and never carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportApproval {
    /// Head digest of the package.
    pub head: Hash,
    /// The site that it leaves.
    pub site: SiteId,
}

impl ExportApproval {
    /// Signs the approval.
    pub fn sign(&self, key: &SigningKey) -> Signature {
        Signature::make(key, PayloadType::ExportApproval, &canonical::to_vec(self))
    }

    /// Checks that so many distinct keys of the site have signed. Signatures by other keys are ignored.
    ///
    /// # Errors
    ///
    /// `E-POLICY approvals`, also for a bad signature by one of the keys; `E-LIMIT`.
    pub fn check(
        &self,
        keys: impl IntoIterator<Item = PublicKey>,
        wanted: usize,
        signatures: &[Signature],
    ) -> Result<()> {
        if wanted == 0 {
            return Ok(());
        }
        let keys: Vec<PublicKey> = keys.into_iter().collect();
        let ids: BTreeSet<KeyId> = keys.iter().map(|key| key.id()).collect();
        let signers = Signers::of(keys, wanted);
        verify_role(
            &signers.role(),
            PayloadType::ExportApproval,
            &canonical::to_vec(self),
            signatures,
        )
        .map_err(|error| match error.class() {
            Class::Signature if error.is(BELOW_THRESHOLD) => {
                let there: BTreeSet<KeyId> = signatures.iter().map(|signature| signature.keyid).collect();
                let there = counted(there.intersection(&ids).count(), "approval");
                Error::new(
                    Class::Policy,
                    "approvals",
                    format!("the package has {there} by keys of the site"),
                )
                .expected(format!("{wanted} of them"))
                .with_source(error)
            }
            Class::Signature => Error::new(Class::Policy, "approvals", error.found().to_owned())
                .expected(format!("{wanted} approvals of this package by keys of the site"))
                .with_source(error),
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_keys_count_and_only_for_this_purpose_package_and_site() {
        let keys: Vec<_> = [1, 2, 3].map(|n| SigningKey::from_secret(&[n; 32])).into();
        let approval = ExportApproval {
            head: Hash([7; 32]),
            site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        };
        let public = || keys.iter().take(2).map(SigningKey::public);
        let good = [approval.sign(&keys[0]), approval.sign(&keys[1])];
        approval.check(public(), 2, &good).unwrap();
        approval.check([], 0, &[]).unwrap();
        let import = Signature::make(&keys[1], PayloadType::SiteApproval, &canonical::to_vec(&approval));
        for (signatures, what) in [
            (vec![good[0].clone(), good[0].clone()], "one key twice"),
            (vec![good[0].clone(), approval.sign(&keys[2])], "a stranger's key"),
        ] {
            let error = approval.check(public(), 2, &signatures).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Policy, "approvals"), "{what}");
            assert_eq!(
                error.to_string(),
                "the package has 1 approval by keys of the site; expected 2 of them",
                "{what}"
            );
        }
        // The approval of an import is no approval of a package.
        let error = approval.check(public(), 2, &[good[0].clone(), import]).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Policy, "approvals"));
        assert!(
            error
                .to_string()
                .ends_with("expected 2 approvals of this package by keys of the site"),
            "{error}"
        );
        let other = ExportApproval {
            head: Hash([8; 32]),
            ..approval
        };
        assert!(other.check(public(), 2, &good).is_err());
    }
}
