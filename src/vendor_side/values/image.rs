//! Values of a deployment, and the images in them that are rewritten to the placeholder host (D9).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::candidates::Candidate;
use super::registry_over::{RegistryOver, registries_over};
use super::slots::{Form, Slots, Target, has_version};
use super::tree::{set, show};
use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::chart::{Chart, overlay};
use crate::collect::ImageReference;
use crate::domain::{Class, Error};
use crate::release_file::ImageValue;

/// Merged values of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    /// What agents get, still with the author's images.
    pub(crate) own: Value,
    /// The chart's defaults with `own` over them: what templates see.
    pub(crate) whole: Value,
}

/// An image in values.
#[derive(Debug, Clone)]
pub(crate) struct ImageUse {
    /// Where it stands, as `image_values` names it.
    pub(crate) path: Vec<String>,
    slots: Slots,
    /// Ways to write it, in the order in which they are tried: the form, and the registry over several images that stands before its name.
    ways: Vec<(Form, Option<String>)>,
    /// The one that is tried.
    way: usize,
    /// Its reference, put together.
    pub(crate) reference: String,
}

impl ImageUse {
    /// Returns the way in which it is written.
    pub(crate) fn form(&self) -> Form {
        self.ways.get(self.way).map_or(Form::Name, |(form, _)| *form)
    }

    fn over(&self) -> Option<&str> {
        self.ways.get(self.way)?.1.as_deref()
    }

    /// Whether its name stands there.
    pub(crate) fn holds(&self, path: &[String]) -> bool {
        self.slots.name == path
    }

    /// Leaves out writing it by its tag, and says whether another way is left.
    pub(crate) fn without_name(&mut self) -> bool {
        self.ways.retain(|(form, _)| *form != Form::Name);
        !self.ways.is_empty()
    }

    /// Goes on to the next way, where there is one.
    pub(crate) fn next_form(&mut self) -> bool {
        let more = self.way.saturating_add(1) < self.ways.len();
        if more {
            self.way = self.way.saturating_add(1);
        }
        more
    }
}

impl Values {
    /// Lays values over a chart's defaults.
    pub(crate) fn new(own: Value, chart: &Chart) -> Self {
        let mut whole = chart.defaults.clone();
        overlay(&mut whole, own.clone());
        Self { own, whole }
    }

    /// Returns the image at a listed place. `seen` are the references that come out of the chart: of the ways in which it may put a
    /// reference together, one that does come out is the right one.
    ///
    /// # Errors
    ///
    /// `E-CONTENT image-value`.
    pub(crate) fn listed(
        &self,
        entry: &ImageValue,
        app_versions: &BTreeMap<Vec<String>, String>,
        seen: &[ImageReference],
    ) -> Result<ImageUse, Error> {
        let (slots, forms) = Slots::at(&self.whole, entry).map_err(|what| problem(&entry.path, &what))?;
        let image = self.used(entry.path.clone(), slots, &forms, app_versions, seen);
        if image.reference.contains("{{") {
            return Err(problem(&entry.path, "it is a template, which names no image by itself"));
        }
        Ok(image)
    }

    /// Returns the image that a value looks like, when it comes out of the chart.
    pub(crate) fn coming_out(
        &self,
        candidate: &Candidate,
        app_versions: &BTreeMap<Vec<String>, String>,
        seen: &[ImageReference],
    ) -> Option<ImageUse> {
        let (path, slots) = (candidate.path.clone(), candidate.slots.clone());
        let image = self.used(path, slots, &candidate.forms, app_versions, seen);
        let reference = image.reference.parse().ok()?;
        seen.contains(&reference).then_some(image)
    }

