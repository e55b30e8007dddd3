//! Drafts of status packages: what they say of a real appliance, and what they never say.

mod asked;
mod channels;
mod closed;
mod desk;
mod draft;
mod draft_command;
mod draft_ranges;
mod draft_secrets;
mod draft_stops;
mod draft_vendors;
mod narrower;
mod out;
mod places;
mod runs;
mod stops;
mod texts;
mod world;
