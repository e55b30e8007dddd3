//! What a container may say of a network that is not its own, and of addresses in one.

use std::net::IpAddr;

use super::super::node::{Map, Node, Value};
use super::container::{Container, known};
use super::pools;

/// Notes what does not go together with the network that a service is in.
pub(super) fn check(container: &mut Container<'_>, networks: Option<&Node>) {
    let service = container.node;
    if let Some(mode) = service.get("network_mode")
        && let Some(whose) = mode.text()
    {
        let of_another = whose.starts_with("service:") || whose.starts_with("container:");
        // The settings of a network belong to the container that has it.
        let keys: &[&str] = match whose {
            _ if of_another => &["hostname", "ports", "expose", "dns", "extra_hosts", "links"],
            "host" => &["links"],
            _ => &[],
        };
        for key in keys {
            if let Some(node) = service.get(key).filter(|node| says_something(node)) {
                container.clash(&node.place, &format!("network_mode: {whose}"), key);
            }
        }
    }
    if service.get_text("network_mode") == Some("host")
        && let Some(node) = service.get("sysctls")
        && sets_network(node)
    {
        container.clash(&node.place, "network_mode: host", "sysctls of the network");
    }
    if service.get_text("uts") == Some("host")
        && let Some(node) = service.get("hostname").filter(|node| says_something(node))
    {
        container.clash(&node.place, "uts: host", "hostname");
    }
    for (name, usage) in service.get("networks").and_then(Node::map).into_iter().flatten() {
        for key in ["ipv4_address", "ipv6_address"] {
            let network = networks.and_then(|networks| networks.get(name));
            if let Some(node) = usage.get(key)
                && let Some(address) = known(node).and_then(|text| text.parse::<IpAddr>().ok())
                && let Some(subnets) = network.and_then(pools::subnets)
                && !subnets.is_empty()
                && !subnets.iter().any(|subnet| subnet.holds(address))
            {
                container.refuse(
                    &node.place,
                    &format!("networks.{name}.{key}"),
                    format!("is {address}, which no subnet of the network has"),
                    "an address of one of its subnets",
                );
            }
            if let Some(node) = usage.get(key).filter(|node| says_something(node))
                && !has_addresses(network)
            {
                container.refuse(
                    &node.place,
                    &format!("networks.{name}.{key}"),
                    "is an address in a network without a subnet",
                    format!("a subnet under networks.{name}.ipam.config, or no address"),
                );
            }
        }
    }
}

/// Whether addresses of a network are the author's to give: it says its subnet, or somebody else made it.
fn has_addresses(network: Option<&Node>) -> bool {
    let Some(network) = network else { return false };
    let is_external = network
        .get("external")
        .is_some_and(|external| external.is_true() || external.map().is_some());
    let has_driver = network
        .get_text("driver")
        .is_some_and(|driver| !matches!(driver, "" | "bridge" | "overlay"));
    let ipam = network.get("ipam");
    let has_other_ipam = ipam
        .and_then(|ipam| ipam.get_text("driver"))
        .is_some_and(|driver| !matches!(driver, "" | "default"));
    let pools = ipam.and_then(|ipam| ipam.get("config")).and_then(Node::list);
    is_external
        || has_driver
        || has_other_ipam
        || pools.is_some_and(|pools| pools.iter().any(|pool| pool.get("subnet").is_some_and(says_something)))
}

/// Whether settings of the kernel are among these that belong to a network.
fn sets_network(settings: &Node) -> bool {
    let names = settings.names();
    names
        .iter()
        .any(|(name, _)| name.starts_with("net.") || name.starts_with("net/"))
}

fn says_something(node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Text(text) => !text.value.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(entries) => !Map::is_empty(entries),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => true,
    }
}
