//! `ledger.db`: the vendor's sites, what was signed for them, and what their packages told.

mod contents;
mod coverage;
pub mod findings;
mod instances;
mod recorded;
pub mod replay;
mod signed;
mod signed_agents;
mod site;
pub mod told;

pub use contents::{SignedContents, contents_of, record_contents};
pub use coverage::{cover, highest, reach};
pub use instances::{Instance, Lineage, Numbered, Owned, instances, lineage, shown};
pub use recorded::Recorded;
pub use signed::{SignedRelease, fleet_before, newest_release, record_fleet, record_release, signed_release};
pub use signed_agents::{SignedAgent, Stands, record_agents, stands};
pub use site::{Replacement, Site, earlier_keys, enrol, replace, site, site_by_name, sites, withdraw};

use super::Schema;

impl Schema {
    /// `ledger.db`: the vendor's sites and signed numbers.
    pub const LEDGER: Self = Self {
        name: "ledger.db",
        application_id: 0x4149_524D,
        sql: include_str!("schema.sql"),
        page_bytes: 4096,
        damaged: "put a whole copy of the workspace folder in its place",
    };
}
