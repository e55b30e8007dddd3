//! Who may log in: secrets issued here, secrets of the hub, rotation, and what never shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use airlock::appliance::fleet::{Check, Hub, Login, Removal, SecretView};
use airlock::appliance::live::Watcher;
use airlock::domain::{Class, FixedClock, Uuid};

use super::rules::{log, one};
use crate::support::appliance::{read, wait_for};
use crate::support::desired::{Desired, HUB_SECRET, hub_verifier, target_id};
use crate::support::in_process::{InProcessAppliance, login, overwrite};

const WRONG: &str = "ffffffffffffffffffffffffffffffff";

/// A plant whose `edge-0` has a secret of the hub's.
fn with_verifier() -> InProcessAppliance {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 2, "a");
        desired.target("edge-0").verifier = Some(hub_verifier());
        desired
    });
    instance.import(&made, false).unwrap();
    instance
}

fn token(hub: &Hub, name: &str, secret: &str) -> airlock::appliance::fleet::Token {
    match hub.login(&target_id(name), secret).unwrap() {
        Login::Token(token) => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rotated_secret_leaves_tokens_alone_unless_they_are_revoked() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let hub = instance.hub();
    let first = hub.issue_secret(&target_id("edge-0"), false).unwrap();
    let other = hub.issue_secret(&target_id("edge-1"), false).unwrap();
    let old = token(&hub, "edge-0", first.as_str());
    let second = hub.issue_secret(&target_id("edge-0"), false).unwrap();
    assert!(login(&hub, &target_id("edge-0"), first.as_str()).is_none());
    assert!(hub.identify(old.as_str()).is_some());
    let newer = token(&hub, "edge-0", second.as_str());

    let third = hub.issue_secret(&target_id("edge-0"), true).unwrap();
    for token in [&old, &newer] {
        assert!(hub.identify(token.as_str()).is_none());
    }
    assert!(login(&hub, &target_id("edge-0"), second.as_str()).is_none());
    let again = instance.hub();
    let last = token(&again, "edge-0", third.as_str());
    assert!(hub.identify(last.as_str()).is_some());
    // A secret is one target's.
    assert!(login(&hub, &target_id("edge-0"), other.as_str()).is_none());
    assert!(login(&hub, &target_id("edge-1"), third.as_str()).is_none());
    assert!(login(&hub, &target_id("edge-1"), other.as_str()).is_some());
    for bad in [
        "",
        "x",
        &third.as_str().to_uppercase(),
        &third.as_str()[1..],
        &"0".repeat(10_000),
    ] {
        assert!(login(&hub, &target_id("edge-0"), bad).is_none(), "{bad}");
    }
}

#[test]
fn no_secret_is_kept_logged_or_shown() {
    let instance = with_verifier();
    let hub = instance.hub();
    let secret = hub.issue_secret(&target_id("edge-1"), false).unwrap();
    let token = token(&hub, "edge-1", secret.as_str());
    assert!(login(&hub, &target_id("edge-0"), HUB_SECRET).is_some());
    for (action, detail) in log(&instance) {
        assert!(
            !detail.contains(secret.as_str()) && !detail.contains(HUB_SECRET),
            "{action} {detail}"
        );
    }
    drop(instance.appliance());
    for name in ["airlock.db", "airlock.db-wal", "status.db", "marks"] {
        let path = instance.state().join(name);
        if !path.is_file() {
            continue;
        }
        let bytes = read(&path);
        let all = String::from_utf8_lossy(&bytes);
        for text in [secret.as_str(), HUB_SECRET, token.as_str()] {
            assert!(!all.contains(text), "{name}");
        }
    }
    assert_eq!(format!("{secret:?} {token:?}"), "Secret Token");
    assert!(!format!("{hub:?} {:?}", hub.targets()).contains(secret.as_str()));
}

#[test]
fn d12_a_secret_of_the_hubs_works_and_is_hashed_expensively_once() {
    let instance = with_verifier();
    let hub = instance.hub();
    assert_eq!(one(&hub, "edge-0").secret, SecretView::Hub);
    assert!(login(&hub, &target_id("edge-0"), WRONG).is_none());
    let identity = login(&hub, &target_id("edge-0"), HUB_SECRET).unwrap();
    assert_eq!(identity.target, target_id("edge-0"));
    // From now on, and for every other process, a keyed hash does.
    let again = instance.hub();
    assert!(matches!(one(&again, "edge-0").secret, SecretView::Adopted(_)));
    assert!(login(&again, &target_id("edge-0"), HUB_SECRET).is_some());
    assert!(login(&again, &target_id("edge-0"), WRONG).is_none());
    let adopted = log(&instance)
        .into_iter()
        .filter(|(_, detail)| detail.contains("adopted"))
        .count();
    assert_eq!(adopted, 1);

    // A secret issued here takes its place, whatever the release still says.
    let issued = hub.issue_secret(&target_id("edge-0"), false).unwrap();
    assert!(login(&hub, &target_id("edge-0"), HUB_SECRET).is_none());
    assert!(
        login(&again, &target_id("edge-0"), HUB_SECRET).is_some(),
        "not noticed yet"
    );
    assert!(again.refresh().unwrap());
    assert!(login(&again, &target_id("edge-0"), HUB_SECRET).is_none());
    assert!(login(&again, &target_id("edge-0"), issued.as_str()).is_some());
    assert!(login(&instance.hub(), &target_id("edge-0"), issued.as_str()).is_some());
}

#[test]
fn d12_another_verifier_of_the_hubs_ends_the_secret_before() {
    let instance = with_verifier();
    let hub = instance.hub();
    assert!(login(&hub, &target_id("edge-0"), HUB_SECRET).is_some());
    // A release without a verifier leaves the agent its secret.
    instance.release(2, 2, "b");
    assert!(hub.refresh().unwrap());
    assert!(login(&hub, &target_id("edge-0"), HUB_SECRET).is_some());
    let made = instance.vendor.with_targets(3, |image| {
        let mut desired = Desired::docker(image, 2, "c");
        let mut verifier = hub_verifier();
        verifier.salt = "06".repeat(16);
        desired.target("edge-0").verifier = Some(verifier);
        desired
    });
    instance.import(&made, false).unwrap();
    assert!(hub.refresh().unwrap());
    assert!(login(&hub, &target_id("edge-0"), HUB_SECRET).is_none());
}

#[test]
fn a03_five_hundred_logins_at_once_end_in_answers_and_the_right_one_gets_in() {
    let instance = with_verifier();
    let hub = instance.hub();
    let secret = hub.issue_secret(&target_id("edge-1"), false).unwrap();
    let (busy, refused, good) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..500_u32 {
            let (hub, busy, refused, good, secret) = (&hub, &busy, &refused, &good, &secret);
            scope.spawn(move || {
                // Unknown ids, wrong secrets of both kinds of targets, and agents that are simply right.
                let (target, text) = match number % 4 {
                    0 => (
                        Uuid::derived("nobody", &[&number.to_string()]),
                        format!("{number:032x}"),
                    ),
                    1 => (target_id("edge-0"), format!("{number:032x}")),
                    2 => (target_id("edge-1"), format!("{number:032x}")),
                    _ => (target_id("edge-1"), secret.as_str().to_owned()),
                };
                match hub.login(&target, &text).unwrap() {
                    Login::Token(_) => good.fetch_add(1, Ordering::SeqCst),
                    Login::Refused => refused.fetch_add(1, Ordering::SeqCst),
                    Login::Busy => busy.fetch_add(1, Ordering::SeqCst),
                };
            });
        }
    });
    let counts = [&good, &refused, &busy].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts[0], 125, "who has a secret of this appliance never waits");
    assert_eq!(counts.iter().sum::<usize>(), 500);
    assert!(counts[2] > 0, "{counts:?}: the queue has an end");
    // And the agent with the hub's secret gets in afterwards.
    assert!(login(&hub, &target_id("edge-0"), HUB_SECRET).is_some());
}

