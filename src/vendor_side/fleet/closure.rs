//! Every image that a release needs, each asked for once.

use std::collections::BTreeMap;

use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::collect::{ImageOptions, ImageReference, ImageRequest, Source, Stored, readable};
use crate::domain::{Class, Digest, Error, RepositoryName, Result, Tag};
use crate::release_file::ImageEntry;

/// A place in the list of what is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted(usize);

/// Repository, and perhaps a tag.
pub(super) type StoredName = (RepositoryName, Option<Tag>);

/// What is to be collected.
#[derive(Debug, Default)]
pub(super) struct Closure {
    requests: Vec<ImageRequest>,
    places: BTreeMap<ImageRequest, Wanted>,
    /// Where the release names an image, by what is asked for.
    said: BTreeMap<ImageRequest, String>,
    /// Images of the release by the name that they are stored under.
    by_name: BTreeMap<(RepositoryName, Tag), ImageRequest>,
    /// What a reference with a digest must turn out to be.
    pinned: Vec<(Wanted, Digest, String)>,
}

impl Closure {
    /// Starts with the images that the release names by itself. `names` says what an image that is given no name is called where it
    /// comes from.
    pub(super) fn new(images: &[ImageEntry], names: &mut dyn FnMut(&ImageRequest) -> Vec<StoredName>) -> Self {
        let mut closure = Self::default();
        for image in images {
            closure.add_entry(image);
            let request = image.request();
            match image.name.clone().or_else(|| image.source.own_name()) {
                Some((repository, Some(tag))) => {
                    closure.by_name.insert((repository, tag), request);
                }
                _ => closure.known_there(&request, names(&request)),
            }
        }
        closure
    }

    /// Takes the names that the source of an image has for it. The image is stored under all of them, and counts under the first; by
    /// another one it is asked for once more, so that an application gets the name that it says.
    fn known_there(&mut self, request: &ImageRequest, names: Vec<StoredName>) {
        for (place, (repository, tag)) in names.into_iter().enumerate() {
            let Some(tag) = tag else { continue };
            let name = (place > 0).then(|| (repository.clone(), Some(tag.clone())));
            let request = ImageRequest {
                name: name.or_else(|| request.name.clone()),
                ..request.clone()
            };
            // A name that the author gives counts more.
            self.by_name.entry((repository, tag)).or_insert(request);
        }
    }

    /// Asks for an image of the release.
    pub(super) fn add_entry(&mut self, image: &ImageEntry) -> Wanted {
        self.is_said(image.request(), image);
        self.add(image.request())
    }

    /// Asks for an image that an application lists: one that is no more than a reference comes from an image of the release that is stored
    /// under this name, if there is one.
    pub(super) fn add_called(&mut self, image: &ImageEntry) -> Wanted {
        let called = image.as_called();
        if let (Source::Registry(reference), None) = (&called.source, &called.name)
            && called.options == ImageOptions::default()
            && let Some(request) = self.named(reference)
        {
            let wanted = self.add(request);
            let pin = reference.digest.map(|digest| (wanted, digest, reference.to_string()));
            self.pinned.extend(pin);
            return wanted;
        }
        self.add_entry(&called)
    }

    /// The image of the release that is stored under a name.
    fn named(&self, reference: &ImageReference) -> Option<ImageRequest> {
        let key = (reference.repository()?, reference.clone().meant().tag?);
        self.by_name.get(&key).cloned()
    }

    /// Notes where the release names what is asked for.
    fn is_said(&mut self, request: ImageRequest, image: &ImageEntry) {
        self.said.entry(request).or_insert_with(|| image.place.clone());
    }

    /// Returns where the release names what is asked for, if it is not an application alone that does.
    pub(super) fn place(&self, request: &ImageRequest) -> Option<&str> {
        self.said.get(request).map(String::as_str)
    }

    /// Asks for an image.
    pub(super) fn add(&mut self, request: ImageRequest) -> Wanted {
        if let Some(known) = self.places.get(&request) {
            return *known;
        }
        let wanted = Wanted(self.requests.len());
        self.requests.push(request.clone());
        self.places.insert(request, wanted);
        wanted
    }

    /// Asks for what an application calls by a reference: from where the author says, else from an image of the release that is
    /// stored under this name, else from where the reference itself leads.
    ///
    /// # Errors
    ///
    /// `E-CONTENT reference` for what is no reference to an image that a bundle can carry.
    pub(super) fn reference(&mut self, text: &str, elsewhere: &BTreeMap<String, ImageEntry>) -> Result<Wanted> {
        let (request, _, digest) = self.request(text, elsewhere)?;
        if let Some(image) = elsewhere.values().find(|image| image.source == request.source) {
            self.is_said(request.clone(), image);
        }
        let wanted = self.add(request);
        if let Some(digest) = digest {
            self.pinned.push((wanted, digest, text.to_owned()));
        }
        Ok(wanted)
    }

    /// Returns the name under which a bundle carries what an application calls by a reference.
    ///
    /// # Errors
    ///
    /// As [`Closure::reference`].
    pub(super) fn name_of(&self, text: &str, elsewhere: &BTreeMap<String, ImageEntry>) -> Result<StoredName> {
        self.request(text, elsewhere).map(|(_, name, _)| name)
    }

