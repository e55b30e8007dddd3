//! Values of a deployment, and the images in them that are rewritten to the placeholder host (D9).

use std::collections::BTreeMap;

use serde_json::Value;

use super::candidates::Candidate;
use super::slots::{Form, Slots, Target};
use super::tree::{get, set, show};
use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::domain::{Class, Error};
use crate::vendor_side::chart::{Chart, overlay};
use crate::vendor_side::collect::ImageReference;
use crate::vendor_side::release_file::ImageValue;

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
    /// Ways to write it, in the order in which they are tried.
    forms: Vec<Form>,
    /// The one that is tried.
    form: usize,
    /// A registry over all images stands before its name.
    global: bool,
    /// Its reference, put together.
    pub(in super::super) reference: String,
}

impl ImageUse {
    /// Returns the way in which it is written.
    pub(in super::super) fn form(&self) -> Form {
        self.forms.get(self.form).copied().unwrap_or(Form::Name)
    }

    /// Goes on to the next way, where there is one.
    pub(in super::super) fn next_form(&mut self) -> bool {
        let more = self.form.saturating_add(1) < self.forms.len();
        if more {
            self.form = self.form.saturating_add(1);
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
        let image = self.used(entry.path.clone(), slots, forms, app_versions, seen);
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
        let (path, slots, forms) = (candidate.path.clone(), candidate.slots.clone(), candidate.forms.clone());
        let image = self.used(path, slots, forms, app_versions, seen);
        let reference = image.reference.parse().ok()?;
        seen.contains(&reference).then_some(image)
    }

    /// Returns an image that a traced value says, whatever its registry and tag are.
    pub(in super::super) fn traced(&self, candidate: Candidate, reference: &str) -> ImageUse {
        ImageUse {
            path: candidate.path,
            slots: candidate.slots,
            forms: candidate.forms,
            form: 0,
            global: self.global_registry().is_some(),
            reference: reference.to_owned(),
        }
    }

    fn used(
        &self,
        path: Vec<String>,
        slots: Slots,
        forms: Vec<Form>,
        app_versions: &BTreeMap<Vec<String>, String>,
        seen: &[ImageReference],
    ) -> ImageUse {
        let parts = slots.parts(&self.whole);
        let app_version = (0..=path.len())
            .rev()
            .find_map(|length| app_versions.get(path.get(..length)?))
            .map(String::as_str);
        let app_version = app_version.filter(|_| forms.first() != Some(&Form::Whole));
        let global = self.global_registry();
        let comes_out = |reference: &str| reference.parse().is_ok_and(|reference| seen.contains(&reference));
        let plain = parts.reference(None, app_version);
        let through = global.map(|registry| parts.reference(Some(registry), app_version));
        // The same repository under a tag that only the template knows.
        let otherwise = || {
            let registries = [None, global];
            registries.into_iter().find_map(|registry| {
                let wanted: ImageReference = parts.reference(registry, None).parse().ok()?;
                let unsaid = wanted.tag.is_none() && wanted.digest.is_none();
                let same = |known: &&ImageReference| known.host == wanted.host && known.path == wanted.path;
                let found = seen.iter().find(same).filter(|_| unsaid)?;
                Some((found.to_string(), registry.is_some()))
            })
        };
        let (reference, global) = match through {
            _ if comes_out(&plain) => (plain, false),
            Some(through) if comes_out(&through) => (through, true),
            through => otherwise().unwrap_or(match through {
                Some(through) if slots.registry.is_none() => (through, true),
                _ => (plain, false),
            }),
        };
        ImageUse {
            path,
            slots,
            forms,
            form: 0,
            global,
            reference,
        }
    }

    /// The registry that stands over all images, where one is set.
    fn global_registry(&self) -> Option<&str> {
        let path = ["global".to_owned(), "imageRegistry".to_owned()];
        get(&self.whole, &path)?
            .as_str()
            .filter(|registry| !registry.is_empty())
    }

    /// Returns what agents get; `targets` are the images in the bundle, in the order of `images`.
    pub(in super::super) fn rewritten(&self, images: &[ImageUse], targets: &[Target]) -> Value {
        let mut own = self.own.clone();
        if self.global_registry().is_some() {
            let path = ["global".to_owned(), "imageRegistry".to_owned()];
            set(&mut own, &self.whole, &path, Value::String(PLACEHOLDER_HOST.to_owned()));
        }
        for (image, target) in images.iter().zip(targets) {
            for (path, value) in image.slots.write(image.form(), target, &self.whole, image.global) {
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
        "add {} to image_values, or to unused_image_values",
        show(&candidate.path)
    ))
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
