//! Compose files at the vendor: read as compose reads them, asked for what they pull, and written again for a site without a network.
//!
//! ```text
//! files, profiles, environment ─> load ─> Project ─> images()   what must be carried
//!                                            │  └──> check()    what cannot work at a site, as one list
//!                                            └─────> rewrite()  one file, images pinned under the placeholder host
//! ```
//!
//! What it says is compared with the specification ([`specification`]) and checked for what does not fit together, as compose does
//! it; and what lies beside it and an agent does not have moves into it: environment files, files that are only read.
//!
//! Several files are merged, `extends` and local `include` resolved, and services without an activated profile left out, by the rules
//! of docker compose 5 (compose-go 2.14). Variables are replaced only to decide: the rewritten file still holds them, because the
//! agent replaces them again with the environment file beside it.

mod carried_files;
mod check;
mod consistency;
mod emitter;
mod engine;
mod env_files;
mod environment;
mod environment_places;
mod exclusive;
mod extends;
mod folder_mounts;
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
mod pulling;
mod raw_environment;
mod reader;
mod resources;
mod scalar;
mod secret_places;
mod sequence;
mod settle;
mod specification;
mod stack;
mod template;
mod unique;
mod volume;
mod written;

pub use carried_files::CarriedFile;
pub use environment::{ENVIRONMENT_BYTES, Environment};
pub use environment_places::EnvironmentFile;
pub use images::ImageUse;
pub use loader::{ComposeInput, load};
pub use place::Place;
pub use problem::Problem;
pub use project::Project;
pub use reader::COMPOSE_BYTES;
pub use specification::COMPOSE_VERSION;
pub use written::Written;
