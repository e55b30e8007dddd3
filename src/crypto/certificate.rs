//! The few things that are read out of an X.509 certificate: how long it is good, and for which key.
//!
//! Whether a certificate covers a name, and whether somebody trusts it, is the TLS library's to say. Everything here is bounds-checked
//! DER with definite lengths (X.690 section 10.1); what does not fit is refused.

use crate::domain::{Class, Error, Result, Timestamp};

/// A certificate's own statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The first second it is good; times before 1970 count as 1970.
    pub from: Timestamp,
    /// The last second it is good.
    pub until: Timestamp,
    /// The public key's `SubjectPublicKeyInfo`, DER.
    pub public_key: Vec<u8>,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl CertificateFacts {
    /// Reads a DER certificate.
    ///
    /// # Errors
    ///
    /// `E-FORMAT certificate` when it is none.
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
    let (certificate, _) = take(der, SEQUENCE)?;
    let (body, _) = take(certificate, SEQUENCE)?;
    let rest = take(body, VERSION).map_or(body, |(_, rest)| rest);
    let (_serial, rest) = take(rest, INTEGER)?;
    let (_algorithm, rest) = take(rest, SEQUENCE)?;
    let (_issuer, rest) = take(rest, SEQUENCE)?;
    let (validity, rest) = take(rest, SEQUENCE)?;
    let (_subject, rest) = take(rest, SEQUENCE)?;
    let (_, after_key) = take(rest, SEQUENCE)?;
    let key_length = rest.len().checked_sub(after_key.len())?;
    let (from, validity) = time(validity)?;
    let (until, _) = time(validity)?;
    Some(CertificateFacts {
        from,
        until,
        public_key: rest.get(..key_length)?.to_vec(),
    })
}

/// Takes one value with a tag: its content, and what follows.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    if found != tag {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if !(1..=4).contains(&digits.len()) {
            return None;
        }
        let length = digits
            .iter()
            .fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
        (length, rest)
    };
    rest.split_at_checked(length)
}

/// Reads `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5).
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest, century) = if let Some((text, rest)) = take(bytes, UTC_TIME) {
        let text = std::str::from_utf8(text).ok()?;
        (text, rest, if text.as_bytes().first()? < &b'5' { "20" } else { "19" })
    } else {
        let (text, rest) = take(bytes, GENERALIZED_TIME)?;
        (std::str::from_utf8(text).ok()?, rest, "")
    };
    let digits = format!("{century}{}", text.strip_suffix('Z')?);
    if digits.len() != 14 || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| digits.get(from..from.saturating_add(2)).unwrap_or_default();
    if digits.as_str() < "1970" {
        return Some((Timestamp::EPOCH, rest));
    }
    let text = format!(
        "{}{}-{}-{}T{}:{}:{}Z",
        part(0),
        part(2),
        part(4),
        part(6),
        part(8),
        part(10),
        part(12)
    );
    Some((text.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_of_time_are_read() {
        let read = |tag: u8, text: &str| {
            let mut bytes = vec![tag, u8::try_from(text.len()).unwrap()];
            bytes.extend(text.bytes());
            time(&bytes).map(|(time, _)| time.to_string())
        };
        for (tag, text, expected) in [
            (UTC_TIME, "261121100000Z", Some("2026-11-21T10:00:00Z")),
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (UTC_TIME, "700101000000Z", Some("1970-01-01T00:00:00Z")),
            (UTC_TIME, "500101000000Z", Some("1970-01-01T00:00:00Z")),
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

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_badly(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(CertificateFacts::read(&bytes));
        }
    }
}
