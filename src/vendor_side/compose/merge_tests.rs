//! One document over another: a row for each rule, written as it comes out.

use std::path::Path;

use super::super::emitter::emit;
use super::super::environment::Environment;
use super::super::interpolation::{Findings, Scope, interpolate};
use super::super::merge_tags;
use super::super::reader::read;
use super::super::unique;
use super::*;

/// Merges documents in order, and returns the result and what stands against it.
fn merge_all(documents: &[String]) -> (Map, Vec<Problem>) {
    let scope = Scope {
        main: Environment::parse(Path::new("env"), b"K=A\nPORT=8080\nTARGET=/data").unwrap(),
        own: Environment::default(),
    };
    let mut findings = Findings::default();
    let mut whole = Map::new();
    for text in documents {
        for mut document in read(Path::new("f"), text.as_bytes()).unwrap() {
            interpolate(&mut document, &scope, &mut findings);
            let entries = document.map().unwrap().clone();
            merge_tags::apply_entries(&mut whole, &entries, &mut Vec::new());
            merge_tags::strip(&mut document);
            let place = document.place.clone();
            let before = Node::new(&place, Value::Map(whole));
            let merged = merge(before, document, &mut Vec::new(), &mut findings.problems);
            whole = merged.map().unwrap().clone();
            unique::enforce(&mut whole);
        }
    }
    (whole, findings.problems)
}

/// Merges two values of a service's key, and returns what is left of the service, in one line of JSON-like YAML.
fn service(base: &str, over: &str) -> String {
    let wrap = |text: &str| format!("services: {{s: {{{text}}}}}");
    let (merged, problems) = merge_all(&[wrap(base), wrap(over)]);
    assert!(problems.is_empty(), "{base} / {over}: {problems:?}");
    let service = merged["services"].get("s").unwrap();
    flat(service)
}

