//! The tiny form: a signed summary of a package, for a few QR codes or a telephone (M-117, M-118; SPEC section 16).
//!
//! ```text
//! Summary ─ bytes ─> P ─ key ─> P || signature ─┬─ series ────> AIRLOCK1/SSSS/I/N:… of a QR code each
//!                                               └─ dictation ─> lines to be read aloud
//! ```
//!
//! | File | One step or type |
//! |---|---|
//! | `content` | what a summary says |
//! | `age` | an age in one byte |
//! | `bytes` | P, both ways, strictly in one form |
//! | `base45`, `series` | the text of QR codes |
//! | `dictation` | lines for a telephone |
//! | `signed` | the signature, and the order in which a summary is judged |
//!
//! It says less than the package it is made of, so whoever approved that has approved this. It moves no coverage.

mod age;
mod base45;
mod bytes;
mod content;
mod dictation;
mod series;
mod signed;

pub use age::Age;
pub use content::{LocalState, Summary, SummaryDeployments, SummaryLive, SummaryRelease, SummaryRuns, SummaryState};
pub use dictation::dictated;
pub use series::series;
pub use signed::{Sealer, SignedSummary, received};
