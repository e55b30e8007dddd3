//! The section `applications`: compose applications and charts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::chart::{ChartLocation, ImageValue, RawChart, RawImageValue};
use super::images::{ImageEntry, RawEntry};
use super::mistakes::{Located, Mistakes, cut, place};
use super::one_or_many::{TextOr, WordOrList};
use crate::bundle::desired::ChartSource;
use crate::domain::{Name, Result};

/// An application.
#[derive(Debug, Clone)]
pub struct ApplicationEntry {
    /// Its name, unique within the release.
    pub name: Located<Name>,
    /// Its version label, for people.
    pub version: String,
    /// What looks like a secret and is none: patterns of keys, of paths in values, and of files.
    pub allow_plain: Vec<String>,
    /// What it is made of.
    pub kind: ApplicationKind,
}

/// What an application is made of.
#[derive(Debug, Clone)]
pub enum ApplicationKind {
    /// Compose files.
    Compose(ComposeApplication),
    /// A chart.
    Helm(Box<HelmApplication>),
}

/// A compose application.
#[derive(Debug, Clone)]
pub struct ComposeApplication {
    /// Compose files, merged in this order.
    pub files: Vec<PathBuf>,
    /// Profiles whose services run.
    pub profiles: Vec<String>,
    /// Environment file of deployments that name none.
    pub env_file: Option<PathBuf>,
    /// Where images really come from, by their reference in the compose file.
    pub images: BTreeMap<String, ImageEntry>,
}

/// A chart with values.
#[derive(Debug, Clone)]
pub struct HelmApplication {
    /// Where the chart comes from.
    pub chart: ChartLocation,
    /// Where that stands.
    pub place: (u64, u64),
    /// How agents fetch it.
    pub serve: ChartSource,
    /// Values files, merged in this order.
    pub values: Vec<PathBuf>,
    /// Where values hold images.
    pub image_values: Vec<ImageValue>,
    /// Values that look like images and are not used.
    pub unused_image_values: Vec<ImageValue>,
    /// Images that the chart needs and that do not stand in its values.
    pub images: Vec<ImageEntry>,
    /// The author vouches that values and `images` name every image, also where that cannot be told without helm.
    pub images_complete: bool,
    /// Version of kubernetes that the chart is worked out for.
    pub kube_version: Option<String>,
    /// APIs that its clusters have besides the usual ones, where the author says which.
    pub api_versions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApplication {
    name: Spanned<String>,
    version: Spanned<String>,
    #[serde(default)]
    allow_plain: Vec<Spanned<String>>,
    compose: Option<Spanned<WordOrList>>,
    profiles: Option<Spanned<Vec<Spanned<String>>>>,
    env_file: Option<Spanned<String>>,
    chart: Option<Spanned<TextOr<RawChart>>>,
    serve: Option<Spanned<String>>,
    values: Option<Spanned<WordOrList>>,
    image_values: Option<Spanned<Vec<Spanned<TextOr<RawImageValue>>>>>,
    unused_image_values: Option<Spanned<Vec<Spanned<TextOr<RawImageValue>>>>>,
    images: Option<Spanned<RawImages>>,
    images_complete: Option<Spanned<bool>>,
    kube_version: Option<Spanned<String>>,
    api_versions: Option<Spanned<Vec<Spanned<String>>>>,
}

/// A mapping for compose applications, a list for charts.
enum RawImages {
    Map(BTreeMap<String, RawEntry>),
    List(Vec<RawEntry>),
}

impl<'de> Deserialize<'de> for RawImages {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{MapAccess, SeqAccess, Visitor};
        struct Both;
        impl<'de> Visitor<'de> for Both {
            type Value = RawImages;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping of references to sources, or a list of images")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawImages, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    entries.insert(key, value);
                }
                Ok(RawImages::Map(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawImages, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    entries.push(entry);
                }
                Ok(RawImages::List(entries))
            }
        }
        deserializer.deserialize_any(Both)
    }
}

