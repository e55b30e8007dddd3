//! Every bound in one place. All of them refuse with `E-LIMIT` before memory is taken for what they bound.

use super::DocumentType;

/// Signatures over one document, and approvals in one bundle.
pub const SIGNATURES: usize = 32;
/// Bytes of a vendor's name.
pub const VENDOR_BYTES: usize = 200;
/// Bytes of a root document's payload.
pub const ROOT_BYTES: usize = 64 << 10;
/// Root links in one bundle (TUF suggests 2^10).
pub const ROOT_LINKS: usize = 1024;
/// Bytes of entry 00.
pub const FORMAT_BYTES: u64 = 128;
/// Bytes of entries 01 and 04.
pub const SIGNATURES_BYTES: u64 = 256 << 10;
/// Bytes of entry 02.
pub const TRUST_BYTES: u64 = 4 << 20;
/// Bytes of entry 03.
pub const HEAD_BYTES: u64 = 256 << 10;
/// Bytes of one index page.
pub const PAGE_BYTES: usize = 1 << 20;
/// Index pages.
pub const PAGES: usize = 256;
/// Bytes of entry 06.
pub const FILL_BYTES: u64 = 16 << 20;
/// Largest plain and stored size of a chunk.
pub const CHUNK_BYTES_MAX: u64 = 16 << 20;
/// Smallest `chunk_bytes` a head may state.
pub const CHUNK_BYTES_MIN: u64 = 1 << 20;
/// Default `chunk_bytes`.
pub const CHUNK_BYTES_DEFAULT: u64 = 4 << 20;
/// Chunks in a bundle.
pub const CHUNKS: u64 = 1_000_000;
/// Volumes of a bundle. A reader has all of them open at once.
pub const VOLUMES: usize = 256;
/// Blobs in a bundle.
pub const BLOBS: u64 = 500_000;
/// Tags in a bundle, and children that its indexes are said to lack, each.
pub const NAME_LINES: usize = 100_000;
/// Depth of a JSON document: the outermost value is 1.
pub const JSON_DEPTH: usize = 8;
/// Bytes of a JSON string, before escapes are taken away.
pub const JSON_STRING_BYTES: usize = 4096;
/// Largest integer that every JSON reader keeps exactly.
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;
/// Bytes of the plain of one encoded blob.
pub const PLAIN_BYTES: u64 = 1 << 36;
/// Bytes of plain for each byte of a gzip file: deflate makes no more.
pub const PLAIN_FOR_A_BYTE: u64 = 1_032;
/// Bytes of a recipe.
pub const RECIPE_BYTES: u64 = 1 << 20;
/// Bytes of the plains of all encoded blobs of a bundle.
pub const PLAIN_BYTES_IN_ALL: u64 = 16 << 40;
/// Blobs that parts of one encoded blob may be copied from.
pub const BASES: usize = 8;
/// How often the blobs of a bundle may mention one.
pub const BASE_MENTIONS: usize = 1_000_000;
/// Bytes of the plains of all bases of one blob.
pub const BASE_PLAIN_BYTES: u64 = 1 << 37;
/// Bytes that the bases of a bundle may inflate to, each counted once, for each byte of plain that is made over them, and besides: a layer has
/// one to four bases, of its own size or that of a whole image, so that honest bundles stay far below both; and 16 GiB are inflated in a minute.
pub const BASE_WORK_FOR_A_BYTE: u64 = 64;
/// The bytes besides.
pub const BASE_WORK: u64 = 1 << 34;
/// Largest window of a zstd frame, as a power of two (8 MiB).
pub const ZSTD_WINDOW_LOG: u32 = 23;
/// Bytes of an OCI manifest or index, of release notes and of a desired state.
pub const MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of a compose file, an environment file or a values document.
pub const APPLICATION_DOCUMENT_BYTES: u64 = 1 << 20;
/// Documents of sealed secrets in a bundle: one for each site that gets any.
pub const SECRETS_DOCUMENTS: usize = 256;
/// Bytes of a document of sealed secrets.
pub const SECRETS_BYTES: u64 = 1 << 20;
/// Bytes of a secret's value.
pub const SECRET_BYTES: usize = 64 << 10;
/// Bytes from which on a secret's value is looked for in texts: shorter ones stand in every other text.
pub const SECRET_SOUGHT_BYTES: usize = 6;
/// Levels of OCI documents: a tag's manifest is level 1.
pub const MANIFEST_NESTING: usize = 4;
/// Descriptors in one OCI document.
pub const DESCRIPTORS: usize = 10_000;
/// References of a release: those that its documents hold, and those that its names lead to, each document's once for every
/// repository that reaches it.
pub const EDGES: usize = 4_000_000;
/// Pairs of repository and content that a release may have whatever it carries: each is a row of every site's database.
pub const NAMES: usize = 100_000;
/// Pairs that it may have beside these for each tag, need and blob of its index.
pub const NAMES_PER_LINE: usize = 4;
/// Bytes of the annotations, each written as a JSON object, and artifact types of everything in a release that has a subject.
pub const ANNOTATIONS_BYTES: usize = 16 << 20;
/// Largest step of a sequence number (threat model 2.7: fast-forward).
pub const SEQUENCE_JUMP: u64 = 1_000_000;
/// Bytes of the documents that one target's deployments name, each counted as often as it is named: what its agents may be
/// answered with.
pub const TARGET_RENDERED_BYTES: u64 = 16 << 20;
/// The same for all targets of a desired state.
pub const RENDERED_BYTES: u64 = 1 << 30;
/// Home hosts of a release: a name without host is looked for under each of everybody's.
pub const HOME_HOSTS: usize = 64;
/// How far ahead of the judging clock a release may say that it was issued (2 days).
pub const ISSUED_AHEAD_SECONDS: i64 = 48 * 60 * 60;
/// The same ahead of the domain's floor, where the clock is behind it and proves nothing (366 days).
pub const ISSUED_AHEAD_OF_FLOOR_SECONDS: i64 = 366 * 24 * 60 * 60;
/// Bytes of a status package's file: its content at most, and room for what stands before and around it.
pub const PACKAGE_FILE_BYTES: u64 = (1 << 30) + (256 << 20);
/// Parts of a status package, and chunks: at most 1 GiB of plain content.
pub const PARTS: usize = 256;
/// Bytes of a part, and of a full chunk of a status package.
pub const PART_BYTES: usize = 4 << 20;
/// Lines of all parts of a status package.
pub const PACKAGE_LINES: u64 = 4_000_000;
/// Bytes of a line without its line feed.
pub const LINE_BYTES: usize = 1_052_672;
/// Bytes of the text of a record between its quotes: as many as [`QUOTED_TEXT_BYTES`] can become.
pub const LINE_TEXT_BYTES: usize = 1 << 20;
/// Bytes of a quoted text when it is decoded.
pub const QUOTED_TEXT_BYTES: usize = 256 << 10;
/// Bytes of a quoted name when it is decoded.
pub const QUOTED_NAME_BYTES: usize = 1024;
/// Bytes of a receipt's envelope.
pub const RECEIPT_BYTES: usize = 8 << 10;
/// Bytes of the detail of a row of a stream's log.
pub const DETAIL_BYTES: usize = 4 << 10;
/// Depth of that detail: the object itself is 1.
pub const DETAIL_DEPTH: usize = 3;
/// Lines of a status package that name content which cannot be served.
pub const DAMAGED: u64 = 100_000;
/// Instances in a status package's lineage.
pub const LINEAGE: usize = 256;
/// Receipts in a status package.
pub const RECEIPTS: u64 = 10_000;
/// Rows of a stream's log in a status package.
pub const AUDIT_ROWS: u64 = 100_000;
/// Targets in a status package.
pub const PACKAGE_TARGETS: u64 = 100_000;
/// Bytes of a status package's fill that are there for its size to be a round number.
pub const SIZE_UNIT_MAX: u64 = 8 << 20;
/// Default of the largest status package in bytes.
pub const PACKAGE_BYTES_DEFAULT: u64 = 64 << 20;
/// Least that it may be set to.
pub const PACKAGE_BYTES_MIN: u64 = 1 << 20;
/// Bytes of an acknowledgement with its envelope.
pub const ACKNOWLEDGEMENT_BYTES: usize = 64 << 10;
/// How far above the last acknowledgement that was issued here a site may say that one was applied, and how far above the last one that was
/// applied the next one's number may be.
pub const ACKNOWLEDGEMENT_JUMP: u64 = 1_000_000;
/// Files of refused packages that are kept as evidence of each site.
pub const EVIDENCE_FILES: usize = 16;
/// Alarms, and packages, that an acknowledgement names, each.
pub const ACKNOWLEDGEMENT_ITEMS: usize = 64;
/// Longest list that one page of a registry answer holds.
pub const REGISTRY_PAGE: usize = 1000;

/// Returns the most bytes that a release document of a type may have.
pub const fn document_bytes(kind: DocumentType) -> u64 {
    match kind {
        DocumentType::Acknowledgement => ACKNOWLEDGEMENT_BYTES as u64,
        DocumentType::Compose | DocumentType::Env | DocumentType::Values => APPLICATION_DOCUMENT_BYTES,
        DocumentType::DesiredState | DocumentType::Notes => MANIFEST_BYTES,
        DocumentType::Secrets => SECRETS_BYTES,
    }
}
