//! Keys that speak of images, and texts that look like images where no key says so: arguments, environment, annotations, configuration.

use crate::collect::ImageReference;
use crate::invented_site::ADDRESSES;

/// Characters that end a word.
const BETWEEN: &[char] = &[
    ' ', '\t', '\n', '\r', '"', '\'', '`', '=', ',', ';', '(', ')', '[', ']', '{', '}', '|', '<', '>',
];

/// Keys under which images stand: of pods, and of custom resources.
pub(crate) fn is_image_key(key: &str) -> bool {
    let listed = [
        "image",
        "imageName",
        "imageRef",
        "imageUrl",
        "imageURL",
        "imageURI",
        "dockerImage",
        "containerImage",
    ];
    listed.contains(&key) || (key.ends_with("Image") && key.len() > "Image".len())
}

/// Returns the words of a text that name a registry, a repository and a tag or digest.
pub(crate) fn suspects_in(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(BETWEEN).filter_map(|word| {
        let word = word.trim_end_matches(['.', ':']);
        let name = word
            .strip_prefix("oci://")
            .or_else(|| word.strip_prefix("docker://"))
            .unwrap_or(word);
        looks_like_an_image(name).then(|| name.to_owned())
    })
}

/// Whether a word can hardly be anything else than an image: a host, a path, and a tag or digest.
fn looks_like_an_image(word: &str) -> bool {
    let Some((host, _)) = word.split_once('/') else {
        return false;
    };
    let (name, _) = host.split_once(':').unwrap_or((host, ""));
    let ends_as_hosts_do = name
        .rsplit_once('.')
        .is_some_and(|(_, last)| last.len() >= 2 && last.chars().all(|c| c.is_ascii_alphabetic()));
    (ends_as_hosts_do || name == "localhost")
        && word
            .parse::<ImageReference>()
            .is_ok_and(|reference| reference.host == host && (reference.tag.is_some() || reference.digest.is_some()))
}

/// Whether a value is a reference with a tag or digest, under a name that says so (`RELATED_IMAGE_DB`).
pub(crate) fn is_named_so(name: &str, value: &str) -> bool {
    name.to_ascii_lowercase().contains("image")
        && !value.starts_with("sha256:")
        && value
            .parse::<ImageReference>()
            .is_ok_and(|reference| reference.tag.is_some() || reference.digest.is_some())
}

/// Returns digits as long as those of a digest, in words that are no reference to the appliance.
pub(crate) fn digits_alone(text: &str) -> Vec<String> {
    text.split(BETWEEN)
        .filter(|word| !ADDRESSES.iter().any(|address| word.contains(address)))
        .flat_map(digits)
        .collect()
}

/// Returns digits as long as those of a digest, wherever they stand.
pub(crate) fn digits(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .filter(|run| run.len() == 64)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_references_are_suspected() {
        let found = |text: &str| suspects_in(text).collect::<Vec<_>>();
        assert_eq!(
            found("--config-reloader=quay.io/acme/reloader:v1"),
            ["quay.io/acme/reloader:v1"]
        );
        assert_eq!(found("[\"a\", \"ghcr.io/a/b@sha256:0\"]"), Vec::<String>::new());
        let digest = format!("ghcr.io/a/b@sha256:{}", "a".repeat(64));
        assert_eq!(found(&format!("x {digest}, y")), [digest]);
        assert_eq!(found("oci://ghcr.io/a/b:1"), ["ghcr.io/a/b:1"]);
        for text in [
            "https://quay.io/a/b:1",
            "monitoring.coreos.com/v1",
            "app.kubernetes.io/name: a",
            "10.0.0.1/a:1",
            "busybox:1.37",
            "a/b:1",
            "quay.io/a/b",
            "example.com:8080/a",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
        assert!(is_named_so("RELATED_IMAGE_DB", "acme/db:16") && !is_named_so("IMAGE_COUNT", "5"));
        assert!(!is_named_so("imageDigest", &format!("sha256:{}", "a".repeat(64))));
        let hex = "b".repeat(64);
        assert_eq!(digits_alone(&format!("version: \"{hex}\"")), std::slice::from_ref(&hex));
        assert!(digits_alone(&format!("x={}/a@sha256:{hex}", ADDRESSES[1])).is_empty());
        assert!(digits_alone(&format!("x=appliance.example/a@sha256:{hex}")).is_empty());
    }
}
