//! The hub that agents see: who they are, what they shall run, and how they are installed. Nothing here waits for a network.
//!
//! # Rules
//!
//! - **Agents are never harmed** (D11). An empty list of deployments means "uninstall everything", so it is only ever answered when a
//!   signed document, or a local act in the audit log, says exactly that. Whatever cannot be read or does not re-hash is
//!   `E-STATE` ([`world`], [`documents`]).
//! - **401 is answered only when it is meant**: agents that cannot log in may hang for an hour. A target that is known, and
//!   whose desired state is not, logs in and gets `E-STATE` for the rest.
//! - **Secrets** are random, shown once, and kept as keyed hashes ([`secret`]). Hub verifiers cost 64 MiB each and are checked
//!   two at a time ([`hashing`]), once: the first success leaves a keyed hash in their place ([`login`]).
//! - **Tokens** live long, name one target, and die with it ([`token`]).
//! - **Nothing comes from a request** but ids and secrets: addresses in manifests and scripts come from the configuration
//!   ([`SiteView`]), everything else from signed documents.

mod connect;
mod docker;
mod documents;
mod free;
mod hashing;
mod keys;
mod kubernetes;
mod login;
mod manage;
mod mirrors;
mod resources;
mod secret;
mod service;
mod site_view;
mod substitute;
mod token;
mod view;
mod watch;
mod world;
mod yaml;

pub use free::ClaimView;
pub(super) use keys::create as create_token_key;
pub use login::{Check, Login};
pub use manage::{Removal, TargetChoice};
pub use mirrors::{MirrorFile, Runtime};
pub use secret::Secret;
pub use service::Hub;
pub use site_view::SiteView;
pub use token::Token;
pub use view::{DeploymentView, SecretView, TargetView};
pub use watch::HubWatcher;
pub use world::Identity;
