//! What will stand where, worked out before a single payload byte is read: order, chunks, and the place of the first chunk.
//!
//! Pure: the same content, release and settings give the same layout on any machine.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::bases::{Bases, Place};
use super::content::BundleContent;
use super::graph::{Graph, GraphBuilder};
use super::head::{DocumentEntry, Head};
use super::index::{Absent, Blob, Index, Need, TagLine};
use super::kind::BUNDLE;
use super::trust_links::trust_bytes;
use super::volumes::most_volumes;
use crate::container::{
    Builder, Chunk, EMPTY_APPROVALS, END_BYTES, PageEntry, Totals, digest_of, entry_bytes, format_lines,
    room_for_signatures,
};
use crate::crypto::{Chain, RoleName};
use crate::domain::oci::{Document, Layers};
use crate::domain::{
    Audience, Class, Codec, Counter, Digest, Error, Hash, Name, Result, Step, Timestamp, Version, limits,
};
use crate::encoding::{Base, Encoding};

/// What a release states about itself: the members of its head that are chosen, not computed.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the members of the head of the same names")]
pub struct ReleaseStatement {
    pub product: Name,
    pub channel: Name,
    pub version: String,
    pub epoch: u64,
    pub sequence: u64,
    pub issued_at: Timestamp,
    pub expires: Timestamp,
    pub audience: Audience,
    pub home_hosts: Vec<String>,
    pub minimum_appliance: Version,
}

impl ReleaseStatement {
    /// Returns its number.
    pub fn counter(&self) -> Counter {
        Counter {
            epoch: self.epoch,
            sequence: self.sequence,
        }
    }
}

/// How a bundle is packed.
#[derive(Debug, Clone, Copy)]
pub struct Packing {
    /// Plain bytes of a full chunk: a power of two from 1 to 16 MiB.
    pub chunk_bytes: u64,
    /// zstd level.
    pub level: i32,
    /// Bytes kept free in front of the payload for later signatures, approvals and root links.
    pub reserve: u64,
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            chunk_bytes: limits::CHUNK_BYTES_DEFAULT,
            level: 3,
            reserve: 256 << 10,
        }
    }
}

/// How a layer travels that is encoded.
#[derive(Debug, Clone)]
pub struct Travels {
    /// Bytes of its travel form.
    pub size: u64,
    /// What is made of that, and how.
    pub encoding: Encoding,
    /// What it is copied from in part, in the order of its scripts.
    pub bases: Vec<Base>,
}

/// The computed layout of a bundle that is not written yet: its head but for what only writing tells, and the order of its blobs.
#[derive(Debug)]
pub struct BundleLayout {
    pub(super) head: Head,
    pub(super) index: Index,
    /// Needs that content is copied from and no manifest refers to.
    pub(super) bases_only: BTreeSet<Digest>,
    pub(super) trust: Vec<u8>,
    /// Room for the signatures that the release role needs.
    pub(super) signatures: u64,
    pub(super) packing: Packing,
    /// Bytes that a volume may have; nothing for one file.
    pub(super) volume_bytes: Option<u64>,
    pub(super) most_volumes: usize,
}

impl BundleLayout {
    /// Orders the content, checks it as a whole, and finds where the payload begins.
    ///
    /// # Errors
    ///
    /// `E-CONTENT closure` with the full list when something is referred to but not carried; the content rules of the
    /// specification; `E-LIMIT`; `E-TRUST` when the chain does not let this product be signed.
    pub fn new(release: &ReleaseStatement, content: &BundleContent, chain: &Chain, packing: Packing) -> Result<Self> {
        Self::on_base(release, content, &BTreeMap::new(), chain, packing)
    }

