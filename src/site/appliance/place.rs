//! Whether the state folder that a process opened is the one that stands in its place still.
//!
//! Who replaces the folder, or a part of it, under a running server leaves that server with files that nobody else sees: what it accepts
//! is lost with them, and what this site decided since does not reach it. So what was opened is compared with what its names lead to, and
//! the first difference holds until the process ends. It does not begin again by itself: what stands there may be half of a copy still,
//! and only who copies knows when it is whole.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::folder::{DATABASE, IDENTITY};
use crate::domain::{Class, Code, Error, Result};

/// Something else stands in the place of what was opened.
pub(super) const REPLACED: Code = Code::new("state-replaced");

/// What a process holds open as long as it runs; the folder itself has no name in it. The status database is looked at by its writer,
/// which may replace it.
const HELD: [&str; 4] = ["", DATABASE, IDENTITY, "blobs"];

/// What a file or folder is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// The state folder as it was opened.
#[derive(Debug)]
pub(super) struct Place {
    opened: Vec<(PathBuf, Option<Identity>)>,
    /// What was found first that is not what was opened.
    lost: OnceLock<String>,
}

/// Returns what stands under a name; nothing where there is nothing.
///
/// # Errors
///
/// `E-IO`.
pub(super) fn identity_of(path: &Path) -> Result<Option<Identity>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(Identity {
            device: found.dev(),
            inode: found.ino(),
        })),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

impl Place {
    /// Takes down what stands in a state folder, before it is opened.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn of(state: &Path) -> Result<Self> {
        let held = HELD.iter().map(|name| {
            // Joined with nothing, a path would get a slash at its end.
            let path = if name.is_empty() {
                state.to_owned()
            } else {
                state.join(name)
            };
            let identity = identity_of(&path)?;
            Ok((path, identity))
        });
        Ok(Self {
            opened: held.collect::<Result<_>>()?,
            lost: OnceLock::new(),
        })
    }

    /// Looks whether everything stands where it was opened.
    ///
    /// # Errors
    ///
    /// `E-STATE` [`REPLACED`], from the first time on; `E-IO`.
    pub(super) fn look(&self) -> Result<()> {
        for (path, identity) in &self.opened {
            self.compare(path, *identity)?;
        }
        self.check()
    }

    /// Compares what was opened under a name with what stands there now.
    ///
    /// # Errors
    ///
    /// As [`Place::look`].
    pub(super) fn compare(&self, path: &Path, opened: Option<Identity>) -> Result<()> {
        self.check()?;
        let found = identity_of(path)?;
        if found == opened {
            return Ok(());
        }
        let what = if found.is_some() {
            "is not the one that was opened"
        } else {
            "was opened, and is not there any more"
        };
        self.lose(path, what)
    }

    /// Says that what was opened under a name is not what stands there: from now on, for good.
    ///
    /// # Errors
    ///
    /// `E-STATE` [`REPLACED`], always.
    pub(super) fn lose(&self, path: &Path, what: &str) -> Result<()> {
        let found = format!("{} {what}", path.display());
        if self.lost.set(found).is_ok()
            && let Err(error) = self.check()
        {
            tracing::error!(%error, "nothing is answered or accepted until the server is started again");
        }
        self.check()
    }

    /// Says what [`Place::look`] found before, and does not look again.
    ///
    /// # Errors
    ///
    /// `E-STATE` [`REPLACED`].
    pub(super) fn check(&self) -> Result<()> {
        match self.lost.get() {
            None => Ok(()),
            Some(found) => Err(Error::new(Class::State, REPLACED, found.clone())
                .expected("the state folder that the server opened, and everything in it")
                .remedy("end airlock serve, see that the whole state folder stands in its place, and start it again")),
        }
    }
}
