//! The status buffer under a flood: bounded on disk and in memory, and what went is accounted for (case A06).

use std::sync::mpsc;

use airlock::appliance::status::{Dot, Metrics, Quota, Reason, StatusBuffer, What};
use airlock::db::status::{self, RecordClass};
use airlock::domain::Class;
use airlock::domain::StatusKind::{Error, Healthy};

use crate::support::status::{Buffer, agent_logs, batch, id, logs, numbers_missing, status as report, submit, wait};

fn small(target: u64, total: u64) -> Buffer {
    Buffer {
        quota: Quota {
            target,
            total,
            ..Quota::default()
        },
        ..Buffer::new()
    }
}

fn count(open: &StatusBuffer, class: RecordClass) -> usize {
    let entries = open.tail(0, 1_000_000).unwrap();
    entries.iter().filter(|entry| entry.record.class == class).count()
}

fn held(open: &StatusBuffer, target: &str) -> u64 {
    let entries = open.tail(0, 1_000_000).unwrap();
    entries
        .iter()
        .filter(|entry| entry.source.as_ref().is_some_and(|source| source.target == id(target)))
        .map(|entry| entry.record.size)
        .sum()
}

/// Every number that is missing is accounted for, exactly.
#[track_caller]
fn assert_complete(buffer: &Buffer) {
    let (missing, unexplained) = numbers_missing(&buffer.db());
    let gaps = buffer.db().read(status::gaps).unwrap();
    let named: u64 = gaps.iter().filter(|gap| gap.last > 0).map(|gap| gap.count).sum();
    assert_eq!((missing, unexplained), (named, 0), "{gaps:?}");
}

#[test]
fn the_oldest_text_of_a_flooding_target_goes_and_nobody_elses() {
    let buffer = small(200_000, 100_000_000);
    let open = buffer.open();
    submit(&open, report("calm", "r1", Healthy, "well")).unwrap();
    submit(&open, logs("calm", (0..10).map(|n| (n, format!("calm {n}"))))).unwrap();
    for round in 0..60_i64 {
        let kind = if round % 2 == 0 { Healthy } else { Error };
        submit(&open, report("loud", "r1", kind, &format!("round {round}"))).unwrap();
        submit(
            &open,
            agent_logs("loud", (0..5).map(|n| (round * 5 + n, format!("agent {round} {n}")))),
        )
        .unwrap();
        let lines = (0..100).map(|n| (round * 100 + n, format!("{round} {n} {}", "x".repeat(200))));
        assert_eq!(submit(&open, logs("loud", lines)).unwrap().stored, 100);
    }
    assert!(held(&open, "loud") <= 200_000);
    // The agent's own log went first, then lines of containers: what is left of these is their end.
    let entries = open.tail(0, 1_000_000).unwrap();
    let left: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.record.class == RecordClass::Log && entry.source.as_ref().unwrap().target == id("loud"))
        .map(|entry| entry.record.text.as_str())
        .collect();
    assert!(left.len() > 300, "{}", left.len());
    assert!(
        left[0].starts_with('5') && left.last().unwrap().starts_with("59 99 "),
        "{}",
        left[0]
    );
    assert_eq!(count(&open, RecordClass::Transition), 61);
    assert_eq!(count(&open, RecordClass::AgentLog), 0);
    let calm: Vec<_> = entries
        .iter()
        .filter(|entry| entry.source.as_ref().is_some_and(|source| source.target == id("calm")))
        .collect();
    assert_eq!(calm.len(), 11);
    let gaps = open.gaps().unwrap();
    assert_eq!(gaps.len(), 2, "one record of each kind grows: {gaps:?}");
    assert!(gaps.iter().all(|gap| gap.reason == Reason::Quota));
    let of = |class| gaps.iter().find(|gap| gap.class == Some(class)).unwrap().count;
    assert_eq!(of(RecordClass::AgentLog), 300);
    assert_eq!(of(RecordClass::Log), 6000 - u64::try_from(left.len()).unwrap());
    drop(open);
    assert_complete(&buffer);
    // The file gives room back to itself.
    assert!(std::fs::metadata(buffer.database()).unwrap().len() < 4 << 20);
    // What is held is known again after a restart: the bound holds on.
    let open = buffer.open();
    let lines = (0..1000).map(|n| (100_000 + n, format!("later {n} {}", "x".repeat(200))));
    submit(&open, logs("loud", lines)).unwrap();
    assert!(held(&open, "loud") <= 200_000);
    drop(open);
    assert_complete(&buffer);
}

#[test]
fn words_go_before_transitions_and_transitions_never() {
    let buffer = small(100_000, 100_000_000);
    let open = buffer.open();
    for n in 0..20 {
        submit(&open, report("a", &format!("r{n}"), Healthy, "well")).unwrap();
    }
    for n in 0..400 {
        let message = format!("attempt {n} was in vain {}", "x".repeat(1000));
        submit(&open, report("a", "r20", Error, &message)).unwrap();
    }
    assert!(held(&open, "a") <= 100_000);
    assert_eq!(count(&open, RecordClass::Transition), 21);
    let latest = open.overview().unwrap()[0].deployments[0].latest.clone().unwrap();
    assert!(latest.message.starts_with("attempt 399 "), "the newest words stay");
    let gaps = open.gaps().unwrap();
    assert_eq!(
        (gaps[0].reason, gaps[0].class),
        (Reason::Quota, Some(RecordClass::Detail))
    );
    drop(open);
    assert_complete(&buffer);
}

