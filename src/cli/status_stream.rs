//! Facts for other tools: a JSON object a line, or comma-separated values.

use std::cell::RefCell;

use serde_json::Value;

use super::ui::{Format, Ui};
use crate::domain::{Result, shown, shown_lines};
use crate::vendor_side::Workspace;
use crate::vendor_side::ledger::ask::{Limits, stream_facts};

/// Columns of the table: the members of all facts.
const COLUMNS: [&str; 71] = [
    "fact",
    "site",
    "name",
    "as_of",
    "source",
    "age_seconds",
    "stale",
    "package",
    "made_at",
    "ingested_at",
    "enrolled_at",
    "withdrawn_at",
    "id",
    "code",
    "detail",
    "ended_at",
    "number",
    "instance",
    "class",
    "reason",
    "exact",
    "at",
    "time",
    "first",
    "last",
    "count",
    "entered",
    "of",
    "result",
    "head",
    "product",
    "channel",
    "epoch",
    "sequence",
    "version",
    "imported_at",
    "since",
    "agrees",
    "matched",
    "error_class",
    "error_code",
    "target",
    "target_name",
    "local_name",
    "follows",
    "agent",
    "seen",
    "seen_age_seconds",
    "metrics",
    "deployment",
    "application",
    "known",
    "wanted",
    "revision",
    "runs",
    "release",
    "doubt",
    "state",
    "signal",
    "failed",
    "removed",
    "first_number",
    "last_number",
    "day",
    "samples",
    "cpu",
    "memory",
    "disk",
    "resource",
    "severity",
    "text",
];

/// Bytes that are gathered before they are written.
const GATHERED: usize = 64 << 10;

/// Writes every fact of a site, or of all.
pub(super) fn run(workspace: &Workspace, site: Option<&str>, logs: bool, limits: &Limits, ui: &mut Ui) -> Result<()> {
    let is_csv = ui.format() == Format::Csv;
    let mut out = String::new();
    if is_csv {
        out += &(COLUMNS.join(",") + "\r\n");
    }
    // Progress is told between the lines that are written.
    let ui = RefCell::new(ui);
    stream_facts(
        workspace,
        site,
        logs,
        limits,
        &mut |done, total| ui.borrow_mut().progress("read packages", done, total),
        &mut |fact| {
            out += &if is_csv {
                row(&fact)
            } else {
                shown_lines(&fact.to_string()) + "\n"
            };
            if out.len() >= GATHERED {
                ui.borrow().script(out.as_bytes())?;
                out.clear();
            }
            Ok(())
        },
    )?;
    ui.borrow().script(out.as_bytes())
}

fn row(fact: &Value) -> String {
    let cells = COLUMNS.map(|column| fact.get(column).map_or(String::new(), cell));
    cells.join(",") + "\r\n"
}

/// Returns a value as a cell: nothing in it breaks a line, and no spreadsheet takes it for a formula.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let begins = text.starts_with(['=', '+', '-', '@', '\t']);
    let text = shown(&text);
    let text = if begins { format!("'{text}") } else { text };
    if text.contains(['"', ',', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_text_whatever_it_holds() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(7), "7"),
            (json!(-7), "\"'-7\""),
            (json!(true), "true"),
            (json!("plant"), "plant"),
            (json!("=1+1"), "\"'=1+1\""),
            (json!("+1"), "\"'+1\""),
            (json!("-1"), "\"'-1\""),
            (json!("@x"), "\"'@x\""),
            (json!("\tx"), "\"'\\u0009x\""),
            (json!("a\"b,c"), "\"a\"\"b,c\""),
            (json!("a\r\nb\u{202e}"), "a\\u000d\\u000ab\\u202e"),
            (json!([1, 2]), "\"[1,2]\""),
        ] {
            assert_eq!(cell(&value), expected);
        }
    }
}
