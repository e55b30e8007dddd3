//! How people and programs are told what of a release only its own clients see (D18 c).

use serde_json::{Value, json};

use crate::appliance::{Hidden, Owner};
use crate::domain::counted;

/// Tags that people are shown; the rest is counted.
const SHOWN: usize = 20;

/// Returns one more line for each hidden name, or nothing.
pub(super) fn lines(hidden: &Hidden) -> String {
    let hosts = hidden.hosts.iter().map(ToString::to_string);
    let tags = hidden.tags.iter().take(SHOWN).map(ToString::to_string);
    let mut out = String::new();
    for line in hosts.chain(tags) {
        out += &format!("\nhidden: {line}; what this release has there reaches its own agents alone");
    }
    let more = hidden.tags.len().saturating_sub(SHOWN);
    if more > 0 {
        out += &format!("\nhidden: {more} more tags (`airlock release show RELEASE --format json` names them)");
    }
    out
}

/// Returns a few words for a list, or nothing.
pub(super) fn word(hidden: &Hidden) -> String {
    if hidden.is_empty() {
        return String::new();
    }
    let hosts: Vec<&str> = hidden.hosts.iter().map(|host| host.host.as_str()).collect();
    let below = if hosts.is_empty() {
        String::new()
    } else {
        format!("everything below {}", hosts.join(", "))
    };
    let tags = match hidden.tags.len() {
        0 => String::new(),
        count => counted(count, "tag"),
    };
    let parts: Vec<String> = [tags, below].into_iter().filter(|part| !part.is_empty()).collect();
    format!("  hidden: {}", parts.join(", "))
}

pub(super) fn to_json(hidden: &Hidden) -> Value {
    let tags = hidden.tags.iter().map(|tag| {
        let owner = match &tag.owner {
            Owner::Scope(scope) => {
                json!({"domain": scope.domain, "product": scope.product, "channel": scope.channel})
            }
            Owner::Domain(domain) => json!({ "domain": domain }),
        };
        json!({"repository": tag.repository, "tag": tag.tag, "owner": owner})
    });
    let hosts = hidden
        .hosts
        .iter()
        .map(|host| json!({"host": host.host, "owner": {"domain": host.domain}}));
    json!({"tags": tags.collect::<Vec<_>>(), "hosts": hosts.collect::<Vec<_>>()})
}