#[test]
fn all_targets_together_stay_within_the_total() {
    let buffer = small(100_000, 400_000);
    let open = buffer.open();
    for round in 0..20_i64 {
        for target in 0..10 {
            let name = format!("t{target}");
            submit(
                &open,
                report(&name, "r1", if round % 2 == 0 { Healthy } else { Error }, "x"),
            )
            .unwrap();
            let lines = (0..10).map(|n| (round * 10 + n, format!("{round} {n} {}", "x".repeat(300))));
            submit(&open, logs(&name, lines)).unwrap();
        }
    }
    let all: u64 = open
        .tail(0, 1_000_000)
        .unwrap()
        .iter()
        .map(|entry| entry.record.size)
        .sum();
    assert!(all <= 400_000, "{all}");
    assert_eq!(count(&open, RecordClass::Transition), 200);
    drop(open);
    assert_complete(&buffer);
}

#[test]
fn a_deployment_that_flaps_for_ever_is_counted() {
    let buffer = small(20_000, 100_000_000);
    let open = buffer.open();
    let flips = 3000;
    for n in 0..flips {
        buffer.clock.set(1_000_000 + n);
        let (kind, message) = if n % 2 == 0 {
            (Error, "error applying agent manifest: exit status 125")
        } else {
            (Healthy, "status check results: 1 healthy")
        };
        let accepted = submit(&open, report("a", "r1", kind, message)).unwrap();
        assert_eq!(accepted.stored + accepted.repeated, 1);
    }
    // A state that was not there before is kept whatever happens.
    assert_eq!(
        submit(&open, report("a", "r2", Healthy, "status check results: 1 healthy"))
            .unwrap()
            .stored,
        1
    );
    assert!(held(&open, "a") <= 20_000);
    let transitions = count(&open, RecordClass::Transition);
    let gaps = open.gaps().unwrap();
    assert_eq!((gaps.len(), gaps[0].reason), (1, Reason::Flapping));
    assert_eq!(transitions as u64 + gaps[0].count, u64::try_from(flips).unwrap() + 1);
    submit(&open, report("a", "r1", Healthy, "status check results: 1 healthy")).unwrap();
    submit(
        &open,
        report("a", "r1", Error, "error applying agent manifest: exit status 125"),
    )
    .unwrap();
    let before = open.overview().unwrap();
    assert_eq!(
        before[0].deployments[0].dot,
        Dot::Error,
        "it came back to an earlier state"
    );
    assert!(before[0].deployments[0].latest.as_ref().unwrap().count > 1000);
    drop(open);
    assert_eq!(buffer.open().overview().unwrap(), before);
    assert_complete(&buffer);
}

#[test]
fn measurements_that_come_too_fast_are_counted() {
    let buffer = Buffer::new();
    let open = buffer.open();
    for n in 0..300 {
        buffer.clock.set(1_000_000 + n / 10);
        submit(&open, batch("a", What::Metrics(Metrics::default()))).unwrap();
    }
    assert_eq!(count(&open, RecordClass::Metrics), 3);
    let gaps = open.gaps().unwrap();
    assert_eq!((gaps[0].reason, gaps[0].count, gaps[0].last), (Reason::Rate, 297, 0));
    // Another target has its own pace, and a clock that was set back stops nobody.
    submit(&open, batch("b", What::Metrics(Metrics::default()))).unwrap();
    buffer.clock.set(5);
    assert_eq!(
        submit(&open, batch("a", What::Metrics(Metrics::default())))
            .unwrap()
            .stored,
        1
    );
    drop(open);
    assert_complete(&buffer);
}

#[test]
fn what_waits_is_bounded_and_statuses_do_not_wait_for_logs() {
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, "well")).unwrap();
    // Somebody else holds the database: nothing can be written meanwhile.
    let db = buffer.db();
    let (held, hold) = (mpsc::channel(), mpsc::channel::<()>());
    std::thread::scope(|scope| {
        let (say, release, db) = (held.0, hold.1, &db);
        scope.spawn(move || {
            db.write(|_| {
                say.send(()).unwrap();
                release.recv().ok();
                Ok(())
            })
        });
        held.1.recv().unwrap();
        let body = "x".repeat(100_000);
        let mut waiting = Vec::new();
        let refused = (0_i64..).find_map(|n| {
            let mut answer = Box::pin(open.submit(logs("loud", (0..10).map(|line| (n * 10 + line, body.clone())))));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match answer.as_mut().poll(&mut context) {
                std::task::Poll::Ready(answer) => Some(answer.unwrap_err()),
                std::task::Poll::Pending => {
                    waiting.push(answer);
                    None
                }
            }
        });
        let refused = refused.unwrap();
        assert_eq!((refused.class(), refused.code()), (Class::Busy, "status-queue"));
        assert_eq!(refused.advice(), Some("try again"));
        assert!((10..60).contains(&waiting.len()), "{} MB wait", waiting.len());
        let status = open.submit(report("a", "r1", Error, "ill"));
        hold.0.send(()).unwrap();
        assert_eq!(wait(status).unwrap().stored, 1);
        for answer in waiting {
            assert_eq!(wait(answer).unwrap().stored, 10);
        }
        // Tried again, as it says.
        assert_eq!(submit(&open, logs("loud", [(1_000_000, body)])).unwrap().stored, 1);
    });
    assert_eq!(count(&open, RecordClass::Transition), 2);
}
