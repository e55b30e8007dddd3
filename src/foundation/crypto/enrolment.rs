//! Enrolment: an appliance introduces itself to a vendor (SPEC section 9).
//!
//! The file proves that whoever made it holds the status key it names, and nothing more: that it belongs to the right site is
//! for the people who carry it. Both sides use this module, so they cannot read the document differently.

use serde::{Deserialize, Serialize};

use super::canonical;
use super::envelope::{Envelope, PayloadType, verify_role};
use super::key::SigningKey;
use super::root::{Key, Signers};
use crate::domain::{Class, Error, Hash, Result, SiteId, Timestamp};

/// Largest enrolment file: far above what any appliance writes.
pub const ENROLMENT_BYTES: u64 = 256 << 10;

/// What an appliance says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// When the appliance was made.
    pub created_at: Timestamp,
    /// The trust domain of the vendor to whom it introduces itself: exactly one, so that no vendor learns of another.
    pub domains: Vec<Hash>,
    /// Key to which secrets for the site are encrypted.
    pub recipient: RecipientKey,
    /// The site's opaque id.
    pub site: SiteId,
    /// Key with which the appliance signs status, receipts and this document.
    pub status: Key,
}

/// An X25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientKey {
    /// The 32 bytes.
    pub public: Hash,
    /// `x25519`.
    pub scheme: RecipientScheme,
}

/// Scheme of a recipient key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientScheme {
    /// X25519.
    X25519,
}

impl RecipientKey {
    /// Returns the public half of a secret key.
    pub fn of_secret(secret: &[u8; 32]) -> Self {
        Self::x25519(x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*secret)).to_bytes())
    }

    /// Whether everybody could read what is encrypted for it: a point of small order.
    fn is_weak(self) -> bool {
        // Any secret tells: with such a point every one comes to zero.
        let probe = x25519_dalek::StaticSecret::from([0x2a; 32]);
        !probe
            .diffie_hellman(&x25519_dalek::PublicKey::from(self.public.0))
            .was_contributory()
    }

    /// Names an X25519 key by its 32 bytes.
    pub fn x25519(public: [u8; 32]) -> Self {
        Self {
            public: Hash(public),
            scheme: RecipientScheme::X25519,
        }
    }
}

impl Enrolment {
    /// Makes the enrolment file for the vendor of a trust domain: the canonical DSSE envelope, signed by the status key.
    pub fn sign(
        site: SiteId,
        domain: Hash,
        recipient: RecipientKey,
        created_at: Timestamp,
        status: &SigningKey,
    ) -> Vec<u8> {
        let enrolment = Self {
            created_at,
            domains: vec![domain],
            recipient,
            site,
            status: Key::of(status.public()),
        };
        let payload = canonical::to_vec(&enrolment);
        canonical::to_vec(&Envelope::sign(PayloadType::Enrolment, payload, &[status]))
    }

    /// Verifies and reads an enrolment file.
    ///
    /// The key that must have signed stands inside the payload, so here alone a member is read before the signature is
    /// checked; nothing is done with it but checking that signature.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` for a file that is no canonical envelope or document; `E-SIGNATURE` for another payload type, a missing
    /// or a wrong signature; `E-TRUST` for a weak key, in force or to encrypt for, or one whose id does not follow from its bytes; `E-LIMIT`.
    pub fn parse(file: &[u8]) -> Result<Self> {
        if file.len() as u64 > ENROLMENT_BYTES {
            return Err(Error::new(
                Class::Limit,
                "enrolment-size",
                format!("an enrolment file has {} bytes", file.len()),
            )
            .expected(format!("at most {ENROLMENT_BYTES}")));
        }
        let envelope: Envelope = canonical::envelopes_from_slice(file, "the enrolment file")?;
        if envelope.payload_type != PayloadType::Enrolment {
            return Err(Error::new(
                Class::Signature,
                "wrong-type",
                format!("an envelope holds {}", envelope.payload_type.as_str()),
            )
            .expected(PayloadType::Enrolment.as_str())
            .remedy("take the enrolment file that `airlock init` wrote"));
        }
        let claimed: Self = canonical::from_slice(&envelope.payload, "the enrolment")?;
        if claimed.status.public.id() != claimed.status.id {
            return Err(Error::new(
                Class::Trust,
                "key-id",
                format!("the id {} does not follow from its key's bytes", claimed.status.id),
            ));
        }
        verify_role(
            &Signers::one(claimed.status.public).role(),
            PayloadType::Enrolment,
            &envelope.payload,
            &envelope.signatures,
        )?;
        if claimed.recipient.is_weak() || claimed.recipient.public == Hash(claimed.status.public.to_bytes()) {
            return Err(Error::new(
                Class::Trust,
                "weak-key",
                format!("{} is not an X25519 key to encrypt for", claimed.recipient.public),
            )
            .expected("a recipient key that is not of small order, and not the status key again")
            .remedy("ask the site for the enrolment file that its appliance wrote"));
        }
        if claimed.domains.len() != 1 {
            return Err(Error::new(
                Class::Format,
                "domains",
                format!("an enrolment names {} trust domains", claimed.domains.len()),
            )
            .expected("exactly one: each vendor has a file of its own")
            .remedy("take the file of this vendor: `airlock init` and `airlock trust add` write one for each"));
        }
        Ok(claimed)
    }

