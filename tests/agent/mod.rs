//! A double of the Distr docker agent: the same requests, in the same order, for the same reasons.
//!
//! | File | What it does |
//! |---|---|
//! | [`settings`] | what an agent reads in its manifest |
//! | [`client`] | HTTP and HTTPS with connections that stay open; the token, its refresh, the one retry after 401 |
//! | [`engine`] | what runs the applications, as a trait |
//! | [`looping`] | one round: resources, self-update check, cleanup, registry ping, apply or check, one status |
//!
//! Used by the integration tests (with an engine that only notes what it is told) and by the end-to-end cases (with compose).

#![allow(dead_code, reason = "each of the two programs uses its part")]

pub(crate) mod client;
pub(crate) mod engine;
pub(crate) mod looping;
pub(crate) mod settings;
pub(crate) mod tls;

use std::error::Error;

/// How a step of the double ends.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Fails with a text.
pub(crate) fn failure<T>(text: impl Into<String>) -> Outcome<T> {
    Err(text.into().into())
}
