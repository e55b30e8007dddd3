//! A set of volumes that is not complete: what can be said of it, and what has to be kept of it until the others are here.

use std::io::{self, Write};

use super::reader::VerifiedBundle;
use crate::container::{
    Chunk, END_BYTES, Input, PayloadBlob as _, VolumeTable, check_stored, copy_stored, entry_bytes,
};
use crate::domain::{Class, Error, Result, Step, enumerated};

impl VerifiedBundle {
    /// Returns the numbers of the volumes that are not at hand.
    pub fn missing_volumes(&self) -> Vec<usize> {
        let at_hand = self.source.volumes_at_hand();
        let all = 1..=self.head.volumes.len();
        let is_set = self.head.volumes.len() > 1 && self.source.repair().is_none();
        all.filter(|volume| is_set && !at_hand.contains(volume)).collect()
    }

    /// Whether a volume is missing of which nothing stands behind so many chunks.
    pub fn is_missing_before(&self, done: u64) -> bool {
        let table = VolumeTable::new(&self.head.volumes);
        self.missing_volumes()
            .into_iter()
            .any(|volume| table.chunks(volume).1 <= done)
    }

    /// Whether a volume is missing that holds chunks behind so many.
    pub fn is_missing_behind(&self, done: u64) -> bool {
        let table = VolumeTable::new(&self.head.volumes);
        self.missing_volumes()
            .into_iter()
            .any(|volume| table.chunks(volume).1 > done)
    }

    /// Compares every byte of the volumes at hand with what was signed, makes nothing of them, and returns the refusal: damage, or that a
    /// volume is missing that holds more than the first `done` chunks. `progress` is told the bytes read so far.
    pub fn incomplete(self, done: u64, mut progress: impl FnMut(u64)) -> Error {
        let table = VolumeTable::new(&self.head.volumes);
        let mut missing = self.missing_volumes();
        missing.retain(|volume| table.chunks(*volume).1 > done);
        let (at_hand, count) = (self.source.volumes_at_hand(), self.head.volumes.len());
        let Self {
            mut source,
            head,
            index,
            ..
        } = self;
        let held: Vec<(u64, Chunk)> = (1..)
            .zip(index.chunks.iter().copied())
            .filter(|(number, _)| source.holds(*number))
            .collect();
        let checked = check_stored(&mut source, held.into_iter(), head.chunk_bytes, &mut progress);
        let refusal = checked.err().unwrap_or_else(|| {
            let first = missing.first().copied().unwrap_or(0);
            let say = |volumes: &[usize], of: &str| match volumes {
                [one] => format!("volume {one}{of} is"),
                several => format!("volumes {}{of} are", runs(several)),
            };
            let (missing, good) = (say(&missing, &format!(" of {count}")), say(&at_hand, ""));
            Error::new(
                Class::Incomplete,
                "volumes",
                format!("{missing} missing; {good} good: every byte is what was signed"),
            )
            .expected("every volume, for what they carry is judged together")
            .remedy(format!("name volume {first} too, or a folder with all of them"))
        });
        refusal.at(Step::X11)
    }

    /// Returns the bytes of a volume from its first chunk to its end.
    pub fn volume_bytes(&self, volume: usize) -> u64 {
        let chunks = self.chunks_of(volume);
        let entries = chunks.map(|(_, chunk)| entry_bytes(u64::from(chunk.size)));
        entries.fold(END_BYTES as u64, u64::saturating_add)
    }

    fn chunks_of(&self, volume: usize) -> impl Iterator<Item = (u64, Chunk)> + Send + use<> {
        let (first, last) = VolumeTable::new(&self.head.volumes).chunks(volume);
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let chunks = self.index.chunks.get(place(first.saturating_sub(1))..place(last));
        (first..).zip(chunks.unwrap_or_default().to_vec())
    }

    /// Adds what was kept of a volume, from its first chunk to its end.
    pub fn add_volume(&mut self, volume: usize, input: Box<dyn Input>) {
        self.source.add(volume, input);
    }

    /// Returns the volumes at hand that a reading which goes on behind `done` chunks does not read to its last use: those behind the first
    /// missing one, and those whose end carries the beginning of an encoded blob that goes on in it, for such a blob begins anew.
    pub fn volumes_to_keep(&self, done: u64) -> Vec<usize> {
        let table = VolumeTable::new(&self.head.volumes);
        let next = table.volume_of(done.saturating_add(1));
        let Some(gap) = self.missing_volumes().into_iter().find(|volume| *volume >= next) else {
            return Vec::new();
        };
        let mut first = gap;
        let before = table.chunks(gap).0.saturating_sub(1);
        let payload = self.index.payload(&self.head);
        let last = before.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        if let Some(span) = last.and_then(|place| payload.cut().nth(place))
            && before > done
            && payload.is_encoded_piece(span)
            && let Some(blob) = payload.blobs.get(span.blob)
            && span.offset.saturating_add(span.plain) < blob.travel_size()
        {
            let pieces = span.offset.checked_div(payload.chunk_bytes).unwrap_or(0);
            first = table.volume_of(before.saturating_sub(pieces));
        }
        let at_hand = self.source.volumes_at_hand().into_iter();
        at_hand.filter(|volume| *volume >= first).collect()
    }

    /// Writes a volume at hand to `out`, from its first chunk to its end, every stored chunk compared; it is not at hand any more. `progress`
    /// is told the bytes read so far.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-INTEGRITY`, `E-INCOMPLETE` and `E-IO` at X11; those that `told` makes of the errors of `out`.
    pub fn move_volume(
        &mut self,
        volume: usize,
        out: &mut dyn Write,
        told: &dyn Fn(io::Error) -> Error,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let Some(mut taken) = self.source.take(volume) else {
            return Err(Error::new(
                Class::Internal,
                "volumes",
                format!("volume {volume} is to be kept and is not at hand"),
            ));
        };
        copy_stored(
            &mut taken,
            self.chunks_of(volume),
            self.head.chunk_bytes,
            (out, told),
            progress,
        )
        .map_err(|error| error.at(Step::X11))
    }
}

/// Names numbers that ascend: three and more in a row by the first and the last.
fn runs(numbers: &[usize]) -> String {
    let in_a_row = |one: &usize, next: &usize| one.saturating_add(1) == *next;
    let runs = numbers.chunk_by(in_a_row).flat_map(|run| match run {
        [first, _, .., last] => vec![format!("{first} to {last}")],
        few => few.iter().map(ToString::to_string).collect(),
    });
    enumerated(&runs.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn many_numbers_are_told_by_their_ends() {
        assert_eq!(runs(&[2, 3]), "2 and 3");
        assert_eq!(runs(&[1, 3, 4, 5, 9, 10]), "1, 3 to 5, 9 and 10");
        assert_eq!(runs(&(4..=256).collect::<Vec<_>>()), "4 to 256");
    }
}
