//! Files under a good signature and good hashes, whatever their head and lines say: what a hostile site can make, and no copy can.

use proptest::prelude::*;

use super::kind::PACKAGE;
use super::statement::Content;
use super::*;
use crate::container::{
    Builder, ChunkEncoder, END_BYTES, bytes_before_payload, digest_of, format_lines, signatures_bytes, write_chunk,
};
use crate::crypto::{Signature, SigningKey, stream_start};
use crate::domain::{Class, Error, Hash, Step, limits};

const UUID: &str = "00000001-0000-4000-8000-000000000000";

fn key() -> SigningKey {
    SigningKey::from_secret(&[7; 32])
}

fn statement() -> Statement {
    let instance: crate::domain::InstanceId = "11112222333344445555666677778888".parse().unwrap();
    let site = "0123456789abcdef0123456789abcdef".parse().unwrap();
    Statement {
        acknowledged: None,
        before: stream_start(&site, Hash([0xcd; 32])),
        builder: Builder::current(),
        domain: Hash([0xcd; 32]),
        firsts: Numbers::all(1),
        lineage: vec![LineageEntry {
            audit: 1,
            instance: instance.clone(),
            receipts: 1,
            records: 1,
        }],
        instance,
        made_at: "2026-11-21T12:00:00Z".parse().unwrap(),
        number: 1,
        previous: None,
        shows: Shows::of([Switch::AgentLogs]),
        site,
        statement: "2026-11-21T08:00:00Z".parse().unwrap(),
    }
}

/// Makes a file of pages as they are, signed; `change` may spoil the head before that.
fn file(pages: &[(PartType, Vec<u8>)], last: u64, change: &dyn Fn(&mut Head)) -> Vec<u8> {
    let parts: Vec<PartEntry> = pages
        .iter()
        .map(|(kind, page)| PartEntry {
            digest: digest_of(page),
            lines: page.split(|byte| *byte == b'\n').count() as u64 - 1,
            size: page.len() as u64,
            kind: *kind,
        })
        .collect();
    let plain: Vec<u8> = pages.iter().flat_map(|(_, page)| page.clone()).collect();
    let (mut chunks, mut payload, mut at) = (Vec::new(), Vec::new(), 0);
    let mut encoder = ChunkEncoder::new(9).unwrap();
    for span in index::payload(&parts).cut() {
        let end = at + usize::try_from(span.plain).unwrap();
        let (chunk, stored) = encoder.encode(&plain[at..end]);
        chunks.push(chunk);
        write_chunk(&mut payload, chunks.len() as u64, &stored).unwrap();
        at = end;
    }
    let statement = statement();
    let content = Content {
        parts: &parts,
        chunks: &chunks,
        lasts: Numbers {
            records: last,
            ..Numbers::all(0)
        },
        hash: statement.before,
        shown: last,
        counts: RecordCounts::default(),
    };
    let (mut head, page) = statement.head(&content, Room::default(), payload.len() as u64);
    change(&mut head);
    let bytes = head.to_bytes();
    let format = format_lines(&PACKAGE, head.totals.chunks);
    let signature = Signature::make(&key(), PACKAGE.head_type, &bytes);
    let entries = [
        format.as_bytes(),
        &signatures_bytes(&[signature]),
        &statement.hints(),
        &bytes,
        br#"{"approvals":[]}"#,
    ];
    let pages: Vec<Vec<u8>> = page.into_iter().collect();
    let mut file = bytes_before_payload(entries, &pages, head.payload_offset).unwrap();
    file.extend(payload);
    file.extend([0; END_BYTES]);
    file
}

fn log(number: u64, text: &str) -> String {
    format!(
        "{{\"at\":\"2026-11-21T11:00:02Z\",\"kind\":\"agent-log\",\"number\":{number},\"severity\":\"info\",\"target\":\"{UUID}\",\
         \"text\":\"{text}\",\"time\":\"2026-11-21T11:00:01Z\"}}\n"
    )
}

fn judged(file: &[u8]) -> Result<Head, (Class, &'static str, Option<Step>)> {
    check(file, key().public()).map_err(|error: Error| (error.class(), error.code(), error.step()))
}

