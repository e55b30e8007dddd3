//! The keys of a site, as whoever reads its packages knows them.

use crate::container::Prologue;
use crate::crypto::{BELOW_THRESHOLD, Envelope, PayloadType, PublicKey, Signers};
use crate::domain::{Class, Code, Error, Result};

use super::kind::PACKAGE;

/// Sub-code of a package that a key signed which the site has replaced.
pub const REPLACED_KEY: Code = Code::new("replaced-key");

/// A site's status keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusKeys {
    in_force: Signers,
    earlier: Vec<Signers>,
    /// All of them, of which one is enough.
    any: Signers,
}

impl StatusKeys {
    /// The key in force, and those before it, which are good for receipts alone.
    pub fn new(in_force: PublicKey, earlier: impl IntoIterator<Item = PublicKey>) -> Self {
        let earlier: Vec<PublicKey> = earlier.into_iter().collect();
        Self {
            any: Signers::of(earlier.iter().copied().chain([in_force]), 1),
            in_force: Signers::one(in_force),
            earlier: earlier.into_iter().map(Signers::one).collect(),
        }
    }

    /// The same keys for a head that was taken in before: whichever of them signed it then, it is known, and tells nothing new.
    #[must_use]
    pub fn of_known_head(self) -> Self {
        Self {
            in_force: self.any.clone(),
            ..self
        }
    }

    /// Checks that the key in force signed a head.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE`, with the sub-code `replaced-key` where an earlier key did; `E-LIMIT`.
    pub(super) fn check_head(&self, prologue: &Prologue) -> Result<()> {
        let signatures = prologue.signatures()?;
        let verify = |signers: &Signers| PACKAGE.verify(&signers.role(), prologue.head(), &signatures);
        verify(&self.in_force).map_err(|error| {
            if error.is(BELOW_THRESHOLD) && self.earlier.iter().any(|signers| verify(signers).is_ok()) {
                return Error::new(
                    Class::Signature,
                    REPLACED_KEY,
                    "a status key signed the package that the site has replaced since",
                )
                .expected(
                    "the signature of the site's key in force: the package that it exports next covers this one",
                );
            }
            of_site(error, "the signature of the site's status key over exactly this head")
        })
    }

    /// Checks that one of the keys signed a receipt.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE`; `E-LIMIT`.
    pub(super) fn check_receipt(&self, envelope: &Envelope) -> Result<()> {
        envelope
            .verify(PayloadType::ImportReceipt, &self.any.role())
            .map_err(|error| of_site(error, "a receipt signed by the site's status key, in force or replaced"))
    }
}

/// What counts signatures speaks of vendors and their roots; a site has a key.
fn of_site(error: Error, expected: &str) -> Error {
    let found = error.found().to_owned();
    Error::new(error.class(), error.code(), found)
        .expected(expected)
        .with_source(error)
}
