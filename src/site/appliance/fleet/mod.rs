//! The fleet: targets, what each shall run, who may log in, and what this site decided, whatever protocol an agent speaks. How a
//! protocol words it stands beside this ([`super::distr`]). Nothing here waits for a network.
//!
//! # Rules
//!
//! - **Agents are never harmed** (D11). An empty list of deployments means "uninstall everything", so it is only ever answered when a
//!   signed document, or a local act in the audit log, says exactly that. Whatever cannot be read or does not re-hash is
//!   `E-STATE` ([`targets`]).
//! - **401 is answered only when it is meant**: agents that cannot log in may hang for an hour. A target that is known, and
//!   whose desired state is not, logs in and gets `E-STATE` for the rest.
//! - **Secrets** are random, shown once, and kept as keyed hashes ([`secret`]). Hub verifiers cost 64 MiB each and are checked
//!   two at a time ([`hashing`]), once: the first success leaves a keyed hash in their place ([`login`]).
//! - **Tokens** live long, name one target, and die with it ([`token`]).
//! - **Nothing comes from a request** but ids and secrets: addresses in manifests and scripts come from the configuration
//!   ([`SiteView`]), everything else from signed documents.

mod assignment;
mod coming;
mod credential;
mod fault;
mod free;
mod hashing;
mod image_hosts;
mod leaving;
mod login;
mod manage;
mod now;
mod secret;
mod service;
mod site_view;
mod stated;
mod substitute;
mod targets;
mod token;
mod values;
mod view;

pub(super) use assignment::{AssignedDeployment, Assignment, Values, local_deployment, local_revision};
pub use coming::{Change, Coming, DeploymentChange, TargetChange, coming};
pub use free::ClaimView;
pub use leaving::{Leaving, leaving, settle_revisions};
pub use login::{Check, Login};
pub use manage::{Removal, TargetChoice};
pub use now::FleetNow;
pub use secret::Secret;
pub(super) use secret::is_secret;
pub use service::Hub;
pub(super) use service::known;
pub use site_view::SiteView;
pub use stated::{StatedDeployment, StatedTarget};
pub(super) use stated::{stated, stated_by};
pub(super) use substitute::{for_compose, for_site};
pub(super) use targets::FleetTarget;
pub use targets::Identity;
pub use token::Token;
pub use view::{DeploymentView, RemovedTarget, SecretView, TargetView};
