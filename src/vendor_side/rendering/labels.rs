//! What Kubernetes takes as labels and as names of objects.

/// Most characters of a label, and of a name within one.
const LABEL: usize = 63;
/// Most characters of a name of an object.
const NAME: usize = 253;

/// Whether a text may be the value of a label.
pub(super) fn is_label(text: &str) -> bool {
    text.is_empty()
        || (text.len() <= LABEL && is_part(text, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)))
}

/// Whether a text may be the key of a label: a name, perhaps behind a domain.
pub(super) fn is_label_key(text: &str) -> bool {
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    domain.is_none_or(is_name) && !name.is_empty() && is_label(name)
}

/// Whether a text may be the name of an object.
pub(super) fn is_name(text: &str) -> bool {
    let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !text.is_empty() && text.len() <= NAME && is_part(text, is_lower)
}

/// Whether all bytes are of a kind, and the first and last are letters or digits.
fn is_part(text: &str, is_of_it: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().into_iter().chain(bytes.last());
    ends.into_iter().all(u8::is_ascii_alphanumeric) && bytes.iter().all(|byte| is_of_it(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_names_are_judged_as_kubernetes_does() {
        for text in ["", "a", "1.2.3", "A_b-c.d", &"x".repeat(63)] {
            assert!(is_label(text), "{text}");
        }
        for text in ["a@b", "a:b", "a/b", "-a", "a-", "_", "a b", &"x".repeat(64)] {
            assert!(!is_label(text), "{text}");
        }
        assert!(is_label_key("app.kubernetes.io/name") && is_label_key("name"));
        assert!(!is_label_key("a/b/c") && !is_label_key("a/") && !is_label_key("A_b/c"));
        assert!(is_name("a.b-1") && !is_name("A") && !is_name("a_b") && !is_name("a@b") && !is_name(""));
    }
}
