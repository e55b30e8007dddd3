//! The desired-state document: which targets there are, and what each of them shall run (SPEC section 11).
//!
//! Nothing in it is a secret, and nothing in it is for one appliance only: hosts stand as [`PLACEHOLDER_HOST`] in the documents
//! it names, and the appliance puts its own address there when it serves them. UUIDs are those of the hub's world and never change
//! from release to release (D11); the revision of a deployment changes exactly when what an agent must apply changes.
//!
//! ```text
//! DesiredState ─┬─ agents: AgentVersion ── images
//!               ├─ removed
//!               └─ targets: Target ─┬─ kubernetes, verifier
//!                                   └─ deployments: Deployment ─┬─ docker | helm ── documents of the release
//!                                                               ├─ images
//!                                                               └─ secrets: names, and where their values come from
//! ```
//!
//! What holds within the document is checked here; that everything it names travels with it is checked with the graph.

mod agent;
mod deployment;
mod derivation;
mod grammar;
mod secret;
mod state;
mod target;
mod verifier;

#[cfg(test)]
mod tests;

pub use agent::{AgentVersion, ImageName};
pub use deployment::{
    ChartSource, Deployment, DockerDeployment, DockerMode, HelmDeployment, HelmOptions, WaitStrategy,
};
pub(in crate::bundle) use grammar::wrong;
pub use grammar::{is_go_duration, is_label};
pub use secret::{SecretSource, SecretUse};
pub use state::{DesiredState, PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
pub use target::{Kubernetes, KubernetesScope, Resources, Target, TargetKind};
pub use verifier::Verifier;
