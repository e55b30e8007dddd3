//! A document of an answer: read from its file piece by piece, with this site's values in it, in the form in which the answer holds it.

use std::os::unix::fs::FileExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::resources::{Role, Wanted, misread};
use crate::appliance::fleet::{SiteView, Values, for_compose, for_site};
use crate::bundle::{SecretForm, Substitution};
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
    carried: Zeroizing<Vec<u8>>,
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
    /// Begins a document, as it is wanted, from its beginning, with the values of its deployment's secrets.
    pub(super) fn of(source: Source, wanted: &Wanted, site: &SiteView, values: &Values) -> Self {
        let (substitution, form) = match wanted.role {
            Role::Compose(deployment) => (for_compose(site, deployment), SecretForm::Compose),
            Role::Environment => (for_site(site), SecretForm::Environment),
            Role::Values => (for_site(site), SecretForm::Values),
        };
        Self {
            source,
            substitution: substitution.with_secrets(form, values.iter()),
            base64: wanted.role != Role::Values,
            carried: Zeroizing::default(),
        }
    }

    /// Returns how many bytes all of it has once the values are in it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn rendered_bytes(&self) -> Result<u64> {
        let whole = self.source.bytes(usize::MAX)?;
        Ok(whole.len().saturating_add(self.substitution.added(&whole)) as u64)
    }

    /// Adds what comes next, about `room` bytes of it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn read(&mut self, room: usize, out: &mut Zeroizing<Vec<u8>>) -> Result<()> {
        let grown = self.substitution.growth().saturating_mul(4);
        let part = room.saturating_mul(3).checked_div(grown).unwrap_or(0).max(PART_BYTES);
        let bytes = self.source.bytes(part)?;
        let last = self.source.at.saturating_add(bytes.len() as u64) >= self.source.end;
        // Values come into buffers that have room for them: one that grew would leave them where it was.
        let most = bytes.len().saturating_add(self.substitution.added(&bytes));
        let carried = std::mem::take(&mut self.carried);
        let mut plain = Zeroizing::new(Vec::with_capacity(carried.len().saturating_add(most)));
        plain.extend_from_slice(&carried);
        let taken = self.substitution.apply(&bytes, last, &mut plain);
        self.source.at = self.source.at.saturating_add(taken as u64);
        if !self.base64 {
            add(out, &plain);
            return Ok(());
        }
        let whole = if last {
            plain.len()
        } else {
            plain.len().saturating_sub(plain.len() % 3)
        };
        let (now, later) = plain.split_at_checked(whole).unwrap_or((&plain, &[]));
        self.carried = Zeroizing::new(later.to_vec());
        let mut encoded = Zeroizing::new(vec![0; now.len().div_ceil(3).saturating_mul(4)]);
        let length = STANDARD
            .encode_slice(now, &mut encoded)
            .map_err(|_| misread("base64 has another length"))?;
        add(out, encoded.get(..length).unwrap_or_default());
        Ok(())
    }

    /// Whether everything was read.
    pub(super) fn is_done(&self) -> bool {
        self.source.at >= self.source.end
    }
}

/// Adds bytes to a buffer that may hold secrets: where it has no room it is copied, and what it had is wiped.
pub(super) fn add(out: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = out.len().saturating_add(bytes.len());
    if needed > out.capacity() {
        let mut grown = Zeroizing::new(Vec::with_capacity(needed.max(out.capacity().saturating_mul(2))));
        grown.extend_from_slice(out);
        *out = grown;
    }
    out.extend_from_slice(bytes);
}

/// Values that the vendor signed and no agent can be told.
fn no_object(found: &str) -> Error {
    Error::new(Class::State, "desired-state", format!("values {found}"))
        .expected("values that are a JSON object, as `airlock bundle create` writes them")
        .remedy("ask the vendor for a newer release with such values, and import it")
}
