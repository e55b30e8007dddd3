//! Builders that the integration tests share.

pub(crate) mod agents;
pub(crate) mod appliance;
pub(crate) mod bundles;
pub(crate) mod client;
pub(crate) mod desired;
pub(crate) mod disk;
#[cfg(feature = "vendor")]
pub(crate) mod docker_archive;
pub(crate) mod image_set;
pub(crate) mod in_process;
pub(crate) mod jwt;
pub(crate) mod left_out;
pub(crate) mod python;
pub(crate) mod registry;
pub(crate) mod site;
pub(crate) mod slow;
pub(crate) mod state_fingerprint;
pub(crate) mod status;
pub(crate) mod stopper;
pub(crate) mod strace;
pub(crate) mod streams;
pub(crate) mod tls;
pub(crate) mod travel;
pub(crate) mod vendor;
#[cfg(feature = "vendor")]
pub(crate) mod vendor_folder;
