//! `airlock target …` as an operator uses it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::rules::log;
use crate::support::appliance::{AIRLOCK, read, write};
use crate::support::desired::{Desired, deployment_id, target_id};
use crate::support::in_process::{InProcessAppliance, login};

fn run(state: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(AIRLOCK);
    command.arg("target").args(arguments).arg("--state").arg(state);
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn good(instance: &InProcessAppliance, arguments: &[&str]) -> String {
    let output = run(&instance.state(), arguments, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(instance: &InProcessAppliance, arguments: &[&str], part: &str) {
    let output = run(&instance.state(), arguments, "");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(output.stdout.is_empty() && talk.contains(part), "{talk}");
}

fn list(instance: &InProcessAppliance) -> Vec<Value> {
    let text = good(instance, &["list", "--format", "json"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    value["targets"].as_array().unwrap().clone()
}

#[test]
fn an_operator_enrols_rotates_and_takes_away() {
    let instance = InProcessAppliance::new();
    assert!(good(&instance, &["list"]).contains("no live release has targets"));
    let made = instance.vendor.with_targets(1, |image| Desired::both(image, 2, "a"));
    instance.import(&made, false).unwrap();
    let human = good(&instance, &["list"]);
    assert!(human.starts_with("TARGET   KIND        PRODUCT     RELEASE"), "{human}");
    assert_eq!(list(&instance).len(), 3);
    assert_eq!(list(&instance)[1]["agent_secret"], "none");

    let output = Command::new(AIRLOCK)
        .args(["release", "show", "1.0", "--state"])
        .arg(instance.state())
        .output()
        .unwrap();
    let (target, deployment) = (target_id("edge-0"), deployment_id("edge-0"));
    let line = format!("\ntarget edge-0 ({target}): web version a ({deployment})\n");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&line));

    // The secret, and nothing else, on stdout.
    let secret = good(&instance, &["secret", "edge-0"]).trim().to_owned();
    assert_eq!(secret.len(), 32);
    assert!(login(&instance.hub(), &target_id("edge-0"), &secret).is_some());
    assert_eq!(list(&instance)[1]["agent_secret"], "issued");
    // Nobody is there to be asked, and nothing was changed.
    refused(&instance, &["secret", "edge-0"], "it stops working at once");
    assert!(login(&instance.hub(), &target_id("edge-0"), &secret).is_some());
    let next = good(&instance, &["secret", "edge-0", "--revoke", "--yes"])
        .trim()
        .to_owned();
    assert!(login(&instance.hub(), &target_id("edge-0"), &secret).is_none());
    assert!(login(&instance.hub(), &target_id("edge-0"), &next).is_some());

    // A target without a secret gets one; what is out cannot be shown again.
    let command = good(&instance, &["connect", "edge-1"]);
    assert!(command.contains("/api/v1/connect?targetId=") && command.ends_with("docker compose -f - up -d\n"));
    refused(&instance, &["connect", "edge-1"], "cannot be shown again");
    let output = run(
        &instance.state(),
        &["connect", "edge-0", "--secret-stdin"],
        &format!("{next}\n"),
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains(&next));
    let output = run(&instance.state(), &["connect", "edge-0", "--secret-stdin"], &secret);
    assert_eq!(output.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&output.stderr).contains(&secret));
    assert!(good(&instance, &["connect", "cluster"]).contains("kubectl apply -n 'shop' -f -"));

    // What is this machine to an agent on it is the pod itself to one in a pod.
    for (target, is_told) in [("cluster", true), ("edge-0", false)] {
        let output = run(&instance.state(), &["connect", target, "--new-secret"], "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            said.contains("in a pod means the pod itself"),
            is_told,
            "{target}: {said}"
        );
    }

    let manifest = good(&instance, &["connect", "edge-0", "--new-secret", "--manifest"]);
    assert!(
        manifest.contains("\nname: distr\n") && !manifest.contains(&next),
        "{manifest}"
    );

    // Local life.
    assert!(good(&instance, &["add", "spare", "--like", "edge-0"]).contains("follows edge-0"));
    assert_eq!(list(&instance).last().unwrap()["like"], target_id("edge-0").to_string());
    good(&instance, &["undeploy", "edge-0", "web", "--yes"]);
    assert_eq!(list(&instance)[1]["deployments"][0]["undeployed_here"], true);
    assert!(good(&instance, &["undeploy", "edge-0", "web", "--yes"]).contains("already"));
    good(&instance, &["deploy", "edge-0", &deployment_id("edge-0").to_string()]);
    assert_eq!(list(&instance)[1]["deployments"][0]["undeployed_here"], false);
    good(&instance, &["remove", "edge-1", "--yes"]);
    assert_eq!(list(&instance).len(), 3);
    good(&instance, &["restore", "edge-1"]);
    good(&instance, &["remove", "spare", "--yes"]);
    assert_eq!(list(&instance).len(), 3);

    let actions: Vec<String> = log(&instance).into_iter().map(|(action, _)| action).collect();
    for action in [
        "target-secret",
        "target-add",
        "target-undeploy",
        "target-deploy",
        "target-remove",
        "target-restore",
    ] {
        assert!(actions.iter().any(|other| other == action), "{action}");
    }
    for (_, detail) in log(&instance) {
        assert!(!detail.contains(&secret) && !detail.contains(&next));
    }
}

#[test]
fn mistakes_are_told_with_a_guess() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    refused(&instance, &["secret", "egde-0"], "did you mean \"edge-0\"?");
    refused(&instance, &["secret", "press"], "look at `airlock target list --state ");
    refused(&instance, &["undeploy", "edge-0", "wbe"], "did you mean \"web\"?");
    refused(
        &instance,
        &["add", "edge-1", "--like", "edge-0"],
        "there is a target \"edge-1\" already",
    );
    assert!(good(&instance, &["restore", "edge-0"]).contains("target edge-0 is here: it was not taken away"));
    refused(&instance, &["restore", "press"], "there is no target \"press\"");
    refused(&instance, &["connect", "edge-0", "--mirrors", "lxc"], "possible values");
    assert!(good(&instance, &["connect", "--help"]).contains("--mirrors"));
}

#[test]
fn engines_get_ready_made_files() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::both(image, 1, "a"));
    instance.import(&made, false).unwrap();
    for (runtime, path) in [
        ("docker", "/etc/docker/certs.d/registry.test/hosts.toml"),
        ("containerd", "/etc/containerd/certs.d/127.0.0.1_5000_/hosts.toml"),
        ("k3s", "/etc/rancher/k3s/registries.yaml"),
        ("podman", "/etc/containers/registries.conf.d/50-airlock.conf"),
    ] {
        let script = good(&instance, &["connect", "cluster", "--mirrors", runtime]);
        assert!(
            script.contains(&format!("mv -f '{path}.airlock-new' '{path}' || exit\n")),
            "{script}"
        );
        let status = Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
        assert!(status.success());
    }
    assert_eq!(list(&instance)[0]["agent_secret"], "none", "no secret was touched");
    let hub = instance.hub_as(
        "appliance.example:5443",
        true,
        Some("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
    );
    let snippet = hub
        .snippet(&target_id("cluster"), airlock::appliance::snippets::Engine::Containerd)
        .unwrap();
    let files = &snippet.files;
    assert_eq!(files[0].path, "/etc/containerd/certs.d/appliance.example_5443_/ca.crt");
    assert_eq!(files[2].path, "/etc/containerd/certs.d/registry.test/hosts.toml");
}

