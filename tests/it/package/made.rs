//! Packages made in memory: a site's key, lines of every kind, and what writes them.

use std::io::Cursor;

use airlock::container::{Builder, Input};
use airlock::crypto::canonical::Integer;
use airlock::crypto::{Receipt, ReceiptResult, SigningKey, stream_start};
use airlock::domain::{Doubt, Hash, InstanceId, Result, Signal, SiteId, StatusKind, Timestamp, Uuid};
use airlock::package::{
    AgentLog, AgentLogWord, AuditRow, Damaged, DamagedWord, Deployment, DeploymentWord, Gap, GapClass, GapReason,
    GapWord, Head, Line, LineageEntry, Log, LogWord, MetricsDay, Numbers, PackageWriter, Quoted, RecordCounts, Release,
    ReleaseState, ReleaseWord, Room, Shows, SignedReceipt, Statement, StatusRecord, StatusRecordKind, Switch, Taken,
    Target, TargetMetrics, TargetWord, UnsignedPackage, Withheld, WrittenPackage,
};
use serde_json::json;

/// A file in memory.
pub(crate) fn input(bytes: &[u8]) -> Box<dyn Input> {
    Box::new(Cursor::new(bytes.to_vec()))
}

/// The site's status key.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_secret(&[7; 32])
}

pub(crate) fn site() -> SiteId {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

pub(crate) const DOMAIN: Hash = Hash([0xcd; 32]);

pub(crate) fn instance() -> InstanceId {
    "11112222333344445555666677778888".parse().unwrap()
}

pub(crate) fn time(text: &str) -> Timestamp {
    format!("2026-11-21T{text}Z").parse().unwrap()
}

pub(crate) fn uuid(number: u32) -> Uuid {
    format!("{number:08x}-0000-4000-8000-000000000000").parse().unwrap()
}

/// The facts of a first package that shows some things.
pub(crate) fn statement(shows: &[Switch]) -> Statement {
    Statement {
        acknowledged: None,
        before: stream_start(&site(), DOMAIN),
        builder: Builder::current(),
        domain: DOMAIN,
        firsts: Numbers::all(1),
        instance: instance(),
        lineage: vec![LineageEntry {
            audit: 1,
            instance: instance(),
            receipts: 1,
            records: 1,
        }],
        made_at: time("12:00:00"),
        number: 1,
        previous: None,
        shows: Shows::of(shows.iter().copied()),
        site: site(),
        statement: time("08:00:00"),
    }
}

/// The facts that a head was made of.
pub(crate) fn statement_of(head: &Head) -> Statement {
    Statement {
        acknowledged: head.acknowledged,
        before: head.audit.before,
        builder: head.builder.clone(),
        domain: head.domain,
        firsts: head.firsts(),
        instance: head.instance.clone(),
        lineage: head.lineage.clone(),
        made_at: head.made_at,
        number: head.number,
        previous: head.previous,
        shows: head.shows.clone(),
        site: head.site.clone(),
        statement: head.statement,
    }
}

/// A package that nobody signed.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) bytes: Vec<u8>,
    pub(crate) package: WrittenPackage,
    pub(crate) lasts: Numbers,
    pub(crate) is_cut: bool,
}

/// Writes a package whose ranges end at `lasts` unless they are cut; what is withheld before a cut is not counted.
pub(crate) fn write(
    statement: Statement,
    room: Room,
    lines: &[Line],
    lasts: Numbers,
    counts: RecordCounts,
) -> Result<Draft> {
    let mut spool = Cursor::new(Vec::new());
    let mut writer = PackageWriter::new(statement, room, &mut spool)?;
    for line in lines {
        let _: Taken = writer.push(line)?;
    }
    let written = writer.finish(lasts)?;
    let (lasts, is_cut) = (written.lasts(), written.is_cut());
    let mut bytes = Vec::new();
    let package = written.write(counts, &mut spool, &mut bytes)?;
    assert_eq!(package.size, bytes.len() as u64);
    Ok(Draft {
        bytes,
        package,
        lasts,
        is_cut,
    })
}

/// Signs a draft with the site's key.
pub(crate) fn sign(draft: &[u8]) -> Vec<u8> {
    let mut package = UnsignedPackage::open(input(draft)).unwrap();
    package.sign(&key());
    let mut signed = Vec::new();
    package.write(&mut Cursor::new(draft), &mut signed).unwrap();
    signed
}

/// A row of the log.
pub(crate) fn row(number: u64, action: &str) -> AuditRow {
    let detail = json!({"deep": {"list": [1, true, "word"]}, "head": Hash([0xee; 32])});
    AuditRow {
        action: action.to_owned(),
        at: time("09:00:00"),
        detail: detail.as_object().unwrap().clone().into_iter().collect(),
        number,
    }
}

