//! The images of a chart under one set of values: found, named as the bundle has them, and proven by working the chart out again.
//!
//! ```text
//! values ─> what comes out ─> which values say it ─> values with the placeholder ─> what comes out again: all of it carried, or refused
//!                                                            └───── another way to write it <── not yet ──┘
//! ```
//!
//! Digests are not known before images are collected, and everything that is wrong is to be said before: here each image has digits that
//! stand for its own, and nothing else than these changes when the real ones take their place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::chart_report::{ChartReport, ChartWay};
use super::closure::Closure;
use super::helm_chart::WantedChart;
use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::vendor_side::chart::{Reading, ReleaseWords, Seen, read};
use crate::vendor_side::collect::ImageReference;
use crate::vendor_side::release_file::{HelmApplication, ImageEntry};
use crate::vendor_side::rendering::{Capabilities, Helm, HelmChart};
use crate::vendor_side::secret::is_marked;
use crate::vendor_side::values::{
    Form, ImageUse, Target, Values, candidates, empty_list_at, show, traced, unlisted, without_secrets,
};

/// Most texts of one chart that are said to look like images.
const SUSPECTS: usize = 20;

/// A chart under one set of values, and everything that its images are asked of.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// Name of the application.
    pub(super) name: &'a str,
    pub(super) application: &'a HelmApplication,
    pub(super) chart: &'a WantedChart,
    /// Merged values, with the author's images and marks for secrets.
    pub(super) own: Value,
    pub(super) release: String,
    pub(super) namespace: String,
    pub(super) helm: Option<&'a Helm>,
    /// What only looks like an image is refused too.
    pub(super) strict: bool,
}

/// The images of a chart under one set of values.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) values: Values,
    pub(super) images: Vec<ImageUse>,
    pub(super) problems: Vec<Error>,
    pub(super) warnings: Vec<String>,
    pub(super) report: ChartReport,
}

/// What works a chart out.
enum Reader<'a> {
    Helm(HelmChart<'a>),
    Static,
}

impl Question<'_> {
    /// Returns where images really come from, by their reference in values and templates.
    pub(super) fn elsewhere(application: &HelmApplication) -> BTreeMap<String, ImageEntry> {
        application
            .images
            .iter()
            .filter_map(|image| {
                let (repository, tag) = image.name.as_ref()?;
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                Some((format!("{repository}{tag}"), image.clone()))
            })
            .collect()
    }

    /// Finds and proves the images. What is wrong with them is in the answer.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-INTERNAL`.
    pub(super) fn resolve(&self, closure: &Closure) -> Result<Resolved> {
        let capabilities = Capabilities {
            kube_version: self.application.kube_version.clone(),
            api_versions: self.application.api_versions.clone(),
        };
        let chart = &self.chart.chart;
        let reader = match self.helm {
            Some(helm) => {
                let parts = (&self.chart.archive[..], &chart.templates[..]);
                Reader::Helm(HelmChart::new(helm, self.name, parts, &capabilities, self.words())?)
            }
            None => Reader::Static,
        };
        let mut work = Work {
            question: self,
            reader,
            listed: listed(self.application),
            answer: Resolved {
                values: Values::new(self.own.clone(), chart),
                images: Vec::new(),
                problems: Vec::new(),
                warnings: Vec::new(),
                report: ChartReport {
                    application: self.name.to_owned(),
                    release: self.release.clone(),
                    namespace: self.namespace.clone(),
                    way: ChartWay::Static,
                    images: Vec::new(),
                },
            },
        };
        work.run(closure)?;
        Ok(work.answer)
    }

    fn words(&self) -> ReleaseWords<'_> {
        ReleaseWords {
            name: &self.release,
            namespace: &self.namespace,
        }
    }
}

/// An image is only known at the site.
fn named_by_secret(path: &[String]) -> Error {
    let found = format!("the image {} in the values is named by a secret", show(path));
    Error::new(Class::Content, "template", found).remedy("write the name of the image out")
}

/// References that the author lists beside the values.
fn listed(application: &HelmApplication) -> Vec<ImageReference> {
    application
        .images
        .iter()
        .filter_map(|image| match (&image.name, &image.source) {
            (Some((repository, tag)), _) => {
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                format!("{repository}{tag}").parse().ok()
            }
            (None, source) => source.to_string().parse().ok(),
        })
        .collect()
}

