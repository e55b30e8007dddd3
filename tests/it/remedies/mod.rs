//! Every remedy that a message names, followed to the letter (D23).
//!
//! [`source`] reads all of them out of `src`; [`rows`] names for each the tests that bring the error about by real commands, take the
//! remedy from what is printed, do it, and see that the first command works then. A remedy without a row fails, and so does a row
//! without its remedy: who adds or rewords one adds a line. Commands between backticks are run as they stand, with only what is
//! written in capitals put in ([`follow`]).

mod acts;
#[cfg(feature = "vendor")]
mod beside;
mod by_hand;
mod care;
mod charts;
mod commands;
#[cfg(feature = "vendor")]
mod compose_files;
mod corrected;
mod damaged_pages;
mod disk;
mod doctor;
mod follow;
#[cfg(feature = "vendor")]
mod general;
mod identity;
mod indirect;
#[cfg(feature = "vendor")]
mod key_files;
mod last_generation;
#[cfg(feature = "vendor")]
mod layouts;
#[cfg(feature = "vendor")]
mod limits;
mod logged;
mod lost_parts;
mod media;
#[cfg(feature = "vendor")]
mod registry;
#[cfg(feature = "vendor")]
mod release_file;
mod replaced;
mod restore;
mod rows;
mod rows_of_backups;
mod rows_of_care;
mod rows_of_doctor;
mod rows_of_sources;
mod rows_of_volumes;
mod rows_out;
mod server;
mod site;
mod source;
mod state_folder;
mod status_database;
#[cfg(feature = "vendor")]
mod status_packages;
mod table;
mod targets;
#[cfg(feature = "vendor")]
mod trust;
mod vendor_answers;
#[cfg(feature = "vendor")]
mod vendor_files;
#[cfg(feature = "vendor")]
mod workshop;
#[cfg(feature = "vendor")]
mod workspace;
