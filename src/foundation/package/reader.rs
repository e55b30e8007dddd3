//! Reads a package: [`OpenedPackage`] → [`HeadedPackage`] → [`IndexedPackage`] → its lines, each state the proof of the checks before it.
//!
//! | State | Steps | Proof |
//! |---|---|---|
//! | [`OpenedPackage`] | V1, on demand V2 | nothing |
//! | [`HeadedPackage<Signed>`](HeadedPackage) | V3, V4 | the site's key signed this head |
//! | [`HeadedPackage<Draft>`](HeadedPackage) | V4 | nobody signed it: for the site that made it, before it signs |
//! | [`HeadedPackage<Known>`](HeadedPackage) | V4 | it has the head digest of a package that was taken in before |
//! | [`IndexedPackage`] | V6 | every further byte is known by its hash |
//! | `read_lines` | V7 to V10 | the whole package is what the head says |
//!
//! V0, V5 and V11 to V13 belong to whoever keeps a ledger.
//!
//! # Threats and defences
//!
//! Those of [bundles](crate::bundle), and: lines are parsed only after the chunk they lie in was compared with its signed hash, in bounded
//! memory (one part, and the few chunks that are under way over the cores), and texts are in a form that moves no cursor.

use super::head::{Head, digest};
use super::hints::Hints;
use super::index;
use super::keys::StatusKeys;
use super::kind::PACKAGE;
use crate::container::{Chunk, END_BYTES, Input, Prologue, Source, entry_bytes, format_lines, read_fill, read_pages};
use crate::crypto::Signature;
use crate::domain::{Class, Error, Hash, Result, Step};

/// A package whose first five entries were read (V1). Nothing in it is verified.
#[derive(Debug)]
pub struct OpenedPackage {
    source: Source,
    prologue: Prologue,
}

/// Proof of a head: one of the site's keys signed it.
#[derive(Debug)]
pub struct Signed(pub(super) StatusKeys);

/// Proof of nothing: the site reads what it wrote itself, before it signs.
#[derive(Debug)]
pub struct Draft(());

/// Proof of a head: whoever reads it knows its digest from the time when the site's key was checked.
#[derive(Debug)]
pub struct Known(());

/// A package whose head was judged (V4), under a proof of who made it.
#[derive(Debug)]
pub struct HeadedPackage<P> {
    source: Source,
    prologue: Prologue,
    head: Head,
    proof: P,
}

/// A package whose index hangs on its head (V6).
#[derive(Debug)]
pub struct IndexedPackage<P> {
    pub(super) source: Source,
    pub(super) head: Head,
    pub(super) chunks: Vec<Chunk>,
    pub(super) proof: P,
    head_digest: Hash,
}

/// A package whose head the site's status key signed.
pub type SignedPackage = HeadedPackage<Signed>;
/// A signed package whose index was read.
pub type VerifiedPackage = IndexedPackage<Signed>;

impl OpenedPackage {
    /// Reads entries 00 to 04 under their caps.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-LIMIT` and `E-IO` at V1.
    pub fn open(input: Box<dyn Input>) -> Result<Self> {
        let mut source = Source::new(input, &PACKAGE);
        let prologue = Prologue::read(&mut source).map_err(|error| error.at(Step::V1))?;
        Ok(Self { source, prologue })
    }

    /// Returns where the package says it comes from and goes to: hints, for V2.
    ///
    /// # Errors
    ///
    /// `E-TRUST` and `E-LIMIT` at V2.
    pub fn hints(&self) -> Result<Hints> {
        Hints::parse(self.prologue.trust()).map_err(|error| error.at(Step::V2))
    }

    /// Returns the hash of the head's bytes, which are not looked at otherwise.
    pub fn head_digest(&self) -> Hash {
        digest(self.prologue.head())
    }

    /// Verifies that the site's key in force signed the head, and only then reads it (V3, V4).
    ///
    /// # Errors
    ///
    /// `E-TRUST` at V2; `E-SIGNATURE` at V3; `E-FORMAT`, `E-LIMIT`, `E-TRUST` and `E-POLICY` at V4.
    pub fn verify(self, keys: StatusKeys) -> Result<SignedPackage> {
        self.linkless_hints()?;
        keys.check_head(&self.prologue).map_err(|error| error.at(Step::V3))?;
        self.judge(Signed(keys))
    }

    /// Reads the head of a package of this site's own that nobody has signed yet.
    ///
    /// # Errors
    ///
    /// `E-TRUST` at V2; `E-FORMAT`, `E-LIMIT`, `E-TRUST` and `E-POLICY` at V4.
    pub fn own_draft(self) -> Result<HeadedPackage<Draft>> {
        self.judge(Draft(()))
    }

