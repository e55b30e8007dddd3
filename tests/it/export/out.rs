//! Approvals, the signature, and the way out (E5 to E8): what leaves is what was reviewed, and nothing claims to have left that did not.

use std::io::Read as _;
use std::process::{Command, Stdio};

use airlock::crypto::write_signing_key;
use airlock::db::site::packages::State;
use serde_json::{Value, json};

use super::desk::{Desk, approver};
use super::world;
use crate::support::appliance::{AIRLOCK, Ended, audit_actions, read, write, write_private};

#[test]
fn what_was_previewed_is_what_leaves_and_again_the_same_bytes() {
    let desk = Desk::new(0);
    let head = desk.draft();
    let draft = read(&desk.kept(&head));
    let exported = desk.good(&format!("status export stick --digest {}", &head[..8]));
    let package = &exported["packages"][0];
    assert_eq!((&package["head"], &package["number"]), (&json!(head), &json!(1)));
    assert_eq!(exported["more"], false);
    let names = desk.on_stick();
    assert_eq!(names.len(), 1, "{names:?}");
    let row = &desk.packages()[0];
    assert!(
        names[0].ends_with("-1.airlock-status")
            && names[0].starts_with(&desk.judged(&desk.stick().join(&names[0]), "")["site"].as_str().unwrap()[..8])
    );
    assert_eq!(row.state, State::Exported);
    // The payload is that of the draft; the file is the one that is kept.
    let left = read(&desk.stick().join(&names[0]));
    assert_eq!(left, read(&desk.kept(&head)));
    assert_eq!(left.len(), draft.len());
    assert_ne!(left, draft);
    let verdict = desk.judged(&desk.stick().join(&names[0]), "");
    assert_eq!(verdict["head_digest"], json!(head));
    // The log and the stream say so.
    let stream = desk.stream();
    assert_eq!(
        stream.said().last().unwrap(),
        &("status-sign", &json!({"head": head, "number": 1}))
    );
    assert!(audit_actions(&desk.state()).ends_with(&["status-seal".to_owned(), "status-sign".to_owned()]));

    // The next one stands on it; the first comes out again as it was.
    let next = desk.good("status export stick");
    assert_eq!(next["packages"][0]["number"], 2);
    let file = desk.stick().join(&desk.on_stick()[1]);
    assert_eq!(desk.judged(&file, "")["previous"], json!(head));
    desk.good("status export ./again.status --again 1");
    assert_eq!(read(&desk.path("again.status")), left);
    assert_eq!(desk.signings(), 2);
    desk.refused("status export stick --again 3", "E-USAGE", "again");
    assert_eq!(desk.states(), [(1, State::Exported), (2, State::Exported)]);
}

#[test]
fn a_draft_that_shows_more_than_is_asked_for_stays_here() {
    let desk = Desk::new(0);
    desk.configure(0, "profile = \"full\"\n");
    desk.draft();
    desk.refused("status export stick --profile minimal", "E-BUSY", "draft");
    assert!(desk.on_stick().is_empty());
    assert_eq!(desk.states(), [(1, State::Draft)]);
    // What the message says to do.
    desk.good("status preview --discard --profile minimal");
    desk.good("status export stick --profile minimal");
    assert_eq!(
        desk.judged(&desk.stick().join(&desk.on_stick()[0]), "")["shows"],
        json!([])
    );
    // A folder with what goes home and a bundle holds one bundle.
    let package = desk.stick().join(&desk.on_stick()[0]);
    let error = airlock::media::open(&desk.stick(), None).unwrap_err();
    assert!(error.to_string().contains("holds no bundle"), "{error}");
    let mut bundle = read(&package);
    bundle[512..527].copy_from_slice(b"airlock-bundle ");
    write(&desk.stick().join("b.airlock"), &bundle);
    assert!(airlock::media::open(&desk.stick(), None).is_ok());
}

