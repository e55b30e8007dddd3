//! Export: what leaves this site for a vendor is what was reviewed (D14; SPEC section 14, M-84 to M-99).
//!
//! ```text
//! freeze ─> view ─> lines ─> draft (outbox/) ─ preview, approvals ─> sign ─> deliver
//! E1        E2      E2       E3, E4            E5                    E6, E7  E8
//! ```
//!
//! | File | One step or type |
//! |---|---|
//! | `profile` | which switches of a package are on: the site's profile, more or less |
//! | `redact` | what no text keeps, whatever the profile says |
//! | `facts` | what a head says before any line is written: number, lineage, where ranges begin |
//! | `lines` | one file a part: releases, targets, receipts, log, metrics, records as typed lines |
//! | `draft` | freezes, writes the whole unsigned package beside its row |
//! | `preview` | reads a package back from its file, and says what it shows |
//! | `outbox` | names, files and rows of packages: what lies there without a row goes, what must stay stays |
//! | `choose` | which package an export is about: what did not get out, the draft, or a new one |
//! | `prologue` | the bytes before the payload written anew, everything else as it stands |
//! | `asked` | how many people have to approve what leaves |
//! | `approve` | adds an approval of the site's role to a draft: E5 |
//! | `sign` | the number is used, then the key signs: E6, E7 |
//! | `summary` | the tiny form of a signed package, for QR codes or a telephone |
//! | `deliver` | out to a folder, a file or a pipe, read back, and only then called exported: E8 |
//! | `listed` | what was made for a vendor, and how far each package is |
//! | `upkeep` | what the outbox keeps of what was signed |
//!
//! A kill anywhere leaves a draft, or a used number whose signature may be missing; the next export goes on there. Bytes that were signed
//! are never made again.

mod approve;
mod asked;
mod choose;
mod deliver;
mod draft;
mod facts;
mod lines;
mod listed;
mod outbox;
mod preview;
mod profile;
mod prologue;
pub mod redact;
mod sign;
mod summary;
mod upkeep;

pub use approve::Approved;
pub use choose::Wanted;
pub use deliver::{Delivered, Destination, PipeEnd};
pub use draft::{DraftRequest, Drafted};
pub(in crate::appliance) use facts::own_head;
pub use listed::Listed;
pub use outbox::ExportLock;
pub use preview::{Preview, ShowLine};
pub use profile::{ExportSettings, Profile};
pub use redact::Redactor;
pub use sign::{ApprovalRule, unsaid_approvers};
pub use summary::picture;

pub use crate::db::site::packages::{PackageRow, State};
