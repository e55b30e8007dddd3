//! Whole repositories of a release: which of their images it carries, asked of the registry when it is planned.

use super::collect::{ImageOptions, RegistryOptions, Source, tags_of};
use super::release_file::{ImageEntry, ReleaseFile};
use crate::domain::{Class, Error, Result, counted};

/// Images that one entry may come to.
const IMAGES: usize = 1000;

/// Returns the release file with the images of its repositories; nothing where it names none. `told` is told what each came to.
///
/// # Errors
///
/// `E-CONTENT missing` where nothing is of the pattern; `E-LIMIT tags`; those of listing tags.
pub(super) fn expanded(
    file: &ReleaseFile,
    options: &RegistryOptions,
    told: &mut dyn FnMut(&str),
) -> Result<Option<ReleaseFile>> {
    if file.repositories.is_empty() {
        return Ok(None);
    }
    let mut whole = file.clone();
    for entry in &file.repositories {
        let tags = tags_of(options, &entry.source)?;
        let chosen = entry.choose(&tags);
        if chosen.is_empty() {
            let found = format!("{} has nothing of {}; what it has:", entry.source, entry.wanted());
            return Err(Error::listing(Class::Content, "missing", found, &tags)
                .remedy("correct tags or versions in the release file"));
        }
        if chosen.len() > IMAGES {
            let found = format!("{} tags of {} are of {}", chosen.len(), entry.source, entry.wanted());
            return Err(Error::new(Class::Limit, "tags", found)
                .expected(format!("at most {IMAGES}"))
                .remedy("say a narrower range, or newest: NUMBER beside versions"));
        }
        told(&format!("{} of {}", counted(chosen.len(), "tag"), entry.source));
        let (line, column) = entry.place;
        let place = format!("{}:{line}:{column}", file.path.display());
        for tag in chosen {
            let mut source = entry.source.clone();
            source.tag = Some(tag.clone());
            whole.images.push(ImageEntry {
                source: Source::Registry(source),
                name: entry.name.clone().map(|name| (name, Some(tag))),
                options: ImageOptions {
                    platforms: entry.platforms.clone(),
                    ..ImageOptions::default()
                },
                place: place.clone(),
            });
        }
    }
    whole.repositories.clear();
    Ok(Some(whole))
}
