//! The chain of trust roots: pinned once, moved forward only by links that old and new keys both signed (TUF 5.3).

use serde::{Deserialize, Serialize};

use super::canonical;
use super::envelope::{Envelope, PayloadType, verify_role};
use super::root::{RoleName, RootDocument, RootReader, fingerprint};
use crate::domain::{Class, Error, Hash, Result, Version, limits};

/// Roots 1..N of one trust domain, every link verified.
///
/// There is no other way to hold one than to have walked it from root 1, whose fingerprint a person compared.
#[derive(Debug, Clone)]
pub struct Chain {
    links: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Link {
    envelope: Envelope,
    document: RootDocument,
}

/// A chain file, `root.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainFile {
    roots: Vec<Envelope>,
}

/// What a walk along new links came to.
#[derive(Debug)]
pub struct ChainStep {
    /// The chain with every valid new link; the same as before when there was none.
    pub chain: Chain,
    /// How many links are new.
    pub added: usize,
    /// Why the walk ended before the last link offered. The valid prefix stays valid (TUF 5.3.8).
    pub refusal: Option<Error>,
}

impl Chain {
    /// Reads a chain file: roots 1..N.
    ///
    /// # Errors
    ///
    /// `E-TRUST` and `E-LIMIT`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() as u64 > limits::TRUST_BYTES {
            return Err(Error::new(
                Class::Limit,
                "chain-size",
                format!("a chain file has {} bytes", bytes.len()),
            )
            .expected(format!("at most {}", limits::TRUST_BYTES)));
        }
        let file: ChainFile =
            canonical::envelopes_from_slice(bytes, "the chain file").map_err(|error| error.into_class(Class::Trust))?;
        let mut envelopes = file.roots.into_iter();
        let first = envelopes
            .next()
            .ok_or_else(|| trust("chain-file", "the chain file holds no root"))?;
        let step = Self::start(first)?.extend(&envelopes.collect::<Vec<_>>());
        match step.refusal {
            Some(refusal) => Err(refusal),
            None => Ok(step.chain),
        }
    }

    /// Starts a chain at root 1, which a threshold of its own root role must have signed.
    ///
    /// # Errors
    ///
    /// `E-TRUST` and `E-LIMIT`.
    pub fn start(envelope: Envelope) -> Result<Self> {
        check_type(&envelope)?;
        let document = RootDocument::parse(&envelope.payload)?;
        if document.version != 1 {
            return Err(trust("version", format!("a chain starts with root {}", document.version)).expected("root 1"));
        }
        verify_root(&document, &envelope)?;
        Ok(Self {
            links: vec![Link { envelope, document }],
        })
    }

    /// Walks links, those already held and new ones, and takes every valid new one.
    ///
    /// Links up to the newest held must have identical payload bytes; their signatures are verified as those of a new link,
    /// never compared, because surplus signatures are legal.
    pub fn extend(&self, envelopes: &[Envelope]) -> ChainStep {
        let mut chain = self.clone();
        let refusal = chain.walk(envelopes).err();
        ChainStep {
            added: chain.links.len().saturating_sub(self.links.len()),
            chain,
            refusal,
        }
    }

    fn walk(&mut self, envelopes: &[Envelope]) -> Result<()> {
        if envelopes.len() > limits::ROOT_LINKS {
            return Err(Error::new(
                Class::Limit,
                "links",
                format!("{} root links are offered", envelopes.len()),
            )
            .expected(format!("at most {}", limits::ROOT_LINKS)));
        }
        let mut version: u64 = 1;
        for envelope in envelopes {
            check_type(envelope)?;
            let previous = self
                .document(version)
                .ok_or_else(|| trust("gap", "a root link is missing"))?
                .clone();
            version = version.saturating_add(1);
            let held = self.envelope(version).map(|held| held.payload.clone());
            if let Some(held) = &held
                && *held != envelope.payload
            {
                return Err(
                    trust("other-root", format!("root {version} differs from the one held here"))
                        .remedy("copy the bundle again; where that changes nothing, compare the fingerprints with the vendor over a second channel"),
                );
            }
            verify_root(&previous, envelope)?;
            refuse_newer_reader(&envelope.payload)?;
            let document = RootDocument::parse(&envelope.payload)?;
            if document.version != version {
                return Err(trust(
                    "version",
                    format!("root {} stands where root {version} belongs", document.version),
                ));
            }
            verify_root(&document, envelope)?;
            if held.is_none() {
                self.links.push(Link {
                    envelope: envelope.clone(),
                    document,
                });
            }
        }
        Ok(())
    }

    /// Returns the newest root.
    pub fn newest(&self) -> &RootDocument {
        &self.links.last().expect("a chain has root 1").document
    }

    /// Returns the root of a version.
    pub fn document(&self, version: u64) -> Option<&RootDocument> {
        self.link(version).map(|link| &link.document)
    }

    /// Returns the envelope of a version's root.
    pub fn envelope(&self, version: u64) -> Option<&Envelope> {
        self.link(version).map(|link| &link.envelope)
    }

    fn link(&self, version: u64) -> Option<&Link> {
        self.links.get(usize::try_from(version.checked_sub(1)?).ok()?)
    }

    /// Returns the envelopes of roots 2..N: what a bundle carries.
    pub fn links(&self) -> impl Iterator<Item = &Envelope> {
        self.links.iter().skip(1).map(|link| &link.envelope)
    }

    /// Returns the trust domain: the hash of root 1's payload.
    pub fn domain(&self) -> Hash {
        fingerprint(&self.links.first().expect("a chain has root 1").envelope.payload)
    }

    /// Returns the fingerprint to compare by voice: the hash of the newest root's payload.
    pub fn fingerprint(&self) -> Hash {
        fingerprint(&self.links.last().expect("a chain has root 1").envelope.payload)
    }

    /// Returns the chain file.
    pub fn to_file(&self) -> Vec<u8> {
        canonical::to_vec(&ChainFile {
            roots: self.links.iter().map(|link| link.envelope.clone()).collect(),
        })
    }
}

fn check_type(envelope: &Envelope) -> Result<()> {
    if envelope.payload_type == PayloadType::TrustRoot {
        Ok(())
    } else {
        Err(trust(
            "wrong-type",
            format!("a root link holds {}", envelope.payload_type.as_str()),
        )
        .expected(PayloadType::TrustRoot.as_str()))
    }
}

/// Verifies an envelope against the root role of a document; every failure is one of trust.
fn verify_root(by: &RootDocument, envelope: &Envelope) -> Result<()> {
    verify_role(
        &by.role(RoleName::Root),
        PayloadType::TrustRoot,
        &envelope.payload,
        &envelope.signatures,
    )
    .map_err(|error| error.into_class(Class::Trust))
}

/// A root that only a newer airlock reads says so, once a threshold of the previous root has signed it.
fn refuse_newer_reader(payload: &[u8]) -> Result<()> {
    if payload.len() > limits::ROOT_BYTES {
        return Err(Error::new(
            Class::Limit,
            "root-size",
            format!("a root document has {} bytes", payload.len()),
        )
        .expected(format!("at most {}", limits::ROOT_BYTES)));
    }
    let peek: RootReader =
        canonical::lenient_from_slice(payload, "a root document").map_err(|error| error.into_class(Class::Trust))?;
    if peek.reader > Version::current() {
        return Err(trust(
            "needs-newer-reader",
            format!("a root document needs airlock {}", peek.reader),
        )
        .remedy(format!("update airlock to {} and try again", peek.reader)));
    }
    Ok(())
}

fn trust(code: &'static str, found: impl Into<String>) -> Error {
    Error::new(Class::Trust, code, found)
}
