//! Secrets at the site (`secrets` of the reference): values that came sealed with a release, were entered here, or were made here.
//!
//! ```text
//! release ─> stated (desired state, sealed documents) ─> uses (what is needed here, by whom)
//! secrets/ (files) + db::site::kept_secrets ─> vault (decrypted when asked for)
//!    uses + vault ─> missing        a release with any of these is imported and not activated
//!    uses + vault of the live release ─> plan     what changes, said before
//!    uses + vault ─> values         of a target, for whoever renders; revision_key ─> what its agent is told
//!    acts: set, generate, forget    file before row, the old file goes after the commit
//!    uses + vault + documents ─> bound    what agents could not be told is not entered, and does not go live
//! ```
//!
//! # Rules
//!
//! - A value belongs to its scope; nothing of another scope is looked up by name.
//! - Values stand in memory in buffers that are wiped, in types that print nothing, and are never compared with or hashed into anything that
//!   is logged, listed or leaves.
//! - What was entered or made here is never replaced by a release.

mod acts;
mod bound;
mod decoded;
mod files;
mod find;
mod known;
mod list;
mod look;
mod make;
mod missing;
mod naming;
mod plan;
mod prepare;
mod recipients;
mod record;
mod reseal;
mod revision_key;
mod sealed;
mod search;
mod stated;
mod uses;
mod vault;
mod waiting;

pub use acts::{MayGoLive, Replaces, SecretAct, Waited, WaitedFor};
pub use find::AskedSecret;
pub use known::KnownValues;
pub use list::{Needed, SecretView};
pub(super) use missing::refused;
pub use missing::{Excess, MissingSecret, SECRETS_MISSING, lacks};
pub(super) use naming::Naming;
pub use plan::SecretPlan;
pub(super) use prepare::{Readiness, for_new_target, judge};
pub(super) use recipients::present as recipient_key;
pub(super) use record::unreadable;
pub(super) use reseal::reseal;
pub(super) use revision_key::{RevisionKey, create as create_revision_key, replace_lost as replace_lost_revision_key};
pub(super) use stated::{check_sealed, sealed_for_site};
pub use uses::NeededSecret;
pub(super) use uses::OfTarget;
pub(super) use vault::Vault;
pub use waiting::WaitingRelease;
