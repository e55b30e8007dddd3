//! Secrets of a release: declared, used, sealed to the sites of the audience, and nowhere in clear.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::path::Path;

use airlock::bundle::desired::SecretSource;
use airlock::bundle::sealed_for;
use airlock::crypto::SealedSecrets;
use airlock::domain::{Class, DocumentType, SecretValue, SiteId};
use base64::Engine as _;

use crate::support::vendor_folder::{ANSWER, VendorFolder, desired};

const PLANT: [u8; 32] = [1; 32];
const MILL: [u8; 32] = [2; 32];
const CANARIES: [&str; 3] = ["c4n4ry \"of\" plant\n", "c4n4ry for both", "c4n4ry for press 1"];

/// A compose application and a chart that use secrets in every place, on targets of two sites.
const REST: &str = "agents:
- name: 3.1.0
  docker: {source: 'oci:hello:1.0', name: 'a.example.com/d:1'}
  autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}
  kubernetes: {source: 'oci:hello:1.0', name: 'a.example.com/k:1'}
images: [{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}]
applications:
- {name: shop, version: \"1\", compose: c.yaml, env_file: c.env, images: {'example.com/web:2': 'oci:hello:1.0'}}
- {name: hello, version: \"1\", chart: chart, image_values: [image], values: v.yaml}
targets:
- {name: press-1, kind: docker, deployments: [{application: shop}]}
- {name: press-2, kind: docker, site: mill, deployments: [{application: shop}]}
- {name: cluster, kind: kubernetes, namespace: x, deployments: [{application: hello}]}
secrets:
- {name: COOKIE_KEY, value: {site: generate, length: 40}}
- {name: SMTP_PASSWORD, value: {site: ask}}
- {name: LICENCE, value: {file: ../outside/licence}}
- {name: TOKEN, value: {file: private}, targets: [press-1]}
- {name: TOKEN, value: {ask: true}, targets: [press-2]}
- {name: API_KEY, sites: {plant: {file: ../outside/plant}, mill: {ask: true}}}
";

fn folder() -> (VendorFolder, SiteId, SiteId, tempfile::TempDir) {
    let mut folder = VendorFolder::new();
    let sites = (folder.enrol("plant", PLANT), folder.enrol("mill", MILL));
    folder.overrides.sites = vec!["plant".into(), "mill".into()];
    folder.write(
        "c.yaml",
        "services:\n  a:\n    image: example.com/web:2\n    environment:\n      COOKIE: {{ .Secrets.COOKIE_KEY }}\n      \
         TOKEN: \"x{{ .Secrets.TOKEN }}\"\n",
    );
    folder.write(
        "c.env",
        "SMTP=smtp://a:{{.Secrets.SMTP_PASSWORD}}@b\nLICENCE={{ .Secrets.LICENCE }}\n",
    );
    folder.write("v.yaml", "auth:\n  password: {{ .Secrets.API_KEY }}\n");
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("plant"), format!("{}\n", CANARIES[0])).unwrap();
    std::fs::write(outside.path().join("licence"), CANARIES[1]).unwrap();
    folder.write("private", CANARIES[2]);
    set_mode(&folder.path("private"), 0o600);
    (folder, sites.0, sites.1, outside)
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn rest(outside: &tempfile::TempDir) -> String {
    REST.replace("../outside", outside.path().to_str().unwrap())
}

/// What is sealed to a site in the last bundle.
fn sealed(folder: &VendorFolder, site: &SiteId, key: &[u8; 32]) -> SealedSecrets {
    let (head, contents) = (folder.head(), folder.contents());
    let of = |kind| head.documents.iter().filter(move |entry| entry.kind == kind);
    let state = of(DocumentType::DesiredState).next().unwrap().digest;
    let state = airlock::bundle::desired::DesiredState::parse(&contents.0[&state]).unwrap();
    let documents = of(DocumentType::Secrets).map(|entry| contents.0[&entry.digest].as_slice());
    sealed_for(&head, documents, &state, site, key).unwrap().unwrap()
}

/// Fails where a value stands in bytes: as it is, escaped, in base64 or hex.
fn search(bytes: &[u8], what: &str) {
    for canary in CANARIES.into_iter().chain([ANSWER]) {
        let plain = &canary.as_bytes()[..canary.trim_end().len()];
        let encoded = |skip: usize| {
            let text = base64::engine::general_purpose::STANDARD.encode(&plain[skip..]);
            text[..text.len() - 4].to_owned()
        };
        let forms = [
            canary.trim_end().to_owned(),
            canary.replace('"', "\\\"").trim_end().to_owned(),
            encoded(0),
            encoded(1),
            encoded(2),
            data_encoding::HEXLOWER.encode(plain),
        ];
        for form in forms {
            let found = bytes.windows(form.len()).any(|part| part == form.as_bytes());
            assert!(!found, "{form} in {what}");
        }
    }
}

#[test]
fn every_site_gets_what_its_targets_use_sealed_and_nobody_else_reads_it() {
    let (mut folder, plant, mill, outside) = folder();
    let (built, bundle) = folder.build(&rest(&outside), 1).unwrap();
    assert!(
        folder
            .warnings
            .iter()
            .any(|warning| warning.contains("plant: the newline at its end")),
        "{:?}",
        folder.warnings
    );
    assert!(
        folder
            .warnings
            .iter()
            .any(|warning| warning.contains("v.yaml:2: the secret API_KEY is a text")),
        "{:?}",
        folder.warnings
    );
    assert_eq!(built.sealed, 2);
    assert_eq!(folder.head().requires, ["secrets-1"]);
    let state = desired(&built);
    let of = |target: &str| state.targets.iter().find(|known| known.name == target).unwrap();
    let said = |target: &str| -> Vec<(String, bool, SecretSource)> {
        let secrets = of(target).deployments[0].secrets().iter();
        secrets
            .map(|secret| (secret.name.to_string(), secret.per_target, secret.source))
            .collect()
    };
    let expected = [
        ("COOKIE_KEY".to_owned(), false, SecretSource::Generate),
        ("LICENCE".to_owned(), false, SecretSource::Sealed),
        ("SMTP_PASSWORD".to_owned(), false, SecretSource::Ask),
        ("TOKEN".to_owned(), true, SecretSource::Sealed),
    ];
    assert_eq!(
        (said("press-1"), said("press-2")),
        (expected.to_vec(), expected.to_vec())
    );
    assert_eq!(said("cluster"), [("API_KEY".to_owned(), false, SecretSource::Sealed)]);
    assert_eq!(of("press-1").deployments[0].secrets()[0].length(), 40);

    let (at_plant, at_mill) = (sealed(&folder, &plant, &PLANT), sealed(&folder, &mill, &MILL));
    let value = |site: &SealedSecrets, name: &str, target: Option<&str>| {
        let target = target.map(|target| of(target).id);
        site.value(&name.parse().unwrap(), target)
            .map(|value: &SecretValue| value.as_str().to_owned())
    };
    assert_eq!(value(&at_plant, "API_KEY", None).unwrap(), CANARIES[0]);
    assert_eq!(
        value(&at_mill, "API_KEY", None).unwrap(),
        format!("{ANSWER} for API_KEY for mill")
    );
    for site in [&at_plant, &at_mill] {
        assert_eq!(value(site, "LICENCE", None).unwrap(), CANARIES[1]);
        assert_eq!(value(site, "TOKEN", Some("press-1")).unwrap(), CANARIES[2]);
        assert_eq!(value(site, "COOKIE_KEY", None), None);
    }
    assert_eq!(
        value(&at_plant, "TOKEN", Some("press-2")),
        None,
        "it stands at the mill"
    );
    assert_eq!(
        value(&at_mill, "TOKEN", Some("press-2")).unwrap(),
        format!("{ANSWER} for TOKEN")
    );

    let contents = folder.contents();
    for blob in contents.0.values() {
        search(blob, "a blob of the bundle");
    }
    search(&bundle, "the bundle");
    let mut folders = vec![folder.path("w")];
    while let Some(path) = folders.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                search(&std::fs::read(&path).unwrap(), &path.display().to_string());
            }
        }
    }
}

