//! Private keys on disk: PKCS#8 PEM that `openssl pkey` reads, optionally encrypted with a passphrase.
//!
//! A key file belongs to its reader alone: a file that others may read, or that is a link or no regular
//! file, is refused, not repaired, because its secret may already be out.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding};
use rustix::fs::{FileType, Mode, OFlags};
use zeroize::Zeroizing;

use super::key::SigningKey;
use crate::domain::{Class, Code, Error, Result};
use crate::stream::{Looked, read_bounded, sync_folder};

/// What to do where a passphrase does not open a key file.
pub const LOST_PASSPHRASE: &str = "give the passphrase that it was saved with; where it is lost, move that file out of keys/ and replace the key with `airlock vendor trust rotate ROLE`";
/// Sub-code of a key file that does not open without another passphrase.
pub const PASSPHRASE: Code = Code::new("passphrase");

/// What to do about a file that holds no private key.
pub const NAME_KEY: &str = "name the private key file: one that ends in .pem lies in keys/ of the workspace";
/// How often a passphrase is asked for; the first answer may be one that was given for another file.
const TRIES: usize = 4;

/// Where passphrases come from: asked with the file that needs one, and again with the same file when the answer was wrong.
pub type AskPassphrase<'a> = dyn FnMut(&Path) -> Result<Zeroizing<String>> + 'a;

/// More than any key file that this program writes.
const KEY_FILE_BYTES: u64 = 16 << 10;

/// A key file that was read and whose permissions are good; still locked when it has a passphrase.
pub struct KeyFile {
    path: PathBuf,
    pem: Zeroizing<String>,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyFile({})", self.path.display())
    }
}

impl KeyFile {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// `E-IO` when it cannot be read; `E-TRUST key-file` when others may read it, or it is no regular file.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |error| Error::io("open the key file", path, error);
        let looked = Looked::itself(path).map_err(failed)?;
        if looked.kind() == FileType::Symlink {
            return Err(failed(rustix::io::Errno::LOOP.into()));
        }
        if !looked.is_file() {
            return Err(Error::new(
                Class::Trust,
                "key-file",
                format!("the key file {} is {}", path.display(), looked.what()),
            )
            .expected("a regular file that only its owner may read")
            .remedy(NAME_KEY));
        }
        let file = File::from(looked.open().map_err(failed)?);
        let bytes = read_bounded(file, KEY_FILE_BYTES, "a key file").map(Zeroizing::new);
        // What holds no secret may be read by everybody: that it is the wrong file is what is wrong with it.
        let holds_none = bytes.as_ref().is_ok_and(|bytes| !may_hold_a_secret(path, bytes));
        if !holds_none {
            only_its_owner_reads(
                &format!("the key file {}", path.display()),
                path,
                looked.mode(),
                "the key",
            )?;
        }
        let bytes = bytes.map_err(|e| e.reclassified(Class::Trust, "key-file").remedy(NAME_KEY))?;
        if holds_none {
            return Err(Error::new(
                Class::Trust,
                "key-file",
                format!("{} holds no private key", path.display()),
            )
            .expected("a private key file")
            .remedy(NAME_KEY));
        }
        let pem = std::str::from_utf8(&bytes)
            .map(|text| Zeroizing::new(text.to_owned()))
            .map_err(|_| Error::new(Class::Trust, "key-file", format!("{} is no PEM file", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            pem,
        })
    }

    /// Whether a passphrase is needed.
    pub fn is_encrypted(&self) -> bool {
        self.pem.contains("ENCRYPTED PRIVATE KEY")
    }

    /// Returns the 32 bytes of a file with one line of hex.
    ///
    /// # Errors
    ///
    /// `E-TRUST key-file`.
    pub fn secret(&self) -> Result<Zeroizing<[u8; 32]>> {
        let hash: Option<crate::domain::Hash> = self.pem.trim_end_matches('\n').parse().ok();
        hash.map(|hash| Zeroizing::new(hash.0)).ok_or_else(|| {
            Error::new(
                Class::Trust,
                "key-file",
                format!("the key file {} holds no 32 bytes in hex", self.path.display()),
            )
        })
    }

    /// Returns the file's text, for keys that other libraries read.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the Ed25519 signing key.
    ///
    /// # Errors
    ///
    /// `E-TRUST passphrase` or `key-file`.
    pub fn signing_key(&self, passphrase: Option<&str>) -> Result<SigningKey> {
        let wrong = |code: Code, what: &str| {
            Error::new(
                Class::Trust,
                code,
                format!("the key file {} {what}", self.path.display()),
            )
        };
        let key = match (self.is_encrypted(), passphrase) {
            (true, None) => return Err(wrong(PASSPHRASE, "needs a passphrase")),
            (true, Some(passphrase)) => ed25519_dalek::SigningKey::from_pkcs8_encrypted_pem(&self.pem, passphrase)
                .map_err(|_| wrong(PASSPHRASE, "does not open with this passphrase").remedy(LOST_PASSPHRASE))?,
            (false, _) => ed25519_dalek::SigningKey::from_pkcs8_pem(&self.pem).map_err(|_| {
                wrong(Code::new("key-file"), "holds no Ed25519 private key")
                    .expected("PKCS#8 in PEM form")
                    .remedy(NAME_KEY)
            })?,
        };
        Ok(SigningKey::from_secret(key.as_bytes()))
    }
}