/// Writes a value in flow style: what is quoted is a text.
fn flat(node: &Node) -> String {
    match &node.value {
        Value::Map(map) => {
            let items: Vec<String> = map.iter().map(|(key, node)| format!("{key}: {}", flat(node))).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::List(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::Text(text) => format!("'{}'", text.raw),
        Value::Null => "null".into(),
        _ => node.spoken().unwrap(),
    }
}

#[test]
fn every_rule() {
    for (base, over, merged) in [
        // single values
        ("image: a", "image: b", "{image: 'b'}"),
        ("image: a", "image: null", "{image: 'a'}"),
        ("image: a", "restart: b", "{image: 'a', restart: 'b'}"),
        ("image: $K", "image: '${K}-b'", "{image: '${K}-b'}"),
        ("tty: true", "tty: 'no'", "{tty: 'no'}"),
        // mappings within mappings
        (
            "deploy: {replicas: 1, resources: {limits: {cpus: '1'}}}",
            "deploy: {resources: {limits: {memory: 1g}}}",
            "{deploy: {replicas: 1, resources: {limits: {cpus: '1', memory: '1g'}}}}",
        ),
        // lists one after the other
        (
            "security_opt: [a]",
            "security_opt: [b, a]",
            "{security_opt: ['a', 'b', 'a']}",
        ),
        (
            "deploy: {placement: {constraints: [a]}}",
            "deploy: {placement: {constraints: [b]}}",
            "{deploy: {placement: {constraints: ['a', 'b']}}}",
        ),
        // replaced
        ("command: [a, b]", "command: c", "{command: 'c'}"),
        ("entrypoint: a", "entrypoint: [b]", "{entrypoint: ['b']}"),
        ("command: a", "command: null", "{command: null}"),
        (
            "healthcheck: {test: [CMD, a], retries: 1}",
            "healthcheck: {test: b}",
            "{healthcheck: {retries: 1, test: 'b'}}",
        ),
        (
            "ulimits: {nofile: {soft: 1, hard: 2}}",
            "ulimits: {nofile: 3, nproc: 4}",
            "{ulimits: {nofile: 3, nproc: 4}}",
        ),
        // pairs, in either form
        (
            "environment: {A: 1, B: x}",
            "environment: {B: y}",
            "{environment: ['A=1', 'B=y']}",
        ),
        (
            "environment: [A=1, B]",
            "environment: {B: 2, C: }",
            "{environment: ['A=1', 'B=2', 'C']}",
        ),
        (
            "environment: {A: $K}",
            "environment: ['${K}=2']",
            "{environment: ['${K}=2']}",
        ),
        (
            "environment: {'P$Q': 'a$$b'}",
            "environment: [R=1]",
            "{environment: ['P$$Q=a$$b', 'R=1']}",
        ),
        (
            "environment: {F: 1.50, T: true, O: 0440}",
            "environment: {}",
            "{environment: ['F=1.5', 'O=288', 'T=true']}",
        ),
        ("environment: null", "environment: [A=1]", "{environment: ['A=1']}"),
        ("environment: [A=1]", "environment: null", "{environment: ['A=1']}"),
        ("labels: [a=1, b=2]", "labels: {a: '3'}", "{labels: ['a=3', 'b=2']}"),
        (
            "annotations: {a: '1'}",
            "annotations: [b=2]",
            "{annotations: ['a=1', 'b=2']}",
        ),
        ("sysctls: {a.b: 1}", "sysctls: [a.b=2]", "{sysctls: ['a.b=2']}"),
        (
            "deploy: {labels: {a: '1'}}",
            "deploy: {labels: [a=2]}",
            "{deploy: {labels: ['a=2']}}",
        ),
        // one or many
        (
            "dns: 1.1.1.1",
            "dns: [2.2.2.2, 1.1.1.1]",
            "{dns: ['1.1.1.1', '2.2.2.2']}",
        ),
        ("dns_search: a", "dns_search: b", "{dns_search: ['a', 'b']}"),
        ("dns_opt: [a:1]", "dns_opt: [b]", "{dns_opt: ['a:1', 'b']}"),
        (
            "tmpfs: /run",
            "tmpfs: ['/tmp:size=1m', /run]",
            "{tmpfs: ['/run', '/tmp:size=1m']}",
        ),
        ("env_file: a", "env_file: [b, a]", "{env_file: ['a', 'b']}"),
        (
            "extra_hosts: ['a=1', 'b=2']",
            "extra_hosts: {a: '1', c: ['3', '4']}",
            "{extra_hosts: ['a=1', 'b=2', 'c=3', 'c=4']}",
        ),
        // names
        (
            "depends_on: [a]",
            "depends_on: [b]",
            "{depends_on: {a: {condition: 'service_started', required: true}, b: {condition: 'service_started', required: true}}}",
        ),
        (
            "depends_on: [a]",
            "depends_on: {a: {condition: service_healthy}}",
            "{depends_on: {a: {condition: 'service_healthy', required: true}}}",
        ),
        (
            "networks: [a]",
            "networks: {a: {aliases: [x]}, b: }",
            "{networks: {a: {aliases: ['x']}, b: null}}",
        ),
        (
            "networks: {a: {aliases: [x]}}",
            "networks: [a, b]",
            "{networks: {a: {aliases: ['x']}, b: null}}",
        ),
        (
            "networks: {a: {aliases: [x, y]}}",
            "networks: {a: {aliases: [y, z]}}",
            "{networks: {a: {aliases: ['x', 'y', 'z']}}}",
        ),
        (
            "models: [a]",
            "models: {b: {endpoint_var: X}}",
            "{models: {a: null, b: {endpoint_var: 'X'}}}",
        ),
        ("build: .", "build: {target: x}", "{build: {context: '.', target: 'x'}}"),
        (
            "build: {args: {A: '1'}}",
            "build: {args: [A=2]}",
            "{build: {args: ['A=2']}}",
        ),
        // logging
        (
            "logging: {driver: a, options: {x: '1'}}",
            "logging: {driver: b}",
            "{logging: {driver: 'b'}}",
        ),
        (
            "logging: {driver: a, options: {x: '1'}}",
            "logging: {driver: a, options: {y: '2'}}",
            "{logging: {driver: 'a', options: {x: '1', y: '2'}}}",
        ),
        (
            "logging: {driver: a, options: {x: '1'}}",
            "logging: {options: {x: '2'}}",
            "{logging: {driver: 'a', options: {x: '2'}}}",
        ),
        // the same entry again
        (
            "volumes: ['one:/a', 'two:/b']",
            "volumes: ['three:/a/', {type: tmpfs, target: /b}]",
            "{volumes: ['three:/a/', {target: '/b', type: 'tmpfs'}]}",
        ),
        (
            "volumes: ['one:/data']",
            "volumes: ['two:$TARGET']",
            "{volumes: ['two:$TARGET']}",
        ),
        (
            "devices: ['/dev/a:/dev/x', /dev/y]",
            "devices: ['/dev/b:/dev/x:r', {source: /c, target: /dev/y}]",
            "{devices: ['/dev/b:/dev/x:r', {source: '/c', target: '/dev/y'}]}",
        ),
        (
            "configs: [a, b]",
            "configs: [{source: x, target: /a}, {source: b}]",
            "{configs: [{source: 'x', target: '/a'}, {source: 'b'}]}",
        ),
        (
            "secrets: [a]",
            "secrets: [{source: b, target: /run/secrets/a}]",
            "{secrets: [{source: 'b', target: '/run/secrets/a'}]}",
        ),
        ("expose: [1, '2']", "expose: ['1', 3]", "{expose: ['1', '2', 3]}"),
        ("profiles: [a]", "profiles: [a, b]", "{profiles: ['a', 'b']}"),
        ("cap_add: [A]", "cap_add: [B, A]", "{cap_add: ['A', 'B']}"),
        ("links: ['a:b']", "links: ['a:b', c]", "{links: ['a:b', 'c']}"),
        (
            "ports: ['80:80']",
            "ports: ['80:80', '81:80']",
            "{ports: ['80:80', '81:80']}",
        ),
        (
            "ports: ['80:80']",
            "ports: [{target: 80, published: '80', mode: host}]",
            "{ports: [{mode: 'host', published: '80', target: 80}]}",
        ),
        (
            "ports: ['$PORT:80']",
            "ports: ['0.0.0.0:8080:80/tcp']",
            "{ports: ['0.0.0.0:8080:80/tcp']}",
        ),
        (
            "ports: ['80:80']",
            "ports: ['80:80/udp', '127.0.0.1:80:80']",
            "{ports: ['80:80', '80:80/udp', '127.0.0.1:80:80']}",
        ),
        (
            "ports: ['90-92:90-92', 5]",
            "ports: ['91:91']",
            "{ports: ['90:90/tcp', '91:91', '92:92/tcp', 5]}",
        ),
        (
            "ports: ['90-92:90-92']",
            "ports: ['93:93']",
            "{ports: ['90-92:90-92', '93:93']}",
        ),
        // taken away
        ("ports: ['80:80']", "ports: !override ['81:81']", "{ports: ['81:81']}"),
        ("ports: ['80:80'], image: a", "ports: !reset []", "{image: 'a'}"),
        (
            "environment: {A: 1, B: 2}",
            "environment: {A: !reset null}",
            "{environment: ['B=2']}",
        ),
        (
            "depends_on: [a, b]",
            "depends_on: {a: !reset null}",
            "{depends_on: {b: {condition: 'service_started', required: true}}}",
        ),
        ("labels: {a: '1'}", "labels: !override {b: '2'}", "{labels: {b: '2'}}"),
        ("image: a", "command: !reset x", "{image: 'a'}"),
    ] {
        assert_eq!(service(base, over), merged, "{base}\n{over}");
    }
}

#[test]
fn resources_and_pools() {
    let (merged, problems) = merge_all(&[
        "networks: {n: {labels: {a: '1'}, ipam: {config: [{subnet: 10.1.0.0/16}]}}, m: }\nvolumes: {v: {labels: [a=1]}}\nx-a: {l: [1]}".into(),
        "networks: {n: {labels: [a=2], ipam: {config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.1}, {subnet: 10.2.0.0/16}]}}, m: {internal: true}}\nvolumes: {v: {labels: {b: '2'}}}\nx-a: {l: [2]}".into(),
    ]);
    assert!(problems.is_empty());
    assert_eq!(
        flat(&Node::new(&merged["networks"].place, Value::Map(merged.clone()))),
        "{networks: {m: {internal: true}, n: {ipam: {config: [{gateway: '10.1.0.1', subnet: '10.1.0.0/16'}, {subnet: '10.2.0.0/16'}]}, labels: ['a=2']}}, volumes: {v: {labels: ['a=1', 'b=2']}}, x-a: {l: [1, 2]}}"
    );
}

#[test]
fn what_does_not_fit_together_is_named() {
    for (base, over) in [
        ("deploy: {replicas: 1}", "deploy: [a]"),
        ("security_opt: [a]", "security_opt: a"),
    ] {
        let wrap = |text: &str| format!("services: {{s: {{{text}}}}}");
        let (_, problems) = merge_all(&[wrap(base), wrap(over)]);
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        assert_eq!(problem.code.as_str(), "merge");
        assert!(problem.found.starts_with("services.s."), "{problem}");
    }
}

#[test]
fn a_merged_document_is_written_the_same_in_any_order_of_keys() {
    let one = merge_all(&["services: {a: {image: x, tty: true}, b: {image: y}}".into()]).0;
    let two = merge_all(&["services: {b: {image: y}, a: {tty: true, image: x}}".into()]).0;
    assert_eq!(emit(&one), emit(&two));
}
