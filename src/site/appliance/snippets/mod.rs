//! What engines and helm are told so that they trust this appliance and find in it what is named elsewhere (D8): files, and the truth about
//! what each of them does with these.
//!
//! An image from here has two names: this appliance's, which every client may ask for (`APPLIANCE/docker.io/library/alpine:3`), and the one
//! that it has elsewhere. Bundles rewrite what they deploy to the first one. For the second one an engine must be told where to ask:
//!
//! | Engine | Trust | Names of other hosts | When it has nothing |
//! |---|---|---|---|
//! | dockerd, older image store | `certs.d/HOST/ca.crt` | stay with their hosts | – |
//! | dockerd, containerd's store; containerd | `ca` in `hosts.toml` | asked here, with `?ns=` | not found: `server` is this appliance too |
//! | k3s, RKE2 | `ca_file` in `registries.yaml` | asked here, with `?ns=` | asks their hosts, unless told not to |
//! | podman, CRI-O | `certs.d/HOST/ca.crt` | asked here, under this appliance's name | not found |
//! | helm | `--ca-file` | stay with their hosts | – |
//!
//! `ca` stands at both levels of a `hosts.toml`: what the host has not is asked of `server` once more, and without it the last word would
//! be about a certificate.

mod containerd;
mod docker;
mod engine;
mod file;
mod helm;
mod login;
mod podman;
mod rancher;

pub use engine::Engine;
pub use file::{Content, Snippet, SnippetFile};
pub use login::Login;
