//! Builders that the integration tests share.

pub(crate) mod client;
pub(crate) mod registry;
pub(crate) mod shelf;
pub(crate) mod site;
pub(crate) mod vendor;
