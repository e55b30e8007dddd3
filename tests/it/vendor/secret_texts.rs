//! Secrets within texts that have a form of their own: what a value could spoil is told before anybody enters one.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use crate::support::vendor_folder::VendorFolder;

fn shop(source: &str) -> String {
    format!(
        "applications:\n- name: shop\n  version: \"1\"\n  compose: c.yaml\n  env_file: c.env\n  \
         images: {{'example.com/web:2': 'oci:hello:1.0'}}\n\
         agents: [{{name: 1.2.3, docker: {{source: 'oci:hello:1.0', name: 'agents.example.com/docker:1.2.3'}}, autoheal: {{source: 'oci:hello:1.0', name: 'agents.example.com/autoheal:1.2.3'}}}}]\n\
         targets: [{{name: hall, kind: docker, deployments: [{{application: shop}}]}}]\n\
         secrets: [{{name: PW, value: {{{source}}}}}]\n"
    )
}

const JSON: &str = "services:\n  a:\n    image: example.com/web:2\n    environment:\n      SMTP: '{\"password\": \"{{ .Secrets.PW }}\"}'\n";
const MOUNT: &str = "services:\n  a:\n    image: example.com/web:2\n    volumes: [./conf:/conf:ro]\n";

#[test]
fn a_text_that_a_value_could_spoil_is_told_with_its_place() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "A=1\n");
    let mut number = 0;
    for (compose, conf, source, says) in [
        (JSON, "", "site: ask", Some("c.yaml:5: ")),
        (JSON, "", "site: generate", None),
        (JSON, "", "site: generate, alphabet: 'ab\"'", Some("c.yaml:5: ")),
        (
            MOUNT,
            "auth:\n  password: \"{{ .Secrets.PW }}\"\n",
            "site: ask",
            Some("conf:2: "),
        ),
        (
            MOUNT,
            "auth:\n  password: |\n    {{ .Secrets.PW }}\n",
            "site: ask",
            None,
        ),
        (
            MOUNT,
            "ALTER USER a PASSWORD '{{ .Secrets.PW }}';\n",
            "site: ask",
            Some("conf:1: "),
        ),
        (MOUNT, "[db]\npassword = {{ .Secrets.PW }}\n", "site: ask", None),
    ] {
        number += 1;
        folder.write("c.yaml", compose);
        folder.write("conf", conf);
        folder.build(&shop(source), number).unwrap();
        let told: Vec<&String> = folder.warnings.iter().filter(|text| text.contains("spoils")).collect();
        match says {
            None => assert!(told.is_empty(), "{conf} {source}: {told:?}"),
            Some(says) => assert!(
                told.len() == 1 && told[0].contains(says) && told[0].contains("a value of PW"),
                "{conf} {source}: {told:?}"
            ),
        }
    }
}

#[test]
fn a_password_in_a_file_of_a_program_is_replaced_within_its_quotes() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "A=1\n");
    folder.write("c.yaml", MOUNT);
    let raw = "services:\n  a:\n    image: example.com/web:2\n    env_file: [{path: conf, format: raw}]\n";
    for (number, (compose, conf, value)) in (1..).zip([
        (MOUNT, "ALTER USER a PASSWORD 'c4n4ry';\n", "c4n4ry"),
        (MOUNT, "password = c4n4ry\n", "c4n4ry"),
        (raw, "A=1\nDB_PASSWORD=c4n4ry\n", "c4n4ry"),
    ]) {
        folder.write("c.yaml", compose);
        folder.write("conf", conf);
        let release = shop("site: ask").replace("secrets: [{name: PW, value: {site: ask}}]\n", "");
        let (class, code, text) = folder.refused(&release, number);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{text}");
        let (_, rest) = text
            .split_once("in a file of a program, and in an env_file of format raw, write ")
            .unwrap();
        let (form, rest) = rest
            .split_once(" in place of the value, within the quotes that it wants, and into the release file ")
            .unwrap();
        let section = rest.split("; ").next().unwrap();
        assert!(!text.contains("with the quotes"), "{text}");
        folder.write("conf", conf.replace(value, form));
        folder.build(&format!("{release}{section}\n"), number).unwrap();
    }
}

