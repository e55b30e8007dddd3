//! M-109: records go when their vendor has them. `airlock.db` decides, and `status.db` follows at the next start or fold.

use std::sync::Arc;

use airlock::appliance::Appliance;
use airlock::appliance::status::{Quota, StatusBuffer, freeze};
use airlock::db::site::acknowledgements::{self, AcknowledgementRow, Reached};
use airlock::db::status::Stream;
use airlock::domain::{StatusKind, SystemClock, Timestamp};

use super::both::{Both, Reach};
use crate::support::status::{AT_ONCE, logs, of, status, submit};

fn opened(both: &Both) -> Appliance {
    Appliance::open(&both.bench.state(), Arc::new(SystemClock)).unwrap()
}

fn buffer(appliance: &Appliance) -> StatusBuffer {
    StatusBuffer::open_collecting(appliance, Quota::default(), AT_ONCE).unwrap()
}

fn stream(open: &StatusBuffer, both: &Both) -> Stream {
    let streams = open.streams().unwrap();
    streams.into_iter().find(|stream| stream.domain == both.domain).unwrap()
}

/// A site whose agents reported, and its package of what is frozen.
fn reported() -> (Both, super::both::Package) {
    let both = Both::new();
    let appliance = opened(&both);
    let open = buffer(&appliance);
    submit(&open, of(both.domain, status("a", "r1", StatusKind::Healthy, "well"))).unwrap();
    submit(
        &open,
        of(both.domain, logs("a", [(1, "one".into()), (2, "two".into())])),
    )
    .unwrap();
    drop(open);
    let frozen = freeze(&appliance, &both.domain).unwrap();
    assert_eq!((frozen.position, frozen.acknowledged), (3, 0));
    let audit = both.stream().rows.len() as u64;
    let package = both.sign(Reach {
        records: frozen.position,
        audit,
        ..Reach::default()
    });
    (both, package)
}

#[test]
fn the_command_tells_the_status_database_with_and_without_a_server() {
    let (both, package) = reported();
    let mut says = both.says(1, &[&package]);
    says.records = 2;
    both.apply(&says);
    let appliance = opened(&both);
    let open = buffer(&appliance);
    let known = stream(&open, &both);
    assert_eq!((known.acknowledged, known.covered_at), (2, Some(package.head.made_at)));
    // With somebody who writes: it takes it in by itself.
    both.apply(&both.says(2, &[&package]));
    submit(&open, of(both.domain, status("a", "r1", StatusKind::Error, "oh"))).unwrap();
    assert_eq!(stream(&open, &both).acknowledged, 3);
}

/// What a kill between the two databases leaves undone: at the next start, and at the next fold.
#[test]
fn what_only_the_security_database_knows_follows() {
    let (both, package) = reported();
    let decide = |number: u64, records: u64| {
        let row = AcknowledgementRow {
            envelope: vec![1],
            reached: Reached {
                number,
                records,
                receipts: 0,
                audit: 0,
            },
            package: Some(package.digest),
        };
        let db = both.site_db();
        db.write(|tx| acknowledgements::keep(tx, both.domain, &row, Timestamp::EPOCH))
            .unwrap();
    };
    decide(1, 1);
    let appliance = opened(&both);
    let open = buffer(&appliance);
    assert_eq!(stream(&open, &both).acknowledged, 1, "at the start");
    decide(2, 2);
    submit(&open, of(both.domain, status("a", "r1", StatusKind::Error, "oh"))).unwrap();
    assert_eq!(stream(&open, &both).acknowledged, 1, "not before a fold");
    // Its end is a fold, where there is anything to fold.
    submit(&open, of(both.domain, status("a", "r1", StatusKind::Error, "oh"))).unwrap();
    drop(open);
    let frozen = freeze(&appliance, &both.domain).unwrap();
    assert_eq!(frozen.acknowledged, 2);
    // Never above what is frozen, whatever the other one says.
    decide(3, 1_000);
    let frozen = freeze(&appliance, &both.domain).unwrap();
    assert_eq!((frozen.position, frozen.acknowledged), (4, 4));
}

/// Without a status database, or with one that cannot be written, the acknowledgement is applied all the same.
#[test]
fn the_status_database_is_waited_for_by_nobody() {
    let (both, package) = reported();
    let path = both.bench.state().join("status.db");
    let kept = path.with_extension("kept");
    for name in ["status.db-wal", "status.db-shm"] {
        std::fs::remove_file(both.bench.state().join(name)).ok();
    }
    std::fs::copy(&path, &kept).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut says = both.says(1, &[&package]);
    says.records = 1;
    assert_eq!(both.apply(&says)["result"], "applied");
    crate::support::appliance::write(&path, b"no database at all, and long enough to be looked at as one");
    both.write("second", &both.says(2, &[&package]), "acme", "ack");
    let ended = both.bench.run("status acknowledge second");
    assert_eq!((ended.code, ended.word()), (Some(0), "applied"), "{}", ended.stderr);
    assert!(ended.stderr.contains("what goes follows later"), "{}", ended.stderr);
    std::fs::copy(&kept, &path).unwrap();
    let appliance = opened(&both);
    assert_eq!(stream(&buffer(&appliance), &both).acknowledged, 3);
}
