//! A chart with the values of one deployment: its images, and the values that agents get.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::closure::{Wanted, get};
use super::compose_application::{no_placeholder, text_of};
use super::gathered::Gathered;
use super::helm_chart::WantedChart;
use crate::domain::{Class, Error, Result};
use crate::vendor_side::collect::{ImageReference, Stored};
use crate::vendor_side::leak::AllowPlain;
use crate::vendor_side::release_file::{ApplicationEntry, HelmApplication};
use crate::vendor_side::secret::{TextKind, Used, is_marked, mark, unmark};
use crate::vendor_side::values::{Values, merge};
use crate::vendor_side::yaml::mapping;

/// What the deployments of a chart have in common.
#[derive(Debug)]
pub(super) struct HelmBase {
    pub(super) chart: WantedChart,
    /// Images that do not stand in values.
    images: Vec<Wanted>,
}

/// A chart under one set of values.
#[derive(Debug)]
pub(super) struct HelmVariant {
    values: Values,
    wanted: Vec<Wanted>,
    /// Secrets that the values have places for.
    pub(super) secrets: Vec<Used>,
}

impl HelmBase {
    /// Asks for the listed images, and looks at what templates name by themselves: listed, it needs a mirror at the site, which
    /// is a warning; otherwise it is missing.
    pub(super) fn prepare(
        entry: &ApplicationEntry,
        application: &HelmApplication,
        chart: WantedChart,
        gathered: &mut Gathered,
    ) -> Self {
        let name = entry.name.value.as_str();
        let plain = AllowPlain(&entry.allow_plain);
        // What people read holds examples.
        let is_prose = |file: &str| file.to_ascii_lowercase().contains("/readme") || file.contains("/examples/");
        let keys = chart.chart.private_keys.iter();
        for file in keys.filter(|file| !plain.has_file(file) && !is_prose(file)) {
            gathered.findings.note(format!("{file}: a private key"));
        }
        for missing in &chart.chart.missing {
            gathered.problems.note(name, missing);
        }
        let listed: Vec<ImageReference> = application
            .images
            .iter()
            .filter_map(|image| match (&image.name, &image.source) {
                (Some((repository, tag)), _) => {
                    let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                    format!("{repository}{tag}").parse().ok()
                }
                (None, source) => source.to_string().parse().ok(),
            })
            .collect();
        for written in &chart.chart.written {
            let reference = written.reference.parse::<ImageReference>();
            if reference.is_ok_and(|reference| listed.contains(&reference)) {
                gathered.warn(format!(
                    "{}: the template names {} itself: the cluster needs the appliance as a mirror for it \
                     (`airlock target connect --mirrors`)",
                    written.place, written.reference
                ));
            } else {
                gathered.problems.note(
                    name,
                    &Error::new(
                        Class::Content,
                        "written-image",
                        format!("{}: the template names {:?} itself", written.place, written.reference),
                    )
                    .remedy("take it from the values, or list it under images and set the appliance as a mirror"),
                );
            }
        }
        Self {
            images: application
                .images
                .iter()
                .map(|image| gathered.closure.add(image.request()))
                .collect(),
            chart,
        }
    }

    /// Returns the listed images.
    pub(super) fn images<'a>(&self, stored: &'a [Stored]) -> Result<Vec<&'a Stored>> {
        self.images.iter().map(|wanted| get(stored, *wanted)).collect()
    }
}

