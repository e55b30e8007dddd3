//! The images of a chart under one set of values: found, named as the bundle has them, and proven by working the chart out again.
//!
//! ```text
//! values ─> what comes out ─> which values say it ─> values with the placeholder ─> what comes out again: all of it carried, or refused
//!                                                            └───── another way to write it <── not yet ──┘
//! ```
//!
//! Digests are not known before images are collected, and everything that is wrong is to be said before: here each image has digits that
//! stand for its own, and nothing else than these changes when the real ones take their place.
//!
//! helm works a chart out as it is installed here, and a site may make more of it. What templates ask decides how often it is worked out
//! (`rendering::renderings`); what remains open is read as it stands, and refused where that does not tell every image.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::chart_report::{ChartReport, ChartWay};
use super::closure::Closure;
use super::helm_carried::Carried;
use super::helm_judgement::Judgement;
use super::helm_question::{Question, Resolved};
use crate::chart::{Reading, elsewhere, read};
use crate::collect::ImageReference;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::rendering::{Capabilities, Helm, HelmChart, Renderings, renderings};
use crate::secret::is_marked;
use crate::values::{ImageUse, Target, Values, candidates, empty_list_at, show, traced, unlisted, without_secrets};

/// Longest time that everything which is asked of one chart may take.
const TIME: Duration = Duration::from_secs(300);

/// What works a chart out.
enum Reader<'a> {
    Helm(&'a Helm, HelmChart<'a>, Renderings),
    Static,
}

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
            let parts = (&question.chart.archive[..], &chart.templates[..]);
            let laid_out = HelmChart::new(helm, question.name, parts, &capabilities, question.words())?;
            let found = elsewhere(chart, &without_secrets(&values.whole), question.words(), &|ask| {
                question.says(ask)
            });
            Reader::Helm(helm, laid_out, renderings(&capabilities, &found.asks, &found.asked))
        }
        None => Reader::Static,
    };
    let mut work = Work {
        question,
        reader,
        began: Instant::now(),
        listed: question.listed(),
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
            },
        },
    };
    work.run(closure)?;
    Ok(work.answer)
}

/// An image is only known at the site.
fn named_by_secret(path: &[String]) -> Error {
    let found = format!("the image {} in the values is named by a secret", show(path));
    Error::new(Class::Content, "template", found).remedy("write the name of the image out")
}

struct Work<'a> {
    question: &'a Question<'a>,
    reader: Reader<'a>,
    began: Instant,
    listed: Vec<ImageReference>,
    answer: Resolved,
}

