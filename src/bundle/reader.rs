//! Reads a bundle: `OpenedBundle` → `SignedBundle` → `VerifiedBundle`, each state the proof of the checks before it.
//!
//! # Threats and defences
//!
//! - *Anything at all in place of a bundle*: only five entries come before the signature; of their headers one number each is
//!   read, under a cap, the rest is compared with constants.
//! - *Lies about structure*: after the head is verified every header is generated and compared, and sizes, offsets and the place
//!   of every blob are derived. There is nothing left to parse but the head and index that were signed.
//! - *Decoder attacks*: a chunk's stored hash is compared before a decoder sees it; the frame's header is checked before the
//!   library is called; output is bounded by the derived size.
//! - *Stripped revocations*: the head names the root under which it was made.

use std::fmt;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::entry::{BLOCK, FILL, PROLOGUE, claimed_size, compare_header, entry_bytes, padding, page_name};
use super::head::{Head, format_lines};
use super::index::{Index, IndexReader};
use super::prologue::{self, TrustLinks};
use super::writer::UnsignedBundle;
use crate::crypto::{Chain, Envelope, PayloadType, RoleName, Signature, verify_role};
use crate::domain::{Class, Error, Hash, Result, Step, limits};
use crate::stream::read_exact_or_end;

/// Where a bundle's bytes come from, read once from front to back.
pub trait Input: Read + Send {
    /// Passes over bytes: a file seeks, a pipe reads and forgets.
    ///
    /// # Errors
    ///
    /// Those of the source; `UnexpectedEof` when it ends before.
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

/// Input with its position, and errors in the words of the format.
pub(super) struct Source {
    input: Box<dyn Input>,
    position: u64,
}

impl Source {
    /// Starts at the beginning of an input.
    pub(super) fn new(input: Box<dyn Input>) -> Self {
        Self { input, position: 0 }
    }

    /// Returns how many bytes were read or passed over.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Fills the buffer.
    ///
    /// # Errors
    ///
    /// `E-FORMAT truncated` before entry 05, `E-INCOMPLETE truncated` from there on; `E-INCOMPLETE stall`; `E-IO`.
    pub(super) fn fill(&mut self, buffer: &mut [u8], cut: Class) -> Result<()> {
        let count = read_exact_or_end(&mut self.input, buffer).map_err(|error| self.failed(error))?;
        self.position = self.position.saturating_add(count as u64);
        if count == buffer.len() {
            Ok(())
        } else {
            Err(truncated(self.position, cut))
        }
    }

