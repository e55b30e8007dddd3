//! The bytes before the payload: the five entries that come before anything is verified, then index pages and fill.
//!
//! Entries 01 and 04 are lists of signatures in every kind of file; what stands in 02 is the kind's own.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::{BLOCK, FILL, PROLOGUE, claimed_size, entry_bytes, header, padding, page_name};
use super::format_lines::check_format;
use super::kind::Kind;
use super::source::Source;
use crate::crypto::{Role, Signature, canonical};
use crate::domain::{Class, Error, Hash, Result, limits};

/// Entry 04 without an approval.
pub(crate) const EMPTY_APPROVALS: &[u8] = br#"{"approvals":[]}"#;

/// Entry 01.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signatures {
    signatures: Vec<Signature>,
}

/// Entry 04.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approvals {
    approvals: Vec<Signature>,
}

/// The five entries before the index. Nothing in them is verified.
#[derive(Debug)]
pub(crate) struct Prologue {
    kind: &'static Kind,
    format: Vec<u8>,
    signatures: Vec<u8>,
    trust: Vec<u8>,
    head: Vec<u8>,
    approvals: Vec<u8>,
}

impl Prologue {
    /// Reads entries 00 to 04 under the caps of the kind.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`; those of the source.
    pub(crate) fn read(source: &mut Source) -> Result<Self> {
        let kind = source.kind();
        let mut entries = Vec::with_capacity(PROLOGUE.len());
        for (name, cap) in PROLOGUE.into_iter().zip(kind.caps.entries) {
            let mut header = [0; BLOCK];
            source.fill(&mut header, Class::Format)?;
            let size = claimed_size(kind, &header, name, cap)?;
            let content = source.content(size, Class::Format)?;
            if entries.is_empty() {
                check_format(kind, &content)?;
            }
            entries.push(content);
        }
        let mut entries = entries.into_iter();
        let mut next = || entries.next().unwrap_or_default();
        let prologue = Self {
            kind,
            format: next(),
            signatures: next(),
            trust: next(),
            head: next(),
            approvals: next(),
        };
        // Bounds hold before any link or signature is looked at; what else is wrong with the lists is told at its step.
        let lists = [prologue.signatures(), prologue.approvals()];
        match lists
            .into_iter()
            .filter_map(Result::err)
            .find(|error| error.class() == Class::Limit)
        {
            Some(refusal) => Err(refusal),
            None => Ok(prologue),
        }
    }

    /// Whether the entries that nobody signed, 01, 02 and 04, are byte for byte those of another.
    pub(crate) fn adds_nothing_to(&self, other: &Self) -> bool {
        (&self.signatures, &self.trust, &self.approvals) == (&other.signatures, &other.trust, &other.approvals)
    }

    /// Returns the hash of all five entries with their sizes.
    pub(crate) fn digest(&self) -> Hash {
        let entries = [&self.format, &self.signatures, &self.trust, &self.head, &self.approvals];
        let hash = entries.into_iter().fold(Sha256::new(), |hash, entry| {
            let size = entry.len() as u64;
            hash.chain_update(size.to_be_bytes()).chain_update(entry)
        });
        Hash(hash.finalize().into())
    }

    /// Returns entry 00.
    pub(crate) fn format(&self) -> &[u8] {
        &self.format
    }

    /// Returns the signatures of entry 01.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` for content that does not parse, `E-LIMIT` for too many.
    pub(crate) fn signatures(&self) -> Result<Vec<Signature>> {
        parse_signatures(self.kind, &self.signatures)
    }

    /// Returns entry 02.
    pub(crate) fn trust(&self) -> &[u8] {
        &self.trust
    }

    /// Returns entry 03.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns entry 04.
    pub(crate) fn approvals_bytes(&self) -> &[u8] {
        &self.approvals
    }

    /// Returns the approvals of entry 04. Those by keys that nobody asks for are ignored later.
    ///
    /// # Errors
    ///
    /// `E-POLICY` for content that does not parse, `E-LIMIT` for too many.
    pub(crate) fn approvals(&self) -> Result<Vec<Signature>> {
        parse_approvals(self.kind, &self.approvals)
    }
}

