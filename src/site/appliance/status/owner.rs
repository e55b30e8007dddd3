//! Whose a target was when its agent reported: what a former owner's agent said is not the next one's (D18 b).

use sha2::{Digest as _, Sha256};

use crate::domain::{Hash, Scope};

/// The vendor and product that a target belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Trust domain: whose stream it is that everything goes into which the target reports.
    pub domain: Hash,
    /// Stands for the product within that domain.
    pub mark: Hash,
}

impl Owner {
    /// Returns the owner of the targets of a scope.
    pub fn of(scope: &Scope) -> Self {
        let mut hash = Sha256::new();
        hash.update(scope.domain.0);
        hash.update(scope.product.to_string());
        Self {
            domain: scope.domain,
            mark: Hash(hash.finalize().into()),
        }
    }
}
