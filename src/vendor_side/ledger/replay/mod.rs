//! Sends what sites told into a hub, as the agents of their targets (SPEC M-116).
//!
//! ```text
//! plan (whose targets, last statuses, newest samples) ─┬─> deliver ─> session ─> client ─> hub
//! packages ─> gather ─> batch (lines of logs) ─────────┘      │          └─ login, pace
//!                                                             ├─> journal: sending, then sent or refused
//!                                                             └─> api: is it there already?
//! ```
//!
//! | File | What it is |
//! |---|---|
//! | `address` | the hub's address, and when it may be reached without TLS |
//! | `secrets` | the file with the hub-side secrets of targets |
//! | `pace` | time that passes, and how much may be asked in a minute |
//! | `client` | one request: nothing is followed, everything is bounded |
//! | `event` | what whoever watches is told |
//! | `session` | a target's login, and what the hub's answers mean |
//! | `api` | what a token of the hub's API opens |
//! | `plan` | what is to be sent, from the ledger |
//! | `texts` | words of a site as a hub gets them |
//! | `packages` | package files, verified again before anything of them is sent |
//! | `gather`, `batch` | lines of logs, in order, in pieces that are the same whenever they are cut |
//! | `journal` | what was sent, durable before and after each request |
//! | `deliver` | one item: at most once, or said to be perhaps twice |
//! | `lines` | lines of logs, package by package |
//! | `run` | all of it |
//! | `report` | what arrived, what was left, and what a hub cannot take |
//!
//! # Threats and defences
//!
//! - A site reports for its own targets: those of a release signed for it that stand nowhere else. What it says of others is refused.
//! - Secrets go to the hub's own address, over TLS or within this machine, and into no message, journal or log.
//! - The hub's answers are bounded in size and time; of its words a line is shown, escaped, without what was told it in confidence.

mod address;
mod api;
mod batch;
mod client;
mod deliver;
mod event;
mod gather;
mod journal;
mod lines;
mod pace;
mod packages;
mod plan;
mod report;
mod run;
mod secrets;
mod session;
mod texts;

pub use address::HubAddress;
pub use client::Bounds;
pub use event::Event;
pub use pace::{Pace, SystemPace};
pub use report::{Lines, Refusal, Replayed, SiteReport, Tally, TargetReport, Undelivered};
pub use run::{Access, Options, replay};
pub use secrets::HubSecrets;