    fn request(
        &self,
        text: &str,
        elsewhere: &BTreeMap<String, ImageEntry>,
    ) -> Result<(ImageRequest, StoredName, Option<Digest>)> {
        let wrong = |found: String| Error::new(Class::Content, "reference", found);
        let reference: ImageReference = text.parse().map_err(wrong)?;
        if reference.host == PLACEHOLDER_HOST {
            return Err(wrong(format!(
                "{text:?} names {PLACEHOLDER_HOST}, which stands for the appliance"
            ))
            .expected("the registry that the image comes from"));
        }
        let repository = reference
            .repository()
            .ok_or_else(|| wrong(format!("{text:?} has a host that a bundle cannot name")))?;
        let meant = reference.clone().meant();
        let tag = meant.tag.clone();
        let same = |known: &str| known.parse().is_ok_and(|known: ImageReference| known.meant() == meant);
        let said = elsewhere
            .iter()
            .find(|(known, _)| same(known))
            .map(|(_, entry)| ImageRequest {
                name: entry.name.clone().or_else(|| Some((repository.clone(), tag.clone()))),
                ..entry.request()
            });
        let request = said.or_else(|| self.named(&reference)).unwrap_or_else(|| ImageRequest {
            source: Source::Registry(reference.clone()),
            name: None,
            options: ImageOptions::default(),
        });
        let name = request.name.clone().unwrap_or((repository, tag));
        readable(&name.0, text).map_err(|error| {
            error.remedy("give it one under images: {source: where it comes from, name: registry.example.com/app:1.0}")
        })?;
        Ok((request, name, reference.digest))
    }

    /// Returns the list.
    pub(super) fn requests(&self) -> &[ImageRequest] {
        &self.requests
    }

    /// Checks that references with a digest turned out to be that.
    ///
    /// # Errors
    ///
    /// `E-CONTENT pin`.
    pub(super) fn check_pins(&self, stored: &[Stored]) -> Result<()> {
        for (wanted, digest, text) in &self.pinned {
            let held = get(stored, *wanted)?;
            if held.digest != *digest {
                return Err(Error::new(
                    Class::Content,
                    "pin",
                    format!("{text} is {} where it comes from", held.digest),
                )
                .expected("the digest that the reference names")
                .remedy("correct the reference, or where images: says that it comes from"));
            }
        }
        Ok(())
    }
}

/// Returns what a wanted image was stored as.
///
/// # Errors
///
/// `E-INTERNAL` when the list is another one.
pub(super) fn get(stored: &[Stored], wanted: Wanted) -> Result<&Stored> {
    stored
        .get(wanted.0)
        .ok_or_else(|| Error::new(Class::Internal, "closure", "an image was not collected"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn entry(source: &str, name: Option<&str>) -> ImageEntry {
        ImageEntry {
            source: Source::parse(source, Path::new("/b")).unwrap(),
            name: name.map(|name| {
                let name: ImageReference = name.parse().unwrap();
                (name.repository().unwrap(), name.tag)
            }),
            options: ImageOptions::default(),
            place: "release.yaml:1:1".to_owned(),
        }
    }

    #[test]
    fn references_lead_where_the_author_says() {
        let mut closure = Closure::new(&[entry("oci:web", Some("example.com/web:1"))], &mut |_| Vec::new());
        let elsewhere = BTreeMap::from([("db:16".to_owned(), entry("oci:db", None))]);
        let none = BTreeMap::new();
        let web = closure.reference("example.com/web:1", &none).unwrap();
        assert_eq!(web, Wanted(0));
        let db = closure.reference("docker.io/library/db:16", &elsewhere).unwrap();
        let hub = closure.reference("db:16", &none).unwrap();
        assert_ne!(db, hub);
        assert_eq!(closure.reference("db:16", &none).unwrap(), hub);
        let sources: Vec<String> = closure
            .requests()
            .iter()
            .map(|request| request.source.to_string())
            .collect();
        assert_eq!(sources, ["oci:/b/web", "oci:/b/db", "docker.io/library/db:16"]);
        assert_eq!(
            closure.requests()[1].name,
            Some(("docker.io/library/db".parse().unwrap(), Some("16".parse().unwrap())))
        );
        for bad in [
            "registry.airlock.internal/a/b:1",
            "registry.example.com:5000/app:1",
            "A b",
            "",
        ] {
            let error = closure.reference(bad, &none).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, "reference"));
        }
    }

    #[test]
    fn an_image_counts_under_every_name_that_its_source_has_for_it() {
        let name = |tag: &str| -> StoredName { ("example.com/web".parse().unwrap(), Some(tag.parse().unwrap())) };
        let mut closure = Closure::new(&[entry("oci:web", None)], &mut |_| vec![name("1"), name("2")]);
        let none = BTreeMap::new();
        let first = closure.reference("example.com/web:1", &none).unwrap();
        let second = closure.reference("example.com/web:2", &none).unwrap();
        assert_eq!((first, second), (Wanted(0), Wanted(1)));
        assert_eq!(closure.name_of("example.com/web:2", &none).unwrap(), name("2"));
        // Another one comes from where its name leads.
        closure.reference("example.com/web:3", &none).unwrap();
        let asked: Vec<(String, bool)> = closure
            .requests()
            .iter()
            .map(|request| (request.source.to_string(), request.name == Some(name("2"))))
            .collect();
        let asked: Vec<(&str, bool)> = asked.iter().map(|(source, named)| (source.as_str(), *named)).collect();
        assert_eq!(
            asked,
            [
                ("oci:/b/web", false),
                ("oci:/b/web", true),
                ("example.com/web:3", false)
            ]
        );
    }

    #[test]
    fn a_pin_holds_also_where_the_image_comes_from_elsewhere() {
        let digest = |c: &str| format!("sha256:{}", c.repeat(64)).parse::<Digest>().unwrap();
        let mut closure = Closure::default();
        closure
            .reference(&format!("a.b/c@{}", digest("a")), &BTreeMap::new())
            .unwrap();
        let stored = |digest| Stored {
            repository: "a.b/c".parse().unwrap(),
            tag: None,
            digest,
        };
        closure.check_pins(&[stored(digest("a"))]).unwrap();
        let error = closure.check_pins(&[stored(digest("b"))]).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Content, "pin"));
    }
}
