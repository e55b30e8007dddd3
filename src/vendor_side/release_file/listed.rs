//! A release of a plain list of images: one reference a line, as people have it, and nothing else to write.

use std::path::{Path, PathBuf};

use super::file::{AudienceText, Expiry, ReleaseFile};
use super::images::ImageEntry;
use super::mistakes::Mistakes;
use crate::collect::ImageOptions;
use crate::domain::{Class, Error, Name, Result, Timestamp};

/// How long such a release may be imported: a year.
const EXPIRES: i64 = 365 * 86_400;

/// A list of images: a source a line, and behind it, where it shall be stored under another one, a name. `#` begins a remark.
#[derive(Debug, Clone, Copy)]
pub struct ImageLines<'a> {
    /// What it is called in messages.
    pub called: &'a Path,
    /// The folder that paths in it are relative to.
    pub base: &'a Path,
    /// Its lines.
    pub text: &'a str,
}

/// What a release without a release file says of itself.
#[derive(Debug, Clone)]
pub struct ListedRelease {
    /// The product.
    pub product: Name,
    /// The channel.
    pub channel: Name,
    /// Its number, which is its label too.
    pub sequence: u64,
    /// When it is issued.
    pub issued_at: Timestamp,
}

impl ReleaseFile {
    /// Makes a release of lists: for any site, and for a year.
    ///
    /// # Errors
    ///
    /// `E-USAGE value` with every line that is wrong; `E-USAGE images` when there is none.
    pub fn of_images(release: ListedRelease, folder: &Path, lists: &[ImageLines<'_>]) -> Result<Self> {
        let (mut images, mut named, mut wrong) = (Vec::<ImageEntry>::new(), Vec::new(), Vec::new());
        for list in lists {
            let mistakes = Mistakes::new(list.called);
            for (number, line) in (1..).zip(list.text.lines()) {
                match mistakes.line(line, number, list.base) {
                    Ok(Some(entry)) => {
                        let is_new = images.iter().all(|known| known.request() != entry.request());
                        images.extend(is_new.then_some(entry));
                    }
                    Ok(None) => {}
                    Err(error) => wrong.push(error),
                }
            }
            named.extend(mistakes.into_named());
        }
        if wrong.len() > 1 {
            let found = format!("{} lines name no image:", wrong.len());
            return Err(Error::listing_errors(Class::Usage, "value", found, &wrong)
                .remedy("write a reference in each, as in registry.example.com/team/app:1.0"));
        }
        if let Some(error) = wrong.pop() {
            return Err(error);
        }
        if images.is_empty() {
            let called: Vec<String> = lists.iter().map(|list| list.called.display().to_string()).collect();
            let found = format!("{} names no image", called.join(", "));
            return Err(Error::new(Class::Usage, "images", found)
                .expected("at least one reference, one a line")
                .remedy("write a line like registry.example.com/team/app:1.0"));
        }
        Ok(Self {
            path: folder.join("a list of images"),
            is_listed: true,
            product: release.product,
            channel: release.channel,
            version: Some(release.sequence.to_string()),
            sequence: Some(release.sequence),
            epoch: None,
            issued_at: Some(release.issued_at),
            expires: Some(Expiry::After(EXPIRES)),
            audience: Some(AudienceText::Any),
            minimum_appliance: None,
            home_hosts: Vec::new(),
            platforms: Vec::new(),
            notes: None,
            fixes: Vec::new(),
            images,
            repositories: Vec::new(),
            files: Vec::new(),
            agents: Vec::new(),
            applications: Vec::new(),
            targets: Vec::new(),
            secrets: Vec::new(),
            removed: Vec::new(),
            allow_outside: Vec::<PathBuf>::new(),
            named,
        })
    }
}

impl Mistakes<'_> {
    fn line(&self, line: &str, number: u64, base: &Path) -> Result<Option<ImageEntry>> {
        let said = match line.find('#') {
            Some(at)
                if line
                    .get(..at)
                    .is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t'])) =>
            {
                line.get(..at).unwrap_or_default()
            }
            _ => line,
        };
        let place = (number, 1);
        let mut words = said.split_whitespace();
        let Some(source) = words.next() else { return Ok(None) };
        let name = words.next().map(|text| self.stored_under(text, place)).transpose()?;
        if words.next().is_some() {
            return Err(self
                .at(place, "value", "the line has more than two words")
                .expected("a reference, and perhaps the name to store it under"));
        }
        Ok(Some(ImageEntry {
            source: self.source(source, place, base)?,
            name,
            options: ImageOptions::default(),
            place: self.place(place),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<ReleaseFile> {
        let release = ListedRelease {
            product: "erp".parse().unwrap(),
            channel: "stable".parse().unwrap(),
            sequence: 3,
            issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        let lines = ImageLines {
            called: Path::new("images.txt"),
            base: Path::new("/base"),
            text,
        };
        ReleaseFile::of_images(release, Path::new("/base"), &[lines])
    }

    #[test]
    fn lists_are_read_as_people_write_them() {
        let file = of("# what runs there\npostgres:16\r\n\n  quay.io/a/b:1   # a remark\noci:x#y.tar:1 registry.example.com/x:2\npostgres:16\n")
            .unwrap();
        let sources: Vec<String> = file.images.iter().map(|image| image.source.to_string()).collect();
        assert_eq!(
            sources,
            ["docker.io/library/postgres:16", "quay.io/a/b:1", "oci:/base/x#y.tar:1"]
        );
        assert!(file.images[2].name.is_some() && file.named.len() == 1);
        assert_eq!((file.version.as_deref(), file.sequence), (Some("3"), Some(3)));
    }

    #[test]
    fn every_wrong_line_is_told_at_once() {
        let error = of("postgres:16\nhttps://quay.io/a\na b c\nA/b\n").unwrap_err();
        let said = error.to_string();
        assert!(
            ["3 lines", "images.txt:2:1", "images.txt:3:1", "images.txt:4:1"]
                .iter()
                .all(|words| said.contains(words)),
            "{said}"
        );
        assert_eq!(of("A/b\n").unwrap_err().code(), "value");
        assert_eq!(of("# nothing\n").unwrap_err().code(), "images");
    }
}
