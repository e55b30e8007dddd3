//! Import receipts: the signed proof that a release arrived (SPEC section 9).

use serde::{Deserialize, Serialize};

use super::canonical::{self, integer};
use super::envelope::{Envelope, PayloadType};
use super::key::SigningKey;
use crate::domain::{Hash, Name, SiteId, Timestamp};

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// When the import began.
    pub at: Timestamp,
    /// Hash of the audit row of the import.
    pub audit: Hash,
    /// The channel.
    pub channel: Name,
    /// The trust domain.
    pub domain: Hash,
    /// Epoch of the release.
    #[serde(with = "integer")]
    pub epoch: u64,
    /// Head digest.
    pub head: Hash,
    /// The appliance's receipts count from 1 without gaps.
    #[serde(with = "integer")]
    pub number: u64,
    /// The product.
    pub product: Name,
    /// What became of it.
    pub result: ReceiptResult,
    /// The root version under which it was accepted.
    #[serde(with = "integer")]
    pub root_version: u64,
    /// Sequence of the release.
    #[serde(with = "integer")]
    pub sequence: u64,
    /// Who signs.
    pub site: SiteId,
    /// Label of the release.
    pub version: String,
}

/// What became of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptResult {
    /// It was verified, stored and published.
    Imported,
}

impl Receipt {
    /// Signs the receipt with the appliance's status key and returns the envelope's bytes.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        canonical::to_vec(&Envelope::sign(
            PayloadType::ImportReceipt,
            canonical::to_vec(self),
            &[key],
        ))
    }
}
