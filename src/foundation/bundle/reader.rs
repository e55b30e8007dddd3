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
//! - *Volumes that do not belong together*: [`volume_set`](super::volume_set).
//! - *A file with some chunks in place of a bundle*: a chunk that is not there is asked for by nobody, or refused where it is read.
//! - *Stripped revocations*: the head names the root under which it was made.

use sha2::{Digest as _, Sha256};

use super::head::Head;
use super::index::Index;
use super::index_reader::IndexReader;
use super::kind::BUNDLE;
use super::part::Part;
use super::trust_links::{TrustLinks, parse_trust};
use super::volume_set::{Others, called};
use super::writer::UnsignedBundle;
use crate::container::{
    ChunkRanges, END_BYTES, Input, Prologue, Source, claimed_repair, claimed_volume, entry_bytes, read_fill,
    read_pages, signatures_bytes,
};
use crate::crypto::{Chain, Envelope, RoleName, RootDocument, Signature};
use crate::domain::{Class, Error, Hash, Result, Step, limits};

/// A bundle whose first five entries were read (X2). Nothing in it is verified.
#[derive(Debug)]
pub struct OpenedBundle {
    source: Source,
    /// What its file is called, where it is one of several volumes.
    name: Option<String>,
    prologue: Prologue,
    detached: Vec<Signature>,
    others: Others,
}

