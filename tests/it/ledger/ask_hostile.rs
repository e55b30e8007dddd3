//! Texts of a hostile site, in every place that has one, in every form that answers have.

use airlock::package::Quoted;
use rusqlite::params;

use super::ask_made::{Ledger, python, site, uuid};
use crate::support::appliance::write;

/// What a site could write to move a cursor, to be markup, to be a formula, to be another line or column.
const HOSTILE: &str = "=cmd|' /C calc'!A0,\"\u{1b}[2K\u{202e}\n</td><script>alert(1)</script>\u{ad}";

fn is_strange(c: char) -> bool {
    c != '\n'
        && (c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// A ledger in which every text of a site says it, as it travels: quoted. What would not pass a reader stands in the columns too that no
/// reader lets through, in case one did.
fn hostile() -> Ledger {
    let ledger = Ledger::plants();
    let quoted = Quoted::text(HOSTILE).as_str().to_owned();
    ledger.record(1, 1, uuid(100), "2026-11-20T08:30:00Z", "error", Some(&quoted));
    let sql = ledger.sql();
    let id = site(1);
    sql.execute(
        "UPDATE target_now SET agent = ?1, name = ?1, follows = ?2 WHERE site = ?3",
        params![quoted, uuid(1).as_bytes(), id.as_str()],
    )
    .unwrap();
    for statement in [
        "UPDATE deployment_now SET state = ?1, signal = ?1 WHERE site = ?2",
        "UPDATE site SET name = ?1 WHERE site = ?2",
        "INSERT INTO finding (site, code, detail, count, at) VALUES (?2, ?1, ?1, 1, 1790000000)",
        "UPDATE held SET state = ?1 WHERE site = ?2",
    ] {
        sql.execute(statement, params![HOSTILE, id.as_str()]).unwrap();
    }
    sql.execute(
        "UPDATE deployment_now SET doubt = ?1, runs = NULL WHERE site = ?2",
        params![HOSTILE, id.as_str()],
    )
    .unwrap();
    sql.execute(
        "UPDATE receipt SET result = 'refused', class = ?1, code = ?1 WHERE instance = 1",
        [HOSTILE],
    )
    .unwrap();
    ledger
}

#[test]
fn nothing_reaches_a_terminal_a_parser_a_page_or_a_spreadsheet_as_more_than_text() {
    let ledger = hostile();
    let id = site(1).to_string();
    let period = ["--since", "2026-01-01T00:00:00Z"];
    let asked: [(&[&str], usize); 8] = [
        (&["status", "show"], 3),
        (&["status", "show", &id, "--last", "all"], 8),
        (&["vendor", "ledger", "show"], 0),
        (&["vendor", "ledger", "sites"], 1),
        (&["vendor", "ledger", "findings", "--all"], 3),
        (&["vendor", "ledger", "who-lacks", "CVE-2026-41234"], 2),
        (&["vendor", "ledger", "report", &id, "--release", "0.9"], 3),
        (&["vendor", "ledger", "report", &id, period[0], period[1]], 4),
    ];
    for (words, least) in asked {
        let human = ledger.said("human", words);
        assert!(!human.contains(is_strange), "{words:?}: {human}");
        let shown = human.matches("=cmd|").count();
        assert!(shown >= least, "{words:?} shows {shown}: {human}");
        // As a program reads it, it is what the site wrote.
        let json = ledger.said("json", words);
        assert!(!json.contains(is_strange), "{words:?}: {json}");
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        let mut found = 0;
        count(&parsed, &mut found);
        assert!(found >= least.min(1), "{words:?}: {json}");
        // No line that the site made begins a line.
        assert!(!human.lines().any(|line| line.starts_with("</td>")), "{human}");
    }
    for words in [["--release", "0.9"], period] {
        let words = [&["vendor", "ledger", "report", &id, "--html"][..], &words].concat();
        let page = ledger.said("human", &words);
        assert!(!page.contains(is_strange) && !page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
        assert!(
            page.contains("content=\"default-src 'none'; style-src 'sha256-"),
            "{page}"
        );
        for forbidden in ["src=", "href=", "url(", "javascript:"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
    let lines = ledger.said("jsonl", &["status", "show"]);
    assert!(!lines.contains(is_strange));
    assert!(
        lines
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    let csv = ledger.said("csv", &["status", "show"]);
    assert!(!csv.contains(|c| c != '\r' && is_strange(c)), "{csv}");
    let file = ledger.path("facts.csv");
    write(&file, csv.as_bytes());
    let script = "
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline='', encoding='utf-8')))
assert len({len(row) for row in rows}) == 1
cells = [cell for row in rows for cell in row if 'cmd|' in cell]
assert all(cell.startswith(\"'=cmd|\") for cell in cells), cells
print(len(cells))
";
    let cells: usize = python(script, &[&file]).trim().parse().unwrap();
    assert!(cells >= 8, "{cells}");
}

fn count(value: &serde_json::Value, found: &mut usize) {
    match value {
        serde_json::Value::String(text) if text.contains(HOSTILE) || text.contains(Quoted::text(HOSTILE).as_str()) => {
            *found += 1;
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| count(item, found)),
        serde_json::Value::Object(members) => members.values().for_each(|member| count(member, found)),
        _ => {}
    }
}
