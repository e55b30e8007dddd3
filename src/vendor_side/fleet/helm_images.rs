//! The images of a chart under one set of values: found, named as the bundle has them, and proven by working the chart out again.
//!
//! ```text
//! values ─> what comes out ─> which values say it ─> values with the placeholder ─> what comes out again: all of it carried, or refused
//!                                                            └───── another way to write it <── not yet ──┘
//! ```
//!
//! Digests are not known before images are collected, and everything that is wrong is to be said before: here each image has digits that
//! stand for its own, and nothing else than these changes when the real ones take their place. Addresses of appliances and secrets are
//! not known here either: values are tried as two invented sites have them.
//!
//! helm works a chart out as it is installed here, and a site may make more of it. What templates ask decides how often it is worked out
//! (`rendering::renderings`); what remains open is read as it stands, and refused where that does not tell every image.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::chart_report::{ChartReport, ChartWay};
use super::closure::Closure;
use super::helm_branches::{looked_at, warning};
use super::helm_carried::Carried;
use super::helm_judgement::Judgement;
use super::helm_question::{Question, Resolved};
use super::helm_site::site_warnings;
use super::helm_work::{Reader, Work};
use crate::chart::{Reading, elsewhere};
use crate::collect::ImageReference;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::invented_site::{InventedSite, LENGTHS};
use crate::rendering::{Capabilities, HelmChart, renderings};
use crate::secret::is_marked;
use crate::values::{ImageUse, Target, Values, candidates, show, traced, unlisted};

/// Finds and proves the images. What is wrong with them is in the answer.
///
/// # Errors
///
/// `E-IO`; `E-INTERNAL`.
pub(super) fn resolve(question: &Question<'_>, closure: &Closure) -> Result<Resolved> {
    let capabilities = Capabilities {
        kube_version: question.application.kube_version.clone(),
        api_versions: question.application.api_versions.clone(),
    };
    let chart = &question.chart.chart;
    let values = Values::new(question.own.clone(), chart);
    let reader = match question.helm {
        Some(helm) => {
            let parts = (&question.chart.archive[..], &chart.templates[..], &chart.crds[..]);
            let laid_out = HelmChart::new(helm, question.name, parts, &capabilities, question.words())?;
            let [site, _] = InventedSite::both(&question.secrets, LENGTHS[0]);
            let found = elsewhere(chart, &site.put_into(&values.whole), question.words(), &|ask| {
                question.says(ask)
            });
            Reader::Helm(
                helm,
                Box::new(laid_out),
                renderings(&capabilities, &found.asks, &found.asked),
            )
        }
        None => Reader::Static,
    };
    let mut work = Work {
        question,
        reader,
        sites: InventedSite::both(&question.secrets, LENGTHS[0]),
        began: Instant::now(),
        listed: question.listed(),
        spare: Vec::new(),
        texts: [String::new(), String::new()],
        answer: Resolved {
            values,
            images: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            report: ChartReport {
                application: question.name.to_owned(),
                release: question.release.clone(),
                namespace: question.namespace.clone(),
                way: ChartWay::Static,
                images: Vec::new(),
                addresses: Vec::new(),
            },
        },
    };
    work.run(closure)?;
    Ok(work.answer)
}

/// Digits of a digest that are its own.
const DIGITS: usize = 8;

/// An image is only known at the site.
fn named_by_secret(path: &[String]) -> Error {
    let found = format!("the image {} in the values is named by a secret", show(path));
    Error::new(Class::Content, "template", found).remedy("write the name of the image out")
}

/// An image is to be written by a tag that it has not.
fn without_tag(path: &[String], reference: &str) -> Error {
    let found = format!("value {}: {reference:?} has no tag to name it by", show(path));
    Error::new(Class::Content, "image-value", found).expected("a reference with a tag where pin: name is said")
}

