//! What blobs of a bundle are copied from, for who judges or unpacks it without a site: bundles of earlier releases, and state folders, in
//! whatever order they are named (SPEC M-160, M-171).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::bundle_opening::told;
use crate::bundle::{Index, Need, VerifiedBundle, build_order, of_base};
use crate::crypto::Chain;
use crate::db::site::held_at;
use crate::domain::{Class, Digest, Error, Result, Step, counted};
use crate::media;
use crate::store::Store;

/// Bundles and state folders that may hold what a bundle needs.
pub(super) struct NamedBases<'a> {
    pub(super) states: Vec<BaseState<'a>>,
    /// What layers of one are copied from stands before it.
    pub(super) bundles: Vec<BaseBundle>,
}

/// A state folder that is named.
pub(super) struct BaseState<'a> {
    path: &'a Path,
    pub(super) store: Store,
    /// What releases of the bundle's vendor hold there: nothing else is his to copy from.
    held: BTreeMap<Digest, u64>,
}

impl BaseState<'_> {
    /// Returns those of some blobs that it holds.
    pub(super) fn of(&self, wanted: &BTreeMap<Digest, u64>) -> BTreeMap<Digest, u64> {
        let held = |digest: &Digest, size: u64| self.held.get(digest) == Some(&size);
        let wanted = wanted.iter().filter(|(digest, size)| held(digest, **size));
        wanted.map(|(digest, size)| (*digest, *size)).collect()
    }
}

/// A bundle that is named, its head and index verified.
pub(super) struct BaseBundle {
    pub(super) path: PathBuf,
    pub(super) bundle: VerifiedBundle,
}

impl BaseBundle {
    pub(super) fn index(&self) -> &Index {
        self.bundle.index()
    }
}

impl<'a> NamedBases<'a> {
    /// Opens what is named: state folders, and bundles up to their payload.
    ///
    /// # Errors
    ///
    /// Those of reading and verifying the bundles, told as theirs; `E-IO` of state folders.
    pub(super) fn read(paths: &'a [PathBuf], chain: &Chain) -> Result<Self> {
        let is_state = |path: &Path| path.join("blobs/sha256").is_dir();
        let (mut states, mut bundles) = (Vec::new(), Vec::new());
        for path in paths.iter().filter(|path| is_state(path)) {
            states.push(BaseState {
                path,
                held: held_at(path, chain.domain())?,
                store: Store::open(path, |_| ())?,
            });
        }
        for files in media::sets(paths) {
            let Some(path) = files.first().filter(|path| !is_state(path)).cloned() else {
                continue;
            };
            let bundle = open_base(&files, chain).map_err(|error| of_base(error, &path))?;
            bundles.push(Some(BaseBundle { path, bundle }));
        }
        let order = build_order(bundles.iter().flatten().map(BaseBundle::index));
        let bundles = order.into_iter().filter_map(|number| bundles.get_mut(number)?.take());
        Ok(Self {
            states,
            bundles: bundles.collect(),
        })
    }

    /// Checks that whatever has a needed blob has it with the size that is stated, as a site does.
    ///
    /// # Errors
    ///
    /// `E-DEPENDENCY needs` at X10; `E-IO`.
    pub(super) fn check_sizes(&self, needs: &[Need]) -> Result<()> {
        let stated: BTreeMap<Digest, u64> = needs.iter().map(|need| (need.digest, need.size)).collect();
        let mut wrong = Vec::new();
        let mut compare = |path: &Path, digest: &Digest, here: u64, size: u64| {
            if here != size {
                wrong.push(format!(
                    "{digest} ({size} bytes): {} has it with {here} bytes",
                    path.display()
                ));
            }
        };
        for BaseBundle { path, bundle } in &self.bundles {
            for blob in bundle.index().blobs() {
                if let Some(size) = stated.get(&blob.digest) {
                    compare(path, &blob.digest, blob.size, *size);
                }
            }
        }
        for BaseState { path, held, .. } in &self.states {
            for (digest, size) in &stated {
                if let Some(here) = held.get(digest) {
                    compare(path, digest, *here, *size);
                }
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::listing(
            Class::Dependency,
            "needs",
            format!(
                "the bundle builds on {} of which it states another size:",
                counted(wrong.len(), "blob")
            ),
            &wrong,
        )
        .expected("what earlier bundles of this vendor brought")
        .remedy("ask the vendor for a full one, and tell them that this one was built wrong")
        .at(Step::X10))
    }

    /// Adds what blobs are copied from in these bundles, back to the oldest.
    pub(super) fn widen(&self, wanted: &mut BTreeMap<Digest, u64>) {
        for bundle in self.bundles.iter().rev() {
            let index = bundle.index();
            // What is copied from another blob of the same bundle stands behind that.
            for blob in index.blobs().iter().rev() {
                if wanted.contains_key(&blob.digest) {
                    wanted.extend(index.bases(blob).iter().map(|base| (base.digest, base.size)));
                }
            }
        }
    }
}

fn open_base(files: &[PathBuf], chain: &Chain) -> Result<VerifiedBundle> {
    let source = media::open_all(files, None)?;
    let opened = source.into_bundle().map_err(|error| told(error, files))?;
    opened.verify_as_made(chain)?.read_index(|_, _| Ok(()))
}
