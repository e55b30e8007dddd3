//! What a server answers from, kept beside the security database in `generation.json` (threat model F12): where a start finds that database
//! damaged, of another kind or gone, the last generation that was served is served from there.
//!
//! ```text
//! server ─> live ─> kept: rows of one moment ─> generation.json
//!                                                   │ a start without a usable airlock.db
//!                   generation.db <── open <────────┘ and index pages, documents, blobs of the store
//! ```
//!
//! # Rules
//!
//! - **Signed documents decide.** The file holds heads with their signatures, root documents, and what this site decided; names of content
//!   are derived from the signed index again. Chains, signatures and hashes are checked as for any other generation ([`super::live`]).
//! - **Nothing changes but what is served.** Nothing is imported, exported or decided while the security database cannot be used: all that
//!   needs it finds it damaged. What is recorded beside serving goes with `generation.db`, which the next start makes anew.
//! - **Nothing revoked comes back.** Whatever takes a right away removes the file first ([`forget`]); a server writes it again.

mod kept;
mod open;

pub(super) use kept::{check, forget, is_there, keep};
pub(super) use open::{NAMELESS, Nameless, name, open, tidy};
