//! Integration tests, by subject.
//!
//! | Folder | What is tested |
//! |---|---|
//! | `format` | the vectors of `bundle-spec` and the attack catalogue |
//! | `identity` | lives of the state folder, enrolments, keys, the audit log |
//! | `export` | drafts of status packages: what leaves a site, and what never does |
//! | `package` | status packages: the vectors of `bundle-spec`, what is written and read again, every bit and cut |
//! | `ledger` | what a vendor takes in of its sites, and what it knows then |
//! | `import` | crashes, full disks, media, clocks, and no way out |
//! | `registry` | what the appliance serves to container engines |
//! | `distr` | targets, their agents, and the checklist and recordings of the wire contract |
//! | `status` | the buffer of what agents report |
//! | `server` | the server as a process, and HTTPS |
//! | `state` | the state folder: whose it is, what may stand in it, what `init` takes |
//! | `vendor` | collecting, release files, compose files, charts |
//! | `display` | text from outside on terminals and in JSON |
//! | `attacks` | cases of the threat model, and that each case has its tests |
//! | `walls` | several vendors on one appliance: whatever another brings in changes nothing |
//! | `healing` | damage of what is stored: told, and healed by the same bundle |
//! | `remedies` | what every message says to do, done to the letter |
//! | `streams` | what a vendor may learn: stream logs, receipts, instances, enrolments |
//! | `support` | what they share |
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and says how much it tried"
)]

#[cfg(all(feature = "vendor", feature = "site"))]
#[path = "../agent/mod.rs"]
mod agent;
mod attacks;
mod differential;
#[cfg(feature = "vendor")]
mod display;
mod distr;
mod export;
mod format;
mod healing;
mod identity;
mod import;
#[cfg(feature = "vendor")]
mod ledger;
mod package;
mod registry;
mod remedies;
mod server;
mod state;
mod status;
mod streams;
mod support;
#[cfg(feature = "vendor")]
mod vendor;
mod walls;
