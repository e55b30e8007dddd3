//! The end of an exported audit log: a site signs how far it went, and to which hash (SPEC section 10).

use serde::{Deserialize, Serialize};

use super::canonical::{self, integer};
use super::envelope::{Envelope, PayloadType, verify_role};
use super::key::{PublicKey, SigningKey};
use super::root::Signers;
use crate::domain::{Class, Error, Hash, InstanceId, Result, SiteId, Timestamp};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// When the log was exported.
    pub at: Timestamp,
    /// Hash of its last row.
    pub hash: Hash,
    /// The life of the state folder at that time.
    pub instance: InstanceId,
    /// Number of its last row.
    #[serde(with = "integer")]
    pub number: u64,
    /// Whose log it is.
    pub site: SiteId,
}

impl Checkpoint {
    /// Signs it with the status key and returns the envelope's bytes.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        canonical::to_vec(&Envelope::sign(
            PayloadType::AuditCheckpoint,
            canonical::to_vec(self),
            &[key],
        ))
    }

    /// Reads a checkpoint that one of these keys has signed.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` for another payload type or a signature of none of the keys; `E-FORMAT` and `E-LIMIT`.
    pub fn parse(envelope: &[u8], keys: &[PublicKey]) -> Result<Self> {
        let envelope: Envelope = canonical::envelopes_from_slice(envelope, "the checkpoint")?;
        let signed = |key: &PublicKey| {
            let (kind, payload) = (PayloadType::AuditCheckpoint, &envelope.payload);
            envelope.payload_type == kind
                && verify_role(&Signers::one(*key).role(), kind, payload, &envelope.signatures).is_ok()
        };
        if !keys.iter().any(signed) {
            return Err(Error::new(
                Class::Signature,
                "checkpoint",
                "the copy of the log is signed by none of this appliance's keys",
            )
            .expected("a checkpoint under a status key that this appliance has or had")
            .remedy("name a file that `airlock audit export -o FILE` wrote on this appliance"));
        }
        canonical::from_slice(&envelope.payload, "the checkpoint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_counts_under_one_of_the_keys_alone() {
        let (one, two) = (SigningKey::from_secret(&[7; 32]), SigningKey::from_secret(&[8; 32]));
        let checkpoint = Checkpoint {
            at: Timestamp::EPOCH,
            hash: Hash([1; 32]),
            instance: InstanceId::from_bytes([2; 16]),
            number: 3,
            site: SiteId::from_bytes([4; 16]),
        };
        let file = checkpoint.sign(&one);
        let keys = [two.public(), one.public()];
        assert_eq!(Checkpoint::parse(&file, &keys).unwrap(), checkpoint);
        for keys in [&keys[..1], &[]] {
            let error = Checkpoint::parse(&file, keys).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Signature, "checkpoint"));
        }
        for place in 0..file.len() {
            let mut bad = file.clone();
            bad[place] ^= 1;
            assert!(Checkpoint::parse(&bad, &keys).is_err(), "byte {place}");
        }
        let payload = canonical::to_vec(&checkpoint);
        let other = canonical::to_vec(&Envelope::sign(PayloadType::ImportReceipt, payload, &[&one]));
        assert_eq!(Checkpoint::parse(&other, &keys).unwrap_err().code(), "checkpoint");
    }
}
