//! What a release before told targets to run does not disappear, and keeps its UUID, unless the author says so.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use airlock::domain::Uuid;

use crate::support::vendor_folder::{HEAD, VendorFolder, desired};

/// A release file with targets of one application; each is `NAME` or `NAME|more keys`.
fn fleet(targets: &[&str], removed: &str) -> String {
    let mut text = "agents:\n- name: 3.1.0\n  docker: {source: 'oci:hello:1.0', name: 'a.example.com/d:1'}\n  \
                    autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}\n\
                    applications:\n- {name: one, version: \"1\", compose: one.yaml, images: {'example.com/web:2': 'oci:hello:1.0'}}\n\
                    - {name: two, version: \"1\", compose: one.yaml, images: {'example.com/web:2': 'oci:hello:1.0'}}\n"
        .to_owned();
    if !targets.is_empty() {
        text += "targets:\n";
    }
    for target in targets {
        let (name, more) = target
            .split_once('|')
            .unwrap_or((target, "deployments: [{application: one}]"));
        text += &format!("- {{name: {name}, kind: docker, {more}}}\n");
    }
    text + removed
}

fn folder() -> VendorFolder {
    let folder = VendorFolder::new();
    folder.write("one.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    folder
}

#[test]
fn a_renamed_target_is_another_one_and_create_says_so() {
    let mut folder = folder();
    let (built, _) = folder.build(&fleet(&["press-1"], ""), 1).unwrap();
    let old = desired(&built).targets[0].clone();
    let (class, code, text) = folder.refused(&fleet(&["press-9"], ""), 2);
    assert_eq!((class, code), ("E-POLICY", "undeploy"), "{text}");
    assert!(
        text.contains("is another target") && text.contains("\"press-9\""),
        "{text}"
    );
    // Its former UUID would be refused by every appliance; so would that of another application.
    let with_id = |id: Uuid| format!("press-9|id: {id}, deployments: [{{application: one}}]");
    let (class, code, text) = folder.refused(&fleet(&[&with_id(old.id)], ""), 2);
    assert_eq!((class, code), ("E-USAGE", "value"), "{text}");
    assert!(text.contains("version 8") && text.contains("leave id out"), "{text}");
    let deployment = format!(
        "press-1|deployments: [{{application: two, id: {}}}]",
        old.deployments[0].id
    );
    let (class, code, text) = folder.refused(&fleet(&[&deployment], ""), 2);
    assert_eq!((class, code), ("E-USAGE", "value"), "{text}");
    assert!(text.contains("target and application"), "{text}");
    // What the message says works: without the id, the old one removed.
    let (built, _) = folder.build(&fleet(&["press-9"], "removed: [press-1]\n"), 2).unwrap();
    assert_ne!(desired(&built).targets[0].id, old.id);
    // The derivation itself may be written down, and a hub's UUID too.
    let mut folder = self::folder();
    let same = format!("press-1|id: {}, deployments: [{{application: one}}]", old.id);
    let hub = "press-2|id: 7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b, deployments: [{application: one}]";
    let (built, _) = folder.build(&fleet(&["press-1"], ""), 1).unwrap();
    let derived = desired(&built).targets[0].id;
    folder
        .build(
            &fleet(&[&same.replace(&old.id.to_string(), &derived.to_string()), hub], ""),
            2,
        )
        .unwrap();
}

#[test]
fn a_dropped_target_or_deployment_is_refused_with_the_list() {
    let mut folder = folder();
    let both = "press-2|deployments: [{application: one}, {application: two}]";
    let (built, _) = folder.build(&fleet(&["press-1", both], ""), 1).unwrap();
    let first = desired(&built).clone();
    let (class, code, text) = folder.refused(&fleet(&["press-2"], ""), 2);
    assert_eq!((class, code), ("E-POLICY", "undeploy"), "{text}");
    assert!(
        text.contains("target \"press-1\"") && text.contains("deployment \"press-2/two\""),
        "{text}"
    );
    let (class, code, _) = folder.refused("images: [{source: 'oci:hello:1.0', name: 'a.b/c:1'}]\n", 2);
    assert_eq!(
        (class, code),
        ("E-POLICY", "undeploy"),
        "a release without targets drops them all"
    );

    let (built, _) = folder
        .build(&fleet(&["press-2"], "removed: [press-1, press-2/two]\n"), 2)
        .unwrap();
    let state = desired(&built);
    let press = |name: &str| first.targets.iter().find(|target| target.name == name).unwrap();
    let two = press("press-2")
        .deployments
        .iter()
        .find(|deployment| deployment.application.as_str() == "two")
        .unwrap();
    let mut expected: Vec<Uuid> = vec![press("press-1").id, two.id];
    expected.sort();
    assert_eq!(state.removed, expected);
    // A site may skip that release, so later ones say it again; a target that comes back is no longer removed.
    let (built, _) = folder.build(&fleet(&["press-2"], ""), 3).unwrap();
    assert_eq!(desired(&built).removed, expected);
    let (built, _) = folder.build(&fleet(&["press-1", "press-2"], ""), 4).unwrap();
    assert_eq!(desired(&built).removed, [two.id]);
    assert!(
        desired(&built)
            .targets
            .iter()
            .any(|target| target.id == press("press-1").id)
    );
    // An earlier number is compared with what came before it, so it builds again to the same.
    folder
        .build(&fleet(&["press-2"], "removed: [press-1, press-2/two]\n"), 2)
        .unwrap();
}

#[test]
fn a_refused_release_leaves_the_memory_alone() {
    let mut folder = folder();
    folder.build(&fleet(&["press-1"], ""), 1).unwrap();
    folder.refused(&fleet(&["press-2"], ""), 2);
    folder.build(&fleet(&["press-1"], ""), 2).unwrap();
    let about_agents = |folder: &VendorFolder| {
        folder
            .warnings
            .iter()
            .any(|warning| warning.contains("agent version 3.1.0"))
    };
    let renamed = fleet(&["press-1"], "").replace("a.example.com/d:1", "a.example.com/d:2");
    folder.build(&renamed, 3).unwrap();
    assert!(!about_agents(&folder), "a tag is no image: {:?}", folder.warnings);
    let moved = renamed.replace("a.example.com/d:2", "b.example.com/d:2");
    folder.build(&moved, 4).unwrap();
    assert!(about_agents(&folder), "{:?}", folder.warnings);
}

#[test]
fn a_uuid_a_kind_and_a_site_do_not_change_under_a_name() {
    let mut folder = folder();
    let (built, _) = folder.build(&fleet(&["press-1"], ""), 1).unwrap();
    let id = desired(&built).targets[0].id;
    let given = "7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b";
    for target in [
        format!("press-1|id: {given}, deployments: [{{application: one}}]"),
        format!("press-1|deployments: [{{application: one, id: {given}}}]"),
        format!(
            "press-1|site: \"{}\", deployments: [{{application: one}}]",
            "0".repeat(32)
        ),
    ] {
        let (class, code, text) = folder.refused(&fleet(&[&target], ""), 2);
        assert_eq!((class, code), ("E-POLICY", "identity"), "{text}");
        assert!(text.contains("press-1"), "{text}");
    }
    let renewed = format!("press-1|id: {given}, deployments: [{{application: one}}]");
    let (built, _) = folder
        .build(&fleet(&[&renewed], &format!("removed: [{id}]\n")), 2)
        .unwrap();
    assert_eq!(desired(&built).removed, [id]);
    assert_eq!(desired(&built).targets[0].id.to_string(), given);
}

#[test]
fn removals_that_make_no_sense_name_their_place() {
    let mut folder = folder();
    folder.build(&fleet(&["press-1"], ""), 1).unwrap();
    for (removed, says) in [
        ("press-1", "listed under targets too"),
        ("press-1/one", "listed under targets too"),
        ("pres-1", "did you mean press-1?"),
        ("press-1/two", "did you mean press-1/one?"),
        ("press-1/A", "no earlier"),
    ] {
        let text = fleet(&["press-1"], &format!("removed: [{removed}]\n"));
        let line = format!("{HEAD}{text}").lines().count();
        let (class, code, text) = folder.refused(&text, 2);
        assert_eq!((class, code), ("E-USAGE", "value"), "{text}");
        assert!(text.contains(&format!("release.yaml:{line}:11")), "{text}");
        assert!(text.contains(says) || removed.ends_with('A'), "{text}");
    }
    // Nothing is known in a new workspace: the UUID that follows from the name is used, and said.
    let mut fresh = self::folder();
    let (built, _) = fresh.build(&fleet(&["press-2"], "removed: [press-1]\n"), 1).unwrap();
    assert_eq!(desired(&built).removed.len(), 1);
    assert!(fresh.warnings.iter().any(|warning| warning.contains("press-1")));
}

#[test]
fn targets_of_sites_beyond_the_audience_are_remembered() {
    let mut folder = folder();
    let (a, b) = ("a".repeat(32), "b".repeat(32));
    let at = |name: &str, site: &str| format!("{name}|site: {site}, deployments: [{{application: one}}]");
    folder.build(&fleet(&[&at("one", &a), &at("two", &b)], ""), 1).unwrap();
    folder.overrides.sites = vec![a.clone()];
    folder.build(&fleet(&[&at("one", &a)], ""), 2).unwrap();
    folder.overrides.sites = vec![b.clone()];
    let (class, code, text) = folder.refused(&fleet(&[&at("three", &b)], ""), 3);
    assert_eq!((class, code), ("E-POLICY", "undeploy"), "{text}");
    assert!(text.contains("\"two\"") && !text.contains("\"one\""), "{text}");
    folder.build(&fleet(&[&at("two", &b)], ""), 3).unwrap();
}
