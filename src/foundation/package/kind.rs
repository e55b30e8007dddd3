//! A status package among the kinds of airlock files (M-88).

use crate::container::{Caps, Kind, OtherKind};
use crate::crypto::PayloadType;
use crate::domain::limits;

/// What is a status package's own in its container.
pub(super) static PACKAGE: Kind = Kind {
    word: "airlock-status",
    noun: "status package",
    maker: "the site",
    made_with: "airlock status export",
    is_repaired: false,
    no_such_file: "not-a-package",
    head_type: PayloadType::StatusHead,
    offset_unit: 512,
    caps: Caps {
        entries: [
            limits::FORMAT_BYTES,
            limits::SIGNATURES_BYTES,
            limits::TRUST_BYTES,
            limits::HEAD_BYTES,
            limits::SIGNATURES_BYTES,
        ],
        pages: 1,
        fill: limits::FILL_BYTES,
        chunks: limits::PARTS as u64,
        volumes: 1,
        blobs: limits::PARTS as u64,
    },
    others: &[OtherKind {
        word: "airlock-bundle",
        noun: "bundle",
        remedy: "a bundle is imported at a site, and checked with `airlock bundle verify FILE --trust ROOT.JSON`; take the status package that came from the site",
    }],
};
