//! Where lines go: texts are redacted and cut on the way, numbers cut to the range of documents.

use super::super::redact::Redactor;
use crate::appliance::secret::KnownValues;
use crate::db::site::site_revisions::SiteRevisions;
use crate::domain::{Result, limits};
use crate::package::{Line, PackageWriter, Quoted, Taken};

/// Receipts and rows that are read at a time.
pub(super) const BATCH: usize = 256;

/// Where lines go, and how far that is.
pub(in super::super) struct Sink<'a, 'w> {
    pub(in super::super) writer: &'a mut PackageWriter<'w>,
    pub(in super::super) redactor: &'a Redactor,
    /// Values of secrets: they never leave.
    pub(in super::super) known: &'a KnownValues,
    /// What revisions of this site stand for: those never leave.
    pub(in super::super) revisions: &'a SiteRevisions,
    /// Told how many bytes of lines were written.
    pub(in super::super) progress: &'a mut dyn FnMut(u64),
}

impl Sink<'_, '_> {
    pub(super) fn push(&mut self, line: &Line) -> Result<Taken> {
        let taken = self.writer.push(line)?;
        (self.progress)(self.writer.taken_bytes());
        Ok(taken)
    }

    pub(super) fn text(&self, text: &str) -> Quoted {
        self.redactor.within_known(text, limits::QUOTED_TEXT_BYTES, self.known)
    }

    pub(super) fn name(&self, text: &str) -> Quoted {
        self.redactor.within_known(text, limits::QUOTED_NAME_BYTES, self.known)
    }
}

/// Cuts a number to the range of documents.
pub(super) fn cut(number: u64) -> u64 {
    number.min(limits::JSON_INTEGER_MAX)
}
