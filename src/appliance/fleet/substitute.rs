//! Puts this appliance's address where documents say `registry.airlock.internal` (D9), and a deployment's name where compose files say
//! `project-airlock-internal`: piece by piece, so that nobody needs a whole document in memory. Pure; the rest is not looked at.

use super::site_view::SiteView;
use crate::bundle::desired::{PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
use crate::domain::Uuid;

/// What stands in documents, and what agents get in its place.
#[derive(Debug, Clone)]
pub(in crate::appliance) struct Substitution {
    /// Where one begins like another, the longer one comes first.
    places: Vec<(String, String)>,
}

impl Substitution {
    /// For any document: the address of this appliance, and where the document says `https://`, the way it is reached.
    pub(in crate::appliance) fn of_site(site: &SiteView) -> Self {
        Self {
            places: vec![
                (format!("https://{PLACEHOLDER_HOST}"), site.base()),
                (PLACEHOLDER_HOST.to_owned(), site.address().to_owned()),
            ],
        }
    }

    /// For a compose file: also the name of the deployment's project or stack, which is the hub's, so that an agent that changes over from
    /// the hub finds what runs already.
    pub(in crate::appliance) fn of_compose(site: &SiteView, deployment: Uuid) -> Self {
        let mut substitution = Self::of_site(site);
        let id: String = deployment.to_string().chars().take(8).collect();
        substitution
            .places
            .push((PLACEHOLDER_PROJECT.to_owned(), format!("distr-{id}")));
        substitution
    }

    /// Returns how many times as long as a document what is made of it may be.
    pub(in crate::appliance) fn growth(&self) -> usize {
        let of = |(place, value): &(String, String)| value.len().div_ceil(place.len().max(1));
        self.places.iter().map(of).max().unwrap_or(1).max(1)
    }

    /// Adds a part of a document, as agents get it, to `out`, and returns how much of the part that was. Unless it is the `last` one, what
    /// may be the beginning of a place is left for the next part, which starts with it.
    pub(in crate::appliance) fn apply(&self, part: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let longest = self.places.iter().map(|(place, _)| place.len()).max().unwrap_or(0);
        let end = if last {
            part.len()
        } else {
            part.len().saturating_sub(longest.saturating_sub(1))
        };
        let (mut at, mut plain) = (0, 0);
        while at < end {
            let rest = part.get(at..).unwrap_or_default();
            let stands_here = |(place, _): &&(String, String)| {
                place.as_bytes().first() == rest.first() && rest.starts_with(place.as_bytes())
            };
            let found = self.places.iter().find(stands_here);
            if let Some((place, value)) = found {
                out.extend_from_slice(part.get(plain..at).unwrap_or_default());
                out.extend_from_slice(value.as_bytes());
                at = at.saturating_add(place.len());
                plain = at;
            } else {
                at = at.saturating_add(1);
            }
        }
        out.extend_from_slice(part.get(plain..at).unwrap_or_default());
        at
    }

    /// Returns a whole document as agents get it.
    pub(in crate::appliance) fn whole(&self, document: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(document.len());
        self.apply(document, true, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies it to a whole document, and to the same in parts of every length, which must come to the same.
    fn everyway(substitution: &Substitution, document: &[u8]) -> Vec<u8> {
        let whole = substitution.whole(document);
        assert!(whole.len() <= document.len() * substitution.growth());
        for length in 40..=document.len().max(40) + 1 {
            let (mut out, mut at) = (Vec::new(), 0);
            while at < document.len() {
                let end = document.len().min(at + length);
                at += substitution.apply(&document[at..end], end == document.len(), &mut out);
            }
            assert_eq!(out, whole, "in parts of {length}");
        }
        whole
    }

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
            assert_eq!(
                everyway(&Substitution::of_site(&secure), document.as_bytes()),
                https.as_bytes()
            );
            assert_eq!(
                everyway(&Substitution::of_site(&plain), document.as_bytes()),
                http.as_bytes()
            );
        }
        assert_eq!(everyway(&Substitution::of_site(&plain), b"\xff\x00r"), b"\xff\x00r");
        let id = "7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b".parse().unwrap();
        assert_eq!(
            everyway(
                &Substitution::of_compose(&secure, id),
                b"name: \"project-airlock-internal\"\nx: registry.airlock.internal/y\n"
            ),
            b"name: \"distr-7b1c0a52\"\nx: a.example:5443/y\n"
        );
    }
}
