//! Which children of an index are carried: pure.

use std::collections::{BTreeSet, HashSet};

use super::reference::Platform;
use crate::domain::oci::{Descriptor, Document, Kind};
use crate::domain::{Digest, counted};

/// Annotation by which a build attestation names the manifest it is about.
const ATTESTATION_SUBJECT: &str = "vnd.docker.reference.digest";
/// Annotation by which a child of an index says that it is such an attestation.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// Platform of things inside an index that run nowhere.
const NOWHERE: &str = "unknown/unknown";

/// The children of an index, parted.
#[derive(Debug, Default)]
pub(super) struct Selection<'a> {
    /// Carried, in document order.
    pub(super) kept: Vec<&'a Descriptor>,
    /// Left out, with their platform.
    pub(super) left_out: Vec<(Digest, String)>,
}

/// What was asked for and met, over all indexes of one image.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// Platforms that there are.
    pub(super) present: BTreeSet<String>,
    /// Children that do not say where they run, and may run anywhere.
    unsaid: usize,
    /// Children that run nowhere: attestations and the like.
    nowhere: usize,
}

impl Coverage {
    /// Returns what an index holds instead of an image, as words; nothing when it holds one.
    pub(super) fn without_image(&self) -> Option<String> {
        let runs = !self.present.is_empty() || self.unsaid > 0;
        (!runs).then(|| match self.nowhere {
            0 => "nothing at all".to_owned(),
            count => counted(count, "manifest") + " for unknown/unknown, as attestations are",
        })
    }

    /// Notes a child that is missing: what it holds is not known.
    pub(super) fn not_seen(&mut self) {
        self.unsaid = self.unsaid.saturating_add(1);
    }

    fn note(&mut self, child: &Descriptor) {
        match &child.platform {
            Some(platform) if platform != NOWHERE => {
                self.present.insert(platform.clone());
            }
            None if !child.annotations.contains_key(REFERENCE_TYPE) => {
                // What is in an index below counts by itself.
                let is_manifest = Kind::of(&child.media_type) == Some(Kind::Manifest);
                self.unsaid = self.unsaid.saturating_add(usize::from(is_manifest));
            }
            _ => self.nowhere = self.nowhere.saturating_add(1),
        }
    }

    /// Returns the wanted platforms that nothing is for; none when the image does not speak of platforms at all.
    pub(super) fn unmet<'a>(&self, wanted: &'a [Platform]) -> Vec<&'a Platform> {
        if self.present.is_empty() {
            return Vec::new();
        }
        wanted
            .iter()
            .filter(|platform| !self.present.iter().any(|present| platform.wants(present)))
            .collect()
    }
}

