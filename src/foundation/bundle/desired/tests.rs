//! Every rule of the document, each with its positive twin.

use super::*;
use crate::domain::{Class, Digest, Uuid};

fn uuid(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn image(path: &str, number: u8) -> ImageName {
    ImageName {
        digest: digest(number),
        repository: format!("registry.example/{path}").parse().unwrap(),
    }
}

fn digest(number: u8) -> Digest {
    Digest(crate::domain::Hash([number; 32]))
}

fn agent() -> AgentVersion {
    AgentVersion {
        autoheal: Some(image("distr/autoheal", 1)),
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        docker: Some(image("distr/docker-agent", 2)),
        id: uuid(1),
        kubernetes: Some(image("distr/kubernetes-agent", 3)),
        name: "3.1.0".into(),
    }
}

fn docker_target() -> Target {
    Target {
        agent: uuid(1),
        autoheal_all: false,
        created_at: "2026-01-02T00:00:00Z".parse().unwrap(),
        deployments: vec![Deployment {
            application: "press".parse().unwrap(),
            created_at: "2026-01-03T00:00:00Z".parse().unwrap(),
            docker: Some(DockerDeployment {
                compose: digest(10),
                env: Some(digest(11)),
                mode: DockerMode::Compose,
            }),
            force_restart: false,
            helm: None,
            id: uuid(20),
            images: vec![image("acme/press", 4), image("acme/web", 5)],
            revision: uuid(30),
            secret_uses: Some(vec![made("COOKIE_KEY"), sealed("DB_PASSWORD")]),
            version: "2.4".into(),
        }],
        docker_socket: Some("/run/user/1000/docker.sock".into()),
        id: uuid(2),
        image_cleanup: true,
        kind: TargetKind::Docker,
        kubernetes: None,
        logs: true,
        logs_after: None,
        metrics: true,
        name: "press 1".into(),
        site: None,
        verifier: Some(verifier()),
    }
}

fn kubernetes_target() -> Target {
    Target {
        deployments: vec![Deployment {
            application: "erp".parse().unwrap(),
            created_at: "2026-01-03T00:00:00Z".parse().unwrap(),
            docker: None,
            force_restart: true,
            helm: Some(HelmDeployment {
                chart: "registry.example/acme/charts/erp".parse().unwrap(),
                chart_name: "erp".into(),
                chart_version: "1.2.3+build.4".into(),
                ignore_revision_skew: false,
                options: Some(HelmOptions {
                    cleanup_on_failure: true,
                    force_conflicts: false,
                    rollback_on_failure: true,
                    timeout: "5m0s".into(),
                    wait_strategy: WaitStrategy::Watcher,
                }),
                release_name: "erp".into(),
                source: ChartSource::Oci,
                tag: "1.2.3_build.4".parse().unwrap(),
                values: digest(12),
            }),
            id: uuid(21),
            images: vec![image("acme/charts/erp", 6)],
            revision: uuid(31),
            secret_uses: None,
            version: "1.2.3".into(),
        }],
        docker_socket: None,
        id: uuid(3),
        image_cleanup: false,
        kind: TargetKind::Kubernetes,
        kubernetes: Some(Kubernetes {
            namespace: "erp".into(),
            resources: Some(Resources {
                cpu_limit: "500m".into(),
                cpu_request: "0.1".into(),
                memory_limit: "1Gi".into(),
                memory_request: "128Mi".into(),
            }),
            scope: KubernetesScope::Namespace,
        }),
        name: "cluster".into(),
        verifier: None,
        ..docker_target()
    }
}

fn made(name: &str) -> SecretUse {
    SecretUse {
        alphabet: Some("!abc~".into()),
        length: Some(8),
        source: SecretSource::Generate,
        ..sealed(name)
    }
}

fn sealed(name: &str) -> SecretUse {
    SecretUse {
        alphabet: None,
        length: None,
        name: name.parse().unwrap(),
        per_target: false,
        source: SecretSource::Sealed,
    }
}

fn verifier() -> Verifier {
    Verifier {
        algorithm: "argon2id".into(),
        hash: "5a".repeat(32),
        lanes: 4,
        memory_kib: 65_536,
        salt: "a5".repeat(16),
        time: 1,
    }
}

fn good() -> DesiredState {
    DesiredState {
        agents: vec![agent()],
        removed: vec![uuid(40), uuid(41)],
        targets: vec![docker_target(), kubernetes_target()],
    }
}

/// What a changed document is told.
fn told(change: impl Fn(&mut DesiredState)) -> Result<(), (Class, &'static str)> {
    let mut state = good();
    change(&mut state);
    let parsed = DesiredState::parse(&state.to_bytes());
    if let Ok(parsed) = &parsed {
        assert_eq!(*parsed, state);
    }
    parsed.map(|_| ()).map_err(|error| (error.class(), error.code()))
}

fn helm(state: &mut DesiredState) -> &mut HelmDeployment {
    state.targets[1].deployments[0].helm.as_mut().unwrap()
}

#[test]
fn an_empty_and_a_full_document_come_back() {
    for state in [DesiredState::default(), good()] {
        assert_eq!(DesiredState::parse(&state.to_bytes()).unwrap(), state);
    }
    assert_eq!(good().deployments().count(), 2);
    let error = DesiredState::parse(b"{}").unwrap_err();
    assert_eq!(error.class(), Class::Format);
}

#[test]
fn another_spelling_or_a_stranger_member_is_refused() {
    let bytes = String::from_utf8(good().to_bytes()).unwrap();
    for (from, to) in [
        (r#"{"agents""#, r#"{ "agents""#),
        (r#""agents""#, r#""agentz""#),
        (r#""kind":"docker""#, r#""kind":"Docker""#),
        (r#""lanes":4"#, r#""lanes":4.0"#),
        (r#""lanes":4"#, r#""lanes":"4""#),
        (r#""force_restart":true"#, r#""force_restart":1"#),
        (r#""logs":true"#, r#""logs":true,"logs_after":null"#),
        (r#""mode":"compose""#, r#""mode":"stack""#),
        (r#""source":"oci""#, r#""source":"https""#),
        ("02020202-", "02020202"),
        ("-0202-0202-0202-", "-0202-0202-0202-02"),
    ] {
        let changed = bytes.replacen(from, to, 1);
        assert_ne!(changed, bytes, "{from}");
        let error = DesiredState::parse(changed.as_bytes()).unwrap_err();
        assert_eq!(error.class(), Class::Format, "{to}");
    }
}

type Twist = fn(&mut Verifier);

#[test]
fn the_cost_of_a_verifier_is_nobodys_choice() {
    let with = |change: fn(&mut Verifier)| {
        told(|state| {
            let mut verifier = verifier();
            change(&mut verifier);
            state.targets[0].verifier = Some(verifier);
        })
    };
    assert_eq!(with(|_| ()), Ok(()));
    let bad: [(&str, Twist); 15] = [
        ("J14 memory 4 TiB", |v| v.memory_kib = 4 << 30),
        ("J14 time 2^32", |v| v.time = 1 << 32),
        ("J14 no lane", |v| v.lanes = 0),
        ("J14 empty salt", |v| v.salt.clear()),
        ("J14 hash of 4 bytes", |v| v.hash.truncate(8)),
        ("J14 unknown algorithm", |v| v.algorithm = "argon2i".into()),
        ("other case", |v| v.algorithm = "Argon2id".into()),
        ("less memory", |v| v.memory_kib = 65_535),
        ("2^32 less would be right", |v| v.memory_kib = 65_536 + (1 << 32)),
        ("no pass", |v| v.time = 0),
        ("two passes", |v| v.time = 2),
        ("more lanes", |v| v.lanes = 4 + (1 << 32)),
        ("salt in upper case", |v| v.salt = v.salt.to_uppercase()),
        ("salt too long", |v| v.salt.push_str("00")),
        ("no hex", |v| v.hash.replace_range(..1, "g")),
    ];
    for (case, change) in bad {
        assert_eq!(with(change), Err((Class::Content, "verifier")), "{case}");
    }
    // On kubernetes targets, too.
    let elsewhere = told(|state| {
        state.targets[1].verifier = Some(Verifier { lanes: 0, ..verifier() });
    });
    assert_eq!(elsewhere, Err((Class::Content, "verifier")));
}

type Change = fn(&mut DesiredState);

#[test]
fn what_contradicts_itself_is_refused() {
    let bad: [(&str, Change); 55] = [
        ("agents out of order", |s| {
            s.agents.insert(0, AgentVersion { id: uuid(9), ..agent() });
        }),
        ("an agent twice", |s| s.agents.push(agent())),
        ("targets out of order", |s| s.targets.reverse()),
        ("a target twice", |s| s.targets.insert(0, docker_target())),
        ("removals out of order", |s| s.removed.reverse()),
        ("a removal twice", |s| s.removed.push(uuid(41))),
        ("a target that is removed", |s| s.removed.insert(0, uuid(2))),
        ("a deployment that is removed", |s| s.removed.insert(0, uuid(20))),
        ("a deployment called as its target", |s| {
            s.targets[0].deployments[0].id = uuid(2);
        }),
        ("a deployment on two targets", |s| {
            s.targets[1].deployments[0].id = uuid(20);
        }),
        ("a revision twice", |s| s.targets[1].deployments[0].revision = uuid(30)),
        ("a name twice", |s| s.targets[1].name = "press 1".into()),
        ("an agent without name", |s| s.agents[0].name.clear()),
        ("an agent with a long name", |s| s.agents[0].name = "1".repeat(129)),
        ("an agent's name with a space", |s| s.agents[0].name = "3 1".into()),
        ("a target without name", |s| s.targets[0].name.clear()),
        ("a target with a long name", |s| s.targets[0].name = "n".repeat(129)),
        ("a target with U+0085 in its name", |s| {
            s.targets[0].name = "a\u{85}b".into();
        }),
        ("an agent that is not there", |s| s.targets[0].agent = uuid(9)),
        ("no image for docker", |s| s.agents[0].docker = None),
        ("no image for autoheal", |s| s.agents[0].autoheal = None),
        ("no image for kubernetes", |s| s.agents[0].kubernetes = None),
        ("kubernetes without its member", |s| s.targets[1].kubernetes = None),
        ("docker with the member of kubernetes", |s| {
            let other = s.targets[1].kubernetes.clone();
            s.targets[0].kubernetes = other;
        }),
        ("namespace empty", |s| {
            s.targets[1].kubernetes.as_mut().unwrap().namespace.clear();
        }),
        ("namespace upper case", |s| {
            s.targets[1].kubernetes.as_mut().unwrap().namespace = "Erp".into();
        }),
        ("namespace with a dash at its end", |s| {
            s.targets[1].kubernetes.as_mut().unwrap().namespace = "erp-".into();
        }),
        ("namespace too long", |s| {
            s.targets[1].kubernetes.as_mut().unwrap().namespace = "n".repeat(64);
        }),
        ("a quantity with a quote", |s| {
            let resources = s.targets[1].kubernetes.as_mut().unwrap().resources.as_mut().unwrap();
            resources.cpu_limit = "1\"".into();
        }),
        ("a quantity left empty", |s| {
            let resources = s.targets[1].kubernetes.as_mut().unwrap().resources.as_mut().unwrap();
            resources.memory_request.clear();
        }),
        ("a relative socket", |s| {
            s.targets[0].docker_socket = Some("run/docker.sock".into());
        }),
        ("a socket that is the root", |s| {
            s.targets[0].docker_socket = Some("/".into());
        }),
        ("a socket with a quote", |s| {
            s.targets[0].docker_socket = Some("/run/a\"b".into());
        }),
        ("a socket with a colon", |s| {
            s.targets[0].docker_socket = Some("/run/a:b".into());
        }),
        ("a socket in a cluster", |s| {
            s.targets[1].docker_socket = Some("/run/docker.sock".into());
        }),
        ("deployments out of order", |s| {
            let mut second = s.targets[0].deployments[0].clone();
            (second.id, second.revision) = (uuid(19), uuid(29));
            s.targets[0].deployments.push(second);
        }),
        ("no version label", |s| s.targets[0].deployments[0].version.clear()),
        ("a long version label", |s| {
            s.targets[0].deployments[0].version = "v".repeat(129);
        }),
        ("a chart on docker", |s| {
            let other = s.targets[1].deployments[0].helm.clone();
            s.targets[0].deployments[0].helm = other;
        }),
        ("nothing on docker", |s| s.targets[0].deployments[0].docker = None),
        ("a compose file in a cluster", |s| {
            let other = s.targets[0].deployments[0].docker.clone();
            s.targets[1].deployments[0].docker = other;
        }),
        ("nothing in a cluster", |s| s.targets[1].deployments[0].helm = None),
        ("images out of order", |s| s.targets[0].deployments[0].images.reverse()),
        ("an image twice", |s| {
            s.targets[0].deployments[0].images.push(image("acme/web", 5));
        }),
        ("a helm release without name", |s| helm(s).release_name.clear()),
        ("a long name of a helm release", |s| {
            helm(s).release_name = "r".repeat(54);
        }),
        ("another chart's name", |s| helm(s).chart_name = "crm".into()),
        ("a chart version without text", |s| helm(s).chart_version.clear()),
        ("a chart version with a slash", |s| helm(s).chart_version = "1/2".into()),
        ("another tag than the version", |s| {
            helm(s).tag = "1.2.3".parse().unwrap();
        }),
        ("no timeout", |s| helm(s).options.as_mut().unwrap().timeout.clear()),
        ("a timeout without unit", |s| {
            helm(s).options.as_mut().unwrap().timeout = "300".into();
        }),
        ("a negative timeout", |s| {
            helm(s).options.as_mut().unwrap().timeout = "-5m".into();
        }),
        ("300 years", |s| {
            helm(s).options.as_mut().unwrap().timeout = "2628000h".into();
        }),
        ("a unit of its own", |s| {
            helm(s).options.as_mut().unwrap().timeout = "5d".into();
        }),
    ];
    for (case, change) in bad {
        assert_eq!(told(change), Err((Class::Content, "desired-state")), "{case}");
    }
}

#[test]
fn what_only_looks_odd_is_accepted() {
    let good: [(&str, Change); 20] = [
        ("nothing removed", |s| s.removed.clear()),
        ("no target", |s| s.targets.clear()),
        ("targets without deployments", |s| {
            s.targets.iter_mut().for_each(|t| t.deployments.clear());
        }),
        ("a second agent version without images", |s| {
            s.agents.push(AgentVersion {
                autoheal: None,
                docker: None,
                kubernetes: None,
                id: uuid(9),
                ..agent()
            });
        }),
        ("the longest agent name", |s| s.agents[0].name = "1".repeat(128)),
        ("the longest target name", |s| s.targets[0].name = "é".repeat(64)),
        ("autoheal is docker's alone", |s| {
            s.targets.remove(0);
            s.agents[0].autoheal = None;
            s.agents[0].docker = None;
        }),
        ("cluster scope", |s| {
            s.targets[1].kubernetes.as_mut().unwrap().scope = KubernetesScope::Cluster;
        }),
        ("no resources", |s| {
            s.targets[1].kubernetes.as_mut().unwrap().resources = None;
        }),
        ("the longest namespace", |s| {
            s.targets[1].kubernetes.as_mut().unwrap().namespace = "n".repeat(63);
        }),
        ("the engine's usual socket", |s| s.targets[0].docker_socket = None),
        ("one site only", |s| {
            s.targets[0].site = Some("00112233445566778899aabbccddeeff".parse().unwrap());
        }),
        ("logs from a time on", |s| {
            s.targets[0].logs_after = Some("2026-02-01T00:00:00Z".parse().unwrap());
        }),
        ("a swarm", |s| {
            s.targets[0].deployments[0].docker.as_mut().unwrap().mode = DockerMode::Swarm;
        }),
        ("no environment", |s| {
            s.targets[0].deployments[0].docker.as_mut().unwrap().env = None;
        }),
        ("no images", |s| s.targets[0].deployments[0].images.clear()),
        ("a classic chart repository", |s| {
            helm(s).source = ChartSource::Repository;
        }),
        ("helm's own options", |s| helm(s).options = None),
        ("the longest helm release", |s| helm(s).release_name = "r".repeat(53)),
        ("a long timeout", |s| {
            helm(s).options.as_mut().unwrap().timeout = "1h30m0s250ms".into();
        }),
    ];
    for (case, change) in good {
        assert_eq!(told(change), Ok(()), "{case}");
    }
}

#[test]
fn lists_end_somewhere() {
    let removed = |count: u32| {
        told(move |state| {
            state.removed = (0..count)
                .map(|n| {
                    let mut bytes = [0xff; 16];
                    bytes[..4].copy_from_slice(&n.to_be_bytes());
                    Uuid::from_bytes(bytes)
                })
                .collect();
        })
    };
    assert_eq!(removed(10_000), Ok(()));
    assert_eq!(removed(10_001), Err((Class::Limit, "items")));
}

type UsesChange = fn(&mut Vec<SecretUse>);

#[test]
fn secrets_are_said_once_and_the_same_everywhere() {
    let changed = |change: UsesChange| {
        told(|state| {
            let uses = &mut state.targets[0].deployments[0].secret_uses;
            change(uses.as_mut().unwrap());
        })
    };
    let goods: [UsesChange; 4] = [
        |uses| uses[0].alphabet = Some("!~".into()),
        |uses| uses[0].alphabet = Some(('!'..='~').collect()),
        |uses| uses[0].length = Some(1024),
        |uses| (uses[0].alphabet, uses[0].length, uses[1].per_target) = (None, None, true),
    ];
    for good in goods {
        assert_eq!(changed(good), Ok(()));
    }
    let bads: [UsesChange; 11] = [
        |uses| uses.clear(),
        |uses| uses.reverse(),
        |uses| uses[1].name = uses[0].name.clone(),
        |uses| uses[0].alphabet = Some("!".into()),
        |uses| uses[0].alphabet = Some("ba".into()),
        |uses| uses[0].alphabet = Some("aa".into()),
        |uses| uses[0].alphabet = Some(" a".into()),
        |uses| uses[0].length = Some(7),
        |uses| uses[0].length = Some(1025),
        |uses| uses[1].length = Some(32),
        |uses| uses[0].source = SecretSource::Ask,
    ];
    for bad in bads {
        assert_eq!(changed(bad), Err((Class::Content, "desired-state")));
    }
    // The one value of a site; each target's own; and that of one target, said twice.
    for (name, per_target, same_target, expected) in [
        ("DB_PASSWORD", false, false, Ok(())),
        ("COOKIE_KEY", false, false, Err((Class::Content, "desired-state"))),
        ("COOKIE_KEY", true, false, Ok(())),
        ("COOKIE_KEY", true, true, Ok(())),
        ("DB_PASSWORD", true, true, Ok(())),
    ] {
        let told = told(|state| {
            let other = SecretUse {
                per_target,
                ..sealed(name)
            };
            if same_target {
                let mut second = state.targets[0].deployments[0].clone();
                (second.id, second.revision) = (uuid(22), uuid(32));
                second.secret_uses = Some(vec![other]);
                state.targets[0].deployments.push(second);
            } else {
                state.targets[1].deployments[0].secret_uses = Some(vec![other]);
            }
        });
        assert_eq!(told, expected, "{name} {per_target} {same_target}");
    }
    let each = |length| {
        told(|state| {
            let first = &mut state.targets[0].deployments[0];
            for secret in first.secret_uses.iter_mut().flatten() {
                secret.per_target = true;
            }
            let mut second = first.clone();
            (second.id, second.revision) = (uuid(22), uuid(32));
            second.secret_uses.as_mut().unwrap()[0].length = Some(length);
            state.targets[0].deployments.push(second);
        })
    };
    assert_eq!(each(8), Ok(()));
    assert_eq!(each(9), Err((Class::Content, "desired-state")));
}