struct Work<'a> {
    question: &'a Question<'a>,
    reader: Reader<'a>,
    listed: Vec<ImageReference>,
    answer: Resolved,
}

impl Work<'_> {
    fn run(&mut self, closure: &Closure) -> Result<()> {
        let before = match self.read(&self.answer.values) {
            Ok(before) => before,
            Err(error) => return self.refused(error),
        };
        let seen: Vec<ImageReference> = before
            .images
            .iter()
            .filter_map(|image| image.reference.parse().ok())
            .collect();
        let shown: BTreeSet<String> = seen.iter().map(ToString::to_string).collect();
        self.answer.report.images = shown.into_iter().collect();
        self.report_way(&before);
        self.pull_secrets();
        self.find(&before, &seen);
        // Without a list of what is what, nothing that follows would say more.
        if !self.answer.problems.is_empty() {
            return Ok(());
        }
        let elsewhere = Question::elsewhere(self.question.application);
        let mut targets = Vec::new();
        for image in &self.answer.images {
            match closure.name_of(&image.reference, &elsewhere) {
                Ok((repository, tag)) => targets.push(Target {
                    repository,
                    tag,
                    digest: Digest(Hash(Sha256::digest(image.reference.as_bytes()).into())),
                }),
                Err(error) => self.answer.problems.push(error),
            }
        }
        if !self.answer.problems.is_empty() {
            return Ok(());
        }
        match self.prove(&before, &targets) {
            Ok(after) => self.judge(&before, &after, &targets),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    /// What a chart is refused for is told with everything else.
    fn refused(&mut self, error: Error) -> Result<()> {
        if matches!(error.class(), Class::Content | Class::Limit) {
            self.answer.problems.push(error);
            return Ok(());
        }
        Err(error)
    }

    fn read(&self, values: &Values) -> Result<Reading> {
        let question = self.question;
        match &self.reader {
            Reader::Helm(chart) => chart.read(&without_secrets(&values.own)),
            Reader::Static => Ok(self.read_statically(values, question.words())),
        }
    }

    fn read_statically(&self, values: &Values, words: ReleaseWords<'_>) -> Reading {
        let unused = &self.question.application.unused_image_values;
        let left_out = |path: &[String]| unused.iter().any(|entry| path.starts_with(&entry.path));
        read(
            &self.question.chart.chart,
            &without_secrets(&values.whole),
            words,
            &left_out,
        )
    }

    /// Says how the chart is read, and what the other way would have made of it.
    fn report_way(&mut self, before: &Reading) {
        let Some(helm) = self.question.helm else { return };
        let plain = self.read_statically(&self.answer.values, self.question.words());
        let told = |reading: &Reading| -> BTreeSet<String> {
            let references = reading.images.iter();
            references
                .filter_map(|image| image.reference.parse::<ImageReference>().ok())
                .map(|reference| reference.to_string())
                .collect()
        };
        let (with, without) = (told(before), told(&plain));
        let (both, more) = (with.intersection(&without).count(), without.difference(&with).count());
        let mut words = format!("without helm {both} of them are found");
        if let Some(first) = plain.untold.first() {
            let count = crate::domain::counted(plain.untold.len(), "place");
            words += &format!(", and {count} cannot be told (first: {first})");
        }
        if more > 0 {
            words += &format!("; {more} that stand in templates do not come out under these values");
        }
        self.answer.report.way = ChartWay::Rendered {
            helm: helm.version.clone(),
            without_helm: words,
        };
    }

    /// Agents add their pull secret to lists that are in the deployment's own values, and to nothing else.
    fn pull_secrets(&mut self) {
        let (lists, has_own) = self.answer.values.pull_secrets();
        if has_own {
            return;
        }
        let name = self.question.name;
        self.answer.warnings.push(match lists.first() {
            Some(list) => format!(
                "{name}: the values that the deployment gives (the chart's own do not count) have no list of pull secrets, and agents add \
                 theirs only to one that is there: where a site reads with credentials, pods cannot pull; add to a file under values: {}",
                empty_list_at(list)
            ),
            None => format!(
                "{name}: the values that the deployment gives (the chart's own do not count) have no list of pull secrets, and agents add \
                 theirs only to one that is there: where a site reads with credentials, pods cannot pull; add to a file under values: \
                 imagePullSecrets: [], and have the templates use it"
            ),
        });
    }

    /// Finds the values that say which images are used.
    fn find(&mut self, before: &Reading, seen: &[ImageReference]) {
        let (application, chart) = (self.question.application, &self.question.chart.chart);
        let answer = &mut self.answer;
        for entry in &application.image_values {
            match answer.values.listed(entry, &chart.app_versions, seen) {
                Ok(image) if is_marked(&image.reference) => answer.problems.push(named_by_secret(&image.path)),
                Ok(image) => answer.images.push(image),
                Err(error) => answer.problems.push(error),
            }
        }
        let entries = application.image_values.iter().chain(&application.unused_image_values);
        let known: Vec<&[String]> = entries.map(|entry| entry.path.as_slice()).collect();
        for candidate in candidates(&answer.values.whole, &known) {
            if is_marked(&candidate.text) {
                answer.problems.push(named_by_secret(&candidate.path));
            } else if self.question.helm.is_none() {
                answer.problems.push(unlisted(&candidate));
            } else if let Some(image) = answer.values.coming_out(&candidate, &chart.app_versions, seen) {
                answer.images.push(image);
            }
        }
        if self.question.helm.is_none() {
            return;
        }
        for image in &before.images {
            let Ok(reference) = image.reference.parse::<ImageReference>() else {
                continue;
            };
            let is_known = |used: &ImageUse| {
                used.reference
                    .parse()
                    .is_ok_and(|used: ImageReference| used == reference)
            };
            if answer.images.iter().any(is_known) || self.listed.contains(&reference) {
                continue;
            }
            for candidate in traced(&answer.values.whole, &image.reference) {
                let unused = known.iter().any(|path| candidate.path.starts_with(path));
                if !unused {
                    answer.images.push(answer.values.traced(candidate, &image.reference));
                }
            }
        }
    }

    /// Rewrites and works out again, until every image comes out as one of the bundle or no way of writing it is left.
    fn prove(&mut self, before: &Reading, targets: &[Target]) -> Result<Reading> {
        loop {
            let own = self.answer.values.rewritten(&self.answer.images, targets);
            let rewritten = Values::new(own, &self.question.chart.chart);
            let after = match self.read(&rewritten) {
                Ok(after) => after,
                // Some charts look into what they are given.
                Err(error) if matches!(error.class(), Class::Content) => {
                    let mut moved = false;
                    for image in &mut self.answer.images {
                        moved |= image.next_form();
                    }
                    if moved {
                        continue;
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            };
            let mut moved = false;
            let failing = self.failing(before, &after, targets);
            for (number, image) in self.answer.images.iter_mut().enumerate() {
                if failing.contains(&number) {
                    moved |= image.next_form();
                }
            }
            if !moved {
                return Ok(after);
            }
        }
    }

    /// The images that do not come out as they should.
    fn failing(&self, before: &Reading, after: &Reading, targets: &[Target]) -> BTreeSet<usize> {
        let mut failing = BTreeSet::new();
        for image in after
            .images
            .iter()
            .filter(|image| !self.is_carried(&image.reference, targets))
        {
            let was = before.images.iter().filter(|was| was.at == image.at);
            for reference in was.filter_map(|was| was.reference.parse::<ImageReference>().ok()) {
                for (number, used) in self.answer.images.iter().enumerate() {
                    if used
                        .reference
                        .parse()
                        .is_ok_and(|used: ImageReference| used == reference)
                    {
                        failing.insert(number);
                    }
                }
            }
        }
        for (number, target) in targets.iter().enumerate() {
            if after.misplaced.contains(&target.digest.0.to_string()) {
                failing.insert(number);
            }
        }
        failing
    }

    /// Whether a reference is one that the appliance answers with an image of the bundle.
    fn is_carried(&self, reference: &str, targets: &[Target]) -> bool {
        let Ok(reference) = reference.parse::<ImageReference>() else {
            return false;
        };
        reference.host == PLACEHOLDER_HOST
            && targets.iter().zip(&self.answer.images).any(|(target, image)| {
                let by_name = image.form() == Form::Name && reference.digest.is_none();
                reference.path == target.repository.as_str()
                    && (reference.digest == Some(target.digest)
                        || by_name && reference.tag.is_some() && reference.tag == target.tag)
            })
    }

    /// Refuses what is not carried.
    fn judge(&mut self, before: &Reading, after: &Reading, targets: &[Target]) {
        for image in &after.images {
            if self.is_carried(&image.reference, targets) {
                continue;
            }
            let was = before.images.iter().find(|was| was.at == image.at);
            self.not_carried(image, was);
        }
        self.by_name();
        self.untold(before, after);
        self.suspects(after, targets);
    }

    fn not_carried(&mut self, image: &Seen, was: Option<&Seen>) {
        let shown = was.unwrap_or(image);
        let is_listed = |reference: &str| {
            reference
                .parse()
                .is_ok_and(|reference| self.listed.contains(&reference))
        };
        if is_listed(&image.reference) {
            self.answer.warnings.push(format!(
                "{}: the template names {} itself: the cluster needs the appliance as a mirror for it (`airlock target connect --mirrors`)",
                image.place, image.reference
            ));
        } else if image.reference.contains(PLACEHOLDER_HOST) || shown.reference != image.reference {
            self.answer.problems.push(
                Error::new(
                    Class::Content,
                    "rewritten-image",
                    format!(
                        "{}: {:?} comes out as {:?} when its values are rewritten",
                        shown.place, shown.reference, image.reference
                    ),
                )
                .expected(format!("{PLACEHOLDER_HOST}/NAME@sha256:…"))
                .remedy("say with pin: how its digest is to be written (digest, tag or name), or have the template take registry, repository and tag from values"),
            );
        } else {
            self.answer.problems.push(
                Error::new(
                    Class::Content,
                    "written-image",
                    format!("{}: the template names {:?} itself", shown.place, shown.reference),
                )
                .remedy("take it from the values, or list it under images and set the appliance as a mirror"),
            );
        }
    }

    /// Says which images are not pinned by digest, unless the author wants it so.
    fn by_name(&mut self) {
        for image in &self.answer.images {
            let asked = self.question.application.image_values.iter();
            let mut asked = asked
                .filter(|entry| entry.path == image.path)
                .filter_map(|entry| entry.pin);
            if image.form() == Form::Name && asked.next().is_none() {
                self.answer.warnings.push(format!(
                    "{}: the value {} is written by name and tag: a digest does not fit where the chart puts it; the appliance answers \
                     with the image of this release",
                    self.question.name,
                    show(&image.path)
                ));
            }
        }
    }

    /// Refuses what cannot be told without helm, unless the author vouches.
    fn untold(&mut self, before: &Reading, after: &Reading) {
        let places: BTreeSet<&String> = before.untold.iter().chain(&after.untold).collect();
        if places.is_empty() {
            return;
        }
        if self.question.application.images_complete {
            self.answer.report.way = ChartWay::Vouched { untold: places.len() };
            self.answer.warnings.push(format!(
                "{}: which images stand at {} cannot be told without helm (first: {}): images_complete vouches for them",
                self.question.name,
                crate::domain::counted(places.len(), "place"),
                places.first().map_or("", |place| place.as_str())
            ));
            return;
        }
        for place in places {
            self.answer.problems.push(
                Error::new(
                    Class::Content,
                    "untold-image",
                    format!("{place}: which image stands there cannot be told without helm"),
                )
                .remedy(
                    "install helm, or give its path with --helm FILE; or list every image under images, and say images_complete: true",
                ),
            );
        }
    }

    /// Says what looks like an image and is none of the bundle; refuses it where the author wants that.
    fn suspects(&mut self, after: &Reading, targets: &[Target]) {
        let mut told = 0_usize;
        for suspect in &after.suspects {
            let listed = suspect
                .reference
                .parse()
                .is_ok_and(|reference| self.listed.contains(&reference));
            if listed || self.is_carried(&suspect.reference, targets) {
                continue;
            }
            told = told.saturating_add(1);
            if told > SUSPECTS {
                continue;
            }
            let found = if suspect.reference.contains(' ') {
                format!("{}: {}", suspect.place, suspect.reference)
            } else {
                format!(
                    "{}: {:?} looks like an image, and the release does not carry it",
                    suspect.place, suspect.reference
                )
            };
            if self.question.strict {
                self.answer.problems.push(
                    Error::new(Class::Content, "suspected-image", found)
                        .remedy("list it under images, or leave --strict out"),
                );
            } else {
                self.answer.warnings.push(found);
            }
        }
        if told > SUSPECTS {
            self.answer.warnings.push(format!(
                "{}: {} more look like images that the release does not carry",
                self.question.name,
                told.saturating_sub(SUSPECTS)
            ));
        }
    }
}
