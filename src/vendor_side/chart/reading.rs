//! What a chart comes to under a set of values, whoever worked it out: images, lines that could not be told, and what looks like more.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::asks::Ask;
use super::contents::Chart;
use super::partial::{Line, ReleaseWords, carry_out};
use super::suspect::{digits, digits_alone, suspects_in};
use super::written::{Said, images};
use crate::domain::SecretName;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Every image that something runs.
    pub(crate) images: Vec<Seen>,
    /// Places, as `FILE:LINE`, of which nobody can tell without helm which images they come to.
    pub(crate) untold: Vec<String>,
    /// Places that may come out otherwise at a site than helm has it here, and of which nobody can tell which images they come to.
    pub(crate) open: Vec<OpenPlace>,
    /// Texts elsewhere that look like images.
    pub(crate) suspects: Vec<Seen>,
    /// Digits of digests that stand where they are no part of a reference: labels and names are not that long.
    pub(crate) misplaced: BTreeSet<String>,
    /// Labels and names that kubernetes does not take.
    pub(crate) spoilt: BTreeSet<Spoilt>,
    /// Templates that put a secret where its value decides what it is, and the secret.
    pub(crate) unquoted: BTreeSet<(String, SecretName)>,
    /// Pods, and what they pull with.
    pub(crate) pods: BTreeSet<Pod>,
    /// Pull secrets of accounts, which pods under them have too.
    pub(crate) accounts: BTreeMap<String, BTreeSet<String>>,
}

/// A label or name that kubernetes does not take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spoilt {
    /// The same before and after values were rewritten.
    pub(crate) at: String,
    /// What messages call the place.
    pub(crate) place: String,
    /// What stands there.
    pub(crate) text: String,
}

/// A pod, or what makes pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pod {
    /// What messages call it.
    pub(crate) place: String,
    /// Names of its pull secrets, as they come out.
    pub(crate) pull_secrets: Vec<String>,
    /// The account that it runs under.
    pub(crate) account: String,
}

/// A place whose images depend on what only a site knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpenPlace {
    /// `FILE:LINE`.
    pub(crate) place: String,
    /// What it depends on.
    pub(crate) asks: BTreeSet<Ask>,
}

/// A reference somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What messages call the place.
    pub(crate) place: String,
    /// The same before and after values were rewritten.
    pub(crate) at: String,
    /// The reference as it stands there.
    pub(crate) reference: String,
}

/// Reads a chart without helm. `whole` are its values as templates see them; texts at paths for which `unused` holds are left out.
pub(crate) fn read(
    chart: &Chart,
    whole: &Value,
    release: ReleaseWords<'_>,
    unused: &dyn Fn(&[String]) -> bool,
) -> Reading {
    let mut reading = Reading::default();
    for template in &chart.templates {
        if template.place.ends_with("/NOTES.txt") {
            continue;
        }
        let outcome = carry_out(template, template.values_of(whole), release, None);
        reading.take(&template.place, &outcome.lines);
        // They may come out without the rest of their reference.
        for text in &outcome.looked_into {
            reading.misplaced.extend(digits(text));
        }
        let made = outcome.makes_images.iter();
        reading
            .untold
            .extend(made.map(|line| format!("{}:{line}", template.place)));
    }
    for file in &chart.crds {
        reading.take(&file.place, &objects_alone(&file.text));
    }
    // What it takes and refuses is known to helm alone.
    reading.untold.extend(chart.schemas.iter().cloned());
    // What templates may read and give out as it is.
    if chart.templates.iter().any(|template| template.text.contains(".Files")) {
        for file in &chart.files {
            reading.take(&file.place, &plain(&file.text));
        }
    }
    texts(whole, &mut Vec::new(), &mut |path, text| {
        if !unused(path) && (text.contains('\n') || text.contains("{{")) {
            reading.take(&format!("value {}", path.join(".")), &plain(text));
        }
    });
    reading
}

impl Reading {
    fn take(&mut self, place: &str, lines: &[Line]) {
        let found = images(lines);
        for (number, said) in &found {
            let place = format!("{place}:{number}");
            match said {
                Said::Image(reference) => self.images.push(Seen {
                    at: place.clone(),
                    place,
                    reference: reference.clone(),
                }),
                Said::Untold => self.untold.push(place),
            }
        }
        for line in lines {
            if found.iter().any(|(number, _)| *number == line.number) || line.text.trim_start().starts_with('#') {
                continue;
            }
            let place = format!("{place}:{}", line.number);
            self.misplaced.extend(digits_alone(&line.text));
            self.suspects.extend(suspects_in(&line.text).map(|reference| Seen {
                at: place.clone(),
                place: place.clone(),
                reference,
            }));
        }
    }
}

/// The lines of a file that nothing renders, without definitions of resources: those hold schemas, in which keys speak of images.
fn objects_alone(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut begin = 0_usize;
    let is_definition = |lines: &[Line]| {
        let kind = |line: &Line| {
            line.text.trim_end().trim_end_matches(',').replace(['"', '\'', ' '], "") == "kind:CustomResourceDefinition"
        };
        lines.iter().any(kind)
    };
    for (number, line) in (1..).zip(text.lines().chain(["---"])) {
        if line.starts_with("---") {
            if is_definition(found.get(begin..).unwrap_or_default()) {
                found.truncate(begin);
            }
            begin = found.len();
            continue;
        }
        found.push(Line {
            number,
            text: line.to_owned(),
            asks: BTreeSet::new(),
        });
    }
    found
}

/// The lines of a text that is no template.
pub(super) fn plain(text: &str) -> Vec<Line> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| Line {
            number,
            // Braces in it are for templates to work out.
            text: line.replace("{{", &super::partial::HOLE.to_string()),
            asks: BTreeSet::new(),
        })
        .collect()
}

impl Reading {
    /// Joins what was found in another way.
    pub(crate) fn add(&mut self, other: Self) {
        join(&mut self.images, other.images);
        join(&mut self.suspects, other.suspects);
        for place in other.untold {
            if !self.untold.contains(&place) {
                self.untold.push(place);
            }
        }
        self.open.extend(other.open);
        self.misplaced.extend(other.misplaced);
        self.spoilt.extend(other.spoilt);
        self.unquoted.extend(other.unquoted);
        self.pods.extend(other.pods);
        for (account, secrets) in other.accounts {
            self.accounts.entry(account).or_default().extend(secrets);
        }
    }

    /// Whether something at the same place was none that kubernetes takes.
    pub(crate) fn has_spoilt(&self, spoilt: &Spoilt) -> bool {
        self.spoilt.iter().any(|known| known.at == spoilt.at)
    }
}

/// Adds what is not there yet.
fn join(known: &mut Vec<Seen>, more: Vec<Seen>) {
    let mut seen: HashSet<(String, String)> = known
        .iter()
        .map(|seen| (seen.at.clone(), seen.reference.clone()))
        .collect();
    let new = more
        .into_iter()
        .filter(|one| seen.insert((one.at.clone(), one.reference.clone())));
    known.extend(new);
}

/// Visits every text of a tree.
pub(super) fn texts(value: &Value, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &str)) {
    let mut below = |key: String, value: &Value| {
        path.push(key);
        texts(value, path, visit);
        path.pop();
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key.clone(), value)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(number, value)| below(number.to_string(), value)),
        Value::String(text) => visit(path, text),
        _ => {}
    }
}
