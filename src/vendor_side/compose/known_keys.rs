//! Keys that a stack of a swarm knows. An engine refuses a stack with any other.

use super::node::{Map, Node};
use super::problem::{Problem, cut};
use crate::suggest::nearest;

/// What a stack of a swarm knows of a service.
const STACK_SERVICE: &str = "build cap_add cap_drop cgroup_parent cgroupns_mode command configs container_name \
    credential_spec depends_on deploy devices dns dns_search domainname entrypoint env_file environment expose \
    external_links extra_hosts healthcheck hostname image init ipc isolation labels links logging mac_address \
    network_mode networks oom_score_adj pid ports privileged read_only restart secrets security_opt shm_size \
    stdin_open stop_grace_period stop_signal sysctls tmpfs tty ulimits user userns_mode volumes working_dir";

/// Notes every key that a stack does not know. Keys that begin with `x-` may be anything.
pub(super) fn check(root: &Map, problems: &mut Vec<Problem>) {
    for service in root
        .get("services")
        .and_then(Node::map)
        .into_iter()
        .flat_map(Map::values)
    {
        if let Some(entries) = service.map() {
            check_keys(entries, STACK_SERVICE, "a service of a swarm's stack", problems);
        }
    }
}

fn check_keys(entries: &Map, known: &str, whose: &str, problems: &mut Vec<Problem>) {
    for (key, node) in entries {
        if key.starts_with("x-") || known.split_whitespace().any(|word| word == key) {
            continue;
        }
        let remedy = match nearest(key, known.split_whitespace()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "remove it, or let its name begin with x-".to_owned(),
        };
        problems.push(Problem::new(
            "unknown-key",
            &node.place,
            format!("{:?} is no key of {whose}", cut(key)),
            remedy,
        ));
    }
}
