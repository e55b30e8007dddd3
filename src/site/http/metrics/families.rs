//! Every name of `/metrics`.

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, from the start of the process or of the appliance.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A name, with what stands behind it.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Counter,
        help,
    }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        help,
    }
}

/// All of them, in the order of the page.
pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "airlock_build_info",
        "Always 1; the version of the program is its label.",
    ),
    counter(
        "airlock_answers_total",
        "Answers since the start, by what was asked for and class of the status.",
    ),
    counter(
        "airlock_pulls_total",
        "Good answers to GET since the start, by what was pulled.",
    ),
    counter(
        "airlock_body_bytes_total",
        "Bytes of bodies of answers since the start.",
    ),
    counter(
        "airlock_logins_refused_total",
        "Logins of agents that were refused since the start.",
    ),
    gauge("airlock_connections", "Connections that are open."),
    gauge("airlock_connections_limit", "Connections that may be open."),
    gauge(
        "airlock_peers_known",
        "Addresses that showed good credentials within the last minutes.",
    ),
    gauge(
        "airlock_check_ok",
        "1 where a check of /readyz holds or runs for the first time, 0 where it failed.",
    ),
    gauge(
        "airlock_part_unread",
        "1 for each part that could not be asked for its numbers just now.",
    ),
    counter(
        "airlock_panics_total",
        "Panics that were survived since the start, by part.",
    ),
    gauge("airlock_releases_live", "Releases that are live."),
    gauge("airlock_releases_waiting", "Releases that wait for secrets."),
    gauge(
        "airlock_alarms",
        "Alarms that stand: what vendors found in packages of this site, and what it found itself.",
    ),
    gauge(
        "airlock_targets",
        "Targets of live releases, by how their agents are: heard, silent, never.",
    ),
    counter(
        "airlock_status_records_total",
        "Records of statuses that were numbered since the appliance was made.",
    ),
    gauge(
        "airlock_status_records_unacknowledged",
        "Records that no vendor has acknowledged yet.",
    ),
    gauge(
        "airlock_status_held_bytes",
        "Bytes that the status buffer holds, by class of record.",
    ),
    gauge(
        "airlock_status_missing_records",
        "Records that gap records stand for, by reason.",
    ),
    counter(
        "airlock_status_set_aside_total",
        "Status databases that were set aside as damaged since the start.",
    ),
    gauge(
        "airlock_disk_free_bytes",
        "Bytes that are free on the file system of the state folder.",
    ),
    gauge("airlock_disk_size_bytes", "Bytes that this file system has."),
    gauge(
        "airlock_disk_free_inodes",
        "Files that can still be made there, where it counts them.",
    ),
    counter(
        "airlock_audit_rows_total",
        "Rows of the audit log, by what was done or refused.",
    ),
    counter(
        "airlock_imports_total",
        "Imports that the audit log tells of, by result: imported, again, refused.",
    ),
    counter(
        "airlock_clock_steps_total",
        "Rows of the audit log that tell of a clock that was set.",
    ),
    gauge(
        "airlock_certificate_end_timestamp_seconds",
        "When the certificate that is shown ends, in seconds since 1970.",
    ),
    gauge(
        "airlock_authority_end_timestamp_seconds",
        "When the appliance's own authority ends, in seconds since 1970.",
    ),
    gauge(
        "airlock_root_end_timestamp_seconds",
        "When the newest root of a trust domain expires, in seconds since 1970.",
    ),
    gauge(
        "airlock_clock_timestamp_seconds",
        "What the clock of this machine says, in seconds since 1970.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// As Prometheus wants names: one prefix, base units, counters end with `_total`.
    #[test]
    fn names_are_as_the_field_writes_them_and_stand_there_once() {
        let mut seen = BTreeSet::new();
        for family in FAMILIES {
            let name = family.name;
            assert!(seen.insert(name), "{name}");
            assert!(
                name.starts_with("airlock_") && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'),
                "{name}"
            );
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert!(family.help.ends_with('.') && !family.help.contains('\n'), "{name}");
        }
    }
}
