//! Products and channels by name, for people: where two vendors have a product of one name, the vendor stands beside it.
//!
//! A vendor's name is what its root says, and two roots may say the same, or what looks the same. So the beginning of the trust
//! domain, which nobody chooses, stands with it. Machines are given the whole domain everywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::ui::escape;
use crate::appliance::Appliance;
use crate::domain::{Hash, Result, Scope};

/// Hex digits of a trust domain that people are shown.
const DIGITS: usize = 8;

/// What stands beside the products that several trust domains have.
#[derive(Debug, Default)]
pub(super) struct ScopeNames(BTreeMap<(String, Hash), String>);

impl ScopeNames {
    /// Looks at every release that is here, and at what else is to be named.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub(super) fn read<const N: usize>(appliance: &Appliance, more: [&Scope; N]) -> Result<Self> {
        let mut domains = BTreeMap::<String, BTreeSet<Hash>>::new();
        let releases = appliance.releases()?;
        for scope in releases.iter().map(|release| &release.scope).chain(more) {
            let product = scope.product.to_string();
            domains.entry(product).or_default().insert(scope.domain);
        }
        let mut names = BTreeMap::new();
        for (product, domains) in domains.into_iter().filter(|(_, domains)| domains.len() > 1) {
            for domain in domains {
                names.insert((product.clone(), domain), vendor_of(appliance, domain));
            }
        }
        Ok(Self(names))
    }

    /// Returns `PRODUCT/CHANNEL`, and the vendor: for what is handed on, whoever else has a product of that name.
    pub(super) fn with_vendor(&self, scope: &Scope, appliance: &Appliance) -> String {
        match self.0.get(&(scope.product.to_string(), scope.domain)) {
            Some(vendor) => format!("{scope} ({vendor})"),
            None => format!("{scope} ({})", vendor_of(appliance, scope.domain)),
        }
    }

    /// Returns `PRODUCT/CHANNEL`, and the vendor where the product alone does not say whose it is.
    pub(super) fn of(&self, scope: &Scope) -> String {
        match self.0.get(&(scope.product.to_string(), scope.domain)) {
            Some(vendor) => format!("{scope} ({vendor})"),
            None => scope.to_string(),
        }
    }
}

/// A vendor, with the beginning of its trust domain.
fn vendor_of(appliance: &Appliance, domain: Hash) -> String {
    let hex = domain.to_hex();
    let short = hex.get(..DIGITS).unwrap_or_default();
    // A pin that is damaged has no name to show; the domain is known all the same.
    match appliance.chain(domain) {
        Ok(chain) => format!("{}, {short}", escape(&chain.newest().vendor)),
        Err(_) => short.to_owned(),
    }
}
