//! The program is killed at every request, before and after the hub stored it, and run again.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use super::hub::{API_TOKEN, Fault};
use super::world::World;
use crate::support::appliance::{Ended, write};

/// Paths whose requests are held, each a fault of its own: all that a run makes.
const PATHS: [(&str, usize); 5] = [
    ("login", 1),
    ("status", 2),
    ("metrics", 1),
    ("/logs", 1),
    ("deployment-target-logs", 1),
];

/// `AIRLOCK_SLOW=1` tries each request in all four ways, else in the two that differ most.
#[test]
fn a_kill_at_any_request_loses_nothing_and_doubles_nothing_that_is_looked_for() {
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    for with_token in [true, false] {
        for (path, times) in PATHS {
            for nth in 0..times {
                for stored in [true, false] {
                    // Without a token nobody can ask whether it was stored.
                    if slow || stored != with_token {
                        killed(with_token, path, nth, stored);
                    }
                }
            }
        }
    }
}

fn killed(with_token: bool, path: &'static str, nth: usize, stored: bool) {
    let world = World::told_today();
    let secrets = world.credentials().display().to_string();
    let token = world.folder.path().join("token");
    write(&token, API_TOKEN.as_bytes());
    let token = token.display().to_string();
    let mut arguments = vec!["--credentials", &secrets];
    if with_token {
        arguments.extend(["--token-file", &token]);
    }
    let (tell, told) = mpsc::channel();
    // Those before go through.
    for _ in 0..nth {
        world.hub.fault(path, Fault::Pass);
    }
    world.hub.fault(path, Fault::Hold { stored, tell });
    let mut child = world
        .command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let case = format!("token {with_token}, {path} {nth}, stored {stored}");
    let open: Vec<_> = world
        .journal()
        .into_iter()
        .filter(|(_, state)| state == "sending")
        .collect();
    assert_eq!(open.len(), usize::from(path != "login"), "{case}: {open:?}");

    let ended = Ended::of(&world.command(&arguments).output().unwrap());
    assert_eq!(ended.code, Some(0), "{case}: {}", ended.stderr);
    let target = &ended.result["sites"][0]["targets"][0];
    let twice = u64::from(path == "status" && stored && !with_token);
    let unsure = u64::from(path == "status" && !with_token);
    assert_eq!(target["statuses"]["perhaps_twice"], unsure, "{case}: {target}");
    world.hub.with(|hub| {
        let mut messages: BTreeMap<&str, u64> = BTreeMap::new();
        for status in &hub.statuses {
            *messages.entry(&status.message).or_default() += 1;
        }
        assert_eq!(messages.len(), 2, "{case}");
        assert_eq!(messages.values().sum::<u64>(), 2 + twice, "{case}: {messages:?}");
        let again = usize::from(path == "metrics" && stored);
        assert_eq!((hub.metrics.len(), hub.lines.len()), (1 + again, 5), "{case}");
    });
    assert!(
        world.journal().iter().all(|(_, state)| state == "sent"),
        "{case}: {:?}",
        world.journal()
    );
    // And nothing more.
    let before = world.hub.paths().len();
    assert_eq!(Ended::of(&world.command(&arguments).output().unwrap()).code, Some(0));
    assert_eq!(world.hub.paths().len(), before, "{case}");
    world.hub.assert_well_used();
}

/// What the journal says is on disk before the request is on the wire.
#[test]
fn an_item_is_written_down_before_it_is_sent() {
    let world = World::told_today();
    let (tell, told) = mpsc::channel();
    world.hub.fault("status", Fault::Hold { stored: false, tell });
    let secrets = world.credentials().display().to_string();
    let mut child = world
        .command(&["--credentials", &secrets])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    let journal = world.journal();
    assert_eq!(journal, [("s/11111111/2".to_owned(), "sending".to_owned())]);
    // Meanwhile nobody else replays.
    let ended = Ended::of(&world.command(&["--credentials", &secrets]).output().unwrap());
    ended.assert_refused("E-BUSY", "replay", "");
    assert_eq!(world.journal(), journal);
    child.kill().unwrap();
    child.wait().unwrap();
}
