//! Why nothing can be said of what a target shall run.

use crate::bundle::desired::{AgentVersion, ImageName};
use crate::db::site::release::ReleaseRow;
use crate::domain::{Class, Error, Scope};

/// Code of what is wrong when the signed document cannot be used.
const UNREAD: &str = "desired-state";

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    code: &'static str,
    pub(super) found: String,
    remedy: String,
}

impl Fault {
    /// The signed document of a release cannot be used.
    pub(super) fn unread(release: &ReleaseRow, error: &Error) -> Self {
        Self {
            code: UNREAD,
            found: format!(
                "what release {} of {} shall run is not known: {error}",
                release.counter, release.scope
            ),
            remedy: "import the bundle of this release again: `airlock import FILE`; `airlock release list` names it"
                .to_owned(),
        }
    }

    /// A secret that the target needs is missing, or cannot be read.
    pub(super) fn secret(error: &Error) -> Self {
        Self {
            code: "secret",
            found: error.found().to_owned(),
            remedy: error
                .advice()
                .map_or_else(|| "look at `airlock secret list`".to_owned(), ToOwned::to_owned),
        }
    }

    /// No release of a product is live yet.
    pub(super) fn not_live(scope: &Scope) -> Self {
        Self {
            code: "not-live",
            found: format!("no release of {scope} is live"),
            remedy: "make one live with `airlock release activate`".to_owned(),
        }
    }

    /// An image of the agent itself is not there.
    pub(super) fn agent_image(agent: &AgentVersion, image: &ImageName, error: &Error) -> Self {
        Self {
            code: "agent-image",
            found: format!(
                "the image {}@{} of agent {} cannot be served: {error}",
                image.repository, image.digest, agent.name
            ),
            remedy: "import the bundle of this release again: `airlock import FILE`; `airlock release list` names it"
                .to_owned(),
        }
    }

    /// Whether the signed document itself cannot be used; otherwise it is only that it must not be followed now.
    pub(super) fn hides_the_document(&self) -> bool {
        self.code == UNREAD
    }

    /// Returns it as what it is to the one who asks.
    pub(super) fn error(&self) -> Error {
        Error::new(Class::State, self.code, self.found.clone()).remedy(self.remedy.clone())
    }
}