#[test]
fn another_digest_lets_nothing_out() {
    let desk = Desk::new(0);
    let head = desk.draft();
    let before = (read(&desk.kept(&head)), desk.packages(), desk.stream().rows);
    let other = head.replace(|c: char| c.is_ascii_digit(), "0");
    for digits in [other.as_str(), &head[..7], "", &"f".repeat(64), &head.to_uppercase()] {
        let words = format!("status export stick --digest={digits}");
        let ended = desk.refused(&words, "E-POLICY", "digest-mismatch");
        assert!(
            ended
                .stderr
                .contains("look at what would leave with `airlock status preview --state ")
        );
        let after = (read(&desk.kept(&head)), desk.packages(), desk.stream().rows);
        assert_eq!(after, before, "{digits}");
    }
    assert_eq!(desk.on_stick(), [""; 0]);
    // As the message says: the preview names it.
    let named = desk.draft();
    desk.good(&format!("status export stick --digest {named}"));
}

#[test]
fn a_draft_needs_as_many_approvals_as_the_site_says() {
    let desk = Desk::new(2);
    let ended = desk.refused("status export stick", "E-POLICY", "approvals");
    assert!(ended.stderr.contains("make one with `airlock status preview --state "));
    let head = desk.draft();
    let refused = |why: &str| {
        let ended = desk.refused("status export stick", "E-POLICY", "approvals");
        assert!(ended.stderr.contains("airlock approve DIGEST --key FILE"), "{why}");
        assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Draft)], 0), "{why}");
        assert_eq!(desk.on_stick(), [""; 0], "{why}");
    };
    refused("none");
    let approved = desk.good(&format!("approve {} --key 1.pem", &head[..8]));
    assert_eq!(
        approved["approvals"],
        json!({"there": [approver(1).public().id()], "needed": 2})
    );
    refused("one");
    desk.good(&format!("approve {head} --key 1.pem"));
    refused("one, twice");
    let before = read(&desk.kept(&head));
    desk.refused(&format!("approve {head} --key 3.pem"), "E-POLICY", "approver");
    desk.refused(
        &format!("approve {} --key 2.pem", "0".repeat(64)),
        "E-POLICY",
        "digest-mismatch",
    );
    assert_eq!(read(&desk.kept(&head)), before);
    // By a copy of the file: what is approved is what that says.
    write(&desk.path("copy"), &before);
    let approved = desk.good("approve ./copy --key 2.pem");
    assert_eq!(approved["head"], json!(head));
    let exported = desk.good(&format!("status export stick --digest {head}"));
    assert_eq!(exported["packages"][0]["number"], 1);
    let verdict = desk.judged(&desk.stick().join(&desk.on_stick()[0]), "2");
    assert_eq!(verdict["approvals"]["good"].as_array().unwrap().len(), 2);
    let rows = audit_actions(&desk.state());
    assert_eq!(rows.iter().filter(|action| *action == "status-approve").count(), 3);
    // Approvals stay here; a package that was signed is not approved any more.
    assert!(
        desk.stream()
            .said()
            .iter()
            .all(|(action, _)| *action != "status-approve")
    );
    desk.refused(&format!("approve {head} --key 2.pem"), "E-POLICY", "digest-mismatch");
}

