//! Images from an OCI layout, a folder or a tar of one (image-spec, image-layout).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::blob_range::BlobRange;
use super::layout_tar::{EXPANDED_BYTES, TarLayout};
use super::origin::{Found, Origin};
use super::reference::ImageReference;
use super::source::Pick;
use crate::domain::oci::{Document, Kind};
use crate::domain::{Class, Digest, Error, Result, Tag, limits};
use crate::stream::{Looked, read_bounded};
use crate::vendor_side::ReleaseFolder;

/// Annotation with the reference name of an entry.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation with the full name, as containerd and `BuildKit` write it.
const FULL_NAME: &str = "io.containerd.image.name";

/// How layouts on this machine are read.
#[derive(Debug, Clone)]
pub(in crate::vendor_side) struct LocalLayouts {
    /// Where they may lie.
    pub(in crate::vendor_side) folder: ReleaseFolder,
    /// Most bytes that a compressed one may have when it is expanded.
    pub(in crate::vendor_side) expanded: u64,
}

impl LocalLayouts {
    /// Layouts that the caller has chosen itself.
    pub(super) fn anywhere() -> Self {
        Self {
            folder: ReleaseFolder::anywhere(),
            expanded: EXPANDED_BYTES,
        }
    }
}

/// An open layout.
#[derive(Debug)]
pub(super) struct Layout {
    path: PathBuf,
    folder: ReleaseFolder,
    files: Files,
    entries: Vec<Entry>,
    /// Which entry is about which manifest; worked out when first asked for.
    subjects: OnceLock<Vec<(Digest, Digest)>>,
}

#[derive(Debug)]
enum Files {
    Folder(PathBuf),
    Tar(TarLayout),
}

/// An entry of `index.json`. It is no manifest of an image, so entries that airlock cannot carry matter only when picked.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct IndexFile {
    manifests: Vec<Entry>,
}

/// The entry that a release file picked.
#[derive(Debug, Clone)]
pub(super) struct Picked {
    /// Its digest.
    pub(super) digest: Digest,
    /// Its media type.
    pub(super) media_type: String,
    /// The full name that the layout has for it, if any.
    pub(super) name: Option<ImageReference>,
    /// The tag that the layout has for it, if any.
    pub(super) tag: Option<Tag>,
}

impl Entry {
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    fn is_named(&self, tag: &Tag) -> bool {
        let full = |text: &str| {
            text.parse::<ImageReference>()
                .is_ok_and(|name| name.tag.as_ref() == Some(tag))
        };
        self.annotation(REF_NAME)
            .is_some_and(|text| text == tag.as_str() || (text.contains(':') && full(text)))
            || self.annotation(FULL_NAME).is_some_and(full)
    }
}

