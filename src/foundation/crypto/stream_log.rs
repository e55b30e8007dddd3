//! The log of what a vendor may learn of a site: one row for every act that concerns it, each sealed with the seal before.
//!
//! The appliance keeps one such log for each trust domain, beside its own whole one; status packages carry it (SPEC section 15).
//!
//! ```text
//! seal 0 = SHA-256("airlock-stream-v1" LF || site (16 bytes) || domain (32 bytes))
//! seal n = SHA-256("airlock-stream-row-v1" LF || seal n−1 || canonical {"action","at","detail","number"})
//! ```

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::canonical;
use crate::domain::{Hash, SiteId, Timestamp};

const STREAM: &[u8] = b"airlock-stream-v1\n";
const ROW: &[u8] = b"airlock-stream-row-v1\n";

/// Returns seal 0, before the first row.
pub fn stream_start(site: &SiteId, domain: Hash) -> Hash {
    let mut hasher = Sha256::new_with_prefix(STREAM);
    hasher.update(site.to_bytes());
    hasher.update(domain.0);
    Hash(hasher.finalize().into())
}

/// Returns the seal of a row, from the seal before it. `detail` is an object.
pub fn stream_seal(before: Hash, number: u64, at: Timestamp, action: &str, detail: &Value) -> Hash {
    let row = serde_json::json!({"action": action, "at": at, "detail": detail, "number": number});
    let mut hasher = Sha256::new_with_prefix(ROW);
    hasher.update(before.0);
    hasher.update(canonical::to_vec(&row));
    Hash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seals_of_the_worked_example() {
        let site: SiteId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let start = stream_start(&site, Hash([0xcd; 32]));
        assert_eq!(
            start.to_string(),
            "41753a1678b4d99fcee65d95f4ae28ca5156bc78a746130e7b8f8df290760c3c"
        );
        let detail = serde_json::json!({
            "instance": "11112222333344445555666677778888",
            "root_version": 1,
            "status_key": "e9de340581b2e1a257a7af78e86866eb17788178c5f723488076fab37d3545bc",
        });
        let first = stream_seal(start, 1, "2026-11-21T09:00:00Z".parse().unwrap(), "init", &detail);
        assert_eq!(
            first.to_string(),
            "00188109bc8401553b135decd15b9d4a1b40432f15e258b6791bdeb89731b64c"
        );
    }
}