    /// As [`Self::new`], for sites that hold some layers already: these, where size and digest are the same, are needed and not carried.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn on_base(
        release: &ReleaseStatement,
        content: &BundleContent,
        held: &BTreeMap<Digest, u64>,
        chain: &Chain,
        packing: Packing,
    ) -> Result<Self> {
        let root = chain.newest();
        if !root.products.contains(&release.product) {
            return Err(Error::new(
                Class::Trust,
                "product",
                format!("the trust root does not name the product {}", release.product),
            )
            .expected("one of the root's products"));
        }
        if root.epoch(&release.product, &release.channel) != release.epoch {
            return Err(Error::new(
                Class::Trust,
                "epoch",
                format!("the release carries epoch {}", release.epoch),
            )
            .expected(format!(
                "epoch {}, which the trust root names",
                root.epoch(&release.product, &release.channel)
            )));
        }
        let mut documents: Vec<DocumentEntry> = content
            .documents
            .iter()
            .map(|(kind, bytes)| DocumentEntry {
                digest: digest_of(bytes),
                size: bytes.len() as u64,
                kind: *kind,
            })
            .collect();
        documents.sort_by_key(|document| (document.kind, document.digest));
        documents.dedup();

        let Order {
            mut blobs,
            early,
            needs,
            ..
        } = Order::of(content, &documents, held)?;
        blobs.shrink_to_fit();
        let mut tags: Vec<&TagLine> = content.tags.iter().collect();
        tags.sort_by(|a, b| (&a.repository, &a.tag, a.digest).cmp(&(&b.repository, &b.tag, b.digest)));
        tags.dedup();
        let early_blobs = early as u64;
        let index = Index {
            tags: tags.into_iter().map(Index::raw_tag).collect(),
            absent: content
                .absent
                .iter()
                .map(|(digest, platform)| Absent {
                    digest: *digest,
                    platform: platform.clone(),
                })
                .collect(),
            needs: needs.into_values().collect(),
            blobs,
            encodings: Vec::new(),
            bases: Bases::default(),
            chunks: Vec::new(),
        };
        index.check_lines().map_err(|error| error.at(Step::X9a))?;
        let mut home_hosts = release.home_hosts.clone();
        home_hosts.sort();
        home_hosts.dedup();
        let head = Head {
            audience: release.audience.clone(),
            builder: Builder::current(),
            channel: release.channel.clone(),
            chunk_bytes: packing.chunk_bytes,
            documents,
            domain: chain.domain(),
            epoch: release.epoch,
            expires: release.expires,
            home_hosts,
            index: Vec::new(),
            issued_at: release.issued_at,
            minimum_appliance: release.minimum_appliance,
            payload_offset: 0,
            product: release.product.clone(),
            reader: Version::new(0, 1, 0),
            requires: content
                .requires
                .iter()
                .map(|feature| feature.name().to_owned())
                .collect(),
            root_version: root.version,
            sequence: release.sequence,
            totals: Totals {
                blobs: index.blobs.len() as u64,
                chunks: 0,
                content_bytes: index.blobs.iter().map(|blob| blob.size).fold(0, u64::saturating_add),
                early_blobs,
                needs: index.needs.len() as u64,
                stored_bytes: 0,
            },
            version: release.version.clone(),
            volumes: vec![0],
        };
        check_graph(&index, &head, content).map_err(|error| error.at(Step::X13))?;
        let mut layout = Self {
            head,
            index,
            bases_only: BTreeSet::new(),
            trust: trust_bytes(chain),
            signatures: room_for_signatures(&root.role(RoleName::Release)),
            packing,
            volume_bytes: None,
            most_volumes: 1,
        };
        layout.place()?;
        Ok(layout)
    }

    /// The same content, of which some layers travel encoded. A base that is not carried is needed from now on.
    ///
    /// # Errors
    ///
    /// `E-LIMIT`; `E-INTERNAL` for a carried base that is no layer before its blob.
    pub fn encoded(mut self, encoded: &BTreeMap<Digest, Travels>) -> Result<Self> {
        let early = usize::try_from(self.head.totals.early_blobs).unwrap_or(usize::MAX);
        let mut needs: BTreeMap<Digest, Need> = self.index.needs.iter().map(|need| (need.digest, *need)).collect();
        for base in encoded
            .values()
            .flat_map(|travels| &travels.bases)
            .filter(|base| !base.carried)
        {
            let need = needs.entry(base.digest).or_insert_with(|| {
                self.bases_only.insert(base.digest);
                Need {
                    digest: base.digest,
                    size: base.size,
                    plain_size: None,
                }
            });
            need.plain_size = base.inflated;
        }
        self.index.needs = needs.into_values().collect();
        self.head.totals.needs = self.index.needs.len() as u64;
        let mut numbers = HashMap::new();
        for number in early..self.index.blobs.len() {
            let Some(digest) = self.index.blobs.get(number).map(|blob| blob.digest) else {
                break;
            };
            if let Some(travels) = encoded.get(&digest) {
                let place = |base: &Base| self.place_of(base, &numbers);
                let bases: Vec<Place> = travels.bases.iter().map(place).collect::<Result<_>>()?;
                self.index.encode(number, travels.size, travels.encoding, &bases);
            }
            numbers.insert(digest, u32::try_from(number).unwrap_or(u32::MAX));
        }
        for feature in self.index.features() {
            if !self.head.has(feature) {
                self.head.requires.push(feature.name().to_owned());
            }
            self.head.reader = self.head.reader.max(feature.reader());
        }
        self.head.requires.sort_unstable();
        self.place()?;
        Ok(self)
    }

    /// Returns where a base stands: `numbers` are those of the layers before its blob.
    fn place_of(&self, base: &Base, numbers: &HashMap<Digest, u32>) -> Result<Place> {
        let place = if base.carried {
            numbers.get(&base.digest).copied().map(Place::Blob)
        } else {
            let needs = &self.index.needs;
            let number = needs.binary_search_by_key(&base.digest, |need| need.digest).ok();
            number.and_then(|number| u32::try_from(number).ok()).map(Place::Need)
        };
        place.ok_or_else(|| {
            Error::new(
                Class::Internal,
                "base",
                format!("the base {} stands behind what is copied from it", base.digest),
            )
        })
    }

    /// Finds where the payload begins.
    pub(super) fn place(&mut self) -> Result<()> {
        let widest: Vec<Chunk> = self
            .index
            .payload(&self.head)
            .cut()
            .map(|span| Chunk {
                codec: Codec::None,
                sha256: Hash([0; 32]),
                size: u32::try_from(span.plain).unwrap_or(u32::MAX),
            })
            .collect();
        let (head, index) = (&mut self.head, &mut self.index);
        head.totals.chunks = widest.len() as u64;
        head.volumes = vec![head.totals.chunks];
        index.chunks = widest;
        let (trust, reserve) = (self.trust.len() as u64, self.packing.reserve);
        // More volumes make a longer head, and that more volumes.
        let mut volumes = 1;
        loop {
            let most = head_bytes(&head.in_most_volumes(volumes), index)?;
            head.payload_offset = payload_offset(head, most, index, trust, self.signatures, reserve);
            let needed = match self.volume_bytes {
                Some(bytes) => most_volumes(head.payload_offset, &index.chunks, bytes)?,
                None => 1,
            };
            if needed <= volumes {
                break;
            }
            volumes = needed;
        }
        self.most_volumes = volumes;
        index.chunks = Vec::new();
        head.check()
    }

    /// Returns the layers in payload order: what may travel encoded.
    pub fn late_blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let early = usize::try_from(self.head.totals.early_blobs).unwrap_or(usize::MAX);
        let blobs = self.index.blobs.get(early..).unwrap_or_default();
        blobs.iter().map(|blob| (blob.digest, blob.size))
    }

    /// Returns the digest of everything that it carries.
    pub fn carried(&self) -> impl Iterator<Item = Digest> {
        self.index.blobs.iter().map(|blob| blob.digest)
    }

    /// Returns the bytes that all blobs have in chunks, before these are compressed.
    pub fn travel_bytes(&self) -> u64 {
        let sizes = self.index.blobs.iter().map(|blob| blob.travel_size);
        sizes.fold(0, u64::saturating_add)
    }

    /// Returns the plain bytes of all blobs.
    pub fn content_bytes(&self) -> u64 {
        self.head.totals.content_bytes
    }

    /// Returns how many blobs it carries.
    pub fn blobs(&self) -> u64 {
        self.head.totals.blobs
    }

    /// Returns what it needs and does not carry, by digest.
    pub fn needs(&self) -> &[Need] {
        self.index.needs()
    }

    /// Returns an upper bound of the bundle's size in bytes, over all its volumes.
    pub fn largest_size(&self) -> u64 {
        let chunks = self.head.totals.chunks.saturating_mul(END_BYTES as u64);
        let around = self.head.payload_offset.saturating_add(END_BYTES as u64);
        around
            .saturating_mul(self.most_volumes as u64)
            .saturating_add(self.travel_bytes())
            .saturating_add(chunks)
    }
}

