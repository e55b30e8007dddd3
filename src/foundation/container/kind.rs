//! What differs between kinds of airlock files. Everything else about their bytes is the same.

use crate::crypto::{PayloadType, Role, Signature, verify_role};
use crate::domain::Result;

/// A kind of airlock file: a constant of the module that knows its head.
///
/// The role that signs is no constant: a root names it for bundles, an enrolment for status packages. [`Self::verify`] is given it.
#[derive(Debug)]
pub(crate) struct Kind {
    /// First word of the first format line; the version follows.
    pub(crate) word: &'static str,
    /// What people call such a file.
    pub(crate) noun: &'static str,
    /// Who makes it.
    pub(crate) maker: &'static str,
    /// Command that makes it.
    pub(crate) made_with: &'static str,
    /// Whether single chunks of one may come in a file of their own, for who has the rest.
    pub(crate) is_repaired: bool,
    /// Code of the refusal of a file whose format line is of no known kind.
    pub(crate) no_such_file: &'static str,
    /// Purpose of the head: what is signed.
    pub(crate) head_type: PayloadType,
    /// The payload begins at a multiple of this.
    pub(crate) offset_unit: u64,
    /// Bounds, each judged before memory is taken for what it bounds.
    pub(crate) caps: Caps,
    /// Other kinds, told apart from what is no airlock file at all.
    pub(crate) others: &'static [OtherKind],
}

/// Bounds of a kind of file.
#[derive(Debug)]
pub(crate) struct Caps {
    /// Bytes of each of the entries 00 to 04.
    pub(crate) entries: [u64; 5],
    /// Index pages.
    pub(crate) pages: usize,
    /// Bytes of the fill.
    pub(crate) fill: u64,
    /// Chunks.
    pub(crate) chunks: u64,
    /// Volumes.
    pub(crate) volumes: usize,
    /// Blobs, carried and needed ones counted apart.
    pub(crate) blobs: u64,
}

/// A kind of file that somebody gave by mistake.
#[derive(Debug)]
pub(crate) struct OtherKind {
    /// First word of its format line.
    pub(crate) word: &'static str,
    /// What people call it.
    pub(crate) noun: &'static str,
    /// What to do with it instead.
    pub(crate) remedy: &'static str,
}

impl Kind {
    /// Verifies the signatures over the bytes of a head for the role that must sign it.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` and `E-LIMIT`.
    pub(crate) fn verify(&self, role: &Role<'_>, head: &[u8], signatures: &[Signature]) -> Result<()> {
        verify_role(role, self.head_type, head, signatures)
    }
}
