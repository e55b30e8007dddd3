//! Why nothing can be said of what a target shall run.

use crate::bundle::desired::{AgentVersion, ImageName};
use crate::db::site::release::ReleaseRow;
use crate::domain::{Class, Code, Error, Problem, Scope};

/// Code of what is wrong when the signed document cannot be used.
const UNREAD: &str = "desired-state";

/// Code of a target whose release is not live yet.
pub(super) const NOT_LIVE: Code = Code::new("not-live");

/// Code of a value that nobody gave yet.
pub(super) const MISSING: Code = Code::new("secret");

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    code: &'static str,
    pub(super) found: String,
    remedy: String,
    /// Whether something is damaged or lost: neither said elsewhere, nor waiting for a person.
    is_damage: bool,
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
            is_damage: false,
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
            is_damage: !error.is(MISSING),
        }
    }

    /// No release of a product is live yet.
    pub(super) fn not_live(scope: &Scope) -> Self {
        Self {
            code: NOT_LIVE.as_str(),
            found: format!("no release of {scope} is live"),
            remedy: "make one live with `airlock release activate RELEASE`".to_owned(),
            is_damage: false,
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
            is_damage: false,
        }
    }

    /// Whether the signed document itself cannot be used; otherwise it is only that it must not be followed now.
    pub(super) fn hides_the_document(&self) -> bool {
        self.code == UNREAD
    }

    /// Returns it as a problem of the appliance, where nothing else says it.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.is_damage.then(|| Problem::of("targets", &self.error()))
    }

    /// Returns it as what it is to the one who asks.
    pub(super) fn error(&self) -> Error {
        Error::new(Class::State, self.code, self.found.clone()).remedy(self.remedy.clone())
    }
}
