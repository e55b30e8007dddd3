//! Published ports: what two entries must agree in to be the same one.

use std::net::IpAddr;

use super::node::Node;

/// Ports of one entry; a range of container ports is as many ports.
const RANGE: u32 = 1024;

/// A port as compose sees it: host address, published port or range, container port, protocol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    host: String,
    published: String,
    target: String,
    protocol: String,
}

impl Port {
    /// Returns the short syntax for it.
    pub(super) fn short(&self) -> String {
        let Self {
            host,
            published,
            target,
            protocol,
        } = self;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        match (host.as_str(), published.as_str()) {
            ("0.0.0.0", "") => format!("{target}/{protocol}"),
            ("0.0.0.0", published) => format!("{published}:{target}/{protocol}"),
            (host, published) => format!("{host}:{published}:{target}/{protocol}"),
        }
    }

    /// Returns the ports of an entry in either syntax; none for what compose would refuse.
    pub(super) fn of(entry: &Node) -> Option<Vec<Self>> {
        if entry.map().is_none() {
            return short(&entry.spoken()?);
        }
        let word = |key: &str| entry.get(key).and_then(Node::spoken);
        Some(vec![Self {
            host: word("host_ip").unwrap_or_else(|| "0.0.0.0".to_owned()),
            published: word("published").unwrap_or_default(),
            target: word("target")?,
            protocol: word("protocol").unwrap_or_else(|| "tcp".to_owned()),
        }])
    }
}

/// Whether compose takes a text for ports in the short syntax: addresses, numbers and ranges as engines read them.
pub(super) fn is_short(text: &str) -> bool {
    let mut parts: Vec<&str> = text.split(':').collect();
    let container = parts.pop().unwrap_or_default();
    let published = parts.pop().unwrap_or_default();
    let host = parts.join(":");
    let (container, protocol) = container.split_once('/').unwrap_or((container, ""));
    if !is_protocol(protocol) {
        return false;
    }
    let address = match host.strip_prefix('[') {
        None => host.as_str(),
        Some(inner) => match inner.strip_suffix(']') {
            None => return false,
            Some(inner) => inner,
        },
    };
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return false;
    }
    // A container listens on none that is 0; the host's may be any one then.
    let Some((first, last)) = ports(container).filter(|(first, _)| *first > 0) else {
        return false;
    };
    if published.is_empty() {
        return true;
    }
    // One container port may be published on any of a range.
    ports(published).is_some_and(|(low, high)| first == last || high.abs_diff(low) == last.abs_diff(first))
}

/// Whether a text is a protocol that ports have; nothing stands for tcp.
pub(super) fn is_protocol(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "" | "tcp" | "udp" | "sctp")
}

/// Whether a text is a port, or a range of ports.
pub(super) fn is_range(text: &str) -> bool {
    ports(text).is_some()
}

/// Reads a port or a range of ports.
fn ports(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.strip_prefix('+').unwrap_or(text).parse::<u16>().ok();
    match text.split_once('-') {
        None => number(text).map(|only| (only, only)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some((first, last))
        }
    }
}

/// Reads `[[HOST:][PUBLISHED]:]TARGET[/PROTOCOL]`, each port perhaps a range.
fn short(text: &str) -> Option<Vec<Port>> {
    let (text, protocol) = match text.split_once('/') {
        Some((text, protocol)) => (text, protocol.to_lowercase()),
        None => (text, "tcp".to_owned()),
    };
    let (rest, target) = match text.rsplit_once(':') {
        Some((rest, target)) => (Some(rest), target),
        None => (None, text),
    };
    let (host, published) = match rest.map(|rest| rest.rsplit_once(':').unwrap_or(("", rest))) {
        Some((host, published)) => (host.trim_start_matches('[').trim_end_matches(']'), published),
        None => ("", ""),
    };
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let (first, last) = range(target)?;
    let published_range = (!published.is_empty()).then(|| range(published)).flatten();
    if !published.is_empty() && published_range.is_none() {
        return None;
    }
    let port = |published: String, target: u32| Port {
        host: host.to_owned(),
        published,
        target: target.to_string(),
        protocol: protocol.clone(),
    };
    match published_range {
        None => Some((first..=last).map(|target| port(String::new(), target)).collect()),
        Some(_) if first == last => Some(vec![port(published.to_owned(), first)]),
        Some((low, high)) if high.checked_sub(low) == last.checked_sub(first) => Some(
            (low..=high)
                .zip(first..=last)
                .map(|(published, target)| port(published.to_string(), target))
                .collect(),
        ),
        Some(_) => None,
    }
}

fn range(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| text.parse::<u16>().ok().map(u32::from);
    match text.split_once('-') {
        None => number(text).map(|only| (only, only)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last && last.saturating_sub(first) < RANGE).then_some((first, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_syntax() {
        for (text, meant) in [
            ("80", vec!["80/tcp"]),
            ("80/UDP", vec!["80/udp"]),
            ("8080:80", vec!["8080:80/tcp"]),
            ("0.0.0.0:8080:80", vec!["8080:80/tcp"]),
            ("127.0.0.1:8080:80/udp", vec!["127.0.0.1:8080:80/udp"]),
            ("127.0.0.1::80", vec!["127.0.0.1::80/tcp"]),
            ("[::1]:8080:80", vec!["[::1]:8080:80/tcp"]),
            ("3000-3001", vec!["3000/tcp", "3001/tcp"]),
            ("9000-9001:3000-3001", vec!["9000:3000/tcp", "9001:3001/tcp"]),
            ("9000-9009:80", vec!["9000-9009:80/tcp"]),
        ] {
            let ports: Vec<_> = short(text).unwrap().iter().map(Port::short).collect();
            assert_eq!(ports, meant, "{text}");
        }
        for text in ["", "x", "8080:", "99999", "1-2:3-5", "2-1", "a:80"] {
            assert_eq!(short(text), None, "{text}");
        }
    }
}