/// A bundle whose head the release role signed (X4, X5).
#[derive(Debug)]
pub struct SignedBundle {
    pub(super) source: Source,
    pub(super) head: Head,
    signatures: Vec<Signature>,
    name: Option<String>,
    prologue: Prologue,
    others: Others,
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
        let mut source = Source::new(input, &BUNDLE);
        let prologue = Prologue::read(&mut source).map_err(|error| error.at(Step::X2))?;
        Ok(Self {
            source,
            name: None,
            prologue,
            detached: Vec::new(),
            others: Others::default(),
        })
    }

    /// Says what its file is called, where it is one of several volumes: messages name it.
    #[must_use]
    pub fn called(self, name: String) -> Self {
        let name = Some(name);
        Self { name, ..self }
    }

    /// Adds another volume of the set, whichever it is.
    ///
    /// # Errors
    ///
    /// `E-FORMAT volumes` at X2 for a volume of another set; `E-LIMIT volumes`.
    pub fn with_volume(mut self, other: Self) -> Result<Self> {
        self.others
            .add(&self.prologue, other.prologue, (other.source, other.name))
            .map_err(|error| error.at(Step::X2))?;
        Ok(self)
    }

    /// Returns the numbers that the volumes at hand give themselves, ascending.
    pub fn claimed_volumes(&self) -> Vec<usize> {
        let mut volumes = self.others.claimed();
        volumes.push(self.claimed_volume().0);
        volumes.sort_unstable();
        volumes
    }

    /// Returns which volume of how many it says that it is. Nothing vouches for that before the head is verified.
    pub fn claimed_volume(&self) -> (usize, usize) {
        claimed_volume(self.prologue.format()).unwrap_or((1, 1))
    }

    /// Returns the chunks that it says it holds alone, where it calls itself a repair file. Nothing vouches for that before the head is
    /// verified.
    pub fn claimed_repair(&self) -> Option<ChunkRanges> {
        claimed_repair(self.prologue.format())
    }

    /// Returns the bytes of the head.
    pub(super) fn head_bytes(&self) -> &[u8] {
        self.prologue.head()
    }

    /// Returns entry 02, of several volumes the one with the most links.
    pub(super) fn fullest_trust(&self) -> &[u8] {
        let others = self.others.different().iter().map(|(other, _)| other.trust());
        let fuller = others.max_by_key(|trust| trust.len());
        fuller
            .filter(|trust| trust.len() > self.prologue.trust().len())
            .unwrap_or(self.prologue.trust())
    }

    /// Lets go everything but what is read on, as far as a head says what part of the bundle that is.
    ///
    /// # Errors
    ///
    /// `E-FORMAT format-lines` and `volumes` at X5.
    pub(super) fn into_sources(mut self, head: &Head) -> Result<(Source, Others)> {
        Part::of(head, self.prologue.format())
            .and_then(|part| self.number(head, part))
            .map_err(|error| error.at(Step::X5))?;
        Ok((self.source, self.others))
    }

    /// Returns the hash of everything before the index, for telling files apart.
    pub fn prologue_digest(&self) -> Hash {
        self.prologue.digest()
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
        let parse = |prologue: &Prologue, whose: &str| {
            parse_trust(prologue.trust()).map_err(|error| self.of(error.at(Step::X3), whose))
        };
        let TrustLinks { domain, mut roots } = parse(&self.prologue, &self.own())?;
        // A volume that was signed later may bring more of them.
        for (other, whose) in self.others.different() {
            let found = parse(other, whose)?;
            if found.domain != domain {
                return Err(self.of(other_domain(domain, found.domain).at(Step::X3), whose));
            }
            if found.roots.len() > roots.len() {
                roots = found.roots;
            }
        }
        Ok((domain, roots))
    }

    /// What its own file is called among the volumes.
    fn own(&self) -> String {
        called(&self.prologue, self.name.as_deref())
    }

    /// Tells a fault of one volume as its own, where there are several.
    fn of(&self, error: Error, whose: &str) -> Error {
        of_volume(&self.others, error, whose)
    }

    /// Returns the head without any verification: for showing and for signing, never for deciding.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT` at X5.
    pub fn unverified_head(&self) -> Result<(Head, Hash)> {
        let head = Head::parse(self.prologue.head()).map_err(|error| error.at(Step::X5))?;
        Ok((head, self.head_digest()))
    }

    /// Returns the hash of the head's bytes, which are not looked at otherwise.
    pub fn head_digest(&self) -> Hash {
        Hash(Sha256::digest(self.prologue.head()).into())
    }

    /// Returns the signatures carried, unverified.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` and `E-LIMIT` at X4.
    pub fn signatures(&self) -> Result<Vec<Signature>> {
        let signatures_of = |prologue: &Prologue, whose: &str| {
            let signatures = prologue.signatures();
            signatures.map_err(|error| self.of(error.at(Step::X4), whose))
        };
        let mut signatures = signatures_of(&self.prologue, &self.own())?;
        for (other, whose) in self.others.different() {
            for signature in signatures_of(other, whose)? {
                if !signatures.contains(&signature) {
                    signatures.push(signature);
                }
            }
            check_count(signatures.len(), "signatures").map_err(|error| error.at(Step::X4))?;
        }
        for signature in &self.detached {
            if !signatures.contains(signature) {
                signatures.push(signature.clone());
            }
        }
        Ok(signatures)
    }

    /// Returns the site approvals carried, unverified.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` and `E-LIMIT` at X9.
    pub fn approvals(&self) -> Result<Vec<Signature>> {
        all_approvals((&self.prologue, &self.own()), &self.others)
    }

    /// Whether a root of the chain vouches for the head, as far as its signatures go.
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` and `E-LIMIT` at X4 when the signatures cannot be read.
    pub fn is_signed_under(&self, chain: &Chain, root_version: u64) -> Result<bool> {
        let signatures = self.signatures()?;
        Ok(chain.document(root_version).is_some_and(|root| {
            let role = root.role(RoleName::Release);
            BUNDLE.verify(&role, self.prologue.head(), &signatures).is_ok()
        }))
    }

    /// Reads the index pages too and takes the bundle apart, so that its head can be signed: nothing is verified but
    /// that the pages are those of the head.
    ///
    /// # Errors
    ///
    /// Those of every step up to X9a.
    pub fn into_unsigned(mut self) -> Result<(UnsignedBundle, Vec<Signature>)> {
        let (head, _) = self.unverified_head()?;
        let part = Part::of(&head, self.prologue.format()).map_err(|error| error.at(Step::X5))?;
        let Part::Volume(volume) = part else {
            return Err(Error::new(
                Class::Usage,
                "repair",
                "this is a repair file, which carries the signatures and approvals of its bundle",
            )
            .expected("the bundle itself")
            .remedy("name the bundle itself, then make the repair file of it again: `airlock bundle repair BUNDLE --report FILE -o FILE`"));
        };
        let signatures = self.signatures()?;
        self.prologue.approvals().map_err(|error| error.at(Step::X9))?;
        let mut pages = Vec::new();
        read_pages(&mut self.source, &head.index, |_, page| {
            pages.push(page);
            Ok(())
        })
        .map_err(|error| error.at(Step::X9a))?;
        Ok((
            UnsignedBundle::from_parts(
                (head, volume),
                self.prologue.head().to_vec(),
                self.prologue.trust().to_vec(),
                pages,
                self.prologue.approvals_bytes().to_vec(),
            ),
            signatures,
        ))
    }

    /// Verifies the head's signatures against the newest root of a chain, then reads the head (X4, X5).
    ///
    /// # Errors
    ///
    /// `E-SIGNATURE` at X4; `E-FORMAT`, `E-LIMIT` and `E-TRUST` at X5; `E-AUDIENCE product` at X6.
    pub fn verify(self, chain: &Chain) -> Result<SignedBundle> {
        self.verify_under(chain, chain.newest(), &mut |_, _| {})
    }

    /// As [`Self::verify`], by an earlier root of the chain: for a head that was accepted under it. `verified` is given the head and its
    /// digest as soon as both are known to be its domain's, whatever is refused then.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`].
    pub fn verify_under(
        mut self,
        chain: &Chain,
        root: &RootDocument,
        verified: &mut dyn FnMut(&Head, Hash),
    ) -> Result<SignedBundle> {
        self.check_other_links(chain)?;
        let signatures = self.signatures()?;
        let role = root.role(RoleName::Release);
        BUNDLE
            .verify(&role, self.prologue.head(), &signatures)
            .map_err(|error| error.at(Step::X4))?;
        let (head, part) = self.check_head(chain, verified).map_err(|error| error.at(Step::X5))?;
        self.number(&head, part).map_err(|error| error.at(Step::X5))?;
        if !root.products.contains(&head.product) {
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
            signatures,
            name: self.name,
            prologue: self.prologue,
            others: self.others,
        })
    }

    /// As [`Self::verify`], by the root under which it was made where the chain has that: for a bundle of an earlier release.
    ///
    /// # Errors
    ///
    /// `E-TRUST unknown-domain` at X3; as [`Self::verify`].
    pub fn verify_as_made(self, chain: &Chain) -> Result<SignedBundle> {
        let (domain, _) = self.links()?;
        if domain != chain.domain() {
            return Err(Error::new(
                Class::Trust,
                "unknown-domain",
                format!("the bundle belongs to the trust domain {domain}"),
            )
            .expected(chain.domain().to_string())
            .remedy("name a bundle of the vendor whose chain file it is")
            .at(Step::X3));
        }
        let (unverified, _) = self.unverified_head()?;
        match chain.document(unverified.root_version) {
            Some(root) => self.verify_under(chain, root, &mut |_, _| {}),
            // Says which link is missing.
            None => self.verify(chain),
        }
    }

    /// Says to the source what part of the bundle it is.
    fn number(&mut self, head: &Head, part: Part) -> Result<()> {
        match part {
            Part::Volume(volume) => {
                let table = self.others.number(head, (volume, self.name.as_deref()))?;
                if head.volumes.len() > 1 {
                    self.source.is_of_set(table, volume);
                }
                Ok(())
            }
            Part::Repair(chunks) if self.others.is_empty() => {
                self.source.is_repair(chunks);
                Ok(())
            }
            Part::Repair(_) => Err(
                Error::new(Class::Format, "volumes", "a repair file stands among volumes")
                    .expected("a repair file alone, or the volumes of one set")
                    .remedy("name the repair file by itself"),
            ),
        }
    }

    /// Links that another volume brings are judged as those that were followed: damage of one is told whichever it is in.
    fn check_other_links(&self, chain: &Chain) -> Result<()> {
        let (domain, _) = self.links()?;
        if domain != chain.domain() {
            return Ok(());
        }
        for (other, whose) in self.others.different() {
            let found = parse_trust(other.trust()).map_err(|error| self.of(error.at(Step::X3), whose))?;
            if let Some(refusal) = chain.extend(&found.roots).refusal {
                return Err(self.of(refusal.at(Step::X3), whose));
            }
        }
        Ok(())
    }

    fn check_head(&self, chain: &Chain, verified: &mut dyn FnMut(&Head, Hash)) -> Result<(Head, Part)> {
        let head = Head::parse(self.prologue.head())?;
        if head.domain != chain.domain() {
            return Err(Error::new(
                Class::Trust,
                "domain",
                format!("the signed head belongs to the trust domain {}", head.domain),
            )
            .expected(chain.domain().to_string()));
        }
        verified(&head, self.head_digest());
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
        let part = Part::of(&head, self.prologue.format())?;
        Ok((head, part))
    }
}

