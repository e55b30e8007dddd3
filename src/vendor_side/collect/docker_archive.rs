//! What `docker save` writes where it is no OCI layout: engines before 25, podman, skopeo, crane, build tools.
//!
//! ```text
//! manifest.json   [{Config, RepoTags, Layers}]: which image is called what, and where its parts lie
//! <hex>.json      the config: its digest is the image's id
//! …/layer.tar     layers, mostly plain; some are links to another one's
//! ```
//!
//! There is no manifest in it that a registry would have. It is made here, of nothing but these bytes, so that it is the same on every
//! machine: the config as it stands, and each layer as it lies there, under the type of what it is. Its digest is airlock's own, which is said whenever one is made; no registry knows it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::local_tar::{GZIP_MAGIC, LocalTar, Member, Range, ZSTD_MAGIC};
use super::origin::{Found, Origin};
use super::picked::{KnownName, Picked};
use super::reference::ImageReference;
use super::source::Pick;
use crate::container::zstd_reader;
use crate::domain::oci::{DOCKER_MANIFEST, OCI_MANIFEST};
use crate::domain::{Class, Digest, Error, Hash, Result, Tag, limits};
use crate::stream::{read_bounded, read_exact_or_end};

/// What lists the images.
pub(super) const LIST: &str = "manifest.json";
/// Media types of manifest, config, and layers: plain, gzip, zstd.
struct Types {
    manifest: &'static str,
    config: &'static str,
    layers: [&'static str; 3],
}

/// Docker's own: readers of others' types leave out what OCI does not know of a config, health checks among it.
const DOCKER_TYPES: Types = Types {
    manifest: DOCKER_MANIFEST,
    config: "application/vnd.docker.container.image.v1+json",
    layers: [
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        // Never used: see `OCI_TYPES`.
        "",
    ],
};
/// For images with a layer of zstd, for which Docker has no type that everybody reads.
const OCI_TYPES: Types = Types {
    manifest: OCI_MANIFEST,
    config: "application/vnd.oci.image.config.v1+json",
    layers: [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ],
};

/// How a layer lies in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Zstd,
}

impl Types {
    fn layer(&self, form: Form) -> &'static str {
        let [plain, gzip, zstd] = self.layers;
        match form {
            Form::Plain => plain,
            Form::Gzip => gzip,
            Form::Zstd => zstd,
        }
    }
}

/// Longest name of a part.
const NAME_BYTES: usize = 512;
/// How often one link may lead to another.
const LINKS: usize = 8;
/// What to do where another image is meant, or one of several.
const ONE_OF_ARCHIVE: &str =
    "name one of them in the source: docker-archive:PATH:NAME, or docker-archive:PATH@DIGEST with its id";

/// An archive.
#[derive(Debug)]
pub(super) struct DockerArchive {
    path: PathBuf,
    tar: LocalTar,
    /// Most bytes that a compressed layer may have when it is expanded.
    expanded: u64,
    images: Vec<Item>,
    parts: HashMap<String, Range>,
    made: Mutex<Made>,
}

/// What was made of images that were picked.
#[derive(Debug, Default)]
struct Made {
    manifests: BTreeMap<Digest, Vec<u8>>,
    blobs: BTreeMap<Digest, Range>,
}

/// An image as the list has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

impl Item {
    fn names(&self) -> impl Iterator<Item = ImageReference> {
        let texts = self.repo_tags.iter().flatten();
        texts
            .filter_map(|text| text.parse().ok())
            .filter(|name: &ImageReference| name.tag.is_some())
    }

    /// Its id as its name says it.
    fn id(&self) -> Option<Digest> {
        let name = self.config.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".json").unwrap_or(name);
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        format!("sha256:{hex}").parse().ok()
    }

    fn fits(&self, pick: &Pick) -> bool {
        match pick {
            Pick::Only => true,
            Pick::Tag(tag) => self.names().any(|name| name.tag.as_ref() == Some(tag)),
            Pick::Name(name) => self.names().any(|known| known == *name),
            Pick::Digest(digest) => self.id() == Some(*digest),
        }
    }

    fn label(&self) -> String {
        let id = || self.id().map_or_else(|| self.config.clone(), |id| format!("@{id}"));
        let names: Vec<String> = self.names().map(|name| name.to_string()).collect();
        let label = if names.is_empty() { id() } else { names.join(", ") };
        label.chars().take(255).collect()
    }
}

