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
use crate::vendor_side::leak::DeclaredKeys;
use crate::vendor_side::release_file::{ApplicationEntry, HelmApplication};
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
        for file in &chart.chart.private_keys {
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
        let secrets: Vec<String> = entry.secrets.iter().map(|key| key.value.clone()).collect();
        let declared = DeclaredKeys {
            secrets: &secrets,
            allow_plain: &entry.allow_plain,
        };
        let mut merged = Value::Object(serde_json::Map::new());
        for path in application.values.iter().chain(more) {
            let (file, text) = (path.display().to_string(), text_of(&gathered.folder, path)?);
            no_placeholder(&file, &text)?;
            gathered.findings.text(&file, &text);
            let tree = mapping(&file, text.as_bytes())?;
            gathered.findings.values(&file, &tree, declared);
            merge(&mut merged, tree).map_err(|at| {
                Error::new(
                    Class::Usage,
                    "values",
                    format!("{file}: {at} is a mapping in one values file and something else in another"),
                )
                .expected("the same kind of value in all of them, as helm and the hub demand")
            })?;
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
            match gathered.closure.reference(&image.reference, &elsewhere) {
                Ok(known) => wanted.push(known),
                Err(error) => {
                    whole = false;
                    gathered.problems.note(name, &error);
                }
            }
        }
        Ok(whole.then_some(Self { values, wanted }))
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
        Ok((images, self.values.rewrite(&names)))
    }
}