impl Work<'_> {
    fn run(&mut self, closure: &Closure) -> Result<()> {
        let before = match self.surveyed() {
            Ok(before) => before,
            Err(error) => return self.refused(error),
        };
        let seen: BTreeSet<ImageReference> = before
            .images
            .iter()
            .filter_map(|image| image.reference.parse().ok())
            .collect();
        self.answer.report.images = seen.iter().map(ToString::to_string).collect();
        self.report_way(&before, &seen);
        let warnings = site_warnings(self.question, &self.answer.values, &before);
        self.answer.warnings.extend(warnings);
        let seen: Vec<ImageReference> = seen.into_iter().collect();
        self.find(&seen);
        // Without a list of what is what, nothing that follows would say more.
        if !self.answer.problems.is_empty() {
            return Ok(());
        }
        let elsewhere = Question::elsewhere(self.question.application);
        let mut targets = Vec::new();
        for image in &mut self.answer.images {
            match closure.name_of(&image.reference, &elsewhere) {
                Ok((repository, tag)) => {
                    if tag.is_none() && !image.without_name() {
                        self.answer.problems.push(without_tag(&image.path, &image.reference));
                    }
                    targets.push(Target {
                        repository,
                        tag,
                        digest: Digest(Hash(Sha256::digest(image.reference.as_bytes()).into())),
                    });
                }
                Err(error) => self.answer.problems.push(error),
            }
        }
        if !self.answer.problems.is_empty() {
            return Ok(());
        }
        let after = match self.proven(&before, &mut targets) {
            Ok(after) => after,
            Err(error) => return self.refused(error),
        };
        let carried = Carried::new(&self.answer.images, &targets);
        Judgement {
            question: self.question,
            listed: &self.listed,
            carried: &carried,
            sites: &self.sites,
            before: &before,
            after: &after,
        }
        .pass(&mut self.answer);
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

    /// Says how the chart is read, and what the other way would have made of it.
    fn report_way(&mut self, before: &Reading, with: &BTreeSet<ImageReference>) {
        let Reader::Helm(helm, _, plan) = &self.reader else {
            return;
        };
        let plain = self.read_statically(&self.answer.values);
        let without: BTreeSet<ImageReference> = plain
            .images
            .iter()
            .filter_map(|image| image.reference.parse().ok())
            .collect();
        // They do come out, as texts for others.
        let in_texts: BTreeSet<ImageReference> = before
            .suspects
            .iter()
            .filter_map(|suspect| suspect.reference.parse().ok())
            .collect();
        let more = without
            .difference(with)
            .filter(|reference| !in_texts.contains(reference))
            .count();
        let both = with.intersection(&without).count();
        let is = |count: usize| if count == 1 { "is" } else { "are" };
        let mut words = format!("without helm {both} of them {} found", is(both));
        if let Some(first) = plain.untold.first() {
            let count = crate::domain::counted(plain.untold.len(), "place");
            words += &format!(", and {count} cannot be told (first: {first})");
        }
        if more > 0 {
            let (stands, does) = if more == 1 { ("stands", "does") } else { ("stand", "do") };
            words += &format!("; {more} that {stands} in templates {does} not come out under these values");
        }
        self.answer.report.way = ChartWay::Rendered {
            helm: helm.version.clone(),
            renderings: plan.all.iter().map(ToString::to_string).collect(),
            without_helm: words,
            vouched: 0,
        };
    }

    /// Finds the values that say which images are used.
    fn find(&mut self, seen: &[ImageReference]) {
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
        let found: BTreeSet<ImageReference> = parsed(&self.answer.images)
            .filter_map(|(_, reference)| reference)
            .collect();
        for reference in seen {
            if found.contains(reference) {
                continue;
            }
            let is_listed = self.listed.contains(&reference.clone().meant());
            let reference = reference.to_string();
            for candidate in traced(&self.answer.values.whole, &reference) {
                if !self.is_unused(&candidate.path) {
                    let image = self.answer.values.traced(candidate, &reference);
                    // Where it cannot be rewritten the cluster's mirror is there for it.
                    self.spare.extend(is_listed.then(|| image.path.clone()));
                    self.answer.images.push(image);
                }
            }
        }
    }

    /// As [`Self::prove`], and so that nothing else comes out otherwise, where a way of writing the images brings that about; what is left
    /// of it is told.
    fn proven(&mut self, before: &Reading, targets: &mut Vec<Target>) -> Result<Reading> {
        let mut after = self.prove(before, targets)?;
        let first = self.turned(targets)?;
        let held = (self.answer.images.clone(), targets.clone());
        let mut left = first.clone();
        while !left.is_empty() {
            let mut moved = false;
            for number in looked_at(self.question, &left, &self.answer.images) {
                moved |= self.answer.images.get_mut(number).is_some_and(ImageUse::next_form);
            }
            if !moved {
                break;
            }
            after = self.prove(before, targets)?;
            left = self.turned(targets)?;
        }
        if !left.is_empty() {
            // No way of writing them helps: the best of them stays.
            (self.answer.images, *targets) = held;
            after = self.prove(before, targets)?;
            let told = first.iter().map(|one| warning(self.question, one));
            self.answer.warnings.extend(told);
        }
        for other in self.at_other_addresses(&after, targets)? {
            if !other.is_common {
                self.answer.warnings.push(format!(
                    "{}: at an appliance with {} it comes out wrong: {}; give that appliance a name with a point, or have the templates take \
                     any address",
                    self.question.name, other.kind, other.found
                ));
            }
            let said = format!("{} ({})", other.kind, other.found);
            self.answer.report.addresses.push(said);
        }
        Ok(after)
    }

    /// Rewrites and works out again, until every image comes out as one of the bundle or no way of writing it is left.
    fn prove(&mut self, before: &Reading, targets: &mut Vec<Target>) -> Result<Reading> {
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
                    let all: BTreeSet<usize> = (0..self.answer.images.len()).collect();
                    if moved || self.spared(&all, targets) {
                        continue;
                    }
                    return Err(self.refused_when_rewritten(&error));
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
            if !moved && !self.spared(&failing, targets) && !self.found_again(&after, targets) {
                return Ok(after);
            }
        }
    }

    /// Leaves those of some images as they are that are listed beside the values too; says whether there were any.
    fn spared(&mut self, failing: &BTreeSet<usize>, targets: &mut Vec<Target>) -> bool {
        let is_left =
            |(number, image): (usize, &ImageUse)| failing.contains(&number) && self.spare.contains(&image.path);
        let left: Vec<bool> = self.answer.images.iter().enumerate().map(is_left).collect();
        let mut of_images = left.iter();
        self.answer.images.retain(|_| of_images.next() != Some(&true));
        let mut of_targets = left.iter();
        targets.retain(|_| of_targets.next() != Some(&true));
        left.contains(&true)
    }

    /// What helm says of values that it took before.
    fn refused_when_rewritten(&self, error: &Error) -> Error {
        let [_, site] = &self.sites;
        Error::new(
            Class::Content,
            "render",
            format!(
                "{}; it is well with the images as they are, and not when they are rewritten to an appliance, as to {}/NAME@sha256:…",
                error.found(),
                site.address
            ),
        )
        .expected("a chart that takes images of any registry")
        .remedy("have its templates and its schema take an address with a port, and a digest or a tag behind the name")
    }

    /// Finds further values that say what another one says: what comes out of them as it was is rewritten too.
    fn found_again(&mut self, after: &Reading, targets: &mut Vec<Target>) -> bool {
        if self.question.helm.is_none() {
            return false;
        }
        let seen: BTreeSet<ImageReference> = after
            .images
            .iter()
            .filter_map(|image| image.reference.parse().ok())
            .collect();
        let mut more = Vec::new();
        for (number, reference) in parsed(&self.answer.images) {
            let (Some(reference), Some(target)) = (reference, targets.get(number)) else {
                continue;
            };
            if !seen.contains(&reference) {
                continue;
            }
            for candidate in traced(&self.answer.values.whole, &reference.to_string()) {
                more.push((candidate, reference.to_string(), target.clone()));
            }
        }
        let before = self.answer.images.len();
        for (candidate, reference, target) in more {
            let is_used = self.answer.images.iter().any(|used| used.holds(&candidate.path));
            // What was left as it is stays so.
            if is_used || self.is_unused(&candidate.path) || self.spare.contains(&candidate.path) {
                continue;
            }
            if reference
                .parse()
                .is_ok_and(|reference: ImageReference| self.listed.contains(&reference.meant()))
            {
                self.spare.push(candidate.path.clone());
            }
            self.answer
                .images
                .push(self.answer.values.traced(candidate, &reference));
            targets.push(target);
        }
        self.answer.images.len() > before
    }

    /// Whether the author says that a value is no image, or which one.
    fn is_unused(&self, path: &[String]) -> bool {
        let application = self.question.application;
        let mut entries = application.image_values.iter().chain(&application.unused_image_values);
        entries.any(|entry| path.starts_with(&entry.path))
    }

    /// The images that do not come out as they should.
    fn failing(&self, before: &Reading, after: &Reading, targets: &[Target]) -> BTreeSet<usize> {
        let carried = Carried::new(&self.answer.images, targets);
        let mut uses: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, reference) in parsed(&self.answer.images) {
            if let Some(reference) = reference {
                uses.entry(reference.to_string()).or_default().push(number);
            }
        }
        let mut was: HashMap<&str, Vec<&str>> = HashMap::new();
        for image in &before.images {
            was.entry(&image.at).or_default().push(&image.reference);
        }
        let mut failing = BTreeSet::new();
        for image in after.images.iter().filter(|image| !carried.has(&image.reference)) {
            for reference in was.get(image.at.as_str()).into_iter().flatten() {
                let reference = reference.parse::<ImageReference>().ok();
                let uses = reference.and_then(|reference| uses.get(&reference.to_string()));
                failing.extend(uses.into_iter().flatten());
            }
        }
        for (number, target) in targets.iter().enumerate() {
            if after.misplaced.contains(&target.digest.0.to_string()) {
                failing.insert(number);
            }
        }
        // Of a label that was cut a few digits or the name may be left.
        for spoilt in after.spoilt.iter().filter(|spoilt| !before.has_spoilt(spoilt)) {
            let is_of = |target: &Target| {
                let digits: String = target.digest.0.to_string().chars().take(DIGITS).collect();
                let path = target.repository.to_string();
                let last = path.rsplit('/').next().unwrap_or_default();
                spoilt.text.contains(&digits) || spoilt.text.contains(last)
            };
            let of: Vec<usize> = (0..)
                .zip(targets)
                .filter(|(_, target)| is_of(target))
                .map(|(at, _)| at)
                .collect();
            failing.extend(if of.is_empty() {
                (0..targets.len()).collect()
            } else {
                of
            });
        }
        failing
    }
}

fn parsed(images: &[ImageUse]) -> impl Iterator<Item = (usize, Option<ImageReference>)> + '_ {
    let references = images.iter().map(|image| image.reference.parse().ok());
    references.enumerate()
}
