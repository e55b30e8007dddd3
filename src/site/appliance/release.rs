//! Releases that are here: list, show, and the local choice of which one is live (D16).

use super::damage::import_again;
use super::last_generation;
use super::live::signed_head;
use super::secret::{self, MissingSecret, Readiness};
use super::state::{Appliance, ImportLock};
use crate::db::site::release::{self, Activated, ReleaseRow, State};
use crate::db::site::targets::{self, TargetSet, UNDEPLOY, Undeploy};
use crate::domain::{Class, Digest, Error, Hash, Result, Step, Timestamp};

/// What a release holds.
#[derive(Debug)]
pub struct ReleaseContent {
    /// Number of blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Its tags, as `repository:tag`, with what each names.
    pub names: Vec<(String, Digest)>,
    /// What it says of the targets of this site.
    pub targets: TargetSet,
    /// What it says shall go, in words, in the order of its removals.
    pub removed: Vec<String>,
}

/// It is imported already, so how to do that says nothing here.
fn not_activated(error: Error) -> Error {
    let error = match error {
        error if error.is(UNDEPLOY) => error.remedy("ask the vendor for a release that names what is removed; or, when what is said above is meant, give the same command with --undeploy"),
        error => error,
    };
    error.at(Step::X15)
}

impl Appliance {
    /// Returns what a release holds.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn release_content(&self, release: &ReleaseRow) -> Result<ReleaseContent> {
        self.db.read(|connection| {
            let (blobs, bytes) = release::totals(connection, release.id)?;
            let targets = targets::of_release(connection, release.id)?;
            let removed = targets.removed.iter().map(|id| {
                let described = targets::described(connection, id)?;
                Ok(described.unwrap_or_else(|| format!("{id}, which no release here stated")))
            });
            Ok(ReleaseContent {
                blobs,
                bytes,
                names: release::names(connection, release.id)?,
                removed: removed.collect::<Result<_>>()?,
                targets,
            })
        })
    }

    /// Returns every release, by scope, newest first.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn releases(&self) -> Result<Vec<ReleaseRow>> {
        self.db.read(release::list)
    }

    /// Finds the one release that a person means: by its head digest, the beginning of it (8 digits or more), its number or its
    /// version label, within the scopes that match.
    ///
    /// # Errors
    ///
    /// `E-USAGE release` when none or several match.
    pub fn find_release(&self, text: &str, product: Option<&str>) -> Result<ReleaseRow> {
        let found: Vec<ReleaseRow> = self
            .releases()?
            .into_iter()
            .filter(|release| {
                product.is_none_or(|product| {
                    release.scope.to_string() == product || release.scope.product.as_str() == product
                })
            })
            .filter(|release| {
                let head = release.head.to_hex();
                (text.len() >= 8 && head.starts_with(text))
                    || release.version == text
                    || release.counter.to_string() == text
            })
            .collect();
        match <[ReleaseRow; 1]>::try_from(found) {
            Ok([release]) => Ok(release),
            Err(found) if found.is_empty() => Err(Error::new(
                Class::Usage,
                "release",
                match product {
                    None => format!("no release matches {text:?}"),
                    Some(product) => format!("no release of {product:?} matches {text:?}"),
                },
            )
            .expected("a head digest, a number or a version label of a release that was imported")
            .remedy("look at `airlock release list`")),
            Err(found) => Err(Error::new(
                Class::Usage,
                "release",
                format!("{} releases match {text:?}", found.len()),
            )
            .expected("exactly one")
            .remedy("look at `airlock release list` and name it by its head digest, or add --product PRODUCT/CHANNEL")),
        }
    }

    /// Asks something about a release that was found before. Where that failed because `gc` let it go meanwhile, that is what it says: nothing
    /// is damaged.
    ///
    /// # Errors
    ///
    /// `E-USAGE release` when it is not here any more; those of the question.
    pub fn while_here<T>(&self, release: &ReleaseRow, ask: impl FnOnce() -> Result<T>) -> Result<T> {
        ask().map_err(|error| match self.is_gone(release) {
            Ok(true) => Error::new(
                Class::Usage,
                "release",
                format!(
                    "release {} ({}) of {} was let go while it was looked at",
                    release.counter, release.version, release.scope
                ),
            )
            .expected("one that is here")
            .remedy("look at `airlock release list`"),
            _ => error,
        })
    }

    /// Whether a release that was found before was let go since.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn is_gone(&self, release: &ReleaseRow) -> Result<bool> {
        let found = self.db.read(|connection| release::find(connection, release.head))?;
        Ok(found.is_none_or(|found| found.id != release.id))
    }

    /// Makes a retained release live, also an earlier one; the import mark does not move.
    ///
    /// # Errors
    ///
    /// `E-STATE release-damaged` when its kept head is not the signed one; `E-POLICY undeploy` when it lacks targets or deployments of the live one without saying so, unless everything may go;
    /// `E-POLICY secrets-missing` when it waits for secrets, `E-LIMIT rendered` when values make it too large for agents; `E-POLICY foreign-target` when it states what is not its product's any more, or what another channel has live; `E-STATE blob-missing` when a blob of it is not in the store any more; `E-BUSY`, `E-IO` and `E-SPACE`.
    pub fn activate(&self, head: Hash, undeploy: Undeploy, now: Timestamp) -> Result<Activated> {
        self.activate_held(&self.lock()?, head, undeploy, now)
    }

    /// As [`Appliance::activate`], for who holds the lock of the state folder.
    ///
    /// # Errors
    ///
    /// As [`Appliance::activate`].
    pub(super) fn activate_held(
        &self,
        _lock: &ImportLock,
        head: Hash,
        undeploy: Undeploy,
        now: Timestamp,
    ) -> Result<Activated> {
        let release = self
            .db
            .read(|connection| release::find(connection, head))?
            .ok_or_else(|| {
                Error::new(Class::Usage, "release", format!("there is no release {head}"))
                    .remedy("look at `airlock release list`")
            })?;
        let readiness = if release.state == State::Active {
            Readiness::nothing()
        } else {
            self.ready(&release)?
        };
        let signer = self.signer().map_err(|error| error.at(Step::X15))?;
        let made = readiness
            .make(self, &release.scope, now)
            .map_err(|error| error.at(Step::X15))?;
        let _withdrawn = last_generation::forget(self.folder())?;
        self.db
            .write(|transaction| {
                made.record(transaction, now)?;
                release::activate(transaction, release.id, now, undeploy, &signer)
            })
            .map_err(|error| made.drop_files(error))
            .map_err(not_activated)
    }

    /// Makes every check of [`Appliance::activate`] for a release that is not live, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Appliance::activate`].
    pub fn rehearse_activation(&self, release: &ReleaseRow, undeploy: Undeploy) -> Result<()> {
        self.ready(release)?;
        let checked = self
            .db
            .read(|connection| release::check_activation(connection, release, undeploy));
        checked.map_err(not_activated)
    }

    /// Checks that a release is as it was signed, whole, and lacks nothing; returns what is made of secrets when it goes live.
    fn ready(&self, release: &ReleaseRow) -> Result<Readiness> {
        self.check_head(release)?;
        self.check_blobs(release)?;
        let readiness = self.readiness(release).map_err(|error| error.at(Step::X15))?;
        let is_sealed = |missing: &MissingSecret| missing.sealed && missing.too_large.is_none();
        if readiness.missing.iter().any(is_sealed) {
            secret::check_sealed(self, release).map_err(|error| error.at(Step::X15))?;
        }
        if !readiness.missing.is_empty() {
            return Err(secret::refused(&release.scope, release.counter, &readiness.missing).at(Step::X15));
        }
        Ok(readiness)
    }

    /// What is not signed is not made live.
    fn check_head(&self, release: &ReleaseRow) -> Result<()> {
        let pins = self.good_pins()?;
        let head = self.db.read(|connection| signed_head(connection, &pins, release));
        head.map(|_| ()).map_err(|error| error.at(Step::X15))
    }

    fn check_blobs(&self, release: &ReleaseRow) -> Result<()> {
        let blobs = self.db.read(|connection| release::blobs(connection, release.id))?;
        for (digest, size) in blobs {
            if self.store.size_of(&digest)? != Some(size) {
                return Err(Error::new(
                    Class::State,
                    "blob-missing",
                    format!("{digest} of release {} is not in the store any more", release.counter),
                )
                .expected("everything that was imported")
                .remedy(import_again(release))
                .at(Step::X15));
            }
        }
        Ok(())
    }
}
