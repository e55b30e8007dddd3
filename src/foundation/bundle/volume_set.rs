//! The other volumes of a bundle that is read: each is held against the first, and against the signed head, before a chunk of it is read.
//!
//! # Threats and defences
//!
//! - *A volume of another release among them*: the bytes of the head are the same in all, or the set is refused.
//! - *Two files for one number, or a number that the head does not know*: entry 00 is compared with what follows from the head.
//! - *Lies in the entries that are signed by nobody* (01, 02, 04): what they say is added up over the volumes, under the same bounds as in
//!   one, and counts as far as it is verified.

use std::collections::BTreeMap;

use super::head::Head;
use super::kind::BUNDLE;
use crate::container::{Prologue, Source, VolumeTable, claimed_volume, read_fill, read_pages, volume_lines};
use crate::domain::{Class, Error, Result};

/// Volumes that say different things in their entries 01, 02 and 04, beside the first.
const DIFFERENT: usize = 8;

/// Other volumes at hand, each behind its entry 04.
#[derive(Debug, Default)]
pub(super) struct Others {
    volumes: Vec<Other>,
    /// Entries before the index that say something else than the first's in what is not signed, and whose they are.
    different: Vec<(Prologue, String)>,
}

/// One of them.
#[derive(Debug)]
struct Other {
    /// Entry 00.
    format: Vec<u8>,
    /// The rest.
    source: Source,
    /// What its file is called.
    name: Option<String>,
}

impl Others {
    /// Adds a volume of the set that `own` is of.
    ///
    /// # Errors
    ///
    /// `E-FORMAT volumes` for one of another set; `E-LIMIT volumes`.
    pub(super) fn add(
        &mut self,
        own: &Prologue,
        prologue: Prologue,
        (source, name): (Source, Option<String>),
    ) -> Result<()> {
        if prologue.head() != own.head() {
            return Err(Error::new(
                Class::Format,
                "volumes",
                format!("{} is of another set", claimed(&prologue)),
            )
            .expected("volumes that were made together, with the same signed head")
            .remedy("name the volumes of one set"));
        }
        let called = called(&prologue, name.as_deref());
        self.volumes.push(Other {
            format: prologue.format().to_vec(),
            source,
            name,
        });
        let is_known =
            prologue.adds_nothing_to(own) || self.different.iter().any(|(known, _)| prologue.adds_nothing_to(known));
        if !is_known {
            self.different.push((prologue, called));
        }
        if self.different.len() > DIFFERENT {
            return Err(Error::new(
                Class::Limit,
                "volumes",
                "the volumes carry too many different lists of signatures, links and approvals",
            )
            .expected(format!("at most {DIFFERENT} beside those of the first")));
        }
        Ok(())
    }

    /// Returns the entries that say something else than the first's, and whose they are.
    pub(super) fn different(&self) -> &[(Prologue, String)] {
        &self.different
    }

    pub(super) fn is_empty(&self) -> bool {
        self.volumes.is_empty()
    }

    /// Returns the numbers that they give themselves.
    pub(super) fn claimed(&self) -> Vec<usize> {
        let volumes = self.volumes.iter();
        let claimed = volumes.map(|other| claimed_volume(&other.format).map_or(1, |(volume, _)| volume));
        claimed.collect()
    }

    /// Makes sure that each is another volume of the head; `own` is the first's number, and what its file is called. Returns the table of all.
    ///
    /// # Errors
    ///
    /// `E-FORMAT format-lines` and `volumes`.
    pub(super) fn number(&mut self, head: &Head, (own, name): (usize, Option<&str>)) -> Result<VolumeTable> {
        let mut names: BTreeMap<usize, Option<String>> = BTreeMap::from([(own, name.map(str::to_owned))]);
        let mut numbers = Vec::with_capacity(self.volumes.len());
        for other in &self.volumes {
            let volume = volume_of(head, &other.format)?;
            if names.insert(volume, other.name.clone()).is_some() {
                return Err(Error::new(
                    Class::Format,
                    "volumes",
                    format!("two files are volume {volume} of {}", head.volumes.len()),
                )
                .expected("each volume once"));
            }
            numbers.push(volume);
        }
        let names = names.into_iter().filter_map(|(volume, name)| Some((volume, name?)));
        let table = VolumeTable::named(&head.volumes, names.collect());
        for (other, volume) in self.volumes.iter_mut().zip(numbers) {
            other.source.is_of_set(table.clone(), volume);
        }
        Ok(table)
    }

    /// Reads index and fill of each, which are those of the head, and makes one source of all.
    ///
    /// # Errors
    ///
    /// `E-INTEGRITY`, `E-FORMAT`, `E-LIMIT` and `E-INCOMPLETE`.
    pub(super) fn join(self, head: &Head, first: &mut Source) -> Result<()> {
        for Other { mut source, .. } in self.volumes {
            read_pages(&mut source, &head.index, |_, _| Ok(()))?;
            read_fill(&mut source, head.payload_offset)?;
            first.join(source);
        }
        Ok(())
    }
}

/// Returns the number of the volume whose entry 00 this is.
///
/// # Errors
///
/// `E-FORMAT format-lines`.
pub(super) fn volume_of(head: &Head, format: &[u8]) -> Result<usize> {
    let lines = |volume| volume_lines(&BUNDLE, &head.volumes, volume);
    let mut volumes = 1..=head.volumes.len();
    volumes
        .find(|volume| format == lines(*volume).as_bytes())
        .ok_or_else(|| {
            let volume = claimed_volume(format).map_or(1, |(volume, _)| volume.clamp(1, head.volumes.len().max(1)));
            Error::new(
                Class::Format,
                "format-lines",
                "the format lines do not agree with the signed head",
            )
            .expected(format!("{:?}", lines(volume)))
        })
}

/// What a volume calls itself.
fn claimed(prologue: &Prologue) -> String {
    match claimed_volume(prologue.format()) {
        Some((volume, count)) => format!("what calls itself volume {volume} of {count}"),
        None => "a volume".to_owned(),
    }
}

/// Whose the entries are: in which volume, and what its file is called.
pub(super) fn called(prologue: &Prologue, name: Option<&str>) -> String {
    let volume = match claimed_volume(prologue.format()) {
        Some((volume, count)) => format!("volume {volume} of {count}"),
        None => "a volume".to_owned(),
    };
    match name {
        Some(name) => format!("{volume} ({name:?})"),
        None => volume,
    }
}