/// A receipt, signed by a key.
pub(crate) fn receipt(number: u64, result: ReceiptResult, key: &SigningKey) -> Line {
    let refusal = |word: &str| (result == ReceiptResult::Refused).then(|| word.to_owned());
    let receipt = Receipt {
        at: time("09:58:00"),
        audit: Hash([1; 32]),
        channel: "stable".parse().unwrap(),
        class: refusal("E-CONTENT"),
        code: refusal("not-carried"),
        domain: DOMAIN,
        epoch: 0,
        head: Hash([0xef; 32]),
        instance: instance(),
        number,
        product: "acme-erp".parse().unwrap(),
        result,
        root_version: 1,
        sequence: 7,
        site: site(),
        step: refusal("X13"),
        version: "1.0".into(),
    };
    Line::Receipt(Box::new(SignedReceipt::unverified(&receipt.sign(key)).unwrap()))
}

pub(crate) fn release(sequence: u64, state: ReleaseState) -> Line {
    Line::Release(Release {
        blobs: 5,
        channel: "stable".parse().unwrap(),
        content: Hash([2; 32]),
        epoch: 0,
        head: Hash([0xef; 32]),
        imported_at: time("09:58:00"),
        kind: ReleaseWord::Word,
        product: "acme-erp".parse().unwrap(),
        root_version: 1,
        sequence,
        since: (state != ReleaseState::Available).then(|| time("10:00:00")),
        state,
    })
}

pub(crate) fn target(number: u32) -> Target {
    Target {
        agent: None,
        follows: None,
        kind: TargetWord::Word,
        metrics: None,
        name: None,
        removed: None,
        seen: Some(time("11:58:55")),
        since: Some(time("10:00:00")),
        target: uuid(number),
    }
}

/// A deployment that reported, and runs what it reported.
pub(crate) fn deployment(target: u32, number: u32) -> Deployment {
    Deployment {
        count: Some(1411),
        deployment: uuid(number),
        doubt: None,
        entered: Some(1),
        first: Some(time("10:01:20")),
        kind: DeploymentWord::Word,
        last: Some(time("11:58:55")),
        number: Some(2),
        removed: None,
        revision: Some(uuid(900)),
        runs: Some(uuid(900)),
        signal: Some(Signal::Applied),
        state: Some(StatusKind::Running),
        target: uuid(target),
        wanted: Some(uuid(900)),
    }
}

/// A deployment that nobody has reported of.
pub(crate) fn silent(target: u32, number: u32, doubt: Option<Doubt>) -> Deployment {
    Deployment {
        count: None,
        doubt,
        entered: None,
        first: None,
        last: None,
        number: None,
        removed: doubt.is_none().then(|| time("11:30:00")),
        revision: None,
        runs: None,
        signal: None,
        state: None,
        ..deployment(target, number)
    }
}

pub(crate) fn status(number: u64, kind: StatusRecordKind) -> StatusRecord {
    StatusRecord {
        at: time("10:01:20"),
        count: None,
        deployment: uuid(100),
        entered: None,
        kind,
        last: None,
        number,
        of: None,
        revision: uuid(900),
        signal: Signal::Applied,
        state: StatusKind::Running,
        target: uuid(1),
        text: None,
    }
}

pub(crate) fn agent_log(number: u64, text: &str) -> Line {
    Line::AgentLog(AgentLog {
        at: time("11:00:02"),
        kind: AgentLogWord::Word,
        number,
        severity: Quoted::text("info"),
        target: uuid(1),
        text: Quoted::text(text),
        time: "2026-11-21T11:00:01.5Z".parse().unwrap(),
    })
}

pub(crate) fn gap(number: u64) -> Gap {
    Gap {
        at: time("11:40:00"),
        bytes: 0,
        class: GapClass::Metrics,
        count: 10,
        exact: true,
        first: Some(9),
        kind: GapWord::Word,
        last: Some(18),
        number,
        reason: GapReason::Folded,
        since: time("11:00:00"),
        target: Some(uuid(1)),
        until: time("11:30:00"),
    }
}

/// The least package: one release, one deployment, two transitions among 240 records.
pub(crate) fn least() -> (Vec<Line>, Numbers, RecordCounts) {
    let lines = vec![
        release(7, ReleaseState::Active),
        Line::Target(Box::new(target(1))),
        Line::Deployment(Box::new(deployment(1, 100))),
        receipt(1, ReceiptResult::Imported, &key()),
        receipt(2, ReceiptResult::Activated, &key()),
        Line::Audit(row(1, "init")),
        Line::Audit(row(2, "import")),
        Line::Audit(row(3, "activate")),
        Line::Status(status(1, StatusRecordKind::Transition)),
        Line::Status(StatusRecord {
            count: Some(1411),
            last: Some(time("11:58:55")),
            ..status(2, StatusRecordKind::Transition)
        }),
    ];
    let lasts = Numbers {
        audit: 3,
        receipts: 2,
        records: 240,
    };
    (lines, lasts, withheld(236))
}

