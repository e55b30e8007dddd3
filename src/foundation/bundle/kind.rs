//! A bundle among the kinds of airlock files.

use crate::container::{Caps, Kind, OtherKind};
use crate::crypto::PayloadType;
use crate::domain::limits;

/// What is a bundle's own in its container.
pub(super) static BUNDLE: Kind = Kind {
    word: "airlock-bundle",
    noun: "bundle",
    maker: "the vendor",
    made_with: "airlock bundle create",
    is_repaired: true,
    no_such_file: "not-a-bundle",
    head_type: PayloadType::BundleHead,
    offset_unit: 4096,
    caps: Caps {
        entries: [
            limits::FORMAT_BYTES,
            limits::SIGNATURES_BYTES,
            limits::TRUST_BYTES,
            limits::HEAD_BYTES,
            limits::SIGNATURES_BYTES,
        ],
        pages: limits::PAGES,
        fill: limits::FILL_BYTES,
        chunks: limits::CHUNKS,
        volumes: limits::VOLUMES,
        blobs: limits::BLOBS,
    },
    others: &[OtherKind {
        word: "airlock-status",
        noun: "status package",
        remedy: "a status package goes back to the vendor; take the bundle that came from there",
    }],
};
