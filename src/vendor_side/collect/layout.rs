//! Images from an OCI layout, a folder or a tar of one (image-spec, image-layout).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::blob_range::BlobRange;
use super::docker_archive::LIST;
use super::layout_entry::Entry;
use super::layout_tar::TarLayout;
use super::local_tar::EXPANDED_BYTES;
use super::origin::{Found, Origin};
use super::picked::{KnownName, Picked};
use super::source::Pick;
use crate::ReleaseFolder;
use crate::domain::oci::{Document, Kind, Layers};
use crate::domain::{Class, Digest, Error, Result, Tag, limits};
use crate::stream::{Looked, read_bounded};

/// What a layout is found by.
pub(super) const INDEX: &str = "index.json";

/// What to do where another image is meant, or one of several.
const NAME_ONE: &str = "name one of them in the source: oci:PATH:NAME, or oci:PATH@DIGEST";

/// How layouts on this machine are read.
#[derive(Debug, Clone)]
pub(crate) struct LocalLayouts {
    /// Where they may lie.
    pub(crate) folder: ReleaseFolder,
    /// Most bytes that a compressed one may have when it is expanded.
    pub(crate) expanded: u64,
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

#[derive(Deserialize)]
struct IndexFile {
    manifests: Vec<Entry>,
}

impl Layout {
    /// Opens a layout.
    ///
    /// # Errors
    ///
    /// `E-FORMAT layout` for what is no layout, `docker-archive` for what is one of those; `E-USAGE outside` and `not-a-file`; `E-LIMIT`; `E-IO`; `E-SPACE`.
    pub(super) fn open(path: &Path, local: &LocalLayouts) -> Result<Self> {
        let looked = local.folder.look(path)?;
        let files = if looked.is_some_and(|looked| looked.is_folder()) {
            Files::Folder(path.to_owned())
        } else {
            Files::Tar(TarLayout::open(path, local.folder.file(path, "open")?, local.expanded)?)
        };
        Self::of(path, local.folder.clone(), files)
    }

    /// Reads the index of a tar that is open.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`].
    pub(super) fn of_tar(path: &Path, tar: TarLayout) -> Result<Self> {
        Self::of(path, ReleaseFolder::anywhere(), Files::Tar(tar))
    }

