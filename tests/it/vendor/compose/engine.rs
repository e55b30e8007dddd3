//! What an engine refuses when it makes a container, refused before; and what it takes, taken.
//!
//! `verdicts/engine.txt` has one line for each thing that a service may say. The verdicts are those of dockerd 20.10, asked by `docker
//! compose create` 5.6: it refuses most of them when the container is made, and `ipc`, `ulimits`, `sysctls`, options of `tmpfs` and of
//! `logging` and long names when it starts. Plugins for logs are the host's business, whatever one engine has.

use airlock::bundle::desired::DockerMode;
use airlock::domain::Class;

use super::{load_from, one, write};

fn problems(text: &str, mode: DockerMode) -> Vec<(Class, &'static str, String)> {
    let folder = crate::support::appliance::scratch();
    write(folder.path(), &[("compose.yaml", text)]);
    let project = load_from(folder.path(), &one("engine", &[]), mode).unwrap_or_else(|error| panic!("{text}: {error}"));
    let problems = project.problems().iter();
    problems
        .map(|problem| (problem.class, problem.code.as_str(), problem.to_string()))
        .collect()
}

#[test]
fn what_an_engine_refuses_is_refused_with_its_place() {
    let mut wrong = Vec::new();
    let (mut refused, mut taken) = (0, 0);
    for line in include_str!("verdicts/engine.txt").lines() {
        let (verdict, keys) = line.split_once(' ').unwrap();
        let keys = keys.trim();
        let mut text = "services:\n  w:\n    image: a/b:1\n".to_owned();
        for key in keys.split(" && ") {
            text += &format!("    {key}\n");
        }
        text += "  v:\n    image: a/b:1\n";
        let found = problems(&text, DockerMode::Compose);
        let is_named = found.iter().all(|(class, code, said)| {
            let place = said
                .split_once("compose.yaml:")
                .map(|(_, place)| place.starts_with(['4', '5']));
            *class == Class::Usage && *code == "value" && place == Some(true)
        });
        match verdict {
            "refuses" if found.len() == 1 && is_named => refused += 1,
            "takes" if found.is_empty() => taken += 1,
            _ => wrong.push(format!("{line}: {found:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 70 && taken > 40, "{refused} {taken}");
}

#[test]
fn what_another_file_corrects_or_nobody_runs_is_no_mistake() {
    let service = |name: &str, more: &str| format!("  {name}:\n    image: a/b:1\n    {more}\n");
    let text = format!(
        "services:\n{}{}{}",
        service("base", "working_dir: rel\n    profiles: [off]"),
        service("w", "extends: base\n    working_dir: /app\n    profiles: !reset []"),
        service("v", "working_dir: ${DIR}${COMPOSE_PROJECT_NAME}"),
    );
    assert_eq!(problems(&text, DockerMode::Compose), []);
    let text = format!("services:\n{}", service("w", "working_dir: rel"));
    assert_eq!(problems(&text, DockerMode::Compose).len(), 1);
    assert_eq!(problems(&text, DockerMode::Swarm).len(), 1);
}

#[test]
fn names_of_volumes_and_addresses_in_networks_are_judged_too() {
    let with = |more: &str, rest: &str| format!("services:\n  w:\n    image: a/b:1\n    {more}\n{rest}");
    for (more, good, bad) in [
        (
            "volumes: [\"dd:/d\"]",
            "volumes: {dd: {name: my-data}}",
            "volumes: {dd: {name: x}}",
        ),
        (
            "networks: {n: {ipv4_address: 10.0.0.9}}",
            "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}",
            "networks: {n: {driver: bridge}}",
        ),
        (
            "networks: {n: {ipv6_address: \"fd00::9\"}}",
            "networks: {n: {external: true}}",
            "networks: {n: }",
        ),
        (
            "networks: {n: {ipv4_address: 10.0.0.9}}",
            "networks: {n: {ipam: {config: [{subnet: 10.0.0.5/24, gateway: 10.0.0.1, aux_addresses: {a: 10.0.0.2}}]}}}",
            "networks: {n: {ipam: {config: [{subnet: 10.0.1.0/24}]}}}",
        ),
        (
            "networks: [n]",
            "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}",
            "networks: {n: {ipam: {config: [{subnet: foo}]}}}",
        ),
        (
            "networks: [n]",
            "networks: {n: {ipam: {config: [{}]}}}",
            "networks: {n: {ipam: {config: [{gateway: 10.0.0.1}]}}}",
        ),
        (
            "networks: [n]",
            "networks: {n: {ipam: {driver: other, config: [{subnet: foo}]}}}",
            "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.1.0.1}]}}}",
        ),
        (
            "networks: [n]",
            "networks: {n: , unused: {ipam: {config: [{subnet: foo}]}}}",
            "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24, ip_range: foo}]}}}",
        ),
    ] {
        assert_eq!(problems(&with(more, good), DockerMode::Compose), [], "{good}");
        let found = problems(&with(more, bad), DockerMode::Compose);
        assert!(
            matches!(found.as_slice(), [(Class::Usage, "value", _)]),
            "{bad}: {found:?}"
        );
    }
}