/// Parts the children of an index. No wanted platform means all.
///
/// What states no platform is always carried; an attestation goes with the manifest it is about.
pub(super) fn select<'a>(index: &'a Document, wanted: &[Platform], coverage: &mut Coverage) -> Selection<'a> {
    let runs = |child: &Descriptor| child.platform.clone().filter(|platform| platform != NOWHERE);
    for child in &index.manifests {
        coverage.note(child);
    }
    let keeps = |child: &Descriptor| {
        wanted.is_empty() || runs(child).is_none_or(|platform| wanted.iter().any(|wanted| wanted.wants(&platform)))
    };
    let left: HashSet<Digest> = index
        .manifests
        .iter()
        .filter(|child| !keeps(child))
        .map(|child| child.digest)
        .collect();
    // One digest may stand there twice, once for a platform that is wanted.
    let kept: HashSet<Digest> = index
        .manifests
        .iter()
        .filter(|child| keeps(child))
        .map(|child| child.digest)
        .collect();
    let mut selection = Selection::default();
    for child in &index.manifests {
        let about = child
            .annotations
            .get(ATTESTATION_SUBJECT)
            .and_then(|subject| subject.parse::<Digest>().ok())
            .filter(|_| child.platform.as_deref() == Some(NOWHERE));
        let carried = match about {
            Some(subject) => !left.contains(&subject) || kept.contains(&subject),
            None => kept.contains(&child.digest),
        };
        match &child.platform {
            Some(platform) if !carried => selection.left_out.push((child.digest, platform.clone())),
            _ => selection.kept.push(child),
        }
    }
    selection
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oci::OCI_INDEX;

    fn index(children: &[(u8, &str, Option<u8>)]) -> Document {
        let children: Vec<_> = children
            .iter()
            .map(|(n, platform, about)| {
                let mut child = serde_json::json!({
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": format!("sha256:{}", format!("{n:02x}").repeat(32)), "size": 2,
                });
                let parts: Vec<_> = platform.split('/').collect();
                if let [os, architecture, rest @ ..] = parts.as_slice() {
                    child["platform"] = serde_json::json!({"os": os, "architecture": architecture});
                    if let [variant] = rest {
                        child["platform"]["variant"] = (*variant).into();
                    }
                }
                if let Some(about) = about {
                    child["annotations"] = serde_json::json!({
                        ATTESTATION_SUBJECT: format!("sha256:{}", format!("{about:02x}").repeat(32)),
                    });
                }
                child
            })
            .collect();
        let text = serde_json::json!({"schemaVersion": 2, "manifests": children}).to_string();
        Document::parse(text.as_bytes(), OCI_INDEX).unwrap()
    }

    fn parts(document: &Document, wanted: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let wanted: Vec<Platform> = wanted.iter().map(|text| text.parse().unwrap()).collect();
        let selection = select(document, &wanted, &mut Coverage::default());
        (
            selection.kept.iter().map(|child| child.digest.0.0[0]).collect(),
            selection.left_out.iter().map(|(digest, _)| digest.0.0[0]).collect(),
        )
    }

    #[test]
    fn attestations_follow_their_image_and_unnamed_children_stay() {
        let document = index(&[
            (1, "linux/amd64", None),
            (2, "linux/arm64/v8", None),
            (3, "unknown/unknown", Some(1)),
            (4, "unknown/unknown", Some(2)),
            (5, "", None),
            (6, "unknown/unknown", None),
        ]);
        assert_eq!(parts(&document, &[]), (vec![1, 2, 3, 4, 5, 6], vec![]));
        assert_eq!(parts(&document, &["linux/amd64"]), (vec![1, 3, 5, 6], vec![2, 4]));
        assert_eq!(parts(&document, &["linux/arm64"]), (vec![2, 4, 5, 6], vec![1, 3]));
        assert_eq!(parts(&document, &["linux/s390x"]).0, [5, 6]);
    }

    #[test]
    fn a_platform_that_nothing_is_for_is_noticed() {
        let document = index(&[(1, "linux/amd64", None), (2, "windows/amd64", None)]);
        let mut coverage = Coverage::default();
        select(&document, &[], &mut coverage);
        let wanted: Vec<Platform> = ["linux/amd64", "linux/arm64"]
            .iter()
            .map(|p| p.parse().unwrap())
            .collect();
        assert_eq!(coverage.unmet(&wanted), [&wanted[1]]);
        assert_eq!(coverage.present.len(), 2);
        assert!(coverage.without_image().is_none());
        assert!(Coverage::default().unmet(&wanted).is_empty());
    }

    #[test]
    fn an_index_that_runs_nowhere_is_noticed() {
        let held = |children: &[(u8, &str, Option<u8>)]| {
            let mut coverage = Coverage::default();
            select(&index(children), &[], &mut coverage);
            coverage.without_image()
        };
        assert_eq!(held(&[]).unwrap(), "nothing at all");
        let said = held(&[(1, "unknown/unknown", Some(9)), (2, "unknown/unknown", None)]).unwrap();
        assert!(said.starts_with("2 manifests for unknown/unknown"), "{said}");
        assert_eq!(held(&[(1, "unknown/unknown", None), (2, "", None)]), None);
        assert_eq!(held(&[(1, "linux/amd64", None)]), None);
    }
}
