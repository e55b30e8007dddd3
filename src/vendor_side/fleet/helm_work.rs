//! A chart that is worked out again and again: with the images as they are, rewritten, and at sites of every kind.

use std::time::{Duration, Instant};

use super::helm_addresses::{OtherAddress, other_addresses};
use super::helm_branches::turned;
use super::helm_question::{Question, Resolved};
use crate::bundle::desired::{SecretSource, SecretUse};
use crate::chart::{Reading, elsewhere, read};
use crate::collect::ImageReference;
use crate::domain::{Class, Error, Result, SecretName};
use crate::invented_site::{InventedSite, LENGTHS};
use crate::rendering::{Difference, Helm, HelmChart, Rendering, Renderings};
use crate::values::{Target, Values, with_pull_secret};

/// Longest time that everything which is asked of one chart may take.
const TIME: Duration = Duration::from_secs(300);

/// What works a chart out.
pub(super) enum Reader<'a> {
    /// helm, under these circumstances.
    Helm(&'a Helm, Box<HelmChart<'a>>, Renderings),
    /// Nothing does: it is read as it stands.
    Static,
}

/// A chart that is being worked out.
pub(super) struct Work<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) reader: Reader<'a>,
    pub(super) sites: [InventedSite; 2],
    pub(super) began: Instant,
    pub(super) listed: Vec<ImageReference>,
    /// Where values name images that are listed too.
    pub(super) spare: Vec<Vec<String>>,
    /// What came out at the first site under the first circumstances, with the images as they are and rewritten.
    pub(super) texts: [String; 2],
    pub(super) answer: Resolved,
}