impl Work<'_> {
    fn run(&mut self, closure: &Closure) -> Result<()> {
        let before = match self.survey() {
            Ok(before) => before,
            Err(error) => return self.refused(error),
        };
        let seen: BTreeSet<ImageReference> = before
            .images
            .iter()
            .filter_map(|image| image.reference.parse().ok())
            .collect();
        self.answer.report.images = seen.iter().map(ToString::to_string).collect();
        self.report_way(&seen);
        self.pull_secrets();
        let seen: Vec<ImageReference> = seen.into_iter().collect();
        self.find(&seen);
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
        let after = match self.prove(&before, &mut targets) {
            Ok(after) => after,
            Err(error) => return self.refused(error),
        };
        let carried = Carried::new(&self.answer.images, &targets);
        Judgement {
            question: self.question,
            listed: &self.listed,
            carried: &carried,
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

    /// Works the chart out as its author has it, and keeps to the circumstances under which that can be done: where it cannot be
    /// installed there is nothing to carry, and where only its upgrade fails here the open questions stay open.
    fn survey(&mut self) -> Result<Reading> {
        let Reader::Helm(_, chart, plan) = &mut self.reader else {
            return self.read(&self.answer.values);
        };
        let own = without_secrets(&self.answer.values.own);
        let mut all = std::mem::take(&mut plan.all).into_iter();
        let mut reading = Reading::default();
        if let Some(first) = all.next() {
            reading = chart.read(&own, &first)?;
            plan.all.push(first);
        }
        for rendering in all {
            in_time(self.question.name, self.began)?;
            match chart.read(&own, &rendering) {
                Ok(more) => {
                    reading.add(more);
                    plan.all.push(rendering);
                }
                Err(error) if error.found().contains("chart requires kubeVersion") => {}
                Err(error) if matches!(error.class(), Class::Content) => plan.failed(&rendering),
                Err(error) => return Err(error),
            }
        }
        reading.add(self.open(&self.answer.values));
        Ok(reading)
    }

    fn read(&self, values: &Values) -> Result<Reading> {
        let Reader::Helm(_, chart, plan) = &self.reader else {
            return Ok(self.read_statically(values));
        };
        let own = without_secrets(&values.own);
        let mut reading = Reading::default();
        for rendering in &plan.all {
            in_time(self.question.name, self.began)?;
            reading.add(chart.read(&own, rendering)?);
        }
        reading.add(self.open(values));
        Ok(reading)
    }

    /// Reads what no circumstances settle.
    fn open(&self, values: &Values) -> Reading {
        let Reader::Helm(_, _, plan) = &self.reader else {
            return Reading::default();
        };
        let question = self.question;
        let whole = without_secrets(&values.whole);
        let found = elsewhere(&question.chart.chart, &whole, question.words(), &|ask| {
            question.says(ask) || plan.settled.contains(ask)
        });
        Reading {
            images: found.images,
            open: found.open,
            ..Reading::default()
        }
    }

    fn read_statically(&self, values: &Values) -> Reading {
        let question = self.question;
        let unused = &question.application.unused_image_values;
        let left_out = |path: &[String]| unused.iter().any(|entry| path.starts_with(&entry.path));
        let whole = without_secrets(&values.whole);
        read(&question.chart.chart, &whole, question.words(), &left_out)
    }

    /// Says how the chart is read, and what the other way would have made of it.
    fn report_way(&mut self, with: &BTreeSet<ImageReference>) {
        let Reader::Helm(helm, _, plan) = &self.reader else {
            return;
        };
        let plain = self.read_statically(&self.answer.values);
        let without: BTreeSet<ImageReference> = plain
            .images
            .iter()
            .filter_map(|image| image.reference.parse().ok())
            .collect();
        let (both, more) = (with.intersection(&without).count(), without.difference(with).count());
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
            if found.contains(reference) || self.listed.contains(reference) {
                continue;
            }
            let reference = reference.to_string();
            for candidate in traced(&self.answer.values.whole, &reference) {
                if !self.is_unused(&candidate.path) {
                    self.answer
                        .images
                        .push(self.answer.values.traced(candidate, &reference));
                }
            }
        }
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
            if !moved && !self.found_again(&after, targets) {
                return Ok(after);
            }
        }
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
            if !seen.contains(&reference) || self.listed.contains(&reference) {
                continue;
            }
            for candidate in traced(&self.answer.values.whole, &reference.to_string()) {
                more.push((candidate, reference.to_string(), target.clone()));
            }
        }
        let before = self.answer.images.len();
        for (candidate, reference, target) in more {
            if self.is_unused(&candidate.path) || self.answer.images.iter().any(|used| used.holds(&candidate.path)) {
                continue;
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
        failing
    }
}

fn parsed(images: &[ImageUse]) -> impl Iterator<Item = (usize, Option<ImageReference>)> + '_ {
    let references = images.iter().map(|image| image.reference.parse().ok());
    references.enumerate()
}

/// Charts that ask for much are not worked out without end.
fn in_time(name: &str, began: Instant) -> Result<()> {
    if began.elapsed() <= TIME {
        return Ok(());
    }
    let found = format!("{name}: working the chart out takes longer than {} s", TIME.as_secs());
    Err(Error::new(Class::Limit, "time", found))
}
