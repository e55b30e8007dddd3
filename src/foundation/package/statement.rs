//! What a site states of a package before its lines are written, and the head that follows from both.

use super::coverage::{Acknowledged, AuditRange, Numbers, ReceiptRange, RecordCounts, RecordRange, Withheld};
use super::head::{Head, READER};
use super::hints::Hints;
use super::index;
use super::kind::PACKAGE;
use super::lineage::LineageEntry;
use super::packing::Measure;
use super::part::PartEntry;
use super::size::Sizes;
use super::switch::Shows;
use crate::container::{Builder, Chunk, PageEntry, Totals, format_lines, page_entries};
use crate::domain::{Codec, Hash, InstanceId, Result, SiteId, Timestamp, limits};

/// The facts of a head that are known before its lines are: the members of the same names.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the members of the head of the same names")]
pub struct Statement {
    pub acknowledged: Option<Acknowledged>,
    /// Seal of row `firsts.audit` − 1 of the stream's log.
    pub before: Hash,
    /// What builds it: [`Builder::current`].
    pub builder: Builder,
    pub domain: Hash,
    /// The first number of each range.
    pub firsts: Numbers,
    pub instance: InstanceId,
    pub lineage: Vec<LineageEntry>,
    pub made_at: Timestamp,
    pub number: u64,
    pub previous: Option<Hash>,
    pub shows: Shows,
    pub site: SiteId,
    pub statement: Timestamp,
}

/// How large a package may become.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Bytes of the file: at least 1 MiB.
    pub max_size: u64,
    /// Approvals for which there is to be room in front of the payload.
    pub approvals: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            max_size: limits::PACKAGE_BYTES_DEFAULT,
            approvals: 0,
        }
    }
}

/// What the lines and counts of a package come to.
pub(super) struct Content<'a> {
    pub(super) parts: &'a [PartEntry],
    pub(super) chunks: &'a [Chunk],
    /// Last number of each range.
    pub(super) lasts: Numbers,
    /// Seal of the last row.
    pub(super) hash: Hash,
    pub(super) shown: u64,
    pub(super) counts: RecordCounts,
}

impl Statement {
    /// Returns the entry 02.
    pub(super) fn hints(&self) -> Vec<u8> {
        let hints = Hints {
            domain: self.domain,
            site: self.site.clone(),
            links: 0,
        };
        hints.to_bytes()
    }

    /// Returns the head, its sizes, and the index page.
    pub(super) fn head(&self, content: &Content<'_>, room: Room, chunk_bytes: u64) -> (Head, Option<Vec<u8>>) {
        let page = index::page(content.parts, content.chunks);
        let entries: Vec<PageEntry> = page
            .iter()
            .flat_map(|page| page_entries(std::slice::from_ref(page)))
            .collect();
        let mut head = self.with(content, entries);
        head.payload_offset = self.sizes(&head, page.as_ref(), room, chunk_bytes).payload_offset();
        (head, page)
    }

    /// Returns an upper bound of the file's size.
    pub(super) fn largest(&self, measure: Measure<'_>, room: Room) -> u64 {
        const MOST: u64 = limits::JSON_INTEGER_MAX;
        let chunk = Chunk {
            codec: Codec::Zstd,
            sha256: Hash([0; 32]),
            size: u32::try_from(limits::PART_BYTES).unwrap_or(u32::MAX),
        };
        let Measure { parts, bytes, chunks } = measure;
        let chunks = vec![chunk; chunks];
        let page = index::page(parts, &chunks);
        let entry = PageEntry {
            sha256: Hash([0; 32]),
            size: limits::PAGE_BYTES as u64,
        };
        let mut head = self.with(
            &Content {
                parts,
                chunks: &chunks,
                lasts: Numbers::all(MOST),
                hash: Hash([0; 32]),
                shown: MOST,
                counts: RecordCounts {
                    missing: MOST,
                    unexplained: MOST,
                    withheld: Withheld {
                        agent_log: MOST,
                        log: MOST,
                        metrics: MOST,
                        status: MOST,
                    },
                },
            },
            vec![entry],
        );
        head.totals.stored_bytes = MOST;
        self.sizes(&head, page.as_ref(), room, bytes).total()
    }

    fn sizes(&self, head: &Head, page: Option<&Vec<u8>>, room: Room, chunks: u64) -> Sizes {
        let mut widest = head.clone();
        widest.payload_offset = limits::JSON_INTEGER_MAX;
        Sizes {
            format: format_lines(&PACKAGE, head.totals.chunks).len() as u64,
            hints: self.hints().len() as u64,
            head: widest.to_bytes().len() as u64,
            approvals: room.approvals,
            page: page.map(|page| page.len() as u64),
            chunks,
        }
    }

    fn with(&self, content: &Content<'_>, index: Vec<PageEntry>) -> Head {
        let Content {
            parts,
            chunks,
            lasts,
            hash,
            shown,
            counts,
        } = content;
        Head {
            acknowledged: self.acknowledged,
            audit: AuditRange {
                before: self.before,
                first: self.firsts.audit,
                hash: *hash,
                last: lasts.audit,
            },
            builder: self.builder.clone(),
            chunk_bytes: limits::PART_BYTES as u64,
            domain: self.domain,
            index,
            instance: self.instance.clone(),
            lineage: self.lineage.clone(),
            made_at: self.made_at,
            number: self.number,
            parts: parts.to_vec(),
            payload_offset: 0,
            previous: self.previous,
            reader: READER,
            receipts: ReceiptRange {
                first: self.firsts.receipts,
                last: lasts.receipts,
            },
            records: RecordRange {
                first: self.firsts.records,
                last: lasts.records,
                missing: counts.missing,
                shown: *shown,
                unexplained: counts.unexplained,
                withheld: counts.withheld,
            },
            requires: Vec::new(),
            shows: self.shows.clone(),
            site: self.site.clone(),
            statement: self.statement,
            totals: Totals {
                blobs: parts.len() as u64,
                chunks: chunks.len() as u64,
                content_bytes: parts.iter().map(|part| part.size).fold(0, u64::saturating_add),
                early_blobs: parts.len() as u64,
                needs: 0,
                stored_bytes: chunks
                    .iter()
                    .map(|chunk| u64::from(chunk.size))
                    .fold(0, u64::saturating_add),
            },
            volumes: vec![chunks.len() as u64],
        }
    }

    /// Checks what the site states before any line is taken.
    ///
    /// # Errors
    ///
    /// As a reader's of V4.
    pub(super) fn check(&self) -> Result<()> {
        let nothing = Content {
            parts: &[],
            chunks: &[],
            lasts: Numbers {
                audit: self.firsts.audit.saturating_sub(1),
                receipts: self.firsts.receipts.saturating_sub(1),
                records: self.firsts.records.saturating_sub(1),
            },
            hash: self.before,
            shown: 0,
            counts: RecordCounts::default(),
        };
        let head = self.with(&nothing, Vec::new());
        head.check()?;
        head.check_ranges()
    }
}
