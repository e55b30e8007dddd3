//! A summary with its signature: P || signature (64), over the payload `domain (32) || site (16) || P`. What both sides know is signed,
//! not carried.

use super::content::Summary;
use super::series::{SUMMARY_BYTES, series_line};
use super::{dictation, series};
use crate::crypto::{PayloadType, PublicKey, Signature, SigningKey, pre_authentication};
use crate::domain::{Class, Error, Hash, Result, SiteId};

/// Bytes of the smallest summary: nothing shorter can have been one.
const LEAST: usize = 69;
/// Bytes of the longest text that is read.
const TEXT_BYTES: usize = 64 << 10;

/// A site that may have made a summary, towards one vendor.
#[derive(Debug, Clone)]
pub struct Sealer {
    /// The vendor's trust domain.
    pub domain: Hash,
    /// The site.
    pub site: SiteId,
    /// Its status key in force.
    pub key: PublicKey,
}

/// A summary that a site's key in force has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedSummary {
    /// What it says.
    pub summary: Summary,
    /// The site that signed it.
    pub site: SiteId,
    /// The trust domain that it is for.
    pub domain: Hash,
    /// Its bytes: P || signature.
    pub bytes: Vec<u8>,
}

impl SignedSummary {
    /// Signs a summary.
    ///
    /// # Errors
    ///
    /// `E-LIMIT summary-size` for one that sixteen codes do not hold.
    pub fn sign(summary: Summary, domain: Hash, site: &SiteId, key: &SigningKey) -> Result<Self> {
        let mut bytes = summary.to_bytes();
        bytes.extend(Signature::make(key, PayloadType::StatusSummary, &payload(domain, site, &bytes)).sig);
        if bytes.len() > SUMMARY_BYTES {
            return Err(too_large(bytes.len()));
        }
        Ok(Self {
            summary,
            site: site.clone(),
            domain,
            bytes,
        })
    }

    /// Judges the bytes of a summary: the site, the signature, and only then the form.
    ///
    /// # Errors
    ///
    /// `E-LIMIT summary-size`; `E-FORMAT summary`, `unsupported-version`; `E-TRUST unknown-site`; `E-SIGNATURE bad-signature`.
    pub fn verify(bytes: &[u8], sites: &[Sealer]) -> Result<Self> {
        if bytes.len() > SUMMARY_BYTES {
            return Err(too_large(bytes.len()));
        }
        let short = || Error::new(Class::Format, "summary", "the summary is too short to be one");
        let (signed, signature) = bytes
            .split_last_chunk::<64>()
            .filter(|_| bytes.len() >= LEAST)
            .ok_or_else(short)?;
        let named = signed.get(1..5).ok_or_else(short)?;
        let mut meant = sites
            .iter()
            .filter(|sealer| sealer.site.to_bytes().starts_with(named))
            .peekable();
        if meant.peek().is_none() {
            let hex = data_encoding::HEXLOWER.encode(named);
            return Err(Error::new(
                Class::Trust,
                "unknown-site",
                format!("no site whose id begins with {hex} is enrolled here"),
            )
            .expected("the summary of an enrolled site"));
        }
        let sealer = meant
            .find(|sealer| {
                let payload = payload(sealer.domain, &sealer.site, signed);
                sealer
                    .key
                    .verifies(&pre_authentication(PayloadType::StatusSummary, &payload), signature)
            })
            .ok_or_else(|| {
                Error::new(
                    Class::Signature,
                    "bad-signature",
                    "no enrolled site of that name has signed the summary",
                )
                .expected("the signature of the site's status key in force")
            })?;
        Ok(Self {
            summary: Summary::parse(signed)?,
            site: sealer.site.clone(),
            domain: sealer.domain,
            bytes: bytes.to_vec(),
        })
    }
}

/// Returns the bytes of a summary from what came of it: texts of QR codes one a line, dictated lines, or the bytes themselves.
///
/// # Errors
///
/// `E-LIMIT summary-size`; `E-FORMAT series-line`, `base45`, `base32`; `E-INTEGRITY` and `E-INCOMPLETE series`.
pub fn received(data: &[u8]) -> Result<Vec<u8>> {
    if data.len() > TEXT_BYTES {
        return Err(too_large(data.len()));
    }
    if data.first() == Some(&1) {
        return Ok(data.to_vec());
    }
    let text = std::str::from_utf8(data)
        .ok()
        .filter(|text| text.is_ascii())
        .ok_or_else(series_line)?;
    let start = text.trim_start().as_bytes();
    if matches!(start, [b'0'..=b'9', b'0'..=b'9', b' ', ..]) {
        dictation::join(text)
    } else {
        series::join(text)
    }
}

fn payload(domain: Hash, site: &SiteId, signed: &[u8]) -> Vec<u8> {
    [&domain.0[..], &site.to_bytes(), signed].concat()
}

fn too_large(bytes: usize) -> Error {
    Error::new(Class::Limit, "summary-size", format!("the summary has {bytes} bytes")).expected(format!(
        "at most {SUMMARY_BYTES}, which sixteen codes hold; the status package itself has no such bound"
    ))
}
