//! Freezing a stream (M-84): what left changes no more, a status that goes on gets another record, and whoever writes the database does it.

use std::fs::File;
use std::ops::ControlFlow;
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::status::{RecordClass, StatusBuffer, StreamRecord, freeze, freeze_within, read_stream};
use airlock::domain::Class;
use airlock::domain::Signal;
use airlock::domain::StatusKind::{Error, Healthy};
use airlock::http::Settings;

use crate::support::agents::Serving;
use crate::support::appliance::wait_for;
use crate::support::desired::revision_id;
use crate::support::in_process::InProcessAppliance;
use crate::support::status::{Buffer, DOMAIN, agent_logs, last_number, logs, opened, status as report, submit};

const WELL: &str = "status check results: 1 healthy";

/// Every record of the stream, as it stands.
fn records(appliance: &Appliance) -> Vec<StreamRecord> {
    let read = read_stream(appliance, &DOMAIN, |view| {
        let mut all = Vec::new();
        view.records(1, view.stream().last(), &RecordClass::ALL, |one| {
            all.push(one);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    });
    read.unwrap().unwrap()
}

#[test]
fn what_goes_on_after_a_freeze_gets_a_record_of_its_own_and_stays_since_when_it_is_so() {
    let buffer = Buffer::new();
    let appliance = buffer.appliance();
    let mut open = buffer.open();
    let say = |open: &StatusBuffer, second: i64| {
        buffer.clock.set(1_000_000 + second);
        submit(open, report("a", "r1", Healthy, WELL)).unwrap()
    };
    say(&open, 0);
    say(&open, 5);
    assert_eq!(say(&open, 10).repeated, 1);
    let frozen = freeze(&appliance, &DOMAIN).unwrap();
    assert_eq!(
        (frozen.position, frozen.at.unix(), frozen.acknowledged),
        (1, 1_000_010, 0)
    );
    let before = records(&appliance);
    assert_eq!(
        before[0].listed.repeat.as_ref().unwrap().count,
        3,
        "everything answered is in it"
    );
    assert_eq!(before[0].listed.record.signal, Some(Signal::Applied));
    for (second, stored) in [(15, 1), (20, 0), (25, 0)] {
        assert_eq!(say(&open, second).stored, stored);
    }
    let check = |open: &StatusBuffer, number: u64, count: u64, last: i64| {
        let latest = open.overview().unwrap()[0].deployments[0].latest.clone().unwrap();
        assert_eq!((latest.number, latest.count), (number, count));
        assert_eq!((latest.first.unix(), latest.last.unix()), (1_000_000, 1_000_000 + last));
        assert_eq!((latest.signal, latest.entered), (Signal::Applied, 1));
    };
    check(&open, 2, 6, 25);
    // Found again by a restart before the next fold, and after it.
    for _ in 0..2 {
        drop(open);
        open = buffer.open();
        check(&open, 2, 6, 25);
    }
    assert_eq!(freeze(&appliance, &DOMAIN).unwrap().position, 2);
    say(&open, 30);
    check(&open, 3, 7, 30);
    // Another condition begins another run.
    submit(&open, report("a", "r1", Error, "ill")).unwrap();
    assert_eq!(freeze(&appliance, &DOMAIN).unwrap().position, 4);
    submit(&open, report("a", "r1", Error, "ill")).unwrap();
    drop(open);
    let after = records(&appliance);
    assert_eq!(after[0], before[0], "what is frozen changes no more");
    let said: Vec<(RecordClass, Option<u64>)> = after
        .iter()
        .map(|one| (one.listed.record.class, one.listed.record.of))
        .collect();
    assert_eq!(
        said,
        [
            (RecordClass::Transition, None),
            (RecordClass::Continued, Some(1)),
            (RecordClass::Continued, Some(1)),
            (RecordClass::Transition, None),
            (RecordClass::Continued, Some(4)),
        ]
    );
    assert_eq!(after[1].listed.repeat.as_ref().unwrap().count, 3);
}

#[test]
fn a_gap_that_is_frozen_grows_no_more() {
    let mut buffer = Buffer::new();
    buffer.quota.target = 100_000;
    let open = buffer.open();
    let flood = |from: i64| {
        let lines = (from..from + 200).map(|n| (n, format!("{n} {}", "x".repeat(200))));
        submit(&open, logs("a", lines)).unwrap();
    };
    flood(0);
    flood(200);
    assert_eq!(open.gaps().unwrap().len(), 1);
    let frozen = freeze(&buffer.appliance(), &DOMAIN).unwrap();
    let before = open.gaps().unwrap();
    assert!(before[0].position <= frozen.position);
    flood(400);
    flood(600);
    let after = open.gaps().unwrap();
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
    assert!(after[1].position > frozen.position && after[1].first <= frozen.position);
    drop(open);
    assert_eq!(crate::support::status::numbers_missing(&buffer.db()).1, 0);
}

#[test]
fn without_a_server_this_process_freezes_and_an_empty_stream_too() {
    let buffer = Buffer::new();
    assert_eq!(freeze(&buffer.appliance(), &DOMAIN).unwrap().position, 0);
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, WELL)).unwrap();
    submit(&open, agent_logs("a", [(1, "line".into())])).unwrap();
    drop(open);
    assert_eq!(freeze(&buffer.appliance(), &DOMAIN).unwrap().position, 2);
    assert_eq!(
        freeze(&buffer.appliance(), &DOMAIN).unwrap().position,
        2,
        "and nothing changed"
    );
    // A damaged database is set aside by it, as by a server.
    crate::support::appliance::write(&buffer.database(), b"garbage");
    let frozen = freeze(&buffer.appliance(), &DOMAIN).unwrap();
    assert!(frozen.position > 2, "{frozen:?}");
    assert!(buffer.path().join("status.db.damaged-1").is_file());
    let open = buffer.open();
    assert_eq!(
        submit(&open, report("a", "r1", Healthy, WELL)).unwrap().number,
        frozen.position + 1
    );
}