/// Bytes that the head will have at most.
///
/// # Errors
///
/// `E-LIMIT head-size`: such a bundle could be signed and never be read.
fn head_bytes(head: &Head, widest: &Index) -> Result<u64> {
    let mut largest = head.clone();
    largest.payload_offset = limits::JSON_INTEGER_MAX;
    largest.totals.stored_bytes = limits::JSON_INTEGER_MAX;
    largest.index = widest
        .page_sizes()
        .iter()
        .map(|_| PageEntry {
            sha256: Hash([0; 32]),
            size: limits::PAGE_BYTES as u64,
        })
        .collect();
    let bytes = largest.to_bytes().len() as u64;
    if bytes > limits::HEAD_BYTES {
        return Err(Error::new(
            Class::Limit,
            "head-size",
            format!(
                "the head would have {bytes} bytes, with {} documents and an audience of its own",
                head.documents.len()
            ),
        )
        .expected(format!("at most {}", limits::HEAD_BYTES))
        .remedy("make several releases, for fewer targets and sites each"));
    }
    Ok(bytes)
}

/// An upper bound of the bytes before the payload, from what is known before chunks are compressed: no stored size is
/// larger than its plain size, so no index line is longer and no page more.
fn payload_offset(head: &Head, head_bytes: u64, widest: &Index, trust: u64, signatures: u64, reserve: u64) -> u64 {
    let pages = widest.page_sizes();
    let entries = [
        format_lines(&BUNDLE, head.totals.chunks).len() as u64,
        signatures,
        trust,
        head_bytes,
        EMPTY_APPROVALS.len() as u64,
        // The fill's own header.
        0,
    ];
    // Pages may be cut elsewhere than in the bound: their content is no longer in sum, and each has one header and padding.
    let content: u64 = pages.iter().copied().fold(0, u64::saturating_add);
    let around = (pages.len() as u64).saturating_mul(END_BYTES as u64);
    entries
        .into_iter()
        .map(entry_bytes)
        .fold(content.saturating_add(around), u64::saturating_add)
        .saturating_add(reserve)
        .next_multiple_of(BUNDLE.offset_unit)
}

