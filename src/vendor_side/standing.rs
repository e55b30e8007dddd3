//! Bundles that stand where one is to be written: that of the same release is made again, and any other is what somebody still has to carry.

use std::path::{Path, PathBuf};

use crate::bundle::OpenedBundle;
use crate::domain::{Class, Counter, Error, Result, Scope};

/// The release of such a bundle, as it says itself.
#[derive(Debug, Clone)]
pub struct StandingRelease {
    path: PathBuf,
    scope: Scope,
    counter: Counter,
    version: String,
}

impl StandingRelease {
    /// Reads which release it is; nothing where that cannot be read, for then nobody can import it.
    pub fn of(path: &Path, bundle: &OpenedBundle) -> Option<Self> {
        let (head, _) = bundle.unverified_head().ok()?;
        Some(Self {
            path: path.to_owned(),
            scope: head.scope(),
            counter: head.counter(),
            version: head.version,
        })
    }

    fn is_of(&self, scope: &Scope, counter: Counter) -> bool {
        (&self.scope, self.counter) == (scope, counter)
    }
}

/// Makes sure that no bundle of another release is lost.
///
/// # Errors
///
/// `E-USAGE output`.
pub(super) fn check(standing: &[StandingRelease], scope: &Scope, counter: Counter) -> Result<()> {
    let Some(other) = standing.iter().find(|one| !one.is_of(scope, counter)) else {
        return Ok(());
    };
    let whose = if other.scope.domain == scope.domain {
        ""
    } else {
        " of another vendor"
    };
    Err(Error::new(
        Class::Usage,
        "output",
        format!(
            "{} is release {} ({}) of {}{whose}, and this is release {counter} of {scope}",
            other.path.display(),
            other.counter,
            other.version,
            other.scope
        ),
    )
    .expected("a free name, or an earlier bundle of the same release")
    .remedy("give another name, or move it away; where it may be lost, --replace"))
}