impl Work<'_> {
    /// Works the chart out as its author has it, and keeps to the circumstances under which that can be done: where it cannot be
    /// installed there is nothing to carry, and where only its upgrade fails here the open questions stay open.
    fn survey(&mut self) -> Result<Reading> {
        let Reader::Helm(_, chart, plan) = &mut self.reader else {
            return Ok(self.read_statically(&self.answer.values));
        };
        let own = &with_pull_secret(&self.answer.values.own, &self.question.pull_secret());
        // Without secrets they have the same values so far.
        let sites = self.sites.iter();
        let sites: Vec<_> = sites
            .take(if self.question.secrets.is_empty() { 1 } else { 2 })
            .collect();
        let at_all = |rendering: &Rendering| -> Result<(Reading, String)> {
            let (mut reading, mut first) = (Reading::default(), None);
            for site in &sites {
                in_time(self.question.name, self.began)?;
                let (more, text) = chart.read(own, site, rendering)?;
                reading.add(more);
                first.get_or_insert(text);
            }
            Ok((reading, first.unwrap_or_default()))
        };
        let mut all = plan.all.clone().into_iter();
        let mut reading = Reading::default();
        let mut kept = Vec::new();
        let [before, _] = &mut self.texts;
        if let Some(first) = all.next() {
            (reading, *before) = at_all(&first)?;
            kept.push(first);
        }
        for rendering in all {
            match at_all(&rendering) {
                Ok((more, _)) => {
                    reading.add(more);
                    kept.push(rendering);
                }
                Err(error) if error.found().contains("chart requires kubeVersion") => {}
                Err(error) if matches!(error.class(), Class::Content) => plan.failed(&rendering),
                Err(error) => return Err(error),
            }
        }
        plan.all = kept;
        reading.add(self.open(&self.answer.values));
        Ok(reading)
    }

    /// As [`Self::survey`], with the values of secrets that only people know as long as the chart wants them.
    pub(super) fn surveyed(&mut self) -> Result<Reading> {
        let first = match self.survey() {
            Err(error) if error.class() == Class::Content && self.unknown().next().is_some() => error,
            other => return other,
        };
        for length in LENGTHS.into_iter().skip(1) {
            self.sites = InventedSite::both(&self.question.secrets, length);
            match self.survey() {
                Ok(reading) => {
                    let unknown: Vec<String> = self.unknown().map(ToString::to_string).collect();
                    self.answer.warnings.push(format!(
                        "{}: not every value of {} will do: the chart takes one of {length} characters and refuses one of {}; tell those who \
                         enter it",
                        self.question.name,
                        unknown.join(", "),
                        LENGTHS[0]
                    ));
                    return Ok(reading);
                }
                Err(error) if error.class() == Class::Content => {}
                Err(error) => return Err(error),
            }
        }
        Err(first)
    }

    /// The secrets whose length nobody knows here.
    fn unknown(&self) -> impl Iterator<Item = &SecretName> {
        let secrets = self.question.secrets.iter();
        let is_made = |uses: &Vec<SecretUse>| uses.iter().any(|used| used.source == SecretSource::Generate);
        secrets.filter(move |(_, uses)| !is_made(uses)).map(|(name, _)| name)
    }

    pub(super) fn read(&mut self, values: &Values) -> Result<Reading> {
        let Reader::Helm(_, chart, plan) = &self.reader else {
            return Ok(self.read_statically(values));
        };
        let (mut reading, mut first) = (Reading::default(), None);
        let own = with_pull_secret(&values.own, &self.question.pull_secret());
        for rendering in &plan.all {
            for site in &self.sites {
                in_time(self.question.name, self.began)?;
                let (more, text) = chart.read(&own, site, rendering)?;
                reading.add(more);
                first.get_or_insert(text);
            }
        }
        reading.add(self.open(values));
        let [_, after] = &mut self.texts;
        *after = first.unwrap_or_default();
        Ok(reading)
    }

    /// Reads what no circumstances settle.
    fn open(&self, values: &Values) -> Reading {
        let Reader::Helm(_, _, plan) = &self.reader else {
            return Reading::default();
        };
        let question = self.question;
        let mut reading = Reading::default();
        for site in &self.sites {
            let whole = site.put_into(&values.whole);
            let found = elsewhere(&question.chart.chart, &whole, question.words(), &|ask| {
                question.says(ask) || plan.settled.contains(ask)
            });
            reading.add(Reading {
                images: found.images,
                open: found.open,
                ..Reading::default()
            });
        }
        reading
    }

    pub(super) fn read_statically(&self, values: &Values) -> Reading {
        let question = self.question;
        let unused = &question.application.unused_image_values;
        let left_out = |path: &[String]| unused.iter().any(|entry| path.starts_with(&entry.path));
        let mut reading = Reading::default();
        for site in &self.sites {
            let whole = site.put_into(&values.whole);
            reading.add(read(&question.chart.chart, &whole, question.words(), &left_out));
        }
        reading
    }

    /// Where something else than images comes out otherwise now.
    pub(super) fn turned(&self, targets: &[Target]) -> Result<Vec<Difference>> {
        let (Reader::Helm(_, chart, _), Some(first)) = (&self.reader, self.first()) else {
            return Ok(Vec::new());
        };
        let ([before, after], [site, _]) = (&self.texts, &self.sites);
        let own = with_pull_secret(&self.answer.values.own, &self.question.pull_secret());
        let again = || chart.read(&own, site, first).map(|(_, text)| text);
        turned((before, after), site, &self.answer.images, targets, again)
    }

    /// Says what the chart makes of addresses of other kinds.
    pub(super) fn at_other_addresses(&self, after: &Reading, targets: &[Target]) -> Result<Vec<OtherAddress>> {
        let (Reader::Helm(_, chart, _), Some(rendering)) = (&self.reader, self.first()) else {
            return Ok(Vec::new());
        };
        let own = self.answer.values.rewritten(&self.answer.images, targets);
        let own = with_pull_secret(&own, &self.question.pull_secret());
        let read = |values: &serde_json::Value, site: &InventedSite| {
            in_time(self.question.name, self.began)?;
            chart.read(values, site, rendering).map(|(reading, _)| reading)
        };
        other_addresses(&self.sites, &own, after, read)
    }

    /// The circumstances under which a chart is worked out first.
    fn first(&self) -> Option<&Rendering> {
        match &self.reader {
            Reader::Helm(_, _, plan) => plan.all.first(),
            Reader::Static => None,
        }
    }
}

/// Charts that ask for much are not worked out without end.
fn in_time(name: &str, began: Instant) -> Result<()> {
    if began.elapsed() <= TIME {
        return Ok(());
    }
    let found = format!("{name}: working the chart out takes longer than {} s", TIME.as_secs());
    Err(Error::new(Class::Limit, "time", found))
}
