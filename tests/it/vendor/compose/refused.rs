//! What is refused, each with its positive twin: builds, what compose would fetch, files that no agent has, secrets, hostile YAML.

use std::path::PathBuf;

use airlock::bundle::desired::DockerMode;
use airlock::domain::Class;
use airlock::vendor_side::compose::{Environment, Project};

use super::{Case, load_from, one, resolve, write};

type Files = &'static [(&'static str, &'static str)];

/// Loads files of which `compose.yaml` is given.
fn load(files: Files, mode: DockerMode) -> airlock::domain::Result<Project> {
    let folder = crate::support::appliance::scratch();
    write(folder.path(), files);
    let case = Case {
        env: "REGISTRY=registry.example.com\nDIR=./data\n",
        ..one("refused", &[])
    };
    load_from(folder.path(), &case, mode)
}

/// Codes of the problems of a service `a`, its image given.
fn codes(rest: &str, mode: DockerMode) -> Vec<&'static str> {
    let text = format!("services:\n  a:\n    image: acme/a:1\n{rest}");
    let folder = crate::support::appliance::scratch();
    write(folder.path(), &[("compose.yaml", &text)]);
    let case = Case {
        env: "DIR=./data\nROOT=/srv\nEMPTY=\n",
        ..one("refused", &[])
    };
    let project = load_from(folder.path(), &case, mode).unwrap_or_else(|error| panic!("{rest}: {error}"));
    let codes: Vec<_> = project.problems().iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(project.check().is_err(), !codes.is_empty(), "{rest}");
    assert_eq!(
        project.rewrite(&resolve_all(&project), "distr-1").is_err(),
        !codes.is_empty(),
        "{rest}"
    );
    codes
}

fn resolve_all(
    project: &Project,
) -> std::collections::BTreeMap<String, (airlock::domain::RepositoryName, airlock::domain::Digest)> {
    if project.problems().is_empty() {
        resolve(project)
    } else {
        std::collections::BTreeMap::new()
    }
}

