//! Images in the lines that a template comes to: those that can be told, and lines that speak of one that cannot.

use super::partial::{HOLE, Line};
use super::suspect::is_image_key;

/// What a line says of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// This is one.
    Image(String),
    /// There is one, and which cannot be told without helm.
    Untold,
}

/// Returns what lines say of images, each with its number.
pub(super) fn images(lines: &[Line]) -> Vec<(u64, Said)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let text = line.text.trim_start();
        if text.starts_with('#') {
            continue;
        }
        for (key, value, in_flow) in pairs(text) {
            let below = lines.get(at.saturating_add(1)).map_or("", |next| next.text.as_str());
            if is_image_key(key) {
                let inner = |text: &str| text.len().saturating_sub(text.trim_start().len());
                let nested = inner(below) > inner(&line.text);
                if let Some(said) = value_of(value, in_flow, nested.then_some(below)) {
                    found.push((line.number, said));
                }
            } else if matches!(key, "containers" | "initContainers" | "ephemeralContainers")
                && value.contains(HOLE)
                && !in_flow
            {
                found.push((line.number, Said::Untold));
            }
        }
    }
    found
}

/// Returns keys and what follows them on a line, and whether that is within braces.
fn pairs(text: &str) -> Vec<(&str, &str, bool)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(':') {
        let behind = text.get(at.saturating_add(1)..).unwrap_or_default();
        let before = text.get(..at).unwrap_or_default().trim_end();
        // As in JSON, a key in quotes needs no space behind it.
        if !behind.is_empty() && !behind.starts_with(char::is_whitespace) && !before.ends_with('"') {
            continue;
        }
        let quoted = before.strip_suffix(['"', '\'']);
        let before = quoted.unwrap_or(before);
        let begin = before
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)))
            .map_or(0, |at| {
                at.saturating_add(
                    before
                        .get(at..)
                        .and_then(|rest| rest.chars().next())
                        .map_or(1, char::len_utf8),
                )
            });
        let key = before.get(begin..).unwrap_or_default();
        let outside = before
            .get(..begin)
            .unwrap_or_default()
            .trim_end_matches(['"', '\''])
            .trim_end();
        let starts = outside.is_empty() || outside.chars().all(|c| "- ".contains(c));
        let in_flow = outside.ends_with(['{', ',', '[']);
        if (starts || in_flow) && !key.is_empty() {
            found.push((key, behind.trim_start(), in_flow));
        }
    }
    found
}

/// What a value says; nothing when it names no image, as a mapping of something else does.
fn value_of(value: &str, in_flow: bool, below: Option<&str>) -> Option<Said> {
    let value = if value.starts_with('#') { "" } else { value };
    let value = value.split(" #").next().unwrap_or_default().trim();
    if value.is_empty() {
        // A mapping, or a text on lines of its own.
        let below = below?.trim_start();
        let parts = ["repository:", "name:", "reference:", "registry:"];
        let holds = parts.iter().any(|part| below.starts_with(part)) || below.starts_with(HOLE);
        return holds.then_some(Said::Untold);
    }
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let text = match quote {
        Some(quote) => value.get(1..)?.split(quote).next()?,
        None if in_flow => value.split([',', '}', ']']).next()?.trim_end(),
        None => value,
    };
    // A mapping within braces is read at its own keys, and so is what a schema says.
    if quote.is_none() && value.starts_with('{') {
        let in_parts = ["repository:", "registry:", "reference:"]
            .iter()
            .any(|part| value.contains(part));
        return Some(Said::Untold).filter(|_| value.contains(HOLE) || in_parts);
    }
    if text.is_empty() {
        return None;
    }
    let strange = quote.is_none() && text.starts_with(['|', '>', '&', '*', '[']);
    if text.contains(HOLE) || strange || text.contains(char::is_whitespace) {
        return Some(Said::Untold);
    }
    Some(Said::Image(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<(u64, Said)> {
        let lines: Vec<Line> = (1..)
            .zip(text.lines())
            .map(|(number, text)| Line {
                number,
                text: text.replace('?', &HOLE.to_string()),
                asks: std::collections::BTreeSet::new(),
            })
            .collect();
        images(&lines)
    }

    #[test]
    fn images_are_found_in_every_way_of_writing_a_mapping() {
        let image = |text: &str| Said::Image(text.to_owned());
        for (text, expected) in [
            ("image: a:1", vec![(1, image("a:1"))]),
            ("  - image: \"docker.io/a:1\"  # why", vec![(1, image("docker.io/a:1"))]),
            ("- {name: a, image: 'b:1'}", vec![(1, image("b:1"))]),
            ("containers: [{name: a, image: b:1}]", vec![(1, image("b:1"))]),
            ("\"image\": \"c\",", vec![(1, image("c"))]),
            ("{\"name\":\"a\",\"image\":\"b:1\"}", vec![(1, image("b:1"))]),
            ("imageName: x/y:16", vec![(1, image("x/y:16"))]),
            ("sidecarImage: x/y:16", vec![(1, image("x/y:16"))]),
            ("image: ?", vec![(1, Said::Untold)]),
            ("image: a?b", vec![(1, Said::Untold)]),
            ("image: >-\n  a", vec![(1, Said::Untold)]),
            ("image: *ref", vec![(1, Said::Untold)]),
            ("image:\n  repository: a", vec![(1, Said::Untold)]),
            ("image: {repository: a, tag: b}", vec![(1, Said::Untold)]),
            ("image: {pullPolicy: Always}", vec![]),
            ("containers: ?", vec![(1, Said::Untold)]),
            ("containers:\n  ?", vec![]),
            ("# image: a", vec![]),
            ("imagePullPolicy: Always\nimagePullSecrets:\n- name: x", vec![]),
            ("image:\nother: a", vec![]),
            ("image: # none\n  type: string", vec![]),
            ("image: \"\"", vec![]),
            ("url: https://a/image:1", vec![]),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }
}
