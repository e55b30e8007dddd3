//! Release files: what is read, and where mistakes are said to be.

use std::collections::BTreeSet;

use super::*;

const WHOLE: &str = "\
product: erp
channel: stable
version: 1.10
sequence: 7
epoch: 0
issued_at: 2026-11-21T10:00:00Z
expires_in: 90d
audience:
  - plant-7
  - 0123456789abcdef0123456789abcdef
minimum_appliance: 0.1.0
home_hosts: [docker.io]
platforms: [linux/amd64, linux/arm64]
notes: |
  First line.
  Second line.
images:
  - source: oci:images/web.tar:1.0
    name: registry.example.com/acme/web
  - source: docker://postgres:16
";

fn parse(text: &str) -> Result<ReleaseFile> {
    ReleaseFile::parse(Path::new("/base/release.yaml"), text)
}

#[test]
fn a_whole_file_is_read() {
    let file = parse(WHOLE).unwrap();
    assert_eq!(file.version.as_deref(), Some("1.10"));
    assert_eq!(file.sequence, Some(7));
    assert_eq!(file.expires, Some(Expiry::After(90 * 86_400)));
    let Some(AudienceText::Sites(sites)) = &file.audience else {
        panic!("a list of sites")
    };
    assert_eq!((sites[0].value.as_str(), sites[0].place), ("plant-7", (9, 5)));
    assert_eq!(file.notes, Some(Notes::Text("First line.\nSecond line.\n".into())));
    assert_eq!(file.images[0].source.to_string(), "oci:/base/images/web.tar:1.0");
    assert_eq!(
        file.images[0].name,
        Some(("registry.example.com/acme/web".parse().unwrap(), None))
    );
    assert_eq!(file.images[1].source.to_string(), "docker.io/library/postgres:16");
    assert_eq!(file.platforms.len(), 2);
    let any = parse("product: a\nchannel: b\naudience: any\nimages: [{source: x}]\n").unwrap();
    assert_eq!(any.audience, Some(AudienceText::Any));
}

#[test]
fn every_mistake_names_its_place() {
    let head = "product: erp\nchannel: stable\n";
    let tail = "images:\n  - source: oci:x\n";
    for (text, code, start, says) in [
        (
            format!("{head}verison: 1\n{tail}"),
            "unknown-key",
            "3:1",
            "did you mean version?",
        ),
        (
            format!("{head}{tail}    nmae: x\n"),
            "unknown-key",
            "5:5",
            "did you mean name?",
        ),
        (format!("product: erp\n{tail}"), "missing-key", "2:1", "channel"),
        (head.to_owned(), "missing-key", "2:1", "images"),
        (format!("{head}images: []\n"), "value", "3:9", "at least one"),
        (format!("product: Erp\nchannel: x\n{tail}"), "value", "1:10", "\"Erp\""),
        (format!("{head}sequence: -1\n{tail}"), "value", "3:11", "\"-1\""),
        (
            format!("{head}sequence: 9007199254740992\n{tail}"),
            "value",
            "3:11",
            "2^53",
        ),
        (format!("{head}sequence: 1.0\n{tail}"), "value", "3:11", "1.0"),
        (format!("{head}issued_at: yesterday\n{tail}"), "value", "3:12", "YYYY"),
        (format!("{head}expires_in: 3 months\n{tail}"), "value", "3:13", "90d"),
        (
            format!("{head}expires_in: 3d\nexpires: 2027-01-01T00:00:00Z\n{tail}"),
            "value",
            "3:13",
            "one of them",
        ),
        (format!("{head}audience: all\n{tail}"), "value", "3:1", "any"),
        (
            format!("{head}platforms: [linux]\n{tail}"),
            "value",
            "3:13",
            "linux/amd64",
        ),
        (format!("{head}home_hosts: [x]\n{tail}"), "value", "3:14", "docker.io"),
        (
            format!("{head}images:\n  - source: ftp://x\n"),
            "value",
            "4:13",
            "oci:PATH",
        ),
        (
            format!("{head}{tail}    name: A/b\n"),
            "value",
            "5:11",
            "image reference",
        ),
        (format!("{head}product: x\n{tail}"), "yaml", "3:1", "product"),
        (format!("{head}sequence: [1]\n{tail}"), "yaml", "3:", ""),
        (format!("{head}version: \"x\n"), "yaml", "", ""),
        (String::new(), "yaml", "1:1", ""),
        (format!("{head}{tail}---\nx: 1\n"), "yaml", "", ""),
    ] {
        let error = parse(&text).unwrap_err();
        let message = error.to_string();
        assert_eq!((error.class(), error.code()), (Class::Usage, code), "{text}\n{message}");
        assert!(
            message.starts_with(&format!("/base/release.yaml:{start}")) && message.contains(says),
            "{text}\n{message}"
        );
    }
}

#[test]
fn the_published_schema_has_the_same_keys() {
    let schema: serde_json::Value = include_str!("../../bundle-spec/schemas/release.schema.json")
        .parse()
        .unwrap();
    let keys = |schema: &serde_json::Value| -> BTreeSet<String> {
        assert_eq!(schema["additionalProperties"], false);
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let required = |schema: &serde_json::Value| -> BTreeSet<String> {
        schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key.as_str().unwrap().to_owned())
            .collect()
    };
    // What the parser knows is asked from the parser itself.
    let known = |text: &str| -> BTreeSet<String> {
        let error = parse(text).unwrap_err();
        let list = error.expectation().unwrap().strip_prefix("one of ").unwrap().to_owned();
        list.split(", ").map(str::to_owned).collect()
    };
    assert_eq!(keys(&schema), known("no_such_key: 1\n"));
    let image = &schema["properties"]["images"]["items"];
    assert_eq!(
        keys(image),
        known("product: a\nchannel: b\nimages: [{no_such_key: 1}]\n")
    );
    assert_eq!(
        required(&schema),
        ["product", "channel", "images"].map(str::to_owned).into()
    );
    assert_eq!(required(image), ["source"].map(str::to_owned).into());
}