    fn of(path: &Path, folder: ReleaseFolder, files: Files) -> Result<Self> {
        let mut layout = Self {
            path: path.to_owned(),
            folder,
            files,
            entries: Vec::new(),
            subjects: OnceLock::new(),
        };
        let Some((index, _)) = layout.file(INDEX)? else {
            return Err(match layout.file(LIST)? {
                Some(_) => layout.of_docker(),
                None => layout.wrong("it has no index.json"),
            });
        };
        let bytes = read_bounded(index, limits::MANIFEST_BYTES, INDEX)?;
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

    /// Whether an image in it has no layers where its config has some: some engines write such an index beside their list.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn is_hollow(&self) -> Result<bool> {
        #[derive(Deserialize)]
        struct Config {
            rootfs: RootFs,
        }
        #[derive(Deserialize)]
        struct RootFs {
            diff_ids: Vec<serde::de::IgnoredAny>,
        }
        for entry in &self.entries {
            let Ok(digest) = entry.digest.parse::<Digest>() else {
                continue;
            };
            let bytes = self.bytes(&digest)?.unwrap_or_default();
            // What cannot be read matters when it is picked, not here.
            let Ok(document) = Document::parse_with(&bytes, &entry.media_type, Layers::Any) else {
                continue;
            };
            let Some(config) = document.config.filter(|_| document.layers.is_empty()) else {
                continue;
            };
            let bytes = self.bytes(&config.digest)?.unwrap_or_default();
            #[expect(clippy::disallowed_methods, reason = "only counted")]
            let config: Option<Config> = serde_json::from_slice(&bytes).ok();
            if config.is_some_and(|config| !config.rootfs.diff_ids.is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds the entry that a release file means.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` when there is none, when several could be meant, or when it cannot be carried.
    pub(super) fn pick(&self, pick: &Pick) -> Result<Picked> {
        let mut found: Vec<&Entry> = self.entries.iter().filter(|entry| entry.fits(pick)).collect();
        if *pick == Pick::Only && found.len() > 1 {
            // What refers to an image is listed beside it and is not what is meant.
            let about: Vec<String> = self.subjects().iter().map(|(_, entry)| entry.to_string()).collect();
            found.retain(|entry| !about.contains(&entry.digest) && !entry.is_referrer_tag());
        }
        // One image under several names has an entry for each.
        let all = found.clone();
        let mut seen = BTreeSet::new();
        found.retain(|entry| seen.insert(&entry.digest));
        let entry = match found.as_slice() {
            [entry] => *entry,
            [] => match pick {
                // A digest may also name a manifest that only an index in the layout mentions.
                Pick::Digest(digest) if self.blob_size(digest)?.is_some() => return self.unlisted(*digest),
                _ => return Err(self.no_such(pick)),
            },
            several => return Err(self.which(several)),
        };
        if self.file(LIST)?.is_some() && self.is_hollow()? {
            return Err(self.hollow());
        }
        let digest: Digest = entry.digest.parse().map_err(|error| {
            Error::new(
                Class::Content,
                "digest",
                format!("{} names its image by {:?}", self.path.display(), entry.digest),
            )
            .expected("sha256: and 64 lower-case hex digits")
            .with_source(error)
        })?;
        let names = all.iter().flat_map(|entry| match pick {
            Pick::Only => entry.names(),
            Pick::Tag(tag) => entry.names_with(tag),
            Pick::Name(name) => vec![KnownName::whole(name.clone())],
            // Whoever asks by digest gives the tag too, or wants none.
            Pick::Digest(_) => {
                let whole = entry.names().into_iter().filter(|known| known.name.is_some());
                whole.map(|known| KnownName { tag: None, ..known }).collect()
            }
        });
        Ok(Picked {
            digest,
            media_type: entry.media_type.clone(),
            names: names.collect(),
        })
    }

    fn unlisted(&self, digest: Digest) -> Result<Picked> {
        let bytes = self
            .bytes(&digest)?
            .ok_or_else(|| self.no_such(&Pick::Digest(digest)))?;
        Ok(Picked {
            digest,
            media_type: super::walk::media_type_of(&bytes, None).ok_or_else(|| self.no_such(&Pick::Digest(digest)))?,
            names: Vec::new(),
        })
    }

    fn no_such(&self, pick: &Pick) -> Error {
        let wanted = match pick {
            Pick::Only => "image".to_owned(),
            Pick::Tag(tag) => format!("image {tag}"),
            Pick::Name(name) => format!("image {name}"),
            Pick::Digest(digest) => format!("image {digest}"),
        };
        let found = format!("{} holds no {wanted}", self.path.display());
        let mut labels: Vec<String> = self.entries.iter().map(Entry::label).collect();
        labels.dedup();
        if labels.is_empty() {
            return Error::new(Class::Content, "missing", found + ", and no other");
        }
        Error::listing(Class::Content, "missing", found + "; what it holds:", &labels).remedy(NAME_ONE)
    }

    fn which(&self, several: &[&Entry]) -> Error {
        let found = format!(
            "{} holds {} images that could be meant:",
            self.path.display(),
            several.len()
        );
        let candidates: Vec<String> = several
            .iter()
            .map(|entry| format!("{} ({})", entry.label(), entry.digest))
            .collect();
        Error::listing(Class::Content, "which-image", found, &candidates).remedy(NAME_ONE)
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
            }) = Document::parse_with(&bytes, &entry.media_type, Layers::Any)
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

    /// What older engines save.
    fn of_docker(&self) -> Error {
        let path = self.path.display();
        let remedy = match self.files {
            Files::Folder(_) => {
                format!("pack it: `tar -cf {path}.tar -C {path} .`, then write docker-archive:{path}.tar")
            }
            Files::Tar(_) => format!("write docker-archive:{path}"),
        };
        Error::new(
            Class::Format,
            "docker-archive",
            format!("{path} is an archive of docker, as `docker save` of older engines writes it, and no OCI layout"),
        )
        .expected("a folder or tar with index.json and blobs/")
        .remedy(remedy)
    }

    fn hollow(&self) -> Error {
        let path = self.path.display();
        let found = format!("{path} was saved by an engine that leaves the layers out of its OCI manifests");
        Error::new(Class::Format, "docker-archive", found)
            .expected("manifests with the layers that their configs name")
            .remedy(format!("write docker-archive:{path}"))
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
