//! Secrets of applications at the vendor: their places in documents, where their values come from, and sealing them to sites.
//!
//! ```text
//! files of authors ─> template (marks) ─> parsers, checks ─> documents with places ─┐
//! release.yaml, secrets ─> declared (who uses what) ─> desired state ───────────────┼─> bundle
//!                          └─> values ─> rendered (how large) ─> seal: a document a site ┘
//! ```

mod declared;
mod fragile;
mod rendered;
mod seal;
mod template;
mod values;

pub(super) use declared::{DeclaredSecrets, Used, check, declared, uses};
pub(super) use fragile::fragile;
pub(super) use seal::{Sealed, check_audience, seal};
pub(super) use template::{MARK, TemplateProblem, TextKind, is_marked, mark, marks, unmark, with_marks_as};
pub use values::AskSecret;
pub(super) use values::check_variables;
