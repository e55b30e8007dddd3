//! Keys that compose, and stacks of a swarm, know. An agent's compose refuses a file with any other.

use super::node::{Map, Node};
use super::problem::{Problem, cut};
use crate::bundle::desired::DockerMode;
use crate::vendor_side::suggest::nearest;

const TOP: &str = "configs include models name networks secrets services version volumes";

const SERVICE: &str = "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs \
    container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset \
    credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint \
    env_file environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc \
    isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models \
    network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_start pre_stop \
    privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale secrets security_opt \
    shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user \
    userns_mode uts volumes volumes_from working_dir";

const NETWORK: &str = "attachable driver driver_opts enable_ipv4 enable_ipv6 external internal ipam labels name";
const VOLUME: &str = "driver driver_opts external labels name";
const SECRET: &str = "content driver driver_opts environment external file labels name template_driver";
const CONFIG: &str = "content environment external file labels name template_driver";

/// What a stack of a swarm knows of a service.
const STACK_SERVICE: &str = "build cap_add cap_drop cgroup_parent cgroupns_mode command configs container_name \
    credential_spec depends_on deploy devices dns dns_search domainname entrypoint env_file environment expose \
    external_links extra_hosts healthcheck hostname image init ipc isolation labels links logging mac_address \
    network_mode networks oom_score_adj pid ports privileged read_only restart secrets security_opt shm_size \
    stdin_open stop_grace_period stop_signal sysctls tmpfs tty ulimits user userns_mode volumes working_dir";

/// Notes every key that is not known where it stands. Keys that begin with `x-` may be anything.
pub(super) fn check(root: &Map, mode: DockerMode, problems: &mut Vec<Problem>) {
    check_keys(root, TOP, "a compose file", problems);
    let (service, whose) = match mode {
        DockerMode::Compose => (SERVICE, "a service"),
        DockerMode::Swarm => (STACK_SERVICE, "a service of a swarm's stack"),
    };
    for (kind, known, whose) in [
        ("services", service, whose),
        ("networks", NETWORK, "a network"),
        ("volumes", VOLUME, "a volume"),
        ("secrets", SECRET, "a secret"),
        ("configs", CONFIG, "a config"),
    ] {
        for node in root.get(kind).and_then(Node::map).into_iter().flat_map(Map::values) {
            if let Some(entries) = node.map() {
                check_keys(entries, known, whose, problems);
            }
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