impl SignedBundle {
    /// Returns the verified head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the chunks that a repair file holds; nothing for what is none.
    pub fn repair(&self) -> Option<&ChunkRanges> {
        self.source.repair()
    }

    /// Returns the bytes of the head.
    pub fn head_bytes(&self) -> &[u8] {
        self.prologue.head()
    }

    /// Returns the head digest, the bundle's identity.
    pub fn head_digest(&self) -> Hash {
        Hash(Sha256::digest(self.head_bytes()).into())
    }

    /// Returns the signatures over the head in the form of entry 01, detached ones included.
    pub fn signatures_bytes(&self) -> Vec<u8> {
        signatures_bytes(&self.signatures)
    }

    /// Returns the head and its signatures as a standard envelope, to keep or show on its own.
    pub fn to_envelope(&self) -> Envelope {
        Envelope {
            payload: self.head_bytes().to_vec(),
            payload_type: BUNDLE.head_type,
            signatures: self.signatures.clone(),
        }
    }

    /// Returns the site approvals carried. Their form is checked even where none is required.
    ///
    /// # Errors
    ///
    /// `E-POLICY` and `E-LIMIT` at X9.
    pub fn approvals(&self) -> Result<Vec<Signature>> {
        let own = called(&self.prologue, self.name.as_deref());
        all_approvals((&self.prologue, &own), &self.others)
    }

