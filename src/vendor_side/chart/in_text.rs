//! What a text says of images to whoever reads it at a site: a pod in a config map, values for a controller, what an operator fills in.

use super::partial::HOLE;
use super::reading::plain;
use super::written::{Said, images};

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InText {
    /// This is one.
    Image(String),
    /// There is one in several values.
    Parts,
    /// There is one, and whoever reads the text puts it together.
    Made,
}

/// Returns what a text says, each thing once.
pub(crate) fn images_in_text(text: &str) -> Vec<InText> {
    if !text.contains("mage") {
        return Vec::new();
    }
    let lines = plain(text);
    let said = images(&lines).into_iter().map(|(number, said)| match said {
        Said::Image(reference) => InText::Image(reference),
        Said::Untold => {
            let line = lines.iter().find(|line| line.number == number);
            if line.is_some_and(|line| line.text.contains(HOLE)) {
                InText::Made
            } else {
                InText::Parts
            }
        }
    });
    let mut said: Vec<InText> = said.collect();
    said.sort();
    said.dedup();
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_speak_of_images_as_templates_do() {
        for (text, said) in [
            (
                "spec:\n  containers:\n    - image: acme/hidden:1\n",
                vec![InText::Image("acme/hidden:1".to_owned())],
            ),
            (
                "{\"global\": {\"proxy\": {\"image\": \"proxyv2\"}}}",
                vec![InText::Image("proxyv2".to_owned())],
            ),
            ("image:\n  repository: acme/x\n  tag: 1\n", vec![InText::Parts]),
            ("image: \"{{ .Values.global.hub }}/proxy\"\n", vec![InText::Made]),
            ("# image: a\nan image: of something\n", vec![]),
        ] {
            assert_eq!(images_in_text(text), said, "{text}");
        }
    }
}
