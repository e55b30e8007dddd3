//! What helm cannot work out here and a site may make of a chart all the same: branches that depend on what stands in a cluster, on its
//! version and APIs, on the age of a release, on chance.
//!
//! Images in them that follow from the values are told; the others are places of which nobody can tell.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::asks::{Ask, Asking, asks_in, may_ask};
use super::contents::Chart;
use super::partial::{Beside, Outcome, ReleaseWords, carry_out};
use super::reading::{OpenPlace, Seen, texts};
use super::template::Template;
use super::written::{Said, images};

/// What may come out elsewhere.
#[derive(Debug, Default)]
pub(in super::super) struct Elsewhere {
    /// Images that can be told.
    pub(in super::super) images: Vec<Seen>,
    /// Places whose images cannot.
    pub(in super::super) open: Vec<OpenPlace>,
    /// The questions that decide on either.
    pub(in super::super) asks: BTreeSet<Ask>,
    /// Every question that the chart asks, whatever for.
    pub(in super::super) asked: BTreeSet<Ask>,
}

/// Reads the branches of a chart that questions decide which are not `settled`. `whole` are its values as templates see them.
pub(in super::super) fn elsewhere(
    chart: &Chart,
    whole: &Value,
    release: ReleaseWords<'_>,
    settled: &dyn Fn(&Ask) -> bool,
) -> Elsewhere {
    let mut found = Elsewhere::default();
    let mut made = Vec::new();
    texts(whole, &mut Vec::new(), &mut |path, text| {
        if text.contains("{{") && may_ask(text) {
            made.push((path.join("."), text.to_owned()));
        }
    });
    let is_asking = |template: &Template| may_ask(&template.text);
    if made.is_empty() && !chart.templates.iter().any(is_asking) {
        return found;
    }
    let values: Vec<String> = made.iter().map(|(_, text)| text.clone()).collect();
    let asking = Asking::new(&chart.templates, &values);
    let beside = Beside {
        asking: &asking,
        settled,
    };
    for template in chart
        .templates
        .iter()
        .filter(|template| !template.place.ends_with("/NOTES.txt"))
    {
        if may_ask(&template.text) {
            found.asked.extend(asks_in(&template.text));
        }
        let outcome = carry_out(template, template.values_of(whole), release, Some(&beside));
        found.take(&template.place, &outcome);
    }
    // A text that is a template comes out wherever one of the chart puts it.
    for (path, text) in made {
        found.asked.extend(asks_in(&text));
        let Some(like) = chart.templates.first() else { continue };
        let place = format!("value {path}");
        let template = Template {
            place: place.clone(),
            values: Vec::new(),
            text,
            ..like.clone()
        };
        let outcome = carry_out(&template, whole.clone(), release, Some(&beside));
        found.take(&place, &outcome);
    }
    found
}

impl Elsewhere {
    fn take(&mut self, place: &str, outcome: &Outcome) {
        let mut asks: BTreeMap<u64, BTreeSet<Ask>> = BTreeMap::new();
        for line in outcome.lines.iter().filter(|line| !line.asks.is_empty()) {
            asks.entry(line.number).or_default().extend(line.asks.iter().cloned());
        }
        let mut open: BTreeMap<u64, BTreeSet<Ask>> = BTreeMap::new();
        for (line, asks) in &outcome.open {
            open.entry(*line).or_default().extend(asks.iter().cloned());
        }
        if asks.is_empty() && open.is_empty() {
            return;
        }
        for (line, said) in images(&outcome.lines) {
            let Some(asks) = asks.get(&line) else { continue };
            match said {
                Said::Image(reference) => {
                    self.asks.extend(asks.iter().cloned());
                    self.images.push(Seen {
                        at: format!("elsewhere {place}:{line}"),
                        place: format!("{place}:{line}, which depends on {}", said_of(asks)),
                        reference,
                    });
                }
                Said::Untold => open.entry(line).or_default().extend(asks.iter().cloned()),
            }
        }
        for (line, asks) in open {
            self.asks.extend(asks.iter().cloned());
            self.open.push(OpenPlace {
                place: format!("{place}:{line}"),
                asks,
            });
        }
    }
}

/// Returns questions as words.
pub(in super::super) fn said_of(asks: &BTreeSet<Ask>) -> String {
    let mut words: Vec<String> = asks.iter().map(ToString::to_string).collect();
    words.dedup();
    words.join(", and ")
}
