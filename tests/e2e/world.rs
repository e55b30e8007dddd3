//! What the cases share: the vendor's registries with the images in them, the clients, a folder for everything.
//!
//! Expensive parts are made when a case first asks for them. The world ends in order: images leave the daemon, registries stop,
//! the folder goes.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Outcome;
use crate::clients::{Docker, Podman};
use crate::images::{ImageSet, push_fixtures};
use crate::registry::Registry;

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    /// dockerd.
    pub(crate) docker: Docker,
    /// podman.
    pub(crate) podman: Podman,
    /// The vendor's registry, in plain HTTP.
    pub(crate) plain: Registry,
    /// The same content behind TLS and a password.
    pub(crate) guarded: Registry,
    published: OnceCell<()>,
    dir: TempDir,
}

impl World {
    /// Starts the registries.
    pub(crate) fn new() -> Outcome<Self> {
        let dir = tempfile::Builder::new().prefix("airlock-e2e-").tempdir()?;
        let registry = dir.path().join("registry");
        fs::create_dir_all(&registry)?;
        Ok(Self {
            docker: Docker::new(dir.path())?,
            podman: Podman::new(dir.path()),
            plain: Registry::plain(&registry)?,
            guarded: Registry::guarded(&registry)?,
            published: OnceCell::new(),
            dir,
        })
    }

    /// A new folder for a case.
    pub(crate) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.dir.path().join(name);
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Makes the image set of release 1 and pushes it, once.
    pub(crate) fn published(&self) -> Outcome {
        if self.published.get().is_none() {
            let images = ImageSet::new(&self.docker, self.dir())?;
            images.publish(1, &self.plain, &self.guarded)?;
            push_fixtures(&self.plain)?;
            self.published.set(()).ok();
        }
        Ok(())
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }
}
