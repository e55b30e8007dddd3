//! Plain files as a release file names them: manuals, licences, firmware, anything that is no image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::mistakes::{Mistakes, cut, place};
use super::one_or_many::TextOr;
use crate::collect::{FileSource, ImageOptions, ImageRequest, Source, default_tag};
use crate::domain::oci::Kind;
use crate::domain::{Class, Error, Hash, Name, Result, Scope, file_repository, is_file_title, is_media_type};

/// What a file is where nobody says it.
const PLAIN: &str = "application/octet-stream";
/// Who may do what with it where nobody says it.
const MODE: u32 = 0o644;

/// A file, and the name that it is stored under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    source: Arc<FileSource>,
    /// Its name in the release.
    pub name: String,
    /// Where the entry stands.
    pub place: (u64, u64),
}

/// The long form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    path: Spanned<String>,
    name: Option<Spanned<String>>,
    title: Option<Spanned<String>>,
    media_type: Option<Spanned<String>>,
    mode: Option<Spanned<String>>,
}

/// Either form.
pub(super) type RawFileEntry = Spanned<TextOr<RawFile>>;

impl FileEntry {
    /// Returns what is collected for it, for a release of a scope.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when it has no name there, for the release file was read for another scope.
    pub fn request(&self, scope: &Scope) -> Result<ImageRequest> {
        let repository = file_repository(scope, &self.name)
            .map_err(|error| Error::new(Class::Internal, "file-name", error.to_string()))?;
        Ok(ImageRequest {
            source: Source::File(Arc::clone(&self.source)),
            name: Some((repository, Some(default_tag()))),
            options: ImageOptions {
                platforms: Some(Vec::new()),
                ..ImageOptions::default()
            },
        })
    }
}

impl Mistakes<'_> {
    /// The files of a release, each under a name of its own.
    pub(super) fn plain_files(
        &self,
        files: &[RawFileEntry],
        base: &Path,
        (product, channel): (&Name, &Name),
    ) -> Result<Vec<FileEntry>> {
        let mut entries: Vec<FileEntry> = Vec::new();
        for file in files {
            let entry = self.file(file, base, product, channel)?;
            if entries.iter().any(|known| known.name == entry.name) {
                return Err(self
                    .at(
                        entry.place,
                        "value",
                        format!("two files would be stored as {:?}", entry.name),
                    )
                    .expected("a name of its own for each")
                    .remedy("give one of them another name: {path: …, name: …}"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn file(&self, entry: &RawFileEntry, base: &Path, product: &Name, channel: &Name) -> Result<FileEntry> {
        let (path, at, long) = match &entry.value {
            TextOr::Text(text) => (text, place(entry), None),
            TextOr::Map(raw) => (&raw.path.value, place(&raw.path), Some(raw)),
        };
        let local: PathBuf = self.local(path, at, base)?;
        let title = match long.and_then(|raw| raw.title.as_ref()) {
            Some(title) => (title.value.clone(), place(title)),
            None => (local.file_name().unwrap_or_default().to_string_lossy().into_owned(), at),
        };
        let title = self.title(title)?;
        let (name, named_at) = match long.and_then(|raw| raw.name.as_ref()) {
            Some(name) => (name.value.clone(), place(name)),
            None => (name_of(&title), at),
        };
        // Every trust domain has as many letters.
        let scope = Scope {
            domain: Hash([0; 32]),
            product: product.clone(),
            channel: channel.clone(),
        };
        file_repository(&scope, &name).map_err(|_| {
            self.at(
                named_at,
                "value",
                format!("{:?} cannot name a file in a bundle", cut(&name)),
            )
            .expected("lower-case letters, digits, and . _ - or / between them, like manuals/installation.pdf")
            .remedy("give it one: {path: …, name: manuals/installation.pdf}")
        })?;
        Ok(FileEntry {
            source: Arc::new(FileSource {
                path: local,
                title,
                media_type: match long.and_then(|raw| raw.media_type.as_ref()) {
                    Some(text) => self.media_type(text)?,
                    None => PLAIN.to_owned(),
                },
                mode: match long.and_then(|raw| raw.mode.as_ref()) {
                    Some(text) => self.mode(text)?,
                    None => MODE,
                },
            }),
            name,
            place: at,
        })
    }

    /// The name of a file where it arrives: no path, nothing that leads elsewhere.
    fn title(&self, (title, at): (String, (u64, u64))) -> Result<String> {
        if is_file_title(&title) {
            return Ok(title);
        }
        Err(self
            .at(at, "value", format!("{:?} is no name of a file", cut(&title)))
            .expected("a name without a folder, like installation.pdf"))
    }

    fn media_type(&self, text: &Spanned<String>) -> Result<String> {
        if is_media_type(&text.value) && Kind::of(&text.value).is_none() {
            return Ok(text.value.clone());
        }
        Err(self.value(
            text,
            format!("{:?} is no media type of a file", cut(&text.value)),
            "a type and a subtype, like application/pdf",
        ))
    }

    fn mode(&self, text: &Spanned<String>) -> Result<u32> {
        let digits = (3..=4).contains(&text.value.len());
        u32::from_str_radix(&text.value, 8)
            .ok()
            .filter(|mode| digits && *mode <= 0o777)
            .ok_or_else(|| {
                self.value(
                    text,
                    format!("{:?} is no mode of a file", cut(&text.value)),
                    "octal digits without special bits, like 0644 or 0755",
                )
            })
    }
}

/// A name that a repository may have, made of a file's own.
fn name_of(title: &str) -> String {
    let mut name = String::new();
    let mut between = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            if !name.is_empty() {
                let is_plain = matches!(between.as_str(), "" | "." | "_" | "-");
                name += if is_plain { &between } else { "-" };
            }
            between.clear();
            name.push(c.to_ascii_lowercase());
        } else {
            between.push(c);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_titles() {
        for (title, name) in [
            ("Manual.pdf", "manual.pdf"),
            ("release notes (EN).txt", "release-notes-en-txt"),
            (".hidden_x", "hidden_x"),
            ("Größe.bin", "gr-e.bin"),
        ] {
            assert_eq!(name_of(title), name);
        }
        assert_eq!(name_of("…"), "");
    }
}
