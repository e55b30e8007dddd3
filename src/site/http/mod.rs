//! The appliance's HTTP surface: `/v2/` for clients that pull, `/api/v1/` for agents, `/charts/` for helm, `/files/` for plain files,
//! `/healthz` and `/readyz` for machines; plain or over TLS. The only axum, hyper and tokio-rustls.
//!
//! A handler extracts typed values, asks [`crate::appliance`], and writes the answer; what a path or a range means is decided by
//! pure functions with tables of tests. Bodies are read on the agents' routes alone, as bounded streams. `Host` is compared with the
//! configuration before anything is routed ([`gate`]), and never comes back; of forwarding headers it counts that they are there, and
//! nothing that they say.
//!
//! HTTP/1 only, on hyper's own connection builder: it has the timers that `axum::serve` does not set (threat model,
//! appendix B 5), and one protocol less to be flooded through.

mod acceptor;
mod access;
mod agent;
mod app;
mod blob_body;
mod blobs;
mod buffers;
mod charts;
mod connection;
mod credentials;
mod descriptors;
mod farewell;
mod files;
mod gate;
mod health;
mod hosts;
mod in_flight;
mod known_peers;
mod lists;
mod manifests;
mod metrics;
mod oci_error;
mod peer;
mod pull_log;
mod query;
mod range;
mod registry_route;
mod router;
mod seats;
mod sending;
mod sent_body;
mod server;
mod server_name;
mod services;
mod settings;
mod single_flight;
mod stored;
mod tls;
mod token;
mod turns;
mod union;
mod uri;

pub use peer::Remote;
pub use router::router;
pub use server::{Bound, Running, Server, Stopper};
pub use services::Services;
pub use settings::{AgentSettings, AgentsAddress, Limits, Network, OwnCertificate, ReadPolicy, Settings, TlsSettings};
