//! The connected side: keys and trust of a vendor, sites it knows, and what goes into a bundle.
//!
//! ```text
//! workspace   keys/  root.json  ledger.db        made once by init, moved forward by trust
//! release     release.yaml + flags ─> ReleaseStatement what is said
//! compose     compose files ─> images they pull, one file for the site
//! chart       charts ─> values and templates         rendering: the same through helm
//! collect     images ─> BundleContent + BlobSource   what is carried
//! plan        all of these laid out, without what the sites hold
//! encode      layers that travel in a smaller form, and are the same where they arrive
//! pack        both, signed ─> a bundle on its medium
//! ledger      what each head consists of, for whom it is, what it fixes; what sites told of it, and the answers to questions
//! ```
//!
//! A workspace holds secrets. Everything that changes trust is checked through the same chain walk that appliances use, before
//! a byte of it replaces the old state.

mod answer;
mod backup_workspace;
mod build;
mod chart;
pub mod collect;
pub mod compose;
mod encode;
mod enrol;
mod fleet;
mod invented_site;
mod key_ring;
mod leak;
mod learn;
pub mod ledger;
mod name_sizes;
mod named_bases;
mod number;
mod number_used;
mod pack;
mod plan;
pub mod release;
pub mod release_file;
mod release_folder;
mod release_signers;
mod rendering;
mod repositories;
mod root_change;
mod secret;
mod signed_head;
mod signing_time;
mod standing;
mod suggest;
mod trust;
mod unknown_number;
mod values;
mod warning;
mod workspace;
mod yaml;

pub use answer::AckKeys;
pub use backup_workspace::{BackedUpWorkspace, NumberFact, WorkspaceFacts, WorkspaceRestore};
pub use build::{Built, build, release_keys};
pub use encode::{BaseReport, BlobReport, EncodeOptions, EncodeReport, Encodings, Outcome, Reason};
pub use enrol::{Enrolled, Replaced, enrol, find_site, look, replace, site, withdraw};
pub use fleet::{ChartReport, ChartWay};
pub use key_ring::{KeyRing, PUBLIC_SUFFIX};
pub use learn::{Learned, learn};
pub use number::{next_number, usual_scope};
pub use pack::{Destination, PackEvent, Packed, pack};
pub use plan::{Build, BuildEvent, Plan, plan};
pub use release_folder::{OUTSIDE, ReleaseFolder};
pub use release_signers::{ReleaseSigners, chain_beside};
pub use rendering::{HelmChoice, end_programs};
pub use root_change::{NewRoot, RootChange};
pub use secret::AskSecret;
pub use signing_time::SigningTime;
pub use standing::StandingRelease;
pub use trust::{adopt, apply, propose, sign_proposal};
pub use warning::Warning;
pub use workspace::{Init, Workspace};

// Modules below are named as those here are.
use airlock_foundation::{
    backup, bundle, client_tls, container, crypto, db, delta, domain, encoding, inflate, media, package, panics,
};
use airlock_foundation::{producer, protocol, recipe, store, stream};
