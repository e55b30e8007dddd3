//! Plain files, and artifacts as the files that they hold: what is here of them, and their bytes.
//!
//! A plain file stands below [`FILES_HOST`] in the form that the specification fixes (section 7). That form was judged by nobody when the
//! release came in, for files are content like any other; so it is judged here, by whoever lists a file, sends one or writes one out. Any
//! other tagged manifest that is neither an image nor about one is an artifact, and each of its layers a file.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::content::Found;
use super::manifests::Manifests;
use super::names::{Asked, Reference};
use super::service::Registry;
use super::snapshot::Snapshot;
use crate::appliance::hidden::HiddenTag;
use crate::db::site::name_claims;
use crate::db::site::release::ReleaseRow;
use crate::domain::oci::{Descriptor, Document, Kind, Layers};
use crate::domain::{
    Class, Digest, Error, FILE_ARTIFACT, FILE_MODE, FILE_TITLE, FILES_HOST, Hash, RepositoryName, Result, Tag,
    file_mode, file_name, is_file_title,
};

/// The one tag of a plain file.
const TAG: &str = "latest";
/// Configurations of images. What has another one is an artifact.
const IMAGES: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];
/// The layer of an artifact that has none.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// How tags begin that say something about an image.
const ABOUT: &str = "sha256-";
/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// A file, as the layer of an artifact says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLayer {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// What it is, as the vendor says.
    pub media_type: String,
    /// Its name, where it has one that leads nowhere.
    pub title: Option<String>,
    /// Who may do what with it, where that is said in the form of plain files.
    pub mode: Option<u32>,
}

/// A file of a live release.
#[derive(Debug)]
pub struct FileEntry {
    /// The release.
    pub release: ReleaseRow,
    /// Where it stands.
    pub repository: RepositoryName,
    /// Under which tag.
    pub tag: Tag,
    /// Its name in its release where it is a plain file.
    pub plain: Option<String>,
    /// Whose its name is, where that is somebody else: then its own clients alone find it by that.
    pub hidden: Option<HiddenTag>,
    /// The file; an error where its manifest is damaged, or says another thing than it must.
    pub file: Result<FileLayer>,
}

impl FileLayer {
    /// Reads the manifest of a plain file.
    ///
    /// # Errors
    ///
    /// `E-CONTENT file-form` where it is none.
    pub fn of_plain(manifest: &[u8], media_type: &str) -> Result<Self> {
        let wrong = |found: String| {
            Error::new(Class::Content, "file-form", found)
                .expected("one layer with the name of a file and a mode up to 0777")
                .remedy("ask the vendor for a release that carries it as a plain file; as an artifact it can be pulled as it is")
        };
        // Longer ones are never in memory, where a server has it while it answers.
        if !Manifests::keeps(manifest.len() as u64) {
            return Err(wrong(format!("its manifest has {} bytes", manifest.len())));
        }
        let document = Document::parse_with(manifest, media_type, Layers::Any)?;
        if document.artifact_type.as_deref() != Some(FILE_ARTIFACT) {
            return Err(wrong("it does not say that it is a plain file".to_owned()));
        }
        let [layer] = document.layers.as_slice() else {
            return Err(wrong(format!("a plain file has {} layers", document.layers.len())));
        };
        let file = Self::of(layer);
        let said = |annotation: &str| layer.annotations.get(annotation).cloned().unwrap_or_default();
        match (&file.title, file.mode) {
            (None, _) => Err(wrong(format!("{:?} is no name of a file", said(FILE_TITLE)))),
            (_, None) => Err(wrong(format!("{:?} is no mode of a file", said(FILE_MODE)))),
            _ => Ok(file),
        }
    }

    fn of(layer: &Descriptor) -> Self {
        let annotation = |name: &str| layer.annotations.get(name);
        Self {
            digest: layer.digest,
            size: layer.size,
            media_type: layer.media_type.clone(),
            title: annotation(FILE_TITLE).filter(|title| is_file_title(title)).cloned(),
            mode: annotation(FILE_MODE).and_then(|mode| file_mode(mode)),
        }
    }
}

impl FileEntry {
    /// Returns what the file is called: a plain file by its name in its release, an artifact by repository and tag.
    pub fn name(&self) -> String {
        match &self.plain {
            Some(name) => name.clone(),
            None => self.reference(),
        }
    }

