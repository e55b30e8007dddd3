//! What is known of a security database that cannot be used, where the last generation is served in its place.

use std::sync::Mutex;
use std::time::SystemTime;

use super::last_generation::Nameless;
use crate::domain::{Error, Timestamp};
use crate::stream::LockFile;

/// Why the security database is not what is served from, and what is.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) why: Error,
    /// When the generation that is served was written down.
    pub(super) made_at: Timestamp,
    /// Releases of it that cannot be served.
    pub(super) nameless: Nameless,
    /// When the database that cannot be used was written last, as it was looked at last.
    pub(super) looked_at: Mutex<Option<SystemTime>>,
    /// Nobody else serves from it.
    pub(super) _lock: LockFile,
}
