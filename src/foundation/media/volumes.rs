//! Which of several bundle files belong together: volumes of one set, in any order, each once.
//!
//! What they say of themselves is looked at, to choose and to name; whoever reads the set holds it against the signed head. Of two files of
//! one number that are the same, byte for byte, the first is read. Where they differ one of them is not what was signed, and which of the two is
//! nobody's guess: both are named.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::source::{BundleSource, regular};
use crate::bundle::OpenedBundle;
use crate::domain::{Class, Error, Hash, Result, Step, counted, limits};

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

    /// Whether another file of the same size has the same bytes.
    fn is_same(&self, other: &Self) -> Result<bool> {
        let (mut own, mut others) = (vec![0; COMPARED], vec![0; COMPARED]);
        let mut at = 0_u64;
        loop {
            let (count, other_count) = (self.read_at(at, &mut own)?, other.read_at(at, &mut others)?);
            if own.get(..count) != others.get(..other_count) {
                return Ok(false);
            }
            if count < COMPARED {
                return Ok(true);
            }
            at = at.saturating_add(count as u64);
        }
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0_usize;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&self.fd, rest, at.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::io("read", &self.path, error.into())),
            }
        }
        Ok(filled)
    }

    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Bytes of two files that are compared at once.
const COMPARED: usize = 1 << 20;

/// Files that may be opened at once: every volume, and each once more.
pub(super) const CANDIDATES: usize = 2 * limits::VOLUMES;

/// Makes one source of several files; `place` is where they lie.
///
/// # Errors
///
/// `E-FORMAT source` when they are no volumes of one bundle; `E-FORMAT volumes` when they do not belong together.
pub(super) fn gather(mut candidates: Vec<Candidate>, place: &str, mut skipped: Vec<String>) -> Result<BundleSource> {
    candidates.sort_by(|a, b| a.path.cmp(&b.path));
    let claims: Vec<Result<Claim>> = candidates.iter().map(Candidate::claim).collect();
    let is_volume = |claim: &Result<Claim>| claim.as_ref().is_ok_and(|claim| claim.count > 1);
    if !claims.iter().any(is_volume) {
        return Err(several(place, candidates.iter().take(2)));
    }
    // What stands in the way is named beside one of the volumes.
    let single = claims
        .iter()
        .position(|claim| claim.as_ref().is_ok_and(|claim| claim.count < 2));
    if let (Some(single), Some(volume)) = (single, claims.iter().position(is_volume)) {
        let both = candidates
            .iter()
            .enumerate()
            .filter(|(number, _)| [single, volume].contains(number));
        return Err(several(place, both.map(|(_, candidate)| candidate)));
    }
    let mut claimed: Vec<(Candidate, Claim)> = Vec::with_capacity(candidates.len());
    for (candidate, claim) in candidates.into_iter().zip(claims) {
        let claim = claim.map_err(|error| error.context(&format!("{:?}", candidate.name())))?;
        claimed.push((candidate, claim));
    }
    check_heads(&claimed)?;
    let mut chosen: Vec<(Candidate, Claim)> = Vec::with_capacity(claimed.len());
    for (candidate, claim) in claimed {
        match chosen.iter().find(|(_, known)| known.volume == claim.volume) {
            Some((same, known))
                if (known.size, known.prologue) == (claim.size, claim.prologue) && same.is_same(&candidate)? =>
            {
                skipped.push(format!(
                    "{}: volume {} once more, the same bytes as {}",
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
                .remedy(format!("copy volume {} again, and name that one alone", claim.volume))
                .at(Step::X5));
            }
            None => chosen.push((candidate, claim)),
        }
    }
    chosen.sort_by_key(|(_, claim)| claim.volume);
    let count = chosen.first().map_or(0, |(_, claim)| claim.count);
    let mut set: Option<BundleSource> = None;
    for (candidate, _) in &chosen {
        let source = candidate.source()?;
        let name = candidate.name();
        match &mut set {
            None => {
                set = Some(BundleSource {
                    name: Some(name),
                    ..source
                });
            }
            Some(set) => {
                set.size = set.size.zip(source.size).map(|(all, size)| all.saturating_add(size));
                set.old_head = set.old_head.take().or(source.old_head);
                set.others.push((source.input, name));
            }
        }
    }
    let mut set = set.ok_or_else(|| several(place, std::iter::empty()))?;
    if chosen.len() > 1 {
        set.label = format!("{place} ({} of {count})", counted(chosen.len(), "volume"));
    }
    set.skipped = skipped;
    Ok(set)
}

/// Makes sure that all are of one set: one whose head is another one than most have is of another, or damaged there.
fn check_heads(claimed: &[(Candidate, Claim)]) -> Result<()> {
    let count = |head: Hash| claimed.iter().filter(|(_, claim)| claim.head == head).count();
    let most = claimed.iter().map(|(_, claim)| count(claim.head)).max();
    let Some((first, own)) = claimed.iter().find(|(_, claim)| Some(count(claim.head)) == most) else {
        return Ok(());
    };
    let Some((other, claim)) = claimed.iter().find(|(_, claim)| claim.head != own.head) else {
        return Ok(());
    };
    Err(Error::new(
        Class::Format,
        "volumes",
        format!(
            "{:?} is volume {} of another set than {:?} is of, or damaged in its head",
            other.name(),
            claim.volume,
            first.name()
        ),
    )
    .expected("volumes that were made together, with the same signed head")
    .remedy("name the volumes of one set")
    .at(Step::X2))
}

/// Says that files are no volumes of one bundle.
fn several<'c>(place: &str, candidates: impl Iterator<Item = &'c Candidate>) -> Error {
    let candidates: Vec<&Candidate> = candidates.collect();
    let folder = candidates.first().and_then(|candidate| candidate.path.parent());
    let lie_together = candidates.iter().all(|candidate| candidate.path.parent() == folder);
    let names = candidates.iter().map(|candidate| {
        if lie_together {
            format!("{:?}", candidate.name())
        } else {
            format!("{:?}", candidate.path.display().to_string())
        }
    });
    let names = names.collect::<Vec<_>>().join(" and ");
    let found = if lie_together {
        format!("{place} holds several bundles, {names} among them")
    } else {
        format!("several bundles are named, {names} among them")
    };
    Error::new(Class::Format, "source", found)
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