#[test]
fn what_no_site_can_do_is_refused_by_name() {
    use DockerMode::{Compose, Swarm};
    for (mode, rest, expected) in [
        (Compose, "", &[][..]),
        (Compose, "    build: .\n", &[]),
        (Compose, "    build: {context: ., pull: true}\n", &[]),
        (Compose, "    build: null\n", &["value"]),
        (Compose, "  b: {build: .}\n", &["build"]),
        (Compose, "    pull_policy: build\n", &[]),
        (Compose, "    pull_policy: never\n", &[]),
        (Compose, "    pull_policy: sometimes\n", &["value"]),
        (Compose, "    pull_policy: always\n", &[]),
        (Compose, "    pull_policy: missing\n", &[]),
        (Compose, "    provider: {type: cloud}\n", &["provider"]),
        (
            Compose,
            "    models: [m]\nmodels: {m: {model: ai/small}}\n",
            &["models"],
        ),
        (Compose, "    env_file: a.env\n", &["file"]),
        (
            Compose,
            "    env_file: [a.env, {path: b.env, required: false}]\n",
            &["file"],
        ),
        (Compose, "    label_file: [a]\n", &["file"]),
        (Compose, "    volumes: ['./a:/a']\n", &["file"]),
        (Compose, "    volumes: ['../a:/a', '~/b:/b']\n", &["file", "outside"]),
        (Compose, "    volumes: ['${DIR}:/a']\n", &["file"]),
        (Compose, "    volumes: ['${ROOT}/x:/a']\n", &[]),
        (
            Compose,
            "    volumes: [{type: bind, source: a, target: /a}]\n",
            &["file"],
        ),
        (Compose, "    volumes: [{type: bind, source: /a, target: /a}]\n", &[]),
        (
            Compose,
            "    volumes: ['/a:/a', 'vol:/v', /anonymous]\nvolumes: {vol: }\n",
            &[],
        ),
        (Compose, "    volumes: ['vol:/v']\n", &["value"]),
        (
            Compose,
            "    volumes: ['vol:/v']\nvolumes: {vol: {driver: local, driver_opts: {o: bind, type: none, device: ./x}}}\n",
            &["file"],
        ),
        (
            Compose,
            "    volumes: ['vol:/v']\nvolumes: {vol: {driver: local, driver_opts: {o: bind, type: none, device: /x}}}\n",
            &[],
        ),
        (Compose, "    configs: [c]\nconfigs: {c: {file: ./c}}\n", &["file"]),
        (Compose, "    configs: [c]\nconfigs: {c: {file: /c}}\n", &[]),
        (Compose, "    configs: [c]\nconfigs: {c: {content: x}}\n", &[]),
        (
            Compose,
            "    configs: [c]\nconfigs: {c: {external: true}}\n",
            &["external"],
        ),
        (Compose, "    configs: [c]\n", &["value"]),
        (Compose, "configs: {unused: {file: ./c}}\n", &[]),
        (Compose, "    secrets: [s]\nsecrets: {s: {file: ./s}}\n", &["file"]),
        (Compose, "    secrets: [s]\nsecrets: {s: {file: /s}}\n", &[]),
        (
            Compose,
            "    secrets: [s]\nsecrets: {s: {environment: S}}\n",
            &["secret"],
        ),
        (
            Compose,
            "    secrets: [s]\nsecrets: {s: {content: hush}}\n",
            &["secret"],
        ),
        (Compose, "    networks: [n]\n", &["value"]),
        (Compose, "    networks: [default, n]\nnetworks: {n: }\n", &[]),
        (Compose, "    security_opt: ['seccomp:./p.json']\n", &["file"]),
        (Compose, "    security_opt: ['seccomp=unconfined', 'apparmor=x']\n", &[]),
        (Compose, "    depends_on: [b]\n", &["profile"]),
        (Compose, "    links: ['b:c']\n", &["profile"]),
        (Compose, "    volumes_from: [b]\n", &["profile"]),
        (Compose, "    volumes_from: ['container:b']\n", &[]),
        (Compose, "    network_mode: service:b\n", &["profile"]),
        (Compose, "    network_mode: host\n", &[]),
        (
            Compose,
            "    depends_on: [b]\n  b: {image: x, profiles: [off]}\n",
            &["profile"],
        ),
        (
            Compose,
            "    depends_on: {b: {condition: service_started, required: false}}\n  b: {image: x, profiles: [off]}\n",
            &[],
        ),
        (Compose, "  b: {build: ., profiles: [off]}\n", &[]),
        (Compose, "  b: {command: x}\n", &["image"]),
        (Compose, "  b: {image: }\n", &["value"]),
        (Compose, "  b: {image: '$EMPTY'}\n", &["image"]),
        (Compose, "  b: {image: 'x:${COMPOSE_PROJECT_NAME}'}\n", &["image"]),
        (Compose, "  b: {image: [x]}\n", &["value"]),
        (Compose, "  b: x\n", &["value"]),
        (Compose, "    comand: x\n", &["unknown-key"]),
        (Compose, "    x-comand: x\n", &[]),
        (Compose, "service: {}\n", &["unknown-key"]),
        (Compose, "    labels: ['${X:?needed}']\n", &["variable"]),
        (Compose, "    labels: ['${DIR:?needed}']\n", &[]),
        (Compose, "    labels: ['${X']\n", &["variable"]),
        (Compose, "    labels: ['$${X']\n", &[]),
        (Compose, "    labels: [registry.airlock.internal]\n", &["placeholder"]),
        (
            Compose,
            "    labels: {\"registry.airlock\\x2einternal\": x}\n",
            &["placeholder"],
        ),
        (
            Compose,
            "    environment: {K: \"-----BEGIN RSA PRIVATE KEY-----\\nx\"}\n",
            &["secret"],
        ),
        (Compose, "include: [oci://registry.example.com/app:1]\n", &["remote"]),
        (
            Compose,
            "include: [{path: 'https://example.com/app.git'}]\n",
            &["remote"],
        ),
        (
            Compose,
            "    extends: {file: 'git@example.com:app.git', service: a}\n",
            &["remote"],
        ),
        (Swarm, "    deploy: {replicas: 2}\n", &[]),
        (Swarm, "    depends_on: [b]\n  b: {image: x}\n", &[]),
        (
            Swarm,
            "    depends_on: {b: {condition: service_healthy}}\n  b: {image: x}\n",
            &["swarm"],
        ),
        (Swarm, "    pull_policy: missing\n", &["unknown-key"]),
        (Swarm, "    configs: [c]\nconfigs: {c: {external: true}}\n", &[]),
        (Swarm, "    configs: [c]\nconfigs: {c: {file: /c}}\n", &["file"]),
        (Swarm, "    configs: [c]\nconfigs: {c: {content: x}}\n", &["swarm"]),
        (Swarm, "    secrets: [s]\nsecrets: {s: {external: true}}\n", &[]),
        (Swarm, "    secrets: [s]\nsecrets: {s: {file: /s}}\n", &["file"]),
    ] {
        assert_eq!(codes(rest, mode), expected, "{mode:?}\n{rest}");
    }
}

