//! Refusals that no vector shows: other kinds of files, the order of the verdict, and what a writer does not take.

use airlock::bundle::OpenedBundle;
use airlock::crypto::{ReceiptResult, SigningKey};
use airlock::domain::{Class, Error, Step};
use airlock::package::{
    Line, Numbers, OpenedPackage, Quoted, RecordCounts, Room, Statement, StatusKeys, StatusRecord, StatusRecordKind,
    Switch, check,
};

use super::made::{self, input, key};
use crate::format::vectors::vectors;

fn told(error: &Error) -> (Class, &'static str, Option<Step>) {
    (error.class(), error.code(), error.step())
}

#[test]
fn a_bundle_is_no_package_and_a_package_no_bundle_and_both_say_where_to_take_it() {
    let bundle = vectors("good")
        .into_iter()
        .find(|vector| vector.name == "one-image")
        .unwrap()
        .bundle();
    let refused = OpenedPackage::open(input(&bundle)).unwrap_err();
    assert_eq!(told(&refused), (Class::Format, "wrong-type", Some(Step::V1)));
    assert!(refused.advice().unwrap().contains("airlock bundle verify"), "{refused}");
    // Done as it says, it is read.
    OpenedBundle::open(input(&bundle)).unwrap();

    let package = made::least_bytes();
    let refused = OpenedBundle::open(input(&package)).unwrap_err();
    assert_eq!(told(&refused), (Class::Format, "wrong-type", Some(Step::X2)));
    assert!(
        refused.advice().unwrap().contains("goes back to the vendor"),
        "{refused}"
    );
    OpenedPackage::open(input(&package)).unwrap();
}

/// A receipt that does not count stands before rows that do not lead on, and before a cut: the earliest step is the verdict.
#[test]
fn the_earliest_step_is_the_verdict_though_the_file_is_read_once() {
    let (mut lines, lasts, counts) = made::least();
    lines[3] = made::receipt(1, ReceiptResult::Imported, &SigningKey::from_secret(&[8; 32]));
    let draft = made::write(made::statement(&[]), Room::default(), &lines, lasts, counts).unwrap();
    let signed = made::sign(&draft.bytes);
    let mut handed = 0;
    let refused = OpenedPackage::open(input(&signed))
        .unwrap()
        .verify(StatusKeys::new(key().public(), []))
        .unwrap()
        .read_index()
        .unwrap()
        .read_lines(&mut |_, _| {
            handed += 1;
            Ok(())
        })
        .unwrap_err();
    assert_eq!(told(&refused), (Class::Signature, "below-threshold", Some(Step::V9)));
    assert_eq!(handed, 3, "nothing is handed over behind what was refused");
    let refused = check(&signed[..signed.len() - 1], key().public()).unwrap_err();
    assert_eq!(told(&refused), (Class::Incomplete, "truncated", Some(Step::V7)));
    // The key of its time makes it good; the package it does not.
    let earlier = SigningKey::from_secret(&[8; 32]).public();
    let read = |keys| {
        OpenedPackage::open(input(&signed))
            .unwrap()
            .verify(keys)
            .map(|package| package.read_index().unwrap().read_lines(&mut |_, _| Ok(())).unwrap())
    };
    read(StatusKeys::new(key().public(), [earlier])).unwrap();
    let refused = read(StatusKeys::new(earlier, [key().public()])).unwrap_err();
    assert_eq!(told(&refused), (Class::Signature, "replaced-key", Some(Step::V3)));
}

/// An error of whoever takes the lines ends the reading, and is its own.
#[test]
fn whoever_takes_the_lines_may_end_it() {
    let package = OpenedPackage::open(input(&made::least_bytes()))
        .unwrap()
        .verify(StatusKeys::new(key().public(), []))
        .unwrap();
    let refused = package
        .read_index()
        .unwrap()
        .read_lines(&mut |_, _| Err(Error::new(Class::Space, "no-space", "full").at(Step::V13)))
        .unwrap_err();
    assert_eq!(told(&refused), (Class::Space, "no-space", Some(Step::V13)));
}

