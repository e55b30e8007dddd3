//! A bundle cut into volumes of a size: chunk by chunk while it is written, for the stored sizes are known only then.

use std::io::Write;

use super::feature::Feature;
use super::head::Head;
use super::kind::BUNDLE;
use super::layout::BundleLayout;
use crate::container::{Chunk, ChunksOut, END_BYTES, entry_bytes};
use crate::domain::{Class, Error, Result, limits};

/// Takes volumes one behind the other.
pub trait VolumesOut: Write {
    /// The volume under way is written to its end; the next one is written from where payloads begin.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    fn next_volume(&mut self) -> Result<()>;
}

/// Cuts between chunks: a volume is full when the next chunk does not fit.
pub(super) struct CutVolumes<'a> {
    out: &'a mut dyn VolumesOut,
    /// Bytes that a volume may have.
    most: u64,
    payload_offset: u64,
    /// Bytes of the volume under way, without its end.
    filled: u64,
    /// Chunks of each volume.
    counts: Vec<u64>,
}

impl<'a> CutVolumes<'a> {
    pub(super) fn new(out: &'a mut dyn VolumesOut, most: u64, payload_offset: u64) -> Self {
        Self {
            out,
            most,
            payload_offset,
            filled: payload_offset,
            counts: vec![0],
        }
    }

    /// Returns how many chunks went into each volume.
    pub(super) fn into_counts(self) -> Vec<u64> {
        self.counts
    }
}

impl ChunksOut for CutVolumes<'_> {
    fn begin_chunk(&mut self, entry: u64) -> Result<()> {
        let is_full = !fits(self.filled, entry, self.most);
        match self.counts.last_mut() {
            Some(count) if !is_full || *count == 0 => *count = count.saturating_add(1),
            _ => {
                self.out
                    .write_all(&[0; END_BYTES])
                    .map_err(|error| Error::io("write", std::path::Path::new("a volume"), error))?;
                self.out.next_volume()?;
                self.counts.push(1);
                self.filled = self.payload_offset;
            }
        }
        self.filled = self.filled.saturating_add(entry);
        Ok(())
    }

    fn out(&mut self) -> &mut dyn Write {
        self.out
    }
}

fn fits(filled: u64, entry: u64, most: u64) -> bool {
    filled.saturating_add(entry).saturating_add(END_BYTES as u64) <= most
}

/// Returns how many volumes of a size chunks need at most; `widest` are their largest stored sizes. No chunk that becomes smaller moves a cut
/// forward, so there are never more.
///
/// # Errors
///
/// `E-USAGE volume-size` when a volume has no room for a chunk; `E-LIMIT volumes`.
pub(super) fn most_volumes(payload_offset: u64, widest: &[Chunk], most: u64) -> Result<usize> {
    let entries = || widest.iter().map(|chunk| entry_bytes(u64::from(chunk.size)));
    let least = payload_offset
        .saturating_add(entries().max().unwrap_or(0))
        .saturating_add(END_BYTES as u64);
    if most < least {
        return Err(Error::new(
            Class::Usage,
            "volume-size",
            format!("a volume of {most} bytes has no room for a chunk behind its head"),
        )
        .expected(format!("at least {least} bytes for this release"))
        .remedy("give a larger --volume-size"));
    }
    let (mut volumes, mut filled) = (1_usize, payload_offset);
    for entry in entries() {
        if !fits(filled, entry, most) {
            volumes = volumes.saturating_add(1);
            filled = payload_offset;
        }
        filled = filled.saturating_add(entry);
    }
    if volumes > BUNDLE.caps.volumes {
        return Err(Error::new(
            Class::Limit,
            "volumes",
            format!("the bundle would have up to {volumes} volumes of {most} bytes"),
        )
        .expected(format!("at most {}", BUNDLE.caps.volumes))
        .remedy("give a larger --volume-size"));
    }
    Ok(volumes)
}

impl BundleLayout {
    /// The same in volumes of at most so many bytes. One that holds everything is the bundle as ever.
    ///
    /// # Errors
    ///
    /// `E-USAGE volume-size` and `E-LIMIT volumes`.
    pub fn in_volumes(mut self, volume_bytes: u64) -> Result<Self> {
        self.volume_bytes = Some(volume_bytes);
        self.place()?;
        Ok(self)
    }

    /// Returns how many volumes it has at most; nothing where it is to be one file.
    pub fn most_volumes(&self) -> Option<usize> {
        self.volume_bytes.map(|_| self.most_volumes)
    }

    /// Returns an upper bound of the bytes of one file of it.
    pub fn largest_file(&self) -> u64 {
        self.largest_size().min(self.volume_bytes.unwrap_or(u64::MAX))
    }
}

impl Head {
    /// States the volumes. A reader has to know that there are several; one is what it always was.
    pub(super) fn state_volumes(&mut self, counts: Vec<u64>) {
        self.volumes = counts;
        if self.volumes.len() > 1 && !self.has(Feature::Volumes) {
            self.requires.push(Feature::Volumes.name().to_owned());
            self.requires.sort_unstable();
            self.reader = self.reader.max(Feature::Volumes.reader());
        }
    }

    /// Returns the head with the most bytes that so many volumes can give it.
    pub(super) fn in_most_volumes(&self, volumes: usize) -> Self {
        let mut head = self.clone();
        if volumes > 1 {
            head.state_volumes(vec![limits::CHUNKS; volumes]);
        }
        head
    }

    /// That there are several volumes is said where it is so, and only there.
    pub(super) fn check_volumes(&self) -> Result<()> {
        if (self.volumes.len() > 1) == self.has(Feature::Volumes) {
            return Ok(());
        }
        let name = Feature::Volumes.name();
        Err(Error::new(
            Class::Format,
            "volumes",
            format!(
                "the number of volumes is {}, and the bundle {} {name}",
                self.volumes.len(),
                if self.has(Feature::Volumes) {
                    "requires"
                } else {
                    "does not require"
                }
            ),
        )
        .expected(format!("{name} in requires exactly where there are several volumes")))
    }
}
