//! The tiny form of a package that was signed here, for a few QR codes or a telephone (M-117; SPEC section 16).
//!
//! It says less than its package, so the approvals of that one cover it. Nothing but an audit row is written, here and in the stream.

mod content;
mod picture;
mod seal;

pub use picture::picture;