#[test]
fn the_list_is_complete_and_names_every_place() {
    let project = load(
        &[(
            "compose.yaml",
            "services:\n  a:\n    build: .\n  b:\n    image: x\n    env_file: [b.env]\n    volumes:\n      - ./b:/b\n  c:\n    image: ${X:?set it}\n",
        )],
        DockerMode::Compose,
    )
    .unwrap();
    let error = project.check().unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Content, "problems"));
    let said = error.to_string();
    for place in [
        "compose.yaml:3:12: ",
        "compose.yaml:6:16: ",
        "compose.yaml:8:9: ",
        "compose.yaml:10:12: ",
    ] {
        assert!(said.contains(place), "{place} in {said}");
    }
    assert!(said.contains("set it") && said.starts_with("4 things"), "{said}");
}

#[test]
fn a_secret_is_refused_by_policy_and_never_shown() {
    let project = load(
        &[(
            "compose.yaml",
            "services:\n  a:\n    image: x\n    secrets: [s]\n    environment: {P: hush}\nsecrets:\n  s:\n    content: hush\n",
        )],
        DockerMode::Compose,
    )
    .unwrap();
    let error = project.check().unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Policy, "secret"));
    assert!(!format!("{error:?} {project:?}").contains("hush"));
}

#[test]
fn an_image_that_is_not_in_the_bundle_is_refused_by_name() {
    let project = load(
        &[(
            "compose.yaml",
            "services:\n  a: {image: '${REGISTRY}/a:1'}\n  b: {image: 'b:2'}\n",
        )],
        DockerMode::Compose,
    )
    .unwrap();
    let mut resolved = resolve(&project);
    assert!(project.rewrite(&resolved, "distr-1").is_ok());
    resolved.remove("registry.example.com/a:1");
    let error = project.rewrite(&resolved, "distr-1").unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Content, "image"));
    let said = error.to_string();
    assert!(
        said.contains("compose.yaml:2:14: the image \"registry.example.com/a:1\"") && !said.contains("b:2"),
        "{said}"
    );
}

