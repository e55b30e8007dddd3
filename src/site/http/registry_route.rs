//! What a `/v2/` path asks for: a pure function from the raw path to typed values (threat model R01).
//!
//! The path is taken as it stands on the wire. No name, tag or digest has a character that needs percent-encoding, so a path
//! with `%` asks for nothing that exists; there is no decoding, and therefore none that happens twice.

use crate::appliance::registry::Reference;
use crate::domain::Digest;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalogue,
    /// `/v2/<name>/manifests/<reference>`
    Manifest(String, Reference),
    /// `/v2/<name>/blobs/<digest>`
    Blob(String, Digest),
    /// `/v2/<name>/tags/list`
    Tags(String),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(String, Digest),
}

/// Why a path asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// 404: no such endpoint.
    Unknown,
    /// 400 `NAME_INVALID`.
    Name,
    /// 400 `DIGEST_INVALID`.
    Digest,
    /// 404 `MANIFEST_UNKNOWN`: a text that is no tag names no manifest.
    Tag,
}

/// Longest name of a repository (OCI distribution-spec: 255 with the host).
const NAME_BYTES: usize = 255;

/// Reads the raw path of a request.
pub(super) fn parse(path: &str) -> Result<Route, NoRoute> {
    let rest = match path.strip_prefix("/v2") {
        Some("" | "/") => return Ok(Route::Base),
        Some(rest) => rest.strip_prefix('/').ok_or(NoRoute::Unknown)?,
        None => return Err(NoRoute::Unknown),
    };
    if rest == "_catalog" {
        return Ok(Route::Catalogue);
    }
    // From the end, because a name may hold any of these words as a segment.
    let (front, last) = rest.rsplit_once('/').ok_or(NoRoute::Unknown)?;
    let (name, kind) = front.rsplit_once('/').ok_or(NoRoute::Unknown)?;
    match (kind, last) {
        ("tags", "list") => Ok(Route::Tags(check_name(name)?)),
        ("manifests", reference) => {
            let name = check_name(name)?;
            let reference = if reference.contains([':', '%']) {
                Reference::Digest(reference.parse().map_err(|_| NoRoute::Digest)?)
            } else {
                Reference::Tag(reference.parse().map_err(|_| NoRoute::Tag)?)
            };
            Ok(Route::Manifest(name, reference))
        }
        ("blobs", digest) => Ok(Route::Blob(
            check_name(name)?,
            digest.parse().map_err(|_| NoRoute::Digest)?,
        )),
        ("referrers", digest) => Ok(Route::Referrers(
            check_name(name)?,
            digest.parse().map_err(|_| NoRoute::Digest)?,
        )),
        _ => Err(NoRoute::Unknown),
    }
}

/// Refuses what no repository can be called; the whole grammar, with or without host, is checked where names are resolved.
fn check_name(name: &str) -> Result<String, NoRoute> {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-/:".contains(&c);
    if name.len() <= NAME_BYTES && name.bytes().all(fits) && name.split('/').all(|part| !part.is_empty()) {
        Ok(name.to_owned())
    } else {
        Err(NoRoute::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn paths_that_ask_for_something() {
        let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
        for (path, expected) in [
            ("/v2".to_owned(), Route::Base),
            ("/v2/".into(), Route::Base),
            ("/v2/_catalog".into(), Route::Catalogue),
            (
                "/v2/a/manifests/v1".into(),
                Route::Manifest("a".into(), Reference::Tag("v1".parse().unwrap())),
            ),
            (
                format!("/v2/docker.io/library/a/manifests/sha256:{HEX}"),
                Route::Manifest("docker.io/library/a".into(), Reference::Digest(digest)),
            ),
            (
                format!("/v2/localhost:5000/a/blobs/sha256:{HEX}"),
                Route::Blob("localhost:5000/a".into(), digest),
            ),
            ("/v2/a/b/tags/list".into(), Route::Tags("a/b".into())),
            ("/v2/tags/list/tags/list".into(), Route::Tags("tags/list".into())),
            (
                "/v2/manifests/manifests/manifests".into(),
                Route::Manifest("manifests".into(), Reference::Tag("manifests".parse().unwrap())),
            ),
            (
                format!("/v2/a/referrers/sha256:{HEX}"),
                Route::Referrers("a".into(), digest),
            ),
        ] {
            assert_eq!(parse(&path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_ask_for_nothing() {
        let long = format!("/v2/{}/tags/list", "x".repeat(256));
        let upper = format!("/v2/a/blobs/sha256:{}", HEX.to_uppercase());
        for (path, expected) in [
            ("", NoRoute::Unknown),
            ("/", NoRoute::Unknown),
            ("/v3/", NoRoute::Unknown),
            ("/v2x", NoRoute::Unknown),
            ("/v2//", NoRoute::Unknown),
            ("/v2/../", NoRoute::Unknown),
            ("/v2/a", NoRoute::Unknown),
            ("/v2/_catalog/", NoRoute::Unknown),
            ("/v2/a/tags/list/", NoRoute::Unknown),
            ("/v2/a/blobs/uploads/", NoRoute::Unknown),
            ("/v2//tags/list", NoRoute::Name),
            ("/v2/a//b/tags/list", NoRoute::Name),
            ("/v2/a/%2e%2e/b/tags/list", NoRoute::Name),
            ("/v2/a%2fb/tags/list", NoRoute::Name),
            ("/v2/%252e%252e/tags/list", NoRoute::Name),
            ("/v2/a\\b/tags/list", NoRoute::Name),
            ("/v2/a\0/tags/list", NoRoute::Name),
            ("/v2/A/tags/list", NoRoute::Name),
            (&long, NoRoute::Name),
            ("/v2/a/manifests/", NoRoute::Tag),
            ("/v2/a/manifests/..", NoRoute::Tag),
            ("/v2/a/manifests/.hidden", NoRoute::Tag),
            ("/v2/a/manifests/v1/x", NoRoute::Unknown),
            ("/v2/a/manifests/sha256:..", NoRoute::Digest),
            ("/v2/a/manifests/sha256%3Aab", NoRoute::Digest),
            ("/v2/a/blobs/sha256:../../x", NoRoute::Unknown),
            ("/v2/a/blobs/v1", NoRoute::Digest),
            ("/v2/a/blobs/sha512:ab", NoRoute::Digest),
            (&upper, NoRoute::Digest),
            ("/v2/a/referrers/x", NoRoute::Digest),
        ] {
            assert_eq!(parse(path), Err(expected), "{path}");
        }
    }
}
