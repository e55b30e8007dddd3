//! Numbers that an engine takes, and which of them go together: memory, processors, times.

use super::super::consistency::{bytes, number};
use super::super::node::Node;
use super::super::specification::nanoseconds;
use super::container::{Container, known};

/// The least memory that an engine gives a container.
const LEAST_MEMORY: f64 = 6.0 * 1024.0 * 1024.0;
/// The shortest time that an engine measures in a health check.
const LEAST_TIME: f64 = 1e6;

/// Notes numbers that an engine refuses.
pub(super) fn check(container: &mut Container<'_>) {
    memory(container);
    processors(container);
    health(container);
    if let Some((at, size)) = container.bytes("shm_size")
        && size < 0.0
    {
        container.refuse(&at.place, "shm_size", "is less than 0", "a number of bytes, 0 or more");
    }
    for (name, limit) in container.node.get("ulimits").and_then(Node::map).into_iter().flatten() {
        if let (Some(soft), Some(hard)) = (number(limit.get("soft")), number(limit.get("hard")))
            && hard >= 0.0
            && (soft < 0.0 || soft > hard)
        {
            let key = format!("ulimits.{name}");
            container.refuse(
                &limit.place,
                &key,
                "has a soft limit above the hard one",
                "soft no more than hard",
            );
        }
    }
}

impl<'a> Container<'a> {
    fn bytes(&self, key: &str) -> Option<(&'a Node, f64)> {
        let node = self.node.get(key)?;
        Some((node, bytes(Some(node))?))
    }

    fn number(&self, key: &str) -> Option<(&'a Node, f64)> {
        let node = self.node.get(key)?;
        Some((node, number(Some(node))?))
    }

    /// What `deploy.resources` says; it counts before the key of the service.
    fn deployed(&self, part: &str, key: &str) -> Option<&'a Node> {
        self.node.get("deploy")?.get("resources")?.get(part)?.get(key)
    }
}

fn memory(container: &mut Container<'_>) {
    let with = |key: &str, part: &str| {
        let deployed = container.deployed(part, "memory");
        let said = deployed.and_then(|node| Some((node, bytes(Some(node))?)));
        said.filter(|(_, bytes)| *bytes != 0.0).or_else(|| container.bytes(key))
    };
    let (limit, reserved) = (with("mem_limit", "limits"), with("mem_reservation", "reservations"));
    let swap = container.bytes("memswap_limit");
    if let Some((at, size)) = limit
        && size != 0.0
        && size < LEAST_MEMORY
    {
        container.refuse(&at.place, "mem_limit", "is less than 6 MiB", "6m or more");
    }
    if let Some((at, size)) = reserved
        && size > 0.0
        && size < LEAST_MEMORY
    {
        container.refuse(&at.place, "mem_reservation", "is less than 6 MiB", "6m or more");
    }
    let limit = limit.map_or(0.0, |(_, size)| size);
    if let Some((at, size)) = reserved
        && limit > 0.0
        && size > limit
    {
        container.refuse(
            &at.place,
            "mem_reservation",
            "is more than the memory limit",
            "as much as the limit, or less",
        );
    }
    if let Some((at, size)) = swap
        && size > 0.0
    {
        if limit == 0.0 {
            let expected = "mem_limit beside it";
            container.refuse(&at.place, "memswap_limit", "stands without mem_limit", expected);
        } else if limit > 0.0 && size < limit {
            let expected = "memory and swap together: as much as mem_limit, or more";
            container.refuse(&at.place, "memswap_limit", "is less than the memory limit", expected);
        }
    }
    if let Some((at, swappiness)) = container.bytes("mem_swappiness")
        && !(-1.0..=100.0).contains(&swappiness)
    {
        container.refuse(
            &at.place,
            "mem_swappiness",
            format!("is {swappiness}"),
            "a number from 0 to 100",
        );
    }
}

fn processors(container: &mut Container<'_>) {
    let deployed = container.deployed("limits", "cpus");
    let said = deployed.and_then(|node| Some((node, number(Some(node))?)));
    let cpus = said
        .filter(|(_, cpus)| *cpus != 0.0)
        .or_else(|| container.number("cpus"));
    let (period, quota) = (container.number("cpu_period"), container.number("cpu_quota"));
    if let Some((at, cpus)) = cpus {
        if cpus < 0.0 {
            container.refuse(&at.place, "cpus", "is less than 0", "a number of CPUs, such as 0.5");
        }
        for (key, other) in [("cpu_period", period), ("cpu_quota", quota)] {
            if cpus > 0.0 && other.is_some_and(|(_, other)| other > 0.0) {
                container.clash(&at.place, "cpus", key);
            }
        }
    }
    if let Some((at, period)) = period
        && period != 0.0
        && !(1000.0..=1_000_000.0).contains(&period)
    {
        container.refuse(
            &at.place,
            "cpu_period",
            format!("is {period}"),
            "1000 to 1000000 microseconds",
        );
    }
    if let Some((at, quota)) = quota
        && quota > 0.0
        && quota < 1000.0
    {
        container.refuse(
            &at.place,
            "cpu_quota",
            format!("is {quota}"),
            "1000 microseconds or more",
        );
    }
}

fn health(container: &mut Container<'_>) {
    for key in ["interval", "timeout", "start_period", "start_interval"] {
        if let Some(node) = container.node.get("healthcheck").and_then(|check| check.get(key))
            && let Some(time) = known(node).and_then(nanoseconds)
            && time != 0.0
            && time < LEAST_TIME
        {
            container.refuse(
                &node.place,
                &format!("healthcheck.{key}"),
                "is less than a millisecond",
                "1ms or more, or 0s for the engine's own",
            );
        }
    }
}
