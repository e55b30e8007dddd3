//! Integration tests, by subject.
//!
//! | Folder | What is tested |
//! |---|---|
//! | `acknowledge` | what a vendor acknowledges, and what a site lets go for it |
//! | `format` | the vectors of `bundle-spec` and the attack catalogue |
//! | `identity` | lives of the state folder, enrolments, keys, the audit log |
//! | `export` | drafts of status packages: what leaves a site, and what never does |
//! | `package` | status packages: the vectors of `bundle-spec`, what is written and read again, every bit and cut |
//! | `ledger` | what a vendor takes in of its sites, what it knows then, and what the ledger answers |
//! | `encodings` | layers that travel smaller than they are: made, imported, stopped, spoilt |
//! | `care` | the configuration as commands show it, what is let go, re-hashed, and asked of the log |
//! | `import` | crashes, full disks, media, clocks, and no way out |
//! | `needs` | bundles that build on what their sites hold |
//! | `registry` | what the appliance serves to container engines |
//! | `distr` | targets, their agents, and the checklist and recordings of the wire contract |
//! | `status` | the buffer of what agents report |
//! | `server` | the server as a process, and HTTPS |
//! | `site_secrets` | secrets that a site keeps: releases that wait, what agents get, what never shows |
//! | `state` | the state folder: whose it is, what may stand in it, what `init` takes |
//! | `vendor` | collecting, release files, compose files, charts |
//! | `display` | text from outside on terminals and in JSON |
//! | `attacks` | cases of the threat model, and that each case has its tests |
//! | `walls` | several vendors on one appliance: whatever another brings in changes nothing |
//! | `circle` | both sides by their commands: everything that an agent reported comes home once |
//! | `histories` | random histories of a site and two vendors, by the real code on both sides, against a plain model |
//! | `handbook` | what README and handbook print, done as it is printed |
//! | `healing` | damage of what is stored: told, and healed by the same bundle |
//! | `remedies` | what every message says to do, done to the letter |
//! | `replay` | what sites told, into a hub that keeps the recorded contract |
//! | `streams` | what a vendor may learn: stream logs, receipts, instances, enrolments |
//! | `ways_out` | bundles unpacked and compared, snippets, copies into other registries |
//! | `support` | what they share |
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and says how much it tried"
)]

#[cfg(feature = "vendor")]
mod acknowledge;
#[cfg(all(feature = "vendor", feature = "site"))]
#[path = "../agent/mod.rs"]
mod agent;
mod attacks;
mod care;
#[cfg(all(feature = "vendor", feature = "site"))]
mod circle;
mod differential;
#[cfg(feature = "vendor")]
mod display;
mod distr;
#[cfg(all(feature = "vendor", feature = "site"))]
mod encodings;
mod export;
mod format;
#[cfg(all(feature = "vendor", feature = "site"))]
mod handbook;
mod healing;
#[cfg(all(feature = "vendor", feature = "site"))]
mod histories;
mod identity;
mod import;
#[cfg(feature = "vendor")]
mod ledger;
#[cfg(all(feature = "vendor", feature = "site"))]
mod needs;
mod package;
mod registry;
mod remedies;
#[cfg(feature = "vendor")]
mod replay;
mod server;
#[cfg(feature = "vendor")]
mod site_secrets;
mod state;
mod status;
mod streams;
mod support;
#[cfg(feature = "vendor")]
mod vendor;
mod walls;
mod ways_out;
