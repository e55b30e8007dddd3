//! Import: the one way in, for the command line and everything that comes later (X0 to X16, threat model 2.5).
//!
//! ```text
//! source ─> admit ──────────────> take_in ──> publish ──> settle
//!           X0–X9                 X9a–X13     X14, X15    X16
//!           links, policy         needs, room, claims   └─> acknowledge
//!             └─ Already ─> heal, settle again  └─ --dry-run: rehearse
//! ```
//!
//! Each stage owns the type that it makes, and the next one consumes it; [`stages`] alone knows them all.
//!
//! Bytes before rows: what is verified becomes durable in the blob store, and becomes visible by one transaction. A refusal changes
//! nothing but the audit log, except that valid root links move trust forward, in a transaction of their own, whatever
//! becomes of the rest. Nothing is trusted from an earlier try but what its journal says was verified and durable.

mod acknowledge;
mod admit;
mod bases;
mod claims;
mod event;
mod heal;
mod links;
mod needs;
mod options;
mod outcome;
mod policy;
mod publish;
mod record;
mod rehearse;
mod room;
mod settle;
mod stages;
mod take_in;
mod volumes;

pub use event::Event;
pub use options::Options;
pub use outcome::{Imported, Needed, Outcome, Restored};
