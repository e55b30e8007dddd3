//! Helm values: merged as the hub does, and pinned: images in them are rewritten to the placeholder host, by digest (D9).

mod image;
mod merge;
mod tree;

pub(super) use image::Values;
pub(super) use merge::merge;
