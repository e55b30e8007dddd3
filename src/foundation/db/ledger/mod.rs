//! `ledger.db`: the vendor's sites, what was signed for them, and what their packages told.

pub mod acknowledgements;
pub mod base;
mod contents;
mod coverage;
pub mod findings;
mod instances;
mod packages;
mod put;
pub mod questions;
mod receipts;
mod recorded;
mod records;
pub mod replay;
mod restored;
mod signed;
mod signed_agents;
mod site;
pub mod snapshot;
mod stream_rows;
pub mod summaries;
pub mod told;

pub use contents::{
    SignedContents, SignedDeployment, SignedTarget, contents_of, fixes_of, head_bytes, layers_of, needs_of,
    record_contents,
};
pub use coverage::{cover, highest, reach};
pub use instances::{
    Begins, Instance, Lineage, Numbered, Owned, instances, lineage, record_instance, record_said_parent, shown,
    shown_of_all,
};
pub use packages::{
    INGEST, PackageRow, has_package_hole, highest_package, issued_acknowledgement, keys_are_fresh, package,
    package_before, package_by_head, package_heads, record_package,
};
pub use put::Put;
pub use receipts::{
    FOREIGN_RELEASE, NewReceipt, SignedFor, match_receipts, put_receipt, receipt_envelopes, signed_for,
};
pub use recorded::Recorded;
pub use records::{NewGap, NewRecord, is_record, put_gap, put_record, room};
pub use restored::{ToldNumber, put_restored, restored_number, told_number, unsure_since};
pub use signed::{
    NumberedHead, SignedRelease, each_fleet_before, fleet_before, highest_numbers, newest_release, numbered_of,
    record_fleet, record_release, signed_release,
};
pub use signed_agents::{SignedAgent, Stands, record_agents, stands};
pub use site::{Replacement, Site, earlier_keys, enrol, replace, site, site_by_name, sites, withdraw, withdrawn};
pub use stream_rows::{StreamRow, has_receipt_row, put_stream_row, seal_of};

use std::time::Duration;

use super::Schema;

impl Schema {
    /// `ledger.db`: the vendor's sites and signed numbers.
    pub const LEDGER: Self = Self {
        name: "ledger.db",
        application_id: 0x4149_524D,
        sql: include_str!("schema.sql"),
        page_bytes: 4096,
        // A large package holds the ledger for minutes while it is taken in.
        patience: Duration::from_secs(15 * 60),
        damaged: "put a whole copy of the workspace folder in its place",
    };
}