/// Refuses a file with secrets that others may read. `what` names it for people, `inside` what it holds.
///
/// # Errors
///
/// `E-TRUST key-file`.
pub fn only_its_owner_reads(what: &str, path: &Path, mode: u32, inside: &str) -> Result<()> {
    let mode = mode & 0o7777;
    if mode & 0o077 != 0 {
        return Err(
            Error::new(Class::Trust, "key-file", format!("{what} has mode {mode:o}"))
                .expected("a regular file that only its owner may read")
                .remedy(format!(
                    "find out who read it; then chmod 600 {}, or replace {inside}",
                    path.display()
                )),
        );
    }
    Ok(())
}

/// Whether a file may hold a secret: a PEM block of a private key, or a line of hex that is not called a public key.
fn may_hold_a_secret(path: &Path, bytes: &[u8]) -> bool {
    let block = b"PRIVATE KEY";
    let is_hex = bytes.trim_ascii().iter().all(u8::is_ascii_hexdigit) && !bytes.trim_ascii().is_empty();
    bytes.windows(block.len()).any(|window| window == block)
        || (is_hex && path.extension().is_none_or(|ending| ending != "pub"))
}

/// Writes a signing key as a new file with mode 0600; an existing file is never replaced.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`; `E-INTERNAL` when the key cannot be encoded.
pub fn write_signing_key(path: &Path, key: &SigningKey, passphrase: Option<&str>) -> Result<()> {
    write_new(path, encode(key, passphrase)?.as_bytes())
}

/// Writes a signing key in place of an existing file, whole or not at all, mode 0600: with another passphrase, or none.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`, the old file is untouched then; `E-INTERNAL` when the key cannot be encoded.
pub fn replace_signing_key(path: &Path, key: &SigningKey, passphrase: Option<&str>) -> Result<()> {
    let bytes = encode(key, passphrase)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let draft = path.with_file_name(name);
    // What an earlier change that was cut off has left was never the key file.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("remove", &draft, error)),
        _ => {}
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "written whole and synced, with a mode of its own"
    )]
    let replaced = write_new(&draft, bytes.as_bytes())
        .and_then(|()| std::fs::rename(&draft, path).map_err(|e| Error::io("replace the key file", path, e)));
    if let Err(error) = replaced {
        // The first error is the one that matters.
        std::fs::remove_file(&draft).ok();
        return Err(error);
    }
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn encode(key: &SigningKey, passphrase: Option<&str>) -> Result<Zeroizing<String>> {
    // Without the public half: the form that OpenSSL of every age reads (RFC 8410 section 7).
    let pair = ed25519_dalek::pkcs8::KeypairBytes {
        secret_key: *key.secret(),
        public_key: None,
    };
    match passphrase {
        Some(passphrase) => pair.to_pkcs8_encrypted_pem(passphrase, LineEnding::LF),
        None => pair.to_pkcs8_pem(LineEnding::LF),
    }
    .map_err(|error| {
        Error::new(
            Class::Internal,
            "key-encoding",
            format!("a key cannot be encoded: {error}"),
        )
    })
}

/// Writes 32 secret bytes, such as an X25519 recipient key, as one line of hex, mode 0600; an existing file is never replaced.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`.
pub fn write_secret_file(path: &Path, secret: &[u8; 32]) -> Result<()> {
    let mut text = Zeroizing::new(crate::domain::Hash(*secret).to_hex());
    text.push('\n');
    write_new(path, text.as_bytes())
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd: OwnedFd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|e| Error::io("create the key file", path, e.into()))?;
    let mut file = File::from(fd);
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| Error::io("write the key file", path, e))
}

/// Opens one key file, asking for its passphrase when it has one: a few times, since people mistype.
///
/// # Errors
///
/// Those of [`KeyFile::read`], [`KeyFile::signing_key`] and of the one who is asked.
pub fn open_key(path: &Path, ask: &mut AskPassphrase<'_>) -> Result<SigningKey> {
    let file = KeyFile::read(path)?;
    if !file.is_encrypted() {
        return file.signing_key(None);
    }
    for _ in 1..TRIES {
        match file.signing_key(Some(&ask(path)?)) {
            Err(error) if error.is(PASSPHRASE) => {}
            opened => return opened,
        }
    }
    file.signing_key(Some(&ask(path)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_comes_back_with_and_without_a_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::from_secret(&[7; 32]);
        for passphrase in [None, Some("correct horse")] {
            let path = folder.path().join(format!("{}.pem", passphrase.is_some()));
            write_signing_key(&path, &key, passphrase).unwrap();
            let file = KeyFile::read(&path).unwrap();
            assert_eq!(file.is_encrypted(), passphrase.is_some());
            assert_eq!(file.signing_key(passphrase).unwrap().public(), key.public());
            assert_eq!(write_signing_key(&path, &key, None).unwrap_err().class(), Class::Io);
        }
        let locked = KeyFile::read(&folder.path().join("true.pem")).unwrap();
        assert_eq!(locked.signing_key(Some("wrong")).unwrap_err().code(), "passphrase");
        assert_eq!(locked.signing_key(None).unwrap_err().code(), "passphrase");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_signing_key(&path, &SigningKey::from_secret(&[7; 32]), None).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap_err().code(), "key-file");
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        assert_eq!(
            KeyFile::read(&folder.path().join("link")).unwrap_err().class(),
            Class::Io
        );
    }
}