    /// Returns repository and tag.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

impl Registry {
    /// Returns how a plain file is asked for, by its path `DOMAIN/PRODUCT/CHANNEL/NAME`; nothing for another path.
    pub fn plain_file(path: &str) -> Option<(Asked, Reference)> {
        let repository = RepositoryName::under(FILES_HOST, path).ok()?;
        (path.split('/').count() >= 4).then(|| (exactly(&repository), Reference::Tag(TAG.parse().expect("a tag"))))
    }

    /// Lists the files of all live releases, each as its own clients have it, in the order of names. Waits for the disk.
    ///
    /// Of a manifest that cannot be read nobody knows what it is: below the host of plain files it is an entry with its error, elsewhere it
    /// is left out. So is a release whose kept head is not the signed one ([`Snapshot::unsigned`]).
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn files(&self, snapshot: &Snapshot) -> Result<Vec<FileEntry>> {
        let mut files = Vec::new();
        for release in snapshot.active() {
            let tags = self
                .db()
                .read(|connection| name_claims::tags_of(connection, release.id))?;
            for (repository, tag, digest) in tags {
                if tag.as_str().starts_with(ABOUT) {
                    continue;
                }
                let hidden = || self.hidden_tag(snapshot, release, (&repository, &tag, &digest));
                let entry = |plain, file, hidden| FileEntry {
                    release: release.clone(),
                    repository: repository.clone(),
                    tag: tag.clone(),
                    plain,
                    hidden,
                    file,
                };
                let is_file = repository.host() == FILES_HOST && tag.as_str() == TAG;
                let plain = is_file.then(|| name_in(release, &repository));
                match self.tagged(snapshot, release, &repository, &tag) {
                    Err(error) if plain.is_some() => files.push(entry(plain, Err(error), hidden()?)),
                    Err(error) => tracing::warn!(%error, %repository, %tag, "a manifest cannot be read"),
                    Ok((manifest, media_type)) => {
                        let Ok(document) = Document::parse_with(&manifest, &media_type, Layers::Any) else {
                            continue;
                        };
                        if plain.is_some() && document.artifact_type.as_deref() == Some(FILE_ARTIFACT) {
                            files.push(entry(plain, FileLayer::of_plain(&manifest, &media_type), hidden()?));
                        } else if is_artifact(&document) {
                            for layer in document.layers.iter().filter(|layer| layer.media_type != EMPTY) {
                                files.push(entry(None, Ok(FileLayer::of(layer)), hidden()?));
                            }
                        }
                    }
                }
            }
        }
        files.sort_by(|a, b| (a.name(), &a.release.scope).cmp(&(b.name(), &b.release.scope)));
        Ok(files)
    }