/// No option that somebody forgot lets a draft out: what it needs and what it shows stand with it.
#[test]
fn a_draft_keeps_how_many_approvals_it_needs_where_no_configuration_is_named() {
    let desk = Desk::new(2);
    let head = desk.draft();
    let bare = |words: &str| {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json"]).args(words.split(' ')).arg("--state");
        command
            .arg(desk.state())
            .current_dir(desk.path(""))
            .env_remove("AIRLOCK_CONFIG");
        Ended::of(&command.output().unwrap())
    };
    let told = |ended: &Ended, class: &str, code: &str| {
        let found = ended.refusal.clone().unwrap_or_default();
        assert_eq!((found.0.as_str(), found.1.as_str()), (class, code), "{}", ended.stderr);
        assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Draft)], 0));
        assert_eq!(desk.on_stick(), [""; 0]);
    };
    let approve = |n: u8| desk.good(&format!("approve {head} --key {n}.pem"));
    for words in [
        "status export stick".to_owned(),
        format!("status export stick --digest {head}"),
    ] {
        let ended = bare(&words);
        told(&ended, "E-POLICY", "approvals");
        assert_eq!(remedy(&ended), "name the configuration of this site with --config FILE");
    }
    assert_eq!(
        bare("status preview").result["approvals"],
        json!({"needed": 2, "there": []})
    );
    // One that asks for less counts no more than none, and one that asks for more counts.
    approve(1);
    desk.configure(1, "");
    told(
        &desk.refused("status export stick", "E-POLICY", "approvals"),
        "E-POLICY",
        "approvals",
    );
    desk.configure(3, "");
    approve(2);
    told(
        &desk.refused("status export stick", "E-POLICY", "approvals"),
        "E-POLICY",
        "approvals",
    );
    // As the message says; and what was signed goes out again without one.
    desk.configure(2, "");
    desk.good("status export stick");
    let again = bare("status export stick --again 1");
    assert_eq!(again.code, Some(0), "{}", again.stderr);

    // What a draft shows is remembered in the same way.
    desk.configure(0, "profile = \"standard\"\n");
    desk.draft();
    let ended = bare("status export stick");
    assert_eq!(ended.refusal.unwrap().1, "draft");
    assert_eq!(desk.states(), [(1, State::Exported), (2, State::Draft)]);
}

#[test]
fn a_key_that_is_none_of_the_sites_is_added_or_another_one_taken() {
    let desk = Desk::new(1);
    let head = desk.draft();
    let words = format!("approve {head} --key 3.pem");
    let remedy = remedy(&desk.refused(&words, "E-POLICY", "approver"));
    let (before, line) = remedy.split_once(": ").unwrap();
    assert_eq!(
        before,
        "approve with another key, or add this one to the file of the site's keys"
    );
    write(&desk.path("keys.json"), format!("{{\"keys\":[{line}]}}").as_bytes());
    desk.good(&words);
    desk.good("status export stick");
}

/// What a refusal says to do.
fn remedy(ended: &Ended) -> String {
    let events = ended
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut refusals = events.filter(|event| event["event"] == "refused");
    refusals.next().unwrap()["remedy"].as_str().unwrap().to_owned()
}

#[test]
fn whoever_approves_first_is_told_what_the_file_has_to_hold() {
    let desk = Desk::new(1);
    let head = desk.draft();
    let words = format!("approve {head} --key 2.pem");
    let mut said = Vec::new();
    for (holds, class, code) in [
        (None, "E-IO", "io"),
        (Some(""), "E-TRUST", "site-keys"),
        (Some("{\"keys\":[]}"), "E-TRUST", "site-keys"),
    ] {
        match holds {
            None => std::fs::remove_file(desk.path("keys.json")).unwrap(),
            Some(text) => write(&desk.path("keys.json"), text.as_bytes()),
        }
        let remedy = remedy(&desk.refused(&words, class, code));
        let (before, file) = remedy.split_once("with this one alone: ").unwrap();
        let ended = desk.refused("status export stick", class, code);
        assert!(
            ended
                .stderr
                .contains("which says what the file of the site's keys has to hold")
        );
        assert!(
            before.contains(&desk.path("keys.json").display().to_string()),
            "{before}"
        );
        said.push(file.to_owned());
    }
    let key = airlock::crypto::Key::of(approver(2).public());
    let file: Value = serde_json::from_str(&said[0]).unwrap();
    assert_eq!(file, json!({"keys": [key]}));
    assert_eq!(said, vec![said[0].clone(); 3]);
    assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Draft)], 0));
    write(&desk.path("keys.json"), said[0].as_bytes());
    desk.good(&words);
    desk.good("status export stick");
}

