//! With a token of the hub's API: a secret that is renewed, and statuses that are looked for.

use airlock::domain::Result;
use airlock::vendor_side::ledger::replay::{Access, HubSecrets, Replayed, Tally};
use zeroize::Zeroizing;

use super::hub::{API_TOKEN, Fault, Status};
use super::world::{SECRET, World, access, of, uuid};
use crate::support::appliance::read;

/// Access by a token alone; secrets are kept in a file of the world's.
fn by_token(world: &World, may_rotate: bool) -> Access {
    Access {
        secrets: HubSecrets::read(&world.folder.path().join("kept.json"), true).unwrap(),
        token: Some(Zeroizing::new(API_TOKEN.to_owned())),
        may_rotate,
    }
}

fn run(world: &World, may_rotate: bool) -> Result<Replayed> {
    world.replay_as(None, by_token(world, may_rotate))
}

fn rotations(world: &World) -> usize {
    world
        .hub
        .paths()
        .iter()
        .filter(|path| path.ends_with("access-request"))
        .count()
}

#[test]
fn a_secret_is_renewed_once_kept_and_used_again() {
    let world = World::told();
    // Not unless it was asked for.
    let replayed = run(&world, false).unwrap();
    assert_eq!(of(&replayed, 1).left.unwrap().code, "no-secret");
    assert_eq!((rotations(&world), world.hub.paths().len()), (0, 0));
    run(&world, true).unwrap().verdict().unwrap();
    assert_eq!(rotations(&world), 1);
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 2);
    let kept = String::from_utf8(read(&world.folder.path().join("kept.json"))).unwrap();
    let secret = world.hub.with(|hub| hub.secrets[&uuid(1)].clone());
    assert!(kept.contains(&secret) && secret != SECRET);
    // The next package's items go with the kept one.
    world.sql(|db| db.execute("DELETE FROM replay WHERE item LIKE 'm/%'", []));
    run(&world, true).unwrap().verdict().unwrap();
    assert_eq!((rotations(&world), world.hub.with(|hub| hub.metrics.len())), (1, 2));
    world.hub.assert_well_used();
}

#[test]
fn no_secret_is_renewed_where_another_agent_reports() {
    let world = World::told();
    let status = |message: &str, at: &str| Status {
        target: uuid(1),
        revision: uuid(902),
        kind: "running".to_owned(),
        message: message.to_owned(),
        created_at: at.to_owned(),
    };
    // The package is of 12:00.
    world
        .hub
        .with(|hub| hub.statuses.push(status("status check passed", "2026-11-21T12:00:01Z")));
    let replayed = run(&world, true).unwrap();
    let error = replayed.verdict().unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-POLICY", "agent-there"));
    assert_eq!((of(&replayed, 1).left.unwrap().policy, rotations(&world)), (true, 0));
    assert_eq!(world.hub.with(|hub| hub.secrets[&uuid(1)].clone()), SECRET);
    assert!(world.journal().is_empty());
    // Older ones, and those that were sent from here, are no reason.
    for (message, at) in [
        ("status check passed", "2026-11-21T11:59:59Z"),
        ("[airlock 01010101 #7 as of …] x", "2026-11-23T12:00:00Z"),
    ] {
        let world = World::told();
        world.hub.with(|hub| hub.statuses.push(status(message, at)));
        run(&world, true).unwrap().verdict().unwrap();
        assert_eq!(rotations(&world), 1, "{message}");
    }
    // Another site's are.
    let world = World::told();
    world.hub.with(|hub| {
        hub.statuses
            .push(status("[airlock 02020202 #7 as of …] x", "2026-11-23T12:00:00Z"));
    });
    assert_eq!(run(&world, true).unwrap().verdict().unwrap_err().code(), "agent-there");
}

#[test]
fn a_token_that_the_hub_does_not_take_renews_nothing() {
    let world = World::told();
    let wrong = Access {
        token: Some(Zeroizing::new("distr-wrong".to_owned())),
        ..by_token(&world, true)
    };
    let replayed = world.replay_as(None, wrong).unwrap();
    let left = of(&replayed, 1).left.unwrap();
    assert_eq!((left.code, left.found.as_str()), ("api", "the hub's API answers 401"));
    assert!(!replayed.verdict().unwrap_err().to_string().contains("distr-wrong"));
    // As nothing is renewed whose answer cannot be kept.
    let world = World::told();
    std::fs::create_dir(world.folder.path().join("kept.json")).unwrap();
    assert!(HubSecrets::read(&world.folder.path().join("kept.json"), true).is_err());
    assert_eq!(rotations(&world), 0);
}

#[test]
fn a_status_whose_answer_was_lost_is_looked_for() {
    for with_token in [true, false] {
        let world = World::told();
        world.hub.fault("agent/status", Fault::StoredAndCut);
        let access = Access {
            token: with_token.then(|| Zeroizing::new(API_TOKEN.to_owned())),
            ..access(&[(1, SECRET)])
        };
        let replayed = world.replay_as(None, access).unwrap();
        replayed.verdict().unwrap();
        let (found, sent) = if with_token { (1, 1) } else { (0, 2) };
        let expected = Tally {
            sent,
            already: found,
            perhaps_twice: 1 - found,
            ..Tally::default()
        };
        assert_eq!(of(&replayed, 1).statuses, expected);
        assert_eq!(world.hub.with(|hub| hub.statuses.len()) as u64, 3 - found);
        world.hub.assert_well_used();
    }
}

#[test]
fn a_status_far_down_the_hubs_list_is_found() {
    let world = World::told();
    world.hub.fault("agent/status", Fault::StoredAndCut);
    for _ in 0..6 {
        world.hub.fault("agent/status", Fault::Cut);
    }
    let replayed = world.replay();
    assert_eq!(of(&replayed, 1).left.unwrap().code, "unreachable");
    world.hub.with(|hub| {
        hub.faults.clear();
        let (mut other, mut more) = (hub.statuses[0].clone(), Vec::new());
        for number in 0..450 {
            other.message = format!("something else {number}");
            other.created_at = format!("2026-11-22T11:{:02}:{:02}Z", number / 60, number % 60);
            more.push(other.clone());
        }
        hub.statuses.extend(more);
    });
    let access = Access {
        token: Some(Zeroizing::new(API_TOKEN.to_owned())),
        ..access(&[(1, SECRET)])
    };
    let replayed = world.replay_as(None, access).unwrap();
    replayed.verdict().unwrap();
    assert_eq!(
        (
            of(&replayed, 1).statuses.already,
            of(&replayed, 1).statuses.perhaps_twice
        ),
        (1, 0)
    );
    assert_eq!(
        world
            .hub
            .paths()
            .iter()
            .filter(|path| path.starts_with("deployments/"))
            .count(),
        5
    );
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 450 + 2);
}
