//! A document of an answer: read from its file piece by piece, with this site's values in it, in the form in which the answer holds it.

use std::os::unix::fs::FileExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::resources::{Role, Wanted};
use crate::appliance::fleet::{SiteView, for_compose, for_site};
use crate::bundle::Substitution;
use crate::domain::{Class, Error, Result, limits};
use crate::store::{BlobReader, Store};

/// Fewest bytes that are read at once: longer than any place that a value is put into.
const PART_BYTES: usize = 256;

/// The file of a document, open, and which part of it is the document.
#[derive(Debug, Clone)]
pub(super) struct Source {
    reader: BlobReader,
    at: u64,
    end: u64,
}

/// An open document, and how far it was read.
#[derive(Debug)]
pub(super) struct Document {
    source: Source,
    substitution: Substitution,
    base64: bool,
    /// Bytes that wait for others: base64 takes three at a time.
    carried: Vec<u8>,
}

impl Source {
    /// Opens a document. It was hashed, in the very file that is there now; values of a chart are a JSON object.
    ///
    /// # Errors
    ///
    /// `E-STATE` when it is gone, changed, or no JSON object where one must be; `E-IO`.
    pub(super) fn open(wanted: &Wanted, store: &Store, site: &SiteView) -> Result<Self> {
        let digest = &wanted.digest;
        store.verify(digest, limits::MANIFEST_BYTES)?;
        // It may be gone since: what says so then says what helps.
        let end = match store.size_of(digest)? {
            Some(size) => size,
            None => store.read(digest, limits::MANIFEST_BYTES)?.len() as u64,
        };
        let reader = store.open_checked(digest, end, 0, || Ok(None))?;
        let mut source = Self { reader, at: 0, end };
        if wanted.role == Role::Values {
            (source.at, source.end) = source.object(&for_site(site))?;
        }
        Ok(source)
    }

    /// Returns where the JSON object of the document begins and ends: the bytes that the vendor signed, so that numbers stay numbers.
    fn object(&self, substitution: &Substitution) -> Result<(u64, u64)> {
        let bytes = self.bytes(usize::try_from(self.end).unwrap_or(usize::MAX))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| no_object("are not UTF-8"))?;
        let rendered = substitution.whole(text.trim().as_bytes());
        let value: Option<&RawValue> = std::str::from_utf8(&rendered)
            .ok()
            .and_then(|rendered| serde_json::from_str(rendered).ok());
        if !value.is_some_and(|value| value.get().starts_with('{')) {
            return Err(no_object("are no JSON object"));
        }
        let start = text.len().saturating_sub(text.trim_start().len());
        Ok((start as u64, text.trim_end().len() as u64))
    }

    fn bytes(&self, most: usize) -> Result<Vec<u8>> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(most)];
        self.reader.file().read_exact_at(&mut bytes, self.at).map_err(|error| {
            Error::new(Class::Io, "io", format!("cannot read a document: {error}")).with_source(error)
        })?;
        Ok(bytes)
    }
}

impl Document {
    /// Begins a document, as it is wanted, from its beginning.
    pub(super) fn of(source: Source, wanted: &Wanted, site: &SiteView) -> Self {
        Self {
            source,
            substitution: match wanted.role {
                Role::Compose(deployment) => for_compose(site, deployment),
                Role::Environment | Role::Values => for_site(site),
            },
            base64: wanted.role != Role::Values,
            carried: Vec::new(),
        }
    }

    /// Adds what comes next, about `room` bytes of it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn read(&mut self, room: usize, out: &mut Vec<u8>) -> Result<()> {
        let grown = self.substitution.growth().saturating_mul(4);
        let part = room.saturating_mul(3).checked_div(grown).unwrap_or(0).max(PART_BYTES);
        let bytes = self.source.bytes(part)?;
        let last = self.source.at.saturating_add(bytes.len() as u64) >= self.source.end;
        if !self.base64 {
            let taken = self.substitution.apply(&bytes, last, out);
            self.source.at = self.source.at.saturating_add(taken as u64);
            return Ok(());
        }
        let mut plain = std::mem::take(&mut self.carried);
        let taken = self.substitution.apply(&bytes, last, &mut plain);
        self.source.at = self.source.at.saturating_add(taken as u64);
        if !last {
            self.carried = plain.split_off(plain.len().saturating_sub(plain.len() % 3));
        }
        out.extend_from_slice(STANDARD.encode(plain).as_bytes());
        Ok(())
    }

    /// Whether everything was read.
    pub(super) fn is_done(&self) -> bool {
        self.source.at >= self.source.end
    }
}

/// Values that the vendor signed and no agent can be told.
fn no_object(found: &str) -> Error {
    Error::new(Class::State, "desired-state", format!("values {found}"))
        .expected("values that are a JSON object, as `airlock bundle create` writes them")
        .remedy("ask the vendor for a newer release with such values, and import it")
}
