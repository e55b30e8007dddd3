//! A site's machine is gone: with a backup, with a copy of its state folder, with neither.

#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::fs;

use super::drill::{Drill, PASSPHRASE, STATE, rounds};

const KEEP: &str = "What to keep copies of";
const BACKUP: &str = "A site's machine is gone, and there is a backup";
const COPY: &str = "A site's machine is gone, and there is a copy of its state folder";
const NONE: &str = "A site's machine is gone, and there is no copy";

/// What follows once the folder is back: bundles, the server, agents, the vendor.
fn go_on(drill: &Drill, bundle: &str, address: std::net::SocketAddr) -> crate::support::appliance::Serving {
    let listed = drill.good(BACKUP, "airlock release list", &[], &STATE);
    assert!(
        listed["damage"][0]["remedy"]
            .as_str()
            .unwrap()
            .contains("import the bundle of release 1 "),
        "{listed}"
    );
    let healed = drill.good(BACKUP, "airlock import FILE", &[("FILE", bundle)], &STATE);
    assert!(healed["restored_blobs"].as_u64() > Some(0), "{healed}");
    let listed = drill.good(BACKUP, "airlock release list", &[], &STATE);
    assert_eq!(listed["damage"].as_array().unwrap().len(), 0, "{listed}");
    drill.serve(BACKUP, Some(address))
}

/// The vendor hears of another life, and somebody ends that.
fn end_finding(drill: &Drill) {
    let taken = drill.tell();
    assert!(taken.to_string().contains("new-instance"), "{taken}");
    let findings = drill
        .stage
        .good(&["vendor", "ledger", "findings", "-w", "w"])
        .to_string();
    assert!(
        findings.contains("new-instance") && findings.contains("F1"),
        "{findings}"
    );
    drill.good(BACKUP, "airlock vendor ledger end F1 -w acme", &[], &[]);
    let findings = drill
        .stage
        .good(&["vendor", "ledger", "findings", "-w", "w"])
        .to_string();
    assert!(!findings.contains("new-instance"), "{findings}");
}

#[test]
fn a_site_is_put_back_from_its_backup_and_goes_on_with_agents_and_vendor() {
    let drill = Drill::new();
    let (first, _) = drill.stage.bundle(1);
    drill.stage.import(&first);
    let serving = drill.stage.serve();
    let address = serving.address;
    let mut agent = drill.stage.agent(&serving);
    rounds(&mut agent);
    drill.tell();

    // What it builds on is kept too.
    let needs = drill.human(KEEP, "airlock bundle inspect", &[], &[first.to_str().unwrap()]);
    assert!(needs.contains("\nneeds        0 blobs of earlier bundles"), "{needs}");
    let more = [STATE, PASSPHRASE].concat();
    drill.good(KEEP, "airlock backup -o FILE", &[("FILE", "safe")], &more);
    let checked = drill.good(KEEP, "airlock backup --check FILE", &[("FILE", "safe")], &PASSPHRASE);
    assert_eq!(checked["of"]["kind"], "site", "{checked}");
    drop(serving);
    fs::rename(drill.stage.path("state"), drill.stage.path("lost")).unwrap();
    let put_in = [("FILE", "safe"), ("DIR", "state")];
    let more = [&PASSPHRASE[..], &["--against", "lost"]].concat();
    let (class, code, remedy) = drill.refused(BACKUP, "airlock restore FILE --state DIR", &put_in, &more);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "confirm"));
    assert!(remedy.contains("--yes"), "{remedy}");
    let more = [&more[..], &["--yes"]].concat();
    drill.good(BACKUP, "airlock restore FILE --state DIR", &put_in, &more);

    let serving = go_on(&drill, first.to_str().unwrap(), address);
    rounds(&mut agent);
    end_finding(&drill);
    let (second, _) = drill.stage.bundle(2);
    assert_eq!(drill.stage.import(&second)["result"], "imported");
    rounds(&mut agent);
    drop(serving);

    // At another address the target is connected once more.
    let serving = drill.serve(BACKUP, None);
    let mut again = drill.connect_again(BACKUP, &serving);
    rounds(&mut again);
}