    /// Returns the manifest under a tag of a release, and its media type.
    fn tagged(
        &self,
        snapshot: &Snapshot,
        release: &ReleaseRow,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<(std::sync::Arc<[u8]>, String)> {
        let gone = || {
            Error::new(
                Class::State,
                "database-damaged",
                format!("{repository}:{tag} cannot be found"),
            )
        };
        let view = snapshot.view(&release.scope);
        let found = self.find(&view, &exactly(repository), &Reference::Tag(tag.clone()))?;
        let found = found.map_err(|_| gone())?;
        let media_type = found.media_type.as_deref().unwrap_or_default().to_owned();
        Ok((self.manifest(&found)?, media_type))
    }

    fn hidden_tag(
        &self,
        snapshot: &Snapshot,
        release: &ReleaseRow,
        (repository, tag, digest): (&RepositoryName, &Tag, &Digest),
    ) -> Result<Option<HiddenTag>> {
        let host_owner = snapshot.homes.owner(repository);
        self.db()
            .read(|connection| HiddenTag::find(connection, &release.scope, (repository, tag, Some(digest)), host_owner))
    }

    /// Hands the bytes of a listed file to `take`, in order: each piece is checked before, and all of them while they are handed on. Waits
    /// for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged` when the stored bytes are other ones: they were set aside then; `E-IO`; those of `take`.
    pub fn read_file(
        &self,
        snapshot: &Snapshot,
        entry: &FileEntry,
        file: &FileLayer,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let view = snapshot.view(&entry.release.scope);
        let found = self.find(&view, &exactly(&entry.repository), &Reference::Digest(file.digest))?;
        let found: Found = found.map_err(|_| {
            Error::new(
                Class::State,
                "database-damaged",
                format!("{} is in no list of its release", file.digest),
            )
        })?;
        let reader = self.open_blob(&found, 0)?;
        let (mut offset, mut hash) = (0_u64, Sha256::new());
        let mut buffer = vec![0; usize::try_from(PIECE.min(found.size)).unwrap_or(0)];
        while offset < found.size {
            let checked = reader.checked_until(offset).min(found.size);
            let length = checked.saturating_sub(offset).min(PIECE);
            if length == 0 {
                self.check_piece(&reader, offset)?;
                continue;
            }
            let bytes = buffer
                .get_mut(..usize::try_from(length).unwrap_or(0))
                .unwrap_or_default();
            reader
                .file()
                .read_exact_at(bytes, offset)
                .map_err(|error| Error::io("read", Path::new(&found.digest.to_string()), error))?;
            hash.update(&*bytes);
            take(bytes)?;
            offset = offset.saturating_add(length);
        }
        if Digest(Hash(hash.finalize().into())) == found.digest {
            return Ok(());
        }
        // They changed between being checked and being read: told as by whoever meets it next.
        self.store().check(&found.digest, found.size)?;
        Err(Error::new(
            Class::State,
            "blob-damaged",
            format!("the stored content of {} changed while it was read", found.digest),
        )
        .expected("the bytes that were imported")
        .remedy(
            "`airlock release list` names the release that is damaged; import its bundle again: `airlock import FILE`",
        ))
    }
}

/// Whether a document is an artifact that is about nothing else.
fn is_artifact(document: &Document) -> bool {
    let kind = document.artifact_type.as_deref().unwrap_or_default();
    document.kind == Kind::Manifest && document.subject.is_none() && !IMAGES.contains(&kind)
}

/// The name of a plain file in its release.
fn name_in(release: &ReleaseRow, repository: &RepositoryName) -> String {
    let name = file_name(&release.scope, repository);
    name.unwrap_or_else(|| repository.path()).to_owned()
}

fn exactly(repository: &RepositoryName) -> Asked {
    Asked {
        name: repository.as_str().to_owned(),
        namespace: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_file_has_a_path_of_four_parts() {
        let (asked, reference) = Registry::plain_file("0a/crm/stable/firmware/press.bin").unwrap();
        assert_eq!(asked.name, "files.airlock.internal/0a/crm/stable/firmware/press.bin");
        assert_eq!(
            (asked.namespace, reference),
            (None, Reference::Tag("latest".parse().unwrap()))
        );
        for path in [
            "",
            "0a",
            "0a/crm",
            "0a/crm/stable",
            "0a/crm/stable/",
            "/0a/crm/stable/a",
            "0a/crm//a",
            "0a/crm/stable/../a",
            "0a/crm/stable/A",
            "0a/crm/stable/a%2fb",
            "0a/crm/stable/a:latest",
            "../../etc/passwd",
        ] {
            assert_eq!(Registry::plain_file(path), None, "{path}");
        }
    }

    fn manifest(layers: &str, more: &str) -> String {
        let config = r#"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]{more}}}"#)
    }

    fn layer(title: &str, mode: &str) -> String {
        let digest = format!("sha256:{}", "0".repeat(64));
        format!(
            r#"{{"mediaType":"text/plain","digest":"{digest}","size":1,"annotations":{{"{FILE_TITLE}":"{title}","{FILE_MODE}":"{mode}"}}}}"#
        )
    }

    #[test]
    fn the_form_of_a_plain_file_is_judged_whoever_signed_it() {
        let media_type = crate::domain::oci::OCI_MANIFEST;
        let of = |layers: &str, more: &str| FileLayer::of_plain(manifest(layers, more).as_bytes(), media_type);
        let is_file = format!(r#","artifactType":"{FILE_ARTIFACT}""#);
        let good = of(&layer("a.txt", "0750"), &is_file).unwrap();
        assert_eq!((good.title.as_deref(), good.mode), (Some("a.txt"), Some(0o750)));
        for (layers, more) in [
            (layer("a.txt", "0750"), ""),
            (layer("../a.txt", "0644"), is_file.as_str()),
            (layer("..", "0644"), &is_file),
            (layer("a\\u0000b", "0644"), &is_file),
            (layer("a.txt", "4755"), &is_file),
            (layer("a.txt", "755"), &is_file),
            (String::new(), &is_file),
            (layer("a", "0644") + "," + &layer("b", "0644"), &is_file),
        ] {
            let error = of(&layers, more).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, "file-form"), "{layers}");
        }
    }
}
