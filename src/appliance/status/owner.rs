//! Whose a target was when its agent reported: what a former owner's agent said is not the next one's (D18 b).

use sha2::{Digest as _, Sha256};

use crate::domain::{Hash, Scope};

/// Returns what stands for the product of a trust domain that a target belongs to.
pub fn owner_mark(scope: &Scope) -> Hash {
    let mut hash = Sha256::new();
    hash.update(scope.domain.0);
    hash.update(scope.product.to_string());
    Hash(hash.finalize().into())
}
