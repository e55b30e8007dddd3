//! What a command that has other programs work for it does when it is told to end: they end first.
//!
//! They run in groups of their own, which no signal to this program reaches.

use std::future::poll_fn;
use std::io;
use std::process;
use std::task::Poll;
use std::thread;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::domain::{Class, Error, Result};
use crate::stream::read_bounded;
use crate::vendor_side::end_programs;

/// From now on ends those programs at the signals that end this one.
///
/// # Errors
///
/// `E-IO signals`.
pub(super) fn end_programs_on_signals() -> Result<()> {
    let failed = |error: io::Error| {
        Error::new(Class::Io, "signals", format!("cannot catch signals: {error}")).with_source(error)
    };
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let ignored = ignored().map_err(failed)?;
    let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
    let mut signals = {
        let _guard = runtime.enter();
        let caught = kinds.into_iter().filter(|kind| !ignored.contains(kind));
        let caught = caught.map(|kind| Ok((kind, signal(kind)?)));
        caught
            .collect::<io::Result<Vec<(SignalKind, Signal)>>>()
            .map_err(failed)?
    };
    if signals.is_empty() {
        return Ok(());
    }
    let wait = move || {
        let number = runtime.block_on(poll_fn(|context| {
            for (kind, signal) in &mut signals {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(kind.as_raw_value());
                }
            }
            Poll::Pending
        }));
        end_programs();
        // As a shell tells it. What runs may wait for a network, and would not let go.
        #[allow(
            clippy::disallowed_methods,
            clippy::exit,
            reason = "the signal would have ended it without destructors too"
        )]
        process::exit(number.saturating_add(128));
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
        .map_err(failed)?;
    Ok(())
}

/// The signals that whoever started this program wants to be nothing to it, as `nohup` does.
fn ignored() -> io::Result<Vec<SignalKind>> {
    let status = read_bounded(
        std::fs::File::open("/proc/self/status")?,
        1 << 16,
        "the status of this process",
    )
    .map_err(|error| io::Error::other(error.to_string()))?;
    let status = String::from_utf8_lossy(&status);
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
    let is_ignored = |kind: &SignalKind| {
        let bit = u32::try_from(kind.as_raw_value())
            .ok()
            .and_then(|number| number.checked_sub(1));
        bit.is_some_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
    };
    Ok(kinds.into_iter().filter(is_ignored).collect())
}
