//! `airlock serve` as a process, and its HTTPS.

mod process;
mod tls;
