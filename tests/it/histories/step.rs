//! What may happen in a history: one act, and three numbers that say to whom and how, so that a history stays one when steps are left out.

use std::fmt;

/// A generator of numbers that is the same on every machine (xorshift64*).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Neighbouring seeds begin alike.
        for _ in 0..4 {
            dice.roll(2);
        }
        dice
    }

    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % sides
    }
}

/// An act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    /// Agents of one vendor's targets report.
    Report,
    /// A bundle is brought in, or comes again, or is refused.
    Import,
    /// A release that is here is made live.
    Activate,
    /// A draft is made, and stays here.
    Preview,
    /// What the draft holds, or a new package, leaves; or does not get out.
    Export,
    /// A run of small packages leaves.
    ExportRun,
    /// A package leaves again.
    Again,
    /// One of the packages under way arrives.
    Deliver,
    /// Some of them arrive at once.
    DeliverSome,
    /// One of them is lost.
    Lose,
    /// The vendor acknowledges, in a file.
    Acknowledge,
    /// The vendor signs a bundle that brings the acknowledgement.
    Answer,
    /// One of all acknowledgements that were ever made arrives.
    Hear,
    /// A copy of the state folder is put aside.
    Backup,
    /// A copy is put back.
    Restore,
    /// The disk is turned back as a whole, which nothing shows.
    TurnBack,
    /// Another copy of the folder goes on beside this one.
    Clone,
    /// As that, by a copy of the disk.
    CloneDisk,
    /// Somebody says what was done.
    Recover,
    /// The keys of the site are replaced.
    Rotate,
    /// The vendor takes the next enrolment file.
    Enrol,
    /// A copy of the workspace is put aside.
    BackupLedger,
    /// It is put back.
    RestoreLedger,
    /// The vendor learns its releases again.
    Learn,
    /// The site's clock goes elsewhere.
    Clock,
}

/// How often each act is drawn.
const WEIGHTS: [(Act, usize); 25] = [
    (Act::Report, 18),
    (Act::Import, 4),
    (Act::Activate, 1),
    (Act::Preview, 3),
    (Act::Export, 14),
    (Act::ExportRun, 2),
    (Act::Again, 3),
    (Act::Deliver, 18),
    (Act::DeliverSome, 4),
    (Act::Lose, 3),
    (Act::Acknowledge, 7),
    (Act::Answer, 2),
    (Act::Hear, 9),
    (Act::Backup, 3),
    (Act::Restore, 2),
    (Act::TurnBack, 1),
    (Act::Clone, 1),
    (Act::CloneDisk, 1),
    (Act::Recover, 2),
    (Act::Rotate, 1),
    (Act::Enrol, 3),
    (Act::BackupLedger, 1),
    (Act::RestoreLedger, 1),
    (Act::Learn, 1),
    (Act::Clock, 2),
];

/// One step of a history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) numbers: [usize; 3],
}

impl Step {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let all: usize = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut rolled = dice.roll(all);
        let act = WEIGHTS.iter().find(|(_, weight)| {
            let found = rolled < *weight;
            rolled = rolled.saturating_sub(*weight);
            found
        });
        Self {
            act: act.unwrap().0,
            numbers: [0; 3].map(|_| dice.roll(1 << 16)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.numbers;
        write!(f, "{:?} {a} {b} {c}", self.act)
    }
}