    /// Returns an image that a traced value says, whatever its registry and tag are.
    pub(crate) fn traced(&self, candidate: Candidate, reference: &str) -> ImageUse {
        let parts = candidate.slots.parts(&self.whole);
        let is_named = |over: Option<&str>| {
            let named = parts.reference(over, None).parse::<ImageReference>();
            let wanted = reference.parse::<ImageReference>();
            named.is_ok_and(|named| wanted.is_ok_and(|wanted| named.host == wanted.host && named.path == wanted.path))
        };
        let mut overs = self.overs(&candidate.path).filter(|over| is_named(over.as_deref()));
        let ways = ways(
            &candidate.forms,
            [overs.next().unwrap_or(None)].into_iter().chain(overs),
        );
        ImageUse {
            path: candidate.path,
            slots: candidate.slots,
            ways,
            way: 0,
            reference: reference.to_owned(),
        }
    }

    fn used(
        &self,
        path: Vec<String>,
        slots: Slots,
        forms: &[Form],
        app_versions: &BTreeMap<Vec<String>, String>,
        seen: &[ImageReference],
    ) -> ImageUse {
        let parts = slots.parts(&self.whole);
        let app_version = (0..=path.len())
            .rev()
            .find_map(|length| app_versions.get(path.get(..length)?))
            .map(String::as_str);
        let app_version = app_version.filter(|_| forms.first() != Some(&Form::Whole) && !slots.is_whole(&self.whole));
        let overs: Vec<Option<String>> = self.overs(&path).collect();
        let hubs: Vec<RegistryOver> = registries_over(&self.whole, &path)
            .into_iter()
            .filter(RegistryOver::is_hub)
            .collect();
        let hub = |over: &Option<String>| hubs.iter().find(|hub| over.as_ref() == Some(&hub.text));
        let said = |over: &Option<String>| {
            let tag = hub(over).and_then(|hub| hub.tag.as_deref());
            parts.reference(
                over.as_deref(),
                tag.filter(|_| !has_version(&parts.name)).or(app_version),
            )
        };
        let comes_out = |over: &&Option<String>| said(over).parse().is_ok_and(|reference| seen.contains(&reference));
        // The same repository under a tag that only the template knows.
        let otherwise = |over: &Option<String>| {
            let wanted: ImageReference = parts.reference(over.as_deref(), None).parse().ok()?;
            let unsaid = wanted.tag.is_none() && wanted.digest.is_none();
            let same = |known: &&ImageReference| known.host == wanted.host && known.path == wanted.path;
            let found = seen.iter().find(same).filter(|_| unsaid)?;
            Some((found.to_string(), over.clone()))
        };
        // Nothing tells: a registry over everything is there to be used.
        let guessed = || {
            let over = registries_over(&self.whole, &path).into_iter().find(|over| over.global);
            over.filter(|_| slots.registry.is_none()).map(|over| over.text)
        };
        let (reference, over) = overs
            .iter()
            .find(comes_out)
            .map(|over| (said(over), over.clone()))
            .or_else(|| overs.iter().find_map(otherwise))
            .unwrap_or_else(|| {
                let over = guessed();
                (said(&over), over)
            });
        let wanted = reference.parse::<ImageReference>().ok();
        let same = |other: &Option<String>| {
            *other != over && wanted.is_some() && said(other).parse::<ImageReference>().ok() == wanted
        };
        let others: Vec<Option<String>> = overs.iter().filter(|other| same(other)).cloned().collect();
        let by_hub = hub(&over).is_some();
        let mut ways = ways(forms, [over].into_iter().chain(others));
        // Many charts take a name with a path for a whole reference, and leave the hub out.
        if by_hub && !ways.contains(&(Form::Whole, None)) {
            ways.push((Form::Whole, None));
        }
        ImageUse {
            path,
            slots,
            ways,
            way: 0,
            reference,
        }
    }

    /// What may stand before the name of an image: nothing, or one of the registries over it, each text once.
    fn overs(&self, path: &[String]) -> impl Iterator<Item = Option<String>> + use<> {
        let mut texts: Vec<Option<String>> = vec![None];
        for over in registries_over(&self.whole, path) {
            if !texts.contains(&Some(over.text.clone())) {
                texts.push(Some(over.text));
            }
        }
        texts.into_iter()
    }

