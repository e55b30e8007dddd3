//! What happens while a replay runs, for whoever watches it.

use std::time::Duration;

use crate::domain::Uuid;

/// What happens meanwhile.
#[derive(Debug)]
pub enum Event<'a> {
    /// A target is begun.
    Target {
        /// Name of the site.
        site: &'a str,
        /// The target.
        target: Uuid,
    },
    /// The hub is waited for before it is asked again.
    Waiting {
        /// How long.
        pause: Duration,
        /// Why.
        found: &'a str,
    },
    /// The hub was asked, and has not answered yet.
    Silent {
        /// For how long.
        since: Duration,
        /// After how long the request is given up.
        until: Duration,
    },
    /// A package file is read.
    Reading {
        /// Its number.
        number: u64,
    },
    /// So many lines of logs were sent.
    Lines(u64),
}
