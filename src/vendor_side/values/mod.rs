//! Helm values: merged as the hub does, and pinned: images in them are rewritten to the placeholder host, by digest (D9).

mod candidates;
mod image;
mod merge;
mod registry_over;
mod slots;
mod tree;

pub(super) use candidates::{Candidate, candidates, traced};
pub(super) use image::{ImageUse, Values, empty_list_at, text_with, unlisted, with_pull_secret};
pub(super) use merge::merge;
pub(super) use slots::{Form, Target};
pub(super) use tree::show;
