//! Who may sign a bundle, as far as it can be known where it is signed: a signature that no site would count is not made.

use std::path::Path;

use super::workspace::Workspace;
use crate::bundle::OpenedBundle;
use crate::crypto::{BELOW_THRESHOLD, Chain, KeyId, PayloadType, Role, RoleName, RootDocument, Signature, verify_role};
use crate::domain::{Class, Error, Result};

/// The newest root that is known of a bundle's vendor.
#[derive(Debug)]
pub struct ReleaseSigners(RootDocument);

impl ReleaseSigners {
    /// Finds the root: in the chain given, carried on by the links of the bundle; without a chain the last link alone, which says who
    /// may sign whoever made it: a wrong one makes a signature that nobody counts, and no trust.
    ///
    /// # Errors
    ///
    /// `E-TRUST unknown-domain` for a chain of another vendor, `E-TRUST no-root` when neither says anything; those of the links.
    pub fn find(bundle: &OpenedBundle, chain: Option<&Chain>) -> Result<Self> {
        let (domain, links) = bundle.links()?;
        if let Some(chain) = chain {
            if chain.domain() != domain {
                return Err(Error::new(
                    Class::Trust,
                    "unknown-domain",
                    format!("the bundle belongs to the trust domain {domain}"),
                )
                .expected(format!("{}, whose root is at hand", chain.domain()))
                .remedy("give the vendor's chain file with --trust ROOT.JSON"));
            }
            let step = chain.extend(&links);
            return match step.refusal {
                Some(refusal) => Err(refusal),
                None => Ok(Self(step.chain.newest().clone())),
            };
        }
        match links.last() {
            Some(link) => RootDocument::parse(&link.payload).map(Self),
            None => Err(Error::new(
                Class::Trust,
                "no-root",
                "nothing here says which keys may sign this bundle",
            )
            .expected("the vendor's chain file, root.json of the workspace")
            .remedy("give it with --trust ROOT.JSON")),
        }
    }

    /// Checks that a key may sign releases. `what` names it in the message.
    ///
    /// # Errors
    ///
    /// `E-TRUST other-role` with the keys that may.
    pub fn check_key(&self, key: KeyId, what: &str) -> Result<()> {
        let role = self.0.role(RoleName::Release);
        match role.key(key) {
            Some(_) => Ok(()),
            None => Err(other_role(&role, self.0.version, what)),
        }
    }

    /// Checks a signature over a head that shall be put into its bundle.
    ///
    /// # Errors
    ///
    /// `E-TRUST other-role`, `E-SIGNATURE bad-signature`.
    pub fn check_signature(&self, head: &[u8], signature: &Signature) -> Result<()> {
        self.check_key(signature.keyid, &format!("the key {}", signature.keyid))?;
        let role = self.0.role(RoleName::Release);
        match verify_role(&role, PayloadType::BundleHead, head, std::slice::from_ref(signature)) {
            Err(error) if !error.is(BELOW_THRESHOLD) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns the chain of the workspace in whose `keys/` a key file lies, if it lies in one.
///
/// # Errors
///
/// `E-TRUST` when the workspace's chain does not hold; `E-IO`.
pub fn chain_beside(key: &Path) -> Result<Option<Chain>> {
    let key = key.canonicalize().map_err(|e| Error::io("look at", key, e))?;
    match key.parent().and_then(Path::parent) {
        Some(folder) => Workspace::chain_in(folder),
        None => Ok(None),
    }
}

/// Refuses a key that does not sign releases.
pub(super) fn other_role(role: &Role<'_>, version: u64, what: &str) -> Error {
    let keys: Vec<String> = role
        .rules()
        .iter()
        .flat_map(|rule| &rule.keys)
        .map(ToString::to_string)
        .collect();
    Error::new(Class::Trust, "other-role", format!("{what} does not sign releases"))
        .expected(format!(
            "a key of the release role of root {version}: {}",
            keys.join(", ")
        ))
        .remedy("look at the key ids and their files with `airlock vendor trust show`")
}
