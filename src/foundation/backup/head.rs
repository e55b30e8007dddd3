//! The three lines that a backup begins with: what it is, and with which passphrase it opens.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::crypto::canonical::{self, integer};
use crate::crypto::{PassphraseCost, PassphraseKey, SALT_BYTES, random};
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// The first word of a backup.
pub const WORD: &[u8] = b"airlock-backup ";
/// The version that this program writes.
const VERSION: &str = "1";
/// No head is longer.
pub(super) const HEAD_BYTES: usize = 4096;
/// What the sum of the passphrase is made for.
const CHECK: &str = "airlock-backup check";
/// What the key of the records is made for.
pub(super) const RECORDS: &str = "airlock-backup records";

/// What a backup is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The state folder of an appliance.
    Site,
    /// A vendor's workspace.
    Workspace,
}

impl Kind {
    /// Returns the command that puts it back.
    fn command(self) -> &'static str {
        match self {
            Self::Site => "airlock restore FILE --state DIR",
            Self::Workspace => "airlock vendor restore FILE DIR",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Site => "a backup of a site",
            Self::Workspace => "a backup of a vendor's workspace",
        })
    }
}

/// The second line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Made from the key and everything else of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Hash>,
    kind: Kind,
    made_at: Timestamp,
    made_by: String,
    /// What the key took, as [`PassphraseCost`] has it.
    #[serde(with = "integer")]
    memory_kib: u64,
    #[serde(with = "integer")]
    passes: u64,
    salt: String,
}

impl Said {
    /// Returns what shows that a key is the right one.
    fn sum(&self, key: &PassphraseKey) -> Hash {
        let plain = Self {
            check: None,
            ..self.clone()
        };
        key.sum(CHECK, &canonical::to_vec(&plain))
    }
}

/// A head.
#[derive(Debug, Clone)]
pub(super) struct Head {
    said: Said,
    cost: PassphraseCost,
    salt: [u8; SALT_BYTES],
    /// Its three lines.
    pub(super) bytes: Vec<u8>,
}

impl Head {
    /// Makes the head of a new backup, and the key that it opens with.
    ///
    /// # Errors
    ///
    /// `E-IO random`; `E-INTERNAL`.
    pub(super) fn make(
        kind: Kind,
        passphrase: &str,
        cost: PassphraseCost,
        made_at: Timestamp,
    ) -> Result<(Self, PassphraseKey)> {
        let mut salt = [0; SALT_BYTES];
        random(&mut salt)?;
        let key = PassphraseKey::derive(passphrase, &salt, cost)?;
        let mut said = Said {
            check: None,
            kind,
            made_at,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            memory_kib: cost.memory_kib(),
            passes: cost.passes(),
            salt: HEXLOWER.encode(&salt),
        };
        said.check = Some(said.sum(&key));
        let mut bytes = [WORD, VERSION.as_bytes(), b"\n", &canonical::to_vec(&said), b"\n"].concat();
        let sum = Hash(Sha256::digest(&bytes).into());
        bytes.extend_from_slice(format!("{sum}\n").as_bytes());
        let head = Self {
            said,
            cost,
            salt,
            bytes,
        };
        Ok((head, key))
    }

    /// Reads the head at the beginning of a file.
    ///
    /// # Errors
    ///
    /// `E-FORMAT no-backup`; `E-FORMAT backup-version` for one of a newer airlock; `E-INTEGRITY backup-damaged`.
    pub(super) fn parse(begin: &[u8]) -> Result<Self> {
        let rest = begin.strip_prefix(WORD).ok_or_else(no_backup)?;
        let mut lines = rest.splitn(4, |byte| *byte == b'\n');
        let (version, said) = (lines.next().unwrap_or_default(), lines.next().ok_or_else(cut)?);
        if version != VERSION.as_bytes() {
            let version = String::from_utf8_lossy(version);
            if version.is_empty() || version.len() > 9 || !version.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(damaged());
            }
            return Err(Error::new(
                Class::Format,
                "backup-version",
                format!("it is a backup of version {version}, which a newer airlock made"),
            )
            .expected(format!(
                "version {VERSION}, which airlock {} reads",
                env!("CARGO_PKG_VERSION")
            ))
            .remedy("use the airlock that made it, or a newer one; nothing was written"));
        }
        let (Some(sum), Some(_)) = (lines.next(), lines.next()) else {
            // A head is short, and all of it was there to be read.
            return Err(if begin.len() < HEAD_BYTES { cut() } else { damaged() });
        };
        let covered = [WORD, version, b"\n", said, b"\n"].concat();
        if sum != Hash(Sha256::digest(&covered).into()).to_hex().as_bytes() {
            return Err(damaged());
        }
        let wrong = |error: Error| damaged().with_source(error);
        let said: Said = canonical::from_slice(said, "the head of a backup").map_err(wrong)?;
        let salt = HEXLOWER.decode(said.salt.as_bytes()).unwrap_or_default();
        let salt = salt.as_slice().try_into().map_err(|_| damaged())?;
        let cost = PassphraseCost::stated(said.memory_kib, said.passes).ok_or_else(damaged)?;
        let bytes = [covered.as_slice(), sum, b"\n"].concat();
        Ok(Self {
            said,
            cost,
            salt,
            bytes,
        })
    }

    /// Returns what the backup is of.
    pub(super) fn kind(&self) -> Kind {
        self.said.kind
    }

    /// Returns when it was made.
    pub(super) fn made_at(&self) -> Timestamp {
        self.said.made_at
    }

    /// Returns the key of a passphrase, which must be the one that it was made with.
    ///
    /// # Errors
    ///
    /// `E-TRUST passphrase`; `E-INTERNAL`.
    pub(super) fn open(&self, passphrase: &str) -> Result<PassphraseKey> {
        let key = PassphraseKey::derive(passphrase, &self.salt, self.cost)?;
        if self.said.check == Some(self.said.sum(&key)) {
            return Ok(key);
        }
        Err(Error::new(
            Class::Trust,
            crate::crypto::PASSPHRASE,
            "the backup does not open with this passphrase",
        )
        .expected("the passphrase that it was made with")
        .remedy("give the passphrase that it was made with; where it is lost, use another backup: there is no other way into this one"))
    }

    /// Refuses a backup of something else.
    ///
    /// # Errors
    ///
    /// `E-USAGE backup-kind`.
    pub(super) fn check_kind(&self, expected: Kind) -> Result<()> {
        let kind = self.kind();
        if kind == expected {
            return Ok(());
        }
        Err(Error::new(Class::Usage, "backup-kind", format!("it is {kind}"))
            .expected(expected.to_string())
            .remedy(format!(
                "`{}` puts this one back; here, name {expected}",
                kind.command()
            )))
    }
}

fn no_backup() -> Error {
    Error::new(
        Class::Format,
        "no-backup",
        "it does not begin as a backup of airlock does",
    )
    .expected("a file that `airlock backup -o FILE` or `airlock vendor backup -o FILE` made")
    .remedy("check that it is the right file; nothing was written")
}

/// It is not, from its first byte to its last, what was written; or what it holds is nothing that this program put into one of its kind.
pub fn damaged() -> Error {
    Error::new(
        Class::Integrity,
        "backup-damaged",
        "the backup was changed since it was made",
    )
    .expected("every byte as it was written")
    .remedy("copy it again from where it was kept, or use another backup; nothing was written")
}

/// It ends too early.
pub(super) fn cut() -> Error {
    Error::new(Class::Incomplete, "backup-cut", "the backup ends before its last line")
        .expected("a whole copy of it")
        .remedy("copy it again from where it was kept, or use another backup; nothing was written")
}