#[test]
fn a_private_key_is_told_once() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "A=1\n");
    let key = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B\\n-----END PRIVATE KEY-----";
    folder.write(
        "c.yaml",
        format!("services:\n  a:\n    image: example.com/web:2\n    environment:\n      A: \"{key}\"\n"),
    );
    let release = shop("site: ask").replace("secrets: [{name: PW, value: {site: ask}}]\n", "");
    let (class, code, text) = folder.refused(&release, 1);
    assert_eq!((class, code), ("E-POLICY", "secret"), "{text}");
    assert!(text.starts_with("a secret would travel in clear: "), "{text}");
}

#[test]
fn a_file_that_compose_would_read_too_is_told() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "A=1\n");
    let service = "services:\n  a:\n    image: example.com/web:2\n";
    folder.write("compose.yaml", service);
    let release = shop("site: ask")
        .replace("secrets: [{name: PW, value: {site: ask}}]\n", "")
        .replace("c.yaml", "compose.yaml");
    let told = |folder: &VendorFolder, file: &str| {
        let mut warnings = folder.warnings.iter();
        warnings.any(|text| text.contains("compose would read ") && text.contains(&format!("/{file} too")))
    };
    folder.build(&release, 1).unwrap();
    assert!(
        !folder.warnings.iter().any(|text| text.contains("compose would read")),
        "{:?}",
        folder.warnings
    );
    folder.write("compose.override.yaml", service);
    folder.build(&release, 2).unwrap();
    assert!(told(&folder, "compose.override.yaml"), "{:?}", folder.warnings);
    folder
        .build(
            &release.replace("compose.yaml", "[compose.yaml, compose.override.yaml]"),
            3,
        )
        .unwrap();
    assert!(!told(&folder, "compose.override.yaml"), "{:?}", folder.warnings);
    folder.write("c.env", "COMPOSE_FILE=compose.yaml:more.yaml\n");
    folder.write("more.yaml", service);
    folder.build(&release, 4).unwrap();
    assert!(told(&folder, "more.yaml"), "{:?}", folder.warnings);
}

#[test]
fn what_services_share_is_told_once() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "A=1\n");
    let services: String = ["a", "b", "c"]
        .map(|name| format!("  {name}: {{image: 'example.com/web:2', environment: *e}}\n"))
        .concat();
    folder.write(
        "c.yaml",
        format!("x-e: &e\n  DB_PASSWORD: c4n4ry\nservices:\n{services}"),
    );
    let release = shop("site: ask").replace("secrets: [{name: PW, value: {site: ask}}]\n", "");
    let (class, code, text) = folder.refused(&release, 1);
    assert_eq!((class, code), ("E-POLICY", "secret"), "{text}");
    assert!(
        text.starts_with("a secret would travel in clear: ") && text.contains("c.yaml:2: "),
        "{text}"
    );
    assert!(
        text.contains("write \"{{ .Secrets.DB_PASSWORD }}\" in place of the value")
            && !text.contains("command, labels"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_a_value_is_said_before_anything_is_collected_and_without_it() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "A=1\n");
    folder.write("c.yaml", JSON);
    // Nobody has the image, and nobody is asked for it.
    let release = shop("env: Zq8rTn4wLk").replace("'oci:hello:1.0'}}\n         ", "'oci:nowhere:1.0'}}\n         ");
    let (_, _, text) = folder.refused(&release, 1);
    assert!(
        text.contains("is in the variable under env:, which is not set"),
        "{text}"
    );
    assert!(!text.contains("Zq8rTn4wLk"), "{text}");
    let (_, _, text) = folder.refused(&shop("site: Zq8rTn4wLk"), 1);
    assert!(
        text.contains("site says neither generate nor ask") && !text.contains("Zq8rTn4wLk"),
        "{text}"
    );
    let told = |folder: &VendorFolder| {
        folder
            .warnings
            .iter()
            .any(|text| text.contains("that can be tried out"))
    };
    folder
        .build(&shop("site: generate, length: 8, alphabet: 'ab'"), 1)
        .unwrap();
    assert!(told(&folder), "{:?}", folder.warnings);
    folder.build(&shop("site: generate, length: 8"), 2).unwrap();
    assert!(!told(&folder), "{:?}", folder.warnings);
}
