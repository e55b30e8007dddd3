//! Packages that end early: runs whose ranges join, whose snapshots are whole, and whose sizes stay below their bound.

use airlock::domain::{Class, limits};
use airlock::package::{
    Line, Numbers, OpenedPackage, Quoted, RecordCounts, ReleaseState, Room, StatusKeys, Switch, check,
};

use super::made::{self, input, key};
use airlock::crypto::ReceiptResult;

/// Text that does not become small, the same every time.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = String::with_capacity(bytes);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:016x}"));
    }
    text
}

/// Writes packages until none is cut; returns the lines that came back of each kind, in order, and how many packages there were.
fn run(snapshots: &[Line], ranges: &[Line], lasts: Numbers, room: Room) -> (Vec<Line>, usize) {
    let mut statement = made::statement(&[Switch::AgentLogs]);
    let mut told = Vec::new();
    let mut count = 0;
    loop {
        count += 1;
        assert!(count < 50, "a run without an end");
        let firsts = statement.firsts;
        let first_of = |line: &Line| match line {
            Line::Receipt(_) => firsts.receipts,
            Line::Audit(_) => firsts.audit,
            _ => firsts.records,
        };
        let rest = ranges
            .iter()
            .filter(|line| line.number().unwrap() >= first_of(line))
            .cloned();
        let mut lines: Vec<Line> = snapshots.iter().cloned().chain(rest).collect();
        lines.sort_by_key(Line::part);
        let draft = made::write(statement.clone(), room, &lines, lasts, RecordCounts::default()).unwrap();
        assert!(draft.bytes.len() as u64 <= room.max_size, "{} bytes", draft.bytes.len());
        let signed = made::sign(&draft.bytes);
        let package = OpenedPackage::open(input(&signed)).unwrap();
        let package = package.verify(StatusKeys::new(key().public(), [])).unwrap();
        let mut held = Vec::new();
        let head = package
            .read_index()
            .unwrap()
            .read_lines(&mut |line, _| {
                held.push(line.clone());
                Ok(())
            })
            .unwrap();
        let (of_snapshots, of_ranges): (Vec<Line>, Vec<Line>) =
            held.into_iter().partition(|line| line.number().is_none());
        assert_eq!(of_snapshots, snapshots, "package {count} is not whole");
        told.extend(of_ranges);
        statement.number += 1;
        statement.previous = Some(draft.package.head_digest);
        statement.before = head.audit.hash;
        statement.firsts = Numbers {
            audit: draft.lasts.audit + 1,
            receipts: draft.lasts.receipts + 1,
            records: draft.lasts.records + 1,
        };
        if !draft.is_cut {
            assert_eq!(draft.lasts, lasts);
            told.sort_by_key(Line::part);
            return (told, count);
        }
    }
}

fn snapshots() -> Vec<Line> {
    vec![
        made::release(7, ReleaseState::Active),
        Line::Target(Box::new(made::target(1))),
        Line::Deployment(Box::new(made::deployment(1, 100))),
    ]
}

const LEAST_ROOM: Room = Room {
    max_size: limits::PACKAGE_BYTES_MIN,
    approvals: 0,
};

/// Pages are filled and chunks follow the cut rule, wherever a page was cut short: the first one before it outgrew the chunk it began in,
/// the second one behind a full one, or none.
#[test]
fn records_above_the_size_go_into_the_next_package() {
    let records: Vec<Line> = (1..=72)
        .map(|number| made::agent_log(number, &noise(number, 64 << 10)))
        .collect();
    let lasts = Numbers {
        audit: 0,
        receipts: 0,
        records: 72,
    };
    for (max_size, expected) in [(1 << 20, 3), ((2 << 20) + (256 << 10), 2), (64 << 20, 1)] {
        let room = Room { max_size, approvals: 2 };
        let (told, packages) = run(&snapshots(), &records, lasts, room);
        assert!(told == records, "{max_size}: other records");
        assert_eq!(packages, expected, "of {max_size} bytes");
    }
}

