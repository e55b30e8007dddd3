//! Who UUIDs, secrets and local removals belong to: a product of a trust domain, whichever channel states them (D18).

use std::fmt;

use crate::domain::{Hash, Name, Scope};

/// A product of a trust domain, in whichever channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Owner {
    /// Trust domain.
    pub domain: Hash,
    /// The product.
    pub product: Name,
}

impl Owner {
    /// Returns the product of a scope.
    pub fn of(scope: &Scope) -> Self {
        Self {
            domain: scope.domain,
            product: scope.product.clone(),
        }
    }

    /// Whether a scope is one of this product's.
    pub fn is_of(&self, scope: &Scope) -> bool {
        self.domain == scope.domain && self.product == scope.product
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the product {} of the trust domain {}", self.product, self.domain)
    }
}