impl HelmVariant {
    /// Reads and merges values and asks for the images in them. Nothing is returned when problems were noted instead.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-LIMIT`; `E-USAGE yaml` and `values` for files that do not parse or fit together.
    pub(super) fn prepare(
        entry: &ApplicationEntry,
        application: &HelmApplication,
        base: &HelmBase,
        more: &[PathBuf],
        gathered: &mut Gathered,
    ) -> Result<Option<Self>> {
        let plain = AllowPlain(&entry.allow_plain);
        let mut merged = Value::Object(serde_json::Map::new());
        let mut places: Vec<Used> = Vec::new();
        for path in application.values.iter().chain(more) {
            let (file, text) = (path.display().to_string(), text_of(&gathered.folder, path)?);
            no_placeholder(&file, &text)?;
            let marked = mark(&text, TextKind::Values);
            for problem in &marked.problems {
                gathered.problems.add(&problem.error(path));
            }
            for (line, name) in &marked.bare {
                gathered.warn(format!(
                    "{file}:{line}: the secret {name} is a text here, also where the hub would make a number, true or false of it; \
                     put quotes around it to be told no more"
                ));
            }
            places.extend(
                marked
                    .places
                    .into_iter()
                    .map(|(line, name)| (name, format!("{file}:{line}"))),
            );
            let text = marked.text;
            gathered.findings.text(&file, &text, plain);
            let tree = mapping(&file, text.as_bytes())?;
            gathered.findings.values(&file, &tree, plain);
            merge(&mut merged, tree).map_err(|at| {
                Error::new(
                    Class::Usage,
                    "values",
                    format!("{file}: {at} is a mapping in one values file and something else in another"),
                )
                .expected("the same kind of value in all of them, as helm and the hub demand")
            })?;
        }
        let mut secrets = Vec::new();
        for path in secrets_in(&merged, &places, &mut secrets) {
            let found = format!("{}: the key {path:?} of the values is a secret", entry.name.value);
            gathered
                .problems
                .add(&Error::new(Class::Content, "template", found).remedy("write the key out"));
        }
        let values = Values::new(
            merged,
            &base.chart.chart,
            &application.image_values,
            &application.unused_image_values,
        );
        let name = entry.name.value.as_str();
        let mut whole = values.problems.is_empty();
        for problem in &values.problems {
            gathered.problems.note(name, problem);
        }
        let elsewhere: BTreeMap<String, _> = application
            .images
            .iter()
            .filter_map(|image| {
                let (repository, tag) = image.name.as_ref()?;
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                Some((format!("{repository}{tag}"), image.clone()))
            })
            .collect();
        let mut wanted = Vec::new();
        for image in &values.images {
            if is_marked(&image.reference) {
                whole = false;
                let error = Error::new(
                    Class::Content,
                    "template",
                    "an image in the values is named by a secret",
                );
                gathered
                    .problems
                    .note(name, &error.remedy("write the name of the image out"));
                continue;
            }
            match gathered.closure.reference(&image.reference, &elsewhere) {
                Ok(known) => wanted.push(known),
                Err(error) => {
                    whole = false;
                    gathered.problems.note(name, &error);
                }
            }
        }
        Ok(whole.then_some(Self {
            values,
            wanted,
            secrets,
        }))
    }

    /// Returns the images, and the values with the placeholder host.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when an image was not collected.
    pub(super) fn document<'a>(&self, stored: &'a [Stored]) -> Result<(Vec<&'a Stored>, Vec<u8>)> {
        let images: Vec<&Stored> = self
            .wanted
            .iter()
            .map(|wanted| get(stored, *wanted))
            .collect::<Result<_>>()?;
        let names: Vec<_> = images
            .iter()
            .map(|image| (image.repository.clone(), image.digest))
            .collect();
        let rewritten = String::from_utf8_lossy(&self.values.rewrite(&names)).into_owned();
        Ok((images, unmark(&rewritten).into_bytes()))
    }
}

/// Adds every secret that the texts of values have a place for, with the first place where a file has it; returns keys that hold one.
fn secrets_in(value: &Value, places: &[Used], secrets: &mut Vec<Used>) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<String> = map.keys().filter(|key| is_marked(key)).map(|key| unmark(key)).collect();
            keys.extend(map.values().flat_map(|value| secrets_in(value, places, secrets)));
            keys
        }
        Value::Array(list) => list
            .iter()
            .flat_map(|value| secrets_in(value, places, secrets))
            .collect(),
        Value::String(text) => {
            for name in crate::vendor_side::secret::marks(text) {
                let place = places.iter().find(|(known, _)| *known == name);
                secrets.extend(place.filter(|place| !secrets.contains(place)).cloned());
            }
            Vec::new()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
