//! Values of a deployment, and the images in them that are rewritten to the placeholder host (D9).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

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
pub(in super::super) struct Values {
    /// What agents get, still with the author's images.
    pub(in super::super) own: Value,
    /// The chart's defaults with `own` over them: what templates see.
    pub(in super::super) whole: Value,
}

/// An image in values.
#[derive(Debug, Clone)]
pub(in super::super) struct ImageUse {
    /// Where it stands, as `image_values` names it.
    pub(in super::super) path: Vec<String>,
    slots: Slots,
    /// Ways to write it, in the order in which they are tried: the form, and the registry over several images that stands before its name.
    ways: Vec<(Form, Option<String>)>,
    /// The one that is tried.
    way: usize,
    /// Its reference, put together.
    pub(in super::super) reference: String,
}

impl ImageUse {
    /// Returns the way in which it is written.
    pub(in super::super) fn form(&self) -> Form {
        self.ways.get(self.way).map_or(Form::Name, |(form, _)| *form)
    }

    fn over(&self) -> Option<&str> {
        self.ways.get(self.way)?.1.as_deref()
    }

    /// Whether its name stands there.
    pub(in super::super) fn holds(&self, path: &[String]) -> bool {
        self.slots.name == path
    }

    /// Goes on to the next way, where there is one.
    pub(in super::super) fn next_form(&mut self) -> bool {
        let more = self.way.saturating_add(1) < self.ways.len();
        if more {
            self.way = self.way.saturating_add(1);
        }
        more
    }
}

impl Values {
    /// Lays values over a chart's defaults.
    pub(in super::super) fn new(own: Value, chart: &Chart) -> Self {
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
    pub(in super::super) fn listed(
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
    pub(in super::super) fn coming_out(
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
    pub(in super::super) fn traced(&self, candidate: Candidate, reference: &str) -> ImageUse {
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
        let app_version = app_version.filter(|_| forms.first() != Some(&Form::Whole));
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
    pub(in super::super) fn rewritten(&self, images: &[ImageUse], targets: &[Target]) -> Value {
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
    pub(in super::super) fn pull_secrets(&self) -> (Vec<String>, bool) {
        let (mut chart, mut own) = (Vec::new(), Vec::new());
        pull_secret_lists(&self.whole, &mut Vec::new(), &mut chart);
        pull_secret_lists(&self.own, &mut Vec::new(), &mut own);
        (chart.iter().map(|path| show(path)).collect(), !own.is_empty())
    }
}

/// Every form with the first of what may stand before a name, then with the next.
fn ways(forms: &[Form], overs: impl Iterator<Item = Option<String>>) -> Vec<(Form, Option<String>)> {
    overs
        .flat_map(|over| forms.iter().map(move |form| (*form, over.clone())))
        .collect()
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

/// Whether a text of the values has a reference in it, plainly or encoded.
pub(in super::super) fn has_text(values: &Value, reference: &str) -> bool {
    fn any(value: &Value, needles: &[&str]) -> bool {
        match value {
            Value::Object(map) => map.values().any(|value| any(value, needles)),
            Value::Array(list) => list.iter().any(|value| any(value, needles)),
            Value::String(text) => needles.iter().any(|needle| text.contains(needle)),
            _ => false,
        }
    }
    any(values, &[reference, &STANDARD.encode(reference)])
}

/// Writes a path with an empty list at its end as YAML on one line.
pub(in super::super) fn empty_list_at(path: &str) -> String {
    let mut keys = path.rsplit('.');
    let last = format!("{}: []", keys.next().unwrap_or_default());
    keys.fold(last, |inner, key| format!("{key}: {{{inner}}}"))
}

/// A mistake about a value.
pub(in super::super) fn problem(path: &[String], what: &str) -> Error {
    Error::new(Class::Content, "image-value", format!("value {}: {what}", show(path)))
}

/// An image that nobody listed.
pub(in super::super) fn unlisted(candidate: &Candidate) -> Error {
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
