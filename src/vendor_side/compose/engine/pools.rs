//! Addresses of networks: which of them an engine can read, and which lie within one another.

use std::net::IpAddr;

use super::super::node::{Map, Node};
use super::super::problem::{Problem, cut};
use super::super::profiles::uses;
use super::container::known;

const SUBNET: &str = "an address and the length of its prefix, such as 10.1.0.0/24";
const ADDRESS: &str = "an address such as 10.1.0.1";

/// An address and how many of its bits a network has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subnet {
    address: IpAddr,
    length: u32,
}

impl Subnet {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let length: u32 = length.parse().ok()?;
        (length <= bits(address).1).then_some(Self { address, length })
    }

    pub(super) fn holds(self, address: IpAddr) -> bool {
        let ((own, width), (other, of_other)) = (bits(self.address), bits(address));
        let rest = width.saturating_sub(self.length);
        width == of_other && (own ^ other).checked_shr(rest).unwrap_or(0) == 0
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The subnets that a network says; nothing where they are somebody else's to say, or cannot be read.
pub(super) fn subnets(network: &Node) -> Option<Vec<Subnet>> {
    let pools = network.get("ipam")?.get("config")?.list()?;
    if is_foreign(network) {
        return None;
    }
    pools
        .iter()
        .map(|pool| pool.get("subnet").and_then(known).and_then(Subnet::parse))
        .collect()
}

/// Whether the addresses of a network are not the engine's own to give.
fn is_foreign(network: &Node) -> bool {
    let is_external = network
        .get("external")
        .is_some_and(|external| external.is_true() || external.map().is_some());
    let ipam = network.get("ipam").and_then(|ipam| ipam.get_text("driver"));
    is_external || ipam.is_some_and(|driver| !matches!(driver, "" | "default"))
}

/// Notes addresses of networks that an engine refuses, as far as services are in them.
pub(super) fn check(root: &Map, problems: &mut Vec<Problem>) {
    let services = root.get("services").and_then(Node::map);
    for (name, network) in root.get("networks").and_then(Node::map).into_iter().flatten() {
        let mut users = services.into_iter().flat_map(Map::values);
        let is_used = users.any(|service| {
            let mut used = uses(service, "networks").into_iter();
            used.any(|(used, _)| used == name) || (name == "default" && service.get("networks").is_none())
        });
        let pools = network.get("ipam").and_then(|ipam| ipam.get("config"));
        if !is_used || is_foreign(network) {
            continue;
        }
        for pool in pools.and_then(Node::list).unwrap_or_default() {
            pool_of(name, pool, problems);
        }
    }
}

fn pool_of(name: &str, pool: &Node, problems: &mut Vec<Problem>) {
    let mut refuse = |node: &Node, found: String, expected: &str| {
        let found = format!("networks.{name}.ipam.config {found}, which no engine takes");
        problems.push(Problem::usage("value", &node.place, found, "correct it, or remove it").expected(expected));
    };
    let said = |key: &str| {
        let node = pool.get(key)?;
        known(node).filter(|text| !text.is_empty()).map(|text| (node, text))
    };
    let subnet = said("subnet");
    let read = subnet.and_then(|(_, text)| Subnet::parse(text));
    match subnet {
        Some((node, text)) if read.is_none() => refuse(node, format!("has the subnet {:?}", cut(text)), SUBNET),
        None if pool.get("subnet").is_none() && (said("gateway").is_some() || said("ip_range").is_some()) => {
            refuse(pool, "has addresses and no subnet".to_owned(), SUBNET);
        }
        _ => {}
    }
    if let Some((node, text)) = said("ip_range").filter(|(_, text)| Subnet::parse(text).is_none()) {
        refuse(node, format!("has the ip_range {:?}", cut(text)), SUBNET);
    }
    if let Some((node, text)) = said("gateway") {
        match (text.parse::<IpAddr>(), read) {
            (Err(_), _) => refuse(node, format!("has the gateway {:?}", cut(text)), ADDRESS),
            (Ok(gateway), Some(subnet)) if !subnet.holds(gateway) => {
                refuse(
                    node,
                    format!("has the gateway {text} outside of its subnet"),
                    "an address of the subnet",
                );
            }
            _ => {}
        }
    }
    for (_, node) in pool.get("aux_addresses").and_then(Node::map).into_iter().flatten() {
        if let Some(text) = known(node).filter(|text| text.parse::<IpAddr>().is_err()) {
            refuse(node, format!("has the aux_address {:?}", cut(text)), ADDRESS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_holds_its_addresses() {
        for (subnet, inside, outside) in [
            ("10.1.0.0/24", "10.1.0.9", "10.1.1.9"),
            ("10.1.0.5/24", "10.1.0.9", "::1"),
            ("fd00::/64", "fd00::9", "fd00:0:0:1::9"),
            ("10.1.0.0/32", "10.1.0.0", "10.1.0.1"),
        ] {
            let subnet = Subnet::parse(subnet).unwrap();
            assert!(subnet.holds(inside.parse().unwrap()) && !subnet.holds(outside.parse().unwrap()));
        }
        assert!(Subnet::parse("::/0").unwrap().holds("fd00::1".parse().unwrap()));
        for text in ["", "foo", "10.1.0.0", "10.1.0.0/33", "fd00::/129", "10.1/16"] {
            assert!(Subnet::parse(text).is_none(), "{text}");
        }
    }
}
