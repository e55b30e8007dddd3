//! Which of several bundle files belong together: volumes of one set, in any order, each once.
//!
//! What they say of themselves is looked at, to choose and to name; whoever reads the set holds it against the signed head. Of two files of
//! one number that have the same size and the same bytes before the index, the first is read and the other is not: whether the chunks are
//! those that were signed is found where they are read.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::source::{BundleSource, regular};
use crate::bundle::OpenedBundle;
use crate::domain::{Class, Error, Hash, Result, counted, limits};

/// A file that begins like a bundle.
pub(super) struct Candidate {
    pub(super) fd: OwnedFd,
    pub(super) path: PathBuf,
    /// Its path without links.
    pub(super) own: PathBuf,
}

/// What a volume says of itself.
struct Claim {
    head: Hash,
    volume: usize,
    count: usize,
    size: u64,
    /// Of everything before the index.
    prologue: Hash,
}

impl Candidate {
    fn source(&self) -> Result<BundleSource> {
        let fd = self.fd.try_clone().map_err(|e| Error::io("open", &self.path, e))?;
        regular(fd, &self.path, &self.own)
    }

    fn claim(&self) -> Result<Claim> {
        let source = self.source()?;
        let size = source.size.unwrap_or(0);
        let opened = OpenedBundle::open(source.input)?;
        let (volume, count) = opened.claimed_volume();
        Ok(Claim {
            head: opened.head_digest(),
            prologue: opened.prologue_digest(),
            volume,
            count,
            size,
        })
    }

    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Files that may be opened at once: every volume, and each once more.
pub(super) const CANDIDATES: usize = 2 * limits::VOLUMES;

/// Makes one source of several files; `place` is where they lie.
///
/// # Errors
///
/// `E-FORMAT source` when they are no volumes of one bundle; `E-FORMAT volumes` when they do not belong together.
pub(super) fn gather(mut candidates: Vec<Candidate>, place: &str, mut skipped: Vec<String>) -> Result<BundleSource> {
    candidates.sort_by(|a, b| a.path.cmp(&b.path));
    let several = several(place, &candidates);
    let claims: Vec<Result<Claim>> = candidates.iter().map(Candidate::claim).collect();
    if !claims.iter().flatten().any(|claim| claim.count > 1) {
        return Err(several);
    }
    let mut chosen: Vec<(Candidate, Claim)> = Vec::with_capacity(candidates.len());
    for (candidate, claim) in candidates.into_iter().zip(claims) {
        let claim = claim.map_err(|error| error.context(&format!("{:?}", candidate.name())))?;
        if claim.count < 2 {
            return Err(several);
        }
        if let Some((first, known)) = chosen.first()
            && known.head != claim.head
        {
            return Err(Error::new(
                Class::Format,
                "volumes",
                format!(
                    "{:?} is volume {} of another set than {:?} is of",
                    candidate.name(),
                    claim.volume,
                    first.name()
                ),
            )
            .expected("volumes that were made together")
            .remedy("name the volumes of one set"));
        }
        match chosen.iter().find(|(_, known)| known.volume == claim.volume) {
            Some((same, known)) if (known.size, known.prologue) == (claim.size, claim.prologue) => {
                skipped.push(format!(
                    "{}: volume {} once more, which is {}",
                    candidate.name(),
                    claim.volume,
                    same.name()
                ));
            }
            Some((other, _)) => {
                return Err(Error::new(
                    Class::Format,
                    "volumes",
                    format!(
                        "{:?} and {:?} are both volume {} of {}, and differ",
                        other.name(),
                        candidate.name(),
                        claim.volume,
                        claim.count
                    ),
                )
                .expected("the same file under two names, or one")
                .remedy(format!("copy volume {} again, and name that one alone", claim.volume)));
            }
            None => chosen.push((candidate, claim)),
        }
    }
    chosen.sort_by_key(|(_, claim)| claim.volume);
    let count = chosen.first().map_or(0, |(_, claim)| claim.count);
    let mut set: Option<BundleSource> = None;
    for (candidate, _) in &chosen {
        let source = candidate.source()?;
        match &mut set {
            None => set = Some(source),
            Some(set) => {
                set.size = set.size.zip(source.size).map(|(all, size)| all.saturating_add(size));
                set.old_head = set.old_head.take().or(source.old_head);
                set.others.push(source.input);
            }
        }
    }
    let mut set = set.ok_or(several)?;
    if chosen.len() > 1 {
        set.label = format!("{place} ({} of {count})", counted(chosen.len(), "volume"));
    }
    set.skipped = skipped;
    Ok(set)
}

/// Says that files are no volumes of one bundle.
fn several(place: &str, candidates: &[Candidate]) -> Error {
    let names = candidates
        .iter()
        .take(2)
        .map(|candidate| format!("{:?}", candidate.name()));
    let names: Vec<String> = names.collect();
    Error::new(
        Class::Format,
        "source",
        format!("{place} holds several bundles, {} among them", names.join(" and ")),
    )
    .expected("exactly one, or the volumes of one")
    .remedy("name the bundle file itself")
}

/// Where files lie that were named one by one.
pub(super) fn place_of(paths: &[PathBuf]) -> String {
    let folder = paths.first().and_then(|path| path.parent());
    match folder {
        Some(folder) if !folder.as_os_str().is_empty() => folder.display().to_string(),
        _ => Path::new(".").display().to_string(),
    }
}