#[test]
fn a_file_made_here_is_good_and_each_thing_spoilt_is_told() {
    let page = log(1, "a") + &log(2, "b");
    let pages = |page: &str| vec![(PartType::Records, page.as_bytes().to_vec())];
    let good = file(&pages(&page), 2, &|_| {});
    assert_eq!(judged(&good).unwrap().records.shown, 2);
    let at = |class, code, step| Err((class, code, Some(step)));
    let wide = [
        (PartType::Records, log(1, "a").into_bytes()),
        (PartType::Records, log(2, "b").into_bytes()),
    ];
    for (bad, expected) in [
        (file(&wide, 2, &|_| {}), at(Class::Format, "pages", Step::V8)),
        (
            file(&pages(&page), 2, &|head| head.parts[0].lines = 3),
            at(Class::Content, "lines", Step::V8),
        ),
        (
            file(&pages(&page), 2, &|head| head.records.last = 3),
            at(Class::Content, "coverage", Step::V8),
        ),
        (
            file(&pages(&page), 2, &|head| head.audit.hash = Hash([0; 32])),
            at(Class::Content, "audit-chain", Step::V10),
        ),
        (
            file(&pages(&page), 2, &|head| head.shows = Shows::default()),
            at(Class::Content, "shows", Step::V8),
        ),
        // What a line says wrong is told before what the counts say, and both before the log.
        (
            file(&pages(&page.replace("info", "\\\\0A")), 2, &|head| {
                head.parts[0].lines = 3;
                head.audit.hash = Hash([0; 32]);
            }),
            at(Class::Format, "quoted", Step::V8),
        ),
        (
            file(&pages(&page), 2, &|head| head.requires = vec!["age-1".into()]),
            at(Class::Format, "needs-newer-reader", Step::V4),
        ),
        (
            file(&pages(&page), 2, &|head| head.domain = Hash([1; 32])),
            at(Class::Trust, "domain", Step::V4),
        ),
    ] {
        assert_eq!(judged(&bad).map(drop), expected);
    }
}

/// As many as the table of limits says, and one more.
#[test]
fn damage_is_bounded() {
    let lines = |count: u64| {
        let line = |n: u64| format!("{{\"digest\":\"sha256:{n:064x}\",\"kind\":\"damaged\",\"size\":7}}\n");
        let mut pages: Vec<(PartType, Vec<u8>)> = Vec::new();
        for n in 0..count {
            let line = line(n).into_bytes();
            match pages.last_mut() {
                Some((_, page)) if page.len() + line.len() <= limits::PART_BYTES => page.extend(line),
                _ => pages.push((PartType::Releases, line)),
            }
        }
        pages
    };
    judged(&file(&lines(limits::DAMAGED), 0, &|_| {})).unwrap();
    assert_eq!(
        judged(&file(&lines(limits::DAMAGED + 1), 0, &|_| {})).map(drop),
        Err((Class::Limit, "lines", Some(Step::V8)))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Pages of anything, in any order, under a good signature: judged at a step behind it, and never a panic.
    #[test]
    fn whatever_a_site_signs_is_judged(
        pages in prop::collection::vec((0..6_usize, prop::collection::vec(
            prop_oneof!["[ -~]{0,30}", Just(log(1, "a")), Just(log(2, "\\\\0a")), any::<String>()], 1..5)), 0..5),
        sorted: bool,
        last in 0..4_u64,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..2),
    ) {
        let mut pages: Vec<(PartType, Vec<u8>)> = pages
            .into_iter()
            .map(|(kind, lines)| (PartType::ALL[kind], lines.concat().into_bytes()))
            .filter(|(_, page)| !page.is_empty())
            .collect();
        if sorted {
            pages.sort_by_key(|(kind, _)| *kind);
        }
        let mut bytes = file(&pages, last, &|_| {});
        let whole = bytes.clone();
        if let Err((_, _, step)) = judged(&whole) {
            prop_assert!(step >= Some(Step::V4), "{:?}", step);
        }
        for (place, bit) in flips {
            let at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if bytes != whole {
            prop_assert!(judged(&bytes).is_err());
        }
    }

    /// A head that says anything of its numbers.
    #[test]
    fn whatever_a_head_says_is_judged(
        numbers in prop::collection::vec(prop_oneof![0..4_u64, any::<u64>().prop_map(|n| n >> 11)], 12),
    ) {
        let page = log(1, "a") + &log(2, "b");
        let pages = [(PartType::Records, page.into_bytes())];
        let bytes = file(&pages, 2, &|head| {
            let n = |at: usize| numbers[at];
            (head.records.first, head.records.last) = (n(0), n(1));
            (head.receipts.first, head.receipts.last) = (n(2), n(3));
            (head.audit.first, head.audit.last) = (n(4), n(5));
            (head.records.missing, head.records.unexplained) = (n(6), n(7));
            (head.records.withheld.log, head.records.shown) = (n(8), n(9));
            head.lineage[0].records = n(10);
            head.parts[0].lines = n(11);
        });
        match judged(&bytes) {
            Err((_, _, step)) => prop_assert!(step >= Some(Step::V4), "{:?}", step),
            Ok(head) => {
                // Then every number is somewhere, and each range holds what was carried.
                let RecordRange { first, last, missing, shown, unexplained, withheld } = head.records;
                prop_assert_eq!(last + 1 - first, shown + missing + unexplained + withheld.log);
                prop_assert_eq!((shown, head.parts[0].lines, head.lineage[0].records), (2, 2, 1));
                prop_assert_eq!((head.receipts.last + 1, head.audit.last + 1), (head.receipts.first, head.audit.first));
            }
        }
    }
}