/// Writes every byte before the payload: entries 00 to 04, the index pages, and the fill.
///
/// # Errors
///
/// `E-LIMIT reserve` when they do not fit in front of the payload.
pub(crate) fn bytes_before_payload(
    entries: [&[u8]; 5],
    pages: impl IntoIterator<Item = impl AsRef<[u8]>>,
    payload_offset: u64,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(payload_offset).unwrap_or(0));
    for (name, content) in PROLOGUE.into_iter().zip(entries) {
        push_entry(&mut bytes, name, content);
    }
    for (number, page) in (1..).zip(pages) {
        push_entry(&mut bytes, &page_name(number), page.as_ref());
    }
    let fill = payload_offset
        .checked_sub((bytes.len() as u64).saturating_add(entry_bytes(0)))
        .ok_or_else(|| {
            Error::new(
                Class::Limit,
                "reserve",
                "the signatures do not fit in front of the payload",
            )
        })?;
    bytes.extend_from_slice(&header(FILL, fill));
    bytes.resize(usize::try_from(payload_offset).unwrap_or(usize::MAX), 0);
    Ok(bytes)
}

fn push_entry(bytes: &mut Vec<u8>, name: &str, content: &[u8]) {
    bytes.extend_from_slice(&header(name, content.len() as u64));
    bytes.extend_from_slice(content);
    let padded = bytes.len().next_multiple_of(BLOCK);
    bytes.resize(padded, 0);
}

/// Returns entry 01.
pub(crate) fn signatures_bytes(signatures: &[Signature]) -> Vec<u8> {
    let mut signatures = signatures.to_vec();
    signatures.sort_by_key(|signature| signature.keyid);
    canonical::to_vec(&Signatures { signatures })
}

/// Returns entry 04.
pub(crate) fn approvals_bytes(approvals: &[Signature]) -> Vec<u8> {
    let mut approvals = approvals.to_vec();
    approvals.sort_by_key(|approval| approval.keyid);
    canonical::to_vec(&Approvals { approvals })
}

/// Reads entry 01.
///
/// # Errors
///
/// `E-SIGNATURE` for content that does not parse, `E-LIMIT` for too many.
fn parse_signatures(kind: &Kind, bytes: &[u8]) -> Result<Vec<Signature>> {
    let document: Signatures =
        canonical::from_slice(bytes, "the signature list").map_err(|error| error.into_class(Class::Signature))?;
    check_count(kind, document.signatures.len(), "signatures")?;
    Ok(document.signatures)
}

/// Reads entry 04. Approvals by keys of no site role are ignored.
///
/// # Errors
///
/// `E-POLICY` for content that does not parse, `E-LIMIT` for too many.
fn parse_approvals(kind: &Kind, bytes: &[u8]) -> Result<Vec<Signature>> {
    let document: Approvals =
        canonical::from_slice(bytes, "the list of approvals").map_err(|error| error.into_class(Class::Policy))?;
    check_count(kind, document.approvals.len(), "approvals")?;
    Ok(document.approvals)
}

fn check_count(kind: &Kind, count: usize, what: &'static str) -> Result<()> {
    if count > limits::SIGNATURES {
        return Err(Error::new(
            Class::Limit,
            "signatures",
            format!("the {} carries {count} {what}", kind.noun),
        )
        .expected(format!("at most {}", limits::SIGNATURES)));
    }
    Ok(())
}

/// Returns the bytes of entry 01 when every rule of a role is met exactly.
pub(crate) fn room_for_signatures(role: &Role<'_>) -> u64 {
    let count = role
        .rules()
        .iter()
        .map(|rule| rule.threshold)
        .fold(0, usize::saturating_add);
    let signature = Signature {
        keyid: Hash([0; 32]),
        sig: vec![0; 64],
    };
    let bytes = signatures_bytes(&vec![signature; count.min(limits::SIGNATURES)]).len() as u64;
    bytes.saturating_add(padding(bytes))
}