/// Content was left out of the copy.
#[test]
fn a_site_is_put_back_from_a_copy_of_its_folder_without_content() {
    let drill = Drill::new();
    let (first, _) = drill.stage.bundle(1);
    drill.stage.import(&first);
    let serving = drill.stage.serve();
    let address = serving.address;
    let mut agent = drill.stage.agent(&serving);
    rounds(&mut agent);
    drill.tell();
    drop(serving);

    let (state, copy) = (drill.stage.path("state"), drill.stage.path("copy"));
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(&state)
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(copy.join("blobs")).unwrap();
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&copy, &state).unwrap();
    let more = [&STATE[..], &["--yes"]].concat();
    let recovered = drill.good(COPY, "airlock recover --as restored", &[], &more);
    assert!(recovered["instance"].is_string(), "{recovered}");
    let _serving = go_on(&drill, first.to_str().unwrap(), address);
    rounds(&mut agent);
    end_finding(&drill);
}

#[test]
fn a_site_without_any_copy_is_another_one_under_another_name() {
    let drill = Drill::new();
    let (first, _) = drill.stage.bundle(1);
    drill.stage.import(&first);
    fs::remove_dir_all(drill.stage.path("state")).unwrap();

    let put_in = [("root.json", "w/root.json")];
    drill.good(NONE, "airlock init --trust root.json --site plant-7b", &put_in, &STATE);
    let enrolment = drill.stage.only("state/outbox", "enrolment-");
    let (class, code, _) =
        drill
            .stage
            .refused(&["vendor", "enroll", "--yes", &enrolment, "-w", "w", "--replace", "plant"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "other-site"));
    let put_in = [("FILE", enrolment.as_str())];
    drill.good(
        NONE,
        "airlock vendor enroll FILE -w acme --name plant-7b",
        &put_in,
        &["--yes"],
    );
    drill.good(NONE, "airlock vendor withdraw-site plant-7 -w acme", &[], &[]);

    // A bundle with everything, of a release that asks for a secret.
    let release = drill.stage.path("shop/release.yaml");
    let text = fs::read_to_string(&release).unwrap();
    let text = text
        .replace("sequence: 1", "sequence: 3")
        .replace("version: \"1.0\"", "version: \"3.0\"")
        .replace(
            "audience: any",
            "audience: any\nsecrets:\n  - {name: SMTP_PASSWORD, value: {site: ask}}",
        );
    fs::write(&release, text).unwrap();
    let env = fs::read_to_string(drill.stage.path("shop/shop.env")).unwrap();
    fs::write(
        drill.stage.path("shop/shop.env"),
        env + "SMTP_PASSWORD=\"{{ .Secrets.SMTP_PASSWORD }}\"\n",
    )
    .unwrap();
    let put_in = [("release.yaml", "shop/release.yaml"), ("FILE", "stick/full.airlock")];
    let words = "airlock bundle create -f release.yaml -w acme --full -o FILE";
    drill.good(NONE, words, &put_in, &[]);
    let imported = drill.stage.import(&drill.stage.path("stick/full.airlock"));
    assert_eq!(
        (&imported["result"], &imported["active"]),
        (&"imported".into(), &false.into())
    );
    drill.with_input(
        NONE,
        "airlock secret set NAME",
        &[("NAME", "SMTP_PASSWORD")],
        &STATE,
        b"s3cret-of-plant",
    );

    let serving = drill.stage.serve();
    let text = format!("[agents]\naddress = \"{}\"\nplain_http = true\n", serving.address);
    fs::write(drill.stage.path("connect.toml"), text).unwrap();
    let more = [&STATE[..], &["--config", "connect.toml"]].concat();
    let command = drill.human(NONE, "airlock target connect TARGET", &[("TARGET", "counter")], &more);
    assert!(command.contains("curl"), "{command}");
}