#[test]
fn another_value_changes_no_revision_and_every_build_is_another_one() {
    let (mut folder, plant, _, outside) = folder();
    let revisions = |built: &airlock::vendor_side::Built| -> Vec<String> {
        desired(built)
            .deployments()
            .map(|(_, deployment)| deployment.revision.to_string())
            .collect()
    };
    let (first, _) = folder.build(&rest(&outside), 1).unwrap();
    let error = folder.build(&rest(&outside), 1).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Equivocation, "number-used"));
    std::fs::write(outside.path().join("licence"), "c4n4ry changed").unwrap();
    let (second, _) = folder.build(&rest(&outside), 2).unwrap();
    assert_eq!(revisions(&first), revisions(&second));
    let licence = sealed(&folder, &plant, &PLANT);
    assert_eq!(
        licence.value(&"LICENCE".parse().unwrap(), None).unwrap().as_str(),
        "c4n4ry changed"
    );
    // A place that moves is another document.
    folder.edit("c.env", "LICENCE=", "LICENCE_KEY=");
    let (third, _) = folder.build(&rest(&outside), 3).unwrap();
    let same = revisions(&second)
        .iter()
        .filter(|revision| revisions(&third).contains(revision))
        .count();
    assert_eq!(same, 1, "the chart's");
}

