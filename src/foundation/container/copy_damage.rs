//! Which refusals speak of a copy, and not of what was signed: another copy may be good.
//!
//! Behind the signed head every byte of a file is known by its hash or follows from the format, so these compare what stands there with
//! that, before anything is made of it.

use crate::domain::{Class, Error};

/// Whether a file was refused because its bytes are not those that were written.
pub fn is_copy_damage(error: &Error) -> bool {
    matches!(
        (error.class(), error.code()),
        (Class::Integrity, "page-hash" | "stored-hash")
            | (Class::Format, "header" | "padding" | "fill" | "end" | "trailing-data")
    )
}