#[test]
fn receipts_and_rows_leave_half_of_the_room_and_are_cut_themselves() {
    let receipts = (1..=300).map(|number| made::receipt(number, ReceiptResult::Imported, &key()));
    let rows = (1..=3_000).map(|number| {
        let mut row = made::row(number, "import");
        row.detail.insert("head".into(), noise(number, 400).into());
        Line::Audit(row)
    });
    let records = (1..=3).map(|number| made::agent_log(number, "x"));
    let ranges: Vec<Line> = receipts.chain(rows).chain(records).collect();
    let lasts = Numbers {
        audit: 3_000,
        receipts: 300,
        records: 3,
    };
    let (told, packages) = run(&snapshots(), &ranges, lasts, LEAST_ROOM);
    assert_eq!(told, ranges);
    assert!(packages > 1, "{packages} packages");
    assert_eq!(run(&snapshots(), &ranges, lasts, Room::default()).1, 1);
}

/// Ten thousand receipts are the most, whatever room there is.
#[test]
fn limits_end_a_range_too() {
    let one = made::receipt(1, ReceiptResult::Imported, &key());
    let Line::Receipt(one) = one else { panic!("a receipt") };
    // The writer reads numbers, and verifies nothing.
    let ranges: Vec<Line> = (1..=limits::RECEIPTS + 5)
        .map(|number| {
            let mut receipt = one.clone();
            receipt.receipt.number = number;
            Line::Receipt(receipt)
        })
        .collect();
    let lasts = Numbers {
        audit: 0,
        receipts: limits::RECEIPTS + 5,
        records: 0,
    };
    let draft = made::write(
        made::statement(&[]),
        Room::default(),
        &ranges,
        lasts,
        RecordCounts::default(),
    )
    .unwrap();
    assert!(draft.is_cut);
    assert_eq!(draft.lasts.receipts, limits::RECEIPTS);
}

/// Snapshots that do not fit are refused, and with the room that the message asks for they are written. Rows of the log are cut instead.
#[test]
fn a_snapshot_above_the_size_is_written_once_there_is_the_room_that_the_message_asks_for() {
    let targets = |count: u32| {
        (1..=count).map(|number| {
            let mut target = made::target(number);
            target.agent = Some(Quoted::text(&noise(u64::from(number), 1000)));
            target.follows = Some(made::uuid(number));
            target.name = Some(Quoted::text(&noise(u64::from(number) + 10_000, 1000)));
            Line::Target(Box::new(target))
        })
    };
    let rows = (1..=900).map(|number| {
        let mut row = made::row(number, "import");
        row.detail.insert("head".into(), noise(number, 2000).into());
        Line::Audit(row)
    });
    let write = |lines: &[Line], rows: u64, max_size: u64| {
        let statement = made::statement(&[Switch::Agents, Switch::LocalNames]);
        let lasts = Numbers {
            audit: rows,
            receipts: 0,
            records: 0,
        };
        let room = Room { max_size, approvals: 0 };
        made::write(statement, room, lines, lasts, RecordCounts::default())
    };
    let many: Vec<Line> = targets(1200).collect();
    let refused = write(&many, 0, 1 << 20).unwrap_err();
    assert_eq!((refused.class(), refused.code()), (Class::Limit, "max-size"));
    assert_eq!(
        refused.advice(),
        Some("raise max_size_mib under [export] in the configuration")
    );
    let whole = write(&many, 0, 4 << 20).unwrap();
    check(&made::sign(&whole.bytes), key().public()).unwrap();
    let some: Vec<Line> = targets(300).chain(rows).collect();
    let cut = write(&some, 900, 1 << 20).unwrap();
    assert!(cut.is_cut && (1..900).contains(&cut.lasts.audit), "{:?}", cut.lasts);
    check(&made::sign(&cut.bytes), key().public()).unwrap();
    let small = write(&some, 900, (1 << 20) - 1).unwrap_err();
    assert_eq!((small.class(), small.code()), (Class::Limit, "max-size"));
}
