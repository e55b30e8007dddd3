//! Compose files at the vendor: read as compose reads them, asked for what they pull, and written again for a site without a network.
//!
//! ```text
//! files, profiles, environment ─> load ─> Project ─> images()   what must be carried
//!                                            │  └──> check()    what cannot work at a site, as one list
//!                                            └─────> rewrite()  one file, images pinned under the placeholder host
//! ```
//!
//! Several files are merged, `extends` and local `include` resolved, and services without an activated profile left out, by the rules
//! of docker compose 5 (compose-go 2.14). Variables are replaced only to decide: the rewritten file still holds them, because the
//! agent replaces them again with the environment file beside it.

mod check;
mod emitter;
mod environment;
mod extends;
mod images;
mod include;
mod interpolation;
mod known_keys;
mod loader;
mod merge;
mod merge_tags;
mod node;
mod place;
mod port;
mod problem;
mod profiles;
mod project;
mod reader;
mod resources;
mod scalar;
mod sequence;
mod stack;
mod template;
mod unique;
mod volume;

pub use environment::{ENVIRONMENT_BYTES, Environment};
pub use images::ImageUse;
pub use loader::{ComposeInput, load};
pub use place::Place;
pub use problem::Problem;
pub use project::Project;
pub use reader::COMPOSE_BYTES;
