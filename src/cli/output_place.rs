//! Where an output option may write: a free name, or a file of the kind that the command itself writes.
//!
//! Everything else that stands there is somebody's, and is refused before any work: a key, a chain file, a release file, a pipe, what the
//! command reads. A bundle that others have signed or approved holds what the command cannot make again, and is replaced only when
//! that is said.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

#[cfg(feature = "vendor")]
use super::signature_file::read_signatures;
#[cfg(feature = "vendor")]
use crate::bundle::OpenedBundle;
use crate::crypto::{Envelope, PayloadType, canonical};
#[cfg(feature = "vendor")]
use crate::crypto::{IN_TOTO, KeyId};
#[cfg(feature = "vendor")]
use crate::domain::counted;
use crate::domain::{Class, Error, Result};
#[cfg(feature = "vendor")]
use crate::media;
use crate::stream::{Looked, read_exact_or_end};

/// No small file that airlock writes is longer.
const SMALL_FILE_BYTES: u64 = 1 << 20;
/// How a container begins: the name in the first header, padded with zeros.
const FIRST_NAME: &[u8] = b"00-format\0";
/// Where the first format line stands.
const WORD_AT: usize = 512;
/// Its first word.
const BUNDLE_WORD: &[u8] = b"airlock-bundle ";
#[cfg(feature = "site")]
const PACKAGE_WORD: &[u8] = b"airlock-status ";

/// What a command writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Makes {
    /// A bundle.
    #[cfg(feature = "vendor")]
    Bundle,
    /// A file of detached signatures.
    #[cfg(feature = "vendor")]
    Signatures,
    /// A proposed root.
    #[cfg(feature = "vendor")]
    Proposal,
    /// An acknowledgement.
    #[cfg(feature = "vendor")]
    Acknowledgement,
    /// A proof of an installation.
    #[cfg(feature = "vendor")]
    Proof,
    /// A report of a site.
    #[cfg(feature = "vendor")]
    Report,
    /// A copy of an enrolment file.
    #[cfg(feature = "site")]
    Enrolment,
    /// A copy of the audit log.
    #[cfg(feature = "site")]
    AuditLog,
    /// A status package.
    #[cfg(feature = "site")]
    Package,
    /// What is damaged, for whoever makes a repair file.
    #[cfg(feature = "site")]
    DamageReport,
    /// QR codes.
    #[cfg(feature = "site")]
    Picture,
}

impl Makes {
    fn noun(self) -> &'static str {
        match self {
            #[cfg(feature = "vendor")]
            Self::Bundle => "a bundle",
            #[cfg(feature = "vendor")]
            Self::Signatures => "a detached signature file",
            #[cfg(feature = "vendor")]
            Self::Proposal => "a proposed root",
            #[cfg(feature = "vendor")]
            Self::Acknowledgement => "an acknowledgement",
            #[cfg(feature = "vendor")]
            Self::Proof => "a proof of an installation",
            #[cfg(feature = "vendor")]
            Self::Report => "a report of a site",
            #[cfg(feature = "site")]
            Self::Enrolment => "an enrolment file",
            #[cfg(feature = "site")]
            Self::AuditLog => "a copy of the audit log",
            #[cfg(feature = "site")]
            Self::Package => "a status package",
            #[cfg(feature = "site")]
            Self::DamageReport => "a report of damage",
            #[cfg(feature = "site")]
            Self::Picture => "a PNG picture",
        }
    }

    /// Whether a file that begins with these bytes is of this kind.
    #[cfg_attr(
        not(feature = "vendor"),
        expect(unused_variables, reason = "only the vendor's files are read again")
    )]
    fn is_one(self, path: &Path, bytes: &[u8]) -> bool {
        let envelope = |of: PayloadType| {
            canonical::envelopes_from_slice::<Envelope>(bytes, "it").is_ok_and(|envelope| envelope.payload_type == of)
        };
        match self {
            #[cfg(feature = "vendor")]
            Self::Bundle => is_bundle(bytes),
            #[cfg(feature = "vendor")]
            Self::Signatures => read_signatures(path).is_ok(),
            #[cfg(feature = "vendor")]
            Self::Proposal => envelope(PayloadType::TrustRoot),
            #[cfg(feature = "vendor")]
            Self::Acknowledgement => envelope(PayloadType::StatusAcknowledgement),
            #[cfg(feature = "vendor")]
            Self::Proof => is_proof(bytes),
            #[cfg(feature = "vendor")]
            Self::Report => bytes.starts_with(b"airlock report: ") || is_page(bytes),
            #[cfg(feature = "site")]
            Self::Enrolment => envelope(PayloadType::Enrolment),
            #[cfg(feature = "site")]
            Self::AuditLog => bytes.starts_with(b"{\"action\":"),
            #[cfg(feature = "site")]
            Self::Package => is_of(bytes, PACKAGE_WORD),
            #[cfg(feature = "site")]
            Self::DamageReport => bytes.starts_with(b"{\"damage\":"),
            #[cfg(feature = "site")]
            Self::Picture => bytes.starts_with(b"\x89PNG"),
        }
    }
}

