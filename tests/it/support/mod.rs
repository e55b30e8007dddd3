//! Builders that the integration tests share.

pub(crate) mod client;
pub(crate) mod site;