impl Mistakes<'_> {
    pub(super) fn applications(&self, raw: Vec<RawApplication>, base: &Path) -> Result<Vec<ApplicationEntry>> {
        let mut applications: Vec<ApplicationEntry> = Vec::new();
        for entry in raw {
            let application = self.application(entry, base)?;
            if applications
                .iter()
                .any(|known| known.name.value == application.name.value)
            {
                return Err(self
                    .at(
                        application.name.place,
                        "value",
                        format!("the application {} is listed twice", application.name.value),
                    )
                    .expected("each application once"));
            }
            applications.push(application);
        }
        Ok(applications)
    }

    fn application(&self, raw: RawApplication, base: &Path) -> Result<ApplicationEntry> {
        let name = Located {
            value: self.parse::<Name>(&raw.name)?,
            place: place(&raw.name),
        };
        let kind = match (&raw.compose, &raw.chart) {
            (Some(_), None) => ApplicationKind::Compose(self.compose(&raw, base)?),
            (None, Some(_)) => ApplicationKind::Helm(Box::new(self.helm(&raw, base)?)),
            (None, None) => return Err(self.missing_key(name.place, "compose or chart", ": the application is empty")),
            (Some(_), Some(chart)) => {
                return Err(self.value(chart, "compose and chart are both given", "one of them"));
            }
        };
        Ok(ApplicationEntry {
            name,
            version: self.label(raw.version)?,
            allow_plain: raw.allow_plain.into_iter().map(|key| key.value).collect(),
            kind,
        })
    }

    fn compose(&self, raw: &RawApplication, base: &Path) -> Result<ComposeApplication> {
        let foreign = [
            ("serve", raw.serve.as_ref().map(place)),
            ("values", raw.values.as_ref().map(place)),
            ("image_values", raw.image_values.as_ref().map(place)),
            ("unused_image_values", raw.unused_image_values.as_ref().map(place)),
            ("images_complete", raw.images_complete.as_ref().map(place)),
            ("kube_version", raw.kube_version.as_ref().map(place)),
            ("api_versions", raw.api_versions.as_ref().map(place)),
        ];
        self.none_of(&foreign, "charts", "compose applications")?;
        let files = self.files(raw.compose.as_ref(), base)?;
        let mut images = BTreeMap::new();
        match raw.images.as_ref().map(|images| (&images.value, place(images))) {
            None => {}
            Some((RawImages::Map(entries), _)) => {
                for (reference, entry) in entries {
                    let image = self.image(entry, base)?;
                    images.insert(reference.clone(), image);
                }
            }
            Some((RawImages::List(_), at)) => {
                return Err(self
                    .at(at, "value", "images of a compose application is a list")
                    .expected("a mapping: the reference in the compose file, and where that image comes from"));
            }
        }
        Ok(ComposeApplication {
            files,
            profiles: raw
                .profiles
                .iter()
                .flat_map(|profiles| &profiles.value)
                .map(|profile| profile.value.clone())
                .collect(),
            env_file: raw
                .env_file
                .as_ref()
                .map(|path| self.local(&path.value, place(path), base))
                .transpose()?,
            images,
        })
    }

    fn helm(&self, raw: &RawApplication, base: &Path) -> Result<HelmApplication> {
        let foreign = [
            ("profiles", raw.profiles.as_ref().map(place)),
            ("env_file", raw.env_file.as_ref().map(place)),
        ];
        self.none_of(&foreign, "compose applications", "charts")?;
        let Some(chart) = &raw.chart else {
            return Err(self.missing_key(place(&raw.name), "chart", ""));
        };
        let words = [("oci", ChartSource::Oci), ("repository", ChartSource::Repository)];
        let serve = match &raw.serve {
            None => ChartSource::Oci,
            Some(word) => self.word(word, &words)?,
        };
        let paths = |list: &Option<Spanned<Vec<Spanned<TextOr<RawImageValue>>>>>| {
            list.iter()
                .flat_map(|list| &list.value)
                .map(|entry| self.image_value(entry))
                .collect::<Result<Vec<_>>>()
        };
        let images = match raw.images.as_ref().map(|images| (&images.value, place(images))) {
            None => Vec::new(),
            Some((RawImages::List(entries), _)) => entries
                .iter()
                .map(|entry| self.image(entry, base))
                .collect::<Result<_>>()?,
            Some((RawImages::Map(_), at)) => {
                return Err(self
                    .at(at, "value", "images of a chart is a mapping")
                    .expected("a list of every image that the chart needs, each a reference, or {source: oci:FOLDER:TAG, name: NAME:TAG}"));
            }
        };
        Ok(HelmApplication {
            chart: self.chart(chart, base)?,
            place: place(chart),
            serve,
            values: self.files(raw.values.as_ref(), base)?,
            image_values: paths(&raw.image_values)?,
            unused_image_values: paths(&raw.unused_image_values)?,
            images,
            images_complete: raw.images_complete.as_ref().is_some_and(|said| said.value),
            kube_version: raw
                .kube_version
                .as_ref()
                .map(|version| self.kube_version(version))
                .transpose()?,
            api_versions: raw
                .api_versions
                .as_ref()
                .map(|list| {
                    list.value
                        .iter()
                        .map(|version| self.api_version(version))
                        .collect::<Result<_>>()
                })
                .transpose()?,
        })
    }

    /// Paths of files, in the order given; none when left out, at least one otherwise.
    pub(super) fn files(&self, list: Option<&Spanned<WordOrList>>, base: &Path) -> Result<Vec<PathBuf>> {
        let Some(list) = list else { return Ok(Vec::new()) };
        let names: Vec<&String> = match &list.value {
            WordOrList::Word(word) => vec![word],
            WordOrList::List(words) => words.iter().map(|word| &word.value).collect(),
        };
        if names.is_empty() || names.iter().any(|name| name.is_empty() || name.contains('\0')) {
            return Err(self.value(list, "no file is named", "the path of a file, or a list of them"));
        }
        if let Some(remote) = names.iter().find(|name| name.contains("://")) {
            return Err(self.value(
                list,
                format!("{:?} is remote", cut(remote)),
                "a local file: what a bundle is made of is read here",
            ));
        }
        names
            .into_iter()
            .map(|name| self.local(name, place(list), base))
            .collect()
    }

    /// Keys that belong to something else than the entry is.
    pub(super) fn none_of(&self, keys: &[(&str, Option<(u64, u64)>)], owner: &str, entry: &str) -> Result<()> {
        for (key, at) in keys {
            if let Some(at) = at {
                return Err(self
                    .at(*at, "value", format!("{key} belongs to {owner}"))
                    .expected(format!("keys of {entry}"))
                    .remedy(format!("take {key} out")));
            }
        }
        Ok(())
    }
}
