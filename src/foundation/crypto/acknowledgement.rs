//! Acknowledgements: what of a site's packages the vendor holds without a hole, so that the site may let it go (SPEC section 14).

use serde::{Deserialize, Serialize};

use super::canonical::{self, integer};
use super::envelope::{Envelope, PayloadType};
use super::features::check_features;
use super::key::SigningKey;
use super::root::Role;
use crate::domain::{Class, Error, Hash, InstanceId, Result, SiteId, Timestamp, Version, limits};

const WHAT: &str = "the acknowledgement";

/// What an acknowledgement says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// What the vendor found in packages and the site should know.
    pub alarms: Vec<Alarm>,
    /// The log of the stream as it is known.
    pub audit: AcknowledgedAudit,
    /// Trust domain of who acknowledges.
    pub domain: Hash,
    /// The instance that made the packages.
    pub instance: InstanceId,
    /// When it was made.
    pub issued_at: Timestamp,
    /// 1, 2, 3 … for each site.
    #[serde(with = "integer")]
    pub number: u64,
    /// Packages that prove the numbers, ascending.
    pub packages: Vec<AcknowledgedPackage>,
    /// Version of airlock that reads it.
    pub reader: Version,
    /// Receipts up to here are held.
    #[serde(with = "integer")]
    pub receipts: u64,
    /// Records up to here are held.
    #[serde(with = "integer")]
    pub records: u64,
    /// Features beyond version 1.
    pub requires: Vec<String>,
    /// For whom.
    pub site: SiteId,
}

/// The log of a stream as the vendor knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgedAudit {
    /// Seal of that row.
    pub hash: Hash,
    /// Rows up to here are held.
    #[serde(with = "integer")]
    pub number: u64,
}

/// A package that the vendor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgedPackage {
    /// Its head digest.
    pub head: Hash,
    /// Its number in the instance.
    #[serde(with = "integer")]
    pub number: u64,
}

/// Something that the vendor found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// What it is.
    pub code: AlarmCode,
    /// Number of the package in which it was found.
    #[serde(with = "integer")]
    pub number: u64,
}

/// What an alarm may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmCode {
    /// The log of the stream was rewritten or cut.
    AuditDiscontinuity,
    /// Two instances of the site report beside one another.
    Branches,
    /// A receipt names a release that this vendor did not sign here.
    ForeignRelease,
    /// An instance that was known began elsewhere.
    Lineage,
    /// Two packages have one number.
    PackageNumber,
    /// A package does not follow the one before it.
    Previous,
    /// A receipt came again and was another.
    Receipt,
    /// A record came again and was another.
    Record,
    /// Numbers of records never arrived.
    RecordsMissing,
}

impl AlarmCode {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::AuditDiscontinuity,
        Self::Branches,
        Self::ForeignRelease,
        Self::Lineage,
        Self::PackageNumber,
        Self::Previous,
        Self::Receipt,
        Self::Record,
        Self::RecordsMissing,
    ];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuditDiscontinuity => "audit-discontinuity",
            Self::Branches => "branches",
            Self::ForeignRelease => "foreign-release",
            Self::Lineage => "lineage",
            Self::PackageNumber => "package-number",
            Self::Previous => "previous",
            Self::Receipt => "receipt",
            Self::Record => "record",
            Self::RecordsMissing => "records-missing",
        }
    }
}

impl Acknowledgement {
    /// Signs it and returns the bytes of its envelope.
    pub fn sign(&self, keys: &[&SigningKey]) -> Vec<u8> {
        canonical::to_vec(&Envelope::sign(
            PayloadType::StatusAcknowledgement,
            canonical::to_vec(self),
            keys,
        ))
    }

    /// Returns what an envelope says that was verified when it was kept: nothing in it is verified again.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` for what is no envelope of an acknowledgement.
    pub fn kept(bytes: &[u8]) -> Result<Self> {
        let envelope: Envelope = canonical::envelopes_from_slice(bytes, WHAT)?;
        canonical::from_slice(&envelope.payload, WHAT)
    }

