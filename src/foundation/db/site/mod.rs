//! `airlock.db`: trust, content, names, agents and evidence of a site. One transaction publishes a release ([`publish()`]), one
//! makes it live ([`release::activate`]).

pub mod access;
pub mod acknowledgements;
pub mod appliance;
pub mod audit;
pub mod damage;
pub mod enrolments;
mod foreign;
mod held_at;
pub mod instances;
pub mod kept_secrets;
pub mod local_removals;
pub mod local_targets;
pub mod log_witness;
pub mod mirrored;
pub mod name_claims;
pub mod names;
pub mod own_keys;
mod owner;
pub mod owners;
pub mod packages;
mod publish;
pub mod receipts;
pub mod release;
pub mod removal;
pub mod rows;
pub mod scrub;
pub mod served_rows;
pub mod site_revisions;
pub mod stream_log;
pub mod target_secrets;
pub mod targets;
pub mod time_floor;
pub mod trust;

pub use held_at::held_at;
pub use owner::Owner;
pub use publish::{BlobRow, NameRow, Page, Publication, PublishedRows, confirmed_date_to, publish};

use super::Schema;

impl Schema {
    /// `airlock.db`: trust, content, names, agents, evidence.
    pub const SITE: Self = Self {
        name: "airlock.db",
        application_id: 0x4149_524C,
        sql: include_str!("schema.sql"),
        page_bytes: 4096,
        patience: crate::db::PATIENCE,
        damaged: "end airlock serve, then put a whole copy of the state folder in its place, or point --state at the right one",
    };
}
