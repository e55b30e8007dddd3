//! Builders that the integration tests share.

pub(crate) mod agents;
pub(crate) mod appliance;
pub(crate) mod client;
pub(crate) mod desired;
#[cfg(feature = "vendor")]
pub(crate) mod desk;
pub(crate) mod jwt;
pub(crate) mod maker;
pub(crate) mod registry;
pub(crate) mod shelf;
pub(crate) mod site;
pub(crate) mod status;
pub(crate) mod strace;
pub(crate) mod tls;
pub(crate) mod vendor;
pub(crate) mod world;
