//! airlock carries software, and the truth about what runs, across a gap that no network crosses.
//!
//! How a bundle travels, how a pull is answered, how a status is kept and comes home, and where new parts go: [`architecture`], ten
//! minutes to read.
//!
//! # The loop
//!
//! ```text
//! VENDOR     collect ─> plan ─> pack (bundle, signed) ─> media ── carried by hand ─> APPLIANCE
//! APPLIANCE  media ─> import (verify ─> store, db) ─> live ─> registry, fleet ─> clients ─> status
//! APPLIANCE  status ─> export (package, approved, signed) ─> media ── carried by hand ─> VENDOR
//! VENDOR     package ─> ledger (verified, compared) ─> answers, acknowledgement, the next plan, a hub
//! ```
//!
//! # Modules, lowest first: each may use only what stands above it in this table
//!
//! Levels 0 to 3 but for `confine` are the crate `airlock-foundation`, `vendor_side` is one, and `airlock-site` is what a site runs.
//!
//! | Level | Module | What it is |
//! |---|---|---|
//! | 0 | [`domain`] | words of the field as pure values; no IO |
//! | 0 | [`panics`] | panics caught, counted, and turned into errors |
//! | 1 | [`stream`], [`crypto`] | byte plumbing; who may sign, and how it is checked |
//! | 1 | [`container`] | what every airlock file is made of: entries, pages, chunks; uses both |
//! | 1 | [`inflate`], [`producer`] | where blocks of deflate end; the programs that compress layers, emulated to the bit |
//! | 1 | [`recipe`] | how a gzip file is made again from its plain; uses [`producer`] |
//! | 1 | [`delta`] | how a plain is made of parts of other blobs; uses [`stream`] |
//! | 1 | [`encoding`] | how a blob travels smaller than it is; uses [`stream`], [`crypto`], [`container`], [`recipe`] and [`delta`] |
//! | 1 | [`protocol`] | the wire of Distr's agents and hub, for whoever sends or reads it |
//! | 1 | `confine` | gives up, for good, what a process never needs |
//! | 2 | [`bundle`], [`package`], `store`, `db` | what a bundle says and carries; what a status package does; content on disk; SQL. None of them knows another |
//! | 3 | `media` | files, folders and pipes that bundles come from and go to |
//! | 2 | [`backup`] | a file of backup: encrypted, in records, whole or refused |
//! | 3 | [`extract`] | a bundle unpacked into an OCI image layout |
//! | 4 | `vendor_side` \| `appliance` | make bundles \| take them in and serve them; never one another |
//! | 5 | `config` | the configuration file |
//! | 5 | `http` | the only axum: `/v2/`, `/api/v1/` for agents, charts, plain files, health; TLS |
//! | 5 | `edge` | what alone of a site may connect: copies into another registry |
//! | 6 | `cli` | the only clap, the only printing |

#[doc = include_str!("architecture.md")]
pub mod architecture {}

pub mod cli;
#[cfg(feature = "edge")]
pub mod edge;

#[cfg(feature = "edge")]
use airlock_foundation::client_tls;
pub use airlock_foundation::{
    backup, bundle, container, crypto, db, delta, domain, encoding, extract, inflate, media, package, panics, producer,
    protocol, recipe, store, stream,
};
#[cfg(feature = "site")]
pub use airlock_site::{appliance, config, confine, http};
#[cfg(feature = "vendor")]
pub use airlock_vendor_side as vendor_side;
