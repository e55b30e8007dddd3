//! A draft on its way out: approvals are gathered, then the site's key signs. Only the bytes before the payload change.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::head::{Head, digest};
use super::kind::PACKAGE;
use super::reader::OpenedPackage;
use crate::container::{Input, Prologue, approvals_bytes, bytes_before_payload, signatures_bytes};
use crate::crypto::{ExportApproval, Signature, SigningKey};
use crate::domain::{Error, Hash, Result};

/// A package of this site's own, taken apart so that it can be approved and signed.
///
/// The head alone says nothing about the bytes behind it: whoever signs reads the whole file [before](OpenedPackage::own_draft).
#[derive(Debug)]
pub struct UnsignedPackage {
    prologue: Prologue,
    head: Head,
    page: Option<Vec<u8>>,
    signatures: Vec<Signature>,
    approvals: Vec<Signature>,
}

impl UnsignedPackage {
    /// Reads the bytes before the payload.
    ///
    /// # Errors
    ///
    /// Those of V1, V2, V4 and V6; `E-SIGNATURE` for signatures that do not parse.
    pub fn open(input: Box<dyn Input>) -> Result<Self> {
        let package = OpenedPackage::open(input)?.own_draft()?;
        let approvals = package.approvals()?;
        let (prologue, head, page) = package.into_parts()?;
        Ok(Self {
            signatures: prologue.signatures()?,
            approvals,
            prologue,
            head,
            page,
        })
    }

    /// Returns the head: what people approve and the key signs.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the head digest.
    pub fn head_digest(&self) -> Hash {
        digest(self.prologue.head())
    }

    /// Returns what an approver signs.
    pub fn approval(&self) -> ExportApproval {
        ExportApproval {
            head: self.head_digest(),
            site: self.head.site.clone(),
        }
    }

    /// Returns the approvals that are there.
    pub fn approvals(&self) -> &[Signature] {
        &self.approvals
    }

    /// Adds an approval, in place of an earlier one by the same key.
    pub fn add_approval(&mut self, approval: Signature) {
        put(&mut self.approvals, approval);
    }

    /// Signs the head. The same key gives the same bytes again.
    pub fn sign(&mut self, key: &SigningKey) {
        put(
            &mut self.signatures,
            Signature::make(key, PACKAGE.head_type, self.prologue.head()),
        );
    }

    /// Writes the package to `out`: the bytes before the payload anew, all others as they stand in `file`.
    ///
    /// # Errors
    ///
    /// `E-LIMIT reserve` when the approvals do not fit in front of the payload; those of both files.
    pub fn write(&self, file: &mut (impl Read + Seek), out: &mut dyn Write) -> Result<()> {
        let entries = [
            self.prologue.format(),
            &signatures_bytes(&self.signatures),
            self.prologue.trust(),
            self.prologue.head(),
            &approvals_bytes(&self.approvals),
        ];
        let pages: Vec<Vec<u8>> = self.page.iter().cloned().collect();
        let before = bytes_before_payload(entries, &pages, self.head.payload_offset)?;
        let name = Path::new("the status package");
        out.write_all(&before)
            .map_err(|error| Error::io("write", name, error))?;
        file.seek(SeekFrom::Start(self.head.payload_offset))
            .map_err(|error| Error::io("read", name, error))?;
        std::io::copy(file, out).map_err(|error| Error::io("copy", name, error))?;
        Ok(())
    }
}

fn put(signatures: &mut Vec<Signature>, signature: Signature) {
    signatures.retain(|other| other.keyid != signature.keyid);
    signatures.push(signature);
}
