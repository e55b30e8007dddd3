//! Branches of a template: which of them come out, here and elsewhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::asks::Ask;
use super::expression::truth;

/// How sure it is that what follows comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comes {
    Yes,
    No,
    Perhaps,
}

impl Comes {
    /// What a condition decides; nothing is one that cannot be told.
    pub(super) fn of(condition: Option<&Value>) -> Self {
        match condition {
            Some(value) if truth(value) => Self::Yes,
            Some(_) => Self::No,
            None => Self::Perhaps,
        }
    }

    /// Whether one of two branches came out.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Perhaps, _) | (_, Self::Perhaps) => Self::Perhaps,
            (Self::No, Self::No) => Self::No,
        }
    }

    /// Whether a branch comes out behind those of which `self` says whether one did.
    pub(super) fn then(self, own: Self) -> Self {
        match (self, own) {
            (Self::Yes, _) | (_, Self::No) => Self::No,
            (Self::No, own) => own,
            (Self::Perhaps, _) => Self::Perhaps,
        }
    }
}

/// A block that is open.
pub(super) struct Block {
    /// Whether this branch of it comes out.
    pub(super) comes: Comes,
    /// Whether a branch before it did.
    pub(super) before: Comes,
    /// What `.` and `$` were outside.
    pub(super) dot: Option<Value>,
    pub(super) root: Option<Value>,
    /// `define`: comes out although nothing says that it does.
    pub(super) defines: bool,
    /// The line on which it began, and how long that was.
    pub(super) began: (usize, usize),
    /// Open questions that decide which branch comes out.
    pub(super) asks: BTreeSet<Ask>,
    /// Whether helm takes this branch here.
    pub(super) here: Comes,
    /// Whether it took one before.
    pub(super) before_here: Comes,
}

impl Block {
    /// It may come out at a site although it does not here.
    pub(super) fn elsewhere(&self) -> bool {
        !self.asks.is_empty() && self.comes != Comes::No && self.here != Comes::Yes
    }
}
