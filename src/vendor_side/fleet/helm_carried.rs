//! The references that an appliance answers with images of the bundle.

use std::collections::BTreeSet;

use crate::collect::ImageReference;
use crate::domain::Digest;
use crate::invented_site::ADDRESSES;
use crate::values::{Form, ImageUse, Target};

/// Images at the appliances of invented sites, as their values name them there.
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
        ADDRESSES.contains(&reference.host.as_str())
            && match (&reference.digest, &reference.tag) {
                (Some(digest), _) => self.by_digest.contains(&(reference.path, *digest)),
                (None, Some(tag)) => self.by_name.contains(&(reference.path, tag.to_string())),
                (None, None) => false,
            }
    }
}
