//! What a line of the index says of a blob that travels encoded (SPEC M-141 to M-144).

use serde_json::{Map, Value, json};

use crate::domain::{Class, Digest, Error, Result, limits};

/// How a blob travels: the table of a bundle's index holds one for each encoded blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The plain is the blob itself.
    Plain,
}

/// The member `encoding` of a line as it stands, its members and their types checked.
#[derive(Debug)]
pub(crate) struct EncodingLine {
    form: Form,
    bases: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
}

/// Features that a line needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mentioned {
    /// Whether it has bases.
    pub(crate) delta: bool,
}

impl EncodingLine {
    /// Reads the value of the member (M-141).
    ///
    /// # Errors
    ///
    /// `E-FORMAT encoding`, also for a form or producer that this reader does not know: a bundle that names its feature was refused before.
    pub(crate) fn parse(value: &Value) -> Result<Self> {
        let members = value.as_object().ok_or_else(|| wrong("is no object"))?;
        let form = members.get("form").and_then(Value::as_str);
        let known: &[&str] = match form {
            Some("plain") => &["bases", "form"],
            Some("gzip") => &["bases", "form", "plain_digest", "plain_size", "producer"],
            _ => return Err(wrong("names no form that is known")),
        };
        if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(wrong(&format!("has the member {other:?}, which its form does not")));
        }
        let bases = check_bases(members)?;
        if form == Some("gzip") {
            check_gzip(members)?;
            // None is known before its emulator is there.
            return Err(wrong("names a producer that is not known"));
        }
        Ok(Self {
            form: Form::Plain,
            bases,
        })
    }

    /// Returns the features that it needs beside the encoding itself.
    pub(crate) fn mentioned(&self) -> Mentioned {
        Mentioned { delta: self.bases }
    }

    /// Returns what it says, once its features were found to be required.
    pub(crate) fn encoding(&self) -> Encoding {
        match self.form {
            Form::Plain => Encoding::Plain,
        }
    }
}

impl Encoding {
    /// Returns the member as it stands in a line.
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Plain => json!({"form": "plain"}),
        }
    }

    /// Returns the bytes of the plain of a blob.
    pub(crate) fn plain_size(self, size: u64) -> u64 {
        match self {
            Self::Plain => size,
        }
    }
}

/// Bounds the plain of one blob (M-144).
///
/// # Errors
///
/// `E-LIMIT plain-size`.
pub(crate) fn check_plain_size(digest: &Digest, plain: u64) -> Result<()> {
    if (1..=limits::PLAIN_BYTES).contains(&plain) {
        return Ok(());
    }
    Err(Error::new(
        Class::Limit,
        "plain-size",
        format!("the plain of {digest} has {plain} bytes"),
    )
    .expected(format!("1 to {}", limits::PLAIN_BYTES))
    .remedy("ask the vendor for a bundle made with --encodings none"))
}

/// Whether there are bases; a list of digests, whatever their number.
fn check_bases(members: &Map<String, Value>) -> Result<bool> {
    let Some(bases) = members.get("bases") else {
        return Ok(false);
    };
    let list = bases.as_array().ok_or_else(|| wrong("has bases that are no list"))?;
    if list.iter().all(is_digest) {
        Ok(true)
    } else {
        Err(wrong("has bases that are no digests"))
    }
}

fn check_gzip(members: &Map<String, Value>) -> Result<()> {
    let size = members.get("plain_size").and_then(Value::as_u64);
    let complete = size.is_some_and(|size| size <= limits::JSON_INTEGER_MAX)
        && members.get("plain_digest").is_some_and(is_digest)
        && members.get("producer").is_some_and(Value::is_string);
    if complete {
        Ok(())
    } else {
        Err(wrong("lacks what its form needs"))
    }
}

fn is_digest(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Digest>().is_ok())
}

fn wrong(found: &str) -> Error {
    Error::new(
        Class::Format,
        "encoding",
        format!("the encoding of a blob line {found}"),
    )
    .expected("form plain, or form gzip with plain_digest, plain_size and a known producer")
    .remedy("ask the vendor for a bundle made with --encodings none")
}