/// Counts of a package in which so many samples of metrics, and two statuses, are withheld.
pub(crate) fn withheld(metrics: u64) -> RecordCounts {
    RecordCounts {
        withheld: Withheld {
            metrics,
            status: 2,
            ..Withheld::default()
        },
        ..RecordCounts::default()
    }
}

/// The least package, signed.
pub(crate) fn least_bytes() -> Vec<u8> {
    let (lines, lasts, counts) = least();
    sign(
        &write(statement(&[]), Room::default(), &lines, lasts, counts)
            .unwrap()
            .bytes,
    )
}

/// Lines of every kind, each with every member that it may have.
pub(crate) fn every_kind() -> Vec<Line> {
    let text = |text: &str| Some(Quoted::text(text));
    let (mut at_site, mut gone) = (target(1), target(2));
    at_site.agent = text("2.1.0");
    at_site.metrics = Some(TargetMetrics {
        cores: 4000,
        cpu: 125_000,
        disks: vec![[Integer(500), Integer(210)], [Integer(7), Integer(0)]],
        memory: 16,
        memory_used: 7,
    });
    gone.follows = Some(uuid(1));
    gone.name = text("Halle 3\u{202e}");
    gone.removed = Some(time("11:00:00"));
    let doubts = [
        Doubt::NoStatus,
        Doubt::Waiting,
        Doubt::Removing,
        Doubt::Applying,
        Doubt::Before,
        Doubt::HalfApplied,
        Doubt::FailedUpgrade,
        Doubt::Unseen,
    ];
    let mut lines = vec![
        release(6, ReleaseState::Retired),
        release(7, ReleaseState::Active),
        release(8, ReleaseState::Available),
        Line::Damaged(Damaged {
            digest: airlock::domain::Digest(Hash([3; 32])),
            kind: DamagedWord::Word,
            size: 7,
        }),
        Line::Target(Box::new(at_site)),
        Line::Deployment(Box::new(deployment(1, 100))),
    ];
    lines.extend(
        (101..)
            .zip(doubts)
            .map(|(number, doubt)| Line::Deployment(Box::new(silent(1, number, Some(doubt))))),
    );
    lines.push(Line::Deployment(Box::new(silent(1, 200, None))));
    lines.push(Line::Target(Box::new(gone)));
    lines.extend(
        (1..)
            .zip(ReceiptResult::ALL)
            .map(|(number, result)| receipt(number, result, &key())),
    );
    lines.extend(
        (1..)
            .zip(["init", "import", "a-word-of-later"])
            .map(|(number, action)| Line::Audit(row(number, action))),
    );
    for day in ["2026-11-19", "2026-11-20"] {
        lines.push(Line::Metrics(MetricsDay {
            cpu: [Integer(1), Integer(2), Integer(3)],
            day: day.parse().unwrap(),
            disk: Some(420_000),
            memory: [Integer(4), Integer(5), Integer(6)],
            samples: 1440,
            target: uuid(1),
        }));
    }
    let mut number = 0;
    let mut next = || {
        number += 1;
        number
    };
    for signal in Signal::ALL {
        lines.push(Line::Status(StatusRecord {
            signal,
            text: text("status check passed\n\u{1b}[2K"),
            ..status(next(), StatusRecordKind::Transition)
        }));
    }
    lines.push(Line::Status(StatusRecord {
        count: Some(3),
        entered: Some(2),
        last: Some(time("11:58:55")),
        of: Some(1),
        text: text("it goes on"),
        ..status(next(), StatusRecordKind::Continued)
    }));
    lines.push(Line::Status(StatusRecord {
        text: text(""),
        ..status(next(), StatusRecordKind::Status)
    }));
    lines.push(Line::Log(Box::new(Log {
        at: time("11:00:02"),
        deployment: uuid(100),
        kind: LogWord::Word,
        number: next(),
        resource: Quoted::text("web-1"),
        revision: uuid(900),
        severity: Quoted::text("stdout"),
        target: uuid(1),
        text: Quoted::text("c:\\windows\u{9b}"),
        time: "2026-11-21T11:00:01.123456789Z".parse().unwrap(),
    })));
    lines.push(agent_log(next(), "listening"));
    lines.push(Line::Gap(gap(next())));
    lines.push(Line::Gap(Gap {
        class: GapClass::Any,
        exact: false,
        first: None,
        last: None,
        reason: GapReason::Quota,
        target: None,
        ..gap(next())
    }));
    lines
}
