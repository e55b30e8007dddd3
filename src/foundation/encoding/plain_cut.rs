//! Which record holds which bytes of a plain: derived from its size (SPEC M-148, M-150).

/// Plain bytes of a full record, and the most that a record's body has.
pub(super) const RECORD: u64 = 4 << 20;
/// Plain bytes of a full group: its first record has no prefix, so that it is decoded without what stands before it.
pub(super) const GROUP: u64 = 64 << 20;
/// Plain bytes before a record that are its prefix, at most.
pub(super) const PREFIX: usize = 8 << 20;

/// The records of a plain, one after the other.
#[derive(Debug)]
pub(super) struct PlainCut {
    size: u64,
    offset: u64,
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordSpan {
    /// Its plain bytes, never 0 and at most [`RECORD`].
    pub(super) plain: u64,
    /// Whether a group begins with it.
    pub(super) first: bool,
}

impl PlainCut {
    pub(super) fn new(size: u64) -> Self {
        Self { size, offset: 0 }
    }
}

impl Iterator for PlainCut {
    type Item = RecordSpan;

    fn next(&mut self) -> Option<RecordSpan> {
        // Groups end where records do: 64 MiB are sixteen of them.
        let plain = self.size.saturating_sub(self.offset).min(RECORD);
        if plain == 0 {
            return None;
        }
        let first = self.offset.is_multiple_of(GROUP);
        self.offset = self.offset.saturating_add(plain);
        Some(RecordSpan { plain, first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_is_cut_into_records_and_these_into_groups() {
        let cut = |size| {
            PlainCut::new(size)
                .map(|span| (span.plain, span.first))
                .collect::<Vec<_>>()
        };
        assert_eq!(cut(0), []);
        assert_eq!(cut(1), [(1, true)]);
        assert_eq!(cut(RECORD + 1), [(RECORD, true), (1, false)]);
        let two_groups = cut(GROUP + RECORD + 7);
        assert_eq!(two_groups.len(), 18);
        let firsts: Vec<_> = (0..18).filter(|n| two_groups[*n].1).collect();
        assert_eq!(firsts, [0, 16]);
        assert_eq!(two_groups[17], (7, false));
        assert_eq!(cut(GROUP).len(), 16);
    }
}
