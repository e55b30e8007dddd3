//! A chart with the values of one deployment: its images, and the values that agents get.

use std::path::PathBuf;

use serde_json::Value;

use super::closure::{Wanted, get};
use super::compose_application::{no_placeholder, text_of};
use super::gathered::Gathered;
use super::helm_chart::WantedChart;
use super::helm_images::{Question, Resolved};
use crate::domain::{Class, Error, Result};
use crate::vendor_side::collect::Stored;
use crate::vendor_side::leak::DeclaredKeys;
use crate::vendor_side::release_file::{ApplicationEntry, HelmApplication};
use crate::vendor_side::values::{Form, ImageUse, Target, Values, merge};
use crate::vendor_side::yaml::mapping;

/// What the deployments of a chart have in common.
#[derive(Debug)]
pub(super) struct HelmBase {
    pub(super) chart: WantedChart,
    /// Images that do not stand in values.
    images: Vec<Wanted>,
}

/// What decides how a chart comes out: values files of the deployment, helm release, namespace.
pub(super) type HelmKey = (Vec<PathBuf>, String, String);

/// A chart under one set of values.
#[derive(Debug)]
pub(super) struct HelmVariant {
    values: Values,
    images: Vec<(ImageUse, Wanted)>,
}

impl HelmBase {
    /// Asks for the listed images, and says what is wrong with the chart as such.
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
        for warning in &chart.chart.warnings {
            gathered.warn(warning.clone());
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

/// Reads and merges the values of a deployment.
///
/// # Errors
///
/// `E-IO`, `E-LIMIT`; `E-USAGE yaml` and `values` for files that do not parse or fit together.
pub(super) fn merged_values(
    entry: &ApplicationEntry,
    application: &HelmApplication,
    more: &[PathBuf],
    gathered: &mut Gathered,
) -> Result<Value> {
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
    Ok(merged)
}

impl HelmVariant {
    /// Takes what was found over and asks for the images. Nothing is returned when there are problems, which are noted.
    pub(super) fn of(
        name: &str,
        application: &HelmApplication,
        resolved: Resolved,
        gathered: &mut Gathered,
    ) -> Option<Self> {
        for warning in resolved.warnings {
            gathered.warn(warning);
        }
        let mut whole = resolved.problems.is_empty();
        for problem in &resolved.problems {
            gathered.problems.note(name, problem);
        }
        let elsewhere = Question::elsewhere(application);
        let mut images = Vec::new();
        for image in resolved.images {
            match gathered.closure.reference(&image.reference, &elsewhere) {
                Ok(wanted) => images.push((image, wanted)),
                Err(error) => {
                    whole = false;
                    gathered.problems.note(name, &error);
                }
            }
        }
        whole.then_some(Self {
            values: resolved.values,
            images,
        })
    }

    /// Returns the images, and the values with the placeholder host.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when an image was not collected, or not under the tag by which the values name it.
    pub(super) fn document<'a>(&self, stored: &'a [Stored]) -> Result<(Vec<&'a Stored>, Vec<u8>)> {
        let mut held = Vec::new();
        let (mut uses, mut targets) = (Vec::new(), Vec::new());
        for (image, wanted) in &self.images {
            let found = get(stored, *wanted)?;
            if image.form() == Form::Name && found.tag.is_none() {
                let found = format!("{} has no tag", image.reference);
                return Err(Error::new(Class::Internal, "closure", found));
            }
            targets.push(Target {
                repository: found.repository.clone(),
                tag: found.tag.clone(),
                digest: found.digest,
            });
            uses.push(image.clone());
            held.push(found);
        }
        let document = self.values.rewritten(&uses, &targets);
        Ok((held, document.to_string().into_bytes()))
    }
}