#[test]
fn targets_are_listed_as_people_count() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::docker(image, 11, "a"));
    instance.import(&made, false).unwrap();
    let expected: Vec<String> = (0..11).map(|number| format!("edge-{number}")).collect();
    let listed: Vec<String> = list(&instance)
        .iter()
        .map(|target| target["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, expected);
    let output = Command::new(AIRLOCK)
        .args(["release", "show", "1.0", "--state"])
        .arg(instance.state())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("target ")?.split(' ').next())
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_file_that_stands_where_one_is_put_is_kept() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::both(image, 1, "a"));
    instance.import(&made, false).unwrap();
    let folder = crate::support::appliance::scratch();
    let host = folder.path().join("k3s");
    let script = good(&instance, &["connect", "cluster", "--mirrors", "k3s"]);
    let script = script.replace("/etc/rancher/k3s", host.to_str().unwrap());
    let put = || {
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let kept = || {
        let names = std::fs::read_dir(&host).unwrap().map(|entry| entry.unwrap().path());
        let mut kept: Vec<_> = names.filter(|path| !path.ends_with("registries.yaml")).collect();
        assert!(kept.len() < 2, "{kept:?}");
        kept.pop()
    };
    let file = host.join("registries.yaml");
    assert_eq!(put(), "");
    let said_by = |path: &Path| String::from_utf8(read(path)).unwrap();
    let ours = said_by(&file);
    assert!(ours.contains("mirrors:"), "{ours}");
    assert_eq!((put(), kept()), (String::new(), None));
    write(&file, b"mirrors:\n  own.example: {}\n");
    let said = put();
    let kept = kept().unwrap();
    assert!(said.contains(&format!("that is kept as {}", kept.display())), "{said}");
    assert_eq!(said_by(&kept), "mirrors:\n  own.example: {}\n");
    assert!(said_by(&file).contains("own.example: {}"), "{}", said_by(&file));
}

/// What other machines cannot use, or not safely, is said before a secret is made for it.
#[test]
fn what_can_reach_nobody_is_said_before_a_secret_is_spent() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::both(image, 1, "a"));
    instance.import(&made, false).unwrap();
    let folder = crate::support::appliance::scratch();
    for (name, text, warned) in [
        ("loopback", "", Some("leads every other machine to itself")),
        (
            "plain",
            "[agents]\naddress = \"airlock.plant.example:5000\"\n",
            Some("without TLS"),
        ),
        (
            "tls",
            "[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"airlock.plant.example\"]\n",
            None,
        ),
    ] {
        let config = folder.path().join(name);
        write(&config, text.as_bytes());
        let config = config.to_str().unwrap();
        let output = run(
            &instance.state(),
            &["connect", "edge-0", "--new-secret", "--config", config],
            "",
        );
        let said = String::from_utf8(output.stderr).unwrap();
        let spent = said.find("a new secret was issued").unwrap();
        let before = said.get(..spent).unwrap();
        match warned {
            Some(part) => assert!(before.contains(part), "{name}: {said}"),
            None => assert!(!said.contains("warning: what is printed"), "{name}: {said}"),
        }
        // Of mirrors and snippets likewise, which spend none.
        let output = run(
            &instance.state(),
            &["connect", "edge-0", "--mirrors", "docker", "--config", config],
            "",
        );
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            warned.is_some(),
            said.contains("warning: what is printed"),
            "{name}: {said}"
        );
    }
}