fn check_graph(index: &Index, head: &Head, content: &BundleContent) -> Result<Graph> {
    let mut builder = GraphBuilder::new(index, head)?;
    let documents: HashMap<Digest, &Vec<u8>> = content
        .documents
        .iter()
        .map(|(_, bytes)| (digest_of(bytes), bytes))
        .collect();
    for (n, blob) in index.blobs.iter().enumerate() {
        if builder.reads(blob)
            && let Some(bytes) = content
                .manifests
                .get(&blob.digest)
                .or_else(|| documents.get(&blob.digest).copied())
        {
            builder.add(n, blob, bytes)?;
        }
    }
    builder.finish()
}

/// Payload order: documents, then each name's graph depth first; layers after all of that, image by image.
struct Order<'a> {
    /// Layers that the sites hold.
    held: &'a BTreeMap<Digest, u64>,
    /// In payload order.
    blobs: Vec<Blob>,
    /// How many of them come before the first layer.
    early: usize,
    needs: BTreeMap<Digest, Need>,
    placed: HashSet<Digest>,
    missing: Vec<Digest>,
}

impl<'a> Order<'a> {
    fn of(content: &BundleContent, documents: &[DocumentEntry], held: &'a BTreeMap<Digest, u64>) -> Result<Self> {
        let mut order = Self {
            held,
            blobs: Vec::new(),
            early: 0,
            needs: BTreeMap::new(),
            placed: HashSet::new(),
            missing: Vec::new(),
        };
        for document in documents {
            order.place_early(Blob::as_it_is(document.digest, document.size, None));
        }
        let mut tags: Vec<&TagLine> = content.tags.iter().collect();
        tags.sort_by(|a, b| (&a.repository, &a.tag, a.digest).cmp(&(&b.repository, &b.tag, b.digest)));
        for layers in [false, true] {
            let mut seen = HashSet::new();
            for tag in &tags {
                order.walk(content, tag.digest, &tag.media_type, layers, &mut seen, 1)?;
            }
        }
        order.missing.sort_unstable();
        order.missing.dedup();
        if order.missing.is_empty() {
            return Ok(order);
        }
        let list: Vec<String> = order.missing.iter().map(ToString::to_string).collect();
        Err(Error::new(
            Class::Content,
            "closure",
            format!(
                "the release refers to manifests that it does not carry: {}",
                list.join(", ")
            ),
        ))
    }

