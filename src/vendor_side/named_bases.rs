//! What a person says that every site of a release holds (`--base`): a bundle of an earlier release, a release that was signed here, or the
//! state folder of a site that is at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::workspace::Workspace;
use crate::bundle::{CheckOnly, Index, VerifiedBundle, build_order, of_base};
use crate::crypto::Chain;
use crate::db::site::held_at;
use crate::db::{Connection, ledger};
use crate::domain::{Class, Counter, Digest, Error, Result, Scope};
use crate::encoding::Base;
use crate::media;
use crate::store::Store;

/// What is named.
#[derive(Debug)]
pub(crate) struct NamedBase {
    word: PathBuf,
    /// Its files: of a bundle in volumes that were named one by one, those of all.
    files: Vec<PathBuf>,
    /// The layers of it that sites hold, with their sizes.
    pub(crate) layers: BTreeMap<Digest, u64>,
    /// What those of a bundle are copied from, in their order in it: without that nobody takes them out of it.
    pub(crate) copied: Vec<(Digest, Vec<Base>)>,
    /// Where it stands among the bundles in the order in which they build on one another.
    pub(crate) rank: usize,
    pub(crate) place: Place,
}

/// Where its layers are.
#[derive(Debug)]
pub(crate) enum Place {
    /// In the bundle.
    Bundle,
    /// In the state folder.
    State(Store),
    /// Wherever layers of earlier releases are.
    Release,
}

impl NamedBase {
    /// Reads which layers are meant; none of them is read. A word of digits is the number of a release of this scope and epoch.
    ///
    /// # Errors
    ///
    /// Those of reading and verifying bundles up to their indexes; `E-USAGE base` for a number that was not signed here, and for a site that
    /// has no release of this vendor; those of a state folder's database and store.
    pub(crate) fn read(
        workspace: &Workspace,
        connection: &Connection,
        (scope, epoch): (&Scope, u64),
        words: &[PathBuf],
    ) -> Result<Vec<Self>> {
        // Of each bundle among them its number and index.
        let mut bundles: Vec<(usize, Index)> = Vec::new();
        let mut read = |number: usize, files: Vec<PathBuf>| {
            let word = &files.first().cloned().unwrap_or_default();
            if let Some(sequence) = word.to_str().and_then(|word| word.parse().ok()) {
                let layers = of_release(connection, scope, Counter { epoch, sequence })?;
                return Ok(Self::new(word, layers, Place::Release));
            }
            if word.join("blobs/sha256").is_dir() {
                let store = Store::open(word, |_| ())?;
                let layers = of_state(word, scope, &store)?;
                return Ok(Self::new(word, layers, Place::State(store)));
            }
            let mut bundle = Self {
                files,
                ..Self::new(word, BTreeMap::new(), Place::Bundle)
            };
            let opened = bundle.open(workspace.chain())?;
            let early = usize::try_from(opened.head().totals.early_blobs).unwrap_or(usize::MAX);
            let index = opened.index();
            let layers = || index.blobs().iter().skip(early);
            bundle.layers = layers().map(|blob| (blob.digest, blob.size)).collect();
            bundle.copied = layers().map(|blob| (blob.digest, index.bases(blob))).collect();
            bundles.push((number, index.clone()));
            Ok(bundle)
        };
        let named: Result<Vec<Self>> = media::sets(words)
            .into_iter()
            .enumerate()
            .map(|(number, files)| read(number, files))
            .collect();
        let mut named = named?;
        for (rank, place) in build_order(bundles.iter().map(|(_, index)| index))
            .into_iter()
            .enumerate()
        {
            if let Some(base) = bundles.get(place).and_then(|(number, _)| named.get_mut(*number)) {
                base.rank = rank;
            }
        }
        Ok(named)
    }

    fn new(word: &Path, layers: BTreeMap<Digest, u64>, place: Place) -> Self {
        Self {
            word: word.to_owned(),
            files: vec![word.to_owned()],
            layers,
            copied: Vec::new(),
            rank: 0,
            place,
        }
    }

    /// Opens the bundle, its index read.
    ///
    /// # Errors
    ///
    /// Those of reading and verifying it.
    pub(crate) fn open(&self, chain: &Chain) -> Result<VerifiedBundle> {
        let told = |error: Error| self.told(error);
        let source = media::open_all(&self.files, None)?;
        let opened = source.into_bundle().map_err(told)?;
        let (domain, _) = opened.links().map_err(told)?;
        super::learn::check_domain(domain, chain).map_err(told)?;
        opened
            .verify_as_made(chain)
            .and_then(|signed| signed.read_index(|_, _| Ok(())))
            .map_err(told)
    }

    /// Reads a bundle from its first byte to its last, and compares every digest; of state folders and of releases nothing is read.
    ///
    /// # Errors
    ///
    /// Those of reading and verifying it.
    pub(crate) fn check(&self, chain: &Chain, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        if !matches!(self.place, Place::Bundle) {
            return Ok(());
        }
        let bundle = self.open(chain)?;
        let total = bundle.total_bytes();
        let mut sink = CheckOnly(|done| progress(done, total));
        bundle.read_payload(&mut sink).map_err(|error| self.told(error))
    }

    /// Tells a fault of it as its own.
    pub(crate) fn told(&self, error: Error) -> Error {
        of_base(error, &self.word)
    }

    /// Returns how it was named.
    pub(crate) fn word(&self) -> &Path {
        &self.word
    }
}

/// The layers of a release that was signed here.
fn of_release(connection: &Connection, scope: &Scope, counter: Counter) -> Result<BTreeMap<Digest, u64>> {
    let signed = ledger::signed_release(connection, scope, counter)?;
    let layers = match signed {
        Some(signed) => ledger::layers_of(connection, signed.head)?,
        None => None,
    };
    layers.ok_or_else(|| {
        let found = format!("the base {counter} is no release of {scope} that was signed here");
        Error::new(Class::Usage, "base", found)
            .expected("the number of a signed release, a bundle, or the state folder of a site")
            .remedy("name its bundle: --base FILE")
    })
}

/// What a site holds of releases of this vendor, as far as its files are there.
fn of_state(state: &Path, scope: &Scope, store: &Store) -> Result<BTreeMap<Digest, u64>> {
    let mut held = held_at(state, scope.domain)?;
    held.retain(|digest, size| store.is_sized(digest, *size));
    Ok(held)
}
