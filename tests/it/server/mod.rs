//! `airlock serve` as a process, its HTTPS, and what it withstands.

mod begin;
mod flight;
mod host;
mod metrics;
mod panics;
mod process;
mod pull_log;
mod seats;
mod served;
mod tls;