    fn walk(
        &mut self,
        content: &BundleContent,
        digest: Digest,
        media_type: &str,
        layers: bool,
        seen: &mut HashSet<Digest>,
        level: usize,
    ) -> Result<()> {
        if level > limits::MANIFEST_NESTING {
            return Err(Error::new(
                Class::Limit,
                "nesting",
                format!("documents nest deeper than {}", limits::MANIFEST_NESTING),
            ));
        }
        if !seen.insert(digest) {
            return Ok(());
        }
        let Some(bytes) = content.manifests.get(&digest) else {
            self.missing.push(digest);
            return Ok(());
        };
        // The graph, which is checked as a whole, says which layers are allowed.
        let document = Document::parse_with(bytes, media_type, Layers::Any)?;
        if layers {
            for layer in &document.layers {
                if self.placed.insert(layer.digest) {
                    self.place_layer(layer.digest, layer.size);
                }
            }
        } else {
            let known = super::index_lines::known_media_type(media_type)?;
            self.place_early(Blob::as_it_is(digest, bytes.len() as u64, Some(known)));
            if let Some(config) = &document.config {
                self.place_early(Blob::as_it_is(config.digest, config.size, None));
            }
        }
        for child in &document.manifests {
            if !content.absent.contains_key(&child.digest) {
                self.walk(
                    content,
                    child.digest,
                    &child.media_type,
                    layers,
                    seen,
                    level.saturating_add(1),
                )?;
            }
        }
        Ok(())
    }

    fn place_layer(&mut self, digest: Digest, size: u64) {
        if self.held.get(&digest) == Some(&size) {
            let need = Need {
                digest,
                size,
                plain_size: None,
            };
            self.needs.insert(digest, need);
        } else {
            self.blobs.push(Blob::as_it_is(digest, size, None));
        }
    }

    fn place_early(&mut self, blob: Blob) {
        if self.placed.insert(blob.digest) {
            self.blobs.push(blob);
            self.early = self.blobs.len();
        }
    }
}
