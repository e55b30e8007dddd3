//! Finds images that are written into templates, where no value can change them.

/// An image that a template names by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct WrittenImage {
    /// Where, as `FILE:LINE`.
    pub(in super::super) place: String,
    /// The reference as it stands there.
    pub(in super::super) reference: String,
}

/// Returns the lines of a template that say `image:` and a text without template braces.
pub(super) fn written_images(file: &str, text: &str) -> Vec<WrittenImage> {
    (1..)
        .zip(text.lines())
        .filter_map(|(number, line): (u64, &str)| {
            let rest = line.trim_start().trim_start_matches("- ").trim_start();
            let value = rest
                .strip_prefix("image:")
                .or_else(|| rest.strip_prefix("\"image\":"))?;
            let value = value.split(" #").next().unwrap_or_default().trim();
            let value = value.trim_matches(['"', '\'', ',']);
            let names_nothing = value.is_empty() || value.starts_with(['#', '{', '|', '>', '&', '*']);
            (!names_nothing && !value.contains("{{") && !value.contains(char::is_whitespace)).then(|| WrittenImage {
                place: format!("{file}:{number}"),
                reference: value.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_without_braces_name_an_image() {
        let text = "image: {{ .Values.image }}\n  - image: \"docker.io/a:1\"  # why\nimage:\n  repository: x\n\
                    # image: b\nimage: 'c' \nimagePullPolicy: Always\nimage: \"{{ .Values.a }}:{{ .Values.b }}\"\n";
        let found = written_images("erp/templates/a.yaml", text);
        let found: Vec<_> = found
            .iter()
            .map(|image| (image.place.as_str(), image.reference.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("erp/templates/a.yaml:2", "docker.io/a:1"),
                ("erp/templates/a.yaml:6", "c")
            ]
        );
    }
}
