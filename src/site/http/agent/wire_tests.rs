//! The agents' documents, and what does not fit them.

use proptest::prelude::*;

use super::super::json::Reader;
use super::*;

fn read<V: Visitor + Default>(text: &str) -> Result<V, BadBody> {
    let (mut reader, mut visitor) = (Reader::new(), V::default());
    reader.feed(text.as_bytes(), &mut visitor)?;
    reader.finish(&mut visitor)?;
    Ok(visitor)
}

const ID: &str = "425f763a-63c6-4c4b-a1d1-0181d368e8fc";

#[test]
fn a_status_is_read_as_the_hub_would() {
    let status = |text: &str| read::<One<StatusReport>>(text).map(|one| one.record);
    let good = status(&format!(
        r#" {{"MESSAGE":"a\u0000b","unknown":{{"type":[1,{{}}]}},"type":"healthy","revisionid":"{}"}} "#,
        ID.to_uppercase()
    ));
    let good = good.unwrap();
    assert_eq!(good.revision.unwrap().to_string(), ID);
    assert_eq!((good.kind.kept.as_str(), good.message.kept.as_str()), ("healthy", "ab"));
    assert_eq!(status("null").unwrap(), StatusReport::default());
    assert_eq!(
        status(r#"{"revisionId":null,"type":null}"#).unwrap(),
        StatusReport::default()
    );
    for (text, bad) in [
        ("[]", BadBody::Shape("an object was expected")),
        ("7", BadBody::Shape("an object was expected")),
        (r#"{"type":7}"#, BadBody::Shape("type")),
        (r#"{"type":{}}"#, BadBody::Shape("type")),
        (r#"{"message":[]}"#, BadBody::Shape("message")),
        (r#"{"revisionId":"x"}"#, BadBody::Shape("revisionId")),
        (r#"{"revisionId":""}"#, BadBody::Shape("revisionId")),
        (r#"{"type":"a","type":"b"}"#, BadBody::Twice("type")),
        (r#"{"type":"a","Type":"b"}"#, BadBody::Twice("type")),
    ] {
        assert_eq!(status(text), Err(bad), "{text}");
    }
    // A member that nobody knows may come twice.
    assert!(status(r#"{"x":1,"x":2}"#).is_ok());
}

#[test]
fn logs_are_arrays_of_lines() {
    let logs = |text: &str| read::<Many<LogLine>>(text).map(|mut many| many.take());
    let line = format!(
        r#"{{"id":"00000000-0000-0000-0000-000000000000","deploymentId":"{ID}","deploymentRevisionId":"{ID}","resource":"web-1",
            "timestamp":"2026-11-21T11:00:00.5+01:00","severity":"Log","body":"hello"}}"#
    );
    let read_lines = logs(&format!("[{line},{line}, null]")).unwrap();
    assert_eq!(read_lines.len(), 3);
    assert_eq!(read_lines[0], read_lines[1]);
    assert_eq!(
        (read_lines[0].at.parts(), read_lines[0].body.kept.as_str()),
        ((1_795_255_200, 500_000_000), "hello")
    );
    assert_eq!(read_lines[2], LogLine::default());
    assert_eq!(logs("[]"), Ok(vec![]));
    assert_eq!(logs("null"), Ok(vec![]));
    let array = BadBody::Shape("an array of objects was expected");
    for (text, bad) in [
        ("{}", array.clone()),
        ("\"x\"", array.clone()),
        ("[[]]", array.clone()),
        ("[1]", array),
        (r#"[{"timestamp":"2026-01-01T00:00:00"}]"#, BadBody::Shape("timestamp")),
        (r#"[{"timestamp":1}]"#, BadBody::Shape("timestamp")),
        (r#"[{"id":"x"}]"#, BadBody::Shape("id")),
        (r#"[{"body":"a","BODY":"b"}]"#, BadBody::Twice("body")),
    ] {
        assert_eq!(logs(text), Err(bad), "{text}");
    }
    let agent = read::<Many<AgentLogLine>>(r#"[{"id":null,"severity":"debug","body":"x\n"}]"#).unwrap();
    assert_eq!(agent.records[0].body.kept, "x\n");
    assert!(agent.weight > RECORD_BYTES);
}

#[test]
fn metrics_with_and_without_disks() {
    let metrics = read::<MetricsReader>;
    let full = metrics(
        r#"{"cpuCoresMillis":4000,"cpuUsage":0.25,"memoryBytes":8000000000,"memoryUsage":1e-1,
            "diskMetrics":[{"device":"/dev/sda1","path":"/","fsType":"ext4","bytesTotal":10,"bytesUsed":5,"x":{"y":[]}},null]}"#,
    )
    .unwrap();
    assert_eq!(
        (full.report().cpu_cores_millis, full.report().memory_bytes),
        (4000, 8_000_000_000)
    );
    assert!((full.report().memory_usage - 0.1).abs() < 1e-9);
    assert_eq!((full.disks.len(), full.disks[0].bytes_used), (2, 5));
    for text in [
        "{}",
        "null",
        r#"{"diskMetrics":null}"#,
        r#"{"diskMetrics":[]}"#,
        r#"{"a":{"diskMetrics":1}}"#,
    ] {
        let report = metrics(text).unwrap();
        assert_eq!(
            (report.report(), report.disks.len()),
            (&MetricsReport::default(), 0),
            "{text}"
        );
    }
    for (text, bad) in [
        (r#"{"cpuUsage":"x"}"#, BadBody::Shape("cpuUsage")),
        (r#"{"cpuUsage":1e999}"#, BadBody::Shape("cpuUsage")),
        (r#"{"cpuCoresMillis":1.5}"#, BadBody::Shape("cpuCoresMillis")),
        (
            r#"{"cpuCoresMillis":9223372036854775808}"#,
            BadBody::Shape("cpuCoresMillis"),
        ),
        (r#"{"diskMetrics":{}}"#, BadBody::Shape("diskMetrics")),
        (r#"{"diskMetrics":[1]}"#, BadBody::Shape("diskMetrics")),
        (r#"{"diskMetrics":[],"DISKMETRICS":[]}"#, BadBody::Twice("diskMetrics")),
        ("[]", BadBody::Shape("an object was expected")),
    ] {
        assert_eq!(metrics(text).map(|_| ()), Err(bad), "{text}");
    }
    let many = format!(r#"{{"diskMetrics":[{}]}}"#, vec!["{}"; 1000].join(","));
    assert_eq!(metrics(&many).unwrap().disks.len(), DISKS);
}

#[test]
fn without_room_lines_are_counted_and_not_kept() {
    let line = format!(r#"{{"deploymentId":"{ID}","timestamp":"2026-11-21T11:00:00Z","body":"hello"}}"#);
    let text = format!("[{line},{line},{line}]");
    for at in 0..text.len() {
        let (first, rest) = text.split_at(at);
        let (mut reader, mut many) = (Reader::new(), Many::<LogLine>::default());
        reader.feed(first.as_bytes(), &mut many).unwrap();
        many.discard();
        reader.discard_texts();
        reader.feed(rest.as_bytes(), &mut many).unwrap();
        assert!(reader.held() < 40);
        reader.finish(&mut many).unwrap();
        assert_eq!((many.missed, many.take().len()), (3, 0), "{at}");
    }
    let (mut reader, mut many) = (Reader::new(), Many::<LogLine>::default());
    many.discard();
    reader.discard_texts();
    assert_eq!(reader.feed(b"[{\"body\":{}}]", &mut many), Err(BadBody::Shape("body")));
}

/// Pieces of documents, so that random lists of them come close to real ones.
const PIECES: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "null",
    "true",
    "7",
    "-1.5e3",
    "\"x\"",
    "\"body\"",
    "\"BODY\"",
    "\"timestamp\"",
    "\"2026-11-21T10:00:00Z\"",
    "\"diskMetrics\"",
    "\"bytesUsed\"",
    "\"type\"",
    "\"\\u0000\\ud83d\"",
    " ",
];

proptest! {
    /// Whatever comes, in whatever chunks: no panic, and the same verdict as in one piece.
    #[test]
    fn no_document_makes_it_fail_badly(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24), size in 1_usize..9) {
        fn verdict<V: Visitor + Default>(text: &str, size: usize) -> Result<(), BadBody> {
            let (mut reader, mut visitor) = (Reader::new(), V::default());
            for chunk in text.as_bytes().chunks(size) {
                reader.feed(chunk, &mut visitor)?;
            }
            reader.finish(&mut visitor)
        }
        let text = pieces.concat();
        let whole = text.len().max(1);
        prop_assert_eq!(verdict::<Many<LogLine>>(&text, size), verdict::<Many<LogLine>>(&text, whole));
        prop_assert_eq!(verdict::<Many<AgentLogLine>>(&text, size), verdict::<Many<AgentLogLine>>(&text, whole));
        prop_assert_eq!(verdict::<One<StatusReport>>(&text, size), verdict::<One<StatusReport>>(&text, whole));
        prop_assert_eq!(verdict::<MetricsReader>(&text, size), verdict::<MetricsReader>(&text, whole));
        // Nothing is taken that is no JSON.
        if verdict::<MetricsReader>(&text, size).is_ok() {
            prop_assert!(text.parse::<serde_json::Value>().is_ok());
        }
    }
}
