//! Words of the field as pure values: no file, socket, clock or database is touched below this folder.
//!
//! Every type has one constructor that checks the grammar, keeps its field private where a value can be
//! wrong, and writes itself back in its one canonical form (`Display` → `FromStr` is a round trip).

mod code;
mod digest;
mod doubt;
mod error;
pub mod limits;
mod names;
mod natural;
pub mod oci;
mod oci_members;
mod oci_types;
mod plain_file;
mod problem;
mod release;
mod report;
mod secret_value;
mod shown;
mod signal;
mod size;
mod step;
mod suggest;
mod time;
mod uuid;
mod version;

pub use code::Code;
pub use digest::{Digest, Hash, ParseDigestError};
pub use doubt::Doubt;
pub use error::{Class, Error, Result};
pub use names::is_host;
pub use names::{FixId, InstanceId, Name, ParseNameError, RepositoryName, RepositoryPattern, SecretName, SiteId, Tag};
pub use natural::natural;
pub use plain_file::{
    FILE_ARTIFACT, FILE_MODE, FILE_TITLE, FILES_HOST, file_mode, file_name, file_repository, is_file_title,
    is_media_type, may_be_named,
};
pub use problem::Problem;
pub use release::{Audience, Codec, ContentItem, Counter, DocumentType, Scope};
pub use report::{AgentTime, StatusKind};
pub use secret_value::SecretValue;
pub use shown::{counted, enumerated, is_plain, shown, shown_lines};
pub use signal::Signal;
pub use size::sized;
pub use step::Step;
pub use suggest::nearest;
pub use time::{Clock, FixedClock, SystemClock, Timestamp, latest_issue};
pub use uuid::Uuid;
pub use version::Version;
