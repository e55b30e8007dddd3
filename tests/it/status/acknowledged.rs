//! What was acknowledged (M-109): it goes first, without a word, and what runs is still known.

use airlock::appliance::status::{Reason, RecordClass, StatusBuffer, acknowledge, freeze};
use airlock::domain::StatusKind::{Error, Healthy};
use airlock::domain::{Clock as _, Timestamp};

use crate::support::status::{Buffer, DOMAIN, agent_logs, logs, numbers_missing, status as report, submit};

const DAY: i64 = 86_400;

fn classes(open: &StatusBuffer) -> Vec<RecordClass> {
    let listed = open.tail(0, 100_000).unwrap();
    listed.iter().map(|one| one.record.class).collect()
}

fn count(open: &StatusBuffer, class: RecordClass) -> usize {
    classes(open).into_iter().filter(|one| *one == class).count()
}

fn lines(from: i64, count: i64) -> Vec<(i64, String)> {
    (from..from + count)
        .map(|n| (n, format!("{n} {}", "x".repeat(200))))
        .collect()
}

/// Freezes and acknowledges all of it.
fn acknowledge_all(buffer: &Buffer) -> u64 {
    let frozen = freeze(&buffer.appliance(), &DOMAIN).unwrap();
    acknowledge(&buffer.appliance(), &DOMAIN, frozen.position, frozen.at).unwrap();
    frozen.position
}

#[test]
fn what_was_acknowledged_goes_first_and_without_a_gap() {
    let mut buffer = Buffer::new();
    buffer.quota.target = 40_000;
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, "well")).unwrap();
    submit(&open, logs("a", lines(0, 80))).unwrap();
    let upto = acknowledge_all(&buffer);
    assert_eq!(upto, 81);
    // The agent's own log comes next in the order, but nothing of it was acknowledged.
    submit(&open, agent_logs("a", lines(0, 60))).unwrap();
    assert_eq!(count(&open, RecordClass::AgentLog), 60);
    assert!(count(&open, RecordClass::Log) < 80);
    assert_eq!(open.gaps().unwrap(), []);
    // Then nothing acknowledged is left, and the agent's own log goes before lines of containers.
    submit(&open, logs("a", lines(1000, 100))).unwrap();
    let gaps = open.gaps().unwrap();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(
        (gaps[0].reason, gaps[0].class),
        (Reason::Quota, Some(RecordClass::AgentLog))
    );
    assert!(gaps[0].first > upto);
    assert_eq!(count(&open, RecordClass::Log), 100);
    assert_eq!(count(&open, RecordClass::Transition), 1);
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()).1, 0);
}

#[test]
fn what_was_acknowledged_goes_after_its_days_but_never_what_is_known_of_a_revision() {
    let mut buffer = Buffer::new();
    buffer.quota.keep_days = 2;
    let open = buffer.open();
    for (revision, kind, message) in [
        ("r1", Healthy, "well"),
        ("r1", Error, "ill"),
        ("r1", Error, "very ill"),
        ("r2", Healthy, "well"),
        ("r2", Error, "ill"),
    ] {
        submit(&open, report("a", revision, kind, message)).unwrap();
    }
    submit(&open, logs("a", lines(0, 600))).unwrap();
    let before = open.overview().unwrap();
    acknowledge_all(&buffer);
    // It is kept until then, also over a fold.
    drop(open);
    let open = buffer.open();
    assert_eq!(classes(&open).len(), 605);
    buffer.clock.set(1_000_000 + 3 * DAY);
    submit(&open, report("b", "r1", Healthy, "well")).unwrap();
    drop(open);
    let open = buffer.open();
    let left = open.tail(0, 1000).unwrap();
    let texts: Vec<&str> = left.iter().map(|one| one.record.text.as_str()).collect();
    assert_eq!(texts, ["very ill", "ill", "well"]);
    assert_eq!(open.gaps().unwrap(), []);
    let after = open.overview().unwrap();
    assert_eq!(after.iter().find(|target| target.name == "a"), before.first());
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()), (0, 0));
    // Row ids and numbers go on all the same.
    let open = buffer.open();
    assert_eq!(submit(&open, report("b", "r1", Error, "ill")).unwrap().number, 607);
}

#[test]
fn nothing_that_is_not_frozen_is_acknowledged_and_nothing_is_taken_back() {
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, logs("a", lines(0, 10))).unwrap();
    let appliance = buffer.appliance();
    let at = |position: u64| {
        acknowledge(&appliance, &DOMAIN, position, buffer.clock.now()).unwrap();
        open.streams().unwrap()[0].acknowledged
    };
    assert_eq!(at(7), 0);
    assert_eq!(freeze(&appliance, &DOMAIN).unwrap().position, 10);
    assert_eq!(at(7), 7);
    assert_eq!(at(3), 7);
    assert_eq!(at(1_000_000), 10);
    acknowledge(&appliance, &DOMAIN, 0, Timestamp::EPOCH).unwrap();
    assert_eq!(open.streams().unwrap()[0].covered_at, Some(buffer.clock.now()));
}

#[test]
fn a_gap_stays_that_accounts_for_more_than_was_acknowledged() {
    let mut buffer = Buffer::new();
    buffer.quota.target = 20_000;
    buffer.quota.keep_days = 0;
    let open = buffer.open();
    submit(&open, logs("a", lines(0, 200))).unwrap();
    submit(&open, logs("a", lines(200, 200))).unwrap();
    let gap = open.gaps().unwrap().remove(0);
    assert!(gap.position < gap.last);
    let frozen = freeze(&buffer.appliance(), &DOMAIN).unwrap();
    acknowledge(&buffer.appliance(), &DOMAIN, gap.position, frozen.at).unwrap();
    buffer.clock.set(1_000_100);
    submit(&open, report("a", "r1", Healthy, "well")).unwrap();
    drop(open);
    let open = buffer.open();
    assert_eq!(open.gaps().unwrap()[0], gap);
    acknowledge(&buffer.appliance(), &DOMAIN, frozen.position, frozen.at).unwrap();
    submit(&open, report("a", "r1", Error, "ill")).unwrap();
    drop(open);
    assert_eq!(buffer.open().gaps().unwrap(), []);
    assert_eq!(numbers_missing(&buffer.db()), (0, 0));
}
