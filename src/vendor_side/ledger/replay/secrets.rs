//! The file with the hub-side secrets of targets: `{"targets":[{"secret":…,"target":UUID}]}`.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::only_its_owner_reads;
use crate::domain::{Class, Error, Result, Uuid};
use crate::stream::{open_named, read_bounded, write_atomically};

/// Bytes of the file.
const FILE_BYTES: u64 = 4 << 20;
/// Bytes of a secret.
const SECRET_BYTES: usize = 1024;

/// Secrets of targets.
pub struct HubSecrets {
    path: Option<PathBuf>,
    secrets: BTreeMap<Uuid, Zeroizing<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<Text> {
    targets: Vec<Entry<Text>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<Text> {
    secret: Text,
    target: Uuid,
}

impl HubSecrets {
    /// None at all.
    pub fn none() -> Self {
        Self {
            path: None,
            secrets: BTreeMap::new(),
        }
    }

    /// Reads a file that a person named. With `may_be_new`, one that is not there yet holds none.
    ///
    /// # Errors
    ///
    /// `E-TRUST key-file` when others may read it; `E-USAGE credentials` for another content; `E-LIMIT size`; those of opening a file that a
    /// person named.
    pub fn read(path: &Path, may_be_new: bool) -> Result<Self> {
        let mut read = Self {
            path: Some(path.to_owned()),
            secrets: BTreeMap::new(),
        };
        let is_there = path.try_exists().map_err(|error| Error::io("look at", path, error))?;
        if !is_there && may_be_new {
            return Ok(read);
        }
        let file = open_named(path, "open the credentials")?;
        let found = file.metadata().map_err(|error| Error::io("look at", path, error))?;
        if found.is_file() {
            only_its_owner_reads(
                &format!("the credentials {}", path.display()),
                path,
                found.mode(),
                "the secrets",
            )?;
        }
        let bytes = Zeroizing::new(read_bounded(file, FILE_BYTES, "the credentials")?);
        let wrong = |what: &str| {
            // What stands in the file is never quoted.
            Error::new(Class::Usage, "credentials", format!("{} {what}", path.display()))
                .expected("{\"targets\":[{\"secret\":\"…\",\"target\":\"UUID\"}]}, each target once, each secret as the hub gave it")
        };
        #[expect(clippy::disallowed_methods, reason = "a file of a person, bounded")]
        let file: File<String> =
            serde_json::from_slice(&bytes).map_err(|_| wrong("holds no credentials of targets"))?;
        for entry in file.targets {
            let secret = Zeroizing::new(entry.secret);
            if !is_secret(&secret) {
                return Err(wrong(&format!("has no usable secret for the target {}", entry.target)));
            }
            if read.secrets.insert(entry.target, secret).is_some() {
                return Err(wrong(&format!("names the target {} twice", entry.target)));
            }
        }
        Ok(read)
    }

    /// Whether a person named a file of them.
    pub(super) fn are_given(&self) -> bool {
        self.path.is_some()
    }

    /// Returns the secret of a target.
    pub(super) fn get(&self, target: Uuid) -> Option<&Zeroizing<String>> {
        self.secrets.get(&target)
    }

    /// Adds a secret, and writes the file before anybody uses it: the hub shows none a second time.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub(super) fn add(&mut self, target: Uuid, secret: Zeroizing<String>) -> Result<()> {
        self.secrets.insert(target, secret);
        self.save()
    }

    /// Writes the file; also before a secret is asked for, so that none is given out that cannot be kept.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub(super) fn save(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let targets = self.secrets.iter().map(|(target, secret)| Entry {
            secret: secret.as_str(),
            target: *target,
        });
        let file = File {
            targets: targets.collect(),
        };
        let bytes = serde_json::to_vec(&file)
            .map_err(|_| Error::new(Class::Internal, "credentials", "credentials have no JSON form"))?;
        write_atomically(path, &Zeroizing::new(bytes), 0o600)
    }
}

/// Whether a text can be a secret that a header carries.
pub(super) fn is_secret(text: &str) -> bool {
    (1..=SECRET_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Secrets stay out of logs.
impl std::fmt::Debug for HubSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HubSecrets of {} targets", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const TARGET: &str = "425f763a-63c6-4c4b-a1d1-0181d368e8fc";

    #[test]
    fn what_is_added_is_kept_for_the_owner_alone_and_nothing_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.json");
        let (first, second): (Uuid, Uuid) = (TARGET.parse().unwrap(), Uuid::from_bytes([7; 16]));
        assert!(HubSecrets::read(&path, false).is_err());
        let mut secrets = HubSecrets::read(&path, true).unwrap();
        secrets.add(first, Zeroizing::new("s3cret".to_owned())).unwrap();
        secrets.add(second, Zeroizing::new("other".to_owned())).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = HubSecrets::read(&path, false).unwrap();
        assert_eq!(read.get(first).unwrap().as_str(), "s3cret");
        assert_eq!(read.get(second).unwrap().as_str(), "other");
        assert!(!format!("{read:?}").contains("s3cret"));
        for bad in [
            "{}".to_owned(),
            "s3cret".to_owned(),
            format!("{{\"targets\":[{{\"secret\":\"\",\"target\":\"{TARGET}\"}}]}}"),
            format!("{{\"targets\":[{{\"secret\":\"s3cret\\n\",\"target\":\"{TARGET}\"}}]}}"),
            format!(
                "{{\"targets\":[{{\"secret\":\"s3cret\",\"target\":\"{TARGET}\"}},{{\"secret\":\"s3cret2\",\"target\":\"{TARGET}\"}}]}}"
            ),
            format!("{{\"targets\":[{{\"secret\":\"s3cret\",\"target\":\"{TARGET}\",\"x\":1}}]}}"),
        ] {
            write_atomically(&path, bad.as_bytes(), 0o600).unwrap();
            let error = HubSecrets::read(&path, true).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "credentials"), "{bad}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
