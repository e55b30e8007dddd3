//! Receipts: the signed proof that a release arrived, went live, or was refused (SPEC section 9).

use serde::{Deserialize, Serialize};

use super::canonical::{self, integer};
use super::envelope::{Envelope, PayloadType};
use super::key::SigningKey;
use crate::domain::{Class, Error, Hash, InstanceId, Name, Result, SiteId, Timestamp};

/// Longest sub-code in a receipt, in bytes.
const CODE_BYTES: usize = 64;

/// What a receipt says.
///
/// `class`, `code` and `step` stand together, and only where a bundle was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// When the act began.
    pub at: Timestamp,
    /// Seal of the act's row in the stream log of the domain.
    pub audit: Hash,
    /// The channel.
    pub channel: Name,
    /// Class of the refusal: `E-CONTENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Sub-code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The trust domain, whose stream numbers the receipt.
    pub domain: Hash,
    /// Epoch of the release.
    #[serde(with = "integer")]
    pub epoch: u64,
    /// Head digest.
    pub head: Hash,
    /// The life of the state folder that made it: evidence, compared with nothing.
    pub instance: InstanceId,
    /// Receipts of a stream count from 1 without gaps.
    #[serde(with = "integer")]
    pub number: u64,
    /// The product.
    pub product: Name,
    /// What became of it.
    pub result: ReceiptResult,
    /// The root version under which it was judged.
    #[serde(with = "integer")]
    pub root_version: u64,
    /// Sequence of the release.
    #[serde(with = "integer")]
    pub sequence: u64,
    /// Who signs.
    pub site: SiteId,
    /// Step at which it was refused: `X13`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Label of the release.
    pub version: String,
}

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptResult {
    /// It was verified, stored and published; once more where its bundle healed what was damaged.
    Imported,
    /// It went live: with its import, or by a local choice.
    Activated,
    /// Its head was verified, and the bundle was refused.
    Refused,
}

impl ReceiptResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Imported, Self::Activated, Self::Refused];

    /// Returns the word in receipts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Activated => "activated",
            Self::Refused => "refused",
        }
    }
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

    /// Reads the payload of a receipt whose signature holds.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` for what is no canonical receipt, or says of a refusal too much or too little.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let receipt: Self = canonical::from_slice(payload, "the receipt")?;
        let wrong = |found: &str| Err(Error::new(Class::Format, "receipt", found));
        if receipt.number == 0 {
            return wrong("a receipt has the number 0");
        }
        let is_word = |text: &Option<String>| {
            text.as_ref().map(|text| {
                let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
                (1..=CODE_BYTES).contains(&text.len()) && text.bytes().all(fits)
            })
        };
        let words = [&receipt.class, &receipt.code, &receipt.step].map(is_word);
        let expected = if receipt.result == ReceiptResult::Refused {
            [Some(true); 3]
        } else {
            [None; 3]
        };
        if words == expected {
            return Ok(receipt);
        }
        wrong("class, code and step of a receipt stand together as words, and only with a refusal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(result: ReceiptResult) -> Receipt {
        let refusal = |word: &str| (result == ReceiptResult::Refused).then(|| word.to_owned());
        Receipt {
            at: Timestamp::EPOCH,
            audit: Hash([1; 32]),
            channel: "stable".parse().unwrap(),
            class: refusal("E-CONTENT"),
            code: refusal("image"),
            domain: Hash([2; 32]),
            epoch: 0,
            head: Hash([3; 32]),
            instance: "11112222333344445555666677778888".parse().unwrap(),
            number: 1,
            product: "erp".parse().unwrap(),
            result,
            root_version: 1,
            sequence: 7,
            site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            step: refusal("X13"),
            version: "1.0".into(),
        }
    }

    #[test]
    fn a_receipt_comes_back_and_only_a_refusal_says_why() {
        for result in ReceiptResult::ALL {
            let said = receipt(result);
            assert_eq!(Receipt::parse(&canonical::to_vec(&said)).unwrap(), said);
            let text = String::from_utf8(canonical::to_vec(&said)).unwrap();
            assert!(text.contains(&format!("\"result\":\"{}\"", result.as_str())));
            assert_eq!(text.contains("\"class\""), result == ReceiptResult::Refused);
        }
    }

    #[test]
    fn what_says_too_much_or_too_little_is_none() {
        let refused = receipt(ReceiptResult::Refused);
        let imported = receipt(ReceiptResult::Imported);
        let long = Some("a".repeat(CODE_BYTES + 1));
        for bad in [
            Receipt {
                number: 0,
                ..imported.clone()
            },
            Receipt {
                class: Some("E-CONTENT".into()),
                ..imported.clone()
            },
            Receipt {
                step: Some("X13".into()),
                ..imported
            },
            Receipt {
                class: None,
                ..refused.clone()
            },
            Receipt {
                code: None,
                ..refused.clone()
            },
            Receipt {
                step: None,
                ..refused.clone()
            },
            Receipt {
                code: Some(String::new()),
                ..refused.clone()
            },
            Receipt {
                code: Some("a b".into()),
                ..refused.clone()
            },
            Receipt { code: long, ..refused },
        ] {
            let error = Receipt::parse(&canonical::to_vec(&bad)).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Format, "receipt"), "{bad:?}");
        }
    }
}
