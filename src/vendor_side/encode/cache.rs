//! Travel forms of earlier runs, and what could not be encoded: `cache/travel/` in the workspace, safe to delete at any time.
//!
//! ```text
//! <key>.travel   the form
//! <key>.json     of which blob, its size and hash; or why there is none
//! ```
//!
//! The key is a hash over everything that the form follows from. Nothing in the folder is believed: a form is used after its hash was
//! compared, and a bundle's writer compares it again.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::options::EncodeOptions;
use super::report::Reason;
use super::shelf::Stretch;
use crate::crypto::canonical;
use crate::domain::{Digest, Error, Hash, Result, Version};
use crate::encoding::{Base, Encoding, Gzip, TravelForm};
use crate::producer::Producer;
use crate::stream::{create_own_folder, open_plain, read_bounded, read_exact_or_end, write_atomically};

/// Bytes of an entry's own file, at most.
const ENTRY_BYTES: u64 = 4096;

/// Times of a file that was used now.
pub(super) const TOUCHED: Timestamps = Timestamps {
    last_access: Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    },
    last_modification: Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    },
};

/// What is known of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    digest: Digest,
    /// Milliseconds that it took to find out.
    milliseconds: u64,
    /// Why there is no form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    size: u64,
    /// The form's digest and bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    travel: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    travel_size: Option<u64>,
    /// Who makes the blob again, of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gzip: Option<GzipEntry>,
    /// What it is copied from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bases: Vec<BaseEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseEntry {
    /// Whether the bundle carries it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    carried: bool,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plain_size: Option<u64>,
    size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GzipEntry {
    pieces: u64,
    plain_digest: Digest,
    plain_size: u64,
    producer: String,
}

impl Entry {
    /// Of a blob of which nothing else is known.
    pub(super) fn of(digest: Digest, size: u64, milliseconds: u64) -> Self {
        Self {
            digest,
            milliseconds,
            reason: None,
            size,
            travel: None,
            travel_size: None,
            gzip: None,
            bases: Vec::new(),
        }
    }

    /// Says which form it has.
    pub(super) fn form(&mut self, form: &TravelForm, encoding: Encoding, pieces: u64, bases: &[Base]) {
        let entry = |base: &Base| BaseEntry {
            carried: base.carried,
            digest: base.digest,
            plain_size: base.inflated,
            size: base.size,
        };
        self.bases = bases.iter().map(entry).collect();
        (self.travel, self.travel_size) = (Some(form.digest), Some(form.size));
        if let Encoding::Gzip(gzip) = encoding {
            self.gzip = Some(GzipEntry {
                pieces,
                plain_digest: gzip.plain_digest,
                plain_size: gzip.plain_size,
                producer: gzip.producer.as_str().to_owned(),
            });
        }
    }

    /// Returns what it is copied from.
    fn bases(&self) -> Vec<Base> {
        let base = |entry: &BaseEntry| Base {
            digest: entry.digest,
            size: entry.size,
            inflated: entry.plain_size,
            carried: entry.carried,
        };
        self.bases.iter().map(base).collect()
    }

    /// Returns how it travels; nothing for a producer that this program does not know.
    fn encoding(&self) -> Option<(Encoding, u64)> {
        let Some(gzip) = &self.gzip else {
            return Some((Encoding::Plain, 0));
        };
        let encoding = Encoding::Gzip(Gzip {
            producer: Producer::parse(&gzip.producer)?,
            plain_size: gzip.plain_size,
            plain_digest: gzip.plain_digest,
        });
        Some((encoding, gzip.pieces))
    }
}

/// What an entry comes to, once it was compared.
pub(super) enum Known {
    Form {
        path: PathBuf,
        digest: Digest,
        size: u64,
        encoding: Encoding,
        pieces: u64,
        bases: Vec<Base>,
        milliseconds: u64,
    },
    AsItIs(Reason),
}

/// The cache of a workspace.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    level: &'static str,
    mode: &'static str,
    bytes: u64,
    /// What layers may be copied from in this run: what is made depends on it.
    offered: Vec<Digest>,
    /// And what each may be copied from in the bundle itself.
    related: BTreeMap<Digest, Vec<Digest>>,
    /// What this run uses: the last to go.
    used: HashSet<String>,
}

impl Cache {
    /// Opens the cache in the folder of a workspace.
    pub(super) fn open(workspace: &Path, options: &EncodeOptions) -> Result<Self> {
        let folder = workspace.join("cache");
        create_own_folder(&folder)?;
        let folder = folder.join("travel");
        create_own_folder(&folder)?;
        Ok(Self {
            folder,
            level: options.level.word(),
            mode: options.encodings.word(),
            bytes: options.cache_bytes,
            offered: Vec::new(),
            related: BTreeMap::new(),
            used: HashSet::new(),
        })
    }

