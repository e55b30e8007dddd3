//! What becomes of a chart whose values were rewritten: everything that comes out is carried, or it is refused with what to do.

use std::collections::{BTreeSet, HashMap};

use super::chart_report::ChartWay;
use super::helm_carried::Carried;
use super::helm_question::{Question, Resolved};
use crate::chart::{Ask, OpenPlace, Reading, Seen, said_of};
use crate::collect::ImageReference;
use crate::domain::{Class, Error, counted};
use crate::invented_site::InventedSite;
use crate::values::{Candidate, Form, Values, show, text_with, traced};

/// Most texts of one chart that are said to look like images.
const SUSPECTS: usize = 20;

/// What came out of a chart before and after its values were rewritten.
pub(super) struct Judgement<'a> {
    pub(super) question: &'a Question<'a>,
    /// Images that the author lists beside the values.
    pub(super) listed: &'a [ImageReference],
    pub(super) carried: &'a Carried,
    pub(super) sites: &'a [InventedSite; 2],
    pub(super) before: &'a Reading,
    pub(super) after: &'a Reading,
}

impl Judgement<'_> {
    /// Refuses what is not carried.
    pub(super) fn pass(&self, answer: &mut Resolved) {
        let mut was: HashMap<&str, Vec<&Seen>> = HashMap::new();
        for image in &self.before.images {
            was.entry(&image.at).or_default().push(image);
        }
        let mut told = BTreeSet::new();
        for image in &self.after.images {
            if self.carried.has(&image.reference) || !told.insert((&image.place, &image.reference)) {
                continue;
            }
            // As it was, where it came out so before too: a place may have had several.
            let was = was.get(image.at.as_str()).map_or(&[][..], Vec::as_slice);
            let same = was.iter().find(|was| was.reference == image.reference);
            self.not_carried(image, same.or(was.first()).copied(), answer);
        }
        self.spoilt(answer);
        self.by_name(answer);
        self.untold(answer);
        self.open(answer);
        self.suspects(answer);
    }

    /// Refuses labels and names that kubernetes does not take once images are rewritten.
    fn spoilt(&self, answer: &mut Resolved) {
        let mut told = BTreeSet::new();
        for spoilt in self
            .after
            .spoilt
            .iter()
            .filter(|spoilt| !self.before.has_spoilt(spoilt))
        {
            if told.insert(&spoilt.at) {
                let found = format!(
                    "{}: {:?} comes out when the images are rewritten, which kubernetes does not take there",
                    spoilt.place, spoilt.text
                );
                answer.problems.push(
                    Error::new(Class::Content, "rewritten-image", found)
                        .expected("letters, digits and - _ . alone, 63 of them at most")
                        .remedy("have the template make labels and names of a value of their own"),
                );
            }
        }
    }

    fn is_listed(&self, reference: &str) -> bool {
        reference
            .parse()
            .is_ok_and(|reference: ImageReference| self.listed.contains(&reference.meant()))
    }

    fn not_carried(&self, image: &Seen, was: Option<&Seen>, answer: &mut Resolved) {
        let shown = was.unwrap_or(image);
        let mut sites = self.sites.iter();
        // A template that takes a part of it leaves the other.
        let at = sites
            .find(|site| image.reference.contains(site.name()))
            .unwrap_or(&self.sites[0]);
        let is_rewritten = image.reference.contains(at.name()) || shown.reference != image.reference;
        if self.is_listed(&image.reference) {
            answer.warnings.push(format!(
                "{}: the cluster needs the appliance as a mirror for it (`airlock target connect TARGET --mirrors RUNTIME` at the site)",
                self.named_by(image, &answer.values)
            ));
        } else if is_rewritten {
            let error = Error::new(
                Class::Content,
                "rewritten-image",
                format!(
                    "{}: {:?} comes out as {:?} when its values are rewritten, as at an appliance with the address {}",
                    shown.place, shown.reference, image.reference, at.address
                ),
            )
            .expected(format!("{}/NAME@sha256:…", at.address));
            let is_behind_a_host = image.reference.find(at.name()).is_some_and(|start| start > 0);
            answer.problems.push(if is_behind_a_host {
                error.remedy(
                    "leave the entry out of image_values, and list the image as it comes out then under the application's images: the template writes a \
                     host itself, so the cluster needs the appliance as a mirror",
                )
            } else {
                error.remedy(
                    "say with pin: how its digest is to be written (digest, tag or name), or have the template take registry, repository and tag from values",
                )
            });
        } else {
            answer.problems.push(self.written(shown, &answer.values));
        }
    }

    /// Says what names an image: a text among the values that holds more than it cannot be rewritten either.
    fn named_by(&self, image: &Seen, values: &Values) -> String {
        let (place, reference) = (&image.place, &image.reference);
        let chart = &self.question.chart.chart;
        let reads_files = chart.templates.iter().any(|template| template.text.contains(".Files"));
        let mut files = chart.files.iter().filter(|_| reads_files);
        if let Some(file) = files.find(|file| file.text.contains(reference.as_str())) {
            return format!("{place}: the file {} of the chart names {reference:?}", file.place);
        }
        match text_with(&values.whole, reference) {
            Some(path) if !self.question.chart.chart.says(reference) => {
                format!("{place}: the value {} names {reference:?} within a text", show(&path))
            }
            _ => format!("{place}: the template names {reference:?} itself"),
        }
    }

    /// An image that comes out whatever the values are rewritten to.
    fn written(&self, image: &Seen, values: &Values) -> Error {
        let error = Error::new(Class::Content, "written-image", self.named_by(image, values));
        if self.question.helm.is_none() {
            let written_out = self.question.chart.chart.says(&image.reference);
            // A value that is listed already is not what brings it out.
            let is_listed = |value: &Candidate| {
                let mut entries = self.question.application.image_values.iter();
                entries.any(|entry| value.path.starts_with(&entry.path) || value.slots.name.starts_with(&entry.path))
            };
            return match traced(&values.whole, &image.reference).iter().find(|value| !is_listed(value)) {
                Some(value) if !written_out => error.remedy(format!(
                    "install helm, or give its path with --helm FILE; or add {} to image_values",
                    value.entry()
                )),
                _ => error.remedy(
                    "list it under the application's images and set the appliance as a mirror; or install helm, or give its path with --helm FILE: what \
                     does not come out is not asked for",
                ),
            };
        }
        if text_with(&values.whole, &image.reference).is_some() {
            return error.remedy("list it under the application's images and set the appliance as a mirror");
        }
        error.remedy(
            "take it from the values, or list it under the application's images and set the appliance as a mirror",
        )
    }

    /// Says which images are not pinned by digest, unless the author wants it so.
    fn by_name(&self, answer: &mut Resolved) {
        for image in &answer.images {
            let asked = self.question.application.image_values.iter();
            let mut asked = asked
                .filter(|entry| entry.path == image.path)
                .filter_map(|entry| entry.pin);
            if image.form() == Form::Name && asked.next().is_none() {
                answer.warnings.push(format!(
                    "{}: the value {} is written by name and tag: a digest does not fit where the chart puts it; the appliance answers \
                     with the image of this release",
                    self.question.name,
                    show(&image.path)
                ));
            }
        }
    }

    /// Refuses what cannot be told without helm, unless the author vouches.
    fn untold(&self, answer: &mut Resolved) {
        let places: BTreeSet<&String> = self.before.untold.iter().chain(&self.after.untold).collect();
        let Some(first) = places.first() else { return };
        if self.question.application.images_complete {
            answer.report.way = ChartWay::Vouched { untold: places.len() };
            answer.warnings.push(format!(
                "{}: which images stand at {} cannot be told without helm (first: {first}): images_complete vouches for them",
                self.question.name,
                counted(places.len(), "place"),
            ));
            return;
        }
        for place in places {
            answer.problems.push(
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

    /// Refuses what helm cannot work out here and a site may, unless the author vouches.
    fn open(&self, answer: &mut Resolved) {
        let places: BTreeSet<&OpenPlace> = self.before.open.iter().chain(&self.after.open).collect();
        let Some(first) = places.first() else { return };
        if self.question.application.images_complete {
            if let ChartWay::Rendered { vouched, .. } = &mut answer.report.way {
                *vouched = places.len();
            }
            answer.warnings.push(format!(
                "{}: which images come out at {} only a site knows (first: {}, which depends on {}): images_complete vouches for them",
                self.question.name,
                counted(places.len(), "place"),
                first.place,
                said_of(&first.asks)
            ));
            return;
        }
        for OpenPlace { place, asks } in places {
            let found = format!("{place}: which image comes out there depends on {}", said_of(asks));
            let error = Error::new(Class::Content, "untold-image", found);
            let is_version = |ask: &Ask| matches!(ask, Ask::Version(_) | Ask::KubeVersion);
            let is_api = |ask: &Ask| matches!(ask, Ask::Api(_) | Ask::Apis);
            answer.problems.push(if asks.iter().all(is_version) {
                error.remedy(
                    "say kube_version, the version that its clusters have; or list every image under images, and say images_complete: true",
                )
            } else if asks.iter().all(is_api) {
                error.remedy(
                    "say api_versions, what its clusters have besides the APIs of kubernetes, [] for nothing; or list every image under \
                     images, and say images_complete: true",
                )
            } else {
                error.remedy("list every image under images, and say images_complete: true")
            });
        }
    }

    /// Says what looks like an image and is none of the bundle; refuses it where the author wants that.
    fn suspects(&self, answer: &mut Resolved) {
        let mut told = 0_usize;
        for suspect in &self.after.suspects {
            if self.is_listed(&suspect.reference) || self.carried.has(&suspect.reference) {
                continue;
            }
            told = told.saturating_add(1);
            if told > SUSPECTS {
                continue;
            }
            let is_sentence = suspect.reference.contains(' ');
            let found = if is_sentence {
                format!("{}: {}", suspect.place, suspect.reference)
            } else {
                format!(
                    "{}: {:?} looks like an image, and is none of the application's",
                    suspect.place, suspect.reference
                )
            };
            if !self.question.strict {
                answer.warnings.push(found);
                continue;
            }
            let error = Error::new(Class::Content, "suspected-image", found);
            answer.problems.push(if is_sentence {
                error.remedy("have the object name its images, where it can, or leave --strict out")
            } else {
                error.remedy("list it under the application's images, or leave --strict out")
            });
        }
        if told > SUSPECTS {
            answer.warnings.push(format!(
                "{}: {} more look like images, and are none of the application's",
                self.question.name,
                told.saturating_sub(SUSPECTS)
            ));
        }
    }
}