    /// Verifies an envelope for the role that acknowledges, and only then reads what it says.
    ///
    /// Whether it is for this site, and what it may free here, is judged by whoever applies it.
    ///
    /// # Errors
    ///
    /// `E-LIMIT document-size` and `items`; `E-FORMAT` for what is no canonical envelope or document; `E-SIGNATURE`.
    pub fn parse(bytes: &[u8], role: &Role<'_>) -> Result<Self> {
        if bytes.len() > limits::ACKNOWLEDGEMENT_BYTES {
            return Err(Error::new(
                Class::Limit,
                "document-size",
                format!("an acknowledgement has {} bytes", bytes.len()),
            )
            .expected(format!("at most {}", limits::ACKNOWLEDGEMENT_BYTES)));
        }
        let envelope: Envelope = canonical::envelopes_from_slice(bytes, WHAT)?;
        envelope.verify(PayloadType::StatusAcknowledgement, role)?;
        check_features(&envelope.payload, WHAT, "acknowledgement", &[])?;
        let acknowledgement: Self = canonical::from_slice(&envelope.payload, WHAT)?;
        acknowledgement.check()?;
        Ok(acknowledgement)
    }

    fn check(&self) -> Result<()> {
        let Self { alarms, packages, .. } = self;
        if alarms.len().max(packages.len()) > limits::ACKNOWLEDGEMENT_ITEMS {
            return Err(Error::new(
                Class::Limit,
                "items",
                format!(
                    "an acknowledgement names {} packages and {} alarms",
                    packages.len(),
                    alarms.len()
                ),
            )
            .expected(format!("at most {} of each", limits::ACKNOWLEDGEMENT_ITEMS)));
        }
        let numbers = packages.iter().map(|package| package.number);
        if self.number == 0 || numbers.clone().any(|number| number == 0) || !numbers.is_sorted_by(|a, b| a < b) {
            return Err(Error::new(
                Class::Format,
                "acknowledgement",
                "the numbers of an acknowledgement and its packages do not begin at 1 and ascend",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Signers;

    fn sample() -> Acknowledgement {
        let package = |number| AcknowledgedPackage {
            head: Hash([1; 32]),
            number,
        };
        Acknowledgement {
            alarms: vec![Alarm {
                code: AlarmCode::PackageNumber,
                number: 3,
            }],
            audit: AcknowledgedAudit {
                hash: Hash([2; 32]),
                number: 61,
            },
            domain: Hash([0xcd; 32]),
            instance: "11112222333344445555666677778888".parse().unwrap(),
            issued_at: Timestamp::EPOCH,
            number: 2,
            packages: vec![package(6), package(7)],
            reader: Version::new(0, 2, 0),
            receipts: 9,
            records: 240,
            requires: Vec::new(),
            site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        }
    }

    #[test]
    fn an_acknowledgement_comes_back_and_every_other_form_is_refused_with_its_class() {
        let key = SigningKey::from_secret(&[4; 32]);
        let signers = Signers::one(key.public());
        let parse = |bytes: &[u8]| Acknowledgement::parse(bytes, &signers.role());
        assert_eq!(parse(&sample().sign(&[&key])).unwrap(), sample());
        let verdict = |bytes: &[u8]| {
            let error = parse(bytes).unwrap_err();
            (error.class(), error.code())
        };
        let wrap = |kind, text: &str| canonical::to_vec(&Envelope::sign(kind, text.as_bytes().to_vec(), &[&key]));
        let text = String::from_utf8(canonical::to_vec(&sample())).unwrap();
        let said = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            wrap(PayloadType::StatusAcknowledgement, &text.replace(from, to))
        };
        let many = |count: u64| {
            let packages = (1..=count).map(|number| AcknowledgedPackage {
                head: Hash([1; 32]),
                number,
            });
            Acknowledgement {
                packages: packages.collect(),
                ..sample()
            }
            .sign(&[&key])
        };
        assert!(parse(&many(64)).is_ok());
        for (bytes, expected) in [
            (many(65), (Class::Limit, "items")),
            (
                vec![b' '; limits::ACKNOWLEDGEMENT_BYTES + 1],
                (Class::Limit, "document-size"),
            ),
            (
                sample().sign(&[&SigningKey::from_secret(&[5; 32])]),
                (Class::Signature, "below-threshold"),
            ),
            (wrap(PayloadType::BundleHead, &text), (Class::Signature, "wrong-type")),
            (
                said("\"requires\":[]", "\"requires\":[\"x\"]"),
                (Class::Format, "needs-newer-reader"),
            ),
            (said("package-number", "hello"), (Class::Format, "grammar")),
            (
                said("\"records\":240", "\"records\":240,\"sites\":1"),
                (Class::Format, "grammar"),
            ),
            (said("\"records\":240,", ""), (Class::Format, "grammar")),
            (said("\"number\":7", "\"number\":6"), (Class::Format, "acknowledgement")),
            (
                said("\"number\":6}", "\"number\":0}"),
                (Class::Format, "acknowledgement"),
            ),
            (said(":240", ": 240"), (Class::Format, "non-canonical")),
        ] {
            assert_eq!(verdict(&bytes), expected);
        }
    }
}
