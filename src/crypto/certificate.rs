//! The few things that are read out of an X.509 certificate: how long it is good, and for which key.
//!
//! Whether a certificate covers a name, and whether somebody trusts it, is the TLS library's to say.

use x509_cert::certificate::{CertificateInner, Profile};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use crate::domain::{Class, Error, Result, Timestamp};

/// A certificate's own statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The first second it is good.
    pub from: Timestamp,
    /// The last second it is good.
    pub until: Timestamp,
    /// The public key's `SubjectPublicKeyInfo`, DER.
    pub public_key: Vec<u8>,
}

/// Certificates as authorities of sites issue them: a serial number may be longer than RFC 5280 wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct AnySerial;

impl Profile for AnySerial {
    fn check_serial_number(_serial: &SerialNumber<Self>) -> x509_cert::der::Result<()> {
        Ok(())
    }
}

impl CertificateFacts {
    /// Reads a DER certificate.
    ///
    /// # Errors
    ///
    /// `E-FORMAT certificate` when it is none, when something follows it, or when it names a time before 1970.
    pub fn read(der: &[u8]) -> Result<Self> {
        facts(der).ok_or_else(|| {
            Error::new(
                Class::Format,
                "certificate",
                "these bytes are no certificate that can be read",
            )
            .expected("an X.509 certificate")
        })
    }
}

fn facts(der: &[u8]) -> Option<CertificateFacts> {
    let certificate = CertificateInner::<AnySerial>::from_der(der).ok()?;
    let body = certificate.tbs_certificate();
    Some(CertificateFacts {
        from: timestamp(body.validity().not_before)?,
        until: timestamp(body.validity().not_after)?,
        public_key: body.subject_public_key_info().to_der().ok()?,
    })
}

fn timestamp(time: Time) -> Option<Timestamp> {
    Timestamp::from_unix(i64::try_from(time.to_unix_duration().as_secs()).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    /// The certificate of the tests' registry.
    const SAMPLE: &str = include_str!("../../tests/it/support/tls/server.pem");

    #[test]
    fn both_forms_of_time_are_read() {
        let read = |tag: u8, text: &str| {
            let mut bytes = vec![tag, u8::try_from(text.len()).unwrap()];
            bytes.extend(text.bytes());
            Time::from_der(&bytes)
                .ok()
                .and_then(timestamp)
                .map(|time| time.to_string())
        };
        for (tag, text, expected) in [
            (UTC_TIME, "261121100000Z", Some("2026-11-21T10:00:00Z")),
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (UTC_TIME, "700101000000Z", Some("1970-01-01T00:00:00Z")),
            (UTC_TIME, "500101000000Z", None),
            (GENERALIZED_TIME, "20500101000000Z", Some("2050-01-01T00:00:00Z")),
            (GENERALIZED_TIME, "99991231235959Z", Some("9999-12-31T23:59:59Z")),
            (UTC_TIME, "261321100000Z", None),
            (UTC_TIME, "2611211000Z", None),
            (UTC_TIME, "261121100000+0000", None),
            (GENERALIZED_TIME, "20500101000000.5Z", None),
            (0x0c, "261121100000Z", None),
        ] {
            assert_eq!(read(tag, text).as_deref(), expected, "{text}");
        }
    }

    fn sample() -> Vec<u8> {
        use base64::Engine as _;
        let text: String = SAMPLE.lines().filter(|line| !line.starts_with("-----")).collect();
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    }

    #[test]
    fn a_certificate_is_read_whole_and_alone() {
        let der = sample();
        let facts = CertificateFacts::read(&der).unwrap();
        assert!(facts.from < facts.until);
        // The key stands in the certificate in just these bytes.
        assert!(der.windows(facts.public_key.len()).any(|part| part == facts.public_key));
        for end in 0..der.len() {
            assert!(CertificateFacts::read(&der[..end]).is_err(), "{end}");
        }
        assert!(CertificateFacts::read(&[der, vec![0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_certificate_is_read_or_refused(at in 0..400_usize, byte in any::<u8>()) {
            let mut der = sample();
            let at = at % der.len();
            der[at] = byte;
            drop(CertificateFacts::read(&der));
        }

        #[test]
        fn no_bytes_make_it_fail_badly(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(CertificateFacts::read(&bytes));
        }
    }
}