#[test]
fn an_approver_whose_passphrase_is_lost_takes_another_key() {
    let desk = Desk::new(1);
    let head = desk.draft();
    write_signing_key(&desk.path("locked.pem"), &approver(2), Some("right")).unwrap();
    write_private(&desk.path("word"), b"wrong\n");
    let words = format!("approve {head} --key locked.pem --passphrase-file ./word");
    let ended = desk.refused(&words, "E-TRUST", "passphrase");
    assert!(
        ended
            .stderr
            .contains("make another key, and put that into the file of the site's keys"),
        "{}",
        ended.stderr
    );
    write_private(&desk.path("word"), b"right\n");
    desk.good(&words);
    desk.good("status export stick");
}

/// Where the data of each entry stands.
fn entries(bytes: &[u8]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while bytes[at] != 0 {
        let name: String = bytes[at..]
            .iter()
            .take_while(|byte| **byte != 0)
            .map(|byte| char::from(*byte))
            .collect();
        let size = std::str::from_utf8(&bytes[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(size.trim_matches([' ', '\0']), 8).unwrap();
        found.push((name, at + 512));
        at += 512 + size.next_multiple_of(512);
    }
    found.push(("end".into(), at));
    found
}

#[test]
fn a_file_that_was_changed_behind_our_back_is_never_signed() {
    let desk = Desk::new(0);
    let head = desk.draft();
    let whole = read(&desk.kept(&head));
    let before = (desk.packages(), desk.stream().rows);
    let entries = entries(&whole);
    assert!(entries.len() >= 8, "{entries:?}");
    for (name, data) in &entries {
        let classes: &[&str] = match &name[..2] {
            "00" | "06" | "en" => &["E-FORMAT"],
            "01" => &["E-SIGNATURE"],
            "02" => &["E-TRUST"],
            "03" => &["E-FORMAT", "E-INTEGRITY"],
            "04" => &["E-POLICY"],
            "05" => &["E-INTEGRITY"],
            _ => &["E-INTEGRITY", "E-FORMAT"],
        };
        // Something in the content, and something in the header before it.
        for at in [*data, data.saturating_sub(512)] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            write(&desk.kept(&head), &changed);
            let ended = desk.run(&format!("status export stick --digest {head}"));
            let (class, ..) = ended
                .refusal
                .unwrap_or_else(|| panic!("{name} at {at}: {}", ended.stderr));
            assert!(
                at != *data || classes.contains(&class.as_str()),
                "{name} at {at}: {class}"
            );
            assert_eq!((desk.packages(), desk.stream().rows), before, "{name} at {at}");
            assert_eq!(desk.on_stick(), [""; 0]);
        }
    }
    for cut in [0, 100, whole.len() / 2, whole.len() - 1] {
        write(&desk.kept(&head), &whole[..cut]);
        let ended = desk.run(&format!("status export stick --digest {head}"));
        assert!(ended.refusal.is_some(), "{cut}");
        assert_eq!((desk.packages(), desk.stream().rows), before, "{cut}");
    }
    write(&desk.kept(&head), &whole);
    desk.good(&format!("status export stick --digest {head}"));
    // And what was signed does not leave changed, nor is it signed anew.
    let signed = read(&desk.kept(&head));
    let (_, chunk) = &entries[entries.len() - 2];
    let mut changed = signed.clone();
    changed[*chunk] ^= 1;
    write(&desk.kept(&head), &changed);
    let ended = desk.run("status export ./other.status --again 1");
    assert_eq!(ended.refusal.unwrap().0, "E-INTEGRITY");
    assert!(!desk.path("other.status").try_exists().unwrap());
    assert_eq!(desk.signings(), 1);
}

#[test]
fn a_pipe_takes_it_whole_or_nothing_is_said_to_have_left() {
    let desk = Desk::new(0);
    let head = desk.draft();
    // Nobody reads.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = desk.command("status export -").stdout(writer).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(25),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(desk.states(), [(1, State::Signed)]);
    // The next export goes on there, with the same bytes.
    let kept = read(&desk.kept(&head));
    let mut child = desk.command("status export -").stdout(Stdio::piped()).spawn().unwrap();
    let mut left = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "a test's own pipe")]
    child.stdout.take().unwrap().read_to_end(&mut left).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(left, kept);
    write(&desk.path("piped"), &left);
    assert_eq!(desk.judged(&desk.path("piped"), "")["head_digest"], json!(head));
    assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Exported)], 1));
}

