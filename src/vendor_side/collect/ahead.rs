//! Looks at many images at once, before they are walked one after the other.
//!
//! A walk asks a registry for one thing after the other, and what it asks next follows from the answer. So each image is walked twice: here by
//! several threads, for nothing but the answers, which its repository keeps; and then in the order of the release, over answers that are
//! here. What is carried, refused and said is decided by the second walk alone, and is the same as without the first.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::image_request::ImageRequest;
use super::origin::{Found, Origin};
use super::reference::{ImageReference, Platform};
use super::registry::Registry;
use super::registry_error::is_of_registry;
use super::walk::{Collected, Walk};
use crate::domain::{Digest, Hash, RepositoryName, Result, Tag};

/// Images that are looked at at once.
const WORKERS: usize = 8;

/// An image of a registry, and what it is asked of.
pub(super) struct Look<'a> {
    pub(super) registry: &'a Registry,
    pub(super) reference: &'a ImageReference,
    pub(super) request: &'a ImageRequest,
}

/// Asks for everything that the walks of these images will ask for: one image of each host first, and the others where that host lets
/// anybody in. `told` is told how many are done.
pub(super) fn look_ahead(looks: &[Look<'_>], platforms: &[Platform], told: &mut dyn FnMut(usize)) {
    let mut hosts = BTreeSet::new();
    let (first, others): (Vec<&Look<'_>>, Vec<&Look<'_>>) = looks.iter().partition(|look| hosts.insert(look.host()));
    let silent = round(&first, platforms, told);
    let others: Vec<&Look<'_>> = others
        .into_iter()
        .filter(|look| !silent.contains(look.host()))
        .collect();
    round(&others, platforms, &mut |done| told(first.len().saturating_add(done)));
}

/// Looks at images at once, and returns the hosts that do not answer.
fn round<'a>(looks: &[&Look<'a>], platforms: &[Platform], told: &mut dyn FnMut(usize)) -> BTreeSet<&'a str> {
    let (next, (sender, done)) = (AtomicUsize::new(0), mpsc::channel());
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(looks.len()) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                while let Some(look) = looks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Whatever fails is kept too, and told by the walk that counts.
                    let is_silent = look.walk(platforms).is_err_and(|error| is_of_registry(&error));
                    sender.send(is_silent.then_some(look.host())).ok();
                }
            });
        }
        drop(sender);
        let mut silent = BTreeSet::new();
        for (count, host) in (1..).zip(done) {
            silent.extend(host);
            told(count);
        }
        silent
    })
}

impl<'a> Look<'a> {
    fn host(&self) -> &'a str {
        &self.reference.host
    }

    fn walk(&self, platforms: &[Platform]) -> Result<()> {
        let origin = Asking(self.registry);
        let reference = self.reference.clone().meant();
        let found = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => origin.manifest(digest)?,
            (None, Some(tag)) => origin.tag(tag)?,
            (None, None) => None,
        };
        let Some(found) = found else { return Ok(()) };
        let digest = reference.digest.unwrap_or_else(|| {
            use sha2::Digest as _;
            Digest(Hash(sha2::Sha256::digest(&found.bytes).into()))
        });
        let named = self.request.name.as_ref().map(|(repository, _)| repository.clone());
        let Some(repository): Option<RepositoryName> = named.or_else(|| reference.repository()) else {
            return Ok(());
        };
        Walk {
            origin: &origin,
            origin_number: 0,
            repository: &repository,
            platforms: self.request.options.platforms.as_deref().unwrap_or(platforms),
            options: &self.request.options,
            collected: &mut Collected::default(),
            image: "",
            queue: VecDeque::new(),
            followed: HashSet::new(),
        }
        .image(None, digest, found, None)
    }
}

/// A repository that is asked, and keeps what it answers.
struct Asking<'a>(&'a Registry);

impl Origin for Asking<'_> {
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>> {
        self.0.ask_manifest(&digest.to_string())
    }

    fn tag(&self, tag: &Tag) -> Result<Option<Found>> {
        self.0.ask_manifest(tag.as_str())
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Digest>> {
        self.0.ask_referrers(subject)
    }

    /// Configs and layers are looked for by the walk that counts, once: here none is there, so none is read.
    fn missing(&self, _: &[(Digest, u64)]) -> Result<Vec<String>> {
        Ok(vec!["it is not asked for yet".to_owned()])
    }

    fn describe(&self) -> String {
        self.0.describe()
    }

    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        self.0.open(digest, size)
    }
}