    /// Returns the trust domain of the vendor to whom it introduces itself.
    pub fn domain(&self) -> Hash {
        // One, as `parse` has checked.
        self.domains.first().copied().unwrap_or(Hash([0; 32]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteId {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn sign(status: &SigningKey) -> Vec<u8> {
        Enrolment::sign(
            site(),
            Hash([1; 32]),
            RecipientKey::x25519([9; 32]),
            Timestamp::EPOCH,
            status,
        )
    }

    /// M-65 of the specification.
    #[test]
    fn a_file_comes_back_and_any_flipped_bit_is_refused() {
        let status = SigningKey::from_secret(&[7; 32]);
        let file = sign(&status);
        let enrolment = Enrolment::parse(&file).unwrap();
        assert_eq!(enrolment.site, site());
        assert_eq!(
            (enrolment.domains.as_slice(), enrolment.domain()),
            (&[Hash([1; 32])][..], Hash([1; 32]))
        );
        assert_eq!(enrolment.status.public, status.public());
        for place in 0..file.len() {
            let mut bad = file.clone();
            bad[place] ^= 1;
            assert!(Enrolment::parse(&bad).is_err(), "byte {place}");
        }
    }

    #[test]
    fn a_file_is_for_one_vendor() {
        let status = SigningKey::from_secret(&[7; 32]);
        let good = Enrolment::parse(&sign(&status)).unwrap();
        for domains in [vec![], vec![Hash([1; 32]), Hash([2; 32])], vec![Hash([1; 32]); 2]] {
            let payload = canonical::to_vec(&Enrolment {
                domains,
                ..good.clone()
            });
            let file = canonical::to_vec(&Envelope::sign(PayloadType::Enrolment, payload, &[&status]));
            let error = Enrolment::parse(&file).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Format, "domains"));
        }
    }

    /// Points of small order on the curve and its twist, also with the bit set that X25519 passes over.
    #[test]
    fn a_recipient_key_that_hides_nothing_is_refused() {
        let status = SigningKey::from_secret(&[7; 32]);
        let hex = |text: &str| text.parse::<Hash>().unwrap().0;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let mut one = [0; 32];
        one[0] = 1;
        let weak = [
            [0; 32],
            one,
            minus_one,
            hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
            status.public().to_bytes(),
        ];
        let mut high = weak;
        high[3][31] |= 0x80;
        for recipient in weak.into_iter().chain([high[3]]) {
            let recipient = RecipientKey::x25519(recipient);
            let file = Enrolment::sign(site(), Hash([1; 32]), recipient, Timestamp::EPOCH, &status);
            let error = Enrolment::parse(&file).unwrap_err();
            assert_eq!(
                (error.class(), error.code()),
                (Class::Trust, "weak-key"),
                "{recipient:?}"
            );
        }
        assert!(Enrolment::parse(&sign(&status)).is_ok());
    }

    #[test]
    fn another_key_or_purpose_does_not_count() {
        let (status, other) = (SigningKey::from_secret(&[7; 32]), SigningKey::from_secret(&[8; 32]));
        let good: Envelope = canonical::envelopes_from_slice(&sign(&status), "x").unwrap();
        let foreign = Envelope::sign(PayloadType::Enrolment, good.payload.clone(), &[&other]);
        let error = Enrolment::parse(&canonical::to_vec(&foreign)).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Signature, "below-threshold"));
        let receipt = Envelope::sign(PayloadType::ImportReceipt, good.payload, &[&status]);
        let error = Enrolment::parse(&canonical::to_vec(&receipt)).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Signature, "wrong-type"));
    }
}
