//! The site's side: take bundles in, and serve what is live.
//!
//! ```text
//! init ─> state folder
//! media ─> import (admit ─> take in ─> publish ─> settle) ─> release
//!                                           └─> registry, hub
//! ```

pub mod access;
pub mod acknowledgement;
mod audit_log;
mod audit_package;
mod authority;
pub mod care;
mod clock_steps;
mod damage;
mod desired;
pub mod distr;
pub mod doctor;
mod enrolment;
pub mod export;
pub mod fleet;
mod folder;
mod hidden;
mod identity;
mod import;
mod init;
mod instance;
mod instance_file;
mod keys;
mod last_generation;
mod left_over;
pub mod live;
mod marks;
mod mirror_log;
mod name_changes;
mod open_to_serve;
mod own_key;
mod parts;
mod pinning;
mod pins;
mod place;
mod present;
mod recovery;
mod refusal;
pub mod registry;
mod release;
mod release_plan;
mod release_rows;
mod reserve;
pub mod secret;
mod served;
mod set_aside;
mod shared_hosts;
pub mod snippets;
mod state;
pub mod status;
mod status_key;
mod suspect;
mod unreadable;
mod wrong_rows;

pub use audit_log::{AuditState, Compared};
pub use authority::{Authority, Leaf, RENEW_AUTHORITY};
pub use damage::{REPAIR, ReleaseDamage};
pub use hidden::{Hidden, HiddenHost, HiddenTag, Owner};
pub use import::{Event, Imported, Needed, Options, Outcome, Restored};
pub use init::{EnrolmentFile, Initialised, NewAppliance, init};
pub use name_changes::{MovedName, NameChanges};
pub use pinning::Pinned;
pub use recovery::{Recovery, Rotated};
pub use release::ReleaseContent;
pub use release_plan::{LiveNow, ReleasePlan, Room};
pub use served::{Served, served};
pub use shared_hosts::SharedHosts;
pub use state::{Appliance, ImportLock};
pub use wrong_rows::WrongRows;
