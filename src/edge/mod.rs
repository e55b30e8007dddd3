//! What of a site may connect, and only where the site's configuration says so by address (design D15): copies into another registry of the
//! site. Never used by `serve`, and left out of a build with the feature `site` alone.

mod mirror;
mod patience;
mod push;

pub use mirror::{Copied, MirrorEvent, mirror};
pub use patience::Patience;
pub use push::{Login, Target};