#[test]
fn a_writer_takes_no_line_that_a_reader_would_refuse() {
    let (lines, lasts, counts) = made::least();
    let write = |statement: Statement, lines: &[Line], lasts: Numbers, counts: RecordCounts| {
        made::write(statement, Room::default(), lines, lasts, counts)
            .map(drop)
            .map_err(|error| (error.class(), error.code()))
    };
    let least = || made::statement(&[]);
    assert_eq!(write(least(), &lines, lasts, counts), Ok(()));
    let with = |place: usize, line: Line| {
        let mut lines = lines.clone();
        lines[place] = line;
        lines
    };
    let status = |change: &dyn Fn(&mut StatusRecord)| {
        let mut record = made::status(2, StatusRecordKind::Transition);
        change(&mut record);
        Line::Status(record)
    };
    let long = Quoted::text(&"x".repeat((256 << 10) + 1));
    for (lines, expected) in [
        (with(9, status(&|line| line.number = 1)), (Class::Format, "order")),
        (with(9, status(&|line| line.number = 0)), (Class::Format, "order")),
        (with(8, status(&|line| line.number = 0)), (Class::Content, "coverage")),
        (with(9, status(&|line| line.count = Some(2))), (Class::Format, "line")),
        (with(9, status(&|line| line.entered = Some(1))), (Class::Format, "line")),
        (with(9, status(&|line| line.of = Some(1))), (Class::Format, "grammar")),
        (
            with(9, status(&|line| line.text = Some(Quoted::text("")))),
            (Class::Content, "shows"),
        ),
        (
            with(9, status(&|line| line.text = Some(long.clone()))),
            (Class::Limit, "text-size"),
        ),
        (
            with(9, status(&|line| line.number = 1 << 60)),
            (Class::Content, "coverage"),
        ),
        (
            with(
                9,
                status(&|line| {
                    line.count = Some(1 << 60);
                    line.last = Some(made::time("10:00:00"));
                }),
            ),
            (Class::Internal, "line"),
        ),
        (with(0, lines[1].clone()), (Class::Format, "order")),
        (with(1, lines[2].clone()), (Class::Format, "order")),
        (with(9, lines[0].clone()), (Class::Format, "order")),
        (
            lines[..4].iter().chain(&lines[5..]).cloned().collect(),
            (Class::Content, "coverage"),
        ),
        (with(6, Line::Audit(made::row(4, "import"))), (Class::Format, "order")),
    ] {
        assert_eq!(write(least(), &lines, lasts, counts), Err(expected));
    }
    // Facts of the head.
    let changed = |change: &dyn Fn(&mut Statement)| {
        let mut statement = least();
        change(&mut statement);
        statement
    };
    for (statement, expected) in [
        (changed(&|facts| facts.number = 0), (Class::Format, "number")),
        (changed(&|facts| facts.number = 2), (Class::Format, "number")),
        (changed(&|facts| facts.lineage.clear()), (Class::Format, "lineage")),
        (changed(&|facts| facts.firsts.records = 0), (Class::Format, "ranges")),
        (
            changed(&|facts| facts.before = airlock::domain::Hash([0; 32])),
            (Class::Content, "audit-chain"),
        ),
    ] {
        assert_eq!(write(statement, &lines, lasts, counts), Err(expected));
    }
    // Counts that do not add up, and a receipt that is not among the lines.
    assert_eq!(
        write(least(), &lines, lasts, made::withheld(235)),
        Err((Class::Content, "coverage"))
    );
    let more = Numbers { receipts: 3, ..lasts };
    assert_eq!(write(least(), &lines, more, counts), Err((Class::Content, "coverage")));
    assert_eq!(
        write(made::statement(&[Switch::StatusText]), &lines, lasts, counts),
        Err((Class::Format, "line"))
    );
}
