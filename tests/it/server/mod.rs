//! `airlock serve` as a process, and its HTTPS.

mod flight;
mod process;
mod tls;