#[test]
fn what_is_not_declared_not_used_or_not_to_be_sealed_is_one_list_with_places() {
    let (mut folder, _, _, outside) = folder();
    let good = rest(&outside);
    folder.edit("c.env", "LICENCE=", "A={{ .Secrets.A }}\nLICENCE=");
    folder.edit("v.yaml", "API_KEY", "A");
    let refused = good.replace("targets: [press-2]", "targets: [press-1]").replacen(
        "value: {file: private}, targets: [press-1]",
        "value: {site: ask}, targets: [press-2]",
        1,
    );
    let refused = refused.replace("mill: {ask: true}", "mlil: {ask: true}");
    let (class, code, text) = folder.refused(&refused, 1);
    assert_eq!((class, code), ("E-CONTENT", "problems"), "{text}");
    for says in [
        "c.env:2: the secret A is used and not declared",
        "v.yaml:2: the secret A is used and not declared",
        "- {name: A, value: {site: ask}}",
        "the secret API_KEY is declared and no deployment uses it",
        "the secret API_KEY is for a site that is none: no site is called \"mlil\"",
        "the secret API_KEY has no value for the site mill",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    folder.edit("c.env", "A={{ .Secrets.A }}\n", "");
    folder.edit("v.yaml", "{{ .Secrets.A }}", "{{ .Secrets.API_KEY }}");
    let one_target = good.replace("- {name: TOKEN, value: {ask: true}, targets: [press-2]}\n", "");
    let (class, code, text) = folder.refused(&one_target, 1);
    assert_eq!((class, code), ("E-CONTENT", "undeclared-secret"), "{text}");
    assert!(
        text.contains("the secret TOKEN is used and not declared for press-2"),
        "{text}"
    );
    folder.overrides.sites.clear();
    let (class, code, text) = folder.refused(&good.replace("site: mill, ", ""), 1);
    assert_eq!((class, code), ("E-CONTENT", "secret-audience"), "{text}");
    assert!(
        text.starts_with("4 things") && text.contains("the secret LICENCE is sealed to sites"),
        "{text}"
    );
    let of_sites = good
        .replace("site: mill, ", "")
        .replace("value: {file: ", "value: {site: ask}, #")
        .replace("value: {ask: true}", "value: {site: ask}");
    let of_sites: String = of_sites
        .lines()
        .map(|line| match line.split_once(", #") {
            Some((kept, dropped)) => format!("{kept}{}\n", dropped.split_once('}').map_or("", |(_, rest)| rest)),
            None => format!("{line}\n"),
        })
        .collect();
    let cut = of_sites.find("- {name: API_KEY").unwrap();
    let of_sites = format!("{}- {{name: API_KEY, value: {{site: ask}}}}\n", &of_sites[..cut]);
    let (built, _) = folder.build(&of_sites, 1).unwrap();
    assert_eq!(
        (built.sealed, folder.head().requires),
        (0, vec!["secrets-1".to_owned()])
    );
}

#[test]
fn values_that_cannot_be_had_or_that_others_may_read_are_refused() {
    let (mut folder, _, _, outside) = folder();
    let good = rest(&outside);
    set_mode(&folder.path("private"), 0o640);
    let (class, code, text) = folder.refused(&good, 1);
    assert_eq!((class, code), ("E-POLICY", "secret-file"), "{text}");
    set_mode(&folder.path("private"), 0o600);
    let missing = good.replace("file: private", "env: AIRLOCK_NOT_SET");
    let (class, code, text) = folder.refused(&missing, 1);
    assert_eq!((class, code), ("E-USAGE", "secret-value"), "{text}");
    for (value, why) in [
        (&b"\n"[..], "is empty"),
        (b"a\0b", "holds a NUL byte"),
        (b"c4n4ry\xff", "is not UTF-8"),
    ] {
        std::fs::write(outside.path().join("licence"), value).unwrap();
        let (class, code, text) = folder.refused(&good, 1);
        assert_eq!((class, code), ("E-USAGE", "secret-value"), "{text}");
        assert!(text.contains(why) && !text.contains("c4n4ry"), "{text}");
    }
    std::fs::write(outside.path().join("licence"), "x").unwrap();
    folder.build(&good, 1).unwrap();
}

#[test]
fn what_is_sealed_stands_nowhere_beside_its_seal() {
    let (mut folder, _, _, outside) = folder();
    let good = rest(&outside);
    let (compose, env) = (folder.path("c.yaml"), folder.path("c.env"));
    let (compose, env) = [compose, env].map(|path| std::fs::read_to_string(path).unwrap()).into();
    let refused = |folder: &mut VendorFolder, rest: &str, expected: &str, says: &str| {
        let (class, code, text) = folder.refused(rest, 1);
        assert_eq!((class, code), ("E-POLICY", expected), "{text}");
        assert!(text.contains(says), "{says}: {text}");
        assert!(CANARIES.iter().all(|canary| !text.contains(canary)), "{text}");
    };
    folder.write("c.env", format!("GREETING={}\n{env}", CANARIES[1]));
    refused(
        &mut folder,
        &good,
        "secret",
        "write \"{{ .Secrets.LICENCE }}\" where it stands",
    );
    folder.write("c.env", &env);
    let mounted = "    volumes: [\"./private:/x.conf:ro\"]\n    environment:";
    folder.write("c.yaml", compose.replace("    environment:", mounted));
    refused(
        &mut folder,
        &good,
        "secret",
        "take the file that holds it out of the release",
    );
    folder.write("c.yaml", &compose);
    folder.write("chart/value", CANARIES[2]);
    set_mode(&folder.path("chart/value"), 0o600);
    let inside = good.replace("file: private", "file: chart/value");
    refused(&mut folder, &inside, "secret-file", "move it out of the chart's folder");
    folder.build(&good, 1).unwrap();
}

#[test]
fn secrets_stand_only_where_nothing_reads_them_as_anything_else() {
    let (mut folder, _, _, outside) = folder();
    let good = rest(&outside);
    let compose = std::fs::read_to_string(folder.path("c.yaml")).unwrap();
    for (from, to, says) in [
        (
            "    environment:",
            "    command: [\"{{ .Secrets.TOKEN }}\"]\n    environment:",
            "c.yaml:4:15: the secret TOKEN stands where no secret may",
        ),
        (
            "COOKIE: {{",
            "{{ .Secrets.TOKEN }}: x\n      COOKIE: {{",
            "the secret TOKEN stands where no secret may",
        ),
        (
            "example.com/web:2",
            "example.com/{{ .Secrets.TOKEN }}:2",
            "the secret TOKEN stands where no secret may",
        ),
        (
            "x{{ .Secrets.TOKEN }}",
            "${A:-{{ .Secrets.TOKEN }}}",
            "within the reference to a variable",
        ),
        ("x{{ .Secrets.TOKEN }}", "${{ .Secrets.TOKEN }}", "behind a dollar sign"),
        (
            "x{{ .Secrets.TOKEN }}",
            "{{ .Secrets.TOKEN | quote }}",
            "which nothing renders at a site",
        ),
    ] {
        folder.write("c.yaml", compose.replace(from, to));
        let (class, _, text) = folder.refused(&good, 1);
        assert_eq!(class, "E-CONTENT", "{text}");
        assert!(text.contains(says), "{says}: {text}");
    }
    folder.write("c.yaml", &compose);
    let env = std::fs::read_to_string(folder.path("c.env")).unwrap();
    for (line, says) in [
        ("A={{ .Values.x }}\n", "c.env:1:3: the template \"{{ .Values.x }}\""),
        ("A={{ .LicenseKeys.x }}\n", "which nothing renders"),
    ] {
        folder.write("c.env", format!("{line}{env}"));
        let (class, code, text) = folder.refused(&good, 1);
        assert_eq!((class, code), ("E-CONTENT", "template"), "{text}");
        assert!(text.contains(says), "{says}: {text}");
    }
    folder.write("c.env", format!("A={{{{`{{{{ .Values.x }}}}`}}}}\n{env}"));
    folder.build(&good, 1).unwrap();
    folder.write("c.env", &env);
    let (class, code, text) = folder.refused(&format!("notes: \"{{{{ .Secrets.TOKEN }}}}\"\n{good}"), 2);
    assert_eq!((class, code), ("E-CONTENT", "template"), "{text}");
    folder.build(&good, 2).unwrap();
}

#[test]
fn what_a_site_cannot_use_of_sealed_secrets_is_made_again_by_the_vendor() {
    let (mut folder, plant, _, outside) = folder();
    let good = rest(&outside);
    let release = |folder: &VendorFolder| {
        let (head, contents) = (folder.head(), folder.contents());
        let of = |kind: DocumentType| -> Vec<Vec<u8>> {
            let entries = head.documents.iter().filter(|entry| entry.kind == kind);
            entries.map(|entry| contents.0[&entry.digest].clone()).collect()
        };
        let state = airlock::bundle::desired::DesiredState::parse(&of(DocumentType::DesiredState)[0]).unwrap();
        let sealed = of(DocumentType::Secrets);
        (head, state, sealed)
    };
    folder.build(&good, 1).unwrap();
    let (_, _, earlier) = release(&folder);
    folder.build(&good, 2).unwrap();
    let (head, state, newer) = release(&folder);
    let told = |documents: Vec<&[u8]>, site: &SiteId, key: &[u8; 32]| {
        let found = sealed_for(&head, documents, &state, site, key);
        found
            .map(|found| found.is_some())
            .map_err(|error| (error.class(), error.code()))
    };
    assert_eq!(newer.len(), 2);
    let old: Vec<&[u8]> = earlier.iter().map(Vec::as_slice).collect();
    let new: Vec<&[u8]> = newer.iter().map(Vec::as_slice).collect();
    assert_eq!(told(old, &plant, &PLANT), Err((Class::Content, "secrets-scope")));
    assert_eq!(
        told([&new[..], &new[..]].concat(), &plant, &PLANT),
        Err((Class::Content, "secrets"))
    );
    assert_eq!(
        told(new.clone(), &plant, &[9; 32]),
        Err((Class::Policy, "secrets-missing"))
    );
    assert_eq!(told(new, &plant, &PLANT), Ok(true));
}

#[test]
fn a_release_file_says_where_a_value_is_and_never_the_value() {
    let (mut folder, _, _, outside) = folder();
    let good = rest(&outside);
    for (from, to, says) in [
        (
            "value: {site: ask}",
            "value: hunter2",
            "keep the value in a file outside the folder or in a variable, and say which",
        ),
        (
            "value: {site: ask}",
            "value: {site: ask, length: 40}",
            "take length out, or say site: generate",
        ),
    ] {
        let (class, code, text) = folder.refused(&good.replacen(from, to, 1), 1);
        assert_eq!((class, code), ("E-USAGE", "value"), "{text}");
        assert!(text.contains(says) && !text.contains("hunter2"), "{says}: {text}");
    }
    folder.build(&good, 1).unwrap();
}

#[test]
fn values_that_make_documents_too_large_for_a_site_are_refused_before_anything_is_sealed() {
    let (mut folder, _, _, outside) = folder();
    let good = rest(&outside);
    let long = outside.path().join("plant");
    let large = |bytes: usize| std::fs::write(&long, "$".repeat(bytes)).unwrap();
    let places = |count: usize| {
        (0..count).fold(String::new(), |all, n| {
            all + &format!("N{n}: {{{{ .Secrets.API_KEY }}}}\n")
        })
    };
    // 4 MiB of 64 KiB are 64 values, and a chart's values hold more than them.
    large(65_536);
    folder.write("v.yaml", places(64));
    let (class, code, text) = folder.refused(&good, 1);
    assert_eq!((class, code), ("E-LIMIT", "rendered"), "{text}");
    for says in [
        "\"cluster\" at the site plant",
        "hello with 419",
        "at most 4194304 bytes a document",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    // As it says: shorter values, or fewer places.
    large(65_000);
    folder.build(&good, 1).unwrap();
    large(65_536);
    folder.write("v.yaml", places(63));
    folder.build(&good, 2).unwrap();
    // A compose reads each dollar sign from two.
    let in_compose = good.replace(
        "value: {file: private}, targets: [press-1]",
        "value: {file: LONG}, targets: [press-1]",
    );
    let in_compose = in_compose.replace("LONG", long.to_str().unwrap());
    let compose = std::fs::read_to_string(folder.path("c.yaml")).unwrap();
    let more = (0..33).fold(String::new(), |all, n| {
        all + &format!("      N{n}: \"{{{{ .Secrets.TOKEN }}}}\"\n")
    });
    folder.write("c.yaml", compose.clone() + &more);
    let (class, code, text) = folder.refused(&in_compose, 3);
    assert_eq!((class, code), ("E-LIMIT", "rendered"), "{text}");
    assert!(text.contains("\"press-1\" at the site"), "{text}");
    // As it says once more: in fewer places.
    folder.write("c.yaml", compose);
    folder.build(&in_compose, 3).unwrap();
}

#[test]
fn values_that_every_site_makes_count_with_the_length_that_they_get() {
    let mut folder = VendorFolder::new();
    let places =
        |count: usize| (0..count).fold(String::new(), |all, n| all + &format!("N{n}={{{{ .Secrets.KEY }}}}\n"));
    folder.write("c.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    folder.write("c.env", places(4_200));
    let rest = REST.split("secrets:").next().unwrap().replace(", site: mill", "");
    let rest = rest + "secrets:\n- {name: KEY, value: {site: generate, length: 1024}}\n";
    folder.write("v.yaml", "a: 1\n");
    let (class, code, text) = folder.refused(&rest, 1);
    assert_eq!((class, code), ("E-LIMIT", "rendered"), "{text}");
    folder.build(&rest.replace("1024", "900"), 1).unwrap();
    // How long what is entered will be nobody knows here.
    folder
        .build(&rest.replace("site: generate, length: 1024", "site: ask"), 2)
        .unwrap();
}
