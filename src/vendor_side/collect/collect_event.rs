//! What collecting tells while it runs.

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectEvent<'a> {
    /// An image is looked at.
    Image(&'a str),
    /// Images of registries that were looked at, of how many.
    Looking(usize, usize),
    /// Bytes of an image that an engine has handed out.
    Saving(u64),
    /// Bytes of a plain file that were read for its digest, of how many.
    Reading(u64, u64),
}
