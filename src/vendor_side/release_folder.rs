//! The wall around a release: what its files name is read from the folder of the release file, and from nowhere else unless a person
//! said so.
//!
//! Compose files, charts and values are often other people's. An `include`, an `env_file` or a link in them would otherwise put whatever
//! the one who builds may read, a key or another customer's values, into a signed bundle, word for word. So every path is looked up below
//! the folder by the system itself (`openat2`, `RESOLVE_BENEATH`): `..`, a path from the root and a link count as where they lead, not as
//! how they are written. What was looked up is what is read.
//!
//! There is one way out: a file, or a folder with all that is below it, that is allowed by name (`--allow-outside`, or `allow_outside` in
//! the release file).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::domain::{Class, Code, Error, Result};
use crate::stream::Looked;

/// Sub-code of a path that leads out of the release's folder.
pub const OUTSIDE: Code = Code::new("outside");

/// The folder of a release file, held open, and what is allowed besides. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReleaseFolder(Option<Arc<Walls>>);

#[derive(Debug)]
struct Walls {
    /// As it is written: paths in the release begin with it.
    root: PathBuf,
    handle: OwnedFd,
    /// Links followed.
    real: PathBuf,
    /// Links followed.
    allowed: Vec<PathBuf>,
}

impl ReleaseFolder {
    /// Holds a folder; `allowed` are files and folders elsewhere that may be read too.
    ///
    /// # Errors
    ///
    /// `E-USAGE allow-outside` for one that is not there; `E-IO`.
    pub fn new(root: &Path, allowed: &[PathBuf]) -> Result<Self> {
        let here = if root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            root
        };
        let failed = |error| Error::io("open the folder", here, error);
        let looked = Looked::at(here).map_err(failed)?;
        let real = looked.real_path().map_err(failed)?;
        let allowed = allowed
            .iter()
            .map(|path| {
                path.canonicalize().map_err(|error| {
                    Error::new(
                        Class::Usage,
                        "allow-outside",
                        format!("{} is allowed and cannot be found: {error}", path.display()),
                    )
                    .expected("a file or folder that is there")
                    .with_source(error)
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self(Some(Arc::new(Walls {
            root: root.to_owned(),
            handle: looked.open_with(OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?,
            real,
            allowed,
        }))))
    }

    /// No wall: for paths that the caller has chosen itself and no file has named.
    pub fn anywhere() -> Self {
        Self(None)
    }

    /// Looks at a path; nothing when nothing is there. What it is, a file or a folder, is for the caller to judge before it is opened.
    ///
    /// # Errors
    ///
    /// `E-USAGE outside`, whether something is there or not; `E-IO`.
    pub fn look(&self, path: &Path) -> Result<Option<Looked>> {
        let Some(walls) = &self.0 else {
            return there(path, Looked::at(path));
        };
        let inside = path.strip_prefix(&walls.root).ok().filter(|below| below.is_relative());
        if let Some(below) = inside {
            let below = if below.as_os_str().is_empty() {
                Path::new(".")
            } else {
                below
            };
            match Looked::below(walls.handle.as_fd(), below) {
                // It leads out; or the system is older than this call, and where it leads is compared below.
                Err(error) if leads_out(&error) => {}
                looked => return there(path, looked),
            }
        }
        match Looked::at(path) {
            Ok(looked) => {
                let real = looked.real_path().map_err(|e| Error::io("open", path, e))?;
                if walls.allows(&real) {
                    Ok(Some(looked))
                } else {
                    Err(walls.refuse(path, &real))
                }
            }
            Err(error) => {
                let meant = meant(path);
                if walls.allows(&meant) {
                    there(path, Err(error))
                } else {
                    Err(walls.refuse(path, &meant))
                }
            }
        }
    }

    /// Opens a plain file. `doing` is the verb of the message: "open the notes".
    ///
    /// # Errors
    ///
    /// `E-USAGE outside`, `E-USAGE not-a-file`; `E-IO`, also when it is not there.
    pub fn file(&self, path: &Path, doing: &str) -> Result<File> {
        let failed = |error| Error::io(doing, path, error);
        let looked = self.look(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        if !looked.is_file() {
            return Err(looked.refusal(path));
        }
        looked.open().map(File::from).map_err(failed)
    }
}

impl Walls {
    fn allows(&self, real: &Path) -> bool {
        real.starts_with(&self.real) || self.allowed.iter().any(|allowed| real.starts_with(allowed))
    }

    fn refuse(&self, path: &Path, real: &Path) -> Error {
        let leads = if path == real {
            String::new()
        } else {
            format!(" leads to {} and", real.display())
        };
        let (path, real) = (path.display(), real.display());
        Error::new(
            Class::Usage,
            OUTSIDE,
            format!("{path}{leads} lies outside the folder of the release file, {}", self.real.display()),
        )
        .remedy(format!(
            "put a copy into the folder, or allow it: --allow-outside {real}, or allow_outside: [{real}] in the release file"
        ))
    }
}

/// Whether a path is written in a way that names another place than this program would look at: a home folder, or Windows.
pub(super) fn is_foreign(text: &str) -> bool {
    let mut chars = text.chars();
    let drive = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && chars.next().is_some_and(|c| matches!(c, '/' | '\\'));
    text == "~" || (text.starts_with('~') && text.contains('/')) || text.starts_with("\\\\") || drive
}

fn there(path: &Path, looked: io::Result<Looked>) -> Result<Option<Looked>> {
    match looked {
        Ok(looked) => Ok(Some(looked)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("open", path, error)),
    }
}

fn leads_out(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let known = [Errno::XDEV, Errno::NOSYS, Errno::PERM, Errno::LOOP, Errno::AGAIN];
    known
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Where a path leads of which the end is not there: what is there of it with links followed, the rest as it is written.
fn meant(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let resolved = whole.ancestors().find_map(|there| {
        let real = there.canonicalize().ok()?;
        Some(real.join(whole.strip_prefix(there).ok()?))
    });
    plain(&resolved.unwrap_or(whole))
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_out_is_refused_and_allowed_by_name() {
        let around = tempfile::tempdir().unwrap();
        let root = around.path().join("release");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::create_dir_all(around.path().join("shared")).unwrap();
        for name in ["release/own", "secret", "shared/a"] {
            File::create(around.path().join(name)).unwrap();
        }
        symlink("../../secret", root.join("sub/out")).unwrap();
        symlink(root.join("own"), root.join("whole")).unwrap();
        symlink("../shared", root.join("door")).unwrap();
        let ways = [
            "../secret",
            "sub/../../secret",
            "sub/out",
            "/etc/hostname",
            "door/a",
            "../none",
            "door/none",
        ];
        let inside = ["own", "sub/../own", "whole", "./sub/.././own"];
        for written in [root.clone(), around.path().join("release/sub/..")] {
            let folder = ReleaseFolder::new(&written, &[]).unwrap();
            for way in inside {
                assert!(folder.file(&written.join(way), "open").is_ok(), "{way}");
            }
            assert!(folder.look(&written.join("none")).unwrap().is_none());
            for way in ways {
                let error = folder.look(&written.join(way)).unwrap_err();
                assert_eq!((error.class(), error.code()), (Class::Usage, "outside"), "{way}");
                assert!(error.advice().unwrap().contains("--allow-outside /"), "{error}");
            }
        }
        let allowed = ReleaseFolder::new(&root, &[root.join("door"), around.path().join("secret")]).unwrap();
        for way in ["../secret", "sub/out", "door/a", "../shared/a"] {
            assert!(allowed.file(&root.join(way), "open").is_ok(), "{way}");
        }
        assert!(allowed.look(&root.join("../shared/none")).unwrap().is_none());
        assert!(allowed.look(Path::new("/etc/hostname")).unwrap_err().is(OUTSIDE));
        let error = ReleaseFolder::new(&root, &[root.join("none")]).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "allow-outside"));
    }

    #[test]
    fn paths_of_elsewhere() {
        for text in ["~", "~/x", "~root/x", "C:\\x", "c:/x", "\\\\server\\x"] {
            assert!(is_foreign(text), "{text}");
        }
        for text in ["a", "~a", "./~/x", "C:x", "a:b/c", ""] {
            assert!(!is_foreign(text), "{text}");
        }
    }
}
