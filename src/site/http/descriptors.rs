//! File descriptors: as many connections as leave enough of them for files and databases (threat model R14).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::settings::Limits;
use crate::domain::{Class, Error, Result};

/// Descriptors that are no connection's: databases with their readers, listeners, the runtime, files of the state folder.
const OTHERS: u64 = 256;
/// Descriptors of one connection: its socket, and the file that it sends.
const EACH: u64 = 2;
/// Connections below which there is no point in serving.
const LEAST: u64 = 16;

/// Raises the process' limit of open files as far as connections want it and the system allows it, and bounds connections by what it is
/// then; the share of one peer shrinks with them.
///
/// # Errors
///
/// `E-USAGE descriptors` when too few are left to serve with.
pub(super) fn fit(limits: &mut Limits) -> Result<()> {
    let wanted = (limits.connections as u64).saturating_mul(EACH).saturating_add(OTHERS);
    let limit = raise(wanted);
    let room = limit.saturating_sub(OTHERS) / EACH;
    if room >= limits.connections as u64 {
        return Ok(());
    }
    if room < LEAST {
        return Err(Error::new(
            Class::Usage,
            "descriptors",
            format!("this process may open {limit} files, which leaves room for {room} connections"),
        )
        .expected(format!("room for {LEAST} at least: {} files", OTHERS + LEAST * EACH))
        .remedy("raise the limit with `ulimit -n`, or with LimitNOFILE= in the unit"));
    }
    tracing::warn!(
        files = limit,
        connections = room,
        configured = limits.connections,
        "the limit of open files leaves room for fewer connections than configured"
    );
    shrink(limits, usize::try_from(room).unwrap_or(usize::MAX));
    Ok(())
}

/// Lowers all seats to `room`, and those of one peer in proportion.
fn shrink(limits: &mut Limits, room: usize) {
    let share = limits.connections_per_address.saturating_mul(room) / limits.connections.max(1);
    limits.connections_per_address = share.max(1);
    limits.connections = room;
}

/// Returns how many files the process may open.
fn raise(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return current;
    }
    let most = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = Rlimit {
        current: Some(most),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => most,
        Err(errno) => {
            tracing::warn!(%errno, wanted, "the limit of open files could not be raised");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_shrink_together() {
        let mut limits = Limits::default();
        shrink(&mut limits, 384);
        assert_eq!((limits.connections, limits.connections_per_address), (384, 48));
        limits.connections_per_address = 1;
        shrink(&mut limits, 16);
        assert_eq!((limits.connections, limits.connections_per_address), (16, 1));
    }
}
