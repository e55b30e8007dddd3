//! Templates that decide by an image: where its reference is another one, something else comes out.

use super::helm_question::Question;
use crate::collect::ImageReference;
use crate::invented_site::InventedSite;
use crate::rendering::{Difference, differences};
use crate::values::{ImageUse, Target};

/// Digits of a digest that nothing else has.
const DIGITS: usize = 12;
/// Characters of a tag that stand for it within a word.
const TAG: usize = 4;

/// Returns where a chart comes out otherwise with its images rewritten, beyond the images themselves. `again` works it out once more as
/// it was: what differs then too is made by chance.
///
/// # Errors
///
/// Those of `again`.
pub(super) fn turned<E>(
    (before, after): (&str, &str),
    site: &InventedSite,
    images: &[ImageUse],
    targets: &[Target],
    again: impl FnOnce() -> Result<String, E>,
) -> Result<Vec<Difference>, E> {
    let words = Words::new(site, images, targets);
    let mut found = differences(before, after, &|was, is| words.explain(was, is));
    if !found.is_empty() {
        let by_chance = differences(before, &again()?, &|_, _| false);
        found.retain(|one| {
            !by_chance
                .iter()
                .any(|other| (&other.source, &other.at) == (&one.source, &one.at))
        });
    }
    Ok(found)
}

/// Returns which images a template that decides so may look at: those that it names, else all.
pub(super) fn looked_at(question: &Question<'_>, turned: &[Difference], images: &[ImageUse]) -> Vec<usize> {
    let templates = &question.chart.chart.templates;
    let names = |image: &ImageUse| {
        let path = image.path.join(".");
        let mut sources = turned.iter().map(|one| &one.source);
        sources.any(|source| {
            let mut of_source = templates.iter().filter(|template| template.source == *source);
            of_source.any(|template| template.text.contains(&path))
        })
    };
    let named: Vec<usize> = (0..)
        .zip(images)
        .filter(|(_, image)| names(image))
        .map(|(number, _)| number)
        .collect();
    if named.is_empty() {
        (0..images.len()).collect()
    } else {
        named
    }
}

/// Says what comes out otherwise.
pub(super) fn warning(question: &Question<'_>, one: &Difference) -> String {
    let mut templates = question.chart.chart.templates.iter();
    let template = templates.find(|template| template.source == one.source);
    let place = template.map_or(&one.source, |template| &template.place);
    let at = if one.at.is_empty() {
        String::new()
    } else {
        format!(": {}", one.at)
    };
    format!(
        "{place}{at}: {:?} comes out and not {:?} when the images are rewritten to an appliance: the template decides by the reference of an \
         image; have it decide by a value of its own",
        one.is, one.was
    )
}

/// What images are called before and after they are rewritten.
struct Words {
    before: Vec<String>,
    tags: Vec<String>,
    after: Vec<String>,
}

impl Words {
    fn new(site: &InventedSite, images: &[ImageUse], targets: &[Target]) -> Self {
        let (mut before, mut tags) = (Vec::new(), Vec::new());
        for image in images {
            before.push(image.reference.clone());
            if let Ok(reference) = image.reference.parse::<ImageReference>() {
                before.push(reference.path);
                tags.extend(reference.tag.map(|tag| tag.to_string()));
                before.extend(reference.digest.map(|digest| digest.0.to_string()));
            }
        }
        let mut after = vec![site.address.to_owned(), site.name().to_owned()];
        for target in targets {
            let digits: String = target.digest.0.to_string().chars().take(DIGITS).collect();
            after.push(digits);
        }
        Self { before, tags, after }
    }

    /// Whether a part of an image stands in one of two lines.
    fn explain(&self, was: &str, is: &str) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
        let has_tag = |tag: &String| {
            (tag.len() >= TAG && was.contains(tag.as_str())) || was.split(|c| !is_part(c)).any(|word| word == tag)
        };
        self.before.iter().any(|word| was.contains(word.as_str()))
            || self.tags.iter().any(has_tag)
            || self.after.iter().any(|word| is.contains(word.as_str()))
    }
}
