//! Where the walk over an image begins: its manifest, and every name that it is stored under.
//!
//! A name that the release file gives is the only one. Else an image has each name that its source has for it, as `docker save` and tools
//! that write layouts keep them: one that cannot be stored is told, never passed over in silence.

use std::collections::{BTreeMap, VecDeque};

use super::image_request::ImageRequest;
use super::origin::{Found, Origin};
use super::picked::{KnownName, Picked};
use super::reference::{ImageReference, readable};
use super::source::EngineImage;
use crate::domain::{Class, Digest, Error, Hash, RepositoryName, Result, Tag};

/// Repository, and perhaps a tag.
pub(super) type Name = (RepositoryName, Option<Tag>);

/// What to do about an image whose source has no name for it that can be stored.
const NAME_IT: &str = "add name: HOST/REPOSITORY:TAG to the image in the release file; without one write SOURCE HOST/REPOSITORY:TAG as a \
                       line of a file, and give that with --images FILE";

/// An image at the point where its walk begins.
pub(super) struct Start {
    pub(super) name: Name,
    /// What else it is stored under.
    pub(super) further: Vec<Name>,
    /// Of names of its source that it is not stored under, why.
    pub(super) left_out: Vec<String>,
    pub(super) digest: Digest,
    pub(super) found: Found,
    pub(super) stated: Option<String>,
}

impl Start {
    /// Under one name.
    fn alone(name: Name, digest: Digest, found: Found) -> Self {
        Self {
            name,
            further: Vec::new(),
            left_out: Vec::new(),
            digest,
            found,
            stated: None,
        }
    }
}

/// Of what was picked out of a file. The outer error ends the collection, the inner one is this image's problem.
pub(super) fn from_file(origin: &dyn Origin, picked: Result<Picked>, request: &ImageRequest) -> Result<Result<Start>> {
    match picked.and_then(|picked| named(origin, picked, request)) {
        Err(error) if error.class() != Class::Content => Err(error),
        start => Ok(start),
    }
}

fn named(origin: &dyn Origin, picked: Picked, request: &ImageRequest) -> Result<Start> {
    let (mut names, left_out) = stored_names(request, &picked.names)?;
    let name = names.pop_front().ok_or_else(unnamed)?;
    let found = origin.manifest(&picked.digest)?.ok_or_else(|| missing(picked.digest))?;
    Ok(Start {
        name,
        further: names.into(),
        left_out,
        digest: picked.digest,
        found,
        stated: Some(picked.media_type),
    })
}

/// The names that an image is stored under, and of those that it cannot have, why.
///
/// # Errors
///
/// `E-CONTENT` where its source has names and none of them can be stored.
pub(super) fn stored_names(request: &ImageRequest, known: &[KnownName]) -> Result<(VecDeque<Name>, Vec<String>)> {
    match &request.name {
        Some((repository, tag)) => Ok((under(repository, tag.as_ref(), known), Vec::new())),
        None => as_there(known),
    }
}

/// The names in a repository that the release file gives: with its tag, else with each tag that the source has.
fn under(repository: &RepositoryName, tag: Option<&Tag>, known: &[KnownName]) -> VecDeque<Name> {
    let mut tags: Vec<Option<Tag>> = Vec::new();
    if tag.is_none() {
        for known in known.iter().filter(|known| known.tag.is_some()) {
            if !tags.contains(&known.tag) {
                tags.push(known.tag.clone());
            }
        }
    }
    if tags.is_empty() {
        tags.push(tag.cloned());
    }
    tags.into_iter().map(|tag| (repository.clone(), tag)).collect()
}

/// The names that the source has, and of those that cannot be stored, why.
fn as_there(known: &[KnownName]) -> Result<(VecDeque<Name>, Vec<String>)> {
    let mut names: VecDeque<Name> = VecDeque::new();
    let mut unfit = Vec::new();
    for known in known {
        match stored(known) {
            Ok(name) if names.contains(&name) => {}
            Ok(name) => names.push_back(name),
            Err(error) => unfit.push((known, error)),
        }
    }
    if names.is_empty() {
        // Without any the first is told, as if it were alone.
        return unfit
            .into_iter()
            .next()
            .map_or(Ok(Default::default()), |(_, error)| Err(error));
    }
    // A tag alone says nothing new where a whole name has it.
    let is_told = |known: &KnownName| known.name.is_some() || !names.iter().any(|(_, tag)| *tag == known.tag);
    let left_out = unfit.iter().filter(|(known, _)| is_told(known)).map(|(known, error)| {
        let name = known.name.as_ref().map(ToString::to_string);
        let tag = || {
            known
                .tag
                .as_ref()
                .map(|tag| format!("the tag {tag}"))
                .unwrap_or_default()
        };
        format!(
            "it is not stored as {} too: {}",
            name.unwrap_or_else(tag),
            error.found()
        )
    });
    let left_out = left_out.collect();
    Ok((names, left_out))
}

fn stored(known: &KnownName) -> Result<Name> {
    let name = known.name.as_ref().ok_or_else(unnamed)?;
    let repository = name.repository().ok_or_else(unnamed)?;
    readable(&repository, &name.to_string()).map_err(|error| error.remedy(NAME_IT))?;
    Ok((repository, name.tag.clone()))
}

impl EngineImage {
    /// What the source calls an image counts, not what else its engine calls it.
    pub(super) fn named(&self, picked: Picked) -> Picked {
        Picked {
            names: self.name.clone().into_iter().map(KnownName::whole).collect(),
            ..picked
        }
    }
}

/// Of something that was made here.
pub(super) fn of_artifact(digest: Digest, found: Found, request: &ImageRequest) -> Result<Start> {
    let name = request.name.clone().ok_or_else(unnamed)?;
    Ok(Start::alone(name, digest, found))
}

/// Of what a registry has. The outer error ends the collection, the inner one is this image's problem.
pub(super) fn from_registry(
    origin: &dyn Origin,
    number: usize,
    reference: &ImageReference,
    request: &ImageRequest,
    tags: &mut BTreeMap<(usize, Tag), Option<Found>>,
) -> Result<Result<Start>> {
    let wanted = reference.clone().meant().tag;
    let name = match &request.name {
        Some((repository, tag)) => Some((repository.clone(), tag.clone().or_else(|| wanted.clone()))),
        None => reference.repository().map(|repository| (repository, wanted.clone())),
    };
    let Some(name) = name else {
        return Ok(Err(unnamed()));
    };
    let found = match (&reference.digest, &wanted) {
        (Some(digest), _) => origin.manifest(digest)?,
        (None, Some(tag)) => {
            let key = (number, tag.clone());
            if !tags.contains_key(&key) {
                tags.insert(key.clone(), origin.tag(tag)?);
            }
            tags.get(&key).cloned().flatten()
        }
        (None, None) => None,
    };
    let Some(found) = found else {
        return Ok(Err(Error::new(
            Class::Content,
            "missing",
            "the registry has no such image",
        )));
    };
    let digest = reference.digest.unwrap_or_else(|| {
        use sha2::Digest as _;
        Digest(Hash(sha2::Sha256::digest(&found.bytes).into()))
    });
    Ok(Ok(Start::alone(name, digest, found)))
}

fn unnamed() -> Error {
    Error::new(
        Class::Content,
        "name",
        "the source does not say under which name the image is to be stored",
    )
    .remedy(NAME_IT)
}

fn missing(digest: Digest) -> Error {
    Error::new(Class::Content, "missing", format!("the manifest {digest} is not there"))
}
