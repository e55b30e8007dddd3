//! The references that an appliance answers with images of the bundle.

use std::collections::BTreeSet;

use crate::bundle::desired::PLACEHOLDER_HOST;
use crate::collect::ImageReference;
use crate::domain::Digest;
use crate::values::{Form, ImageUse, Target};

/// Images under the placeholder host, as their values name them.
#[derive(Debug)]
pub(super) struct Carried {
    by_digest: BTreeSet<(String, Digest)>,
    by_name: BTreeSet<(String, String)>,
}

impl Carried {
    /// `targets` are the images in the bundle, in the order of `images`.
    pub(super) fn new(images: &[ImageUse], targets: &[Target]) -> Self {
        let mut carried = Self {
            by_digest: BTreeSet::new(),
            by_name: BTreeSet::new(),
        };
        for (image, target) in images.iter().zip(targets) {
            let path = target.repository.to_string();
            if let (Form::Name, Some(tag)) = (image.form(), &target.tag) {
                carried.by_name.insert((path.clone(), tag.to_string()));
            }
            carried.by_digest.insert((path, target.digest));
        }
        carried
    }

    /// Whether a reference is one of them.
    pub(super) fn has(&self, reference: &str) -> bool {
        let Ok(reference) = reference.parse::<ImageReference>() else {
            return false;
        };
        reference.host == PLACEHOLDER_HOST
            && match (&reference.digest, &reference.tag) {
                (Some(digest), _) => self.by_digest.contains(&(reference.path, *digest)),
                (None, Some(tag)) => self.by_name.contains(&(reference.path, tag.to_string())),
                (None, None) => false,
            }
    }
}
