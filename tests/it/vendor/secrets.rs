//! Nothing that must not travel in clear is built into a bundle (J11), and no refusal repeats it.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use crate::support::vendor_folder::VendorFolder;

const CANARY: &str = "c4n4ry-7f3a9b";

fn shop(more: &str) -> String {
    format!(
        "applications:\n- name: shop\n  version: \"1\"\n  compose: c.yaml\n  env_file: c.env\n  \
         images: {{'example.com/web:2': 'oci:hello:1.0'}}\n{more}"
    )
}

fn chart(more: &str) -> String {
    format!(
        "images: [{{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}]\n\
         applications:\n- name: hello\n  version: \"1\"\n  chart: chart\n  image_values: [image]\n  values: v.yaml\n{more}"
    )
}

#[test]
fn every_secret_is_refused_by_name_and_its_twin_is_built() {
    let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n");
    let compose = "services:\n  a:\n    image: example.com/web:2\n";
    let with = |environment: &str| format!("{compose}    environment:\n      {environment}\n");
    for (file, bad, good, names) in [
        (
            "c.env",
            format!("DB_PASSWORD={CANARY}\n"),
            "DB_PASSWORD_FILE=/run/x\n".to_owned(),
            "DB_PASSWORD",
        ),
        (
            "c.env",
            format!("GITHUB=ghp_{}\n", CANARY.replace('-', "x").repeat(4)),
            "A=1\n".to_owned(),
            "c.env:1: GITHUB, a token of GitHub",
        ),
        (
            "c.env",
            format!("A=1\nB=\"{pem}\"\n"),
            "A=1\n".to_owned(),
            "c.env:2: a private key",
        ),
        (
            "c.yaml",
            with(&format!("API_TOKEN: {CANARY}")),
            with("API_TOKEN: ${API_TOKEN}"),
            "API_TOKEN",
        ),
        (
            "c.yaml",
            with(&format!("API_TOKEN: ${{T:-{CANARY}}}")),
            with("TOKEN_TTL: 5"),
            "API_TOKEN",
        ),
        (
            "c.yaml",
            with(&format!("- API_TOKEN={CANARY}")),
            with("- A=1"),
            "API_TOKEN",
        ),
        (
            "v.yaml",
            format!("db: {{password: {CANARY}}}\n"),
            "db: {existingSecret: x}\n".to_owned(),
            "db.password",
        ),
        (
            "v.yaml",
            format!("auths: {{a.b: {{auth: {CANARY}}}}}\n"),
            "auths: {}\n".to_owned(),
            "registry",
        ),
        (
            "v.yaml",
            format!("tls: |\n  {}\n", pem.replace('\n', "\n  ")),
            "tls: none\n".to_owned(),
            "a private key",
        ),
        (
            "chart/files/key.pem",
            pem.clone(),
            "x".to_owned(),
            "files/key.pem: a private key",
        ),
    ] {
        let mut folder = VendorFolder::new();
        folder.write("c.yaml", compose);
        folder.write("c.env", "A=1\n");
        folder.write("v.yaml", "");
        let rest = if file.starts_with("c.") { shop("") } else { chart("") };
        folder.write(file, &bad);
        let (class, code, text) = folder.refused(&rest, 1);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{file}: {text}");
        assert!(text.contains(names), "{names}: {text}");
        assert!(!text.contains(CANARY), "a refusal repeats no secret: {text}");
        folder.write(file, good);
        let (_, bundle) = folder.build(&rest, 1).unwrap();
        assert!(!String::from_utf8_lossy(&bundle).contains(CANARY));
    }
}

#[test]
fn included_and_extended_files_are_looked_at_too() {
    for main in [
        "include: [more.yaml]\nservices:\n  a:\n    image: example.com/web:2\n",
        "services:\n  a:\n    extends: {file: more.yaml, service: b}\n",
    ] {
        let mut folder = VendorFolder::new();
        let more =
            format!("services:\n  b:\n    image: example.com/web:2\n    environment:\n      DB_PASSWORD: {CANARY}\n");
        folder.write("c.yaml", main);
        folder.write("c.env", "");
        folder.write("more.yaml", &more);
        let (class, code, text) = folder.refused(&shop(""), 1);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{text}");
        assert!(
            text.contains("environment.DB_PASSWORD") && !text.contains(CANARY),
            "{text}"
        );
        folder.write("more.yaml", more.replace("DB_PASSWORD", "DB_USER"));
        folder.build(&shop(""), 1).unwrap();
    }
}

#[test]
fn what_its_author_allows_is_no_secret_in_charts_too() {
    let mut folder = VendorFolder::new();
    folder.write("c.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    folder.write("c.env", format!("DB_PASSWORD={CANARY}\nPIN=1234\n"));
    let (class, code, text) = folder.refused(&shop(""), 1);
    assert_eq!((class, code), ("E-POLICY", "secret"));
    for says in [
        "{{ .Secrets.DB_PASSWORD }}",
        "secrets: [{name: DB_PASSWORD, value: {site: ask}}]",
        "allow_plain: [DB_PASSWORD]",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    folder.build(&shop("  allow_plain: [DB_PASSWORD]\n"), 1).unwrap();
    folder.build(&shop("  allow_plain: ['*.env']\n"), 2).unwrap();

    folder.write("v.yaml", format!("db: {{auth: {{password: {CANARY}}}}}\n"));
    folder.write(
        "chart/files/key.pem",
        format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n"),
    );
    let (_, _, text) = folder.refused(&chart("  allow_plain: [key.pem]\n"), 3);
    assert!(text.contains("db.auth.password") && !text.contains("key.pem"), "{text}");
    folder
        .build(&chart("  allow_plain: [db.auth.*, key.pem]\n"), 3)
        .unwrap();
    // A line about a key is none.
    folder.write("chart/files/key.pem", "Paste your `-----BEGIN PRIVATE KEY-----` here\n");
    folder.build(&chart("  allow_plain: ['db.*']\n"), 4).unwrap();
}

#[test]
fn all_secrets_are_one_list_and_notes_are_looked_at_too() {
    let mut folder = VendorFolder::new();
    folder.write("c.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    folder.write("c.env", format!("A_PASSWORD={CANARY}\nB_TOKEN={CANARY}\n"));
    let (_, _, text) = folder.refused(
        &format!("notes: \"-----BEGIN PRIVATE KEY----- {CANARY}\"\n{}", shop("")),
        1,
    );
    assert!(text.starts_with("3 secrets"), "{text}");
    for says in ["notes", "c.env:1: A_PASSWORD", "c.env:2: B_TOKEN"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains(CANARY), "{text}");
}
