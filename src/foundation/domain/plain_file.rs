//! How a plain file travels: an OCI artifact with one layer that is the file (SPEC, section 7). Whoever makes one and whoever writes one
//! out mean the same by it.

use super::{ParseNameError, RepositoryName, Scope};

/// The host under which files are stored: nobody's registry, and nobody's home.
pub const FILES_HOST: &str = "files.airlock.internal";
/// What the manifest of a file says that it is.
pub const FILE_ARTIFACT: &str = "application/vnd.airlock.file.v1";
/// The annotation of a layer that holds the name of its file.
pub const FILE_TITLE: &str = "org.opencontainers.image.title";
/// The annotation of a layer that says who may do what with its file: four octal digits.
pub const FILE_MODE: &str = "internal.airlock.file.mode";
/// Longest title: that of a file's name.
const TITLE_BYTES: usize = 255;
/// Longest part of a media type.
const TYPE_BYTES: usize = 127;

/// Returns the repository of a file of a scope. Trust domain, product and channel are in it, so that nobody can have the name of another's.
pub fn file_repository(scope: &Scope, name: &str) -> Result<RepositoryName, ParseNameError> {
    RepositoryName::under(FILES_HOST, &(folder(scope) + name))
}

/// Returns the name of a file in its scope by the repository that it is; nothing for the file of another scope.
pub fn file_name<'a>(scope: &Scope, repository: &'a RepositoryName) -> Option<&'a str> {
    repository.path().strip_prefix(&folder(scope))
}

/// Whether a release of a scope may name a repository: that of anything but another's plain file.
pub fn may_be_named(scope: &Scope, repository: &RepositoryName) -> bool {
    repository.host() != FILES_HOST || file_name(scope, repository).is_some()
}

fn folder(scope: &Scope) -> String {
    format!("{}/{scope}/", scope.domain)
}

/// Whether a text is the name of a file: no path, nothing that leads elsewhere.
pub fn is_file_title(text: &str) -> bool {
    (1..=TITLE_BYTES).contains(&text.len())
        && !text.contains(['/', '\\'])
        && !text.chars().any(char::is_control)
        && text != "."
        && text != ".."
}

/// Reads a mode as it travels; nothing for another form, and for more than read, write and execute.
pub fn file_mode(text: &str) -> Option<u32> {
    let is_octal = text.len() == 4 && text.bytes().all(|c| matches!(c, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok()?;
    (is_octal && mode <= 0o777).then_some(mode)
}

/// Whether a text has the form of a media type without parameters.
pub fn is_media_type(text: &str) -> bool {
    let is_word = |part: &str| {
        (1..=TYPE_BYTES).contains(&part.len())
            && part
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&c))
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| is_word(kind) && is_word(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_in_its_own_scope() {
        let scope = |digit: u8, product: &str| Scope {
            domain: crate::domain::Hash([digit; 32]),
            product: product.parse().unwrap(),
            channel: "stable".parse().unwrap(),
        };
        let own = scope(1, "crm");
        let repository = file_repository(&own, "manuals/press").unwrap();
        assert_eq!(
            repository.as_str(),
            format!("files.airlock.internal/{}/crm/stable/manuals/press", "01".repeat(32))
        );
        assert_eq!(file_name(&own, &repository), Some("manuals/press"));
        assert!(may_be_named(&own, &repository));
        for other in [scope(2, "crm"), scope(1, "erp")] {
            assert_eq!(file_name(&other, &repository), None);
            assert!(!may_be_named(&other, &repository));
        }
        // Without the domain it is nobody's.
        assert!(!may_be_named(
            &own,
            &"files.airlock.internal/crm/stable/press".parse().unwrap()
        ));
        assert!(may_be_named(&own, &"registry.test/crm/stable/press".parse().unwrap()));
    }

    #[test]
    fn titles_lead_nowhere() {
        for title in ["a", "Installation (EN).pdf", ".hidden", "..a", "größe", "-rf"] {
            assert!(is_file_title(title), "{title}");
        }
        let long = "x".repeat(256);
        for title in [
            "",
            ".",
            "..",
            "a/b",
            "../a",
            "/etc/passwd",
            "a\\b",
            "a\0",
            "a\nb",
            "a\u{85}b",
            &long,
        ] {
            assert!(!is_file_title(title), "{title:?}");
        }
    }

    #[test]
    fn modes_have_no_special_bits() {
        assert_eq!(
            ["0000", "0644", "0755", "0777"].map(file_mode),
            [Some(0), Some(0o644), Some(0o755), Some(0o777)]
        );
        for mode in ["", "644", "1755", "2755", "4755", "0888", "+644", "00644", "rwx "] {
            assert_eq!(file_mode(mode), None, "{mode}");
        }
    }

    #[test]
    fn media_types_are_two_words() {
        for text in ["application/pdf", "application/vnd.a.b+json", "a/b"] {
            assert!(is_media_type(text), "{text}");
        }
        for text in ["", "text", "/", "a/", "a/b/c", "a/b; c=d", "a/b\r\nx: y", "ä/b"] {
            assert!(!is_media_type(text), "{text:?}");
        }
    }
}
