//! The appliance's HTTP surface: `/v2/` for clients that pull, `/api/v1/` for agents, `/charts/` for helm, `/healthz` and `/readyz` for
//! machines; plain or over TLS. The only axum, hyper and tokio-rustls.
//!
//! A handler extracts typed values, asks [`crate::appliance`], and writes the answer; what a path or a range means is decided by
//! pure functions with tables of tests. Bodies are read on the agents' routes alone, as bounded streams. `Host` is compared with the
//! configuration there, and never comes back; forwarding headers are never looked at.
//!
//! HTTP/1 only, on hyper's own connection builder: it has the timers that `axum::serve` does not set (threat model,
//! appendix B 5), and one protocol less to be flooded through.

mod access;
mod agent;
mod app;
mod blob_body;
mod blobs;
mod charts;
mod connection;
mod connection_slots;
mod credentials;
mod health;
mod in_flight;
mod lists;
mod manifests;
mod oci_error;
mod peer;
mod query;
mod range;
mod registry_route;
mod router;
mod sending;
mod server;
mod server_name;
mod services;
mod settings;
mod single_flight;
mod stored;
mod tls;
mod token;
mod uri;

pub use peer::Remote;
pub use router::router;
pub use server::{Bound, Running, Server};
pub use services::Services;
pub use settings::{AgentSettings, AgentsAddress, Limits, Network, OwnCertificate, ReadPolicy, Settings, TlsSettings};
