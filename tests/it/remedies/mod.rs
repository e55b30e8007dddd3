//! Every remedy that a message names, followed to the letter (D23).
//!
//! [`source`] reads all of them out of `src`; [`table`] names for each the tests that bring the error about by real commands, take the
//! remedy from what is printed, do it, and see that the first command works then. A remedy without a row fails, and so does a row
//! without its remedy: who adds or rewords one adds a line. Commands between backticks are run as they stand, with only what is
//! written in capitals put in ([`follow`]).

mod acts;
mod by_hand;
mod commands;
mod corrected;
mod follow;
#[cfg(feature = "vendor")]
mod identity;
#[cfg(feature = "vendor")]
mod key_files;
#[cfg(feature = "vendor")]
mod layouts;
mod media;
#[cfg(feature = "vendor")]
mod registry;
#[cfg(feature = "vendor")]
mod release_file;
mod restore;
mod site;
mod source;
mod table;
#[cfg(feature = "vendor")]
mod trust;
#[cfg(feature = "vendor")]
mod workshop;
#[cfg(feature = "vendor")]
mod workspace;
