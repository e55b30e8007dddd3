//! What checks a secret that the hub issued, so that an enrolled agent keeps it (D12).

use serde::{Deserialize, Serialize};

use crate::crypto::canonical::integer;
use crate::domain::{Class, Error, Result, Uuid};

/// The hub's verifier of a target secret. Only the hub's own parameters are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verifier {
    /// `argon2id`.
    pub algorithm: String,
    /// 32 bytes, in hex.
    pub hash: String,
    /// 4.
    #[serde(with = "integer")]
    pub lanes: u64,
    /// 65,536.
    #[serde(with = "integer")]
    pub memory_kib: u64,
    /// 16 bytes, in hex.
    pub salt: String,
    /// 1.
    #[serde(with = "integer")]
    pub time: u64,
}

impl Verifier {
    /// Memory, lanes and length are fixed, so that no document decides what a login costs.
    pub(super) fn check(&self, target: Uuid) -> Result<()> {
        let hex = |text: &str, bytes: usize| {
            text.len() == bytes.saturating_mul(2) && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
        };
        if self.algorithm == "argon2id"
            && (self.time, self.memory_kib, self.lanes) == (1, 65_536, 4)
            && hex(&self.salt, 16)
            && hex(&self.hash, 32)
        {
            return Ok(());
        }
        Err(Error::new(
            Class::Content,
            "verifier",
            format!("target {target}: the verifier of its secret has other parameters than the hub uses"),
        )
        .expected("argon2id, time 1, 65,536 KiB, 4 lanes, a salt of 16 and a hash of 32 bytes")
        .remedy(format!("have the vendor leave the verifier out, and give the agent a secret of this site with `airlock target secret {target}`")))
    }
}