    /// Passes over bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`].
    pub(super) fn skip(&mut self, count: u64, cut: Class) -> Result<()> {
        match self.input.skip(count) {
            Ok(()) => {
                self.position = self.position.saturating_add(count);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(truncated(self.position, cut)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Whether the source has ended.
    ///
    /// # Errors
    ///
    /// `E-INCOMPLETE stall`; `E-IO`.
    pub(super) fn at_end(&mut self) -> Result<bool> {
        let count = read_exact_or_end(&mut self.input, &mut [0]).map_err(|error| self.failed(error))?;
        Ok(count == 0)
    }

    /// Reads `size` bytes of content and its padding, which must be zero.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT padding`.
    pub(super) fn content(&mut self, size: u64, cut: Class) -> Result<Vec<u8>> {
        // Callers compare the size with a cap before they ask.
        let mut content = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        self.fill(&mut content, cut)?;
        self.padding(size, cut)?;
        Ok(content)
    }

    /// Reads the padding after content of a size.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT padding`.
    pub(super) fn padding(&mut self, size: u64, cut: Class) -> Result<()> {
        let mut pad = [0; BLOCK];
        let pad = pad
            .get_mut(..usize::try_from(padding(size)).unwrap_or(0))
            .unwrap_or_default();
        self.fill(pad, cut)?;
        expect_zero(pad, "padding")
    }

    /// Reads a header and compares it with the one that must stand here.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`]; `E-FORMAT header`.
    pub(super) fn header(&mut self, name: &str, size: u64) -> Result<()> {
        let mut header = [0; BLOCK];
        self.fill(&mut header, Class::Incomplete)?;
        compare_header(&header, name, size)
    }

    fn failed(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::TimedOut {
            return Error::new(
                Class::Incomplete,
                "stall",
                format!("the source fell silent after {} bytes", self.position),
            )
            .expected("at least 64 KiB in 120 seconds")
            .remedy("start the feed and the import again; what was verified is kept")
            .with_source(error);
        }
        Error::new(
            Class::Io,
            "read",
            format!("the source cannot be read after {} bytes: {error}", self.position),
        )
        .remedy("put the medium back or use another copy, and import again; what was verified is kept")
        .with_source(error)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source at {}", self.position)
    }
}

pub(super) fn expect_zero(bytes: &[u8], what: &'static str) -> Result<()> {
    if bytes.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(
            Error::new(Class::Format, what, format!("the {what} holds other bytes than zero"))
                .expected("zero bytes")
                .remedy("copy the bundle again: something changed it"),
        )
    }
}

fn truncated(position: u64, class: Class) -> Error {
    Error::new(class, "truncated", format!("the bundle ends after {position} bytes"))
        .expected("the whole bundle")
        .remedy("copy it again and import it again; what was verified is kept")
}

/// A bundle whose first five entries were read (X2). Nothing in it is verified.
#[derive(Debug)]
pub struct OpenedBundle {
    source: Source,
    format: Vec<u8>,
    signatures: Vec<u8>,
    trust: Vec<u8>,
    head: Vec<u8>,
    approvals: Vec<u8>,
    detached: Vec<Signature>,
}

/// A bundle whose head the release role signed (X4, X5).
#[derive(Debug)]
pub struct SignedBundle {
    pub(super) source: Source,
    pub(super) head: Head,
    head_bytes: Vec<u8>,
    signatures: Vec<Signature>,
    approvals: Vec<u8>,
}

/// A bundle whose index hangs on the signed head (X9a): every further byte is known by its hash.
#[derive(Debug)]
pub struct VerifiedBundle {
    pub(super) source: Source,
    pub(super) head: Head,
    pub(super) index: Index,
    head_digest: Hash,
}

impl OpenedBundle {
    /// Reads entries 00 to 04 under their caps.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT` at X2, `E-IO` at X1.
    pub fn open(input: Box<dyn Input>) -> Result<Self> {
        Self::read(Source::new(input)).map_err(|error| error.at(Step::X2))
    }

    fn read(mut source: Source) -> Result<Self> {
        const CAPS: [u64; 5] = [
            limits::FORMAT_BYTES,
            limits::SIGNATURES_BYTES,
            limits::TRUST_BYTES,
            limits::HEAD_BYTES,
            limits::SIGNATURES_BYTES,
        ];
        let mut entries = Vec::with_capacity(PROLOGUE.len());
        for (name, cap) in PROLOGUE.into_iter().zip(CAPS) {
            let mut header = [0; BLOCK];
            source.fill(&mut header, Class::Format)?;
            let size = claimed_size(&header, name, cap)?;
            let content = source.content(size, Class::Format)?;
            if entries.is_empty() {
                check_format(&content)?;
            }
            entries.push(content);
        }
        let mut entries = entries.into_iter();
        let mut next = || entries.next().unwrap_or_default();
        let opened = Self {
            format: next(),
            signatures: next(),
            trust: next(),
            head: next(),
            approvals: next(),
            detached: Vec::new(),
            source,
        };
        // Bounds hold before any link or signature is looked at; what else is wrong with the lists is told at its step.
        let lists = [
            prologue::parse_signatures(&opened.signatures),
            prologue::parse_approvals(&opened.approvals),
        ];
        match lists
            .into_iter()
            .filter_map(Result::err)
            .find(|error| error.class() == Class::Limit)
        {
            Some(refusal) => Err(refusal),
            None => Ok(opened),
        }
    }

    /// Adds signatures that were kept in a file of their own.
    #[must_use]
    pub fn with_signatures(mut self, detached: Vec<Signature>) -> Self {
        self.detached.extend(detached);
        self
    }

    /// Returns the trust domain that the bundle says it belongs to, and the root links it carries: hints, for X3.
    ///
    /// # Errors
    ///
    /// `E-TRUST` and `E-LIMIT` at X3.
    pub fn links(&self) -> Result<(Hash, Vec<Envelope>)> {
        let TrustLinks { domain, roots } = prologue::parse_trust(&self.trust).map_err(|error| error.at(Step::X3))?;
        Ok((domain, roots))
    }

    /// Returns the head without any verification: for showing and for signing, never for deciding.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT` at X5.
    pub fn unverified_head(&self) -> Result<(Head, Hash)> {
        let head = Head::parse(&self.head).map_err(|error| error.at(Step::X5))?;
        Ok((head, Hash(Sha256::digest(&self.head).into())))
    }

    /// Returns the signatures carried, unverified.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` and `E-LIMIT` at X4.
    pub fn signatures(&self) -> Result<Vec<Signature>> {
        let mut signatures = prologue::parse_signatures(&self.signatures).map_err(|error| error.at(Step::X4))?;
        for signature in &self.detached {
            if !signatures.contains(signature) {
                signatures.push(signature.clone());
            }
        }
        Ok(signatures)
    }

    /// Reads the index pages too and takes the bundle apart, so that its head can be signed: nothing is verified but
    /// that the pages are those of the head.
    ///
    /// # Errors
    ///
    /// Those of every step up to X9a.
    pub fn into_unsigned(mut self) -> Result<(UnsignedBundle, Vec<Signature>)> {
        let (head, _) = self.unverified_head()?;
        let signatures = self.signatures()?;
        let mut pages = Vec::new();
        read_pages(&mut self.source, &head, |page| {
            pages.push(page);
            Ok(())
        })
        .map_err(|error| error.at(Step::X9a))?;
        Ok((
            UnsignedBundle::from_parts(head, self.head, self.trust, pages),
            signatures,
        ))
    }

    /// Verifies the head's signatures against the newest root of a chain, then reads the head (X4, X5).
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` at X4; `E-FORMAT`, `E-LIMIT` and `E-TRUST` at X5; `E-AUDIENCE product` at X6.
    pub fn verify(self, chain: &Chain) -> Result<SignedBundle> {
        let signatures = self.signatures()?;
        let role = chain.newest().role(RoleName::Release);
        verify_role(&role, PayloadType::BundleHead, &self.head, &signatures).map_err(|error| error.at(Step::X4))?;
        let head = self.check_head(chain).map_err(|error| error.at(Step::X5))?;
        if !chain.newest().products.contains(&head.product) {
            return Err(Error::new(
                Class::Audience,
                "product",
                format!("the vendor's root does not name the product {}", head.product),
            )
            .expected("a product that the pinned vendor may sign for")
            .remedy("have the vendor issue a root that names it")
            .at(Step::X6));
        }
        Ok(SignedBundle {
            source: self.source,
            head,
            head_bytes: self.head,
            signatures,
            approvals: self.approvals,
        })
    }

    fn check_head(&self, chain: &Chain) -> Result<Head> {
        let head = Head::parse(&self.head)?;
        if head.domain != chain.domain() {
            return Err(Error::new(
                Class::Trust,
                "domain",
                format!("the signed head belongs to the trust domain {}", head.domain),
            )
            .expected(chain.domain().to_string()));
        }
        if head.root_version > chain.newest().version {
            return Err(Error::new(
                Class::Trust,
                "missing-link",
                format!(
                    "the bundle was made under root {} but brings links only up to {}",
                    head.root_version,
                    chain.newest().version
                ),
            )
            .remedy("get the bundle again from the vendor: its root links were removed"));
        }
        if self.format != format_lines(head.totals.chunks).as_bytes() {
            return Err(Error::new(
                Class::Format,
                "format-lines",
                "the format lines do not agree with the signed head",
            )
            .expected(format!("{:?}", format_lines(head.totals.chunks))));
        }
        Ok(head)
    }
}

/// Tells apart what is no bundle, of another kind, or of another version.
fn check_format(text: &[u8]) -> Result<()> {
    let lines = std::str::from_utf8(text).unwrap_or_default();
    let first = lines.lines().next().unwrap_or_default();
    match first.split_once(' ') {
        Some(("airlock-bundle", "1")) => {}
        Some(("airlock-bundle", version)) => {
            return Err(Error::new(
                Class::Format,
                "unsupported-version",
                format!("the bundle has format version {version:?}"),
            )
            .expected("version 1")
            .remedy("update airlock"));
        }
        Some((kind @ "airlock-status", _)) => {
            return Err(Error::new(
                Class::Format,
                "wrong-type",
                format!("this is a status package ({kind})"),
            )
            .expected("a bundle")
            .remedy("give a status package to `airlock status verify` at the vendor"));
        }
        _ => {
            return Err(
                Error::new(Class::Format, "not-a-bundle", "the format line is not that of a bundle")
                    .expected("airlock-bundle 1"),
            );
        }
    }
    let well_formed = lines.strip_prefix("airlock-bundle 1\nvolume ").is_some_and(|rest| {
        rest.ends_with('\n')
            && rest.matches('\n').count() == 1
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"/- \nchunks".contains(&byte))
    });
    if well_formed {
        Ok(())
    } else {
        Err(Error::new(
            Class::Format,
            "format-lines",
            "the second format line is not one of a volume",
        ))
    }
}

impl SignedBundle {
    /// Returns the verified head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the bytes of the head.
    pub fn head_bytes(&self) -> &[u8] {
        &self.head_bytes
    }

    /// Returns the head digest, the bundle's identity.
    pub fn head_digest(&self) -> Hash {
        Hash(Sha256::digest(&self.head_bytes).into())
    }

    /// Returns the signatures over the head in the form of entry 01, detached ones included.
    pub fn signatures_bytes(&self) -> Vec<u8> {
        prologue::signatures_bytes(&self.signatures)
    }

    /// Returns the head and its signatures as a standard envelope, to keep or show on its own.
    pub fn to_envelope(&self) -> Envelope {
        Envelope {
            payload: self.head_bytes.clone(),
            payload_type: PayloadType::BundleHead,
            signatures: self.signatures.clone(),
        }
    }

    /// Returns the site approvals carried. Their form is checked even where none is required.
    ///
    /// # Errors
    ///
    /// `E-POLICY` and `E-LIMIT` at X9.
    pub fn approvals(&self) -> Result<Vec<Signature>> {
        prologue::parse_approvals(&self.approvals).map_err(|error| error.at(Step::X9))
    }

    /// Reads the index and the fill (X9a). `keep` is given the bytes of every page.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY`, `E-FORMAT`, `E-LIMIT` and `E-INCOMPLETE` at X9a, and those of `keep`.
    pub fn read_index(mut self, mut keep: impl FnMut(Hash, &[u8]) -> Result<()>) -> Result<VerifiedBundle> {
        let head_digest = self.head_digest();
        let mut read = || {
            let mut reader = IndexReader::new(&self.head);
            let head = &self.head;
            let mut hashes = head.index.iter().map(|page| page.sha256);
            read_pages(&mut self.source, head, |page| {
                reader.page(&page)?;
                hashes.next().map_or(Ok(()), |hash| keep(hash, &page))
            })?;
            let fill = head
                .payload_offset
                .checked_sub(self.source.position().saturating_add(entry_bytes(0)))
                .ok_or_else(|| {
                    Error::new(
                        Class::Format,
                        "payload-offset",
                        "the payload would begin inside the index",
                    )
                })?;
            if fill > limits::FILL_BYTES {
                return Err(Error::new(Class::Limit, "fill", format!("the fill has {fill} bytes"))
                    .expected(format!("at most {}", limits::FILL_BYTES)));
            }
            self.source.header(FILL, fill)?;
            let mut rest = fill;
            let mut block = [0; 8 * BLOCK];
            while rest > 0 {
                let count = usize::try_from(rest).unwrap_or(usize::MAX).min(block.len());
                let part = block.get_mut(..count).unwrap_or_default();
                self.source.fill(part, Class::Incomplete)?;
                expect_zero(part, "fill")?;
                rest = rest.saturating_sub(count as u64);
            }
            reader.finish()
        };
        let index = read().map_err(|error| error.at(Step::X9a))?;
        Ok(VerifiedBundle {
            source: self.source,
            head: self.head,
            index,
            head_digest,
        })
    }
}

fn read_pages(source: &mut Source, head: &Head, mut take: impl FnMut(Vec<u8>) -> Result<()>) -> Result<()> {
    for (number, page) in (1..).zip(&head.index) {
        source.header(&page_name(number), page.size)?;
        let content = source.content(page.size, Class::Incomplete)?;
        if Hash(Sha256::digest(&content).into()) != page.sha256 {
            return Err(Error::new(
                Class::Integrity,
                "page-hash",
                format!("index page {number} is not the one that was signed"),
            )
            .expected(page.sha256.to_string())
            .remedy("copy the bundle again"));
        }
        take(content)?;
    }
    Ok(())
}

impl VerifiedBundle {
    /// Returns the verified head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the verified index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the head digest.
    pub fn head_digest(&self) -> Hash {
        self.head_digest
    }

    /// Returns how many bytes were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.source.position()
    }

    /// Returns the size of the whole bundle in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.index
            .chunks
            .iter()
            .map(|chunk| entry_bytes(u64::from(chunk.size)))
            .fold(self.head.payload_offset, u64::saturating_add)
            .saturating_add(super::entry::END_BYTES as u64)
    }
}