impl DockerArchive {
    /// Reads the list of an archive's images, and finds their parts.
    ///
    /// # Errors
    ///
    /// `E-FORMAT docker-archive` for what is none; `E-LIMIT`; `E-IO`.
    pub(super) fn open(path: &Path, tar: LocalTar, list: Range, expanded: u64) -> Result<Self> {
        let mut archive = Self {
            path: path.to_owned(),
            tar,
            expanded,
            images: Vec::new(),
            parts: HashMap::new(),
            made: Mutex::default(),
        };
        let bytes = read_bounded(archive.tar.part(list), limits::MANIFEST_BYTES, LIST)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a local file of other tools, not a signed document"
        )]
        let images: Vec<Item> = serde_json::from_slice(&bytes).map_err(|error| {
            archive
                .wrong(&format!("its {LIST} does not parse: {error}"))
                .with_source(error)
        })?;
        archive.images = images;
        archive.parts = archive.find_parts()?;
        Ok(archive)
    }

    /// Finds the files that the list names, also behind links.
    fn find_parts(&self) -> Result<HashMap<String, Range>> {
        let listed = self.images.iter();
        let named = listed.flat_map(|image| image.layers.iter().flatten().chain([&image.config]));
        let mut wanted: BTreeSet<String> = named.cloned().collect();
        if wanted.len() > limits::DESCRIPTORS {
            return Err(Error::new(
                Class::Limit,
                "descriptors",
                format!("{} lists {} files", self.path.display(), wanted.len()),
            )
            .expected(format!("at most {}", limits::DESCRIPTORS)));
        }
        let (mut files, mut links) = (HashMap::new(), HashMap::new());
        for _ in 0..LINKS {
            let mut more = BTreeSet::new();
            self.tar.each(&self.path, &mut |name, member| {
                if name.len() > NAME_BYTES || !wanted.contains(name) {
                    return Ok(());
                }
                match member {
                    Member::File(range) => {
                        files.insert(name.to_owned(), range);
                    }
                    Member::Link { to, from_top } => {
                        let to = if from_top { Some(to) } else { beside(name, &to) };
                        if let Some(to) = to.filter(|to| to.len() <= NAME_BYTES) {
                            more.insert(to.clone());
                            links.insert(name.to_owned(), to);
                        }
                    }
                }
                Ok(())
            })?;
            more.retain(|name| !wanted.contains(name));
            if more.is_empty() {
                break;
            }
            wanted.append(&mut more);
        }
        let found = wanted.into_iter().filter_map(|name| {
            let mut at = &name;
            for _ in 0..LINKS {
                if let Some(range) = files.get(at) {
                    return Some((name.clone(), *range));
                }
                at = links.get(at)?;
            }
            None
        });
        Ok(found.collect())
    }

    /// Finds the image that a release file means, and makes its manifest.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` when there is none, when several could be meant, or when a part is missing; `E-INTEGRITY source` for a part that is
    /// another one; `E-FORMAT docker-archive`, `E-LIMIT`, `E-IO`.
    pub(super) fn pick(&self, pick: &Pick) -> Result<Picked> {
        let (image, names) = self.find(pick)?;
        let (digest, media_type) = self.make(image)?;
        Ok(Picked {
            digest,
            media_type: media_type.to_owned(),
            names,
        })
    }

    /// Returns the names of the image that is meant; none of its parts is read.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` when there is none, or when several could be meant.
    pub(super) fn names(&self, pick: &Pick) -> Result<Vec<KnownName>> {
        self.find(pick).map(|(_, names)| names)
    }

    fn find(&self, pick: &Pick) -> Result<(&Item, Vec<KnownName>)> {
        let found: Vec<&Item> = self.images.iter().filter(|image| image.fits(pick)).collect();
        let image = match found.as_slice() {
            [image] => *image,
            // One image under several names may be listed once for each.
            [image, rest @ ..] if rest.iter().all(|other| other.config == image.config) => *image,
            [] => return Err(self.no_such(pick)),
            several => return Err(self.which(several)),
        };
        let is_meant = |name: &ImageReference| match pick {
            Pick::Only | Pick::Digest(_) => true,
            Pick::Tag(tag) => name.tag.as_ref() == Some(tag),
            Pick::Name(meant) => name == meant,
        };
        let names = found.iter().flat_map(|image| image.names()).filter(is_meant);
        Ok((image, names.map(KnownName::whole).collect()))
    }

    /// Makes the manifest of an image, of a media type.
    fn make(&self, image: &Item) -> Result<(Digest, &'static str)> {
        let config = self.part(&image.config)?;
        let bytes = read_bounded(self.tar.part(config), limits::MANIFEST_BYTES, "an image config")?;
        let id = Digest(Hash(Sha256::digest(&bytes).into()));
        if let Some(said) = image.id().filter(|said| *said != id) {
            return Err(self.another(&format!("the config of the image {said} has the digest {id}")));
        }
        let diff_ids = self.diff_ids(&image.config, &bytes)?;
        let names: Vec<&String> = image.layers.iter().flatten().collect();
        if names.len() != diff_ids.len() {
            return Err(self.wrong(&format!(
                "it lists {} layers of an image whose config has {}",
                names.len(),
                diff_ids.len()
            )));
        }
        let mut blobs = vec![(id, config)];
        let mut layers = Vec::new();
        for (name, diff_id) in names.into_iter().zip(diff_ids) {
            let range = self.part(name)?;
            let (form, digest) = self.layer(name, range, diff_id)?;
            layers.push((form, digest, range));
            blobs.push((digest, range));
        }
        let is_zstd = layers.iter().any(|(form, ..)| *form == Form::Zstd);
        let types = if is_zstd { OCI_TYPES } else { DOCKER_TYPES };
        let layers = layers
            .into_iter()
            .map(|(form, digest, range)| descriptor(types.layer(form), digest, range));
        let manifest = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"config\":{},\"layers\":[{}]}}",
            types.manifest,
            descriptor(types.config, id, config),
            layers.collect::<Vec<_>>().join(",")
        )
        .into_bytes();
        let digest = Digest(Hash(Sha256::digest(&manifest).into()));
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.manifests.insert(digest, manifest);
        made.blobs.extend(blobs);
        Ok((digest, types.manifest))
    }

    fn diff_ids(&self, name: &str, config: &[u8]) -> Result<Vec<Digest>> {
        #[derive(Deserialize)]
        struct Config {
            rootfs: RootFs,
        }
        #[derive(Deserialize)]
        struct RootFs {
            #[serde(default)]
            diff_ids: Option<Vec<String>>,
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a local file of other tools; its bytes travel as they are"
        )]
        let parsed: Config = serde_json::from_slice(config).map_err(|error| {
            let what = format!("{name} is no config of an image: {error}");
            self.wrong(&what).with_source(error)
        })?;
        let texts = parsed.rootfs.diff_ids.unwrap_or_default().into_iter();
        let parsed = texts.map(|text| {
            text.parse().map_err(|error| {
                let found = format!("{} names a layer by {text:?}", self.path.display());
                Error::new(Class::Content, "digest", found)
                    .expected("sha256: and 64 lower-case hex digits")
                    .with_source(error)
            })
        });
        parsed.collect()
    }

    /// Returns what a layer is, and its digest: of a plain one its config says it, and whoever reads the layer compares.
    fn layer(&self, name: &str, range: Range, diff_id: Digest) -> Result<(Form, Digest)> {
        let failed = |error| Error::io("read", &self.path, error);
        let mut magic = [0; 4];
        read_exact_or_end(&mut self.tar.part(range), &mut magic).map_err(failed)?;
        let form = match magic {
            ZSTD_MAGIC => Form::Zstd,
            _ if magic.starts_with(&GZIP_MAGIC) => Form::Gzip,
            _ => return Ok((Form::Plain, diff_id)),
        };
        let mut hashed = Hashed {
            inner: self.tar.part(range),
            hash: Sha256::new(),
        };
        let held = {
            let buffered = BufReader::with_capacity(1 << 16, &mut hashed);
            match form {
                Form::Zstd => self.plain_digest(name, &mut zstd_reader(buffered)?)?,
                Form::Gzip | Form::Plain => self.plain_digest(name, &mut MultiGzDecoder::new(buffered))?,
            }
        };
        io::copy(&mut hashed, &mut io::sink()).map_err(failed)?;
        if held != diff_id {
            return Err(self.another(&format!("{name} holds {held} where its config has {diff_id}")));
        }
        Ok((form, Digest(Hash(hashed.hash.finalize().into()))))
    }

    /// Hashes what comes out of a compressed layer.
    fn plain_digest(&self, name: &str, plain: &mut dyn Read) -> Result<Digest> {
        let (mut hash, mut total) = (Sha256::new(), 0_u64);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = plain.read(&mut buffer).map_err(|error| {
                self.wrong(&format!("{name} cannot be expanded: {error}"))
                    .with_source(error)
            })?;
            if count == 0 {
                return Ok(Digest(Hash(hash.finalize().into())));
            }
            total = total.saturating_add(count as u64);
            if total > self.expanded {
                let found = format!(
                    "{}: {name} has more than {} bytes when it is expanded",
                    self.path.display(),
                    self.expanded
                );
                return Err(Error::new(Class::Limit, "expanded", found)
                    .expected(format!("at most {} bytes", self.expanded))
                    .remedy("raise the bound with --expand-limit SIZE"));
            }
            hash.update(buffer.get(..count).unwrap_or_default());
        }
    }

    fn part(&self, name: &str) -> Result<Range> {
        self.parts.get(name).copied().ok_or_else(|| {
            let found = format!("{} lists {:?} and does not hold it", self.path.display(), cut(name));
            Error::new(Class::Content, "missing", found)
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
        let labels: Vec<String> = self.images.iter().map(Item::label).collect();
        if labels.is_empty() {
            return Error::new(Class::Content, "missing", found + ", and no other");
        }
        Error::listing(Class::Content, "missing", found + "; what it holds:", &labels).remedy(ONE_OF_ARCHIVE)
    }

    fn which(&self, several: &[&Item]) -> Error {
        let found = format!(
            "{} holds {} images that could be meant:",
            self.path.display(),
            several.len()
        );
        let labels: Vec<String> = several.iter().map(|image| image.label()).collect();
        Error::listing(Class::Content, "which-image", found, &labels).remedy(ONE_OF_ARCHIVE)
    }

    fn another(&self, what: &str) -> Error {
        Error::new(Class::Integrity, "source", format!("{}: {what}", self.path.display()))
            .expected("content that matches its digest")
            .remedy("save the image again")
    }

    fn wrong(&self, what: &str) -> Error {
        let meant = self.tar.meant();
        let found = format!("{} is no {}: {what}", self.path.display(), meant.what);
        Error::new(Class::Format, meant.code, found).expected(meant.expected)
    }
}

impl Origin for DockerArchive {
    fn manifest(&self, digest: &Digest) -> Result<Option<Found>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(made.manifests.get(digest).map(|bytes| Found {
            bytes: bytes.clone(),
            media_type: None,
        }))
    }

    fn tag(&self, _: &Tag) -> Result<Option<Found>> {
        Ok(None)
    }

    fn referrers(&self, _: &Digest) -> Result<Vec<Digest>> {
        Ok(Vec::new())
    }

    fn missing(&self, blobs: &[(Digest, u64)]) -> Result<Vec<String>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = blobs.iter().filter(|(digest, _)| !made.blobs.contains_key(digest));
        Ok(unknown.map(|(digest, _)| format!("{digest} is not there")).collect())
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.blobs.get(digest) {
            Some(range) => Ok(Box::new(self.tar.part(*range))),
            None => Err(Error::new(
                Class::Internal,
                "source",
                format!("{} has no {digest}", self.path.display()),
            )),
        }
    }
}

/// Hashes what is read.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// A descriptor as it stands in a manifest, its members always in the same order.
fn descriptor(media_type: &str, digest: Digest, (_, size): Range) -> String {
    format!("{{\"mediaType\":\"{media_type}\",\"size\":{size},\"digest\":\"{digest}\"}}")
}

/// Where a link leads, as text; nothing where that is out of the tar.
fn beside(name: &str, to: &str) -> Option<String> {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    if to.starts_with('/') {
        return None;
    }
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_within_the_tar() {
        assert_eq!(beside("a/layer.tar", "../b/layer.tar").as_deref(), Some("b/layer.tar"));
        assert_eq!(beside("a/layer.tar", "./x.tar").as_deref(), Some("a/x.tar"));
        for out in ["../../x", "/etc/passwd"] {
            assert_eq!(beside("a/layer.tar", out), None);
        }
    }
}
