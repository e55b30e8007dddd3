//! What a line of the index says of a blob that travels encoded (SPEC M-141 to M-144).

use serde_json::{Map, Value, json};

use crate::domain::{Class, Digest, Error, Result, limits};
use crate::producer::Producer;

/// How a blob travels: the table of a bundle's index holds one for each encoded blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The plain is the blob itself.
    Plain,
    /// The blob is a gzip file, made of its plain by a recipe.
    Gzip(Gzip),
}

/// Who made a gzip file, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gzip {
    /// Who.
    pub producer: Producer,
    /// Bytes of the plain.
    pub plain_size: u64,
    /// Its digest.
    pub plain_digest: Digest,
}

/// The member `encoding` of a line as it stands, its members and their types checked.
#[derive(Debug)]
pub(crate) struct EncodingLine {
    encoding: Encoding,
    bases: Option<Vec<Digest>>,
}

/// Features that a line needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mentioned {
    /// Whether it has bases.
    pub(crate) delta: bool,
    /// Who makes the blob again.
    pub(crate) producer: Option<Producer>,
}

impl EncodingLine {
    /// Reads the value of the member (M-141).
    ///
    /// # Errors
    ///
    /// `E-FORMAT encoding`, also for a form or producer that this reader does not know: a bundle that names its feature was refused before;
    /// `E-FORMAT grammar` for a number that is no integer, as everywhere in the index.
    pub(crate) fn parse(value: &Value) -> Result<Self> {
        if !is_of_integers(value) {
            return Err(Error::new(
                Class::Format,
                "grammar",
                "the encoding of a blob line holds a number that is no integer",
            ));
        }
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
        let bases = bases(members)?;
        let encoding = if form == Some("gzip") {
            Encoding::Gzip(gzip(members)?)
        } else {
            Encoding::Plain
        };
        Ok(Self { encoding, bases })
    }

    /// Returns the features that it needs beside the encoding itself.
    pub(crate) fn mentioned(&self) -> Mentioned {
        Mentioned {
            delta: self.bases.is_some(),
            producer: self.encoding.producer(),
        }
    }

    /// Returns what it says, once its features were found to be required.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Returns the bases that it mentions, whatever their number; nothing where it speaks of none.
    pub(crate) fn bases(&self) -> Option<&[Digest]> {
        self.bases.as_deref()
    }
}

impl Encoding {
    /// Returns its word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "chained",
            Self::Gzip(_) => "gzip-recipe",
        }
    }

    /// Returns the member as it stands in a line of a blob with these bases.
    pub fn to_value(self, bases: &[Digest]) -> Value {
        let mut value = match self {
            Self::Plain => json!({"form": "plain"}),
            Self::Gzip(gzip) => json!({
                "form": "gzip", "plain_digest": gzip.plain_digest, "plain_size": gzip.plain_size,
                "producer": gzip.producer.as_str(),
            }),
        };
        if let (false, Some(members)) = (bases.is_empty(), value.as_object_mut()) {
            members.insert("bases".to_owned(), json!(bases));
        }
        value
    }

    /// Returns the bytes of the plain of a blob.
    pub fn plain_size(self, size: u64) -> u64 {
        match self {
            Self::Plain => size,
            Self::Gzip(gzip) => gzip.plain_size,
        }
    }

    /// Returns who makes the blob again, if anybody does.
    pub fn producer(self) -> Option<Producer> {
        match self {
            Self::Plain => None,
            Self::Gzip(gzip) => Some(gzip.producer),
        }
    }

    /// Bounds the plain of a blob of so many bytes (M-144).
    ///
    /// # Errors
    ///
    /// `E-LIMIT plain-size`.
    pub(crate) fn check_plain_size(self, digest: &Digest, size: u64) -> Result<()> {
        let most = match self {
            Self::Plain => limits::PLAIN_BYTES,
            Self::Gzip(_) => limits::PLAIN_BYTES.min(size.saturating_mul(limits::PLAIN_FOR_A_BYTE)),
        };
        check_plain_size(digest, self.plain_size(size), most)
    }
}

/// Bounds the plain of one blob or need.
///
/// # Errors
///
/// `E-LIMIT plain-size`.
pub(crate) fn check_plain_size(digest: &Digest, plain: u64, most: u64) -> Result<()> {
    if (1..=most).contains(&plain) {
        return Ok(());
    }
    Err(Error::new(
        Class::Limit,
        "plain-size",
        format!("the plain of {digest} has {plain} bytes"),
    )
    .expected(format!("1 to {most}"))
    .remedy("ask the vendor for a bundle made with --encodings none"))
}

/// The bases, if it speaks of any: a list of digests, whatever their number.
fn bases(members: &Map<String, Value>) -> Result<Option<Vec<Digest>>> {
    let Some(bases) = members.get("bases") else {
        return Ok(None);
    };
    let list = bases.as_array().ok_or_else(|| wrong("has bases that are no list"))?;
    let digests: Option<Vec<Digest>> = list.iter().map(digest).collect();
    digests.map(Some).ok_or_else(|| wrong("has bases that are no digests"))
}

fn gzip(members: &Map<String, Value>) -> Result<Gzip> {
    let size = members.get("plain_size").and_then(Value::as_u64);
    let lacks = || wrong("lacks what its form needs");
    let producer = members.get("producer").and_then(Value::as_str).ok_or_else(lacks)?;
    Ok(Gzip {
        plain_size: size
            .filter(|size| *size <= limits::JSON_INTEGER_MAX)
            .ok_or_else(lacks)?,
        plain_digest: members.get("plain_digest").and_then(digest).ok_or_else(lacks)?,
        producer: Producer::parse(producer).ok_or_else(|| wrong("names a producer that is not known"))?,
    })
}

fn is_of_integers(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_u64() || number.is_i64(),
        Value::Array(values) => values.iter().all(is_of_integers),
        Value::Object(members) => members.values().all(is_of_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn digest(value: &Value) -> Option<Digest> {
    value.as_str()?.parse().ok()
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
