//! What `bundle create` and `bundle inspect` list: the secrets of applications, the places of warnings, and every finding for machines.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::cli::CommandFolder;

const CREATE: [&str; 8] = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "out.airlock"];

#[test]
fn create_and_inspect_list_secrets_and_machines_get_places_and_whole_lists() {
    let folder = CommandFolder::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    let fixtures = fixtures.display();
    folder.release_file(&format!("oci:{fixtures}"));
    let head = fs::read_to_string(folder.path("release.yaml")).unwrap();
    fs::write(
        folder.path("release.yaml"),
        format!(
            "{head}agents:\n- name: 3.1.0\n  docker: {{source: 'oci:{fixtures}', name: 'agents.example.com/d:3.1.0'}}\n  autoheal: {{source: 'oci:{fixtures}', name: 'agents.example.com/h:1'}}\n\
             applications:\n- name: shop\n  version: \"1\"\n  compose: c.yaml\n  images: {{'example.com/web:2': 'oci:{fixtures}'}}\n\
             secrets:\n- {{name: DB_PASSWORD, value: {{site: generate}}}}\n- {{name: SMTP_PASSWORD, value: {{site: ask}}, targets: [press]}}\n\
             - {{name: UNUSED, value: {{site: ask}}}}\n\
             targets:\n- {{name: press, kind: docker, deployments: [{{application: shop}}]}}\n"
        ),
    )
    .unwrap();
    let service = "services:\n  a:\n    image: example.com/web:2\n    environment:\n      DB_PASSWORD: \"{{ .Secrets.DB_PASSWORD }}\"\n      \
                   SMTP_PASSWORD: \"{{ .Secrets.SMTP_PASSWORD }}\"\n  b:\n    image: example.com/web:2\n    profiles: [debug]\n    \
                   environment: {A: \"{{ .Secrets.UNUSED }}\"}\n";
    fs::write(folder.path("c.yaml"), service).unwrap();
    let planned = folder.run(&[&CREATE[..6], &["--dry-run"]].concat());
    let warning = String::from_utf8(planned.stderr).unwrap();
    let warning: Value = warning
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|event| event["event"] == "warning" && event["text"].as_str().unwrap().contains("UNUSED"))
        .unwrap();
    let written = fs::read_to_string(folder.path("release.yaml")).unwrap();
    let line = 1 + written.lines().position(|line| line.contains("UNUSED")).unwrap();
    assert_eq!(
        (&warning["file"], &warning["line"]),
        (&json!("release.yaml"), &json!(line))
    );
    let listed = json!([
        {"name": "DB_PASSWORD", "per_target": false, "source": "generate"},
        {"name": "SMTP_PASSWORD", "per_target": true, "source": "ask"},
    ]);
    let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(planned["targets"][0]["deployments"][0]["secrets"], listed);
    let made = folder.good(&CREATE);
    assert_eq!(made["targets"][0]["deployments"][0]["secrets"], listed);
    let inspect = ["bundle", "inspect", "out.airlock", "--trust", "w/root.json", "--list"];
    assert_eq!(
        folder.good(&inspect)["desired"]["targets"][0]["deployments"][0]["secrets"],
        listed
    );
    let line = "DB_PASSWORD (made at the site), SMTP_PASSWORD (entered at the site, one for each target)";
    let again = [&CREATE[..], &["--sequence", "2", "--replace"]].concat();
    for words in [&inspect[..], &again] {
        let shown = String::from_utf8(folder.run_as("human", words).stdout).unwrap();
        assert!(shown.contains(line), "{shown}");
    }

    let many: Vec<String> = (0..60)
        .map(|number| format!("      P{number}_PASSWORD: c4n4ry\n"))
        .collect();
    fs::write(
        folder.path("c.yaml"),
        service.replace("  b:\n", &format!("{}  b:\n", many.concat())),
    )
    .unwrap();
    let (class, code, event) = folder.refused(&[&CREATE[..], &["--sequence", "3", "--replace"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-POLICY", "secret"));
    let list = event["list"].as_array().unwrap();
    assert_eq!(list.len(), 60, "{event}");
    assert!(
        list[0]
            .as_str()
            .unwrap()
            .starts_with("c.yaml:7: services.a.environment."),
        "{event}"
    );
    assert!(
        event["found"]
            .as_str()
            .unwrap()
            .contains("and 10 more; --format json has all of them")
    );
}
