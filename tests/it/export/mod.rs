//! Drafts of status packages: what they say of a real appliance, and what they never say.

mod draft;
mod world;