#[test]
fn a03_the_same_answer_for_unknown_ids_and_wrong_secrets() {
    for instance in [with_verifier(), {
        let instance = InProcessAppliance::new();
        instance.release(1, 2, "a");
        instance
    }] {
        let hub = instance.hub();
        for target in [target_id("edge-0"), target_id("edge-1"), Uuid::from_bytes([1; 16])] {
            for secret in [WRONG, "", "short"] {
                assert!(matches!(hub.login(&target, secret), Ok(Login::Refused)));
                assert_eq!(hub.check_secret(&target, secret).unwrap(), Check::Wrong);
            }
        }
    }
}

#[test]
fn a_damaged_desired_state_is_no_reason_to_refuse_an_agent() {
    let instance = with_verifier();
    let hub = instance.hub();
    let secret = hub.issue_secret(&target_id("edge-1"), false).unwrap();
    let token = token(&hub, "edge-1", secret.as_str());
    let document = desired_document(&instance);
    let bytes = read(&document);
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() = b' ';
    overwrite(&document, &damaged);

    // The running server notices, and so does one that starts now.
    let identity = hub.identify(token.as_str()).unwrap();
    let error = hub.resources(&identity).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::State, "blob-damaged"));
    let started = instance.hub();
    let identity = started.identify(token.as_str()).expect("known from the database");
    assert_eq!(started.resources(&identity).unwrap_err().class(), Class::State);
    assert_eq!(started.agent_manifest(&identity).unwrap_err().class(), Class::State);
    assert!(login(&started, &target_id("edge-1"), secret.as_str()).is_some());
    // Whether this one is right only the document could tell: neither yes nor no.
    for secret in [HUB_SECRET, WRONG] {
        let error = started.login(&target_id("edge-0"), secret).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::State, "desired-state"));
    }
    assert!(matches!(
        started.login(&Uuid::from_bytes([1; 16]), WRONG),
        Ok(Login::Refused)
    ));
    let views = started.targets();
    assert!(views.len() == 2 && views.iter().all(|view| view.fault.is_some()));

    overwrite(&document, &bytes);
    let repaired = Arc::new(instance.hub());
    let identity = repaired.identify(token.as_str()).unwrap();
    assert!(repaired.resources(&identity).is_ok());
    assert!(login(&repaired, &target_id("edge-0"), HUB_SECRET).is_some());
}

