//! A chart with the values of one deployment: its images, and the values that agents get.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::closure::{Wanted, get};
use super::compose_application::{no_placeholder, text_of};
use super::gathered::Gathered;
use super::helm_chart::WantedChart;
use super::helm_question::{Question, Resolved};
use crate::chart::Chart;
use crate::collect::Stored;
use crate::domain::{Class, Error, Result};
use crate::leak::AllowPlain;
use crate::release_file::{ApplicationEntry, HelmApplication};
use crate::secret::{TextKind, Used, is_marked, mark, marks, unmark};
use crate::values::{Form, ImageUse, Target, Values, merge};
use crate::yaml::as_helm;

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
    /// Secrets that the values have places for.
    pub(super) secrets: Vec<Used>,
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
        let plain = AllowPlain(&entry.allow_plain);
        // What people read holds examples.
        let is_prose = |file: &str| file.to_ascii_lowercase().contains("/readme") || file.contains("/examples/");
        let keys = chart.chart.private_keys.iter();
        for (file, line) in keys.filter(|(file, _)| !plain.has_file(file) && !is_prose(file)) {
            gathered
                .findings
                .note_in_chart(format!("{file}:{line}"), "a private key");
        }
        let tokens = chart.chart.tokens.iter();
        for (file, line, what) in tokens.filter(|(file, ..)| !plain.has_file(file) && !is_prose(file)) {
            gathered.findings.note_in_chart(format!("{file}:{line}"), what);
        }
        // They travel as they are, whatever values and branches make of them.
        let templates = chart.chart.templates.iter();
        let read_by_people = |place: &str| place.ends_with("/NOTES.txt") || is_prose(place);
        let templates: Vec<(&str, &str)> = templates
            .filter(|template| !read_by_people(&template.place))
            .map(|template| (template.place.as_str(), template.text.as_str()))
            .collect();
        for (place, text) in &templates {
            gathered.findings.chart_template(place, text, plain);
        }
        gathered.findings.chart_definitions(&templates, plain);
        // Nothing reads a file of a chart where no template does.
        let reads_files = chart
            .chart
            .templates
            .iter()
            .any(|template| template.text.contains(".Files"));
        for file in chart
            .chart
            .files
            .iter()
            .filter(|file| reads_files && !is_prose(&file.place))
        {
            gathered.findings.chart_file(&file.place, &file.text, plain);
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
                .map(|image| gathered.closure.add_called(image))
                .collect(),
            chart,
        }
    }

    /// Returns the listed images.
    pub(super) fn images<'a>(&self, stored: &'a [Stored]) -> Result<Vec<&'a Stored>> {
        self.images.iter().map(|wanted| get(stored, *wanted)).collect()
    }
}

/// The values of a deployment, in which every place of a secret is a mark.
#[derive(Debug)]
pub(super) struct MarkedValues {
    /// With the author's images.
    pub(super) tree: Value,
    /// Secrets that they have places for.
    pub(super) secrets: Vec<Used>,
}

/// Reads and merges the values of a deployment. Templates that cannot be carried are noted.
///
/// # Errors
///
/// `E-IO`, `E-LIMIT`; `E-USAGE yaml` and `values` for files that do not parse or fit together.
pub(super) fn merged_values(
    entry: &ApplicationEntry,
    application: &HelmApplication,
    chart: &Chart,
    more: &[PathBuf],
    gathered: &mut Gathered,
) -> Result<MarkedValues> {
    let plain = AllowPlain(&entry.allow_plain);
    let mut merged = Value::Object(serde_json::Map::new());
    let mut places: Vec<Used> = Vec::new();
    for path in application.values.iter().chain(more) {
        let (file, text) = (path.display().to_string(), text_of(&gathered.folder, path)?);
        no_placeholder(&file, &text)?;
        let text = marked(path, &text, &mut places, gathered);
        gathered.findings.text(&file, &text, plain);
        let mut twice = Vec::new();
        let tree = as_helm(&file, text.as_bytes(), &mut |warning| twice.push(warning))?;
        for warning in twice {
            gathered.warn(warning);
        }
        gathered.findings.file_values(&file, &text, &tree, plain);
        merge(&mut merged, tree).map_err(|at| {
            Error::new(
                Class::Usage,
                "values",
                format!("{file}: {at} is a mapping in one values file and something else in another"),
            )
            .expected("the same kind of value in all of them, as helm and the hub demand")
        })?;
    }
    // What these values replace is not used at the site.
    let defaults = format!("the default values of the chart {}", chart.name);
    gathered
        .findings
        .values(&defaults, &left_of(&chart.defaults, &merged), plain);
    let mut secrets = Vec::new();
    for path in secrets_in(&merged, &places, &mut secrets) {
        let found = format!("{}: the key {path:?} of the values is a secret", entry.name.value);
        gathered
            .problems
            .add(&Error::new(Class::Content, "template", found).remedy("write the key out"));
    }
    Ok(MarkedValues { tree: merged, secrets })
}

/// Marks the places of secrets in a values file, and notes where they are and what is wrong with them.
fn marked(path: &Path, text: &str, places: &mut Vec<Used>, gathered: &mut Gathered) -> String {
    let file = path.display();
    let marked = mark(text, TextKind::Values);
    for problem in &marked.problems {
        gathered.problems.add(&problem.error(path));
    }
    for (line, name) in &marked.bare {
        gathered.warn(format!(
            "{file}:{line}: the secret {name} is a text here, also where the hub would make a number, true or false of it; \
             put quotes around it to be told no more"
        ));
    }
    let found = marked.places.into_iter();
    places.extend(found.map(|(line, name)| (name, format!("{file}:{line}"))));
    marked.text
}

impl HelmVariant {
    /// Takes what was found over and asks for the images. Nothing is returned when there are problems, which are noted.
    pub(super) fn of(
        name: &str,
        application: &HelmApplication,
        resolved: Resolved,
        secrets: Vec<Used>,
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
            secrets,
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
        let document = self.values.rewritten(&uses, &targets).to_string();
        Ok((held, unmark(&document).into_bytes()))
    }
}

/// Returns the defaults that values leave as they are.
fn left_of(defaults: &Value, values: &Value) -> Value {
    match (defaults, values) {
        (Value::Object(defaults), Value::Object(values)) => {
            let left = defaults.iter().map(|(key, default)| match values.get(key) {
                None => (key.clone(), default.clone()),
                Some(value) => (key.clone(), left_of(default, value)),
            });
            Value::Object(left.collect())
        }
        _ => Value::Null,
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
            for name in marks(text) {
                let place = places.iter().find(|(known, _)| *known == name);
                secrets.extend(place.filter(|place| !secrets.contains(place)).cloned());
            }
            Vec::new()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
