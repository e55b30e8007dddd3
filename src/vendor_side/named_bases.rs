//! Bundles of earlier releases that a person names (`--base`): by that word every site of the new one holds what they carry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::workspace::Workspace;
use crate::bundle::{OpenedBundle, VerifiedBundle};
use crate::crypto::Chain;
use crate::domain::{Digest, Error, Result};
use crate::media;

/// A bundle that is named.
#[derive(Debug, Clone)]
pub(crate) struct EarlierBundle {
    path: PathBuf,
    /// The layers that it carries, with their sizes.
    pub(crate) layers: BTreeMap<Digest, u64>,
}

impl EarlierBundle {
    /// Reads what the bundles carry; none of their layers is read.
    ///
    /// # Errors
    ///
    /// Those of reading and verifying the bundles up to their indexes.
    pub(crate) fn read(workspace: &Workspace, paths: &[PathBuf]) -> Result<Vec<Self>> {
        let read = |path: &PathBuf| {
            let mut bundle = Self {
                path: path.clone(),
                layers: BTreeMap::new(),
            };
            let opened = bundle.open(workspace.chain())?;
            let early = usize::try_from(opened.head().totals.early_blobs).unwrap_or(usize::MAX);
            let layers = opened.index().blobs().iter().skip(early);
            bundle.layers = layers.map(|blob| (blob.digest, blob.size)).collect();
            Ok(bundle)
        };
        paths.iter().map(read).collect()
    }

    /// Opens the bundle, its index read.
    ///
    /// # Errors
    ///
    /// Those of reading and verifying it.
    pub(crate) fn open(&self, chain: &Chain) -> Result<VerifiedBundle> {
        let told = |error: Error| error.context(&format!("the base {}", self.path.display()));
        let source = media::open(&self.path, None)?;
        let opened = OpenedBundle::open(source.input).map_err(told)?;
        let (domain, _) = opened.links().map_err(told)?;
        super::learn::check_domain(domain, chain)?;
        opened
            .verify_as_made(chain)
            .and_then(|signed| signed.read_index(|_, _| Ok(())))
            .map_err(told)
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
