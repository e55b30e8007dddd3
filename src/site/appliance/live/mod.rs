//! What is live: one generation, loaded once, that registry and hub answer from, and that one thread watches.
//!
//! # Rules
//!
//! - **One moment.** A generation is read in one transaction: releases, home hosts, desired state, what this site decided.
//! - **Checked before the first answer**: the trust chains from their pinned roots, and the signature of every live and readable
//!   release under the root it was accepted with. What is wrong with one release is kept with it ([`generation`]): the registry
//!   does not switch to content that is not signed, targets of that release get `E-STATE`, the others are answered.
//! - **Content first.** A server begins with a generation of content alone, in a time that does not grow with targets. The next one, which
//!   it loads at once, has all; who asks about targets, or shows credentials, is answered from that, and waits for it.
//! - **Switched together**, content before what is advertised of it (D11, [`projection`]): everybody makes its form of the next
//!   generation first, and only when all could do so, all switch. A form that has to be recorded is recorded for the present generation
//!   only: where another one came meanwhile, that one is read ([`generation::SUPERSEDED`]).

mod announce;
mod check;
mod database_look;
mod document;
mod generation;
mod head;
mod health;
mod kept_generation;
mod live_state;
mod log_walk;
mod projection;
mod watch;

pub(super) use document::{DesiredDocument, desired_of};
pub(super) use generation::{
    Generation, GoverningRelease, LocalDecisions, Mark, ReadableRelease, SUPERSEDED, superseded,
};
pub(super) use head::{Heads, signed_head};
pub use health::{Check, Health};
pub use live_state::Live;
pub(super) use projection::{Order, Projection};
pub use watch::Watcher;
