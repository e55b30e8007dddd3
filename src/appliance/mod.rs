//! The site's side: take bundles in, and serve what is live.
//!
//! ```text
//! init ─> state folder
//! media ─> import (admit ─> take in ─> publish ─> settle) ─> release
//!                                           └─> registry, hub
//! ```

mod authority;
mod damage;
mod desired;
pub mod distr;
pub mod fleet;
mod folder;
mod hidden;
mod import;
mod init;
mod keys;
pub mod live;
mod marks;
mod pinning;
mod pins;
mod present;
pub mod registry;
mod release;
mod reserve;
mod set_aside;
mod shared_hosts;
mod state;
pub mod status;

pub use authority::{Authority, Leaf};
pub use damage::ReleaseDamage;
pub use hidden::{Hidden, HiddenHost, HiddenTag, Owner};
pub use import::{Event, Imported, Options, Outcome, Restored};
pub use init::{Initialised, NewAppliance, init};
pub use pinning::Pinned;
pub use release::ReleaseContent;
pub use shared_hosts::SharedHosts;
pub use state::{Appliance, ImportLock};
