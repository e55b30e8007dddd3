//! The few things that are read out of an X.509 certificate: how long it is good, for which key, and whether that signs others.
//!
//! Whether a certificate covers a name, and whether somebody trusts it, is the TLS library's to say.

use x509_cert::certificate::{CertificateInner, Profile};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::BasicConstraints;
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
    /// Whether it may sign other certificates.
    pub is_authority: bool,
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
        is_authority: certificate
            .tbs_certificate()
            .get_extension::<BasicConstraints>()
            .ok()?
            .is_some_and(|(_, found)| found.ca),
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
    const SAMPLE: &str = include_str!("../../../tests/it/support/tls/server.pem");

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

    fn read(der: &[u8]) -> std::result::Result<CertificateFacts, (Class, &'static str)> {
        CertificateFacts::read(der).map_err(|error| (error.class(), error.code()))
    }

    const REFUSED: (Class, &str) = (Class::Format, "certificate");

    /// Where some bytes stand in others, once.
    fn place(all: &[u8], part: &[u8]) -> std::ops::Range<usize> {
        let mut found = (0..all.len()).filter(|at| all[*at..].starts_with(part));
        let at = found.next().unwrap();
        assert_eq!(found.next(), None);
        at..at + part.len()
    }

    /// Reads digits of a time, by hand.
    fn time(digits: &[u8]) -> Timestamp {
        let digits = std::str::from_utf8(digits).unwrap();
        let (year, rest) = digits.split_at(digits.len() - 11);
        let century = match year.len() {
            2 if year < "50" => "20",
            2 => "19",
            _ => "",
        };
        let parts: Vec<&str> = (0..5).map(|part| &rest[2 * part..2 * part + 2]).collect();
        let [month, day, hour, minute, second] = parts[..] else {
            unreachable!()
        };
        format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z")
            .parse()
            .unwrap()
    }

    /// What is read is what stands there: a changed byte changes the fact that it belongs to, and no other, or all is refused.
    #[test]
    fn a_changed_certificate_says_what_was_changed_or_is_refused() {
        let good = sample();
        let from = place(&good, b"261121114553Z");
        let until = place(&good, b"21261028114553Z");
        let key = place(&good, &read(&good).unwrap().public_key);
        let (mut same, mut changed, mut refused) = (0, 0, 0);
        for at in 0..good.len() {
            let bytes = [0, 1, 0x30, 0x7f, 0x80, 0xff, good[at] ^ 1, good[at].wrapping_add(1)];
            for byte in bytes.into_iter().filter(|byte| *byte != good[at]) {
                let mut der = good.clone();
                der[at] = byte;
                match read(&der) {
                    Ok(found) => {
                        let said = CertificateFacts {
                            from: time(&der[from.clone()]),
                            until: time(&der[until.clone()]),
                            public_key: der[key.clone()].to_vec(),
                            // Whoever signs with it asks for that; who shows it does not.
                            is_authority: found.is_authority,
                        };
                        assert_eq!(found, said, "{at} {byte:x}");
                        let fact = [&from, &until, &key].into_iter().any(|place| place.contains(&at));
                        *if fact { &mut changed } else { &mut same } += 1;
                    }
                    Err(error) => {
                        refused += 1;
                        assert_eq!(error, REFUSED, "{at} {byte:x}");
                    }
                }
            }
        }
        let counts = [same, changed, refused];
        assert!(
            counts.iter().all(|count| *count > 100),
            "{counts:?} the same, changed, refused"
        );
    }

    proptest! {
        #[test]
        fn other_bytes_are_no_certificate(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(read(&bytes), Err(REFUSED));
        }
    }
}