/// Checks that an output may be written at `path`; `inputs` are the files that the command reads.
///
/// # Errors
///
/// `E-USAGE output`, which says what stands there; `E-IO`.
pub(super) fn check<'a>(path: &Path, makes: Makes, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    // A command that writes to standard output too has taken it for that before.
    if path == Path::new("-") {
        return Err(refusal(
            path,
            makes,
            &format!("is no file, and {} is written into one", makes.noun()),
        ));
    }
    if is_of_a_workspace(path) {
        return Err(refusal(path, makes, "is where a workspace keeps its own files"));
    }
    let looked = match Looked::itself(path) {
        Ok(looked) => looked,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("look at", path, error)),
    };
    if !looked.is_file() {
        return Err(refusal(path, makes, &format!("is {}", looked.what())));
    }
    if inputs.into_iter().any(|input| is_same(path, input)) {
        return Err(refusal(path, makes, "is a file that this command reads"));
    }
    let failed = |error| Error::io("look at", path, error);
    let size = usize::try_from(looked.size().min(SMALL_FILE_BYTES)).unwrap_or(0);
    let mut bytes = vec![0; size];
    let mut file = File::from(looked.open().map_err(failed)?);
    let count = read_exact_or_end(&mut file, &mut bytes).map_err(failed)?;
    bytes.truncate(count);
    if makes.is_one(path, &bytes) {
        return Ok(());
    }
    let what = if is_bundle(&bytes) {
        "is a bundle".to_owned()
    } else {
        format!("is another file than {}", makes.noun())
    };
    Err(refusal(path, makes, &what))
}

/// Says that the folder of an output is missing: before long work, and not where the file is written.
///
/// # Errors
///
/// `E-IO`.
#[cfg(feature = "vendor")]
pub(super) fn check_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => return Ok(()),
    };
    fs::metadata(folder)
        .map(drop)
        .map_err(|error| Error::io("write into", folder, error))
}

/// Checks as [`check`] that an output may be written, and that nothing stands there: what a command cannot make again is replaced only where
/// that is said.
///
/// # Errors
///
/// As [`check`].
pub(super) fn check_free<'a>(
    path: &Path,
    makes: Makes,
    replace: bool,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<()> {
    check(path, makes, inputs)?;
    if replace || Looked::itself(path).is_err() {
        return Ok(());
    }
    Err(Error::new(
        Class::Usage,
        "output",
        format!("{} is there already, and is {}", path.display(), makes.noun()),
    )
    .expected("a free name")
    .remedy("give another name, or move it away; where it may be lost, --replace"))
}