/// What did not get out goes first, unless something covers it or it is gone: nobody is stuck with it.
#[test]
fn what_did_not_get_out_goes_first_unless_it_is_covered_or_gone() {
    let desk = Desk::new(0);
    let fails = || {
        desk.refused("status export ./no/folder/x.status", "E-IO", "io");
    };
    fails();
    fails();
    assert_eq!(desk.states(), [(1, State::Signed)]);
    assert_eq!(desk.good("status export stick")["packages"][0]["number"], 1);
    fails();
    // A draft that somebody made since holds all of it.
    desk.draft();
    assert_eq!(desk.good("status export stick")["packages"][0]["number"], 3);
    assert_eq!(desk.good("status export stick")["packages"][0]["number"], 4);
    fails();
    let head = desk.packages().last().unwrap().head.to_hex();
    std::fs::remove_file(desk.kept(&head)).unwrap();
    desk.refused("status export stick --again 5", "E-STATE", "package-missing");
    assert_eq!(desk.good("status export stick")["packages"][0]["number"], 6);
    let signed = [2, 5].map(|number| (number, State::Signed));
    assert!(
        desk.states()
            .iter()
            .all(|row| row.1 == State::Exported || signed.contains(row))
    );
}

#[test]
fn nothing_that_stands_at_the_destination_is_lost() {
    let desk = Desk::new(0);
    let head = desk.draft();
    write(&desk.path("notes"), b"somebody's notes");
    let other = Desk::new(0);
    other.good("status export ./theirs.status");
    write(&desk.path("theirs.status"), &read(&other.path("theirs.status")));
    for place in ["./notes", "./theirs.status"] {
        let before = read(&desk.path(place));
        let ended = desk.refused(&format!("status export {place}"), "E-USAGE", "output");
        assert!(ended.stderr.contains("nothing was written"));
        assert_eq!(
            (read(&desk.path(place)), desk.states()),
            (before, vec![(1, State::Draft)])
        );
    }
    desk.refused("status export ./no/folder/x.status", "E-IO", "io");
    assert_eq!(desk.states(), [(1, State::Signed)]);
    // The same package may come over itself.
    desk.good("status export ./mine.status");
    desk.good("status export ./mine.status --again 1");
    assert_eq!(read(&desk.path("mine.status")), read(&desk.kept(&head)));
}

#[test]
fn the_outbox_keeps_two_files_and_what_has_room() {
    let site = world::site();
    let appliance = site.appliance();
    let folder = crate::support::appliance::scratch();
    let rule = airlock::appliance::export::ApprovalRule::default();
    let mut dropped = Vec::new();
    for number in 1..=4 {
        let row = world::draft(&site, &[]).row;
        appliance.sign_package(row.head, &rule).unwrap();
        let path = folder.path().join(number.to_string());
        let to = airlock::appliance::export::Destination::File(&path);
        dropped.push(appliance.deliver(row.head, to, 1).unwrap().dropped.len());
    }
    assert_eq!(dropped, [0, 0, 1, 1]);
    assert_eq!(world::outbox(&site.state()).len(), 2);
    let rows = audit_actions(&site.state());
    assert_eq!(rows.iter().filter(|action| *action == "status-drop").count(), 2);
    // Their rows stay, and say what they were.
    let domain = site.a.chain().domain();
    let rows = appliance
        .db
        .read(|connection| airlock::db::site::packages::list(connection, domain))
        .unwrap();
    assert_eq!(rows.len(), 4);
    let gone = appliance.sign_package(rows[0].head, &rule).unwrap_err();
    assert_eq!(gone.code(), "package-missing");
    appliance.sign_package(rows[2].head, &rule).unwrap();
}