    /// Reads the head of a package that was verified when it was taken in: its digest is known since, whatever keys the site had or has.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY head` for another one; `E-TRUST` at V2; `E-FORMAT`, `E-LIMIT`, `E-TRUST` and `E-POLICY` at V4.
    pub fn known(self, head: Hash) -> Result<HeadedPackage<Known>> {
        let found = self.head_digest();
        if found != head {
            return Err(Error::new(
                Class::Integrity,
                "head",
                format!("the package has the head digest {found}"),
            )
            .expected(format!("{head}, that of the package that was taken in")));
        }
        self.judge(Known(()))
    }

    fn linkless_hints(&self) -> Result<Hints> {
        let hints = self.hints()?;
        hints.check_links().map_err(|error| error.at(Step::V2))?;
        Ok(hints)
    }

    fn judge<P>(self, proof: P) -> Result<HeadedPackage<P>> {
        let hints = self.linkless_hints()?;
        let head = judge_head(&self.prologue, &hints).map_err(|error| error.at(Step::V4))?;
        Ok(HeadedPackage {
            source: self.source,
            prologue: self.prologue,
            head,
            proof,
        })
    }
}

/// V4, in its order.
fn judge_head(prologue: &Prologue, hints: &Hints) -> Result<Head> {
    let head = Head::parse(prologue.head())?;
    let repeated = |code, same: bool, what: &str| {
        if same {
            return Ok(());
        }
        Err(Error::new(
            Class::Trust,
            code,
            format!("the signed head names another {what} than the entry 02-trust.json"),
        ))
    };
    repeated("domain", head.domain == hints.domain, "trust domain")?;
    repeated("site", head.site == hints.site, "site")?;
    let lines = format_lines(&PACKAGE, head.totals.chunks);
    if prologue.format() != lines.as_bytes() {
        return Err(Error::new(
            Class::Format,
            "format-lines",
            "the format lines do not agree with the signed head",
        )
        .expected(format!("{lines:?}")));
    }
    head.check_ranges()?;
    prologue.approvals()?;
    Ok(head)
}

impl<P> HeadedPackage<P> {
    /// Returns the head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the bytes of the head.
    pub fn head_bytes(&self) -> &[u8] {
        self.prologue.head()
    }

    /// Returns the head digest, the package's identity.
    pub fn head_digest(&self) -> Hash {
        digest(self.head_bytes())
    }

    /// Returns the export approvals carried; who asks for some checks them, all others ignore them.
    ///
    /// # Errors
    ///
    /// None: their form was checked at V4.
    pub fn approvals(&self) -> Result<Vec<Signature>> {
        self.prologue.approvals().map_err(|error| error.at(Step::V4))
    }

    /// Reads the index page and the fill (V6).
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY`, `E-FORMAT`, `E-LIMIT` and `E-INCOMPLETE` at V6.
    pub fn read_index(mut self) -> Result<IndexedPackage<P>> {
        let (chunks, _) = self.index()?;
        Ok(IndexedPackage {
            head_digest: self.head_digest(),
            source: self.source,
            head: self.head,
            chunks,
            proof: self.proof,
        })
    }

    /// Returns the chunks that the index page states, and the page itself.
    fn index(&mut self) -> Result<(Vec<Chunk>, Option<Vec<u8>>)> {
        let Self { source, head, .. } = self;
        let mut read = || {
            let mut kept = None;
            read_pages(source, &head.index, |_, page| {
                kept = Some(page);
                Ok(())
            })?;
            read_fill(source, head.payload_offset)?;
            Ok((index::read(head, kept.as_deref())?, kept))
        };
        read().map_err(|error: Error| error.at(Step::V6))
    }
}

impl HeadedPackage<Draft> {
    /// Takes the bytes before the payload apart, so that they can be written again with approvals and signature.
    ///
    /// # Errors
    ///
    /// Those of V6; `E-SIGNATURE` for signatures that do not parse.
    pub(super) fn into_parts(mut self) -> Result<(Prologue, Head, Option<Vec<u8>>)> {
        let (_, page) = self.index()?;
        Ok((self.prologue, self.head, page))
    }
}

impl<P> IndexedPackage<P> {
    /// Returns the head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the head digest.
    pub fn head_digest(&self) -> Hash {
        self.head_digest
    }

    /// Returns the size of the whole package in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.chunks
            .iter()
            .map(|chunk| entry_bytes(u64::from(chunk.size)))
            .fold(self.head.payload_offset, u64::saturating_add)
            .saturating_add(END_BYTES as u64)
    }
}