    /// Reads the index and the fill (X9a). `keep` is given the bytes of every page.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY`, `E-FORMAT`, `E-LIMIT` and `E-INCOMPLETE` at X9a, and those of `keep`.
    pub fn read_index(mut self, mut keep: impl FnMut(Hash, &[u8]) -> Result<()>) -> Result<VerifiedBundle> {
        let head_digest = self.head_digest();
        let mut read = || -> Result<Index> {
            let mut reader = IndexReader::new(&self.head);
            read_pages(&mut self.source, &self.head.index, |hash, page| {
                reader.page(&page)?;
                keep(hash, &page)
            })?;
            read_fill(&mut self.source, self.head.payload_offset)?;
            let index = reader.finish()?;
            std::mem::take(&mut self.others).join(&self.head, &mut self.source)?;
            Ok(index)
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

    /// Returns the size of the whole bundle: of several volumes, of all of them, whose heads count once.
    pub fn whole_bytes(&self) -> u64 {
        let ends = (END_BYTES as u64).saturating_mul(self.head.volumes.len().max(1) as u64);
        let chunks = self.index.chunks.iter();
        chunks
            .map(|chunk| entry_bytes(u64::from(chunk.size)))
            .fold(self.head.payload_offset, u64::saturating_add)
            .saturating_add(ends)
    }

    /// Returns how many bytes are read of the whole bundle: of several volumes, those at hand, whose heads count once.
    pub fn total_bytes(&self) -> u64 {
        let ends = (END_BYTES as u64).saturating_mul(self.source.volumes_at_hand().len().max(1) as u64);
        (1..)
            .zip(&self.index.chunks)
            .filter(|(number, _)| self.source.holds(*number))
            .map(|(_, chunk)| entry_bytes(u64::from(chunk.size)))
            .fold(self.head.payload_offset, u64::saturating_add)
            .saturating_add(ends)
    }
}

/// Tells a fault of one volume as its own, where there are several.
fn of_volume(others: &Others, error: Error, whose: &str) -> Error {
    if others.is_empty() { error } else { error.context(whose) }
}

/// Says that volumes of one set name two vendors.
fn other_domain(one: Hash, other: Hash) -> Error {
    Error::new(
        Class::Trust,
        "unknown-domain",
        format!("volumes of one set name two trust domains, {one} and {other}"),
    )
    .expected("one, which their head is signed under")
    .remedy("copy the volumes again and compare their SHA-256 with the sender's")
}

/// Approvals of all volumes.
fn all_approvals((own, called): (&Prologue, &str), others: &Others) -> Result<Vec<Signature>> {
    let approvals = |prologue: &Prologue, whose: &str| {
        let approvals = prologue.approvals();
        approvals.map_err(|error| of_volume(others, error.at(Step::X9), whose))
    };
    let mut all = approvals(own, called)?;
    for (other, whose) in others.different() {
        for approval in approvals(other, whose)? {
            if !all.contains(&approval) {
                all.push(approval);
            }
        }
        check_count(all.len(), "approvals").map_err(|error| error.at(Step::X9))?;
    }
    Ok(all)
}

/// What all volumes carry together is bounded as what one carries.
fn check_count(count: usize, what: &str) -> Result<()> {
    if count <= limits::SIGNATURES {
        return Ok(());
    }
    Err(
        Error::new(Class::Limit, "signatures", format!("the volumes carry {count} {what}"))
            .expected(format!("at most {}", limits::SIGNATURES)),
    )
}
