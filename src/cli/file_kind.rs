//! What a file is, whatever it is called: said where a door was given a file of another kind than its own.
//!
//! People carry several kinds of files to and fro, and give one to the wrong command. The door judges first and keeps its class and code; only
//! then the file is looked at once more, by how it begins and what its document is, and the refusal says what it is and where it goes.
//! Nothing is trusted by it.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::summary_text;
use crate::crypto::{PayloadType, canonical};
use crate::domain::{Class, Error, limits};
use crate::stream::{open_lasting, read_bounded};

/// A kind of file that people carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Bundle,
    Package,
    Acknowledgement,
    Enrolment,
    Root,
    Signatures,
    Summary,
}

/// What is said of a kind.
struct Said {
    noun: &'static str,
    remedy: &'static str,
}

/// What takes a file: which kinds it judges itself, and what they are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door {
    own: &'static [FileKind],
    expected: &'static str,
    /// What is to be done about any other kind, where sending it to its own place helps nobody yet.
    instead: Option<&'static str>,
}

impl Door {
    /// Readers of bundles know packages by their first line.
    pub(super) const BUNDLE: Self = Self {
        own: &[FileKind::Bundle, FileKind::Package],
        expected: "a bundle",
        instead: None,
    };
    /// Readers of packages know bundles by their first line, and summaries are sorted out before.
    pub(super) const PACKAGE: Self = Self {
        own: &[FileKind::Package, FileKind::Bundle, FileKind::Summary],
        expected: "a status package, or the text of a summary",
        instead: None,
    };
    #[cfg(feature = "site")]
    pub(super) const ACKNOWLEDGEMENT: Self = Self {
        own: &[FileKind::Acknowledgement],
        expected: "a vendor's acknowledgement",
        instead: None,
    };
    pub(super) const ENROLMENT: Self = Self {
        own: &[FileKind::Enrolment],
        expected: "a site's enrolment file",
        instead: None,
    };
    pub(super) const ROOT: Self = Self {
        own: &[FileKind::Root],
        expected: "a vendor's trust root",
        instead: None,
    };
    /// The same where the appliance is yet to be made: nothing else can be taken anywhere before.
    #[cfg(feature = "site")]
    pub(super) const FIRST_ROOT: Self = Self {
        own: &[FileKind::Root],
        expected: "a vendor's trust root",
        instead: Some(
            "name the file root.json of the vendor's workspace with --trust; once the appliance is made, this one goes where it belongs",
        ),
    };

    /// Retells a refusal of a file that is of another kind; every other refusal stays as it is.
    pub(super) fn told(self, error: Error, path: &Path) -> Error {
        self.instead(&error, path).unwrap_or(error)
    }

    /// Returns what is said in place of a refusal, where the file is of another kind; class, sub-code and step are those of the refusal.
    pub(super) fn instead(self, error: &Error, path: &Path) -> Option<Error> {
        let is_of_content = matches!(
            error.class(),
            Class::Format | Class::Limit | Class::Signature | Class::Trust | Class::Integrity | Class::Incomplete
        );
        if !is_of_content {
            return None;
        }
        let said = FileKind::of(path).filter(|kind| !self.own.contains(kind))?.said();
        let Said { noun, remedy } = match self.instead {
            Some(remedy) => Said { remedy, ..said },
            None => said,
        };
        let told = Error::new(error.class(), error.code(), format!("this is {noun}"))
            .expected(self.expected)
            .remedy(remedy);
        Some(match error.step() {
            Some(step) => told.at(step),
            None => told,
        })
    }
}

impl FileKind {
    /// Says what a plain file is; nothing for what is none of these kinds, or cannot be read.
    fn of(path: &Path) -> Option<Self> {
        // The largest of the documents is a chain of roots.
        let most = limits::TRUST_BYTES;
        let file = open_lasting(path, "look at").ok()?;
        let bytes = read_bounded(file.take(most), most, "the file").ok()?;
        if bytes.starts_with(b"00-format\0") {
            let word = bytes.get(512..)?;
            return [
                (&b"airlock-bundle "[..], Self::Bundle),
                (b"airlock-status ", Self::Package),
            ]
            .into_iter()
            .find_map(|(begin, kind)| word.starts_with(begin).then_some(kind));
        }
        if summary_text::is_code(&bytes) {
            return Some(Self::Summary);
        }
        let document: Value = canonical::envelopes_from_slice(bytes.trim_ascii(), "the file").ok()?;
        let members = document.as_object()?;
        match members.get("payloadType").and_then(Value::as_str) {
            Some(kind) if kind == PayloadType::StatusAcknowledgement.as_str() => Some(Self::Acknowledgement),
            Some(kind) if kind == PayloadType::Enrolment.as_str() => Some(Self::Enrolment),
            Some(_) => None,
            None if members.contains_key("roots") => Some(Self::Root),
            None => (members.len() == 1 && members.contains_key("signatures")).then_some(Self::Signatures),
        }
    }

    fn said(self) -> Said {
        match self {
            Self::Bundle => Said {
                noun: "a bundle",
                remedy: "it goes to `airlock import FILE` at the site",
            },
            Self::Package => Said {
                noun: "a status package",
                remedy: "it goes to `airlock status verify FILE` at the vendor",
            },
            Self::Acknowledgement => Said {
                noun: "a vendor's acknowledgement",
                remedy: "it goes to `airlock status acknowledge FILE` at the site",
            },
            Self::Enrolment => Said {
                noun: "a site's enrolment file",
                remedy: "it goes to `airlock vendor enroll FILE` at the vendor; a guard names it with --enrolment, beside the package",
            },
            Self::Root => Said {
                noun: "a vendor's trust root",
                remedy: "it goes to `airlock trust add FILE --fingerprint HEX` at the site, or makes one with `airlock init --trust FILE --site NAME`",
            },
            Self::Signatures => Said {
                noun: "a file of signatures, without the bundle that they belong to",
                remedy: "it goes beside its bundle: `airlock import BUNDLE --signatures FILE`",
            },
            Self::Summary => Said {
                noun: "the text of a summary",
                remedy: "it goes to `airlock status verify FILE` at the vendor",
            },
        }
    }
}