    /// Says what layers may be copied from.
    pub(super) fn offer<'a>(
        &mut self,
        bases: impl Iterator<Item = &'a Digest>,
        related: &BTreeMap<Digest, Vec<Digest>>,
    ) {
        self.offered = bases.copied().collect();
        self.related.clone_from(related);
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn key(&self, digest: &Digest) -> String {
        let version = Version::current().to_string();
        let related = self.related.get(digest);
        let of = canonical::to_vec(&json!([digest, self.offered, related, self.level, self.mode, version]));
        Hash(Sha256::digest(of).into()).to_hex()
    }

    fn form(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.travel"))
    }

    fn entry(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    /// Whether something seems to be known of a blob.
    pub(super) fn has(&self, digest: &Digest) -> Result<bool> {
        let entry = self.entry(&self.key(digest));
        entry.try_exists().map_err(|error| Error::io("look at", &entry, error))
    }

    /// Returns what is known of a blob. What does not hold together counts as nothing.
    pub(super) fn find(&mut self, digest: &Digest, size: u64) -> Result<Option<Known>> {
        let key = self.key(digest);
        let Some(file) = open_plain(&self.entry(&key))? else {
            return Ok(None);
        };
        // The least recently used go first. By the file system's clock, which the order is read from too.
        rustix::fs::futimens(&file, &TOUCHED).ok();
        let Ok(bytes) = read_bounded(file, ENTRY_BYTES, "an entry of the cache") else {
            return Ok(None);
        };
        let entry = canonical::from_slice::<Entry>(&bytes, "an entry of the cache").ok();
        let Some(entry) = entry.filter(|entry| entry.digest == *digest && entry.size == size) else {
            return Ok(None);
        };
        self.used.insert(key.clone());
        if let Some(reason) = entry.reason.as_deref().and_then(Reason::of) {
            return Ok(Some(Known::AsItIs(reason)));
        }
        let (Some(travel), Some(travel_size), Some((encoding, pieces))) =
            (entry.travel, entry.travel_size, entry.encoding())
        else {
            return Ok(None);
        };
        let Some(file) = open_plain(&self.form(&key))? else {
            return Ok(None);
        };
        if digest_of_file(&file, travel_size)? != Some(travel) {
            return Ok(None);
        }
        Ok(Some(Known::Form {
            path: self.form(&key),
            digest: travel,
            size: travel_size,
            encoding,
            pieces,
            bases: entry.bases(),
            milliseconds: entry.milliseconds,
        }))
    }

    /// Keeps what was found out of a blob; `form` is a file without a name, and the path that it is given is returned.
    pub(super) fn keep(&mut self, entry: &Entry, form: Option<&File>) -> Result<Option<PathBuf>> {
        let key = self.key(&entry.digest);
        let path = self.form(&key);
        if let Some(file) = form {
            let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
            let link = || rustix::fs::linkat(CWD, &unnamed, CWD, &path, AtFlags::SYMLINK_FOLLOW);
            let linked = match link() {
                Err(Errno::EXIST) => {
                    fs::remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
                    link()
                }
                done => done,
            };
            linked.map_err(|e| Error::io("name", &path, e.into()))?;
        }
        write_atomically(&self.entry(&key), &canonical::to_vec(entry), 0o600)?;
        self.used.insert(key);
        Ok(form.map(|_| path))
    }

    /// Takes out what was used longest ago, until what is left is within its bound or used by this run.
    pub(super) fn prune(&self) -> Result<()> {
        prune(&self.folder, self.bytes, &|name| {
            let key = name.split_once('.').map(|(key, _)| key);
            key.is_some_and(|key| self.used.contains(key))
        })
    }
}

/// Takes files out of a folder that were used longest ago, until what is left is within a bound or used.
pub(super) fn prune(folder: &Path, most: u64, is_used: &dyn Fn(&str) -> bool) -> Result<()> {
    let (mut entries, mut all) = (Vec::new(), 0_u64);
    for found in fs::read_dir(folder).map_err(|e| Error::io("list", folder, e))? {
        let found = found.map_err(|e| Error::io("list", folder, e))?;
        // Another run may have taken it out meanwhile.
        let Ok(metadata) = found.metadata() else { continue };
        all = all.saturating_add(metadata.len());
        let name = found.file_name();
        if !name.to_str().is_some_and(is_used) {
            entries.push((metadata.modified().ok(), found.path(), metadata.len()));
        }
    }
    entries.sort();
    for (_, path, size) in entries {
        if all <= most {
            break;
        }
        if fs::remove_file(&path).is_ok() {
            all = all.saturating_sub(size);
        }
    }
    Ok(())
}

/// Returns the digest of a file of exactly so many bytes.
pub(super) fn digest_of_file(file: &File, size: u64) -> Result<Option<Digest>> {
    let unreadable = |error| Error::io("read", Path::new("an entry of the cache"), error);
    if file.metadata().map_err(unreadable)?.len() != size {
        return Ok(None);
    }
    let file = Arc::new(file.try_clone().map_err(unreadable)?);
    let (mut stretch, mut hash) = (Stretch::new(file, 0, size), Sha256::new());
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = read_exact_or_end(&mut stretch, &mut buffer).map_err(unreadable)?;
        hash.update(buffer.get(..count).unwrap_or_default());
        if count < buffer.len() {
            return Ok(Some(Digest(Hash(hash.finalize().into()))));
        }
    }
}