#[test]
fn a_running_server_freezes_when_it_is_asked() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let serving = Serving::start(instance, Settings::default());
    let token = serving.token("edge-0");
    let say = |kind: &str| {
        let revision = revision_id("edge-0", "a");
        let body = format!(r#"{{"revisionId":"{revision}","type":"{kind}","message":"{WELL}"}}"#);
        assert_eq!(serving.agent(&token, "POST", "status", &body).status, 200);
    };
    say("healthy");
    say("healthy");
    let streams = serving.status.streams().unwrap();
    let domain = streams[0].domain;
    let appliance = opened(
        &serving.instance.state(),
        std::sync::Arc::new(airlock::domain::SystemClock),
    );
    let frozen = freeze(&appliance, &domain).unwrap();
    assert_eq!(frozen.position, 1);
    say("healthy");
    let listed = serving.status.tail(0, 10).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(
        (listed[1].record.class, listed[1].record.of),
        (RecordClass::Continued, Some(1))
    );
    assert_eq!(serving.status.health().trouble, None);
    let _instance = serving.stop();
    assert_eq!(freeze(&appliance, &domain).unwrap().position, 2);
}

#[test]
fn a_writer_that_does_not_answer_is_busy_and_trying_again_helps() {
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, WELL)).unwrap();
    drop(open);
    let lock = File::open(buffer.path().join("status.lock")).unwrap();
    lock.lock().unwrap();
    let error = freeze_within(&buffer.appliance(), &DOMAIN, Duration::from_millis(100)).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Busy, "status-writer"));
    assert_eq!(records(&buffer.appliance()).len(), 1);
    drop(lock);
    assert_eq!(freeze(&buffer.appliance(), &DOMAIN).unwrap().position, 1);
}

#[test]
fn a_buffer_waits_for_another_writer_to_end() {
    let buffer = Buffer::new();
    let other = buffer.open();
    submit(&other, report("a", "r1", Healthy, WELL)).unwrap();
    let open = buffer.open();
    assert_eq!(open.health().trouble.as_deref(), Some("E-BUSY status-writer"));
    let error = submit(&open, report("a", "r1", Error, "ill")).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Busy, "status-writer"));
    assert_eq!(last_number(&other), 1, "nothing was written past the one that may");
    drop(other);
    wait_for("the database", || open.health().trouble.is_none());
    assert_eq!(submit(&open, report("a", "r1", Error, "ill")).unwrap().number, 2);
}
