//! What lies beside a compose file and travels within it: files that are mounted, configs, environment and label files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use airlock::bundle::desired::DockerMode;
use airlock::vendor_side::compose::{Environment, Project};
use serde_json::{Value, json};

use super::program::{composes, say};
use super::{load_with, one, resolve, write};

/// Loads `compose.yaml` of a folder under the environment of its `app.env`.
fn load(folder: &Path, mode: DockerMode) -> Project {
    let env = fs::read(folder.join("app.env")).unwrap_or_default();
    let env = Environment::parse(Path::new("app.env"), &env).unwrap();
    load_with(folder, &one("carried", &[]), &env, mode).unwrap()
}

/// The document that agents get.
fn rewritten(folder: &Path, mode: DockerMode) -> String {
    let project = load(folder, mode);
    assert_eq!(project.problems(), [], "{:?}", project.problems());
    String::from_utf8(project.rewrite(&resolve(&project), "distr-1").unwrap()).unwrap()
}

fn document(folder: &Path, mode: DockerMode) -> Value {
    serde_saphyr::from_str(&rewritten(folder, mode)).unwrap()
}

fn found(folder: &Path) -> Vec<String> {
    let project = load(folder, DockerMode::Compose);
    project.problems().iter().map(ToString::to_string).collect()
}

const SCRIPT: &str = "#!/bin/sh\necho \"$PATH ${x} $$ żółw\"\n";

