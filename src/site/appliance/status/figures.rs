//! What the buffer holds, in numbers: for whoever watches it from outside.

use std::collections::BTreeMap;

use super::buffer::StatusBuffer;
use super::overview::last_contacts;
use crate::db::status;
use crate::domain::{Result, Timestamp, Uuid};

/// Numbers of the buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// When the agent of each target was heard last.
    pub contacts: BTreeMap<Uuid, Timestamp>,
    /// Records that were numbered so far, in all streams.
    pub numbered: u64,
    /// Of these, what vendors acknowledged.
    pub acknowledged: u64,
    /// Bytes that are held, by the word of their class.
    pub bytes: BTreeMap<&'static str, u64>,
    /// Records that are missing, by the word of the reason.
    pub missing: BTreeMap<&'static str, u64>,
}

impl StatusBuffer {
    /// Returns what the buffer holds, in numbers.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn figures(&self) -> Result<Figures> {
        self.read(|connection| {
            let mut figures = Figures::default();
            let contacts = last_contacts(connection)?.into_iter();
            figures.contacts = contacts.map(|(id, (_, last))| (id, last)).collect();
            for stream in status::streams(connection)? {
                figures.numbered = figures.numbered.saturating_add(stream.last());
                figures.acknowledged = figures.acknowledged.saturating_add(stream.acknowledged);
            }
            for (_, class, bytes) in status::usage(connection)? {
                let held = figures.bytes.entry(class.as_str()).or_default();
                *held = held.saturating_add(bytes);
            }
            for gap in status::gaps(connection)? {
                let missing = figures.missing.entry(gap.reason.as_str()).or_default();
                *missing = missing.saturating_add(gap.count);
            }
            Ok(figures)
        })
    }
}
