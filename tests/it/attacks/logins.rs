//! Storms of logins (A03) and agents with other clocks, which log in before every call (A09).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use airlock::domain::{Clock as _, FixedClock, Uuid};
use airlock::http::Settings;

use super::snapshot::{Snapshot, assert_open};
use crate::support::agents::Serving;
use crate::support::desired::{Desired, HUB_SECRET, hub_verifier, target_id};
use crate::support::in_process::InProcessAppliance;

/// `edge-0` has a secret of the hub's, which is expensive to check.
fn with_verifier() -> Serving {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 2, "a");
        desired.target("edge-0").verifier = Some(hub_verifier());
        desired
    });
    instance.import(&made, false).unwrap();
    Serving::start(instance, Settings::default())
}

#[test]
fn a03_a_spray_of_logins_starves_nobody() {
    let serving = with_verifier();
    let poller = serving.token("edge-1");
    let ids: Vec<Uuid> = (0..150_u32)
        .map(|n| Uuid::derived("spray", &[&n.to_string()]))
        .collect();
    let before = Snapshot::of(&serving);
    let (refused, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for id in &ids {
            let (serving, refused, busy) = (&serving, &refused, &busy);
            scope.spawn(move || {
                let reply = serving.login(id, "0123456789abcdef0123456789abcdef");
                match reply.status {
                    401 => refused.fetch_add(1, Ordering::SeqCst),
                    429 => {
                        assert!(reply.header("retry-after").is_some(), "{reply:?}");
                        busy.fetch_add(1, Ordering::SeqCst)
                    }
                    _ => panic!("{reply:?}"),
                };
            });
        }
        // I3: polls and pulls go on meanwhile.
        for _ in 0..20 {
            assert_eq!(serving.agent(&poller, "GET", "resources", "").status, 200);
            assert_eq!(serving.send("GET", "/v2/", &[], b"").status, 200);
        }
    });
    let (refused, busy) = (refused.into_inner(), busy.into_inner());
    assert_eq!(refused + busy, ids.len());
    println!("{refused} refused, {busy} told to come again");
    before.assert_same(&serving);
    // Whoever waits for room gets it: the right secret counts, the first time and afterwards.
    for _ in 0..3 {
        assert_eq!(serving.login(&target_id("edge-0"), HUB_SECRET).status, 200);
    }
}

/// A03: an unknown id and a wrong secret are told the same, byte for byte.
#[test]
fn a03_one_answer_for_every_failure() {
    let serving = with_verifier();
    let answers: Vec<_> = [
        (target_id("edge-0"), "ffffffffffffffffffffffffffffffff"),
        (target_id("edge-1"), "ffffffffffffffffffffffffffffffff"),
        (Uuid::from_bytes([9; 16]), "ffffffffffffffffffffffffffffffff"),
        (target_id("edge-0"), "short"),
        (Uuid::from_bytes([9; 16]), ""),
    ]
    .iter()
    .map(|(id, secret)| {
        let reply = serving.login(id, secret);
        let mut headers = reply.stable_headers();
        // The same target's second failure leaves one less.
        headers.retain(|(name, _)| !matches!(name.as_str(), "x-ratelimit-reset" | "x-ratelimit-remaining"));
        (reply.status, headers, reply.body)
    })
    .collect();
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

/// A09: a login before every call, every five seconds for ever, is none too many; only failures are counted.
#[test]
fn a09_logins_that_succeed_are_not_counted() {
    let serving = with_verifier();
    let secret = serving.secret("edge-1");
    for _ in 0..60 {
        let reply = serving.login(&target_id("edge-1"), &secret);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(serving.login(&target_id("edge-0"), HUB_SECRET).status, 200);
    }
    let statuses: Vec<u16> = (0..10)
        .map(|_| serving.login(&target_id("edge-1"), "f".repeat(32).as_str()).status)
        .collect();
    assert!(
        statuses.iter().all(|status| matches!(status, 401 | 429)),
        "{statuses:?}"
    );
    assert_eq!(statuses[0], 401);
    assert!(statuses.contains(&429), "{statuses:?}");
}

/// A09: an appliance whose clock is dead issues tokens that agents with right clocks can use.
#[test]
fn a09_a_dead_clock_issues_tokens_for_agents_with_right_ones() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let right = instance.clock.now().unix();
    let dead = Arc::new(FixedClock("1970-01-02T00:00:00Z".parse().unwrap()));
    let serving = Serving::start_at(instance, Settings::default(), dead);
    let token = serving.token("edge-0");
    assert_open(&serving, &token, "by the dead clock");
    let claims = token.split('.').nth(1).unwrap().to_owned();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let claims: serde_json::Value = serde_json::from_str(std::str::from_utf8(&claims).unwrap()).unwrap();
    assert!(claims["exp"].as_i64().unwrap() > right + 365 * 86_400, "{claims}");
    assert!(claims["nbf"].as_i64().unwrap() <= right, "{claims}");
}

/// A09, second case: the clock jumps, every token expires at once, and everybody logs in again at the same moment.
#[test]
fn a09_a_jump_of_the_clock_ends_in_new_tokens_for_all() {
    let mut instance = InProcessAppliance::new();
    instance.release(1, 60, "a");
    let hub = instance.hub();
    let ids: Vec<Uuid> = (0..60).map(|n| target_id(&format!("edge-{n}"))).collect();
    let secrets = hub.issue_secrets(&ids, false).unwrap();
    let secrets: Vec<String> = secrets.iter().map(|secret| secret.as_str().to_owned()).collect();
    drop(hub);
    let old: Vec<String> = {
        let serving = Serving::start(instance, Settings::default());
        let tokens = ids
            .iter()
            .zip(&secrets)
            .map(|(id, secret)| serving.login(id, secret).json()["token"].as_str().unwrap().to_owned());
        let tokens: Vec<String> = tokens.collect();
        instance = serving.instance;
        tokens
    };
    let later = Arc::new(FixedClock("2033-01-01T00:00:00Z".parse().unwrap()));
    let serving = Serving::start_at(instance, Settings::default(), later);
    thread::scope(|scope| {
        for ((id, secret), old) in ids.iter().zip(&secrets).zip(&old) {
            let serving = &serving;
            scope.spawn(move || {
                assert_eq!(serving.agent(old, "GET", "resources", "").status, 401);
                let reply = serving.login(id, secret);
                assert_eq!(reply.status, 200, "{reply:?}");
                let token = reply.json()["token"].as_str().unwrap().to_owned();
                assert_eq!(serving.agent(&token, "GET", "resources", "").status, 200);
            });
        }
    });
}