#[test]
fn files_that_are_only_read_travel_as_configs() {
    let folder = crate::support::appliance::scratch();
    let at = folder.path();
    write(
        at,
        &[
            (
                "compose.yaml",
                "services:
  a:
    image: x
    configs: [own]
    volumes:
      - ./conf/web.conf:/etc/web.conf:ro,z
      - data:/data
      - {type: bind, source: conf/init.sh, target: /init.sh, read_only: true}
  b:
    image: x
    volumes: ['./conf/web.conf:/other.conf:ro', './web.conf:/web.conf:ro']
configs:
  own: {file: ./own.conf}
volumes:
  data:
",
            ),
            ("conf/web.conf", "listen $port;\n"),
            ("web.conf", "other"),
            ("conf/init.sh", SCRIPT),
            ("own.conf", "own $$\n"),
        ],
    );
    fs::set_permissions(at.join("conf/init.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let config = document(at, DockerMode::Compose);
    assert_eq!(
        config["configs"],
        json!({
            "init.sh": {"content": SCRIPT.replace('$', "$$")},
            "own": {"content": "own $$$$\n"},
            "web.conf": {"content": "listen $$port;\n"},
            "web.conf-2": {"content": "other"},
        })
    );
    assert_eq!(
        config["services"]["a"]["configs"],
        json!(["own", {"source": "web.conf", "target": "/etc/web.conf"}, {"mode": 0o555, "source": "init.sh", "target": "/init.sh"}])
    );
    assert_eq!(config["services"]["a"]["volumes"], json!(["data:/data"]));
    assert_eq!(config["services"]["b"].get("volumes"), None);
    assert_eq!(config["services"]["b"]["configs"].as_array().unwrap().len(), 2);
    // What compose reads out of it is what the files hold.
    let Some(compose) = composes().into_iter().find(|compose| !compose.old) else {
        say("SKIPPED, there is no compose newer than 1 here to read configs back");
        return;
    };
    let out = crate::support::appliance::scratch();
    fs::write(
        out.path().join("docker-compose.yaml"),
        rewritten(at, DockerMode::Compose),
    )
    .unwrap();
    let output = Command::new(&compose.command[0])
        .args(&compose.command[1..])
        .args(["-f", "docker-compose.yaml", "config", "--format", "json"])
        .current_dir(out.path())
        .output()
        .unwrap();
    let read: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    // It is shown as it would be written, dollar signs doubled.
    let content = read["configs"]["init.sh"]["content"].as_str().unwrap();
    assert_eq!(content.replace("$$", "$"), SCRIPT);
}

#[test]
fn what_cannot_travel_is_refused_with_the_way_out() {
    let too_large = vec![b'x'; (1 << 20) + 1];
    let cases: &[(&str, &[u8], &str)] = &[
        ("volumes: ['./f:/f:ro']", b"text", ""),
        ("volumes: ['./f:/f']", b"text", "mount it read-only (:ro)"),
        (
            "volumes: ['./f:/f:ro']",
            b"a\0b",
            "which is no text; keep it in an image",
        ),
        (
            "volumes: ['./f:/f:ro']",
            b"\xff",
            "which is no text; keep it in an image",
        ),
        ("volumes: ['./f:/f:ro']", b"", "is empty"),
        ("volumes: ['./f:/f:ro']", &too_large, "is larger than 1048576 bytes"),
        ("volumes: ['./none:/f:ro']", b"text", "use a named volume"),
        (
            "volumes: ['./.:/f:ro']",
            b"text",
            "write in its place `- ././compose.yaml:/f/compose.yaml:ro`, `- ././f:/f/f:ro`; a folder hides",
        ),
        ("volumes: ['./f:/f:ro'], read_only: true", b"text", "take read_only out"),
        ("configs: [c]", b"text", ""),
        ("configs: [d]", b"text", "\"./none\", which is not there; put it there"),
    ];
    for (keys, bytes, says) in cases {
        let folder = crate::support::appliance::scratch();
        let text = format!(
            "services: {{a: {{image: x, {keys}}}}}\nconfigs: {{c: {{file: ./f}}, d: {{file: ./none}}, unused: {{file: ./none}}}}\n"
        );
        write(folder.path(), &[("compose.yaml", &text)]);
        fs::write(folder.path().join("f"), bytes).unwrap();
        let found = found(folder.path());
        match found.as_slice() {
            [] => assert_eq!(*says, "", "{keys}"),
            [only] => assert!(!says.is_empty() && only.contains(says), "{keys}: {only}"),
            more => panic!("{keys}: {more:?}"),
        }
    }
    // A stack reads no content.
    let folder = crate::support::appliance::scratch();
    write(
        folder.path(),
        &[
            ("compose.yaml", "services: {a: {image: x, volumes: ['./f:/f:ro']}}\n"),
            ("f", "text"),
        ],
    );
    assert_eq!(load(folder.path(), DockerMode::Swarm).problems().len(), 1);
}

#[test]
fn the_deployments_environment_file_is_the_agents() {
    let folder = crate::support::appliance::scratch();
    let at = folder.path();
    let text = "services: {a: {image: x, env_file: [a.env, ./.env, b.env], environment: [C=own]}}\n";
    write(
        at,
        &[
            ("compose.yaml", text),
            ("a.env", "A=a\nB=a\nX=a\n"),
            ("b.env", "B=b\nC=b\n"),
            ("app.env", "A=app\nB=app\nP.Q=app\n"),
        ],
    );
    let service = &document(at, DockerMode::Compose)["services"]["a"];
    // What an earlier file says and the agent's file says too is the agent's.
    assert_eq!(service["env_file"], json!([".env"]));
    assert_eq!(service["environment"], json!(["C=own", "X=a", "B=b"]));
    // A stack has no such file: its variables are asked for one by one.
    let service = &document(at, DockerMode::Swarm)["services"]["a"];
    assert_eq!(service.get("env_file"), None);
    assert_eq!(
        service["environment"],
        json!(["C=own", "X=a", "A=${A}", "P.Q=app", "B=b"])
    );
    // Where none travels, it is a file like any other.
    fs::remove_file(at.join("app.env")).unwrap();
    assert_eq!(found(at).len(), 1);
    write(at, &[(".env", "A=beside\n")]);
    let service = &document(at, DockerMode::Compose)["services"]["a"];
    assert_eq!(service["environment"], json!(["C=own", "X=a", "A=beside", "B=b"]));
}

#[test]
fn the_version_of_compose_whose_verdicts_these_are_is_said() {
    let output = Command::new(env!("CARGO_BIN_EXE_airlock"))
        .arg("--version")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("docker compose 5.6"), "{said}");
    let output = Command::new(env!("CARGO_BIN_EXE_airlock")).arg("-V").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
}

#[test]
fn a_mounted_folder_is_written_as_the_files_in_it() {
    let folder = crate::support::appliance::scratch();
    let file = |volumes: &str| format!("services:\n  a:\n    image: x\n    volumes:\n{volumes}");
    let (plain, strange) = ("prometheus.yml", "rules/it's $5: {a}.yml");
    write(
        folder.path(),
        &[
            ("compose.yaml", &file("    - ./prometheus/:/etc/prometheus\n")),
            (&format!("prometheus/{plain}"), "a: 1\n"),
            (&format!("prometheus/{strange}"), "b: 1\n"),
        ],
    );
    let found = found(folder.path());
    let items: Vec<&str> = found[0].split('`').skip(1).step_by(2).collect();
    assert_eq!(items.len(), 2, "{found:?}");
    assert_eq!(items[0], format!("- ./prometheus/{plain}:/etc/prometheus/{plain}:ro"));
    // Written as the message says they travel.
    let lines = format!("    {}\n", items.join("\n    "));
    write(folder.path(), &[("compose.yaml", &file(&lines))]);
    let project = load(folder.path(), DockerMode::Compose);
    assert_eq!(project.problems(), []);
    let carried: Vec<&str> = project.carried().iter().map(|file| file.text.as_str()).collect();
    assert_eq!(carried, ["a: 1\n", "b: 1\n"]);
    // A message stays one that a person reads.
    for number in 0..30 {
        write(folder.path(), &[(&format!("many/{number:02}"), "x")]);
    }
    write(folder.path(), &[("compose.yaml", &file("    - ./many:/m:ro\n"))]);
    let found = self::found(folder.path());
    assert!(
        found[0].contains("`- ./many/19:/m/19:ro`, and 10 more; a folder") && !found[0].contains("many/20"),
        "{found:?}"
    );
}