    /// Returns what agents get; `targets` are the images in the bundle, in the order of `images`.
    pub(crate) fn rewritten(&self, images: &[ImageUse], targets: &[Target]) -> Value {
        let mut own = self.own.clone();
        for (image, target) in images.iter().zip(targets) {
            if let Some(used) = image.over() {
                let over = registries_over(&self.whole, &image.path).into_iter();
                for over in over.filter(|over| over.text == used) {
                    set(
                        &mut own,
                        &self.whole,
                        &over.path,
                        Value::String(PLACEHOLDER_HOST.to_owned()),
                    );
                }
            }
            let put = image
                .slots
                .write(image.form(), target, &self.whole, image.over().is_some());
            for (path, value) in put {
                set(&mut own, &self.whole, &path, value);
            }
        }
        own
    }

    /// Returns where the chart's values have lists of pull secrets that the deployment's own do not repeat, and whether these have any.
    pub(crate) fn pull_secrets(&self) -> (Vec<String>, bool) {
        let (mut chart, mut own) = (Vec::new(), Vec::new());
        pull_secret_lists(&self.whole, &mut Vec::new(), &mut chart);
        pull_secret_lists(&self.own, &mut Vec::new(), &mut own);
        chart.retain(|path| !own.contains(path));
        (chart.iter().map(|path| show(path)).collect(), !own.is_empty())
    }
}

/// Every form with the first of what may stand before a name, then with the next.
fn ways(forms: &[Form], overs: impl Iterator<Item = Option<String>>) -> Vec<(Form, Option<String>)> {
    overs
        .flat_map(|over| forms.iter().map(move |form| (*form, over.clone())))
        .collect()
}

/// Adds what agents add to lists of pull secrets before helm gets the values.
pub(crate) fn with_pull_secret(own: &Value, name: &str) -> Value {
    let mut lists = Vec::new();
    pull_secret_lists(own, &mut Vec::new(), &mut lists);
    let mut own = own.clone();
    for path in lists {
        let list = path.iter().try_fold(&mut own, |at, key| at.get_mut(key));
        if let Some(list) = list.and_then(Value::as_array_mut) {
            list.push(json!({"name": name}));
        }
    }
    own
}

/// Finds lists under the keys by which agents know them; lists within lists they do not visit.
fn pull_secret_lists(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        path.push(key.clone());
        if matches!(key.as_str(), "imagePullSecrets" | "pullSecrets") && value.is_array() {
            found.push(path.clone());
        } else {
            pull_secret_lists(value, path, found);
        }
        path.pop();
    }
}

/// Returns where a text of the values has a reference in it, plainly or encoded.
pub(crate) fn text_with(values: &Value, reference: &str) -> Option<Vec<String>> {
    fn any(value: &Value, needles: &[&str]) -> Option<Vec<String>> {
        let below = |key: String, value: &Value| {
            let mut path = any(value, needles)?;
            path.insert(0, key);
            Some(path)
        };
        match value {
            Value::Object(map) => map.iter().find_map(|(key, value)| below(key.clone(), value)),
            Value::Array(list) => (0_usize..)
                .zip(list)
                .find_map(|(at, value)| below(at.to_string(), value)),
            Value::String(text) => needles.iter().any(|needle| text.contains(needle)).then(Vec::new),
            _ => None,
        }
    }
    any(values, &[reference, &STANDARD.encode(reference)])
}

/// Writes a path with an empty list at its end as YAML on one line.
pub(crate) fn empty_list_at(path: &str) -> String {
    let mut keys = path.rsplit('.');
    let last = format!("{}: []", keys.next().unwrap_or_default());
    keys.fold(last, |inner, key| format!("{key}: {{{inner}}}"))
}

/// A mistake about a value.
pub(crate) fn problem(path: &[String], what: &str) -> Error {
    Error::new(Class::Content, "image-value", format!("value {}: {what}", show(path)))
}

/// An image that nobody listed.
pub(crate) fn unlisted(candidate: &Candidate) -> Error {
    let text: String = candidate.text.chars().take(160).collect();
    problem(
        &candidate.path,
        &format!("it looks like the image {text:?} and is not listed"),
    )
    .remedy(format!(
        "install helm, or give its path with --helm FILE; or add {} to image_values, or to unused_image_values",
        candidate.entry()
    ))
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
