//! The vendor side: what is collected from where, what becomes of a release file, and what is refused.

mod applications;
mod chart_cases;
mod chart_programs;
mod chart_secrets;
mod chart_sites;
mod chart_table;
mod chart_turns;
mod charts;
pub(crate) mod cli;
pub(crate) mod compose;
mod enrolments;
mod images;
mod layout;
mod layout_names;
mod ledger;
mod listed;
mod outputs;
pub(crate) mod passphrases;
mod realms;
mod registry;
mod removals;
mod sealed_secrets;
mod secret_texts;
mod secrets;
mod signing;
mod walls;
pub(crate) mod whole_applications;
