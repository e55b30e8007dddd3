//! Puts this appliance's address where documents say `registry.airlock.internal` (D9). Pure; the rest is not looked at.

use super::site_view::SiteView;
use crate::bundle::desired::PLACEHOLDER_HOST;

/// The placeholder as the address of a web server.
const SECURE: &str = "https://";

/// Returns the document as agents get it.
pub(super) fn substitute(document: &[u8], site: &SiteView) -> Vec<u8> {
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
    }
}
