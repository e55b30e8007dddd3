//! The signed head of a package: who, which numbers, what is shown, how big (M-91).
//!
//! The page leaves open how far the form of a head goes beyond its table; here `acknowledged` lies below the package's first numbers, and
//! `previous` stands exactly where `number` is above 1.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::coverage::{Acknowledged, AuditRange, Numbers, ReceiptRange, RecordRange, count, is_range};
use super::kind::PACKAGE;
use super::lineage::{LineageEntry, check_lineage};
use super::part::{PartEntry, PartType};
use super::switch::Shows;
use crate::container::{Builder, PageEntry, Totals, check_features, check_outline};
use crate::crypto::canonical::{self, integer};
use crate::domain::{Class, Error, Hash, InstanceId, Result, SiteId, Timestamp, Version, limits};

/// Version of airlock that reads packages of this form.
pub(super) const READER: Version = Version::new(0, 2, 0);

/// The head of a package. Who holds one from a reader knows that the site's status key signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Newest acknowledgement that the site applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// Rows of the stream's log.
    pub audit: AuditRange,
    /// What built it.
    pub builder: Builder,
    /// Plain bytes of a full chunk: 4 MiB.
    #[serde(with = "integer")]
    pub chunk_bytes: u64,
    /// Trust domain that it goes to.
    pub domain: Hash,
    /// The index page, where there are parts.
    pub index: Vec<PageEntry>,
    /// The life of the state folder that made it.
    pub instance: InstanceId,
    /// Lives of the state folder, oldest first.
    pub lineage: Vec<LineageEntry>,
    /// When its numbers were frozen, by the site's clock.
    pub made_at: Timestamp,
    /// 1, 2, 3 … for each stream and instance.
    #[serde(with = "integer")]
    pub number: u64,
    /// Parts in payload order.
    pub parts: Vec<PartEntry>,
    /// Where the first chunk's header stands.
    #[serde(with = "integer")]
    pub payload_offset: u64,
    /// Head digest of the package before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Hash>,
    /// Version of airlock that reads it.
    pub reader: Version,
    /// Receipts.
    pub receipts: ReceiptRange,
    /// Records.
    pub records: RecordRange,
    /// Features beyond version 1.
    pub requires: Vec<String>,
    /// What beyond the least is shown.
    pub shows: Shows,
    /// The site that it comes from.
    pub site: SiteId,
    /// Newest `issued_at` of what this vendor signed and the site verified.
    pub statement: Timestamp,
    /// Totals, so that they are known before the index is read.
    pub totals: Totals,
    /// Chunk count of each volume.
    pub volumes: Vec<u64>,
}

