//! Questions to the ledger: a file a question, over the statements of `db::ledger::questions`.
//!
//! ```text
//! limits ─┐            ┌─ fleet, site_answer      what runs where since when, what failed, what is stale
//! names ──┼─> facts ───┼─ stream_facts            everything, for other tools
//! lost ───┘            ├─ sites, findings         whose packages are here, holes, what is to be looked at
//!                      ├─ who_lacks               M-114
//!                      └─ proof, report           M-115
//! ```
//!
//! Nothing that a site tells is "live": every answer says as of when. A site speaks for its own targets only: what no signed release
//! states for it has no name and belongs to no product (M-113). Texts of sites are handed on as they travelled, quoted; whoever
//! prints them escapes them once more.

pub mod facts;
mod finding_advice;
mod fleet;
mod limits;
mod log_lines;
mod lost;
mod names;
mod proof;
mod release_named;
mod releases;
mod report;
mod report_html;
mod report_text;
mod site_answer;
mod sites;
mod stream_facts;
mod who_lacks;

pub use finding_advice::finding_advice;
pub use fleet::{FleetAnswer, FleetRow, fleet};
pub use limits::{AsOf, Limits};
pub use log_lines::{Container, FileMissing, LogFacts, LogLine, Told, log_lines};
pub use lost::Lost;
pub use names::{Named, SiteNames};
pub use proof::{Proof, proof, sign};
pub use releases::{ReleaseAnswer, signed_releases};
pub use report::{Period, Report, ReportOf, Table, report};
pub use report_html::html;
pub use report_text::text;
pub use site_answer::{DeploymentAnswer, SiteAnswer, TargetAnswer, site};
pub use sites::{SiteRow, sites};
pub use stream_facts::stream_facts;
pub use who_lacks::{Verdict, WhoLacks, WhoLacksRow, who_lacks};
