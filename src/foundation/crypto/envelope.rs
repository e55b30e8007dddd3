//! DSSE: what is signed, the envelope of files outside the container, and the one function that counts signatures.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::{KeyId, SigningKey};
use super::root::Role;
use crate::domain::{Class, Code, Error, Result, limits};

/// Sub-code of a document that too few keys of a role have signed.
pub const BELOW_THRESHOLD: Code = Code::new("below-threshold");

/// Purpose of a signed document: the domain separator inside what is signed. One type, one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the strings say it")]
pub enum PayloadType {
    #[serde(rename = "application/vnd.airlock.trust-root.v1+json")]
    TrustRoot,
    #[serde(rename = "application/vnd.airlock.bundle-head.v1+json")]
    BundleHead,
    #[serde(rename = "application/vnd.airlock.status-head.v1+json")]
    StatusHead,
    #[serde(rename = "application/vnd.airlock.site-approval.v1+json")]
    SiteApproval,
    #[serde(rename = "application/vnd.airlock.withdrawal-list.v1+json")]
    WithdrawalList,
    #[serde(rename = "application/vnd.airlock.licence.v1+json")]
    Licence,
    #[serde(rename = "application/vnd.airlock.status-acknowledgement.v1+json")]
    StatusAcknowledgement,
    #[serde(rename = "application/vnd.airlock.import-receipt.v1+json")]
    ImportReceipt,
    #[serde(rename = "application/vnd.airlock.enrolment.v1+json")]
    Enrolment,
    #[serde(rename = "application/vnd.airlock.audit-checkpoint.v1+json")]
    AuditCheckpoint,
    #[serde(rename = "application/vnd.airlock.export-approval.v1+json")]
    ExportApproval,
    #[serde(rename = "application/vnd.airlock.status-summary.v1")]
    StatusSummary,
}

impl PayloadType {
    /// Every purpose.
    pub const ALL: [Self; 12] = [
        Self::TrustRoot,
        Self::BundleHead,
        Self::StatusHead,
        Self::SiteApproval,
        Self::WithdrawalList,
        Self::Licence,
        Self::StatusAcknowledgement,
        Self::ImportReceipt,
        Self::Enrolment,
        Self::AuditCheckpoint,
        Self::ExportApproval,
        Self::StatusSummary,
    ];

    /// Returns the string that is signed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrustRoot => "application/vnd.airlock.trust-root.v1+json",
            Self::BundleHead => "application/vnd.airlock.bundle-head.v1+json",
            Self::StatusHead => "application/vnd.airlock.status-head.v1+json",
            Self::SiteApproval => "application/vnd.airlock.site-approval.v1+json",
            Self::WithdrawalList => "application/vnd.airlock.withdrawal-list.v1+json",
            Self::Licence => "application/vnd.airlock.licence.v1+json",
            Self::StatusAcknowledgement => "application/vnd.airlock.status-acknowledgement.v1+json",
            Self::ImportReceipt => "application/vnd.airlock.import-receipt.v1+json",
            Self::Enrolment => "application/vnd.airlock.enrolment.v1+json",
            Self::AuditCheckpoint => "application/vnd.airlock.audit-checkpoint.v1+json",
            Self::ExportApproval => "application/vnd.airlock.export-approval.v1+json",
            Self::StatusSummary => "application/vnd.airlock.status-summary.v1",
        }
    }
}

/// Returns the bytes that are signed for a payload (DSSE protocol, pre-authentication encoding).
pub fn pre_authentication(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    pre_authentication_of(payload_type.as_str(), payload)
}

/// As [`pre_authentication`], for a type that may be somebody else's.
pub(super) fn pre_authentication_of(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// One signature, with the id of the key that made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Id of the key.
    pub keyid: KeyId,
    /// 64 bytes.
    #[serde(with = "base64_bytes")]
    pub sig: Vec<u8>,
}

impl Signature {
    /// Signs a payload for a purpose.
    pub fn make(key: &SigningKey, payload_type: PayloadType, payload: &[u8]) -> Self {
        Self {
            keyid: key.public().id(),
            sig: key.sign(&pre_authentication(payload_type, payload)).to_vec(),
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signature by {}", self.keyid)
    }
}

/// A standard DSSE JSON envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    /// The signed bytes.
    #[serde(with = "base64_bytes")]
    pub payload: Vec<u8>,
    /// What they are for.
    pub payload_type: PayloadType,
    /// Who signed.
    pub signatures: Vec<Signature>,
}

impl Envelope {
    /// Signs a payload with every key given.
    pub fn sign(payload_type: PayloadType, payload: Vec<u8>, keys: &[&SigningKey]) -> Self {
        let mut signatures: Vec<_> = keys
            .iter()
            .map(|key| Signature::make(key, payload_type, &payload))
            .collect();
        signatures.sort_by_key(|signature| signature.keyid);
        signatures.dedup_by_key(|signature| signature.keyid);
        Self {
            payload,
            payload_type,
            signatures,
        }
    }

    /// Checks the payload type and the signatures against a role.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE wrong-type` and those of [`verify_role`].
    pub fn verify(&self, payload_type: PayloadType, role: &Role) -> Result<()> {
        if self.payload_type != payload_type {
            return Err(Error::new(
                Class::Signature,
                "wrong-type",
                format!("an envelope holds {}", self.payload_type.as_str()),
            )
            .expected(payload_type.as_str()));
        }
        verify_role(role, payload_type, &self.payload, &self.signatures)
    }
}

/// Checks signatures over a payload against a role: **all** rules must hold, each with a threshold of distinct keys.
///
/// Unknown key ids are ignored; a known key id with a bad signature refuses the document. This is the only function that
/// counts signatures.
///
/// # Errors
///
/// `E-LIMIT signatures`, `E-SIGNATURE bad-signature`, `E-SIGNATURE below-threshold`.
pub fn verify_role(role: &Role, payload_type: PayloadType, payload: &[u8], signatures: &[Signature]) -> Result<()> {
    if signatures.len() > limits::SIGNATURES {
        return Err(Error::new(
            Class::Limit,
            "signatures",
            format!("a document has {} signatures", signatures.len()),
        )
        .expected(format!("at most {}", limits::SIGNATURES)));
    }
    let message = pre_authentication(payload_type, payload);
    let mut verified: BTreeSet<KeyId> = BTreeSet::new();
    for signature in signatures {
        let Some(key) = role.key(signature.keyid) else { continue };
        let good = <&[u8; 64]>::try_from(signature.sig.as_slice()).is_ok_and(|sig| key.verifies(&message, sig));
        if !good {
            return Err(Error::new(
                Class::Signature,
                "bad-signature",
                format!("the signature by key {} does not fit the document", signature.keyid),
            )
            .expected("signatures over exactly these bytes for exactly this purpose")
            .remedy("fetch the document again; if it stays so, somebody changed it"));
        }
        verified.insert(signature.keyid);
    }
    for rule in role.rules() {
        let found = rule.keys.iter().filter(|id| verified.contains(id)).count();
        if found < rule.threshold {
            return Err(Error::new(
                Class::Signature,
                BELOW_THRESHOLD,
                format!(
                    "{found} of the keys that may sign this {} signed",
                    if found == 1 { "has" } else { "have" }
                ),
            )
            .expected(format!("at least {} of {}", rule.threshold, rule.keys.len()))
            .remedy("have it signed with the vendor's keys, or check that the pinned root is the vendor's"));
        }
    }
    Ok(())
}

pub(crate) mod base64_bytes {
    //! Bytes as standard base64; the canonical comparison refuses every other spelling.

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
