//! `AIRLOCK_SLOW`: how much of the long sweeps is run.

use std::sync::OnceLock;

/// One part in so many of each of the longest sweeps; what is shorter runs whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    part: usize,
    of: usize,
}

impl Share {
    /// `AIRLOCK_SLOW=1`: all of them. `AIRLOCK_SLOW=K/N`: the Kth of N parts, so that N runs cover everything.
    fn read(text: &str) -> Option<Self> {
        let (part, of) = text.split_once('/').unwrap_or(("1", text));
        let (part, of) = (part.parse().ok()?, of.parse().ok()?);
        (1..=of).contains(&part).then_some(Self { part, of })
    }

    /// Whether this point of a sweep is tried.
    pub(crate) fn takes(self, number: usize) -> bool {
        number % self.of == self.part - 1
    }

    /// The first point, and how far the next one is.
    pub(crate) fn points(self) -> (usize, usize) {
        (self.part - 1, self.of)
    }

    /// How many random cases are tried of so many; each part begins with another seed.
    pub(crate) fn random(self, count: usize) -> (usize, u64) {
        (count.div_ceil(self.of), self.part as u64 - 1)
    }
}

/// What was asked for; nothing in a run that shall be fast.
pub(crate) fn share() -> Option<Share> {
    static SHARE: OnceLock<Option<Share>> = OnceLock::new();
    *SHARE.get_or_init(|| {
        let text = std::env::var("AIRLOCK_SLOW").ok()?;
        let share = Share::read(&text);
        assert!(
            share.is_some(),
            "AIRLOCK_SLOW is 1 for everything or K/N for a part, not {text:?}"
        );
        share
    })
}

#[test]
fn parts_are_disjoint_and_cover_everything() {
    let parts: Vec<Share> = ["1/3", "2/3", "3/3"].map(|text| Share::read(text).unwrap()).to_vec();
    for number in 0..20 {
        assert_eq!(parts.iter().filter(|part| part.takes(number)).count(), 1, "{number}");
    }
    assert!((0..9).all(|number| Share::read("1").unwrap().takes(number)));
    for wrong in ["", "0", "0/3", "4/3", "x", "1/0"] {
        assert_eq!(Share::read(wrong), None, "{wrong}");
    }
}
