//! Lines of the part `receipts`: each the envelope of a receipt as the site keeps it.

use crate::crypto::{Envelope, Receipt, canonical};
use crate::domain::{Class, Error, Result, limits};

/// A receipt and the envelope that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReceipt {
    /// The envelope.
    pub envelope: Envelope,
    /// What it says.
    pub receipt: Receipt,
}

impl SignedReceipt {
    /// Reads a receipt of this site's own: its signature is not looked at.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`; `E-CONTENT receipt` for an envelope that holds something else.
    pub fn unverified(bytes: &[u8]) -> Result<Self> {
        let envelope = parse_envelope(bytes)?;
        let receipt = parse_receipt(&envelope)?;
        Ok(Self { envelope, receipt })
    }
}

/// Reads the line of a receipt.
///
/// # Errors
///
/// `E-FORMAT`; `E-LIMIT receipt-size`.
pub(in super::super) fn parse_envelope(bytes: &[u8]) -> Result<Envelope> {
    if bytes.len() > limits::RECEIPT_BYTES {
        return Err(Error::new(
            Class::Limit,
            "receipt-size",
            format!("a receipt has {} bytes", bytes.len()),
        )
        .expected(format!("at most {}", limits::RECEIPT_BYTES)));
    }
    canonical::from_slice(bytes, "a line of receipts")
}

/// Reads what an envelope says, whose signature was verified before.
///
/// # Errors
///
/// `E-CONTENT receipt`; `E-LIMIT`.
pub(in super::super) fn parse_receipt(envelope: &Envelope) -> Result<Receipt> {
    Receipt::parse(&envelope.payload).map_err(|error| match error.class() {
        Class::Limit => error,
        _ => Error::new(Class::Content, "receipt", error.found().to_owned()).with_source(error),
    })
}
