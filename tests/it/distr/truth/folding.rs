//! Statuses that differ only by an age are one condition, with its first and last time, its count and its last words; another exit
//! code or health is another one, kept for good.

use airlock::appliance::status::Accepted;
use airlock::appliance::status::RecordClass::{self, Detail, Transition};
use airlock::domain::Clock as _;
use airlock::domain::StatusKind::{Error, Healthy};

use crate::support::status::{Buffer, status, submit};

/// What the recorded agent says of a container that ended.
fn exited(code: u8, ago: &str) -> String {
    format!(
        "service distr-1-once-1 is not in running state: state=exited, status=Exited ({code}) {ago} ago, exitCode={code}"
    )
}

fn report(open: &airlock::appliance::status::StatusBuffer, message: &str) -> Accepted {
    submit(open, status("a", "r1", Error, message)).unwrap()
}

#[test]
fn ages_fold_and_the_last_words_are_kept_as_they_came() {
    let buffer = Buffer::new();
    let ages = [
        "Less than a second",
        "4 seconds",
        "9 seconds",
        "59 seconds",
        "About a minute",
        "2 minutes",
    ];
    let mut open = buffer.open();
    for (n, age) in ages.iter().enumerate() {
        buffer.clock.set(1_000_000 + 5 * i64::try_from(n).unwrap());
        let accepted = report(&open, &exited(3, age));
        assert_eq!(
            (accepted.stored, accepted.repeated),
            if n == 0 { (1, 0) } else { (0, 1) }
        );
        // Another process sees the last words, folded in or not, and so does the next one after a restart.
        let read = airlock::appliance::status::overview(&buffer.appliance(), buffer.clock.now(), &|_| None).unwrap();
        let latest = read[0].deployments[0].latest.clone().unwrap();
        assert_eq!(latest.message, exited(3, age));
        if n == 3 {
            drop(open);
            open = buffer.open();
        }
    }
    let latest = open.overview().unwrap()[0].deployments[0].latest.clone().unwrap();
    assert_eq!(
        (latest.count, latest.first.unix(), latest.last.unix()),
        (6, 1_000_000, 1_000_025)
    );
    assert_eq!(latest.message, exited(3, "2 minutes"));
    let tail = open.tail(0, 10).unwrap();
    assert_eq!(tail.len(), 1, "one record");
    assert_eq!(tail[0].record.text, exited(3, ages[0]), "the first words");
    // Back to the very words of the record.
    report(&open, &exited(3, ages[0]));
    drop(open);
    let open = buffer.open();
    let latest = open.overview().unwrap()[0].deployments[0].latest.clone().unwrap();
    assert_eq!((latest.message, latest.count), (exited(3, ages[0]), 7));
}

#[test]
fn another_exit_code_or_health_is_a_transition_and_other_words_are_not() {
    let buffer = Buffer::new();
    let open = buffer.open();
    let unhealthy =
        "service web is not healthy: state=running, health=unhealthy, status=Up 19 seconds (unhealthy), exitCode=0";
    for message in [
        &exited(3, "17 seconds"),
        &exited(3, "22 seconds"),
        &exited(1, "2 seconds"),
        unhealthy,
        &unhealthy.replace("19 seconds", "About a minute"),
        &unhealthy.replace("unhealthy", "starting"),
        "compose up failed: timed out after 30 seconds",
        "compose up failed: timed out after 60 seconds",
    ] {
        report(&open, message);
    }
    submit(&open, status("a", "r1", Healthy, "status check results: 1 healthy")).unwrap();
    let classes: Vec<RecordClass> = open
        .tail(0, 20)
        .unwrap()
        .iter()
        .map(|listed| listed.record.class)
        .collect();
    assert_eq!(
        classes,
        [
            Transition, Transition, Transition, Transition, Transition, Detail, Transition
        ],
        "the two that only got older are folded"
    );
}