/// Checks that nothing is written into the state folder of an appliance, under whatever name it is reached: what lies there is its own, and
/// the outbox removes what it does not know. `path` is a file that is to be made, or a folder to make one in.
///
/// # Errors
///
/// `E-USAGE output`.
#[cfg(feature = "site")]
pub(super) fn check_outside(path: &Path, state: &Path) -> Result<()> {
    let own = own_folders(state);
    let is_folder = fs::metadata(path).is_ok_and(|found| found.is_dir());
    let folder = match path.parent() {
        _ if is_folder => path,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // One that is not there is told as such by whoever writes.
    let Ok(folder) = fs::canonicalize(folder) else {
        return Ok(());
    };
    let is_own = |folder: &Path| place(folder).is_some_and(|place| own.contains(&place));
    if folder.ancestors().any(is_own) {
        return Err(Error::new(
            Class::Usage,
            "output",
            format!("{} lies in the state folder of the appliance", path.display()),
        )
        .expected("a place outside of it: what lies there is the appliance's own")
        .remedy("give another place, such as a medium or a folder of yours; nothing was written"));
    }
    Ok(())
}

/// The state folder and the folders in it, as the system knows them: one of them may be mounted elsewhere.
#[cfg(feature = "site")]
fn own_folders(state: &Path) -> Vec<(u64, u64)> {
    let inner = fs::read_dir(state).into_iter().flatten().filter_map(io::Result::ok);
    let inner = inner.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let inner = inner.filter_map(|entry| place(&entry.path()));
    place(state).into_iter().chain(inner).collect()
}

#[cfg(feature = "site")]
fn place(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Checks that a bundle that stands at `path` holds nothing that is lost when one that `keys` sign takes its place. A bundle that cannot
/// be read holds nothing.
///
/// # Errors
///
/// `E-USAGE output`.
#[cfg(feature = "vendor")]
pub(super) fn check_replaced(path: &Path, keys: &[KeyId]) -> Result<()> {
    let Ok(bundle) = media::open(path, None).and_then(|source| OpenedBundle::open(source.input)) else {
        return Ok(());
    };
    let signatures = bundle.signatures().unwrap_or_default();
    let others = signatures
        .iter()
        .filter(|signature| !keys.contains(&signature.keyid))
        .count();
    let approvals = bundle.approvals().unwrap_or_default().len();
    if others == 0 && approvals == 0 {
        return Ok(());
    }
    Err(Error::new(
        Class::Usage,
        "output",
        format!(
            "{} is a bundle with {} that this command does not make, and {}",
            path.display(),
            counted(others, "signature"),
            counted(approvals, "approval"),
        ),
    )
    .expected("a free name, or a bundle that loses nothing")
    .remedy("give another name, or move it away; where they may be lost, --replace"))
}

fn refusal(path: &Path, makes: Makes, what: &str) -> Error {
    Error::new(Class::Usage, "output", format!("{} {what}", path.display()))
        .expected(format!("a free name, or {} to replace", makes.noun()))
        .remedy("give another name, or move away what stands there; nothing was written")
}

#[cfg(feature = "vendor")]
#[expect(
    clippy::disallowed_methods,
    reason = "a document of in-toto, of which nothing but its kind is asked"
)]
fn is_proof(bytes: &[u8]) -> bool {
    let known = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    known["payloadType"] == IN_TOTO || known["_type"] == "https://in-toto.io/Statement/v1"
}

#[cfg(feature = "vendor")]
fn is_page(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    String::from_utf8_lossy(head).contains("<meta name=\"generator\" content=\"airlock report\">")
}

fn is_bundle(bytes: &[u8]) -> bool {
    is_of(bytes, BUNDLE_WORD)
}

/// Whether bytes begin as a container of this kind.
fn is_of(bytes: &[u8], word: &[u8]) -> bool {
    bytes.starts_with(FIRST_NAME) && bytes.get(WORD_AT..).is_some_and(|rest| rest.starts_with(word))
}

/// Whether a name is one that a vendor's workspace uses, whether or not anything stands there now.
fn is_of_a_workspace(path: &Path) -> bool {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Ok(folder) = fs::canonicalize(parent) else {
        return false;
    };
    let is_workspace = |folder: &Path| folder.join("ledger.db").is_file();
    let own = name == "root.json" || name.starts_with("ledger.db");
    (own && is_workspace(&folder)) || (folder.ends_with("keys") && folder.parent().is_some_and(is_workspace))
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
