//! What the writer knows of a deployment: the latest status of each revision, and what follows from all of them.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::condition::{states, without_ages};
use super::runs::Runs;
use crate::db::status::{Advertised, Repeat};
use crate::domain::{StatusKind, Timestamp, Uuid};

/// Revisions of a deployment whose latest status is kept at hand.
const REVISIONS: usize = 5;

/// What is known of a deployment.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Deployment {
    /// The latest status of each revision, oldest revision first.
    pub(super) statuses: Vec<Status>,
    /// The revision whose status came last.
    pub(super) open: Option<Uuid>,
    /// The newest revision.
    pub(super) newest: Option<Uuid>,
    /// How many statuses in a row came for another known revision.
    strays: u8,
    pub(super) runs: Runs,
    /// What was reported below this number is not in `runs`.
    reset: u64,
    /// What its agent was told last; from a table of its own.
    #[serde(skip)]
    pub(super) advertised: Option<Advertised>,
}

/// The latest status of a revision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) revision: Uuid,
    /// Row id of its record.
    pub(super) number: u64,
    /// Its number in the stream.
    pub(super) position: u64,
    /// Position of the record in which this run of equal reports began: another one, where that was frozen meanwhile.
    pub(super) began: u64,
    /// How often it came in the records of this run that were frozen.
    pub(super) earlier: u64,
    pub(super) kind: StatusKind,
    /// Over what it says, without ages.
    hash: i64,
    /// Over the states of containers in it.
    states: i64,
    /// Over the last text as it came.
    pub(super) said: i64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) count: u64,
    pub(super) entered: u64,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Row id.
    pub(super) number: u64,
    /// Number in its stream.
    pub(super) position: u64,
}

/// A status that came, before it is known where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) revision: Uuid,
    pub(super) kind: StatusKind,
    pub(super) message: &'a str,
    pub(super) at: Timestamp,
}

impl Report<'_> {
    fn hash(&self) -> i64 {
        content_hash(&[
            self.revision.as_bytes(),
            self.kind.as_str().as_bytes(),
            without_ages(self.message).as_bytes(),
        ])
    }

    fn states(&self) -> i64 {
        let parts: Vec<&[u8]> = states(self.message).into_iter().map(str::as_bytes).collect();
        content_hash(&parts)
    }

    /// Bytes that its text may take: twice where the last one is kept beside the first.
    pub(super) fn text_bytes(&self) -> u64 {
        let copies = if matches!(without_ages(self.message), std::borrow::Cow::Owned(_)) {
            2
        } else {
            1
        };
        (self.message.len() as u64).saturating_mul(copies)
    }
}

/// Hashes parts, each with its length in front.
pub(super) fn content_hash(parts: &[&[u8]]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    i64::from_be_bytes(bytes)
}

impl Deployment {
    /// Returns the status that came last.
    pub(super) fn open(&self) -> Option<&Status> {
        let open = self.open?;
        self.statuses.iter().find(|status| status.revision == open)
    }

    /// Statuses in records below this number are not about what its agent is told now.
    pub(super) fn floor(&self) -> u64 {
        self.advertised.map_or(0, |told| told.number)
    }

    /// Whether a report says just what the one before it said, but for ages.
    pub(super) fn repeats(&self, report: &Report<'_>) -> bool {
        self.open().is_some_and(|open| {
            open.number >= self.floor() && open.revision == report.revision && open.hash == report.hash()
        })
    }

    /// Whether a report is of another kind or revision than the one before it, names other states of containers, or is the first since
    /// its agent was told something else.
    pub(super) fn is_transition(&self, report: &Report<'_>) -> bool {
        self.open().is_none_or(|open| {
            open.number < self.floor()
                || open.revision != report.revision
                || open.kind != report.kind
                || open.states != report.states()
        })
    }

    /// Takes in one more of the same; returns how often it came.
    pub(super) fn count(&mut self, report: &Report<'_>) -> Option<(u64, Repeat)> {
        let open = self.open?;
        let status = self.statuses.iter_mut().find(|status| status.revision == open)?;
        status.count = status.count.saturating_add(1);
        status.last = report.at;
        let said = content_hash(&[report.message.as_bytes()]);
        let text = (said != status.said).then(|| report.message.to_owned());
        status.said = said;
        Some((
            status.number,
            Repeat {
                count: status.count,
                last: report.at,
                entered: status.entered,
                text,
            },
        ))
    }

    /// Takes in one more of the same that got a record of its own, because the one before is frozen. Since when it is so stays.
    pub(super) fn go_on(&mut self, report: &Report<'_>, place: Place) {
        let Some(open) = self.open else { return };
        let Some(status) = self.statuses.iter_mut().find(|status| status.revision == open) else {
            return;
        };
        status.earlier = status.earlier.saturating_add(status.count);
        (status.number, status.position) = (place.number, place.position);
        (status.count, status.entered) = (1, 1);
        status.last = report.at;
        status.said = content_hash(&[report.message.as_bytes()]);
    }

    /// Takes in a report that got a record, or came back to that record.
    pub(super) fn enter(&mut self, report: &Report<'_>, place: Place, before: Option<&Repeat>, first: Timestamp) {
        let Place { number, position } = place;
        if let Some(told) = self
            .advertised
            .filter(|told| self.reset < told.reset && number >= told.reset)
        {
            self.runs = Runs::default();
            self.reset = told.reset;
        }
        self.runs.step(report.revision, report.kind, report.message);
        let known = self.statuses.iter().any(|status| status.revision == report.revision);
        self.strays = match self.newest {
            Some(newest) if newest != report.revision && known => self.strays.saturating_add(1),
            _ => 0,
        };
        // One late status of an earlier revision changes nothing; several in a row mean that it is wanted again (D16).
        if self.newest.is_none() || !known || self.strays >= 2 {
            self.newest = Some(report.revision);
            self.strays = 0;
        }
        let (count, entered) = before.map_or((1, 1), |before| {
            (before.count.saturating_add(1), before.entered.saturating_add(1))
        });
        let status = Status {
            revision: report.revision,
            number,
            position,
            began: position,
            earlier: 0,
            kind: report.kind,
            hash: report.hash(),
            states: report.states(),
            said: content_hash(&[report.message.as_bytes()]),
            first,
            last: report.at,
            count,
            entered,
        };
        let place = self
            .statuses
            .iter_mut()
            .find(|status| status.revision == report.revision);
        if let Some(place) = place {
            *place = status;
        } else {
            self.statuses.push(status);
            if self.statuses.len() > REVISIONS {
                self.statuses.remove(0);
            }
        }
        self.open = Some(report.revision);
    }
}