impl Layout {
    /// Opens a layout.
    ///
    /// # Errors
    ///
    /// `E-FORMAT layout` for what is no layout; `E-USAGE outside` and `not-a-file`; `E-LIMIT`; `E-IO`; `E-SPACE`.
    pub(super) fn open(path: &Path, local: &LocalLayouts) -> Result<Self> {
        let looked = local.folder.look(path)?;
        let files = if looked.is_some_and(|looked| looked.is_folder()) {
            Files::Folder(path.to_owned())
        } else {
            Files::Tar(TarLayout::open(path, local.folder.file(path, "open")?, local.expanded)?)
        };
        let mut layout = Self {
            path: path.to_owned(),
            folder: local.folder.clone(),
            files,
            entries: Vec::new(),
            subjects: OnceLock::new(),
        };
        let (index, _) = layout
            .file("index.json")?
            .ok_or_else(|| layout.wrong("it has no index.json"))?;
        let bytes = read_bounded(index, limits::MANIFEST_BYTES, "index.json")?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a local file of other tools, not a signed document"
        )]
        let parsed: IndexFile = serde_json::from_slice(&bytes).map_err(|error| {
            layout
                .wrong(&format!("its index.json does not parse: {error}"))
                .with_source(error)
        })?;
        if parsed.manifests.len() > limits::DESCRIPTORS {
            return Err(Error::new(
                Class::Limit,
                "descriptors",
                format!("{} lists {} manifests", path.display(), parsed.manifests.len()),
            )
            .expected(format!("at most {}", limits::DESCRIPTORS)));
        }
        layout.entries = parsed.manifests;
        Ok(layout)
    }

    /// Finds the entry that a release file means.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` when there is none, when several could be meant, or when it cannot be carried.
    pub(super) fn pick(&self, pick: &Pick) -> Result<Picked> {
        let fits = |entry: &&Entry| match pick {
            Pick::Only => true,
            Pick::Tag(tag) => entry.is_named(tag),
            Pick::Digest(digest) => entry.digest == digest.to_string(),
        };
        let mut found: Vec<&Entry> = self.entries.iter().filter(fits).collect();
        if *pick == Pick::Only && found.len() > 1 {
            // What refers to an image is listed beside it and is not what is meant.
            let about: Vec<String> = self.subjects().iter().map(|(_, entry)| entry.to_string()).collect();
            found.retain(|entry| !about.contains(&entry.digest) && !entry.is_referrer_tag());
        }
        found.dedup_by(|a, b| a.digest == b.digest);
        let entry = match found.as_slice() {
            [entry] => *entry,
            [] => match pick {
                // A digest may also name a manifest that only an index in the layout mentions.
                Pick::Digest(digest) if self.blob_size(digest)?.is_some() => return self.unlisted(*digest),
                _ => return Err(self.no_such(pick)),
            },
            several => {
                return Err(Error::new(
                    Class::Content,
                    "which-image",
                    format!(
                        "{} holds {} images that could be meant",
                        self.path.display(),
                        several.len()
                    ),
                )
                .expected(format!("one of {}", self.names()))
                .remedy("add :TAG or @DIGEST to the source"));
            }
        };
        let digest: Digest = entry.digest.parse().map_err(|error| {
            Error::new(
                Class::Content,
                "digest",
                format!("{} names its image by {:?}", self.path.display(), entry.digest),
            )
            .expected("sha256: and 64 lower-case hex digits")
            .with_source(error)
        })?;
        let complete = |text: &str| text.parse::<ImageReference>().ok().filter(|name| name.tag.is_some());
        let name = entry.annotation(FULL_NAME).and_then(complete).or_else(|| {
            entry
                .annotation(REF_NAME)
                .filter(|text| text.contains(':'))
                .and_then(complete)
        });
        let tag = match pick {
            Pick::Tag(tag) => Some(tag.clone()),
            Pick::Only => name
                .as_ref()
                .and_then(|name| name.tag.clone())
                .or_else(|| entry.annotation(REF_NAME).and_then(|text| text.parse().ok())),
            Pick::Digest(_) => None,
        };
        Ok(Picked {
            digest,
            media_type: entry.media_type.clone(),
            name,
            tag,
        })
    }

    fn unlisted(&self, digest: Digest) -> Result<Picked> {
        let bytes = self
            .bytes(&digest)?
            .ok_or_else(|| self.no_such(&Pick::Digest(digest)))?;
        Ok(Picked {
            digest,
            media_type: super::walk::media_type_of(&bytes, None).ok_or_else(|| self.no_such(&Pick::Digest(digest)))?,
            name: None,
            tag: None,
        })
    }

    fn no_such(&self, pick: &Pick) -> Error {
        let wanted = match pick {
            Pick::Only => "image".to_owned(),
            Pick::Tag(tag) => format!("image {tag}"),
            Pick::Digest(digest) => format!("image {digest}"),
        };
        Error::new(
            Class::Content,
            "missing",
            format!("{} holds no {wanted}", self.path.display()),
        )
        .expected(format!("one of {}", self.names()))
    }

    fn names(&self) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .take(20)
            .map(|entry| {
                let name = entry.annotation(REF_NAME).or_else(|| entry.annotation(FULL_NAME));
                name.unwrap_or(&entry.digest).chars().take(120).collect()
            })
            .collect();
        if names.is_empty() {
            "its images, of which there is none".to_owned()
        } else {
            names.join(", ")
        }
    }

    /// Pairs of a subject and the entry of `index.json` that is about it.
    fn subjects(&self) -> &[(Digest, Digest)] {
        if let Some(known) = self.subjects.get() {
            return known;
        }
        let mut pairs = Vec::new();
        for entry in &self.entries {
            let Ok(digest) = entry.digest.parse::<Digest>() else {
                continue;
            };
            if Kind::of(&entry.media_type).is_none() {
                continue;
            }
            // An entry that cannot be read or carried matters when it is picked, not here.
            let Ok(Some(bytes)) = self.bytes(&digest) else { continue };
            if let Ok(Document {
                subject: Some(subject), ..
            }) = Document::parse(&bytes, &entry.media_type)
            {
                pairs.push((subject.digest, digest));
            }
        }
        self.subjects.get_or_init(|| pairs)
    }

    fn bytes(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        match self.file(&blob_name(digest))? {
            None => Ok(None),
            Some((file, _)) => read_bounded(file, limits::MANIFEST_BYTES, &format!("the manifest {digest}")).map(Some),
        }
    }

    fn blob_size(&self, digest: &Digest) -> Result<Option<u64>> {
        let name = blob_name(digest);
        match &self.files {
            Files::Tar(tar) => Ok(tar.size(&name)),
            Files::Folder(folder) => {
                let path = folder.join(name);
                let looked = self.folder.look(&path)?;
                Ok(looked.filter(Looked::is_file).map(|looked| looked.size()))
            }
        }
    }

    /// Opens a file whose name is made here, never taken from a document.
    fn file(&self, name: &str) -> Result<Option<(BlobRange, u64)>> {
        match &self.files {
            Files::Tar(tar) => Ok(tar.get(name)),
            Files::Folder(folder) => {
                let path = folder.join(name);
                let Some(looked) = self.folder.look(&path)?.filter(Looked::is_file) else {
                    return Ok(None);
                };
                let file = File::from(looked.open().map_err(|e| Error::io("open", &path, e))?);
                Ok(Some((BlobRange::new(Arc::new(file), 0, looked.size()), looked.size())))
            }
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::new(
            Class::Format,
            "layout",
            format!("{} is no OCI layout: {what}", self.path.display()),
        )
        .expected("a folder or tar with index.json and blobs/")
    }
}