#[test]
fn files_that_cannot_be_read_are_refused_with_their_place() {
    let deep = format!("a: {}1{}", "[".repeat(70), "]".repeat(70));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    let wide = format!("a: &a {}\nb: [{}]", "x".repeat(1000), "*a, ".repeat(20_000));
    let large = format!("a: {}", "x".repeat(1 << 20));
    let key = format!("{}: x", "k".repeat(600));
    for (text, class, code, place) in [
        (deep.as_str(), Class::Limit, "depth", ":1:"),
        (&bomb, Class::Limit, "aliases", ":5:"),
        (&wide, Class::Limit, "aliases", ":2:"),
        (&large, Class::Limit, "size", ""),
        (&key, Class::Usage, "yaml", ":1:1: "),
        ("a: &a [*a]", Class::Usage, "yaml", ":1:8: "),
        ("a: *b", Class::Usage, "yaml", ":1:4: "),
        (
            "a: 1\nb: 2\na: 3",
            Class::Usage,
            "yaml",
            ":3:1: the key \"a\" is given twice, first on line 1",
        ),
        ("x: {a: 1, a: 2}", Class::Usage, "yaml", ":1:11: "),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n", Class::Usage, "yaml", ":4:3: "),
        ("<<: x", Class::Usage, "yaml", ":1:5: "),
        ("x: {1: a}", Class::Usage, "yaml", ":1:5: "),
        ("x: {true: a}", Class::Usage, "yaml", ":1:5: "),
        ("x: {[a]: b}", Class::Usage, "yaml", ":1:5: "),
        ("x: !!bool a", Class::Usage, "yaml", ":1:"),
        ("x: !!binary aGk=", Class::Usage, "yaml", ":1:"),
        ("x: !!int a", Class::Usage, "yaml", ":1:"),
        ("x: 2001-01-01", Class::Usage, "yaml", ":1:4: "),
        ("x: [a", Class::Usage, "yaml", ":"),
        ("x: 'a", Class::Usage, "yaml", ":"),
        ("- a", Class::Usage, "yaml", ":1:"),
        ("x", Class::Usage, "yaml", ":1:1: "),
        ("", Class::Usage, "yaml", ":1:1: the file is empty"),
        ("services: {a: {extends: a}}", Class::Usage, "extends", ":1:"),
        (
            "services: {a: {extends: b}, b: {extends: a}}",
            Class::Usage,
            "extends",
            ":1:",
        ),
        ("services: {a: {extends: c}}", Class::Usage, "extends", ":1:"),
        (
            "services:\n  a: {extends: {file: none.yaml, service: a}}",
            Class::Usage,
            "file",
            ":2:7: ",
        ),
        ("include: [none.yaml]", Class::Usage, "file", ":1:11: "),
        ("include: [compose.yaml]", Class::Usage, "include", ":1:11: "),
        (
            "include: [{path: x.yaml, env_file: none.env}]",
            Class::Usage,
            "include",
            ":1:",
        ),
    ] {
        let folder = crate::support::appliance::scratch();
        write(folder.path(), &[("compose.yaml", text), ("x.yaml", "services: {}\n")]);
        let case = one("unreadable", &[]);
        let error = load_from(folder.path(), &case, DockerMode::Compose).unwrap_err();
        let shown: String = text.chars().take(80).collect();
        assert_eq!((error.class(), error.code()), (class, code), "{shown}: {error}");
        assert!(
            error.to_string().contains(&format!("compose.yaml{place}")),
            "{shown}: {error}"
        );
    }
}

#[test]
fn what_looks_hostile_and_is_not_is_read() {
    let deep = format!(
        "services: {{a: {{image: x}}}}\nx-a: {}1{}",
        "[".repeat(55),
        "]".repeat(55)
    );
    let shared = format!(
        "x-a: &a {}\nx-b: [{}]\nservices: {{a: {{image: x}}}}",
        "x".repeat(100),
        "*a, ".repeat(2_000)
    );
    for text in [
        deep.as_str(),
        &shared,
        "\u{feff}services: {a: {image: x}}",
        "%YAML 1.2\n---\nservices: {a: {image: x}}\n...\n",
        "x-a: &a {b: 1}\nx-c: {<<: [*a, {b: 2}], b: 3}\nservices: {a: {image: !!str x}}",
        "# only\n\n'services': {\"a\": {'image': \"x\"}} # end",
        "services:\r\n  a:\r\n    image: x\r\n",
    ] {
        let folder = crate::support::appliance::scratch();
        write(folder.path(), &[("compose.yaml", text)]);
        let project = load_from(folder.path(), &one("read", &[]), DockerMode::Compose).unwrap();
        project.rewrite(&resolve(&project), "distr-1").unwrap();
    }
}