/// The stored file of the live desired state.
fn desired_document(instance: &InProcessAppliance) -> std::path::PathBuf {
    let folders = std::fs::read_dir(instance.state().join("blobs/sha256")).unwrap();
    let mut files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files
        .find_map(|file| {
            let path = file.unwrap().path();
            read(&path).starts_with(b"{\"agents\":").then_some(path)
        })
        .unwrap()
}

#[test]
fn a09_clocks_that_are_wrong_keep_their_agents() {
    let mut instance = with_verifier();
    let hub = instance.hub();
    let secret = hub.issue_secret(&target_id("edge-1"), false).unwrap();
    let before = token(&hub, "edge-1", secret.as_str());
    // A machine without a battery: what signed statements have proven is the present then.
    for now in ["1970-01-01T00:00:00Z", "2026-11-22T10:00:00Z", "2031-11-01T00:00:00Z"] {
        instance.clock = FixedClock(now.parse().unwrap());
        let hub = instance.hub();
        assert!(hub.identify(before.as_str()).is_some(), "{now}");
        // An agent that logs in before every request, because its own clock is years ahead, costs no expensive hash.
        for _ in 0..100 {
            let fresh = token(&hub, "edge-0", HUB_SECRET);
            assert!(hub.identify(fresh.as_str()).is_some(), "{now}");
        }
    }
    instance.clock = FixedClock("2032-01-01T00:00:00Z".parse().unwrap());
    let hub = instance.hub();
    assert!(hub.identify(before.as_str()).is_none(), "five years are over");
    // What was issued there counts again at home: it is not from the future as far as anybody has signed.
    let ahead = token(&hub, "edge-1", secret.as_str());
    instance.clock = FixedClock("2026-11-21T10:00:00Z".parse().unwrap());
    assert!(instance.hub().identify(ahead.as_str()).is_some());
}

#[test]
fn a_running_server_notices_what_other_processes_decide() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let running = Arc::new(instance.hub());
    let watcher = Watcher::start(running.live()).unwrap();
    let secret = instance.hub().issue_secret(&target_id("edge-0"), false).unwrap();
    wait_for("the secret", || {
        login(&running, &target_id("edge-0"), secret.as_str()).is_some()
    });
    instance.release(2, 3, "b");
    wait_for("the release", || running.targets().len() == 3);
    instance
        .hub()
        .remove_target(&target_id("edge-0"), Removal::Remove)
        .unwrap();
    wait_for("the removal", || running.targets().len() == 2);
    drop(watcher);
}