impl Entry {
    /// Whether the entry is named as what refers to an image is.
    fn is_referrer_tag(&self) -> bool {
        self.annotation(REF_NAME)
            .and_then(|name| name.strip_prefix("sha256-"))
            .is_some_and(|rest| rest.len() >= 64)
    }
}

impl Origin for Layout {
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>> {
        Ok(self.bytes(digest)?.map(|bytes| Found {
            bytes,
            media_type: None,
        }))
    }

    fn tag(&self, tag: &Tag) -> Result<Option<Found>> {
        let Some(entry) = self.entries.iter().find(|entry| entry.is_named(tag)) else {
            return Ok(None);
        };
        let picked = match entry.digest.parse::<Digest>() {
            Ok(digest) => self.bytes(&digest)?,
            Err(_) => None,
        };
        match picked {
            Some(bytes) => Ok(Some(Found {
                bytes,
                media_type: Some(entry.media_type.clone()),
            })),
            None => Err(Error::new(
                Class::Content,
                "missing",
                format!("{} names {tag} and does not hold it", self.path.display()),
            )),
        }
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Digest>> {
        Ok(self
            .subjects()
            .iter()
            .filter(|(about, _)| about == subject)
            .map(|(_, referrer)| *referrer)
            .collect())
    }

    fn missing(&self, blobs: &[(Digest, u64)]) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for (digest, size) in blobs {
            match self.blob_size(digest)? {
                Some(found) if found == *size => {}
                Some(found) => problems.push(format!("{digest} has {found} bytes instead of {size}")),
                None => problems.push(format!("{digest} is not there")),
            }
        }
        Ok(problems)
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        match self.file(&blob_name(digest))? {
            Some((file, _)) => Ok(Box::new(file)),
            None => Err(Error::new(
                Class::Content,
                "missing",
                format!("{} no longer holds {digest}", self.path.display()),
            )),
        }
    }
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.0)
}