impl Head {
    /// Parses a head whose signature was verified before, and checks its table. Ranges and lineage are [judged](Self::check_ranges) once
    /// it is known to be for the right site.
    ///
    /// # Errors
    ///
    /// `E-FORMAT needs-newer-reader` first; then `E-FORMAT` and `E-LIMIT`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        check_features(&PACKAGE, bytes, &[])?;
        let head: Self = canonical::from_slice(bytes, "the head")?;
        head.check()?;
        Ok(head)
    }

    /// Checks everything that holds within the document but for its ranges.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`.
    pub(super) fn check(&self) -> Result<()> {
        if self.chunk_bytes != limits::PART_BYTES as u64 {
            return Err(format("chunk-bytes", "chunk_bytes is not 4,194,304"));
        }
        if !self.payload_offset.is_multiple_of(PACKAGE.offset_unit) {
            return Err(format("payload-offset", "payload_offset is not a multiple of 512"));
        }
        if self.builder.name.is_empty() || self.builder.version.is_empty() {
            return Err(format("labels", "the builder is empty"));
        }
        if self.number == 0 || (self.number == 1) != self.previous.is_none() {
            return Err(format(
                "number",
                "the package has no number, or what stands before it does not fit its number",
            )
            .expected("1 without `previous`, or above 1 with it"));
        }
        self.shows.check()?;
        self.check_parts()?;
        check_outline(&PACKAGE, &self.volumes, &self.index, &self.totals)?;
        let totals = &self.totals;
        let content = self.parts.iter().map(|part| part.size).fold(0, u64::saturating_add);
        if totals.blobs != self.parts.len() as u64
            || totals.early_blobs != totals.blobs
            || totals.needs != 0
            || totals.content_bytes != content
        {
            return Err(format("totals", "the totals of the head are not those of its parts"));
        }
        Ok(())
    }

    fn check_parts(&self) -> Result<()> {
        let limit = |code, found: String| Err(Error::new(Class::Limit, code, found));
        if self.parts.len() > limits::PARTS {
            return limit("parts", format!("the package has {} parts", self.parts.len()));
        }
        if let Some(part) = self.parts.iter().find(|part| part.size > limits::PART_BYTES as u64) {
            return limit("part-size", format!("a part of {} has {} bytes", part.kind, part.size));
        }
        if self.parts.iter().any(|part| part.size == 0 || part.lines == 0) {
            return Err(format("parts", "a part is empty"));
        }
        if !self.parts.is_sorted_by_key(|part| part.kind) {
            return Err(format("parts", "the parts are out of order"));
        }
        for (most, kinds) in [
            (limits::PACKAGE_LINES, &PartType::ALL[..]),
            (limits::RECEIPTS, &[PartType::Receipts]),
            (limits::AUDIT_ROWS, &[PartType::Audit]),
        ] {
            let parts = self.parts.iter().filter(|part| kinds.contains(&part.kind));
            let lines = parts.map(|part| part.lines).fold(0, u64::saturating_add);
            if lines > most {
                return limit(
                    "lines",
                    format!("the package states {lines} lines where {most} are the most"),
                );
            }
        }
        Ok(())
    }

    /// Checks ranges and lineage.
    ///
    /// # Errors
    ///
    /// `E-FORMAT ranges` and `lineage`; `E-LIMIT lines` and `lineage`.
    pub(super) fn check_ranges(&self) -> Result<()> {
        let Self {
            audit,
            receipts,
            records,
            ..
        } = self;
        let ranges = [
            (audit.first, audit.last),
            (receipts.first, receipts.last),
            (records.first, records.last),
        ];
        if !ranges.into_iter().all(|(first, last)| is_range(first, last)) {
            return Err(format(
                "ranges",
                "a range of numbers does not begin at 1 or above, or ends before it begins",
            ));
        }
        if count(receipts.first, receipts.last) > limits::RECEIPTS
            || count(audit.first, audit.last) > limits::AUDIT_ROWS
        {
            return Err(Error::new(
                Class::Limit,
                "lines",
                "the package covers too many receipts or rows of the log",
            )
            .expected(format!("at most {} and {}", limits::RECEIPTS, limits::AUDIT_ROWS)));
        }
        if self
            .acknowledged
            .is_some_and(|known| !known.next().at_most(&self.firsts()))
        {
            return Err(format(
                "ranges",
                "the package begins at or below what it says is acknowledged",
            ));
        }
        let next = self.acknowledged.map_or(Numbers::all(1), |known| known.next());
        check_lineage(&self.lineage, &self.instance, &self.firsts(), &next)
    }

    /// Returns the first number of each kind.
    pub fn firsts(&self) -> Numbers {
        Numbers {
            audit: self.audit.first,
            receipts: self.receipts.first,
            records: self.records.first,
        }
    }

    /// Returns the last number of each kind; first − 1 where there is none.
    pub fn lasts(&self) -> Numbers {
        Numbers {
            audit: self.audit.last,
            receipts: self.receipts.last,
            records: self.records.last,
        }
    }

    /// Returns the name that the package's file has wherever it goes: `SITE8-DOMAIN8-INSTANCE8-NUMBER.airlock-status`. The lives of a site and
    /// the numbers in them are alike for all of its vendors; the trust domain keeps their packages apart.
    pub fn file_name(&self) -> String {
        let short = |text: &str| text.chars().take(8).collect::<String>();
        format!(
            "{}-{}-{}-{}.airlock-status",
            short(self.site.as_str()),
            short(&self.domain.to_hex()),
            short(self.instance.as_str()),
            self.number
        )
    }

    /// Returns the document's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        canonical::to_vec(self)
    }
}

/// Returns the head digest: a package's identity.
pub(super) fn digest(head: &[u8]) -> Hash {
    Hash(Sha256::digest(head).into())
}

fn format(code: &'static str, found: &str) -> Error {
    Error::new(Class::Format, code, found)
}
