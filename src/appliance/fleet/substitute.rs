//! Puts this appliance's address where documents say `registry.airlock.internal` (D9), and a deployment's name where compose files say
//! `project-airlock-internal`. Pure; the rest is not looked at.

use super::site_view::SiteView;
use crate::bundle::desired::{PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
use crate::domain::Uuid;

/// The placeholder as the address of a web server.
const SECURE: &str = "https://";

/// Returns the document as agents get it.
pub(in crate::appliance) fn substitute(document: &[u8], site: &SiteView) -> Vec<u8> {
    let placeholder = PLACEHOLDER_HOST.as_bytes();
    let mut out = Vec::with_capacity(document.len());
    let mut rest = document;
    while let Some(at) = find(rest, placeholder) {
        let (before, after) = rest.split_at(at);
        if let Some(before) = before.strip_suffix(SECURE.as_bytes()) {
            out.extend_from_slice(before);
            out.extend_from_slice(site.base().as_bytes());
        } else {
            out.extend_from_slice(before);
            out.extend_from_slice(site.address().as_bytes());
        }
        rest = after.get(placeholder.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// Returns a compose file as agents get it: with the name of the deployment's project or stack, which is the hub's, so that an agent
/// that changes over from the hub finds what runs already.
pub(in crate::appliance) fn substitute_compose(document: &[u8], deployment: Uuid, site: &SiteView) -> Vec<u8> {
    let id: String = deployment.to_string().chars().take(8).collect();
    let name = format!("distr-{id}");
    let placeholder = PLACEHOLDER_PROJECT.as_bytes();
    let document = substitute(document, site);
    let mut out = Vec::with_capacity(document.len());
    let mut rest = document.as_slice();
    while let Some(at) = find(rest, placeholder) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(name.as_bytes());
        rest = after.get(placeholder.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    loop {
        from += bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(from..)?.starts_with(part) {
            return Some(from);
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_gets_the_address_and_nothing_else_changes() {
        let secure = SiteView::new("a.example:5443", true, "5s", None).unwrap();
        let plain = SiteView::new("127.0.0.1:5000", false, "5s", None).unwrap();
        for (document, https, http) in [
            (
                "image: \"registry.airlock.internal/docker.io/library/x@sha256:1\"",
                "image: \"a.example:5443/docker.io/library/x@sha256:1\"",
                "image: \"127.0.0.1:5000/docker.io/library/x@sha256:1\"",
            ),
            (
                "https://registry.airlock.internal/charts oci://registry.airlock.internal/x",
                "https://a.example:5443/charts oci://a.example:5443/x",
                "http://127.0.0.1:5000/charts oci://127.0.0.1:5000/x",
            ),
            (
                "registry.airlock.internalregistry.airlock.internal",
                "a.example:5443a.example:5443",
                "127.0.0.1:5000127.0.0.1:5000",
            ),
            ("", "", ""),
            (
                "registry.airlock.interna",
                "registry.airlock.interna",
                "registry.airlock.interna",
            ),
            ("rregistry.airlock.internal", "ra.example:5443", "r127.0.0.1:5000"),
        ] {
            assert_eq!(substitute(document.as_bytes(), &secure), https.as_bytes());
            assert_eq!(substitute(document.as_bytes(), &plain), http.as_bytes());
        }
        assert_eq!(substitute(b"\xff\x00r", &plain), b"\xff\x00r");
        let id = "7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b".parse().unwrap();
        assert_eq!(
            substitute_compose(
                b"name: \"project-airlock-internal\"\nx: registry.airlock.internal/y\n",
                id,
                &secure
            ),
            b"name: \"distr-7b1c0a52\"\nx: a.example:5443/y\n"
        );
    }
}
