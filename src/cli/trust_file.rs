//! Reads chain files (`root.json`) and shows their fingerprints in a form that two people can compare by voice.

use std::path::Path;

use super::file_kind::Door;
use crate::crypto::Chain;
use crate::domain::{Error, Result, limits};
use crate::stream::{open_named, read_bounded};

#[cfg(feature = "site")]
use super::ui::escape;

/// Reads a chain file.
pub(super) fn read(path: &Path) -> Result<Chain> {
    read_at(Door::ROOT, path)
}

/// Reads the chain file that an appliance is made with.
#[cfg(feature = "site")]
pub(super) fn read_first(path: &Path) -> Result<Chain> {
    read_at(Door::FIRST_ROOT, path)
}

fn read_at(door: Door, path: &Path) -> Result<Chain> {
    let file = open_named(path, "open the trust root")?;
    let named = |error: Error| door.told(error, path).context(&path.display().to_string());
    let bytes = read_bounded(file, limits::TRUST_BYTES, "the trust root").map_err(named)?;
    Chain::parse(&bytes).map_err(named)
}

#[cfg(feature = "site")]
/// Returns what a person compares before a root is trusted.
pub(super) fn describe(chain: &Chain) -> String {
    let root = chain.newest();
    let products: Vec<String> = root.products.iter().map(ToString::to_string).collect();
    format!(
        "vendor       {}\nproducts     {}\ndomain       {}\nroot         {} (expires {})\nfingerprint  {}",
        escape(&root.vendor),
        products.join(", "),
        chain.domain(),
        root.version,
        root.expires,
        chain.fingerprint().spoken(),
    )
}

#[cfg(feature = "site")]
/// Returns the same for machines.
pub(super) fn to_json(chain: &Chain) -> serde_json::Value {
    let root = chain.newest();
    serde_json::json!({
        "vendor": root.vendor, "products": root.products, "domain": chain.domain(), "root_version": root.version,
        "expires": root.expires, "fingerprint": chain.fingerprint(),
    })
}