#[test]
fn includes_and_extends_are_bounded() {
    let folder = crate::support::appliance::scratch();
    let chain: Vec<(String, String)> = (0..40)
        .map(|n| {
            let text = format!("include: [f{}.yaml]\nservices: {{s{n}: {{image: x}}}}\n", n + 1);
            (
                if n == 0 {
                    "compose.yaml".into()
                } else {
                    format!("f{n}.yaml")
                },
                text,
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = chain
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    write(folder.path(), &files);
    let error = load_from(folder.path(), &one("chain", &[]), DockerMode::Compose).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Limit, "files"));
    // Compose knows no end of services that extend one another; here there is one, and it is told from a circle.
    for (count, refused) in [(40, None), (300, Some((Class::Limit, "extends")))] {
        let text = (1..count).fold("services:\n".to_owned(), |text, n| {
            text + &format!("  s{n:03}: {{extends: s{:03}}}\n", n + 1)
        });
        let text = format!("{text}  s{count:03}: {{image: x}}\n");
        let folder = crate::support::appliance::scratch();
        write(folder.path(), &[("compose.yaml", &text)]);
        let loaded = load_from(folder.path(), &one("chain", &[]), DockerMode::Compose);
        assert_eq!(
            loaded.err().map(|error| (error.class(), error.code())),
            refused,
            "{count}"
        );
    }
    // Each file includes the next one twice: the number of reads is bounded, not only their depth.
    let twice: Vec<(String, String)> = (0..12)
        .map(|n| {
            let text = format!(
                "include: [f{0}.yaml, f{0}.yaml]\nservices: {{s{n}: {{image: x}}}}\n",
                n + 1
            );
            (
                if n == 0 {
                    "compose.yaml".into()
                } else {
                    format!("f{n}.yaml")
                },
                text,
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = twice
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    write(folder.path(), &files);
    write(folder.path(), &[("f12.yaml", "services: {s: {image: x}}\n")]);
    let error = load_from(folder.path(), &one("twice", &[]), DockerMode::Compose).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Limit, "files"));
}

#[test]
fn what_is_unset_is_warned_of_once_and_pulling_always_too() {
    let project = load(
        &[(
            "compose.yaml",
            "services:\n  a:\n    image: x\n    pull_policy: always\n    labels: ['a=$X', 'b=${X}', 'c=${Y:-}', 'd=$REGISTRY']\n",
        )],
        DockerMode::Compose,
    )
    .unwrap();
    let warnings: Vec<_> = project
        .warnings()
        .iter()
        .map(|warning| (warning.code.as_str(), warning.place.line))
        .collect();
    assert_eq!(warnings, [("unset", 5), ("pull-policy", 4)]);
}

#[test]
fn the_document_is_the_same_every_time_and_nothing_else_is_in_it() {
    let files: Files = &[(
        "compose.yaml",
        "name: mine\nversion: '3'\nservices:\n  b: {image: 'b:1', profiles: [p]}\n  a:\n    image: ${REGISTRY}/a:1\n    environment: {Z: $DIR, A: 5$$, ON: on, N: 0440, F: 1.50, T: 22:22}\n    command: []\n    labels: {}\nnetworks: {n: }\n",
    )];
    let project = load(files, DockerMode::Compose).unwrap();
    let digest = resolve(&project)["registry.example.com/a:1"].1;
    let text = String::from_utf8(project.rewrite(&resolve(&project), "distr-0a1b2c3d").unwrap()).unwrap();
    assert_eq!(
        text,
        format!(
            "name: \"distr-0a1b2c3d\"\nnetworks:\n  \"n\": null\nservices:\n  a:\n    command: []\n    environment:\n      A: \"5$$\"\n      F: 1.50\n      \"N\": 288\n      \"ON\": \"on\"\n      T: \"22:22\"\n      Z: \"$DIR\"\n    image: \"registry.airlock.internal/registry.example.com/a@{digest}\"\n    labels: {{}}\n"
        )
    );
    assert!(matches!(Environment::parse(&PathBuf::from("x"), b"A=1"), Ok(env) if env.get("A") == Some("1")));
}
