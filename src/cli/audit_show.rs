//! `airlock audit show`: rows of the log for people, with what was asked for.

use std::collections::VecDeque;

use clap::Args;
use serde_json::{Map, Value, json};

use super::Ui;
use super::moment::moment;
use super::state_folder::StateArgs;
use super::ui::escape;
use crate::db::sealed_log::AUDIT_BROKEN;
use crate::db::site::audit::{ACTS, OPERATOR_MEMBER, Row};
use crate::domain::{Class, Error, Result, Timestamp, counted, nearest};

/// Characters of a value that people are shown: digests are told apart by less.
const SHOWN: usize = 40;
/// Of a digest.
const DIGITS: usize = 12;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Rows from then on: a time, or how long ago, such as 36h or 30d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Rows of refusals of this class, such as E-SIGNATURE
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Rows of this act, such as import, refuse, activate, gc; may repeat. Every refused command is an act `refuse`
    #[arg(long, value_name = "ACT")]
    what: Vec<String>,
    /// So many of the newest that match
    #[arg(long, value_name = "N", default_value_t = 100)]
    last: usize,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &ShowArgs, ui: &mut Ui) -> Result<()> {
    args.check()?;
    let appliance = args.state.open(ui)?;
    // It is shown all the same, and nobody takes it for what was written.
    if let Err(error) = appliance.verify_audit() {
        if !error.is(AUDIT_BROKEN) {
            return Err(error);
        }
        ui.warn(format_args!(
            "this log does not hold, and nothing that it shows is proven: {}",
            escape(error.found())
        ));
    }
    let (mut rows, mut matching, mut all) = (VecDeque::new(), 0_u64, 0_u64);
    appliance.each_audit_row(|row| {
        all = all.saturating_add(1);
        let row = Shown::of(row);
        if row.fits(args) {
            matching = matching.saturating_add(1);
            rows.push_back(row);
            if rows.len() > args.last {
                rows.pop_front();
            }
        }
        Ok(())
    })?;
    let lines: Vec<String> = rows.iter().map(Shown::line).collect();
    let left_out = matching.saturating_sub(rows.len() as u64);
    let mut human = lines.join("\n");
    if rows.is_empty() {
        human = format!("no row matches, of {}", counted(all, "row"));
    } else if left_out > 0 {
        ui.say(format_args!(
            "{} before these match too: --last {matching} shows all",
            counted(left_out, "row")
        ));
    }
    let values: Vec<Value> = rows.iter().map(Shown::to_json).collect();
    ui.result(&json!({"rows": values, "matching": matching, "all": all}), human)
}

impl ShowArgs {
    /// Refuses a class or an act that there is not: nothing of it happened, but that says nothing.
    fn check(&self) -> Result<()> {
        let classes = Class::ALL.map(Class::name);
        if let Some(class) = &self.class {
            known("class", class, &classes)?;
        }
        self.what.iter().try_for_each(|act| known("act", act, &ACTS))
    }
}

fn known(what: &'static str, word: &str, all: &[&str]) -> Result<()> {
    if all.iter().any(|one| one.eq_ignore_ascii_case(word)) {
        return Ok(());
    }
    let error = Error::new(Class::Usage, what, format!("there is no {what} {word:?}"))
        .expected(format!("one of {}", all.join(", ")));
    Err(match nearest(word, all.iter().copied()) {
        Some(meant) => error.remedy(format!("if {meant} is meant, say that")),
        None => error.remedy("leave it out to see every row"),
    })
}

/// A row, with its detail read.
struct Shown {
    row: Row,
    detail: Map<String, Value>,
}

impl Shown {
    fn of(row: Row) -> Self {
        let detail = serde_json::from_str(&row.detail).unwrap_or_default();
        Self { row, detail }
    }

    fn fits(&self, args: &ShowArgs) -> bool {
        let class = self.detail.get("class").and_then(Value::as_str);
        let is_of_class = |wanted: &String| class.is_some_and(|class| class.eq_ignore_ascii_case(wanted));
        args.since.is_none_or(|since| self.row.at >= since)
            && args.class.as_ref().is_none_or(is_of_class)
            && (args.what.is_empty() || args.what.iter().any(|act| act.eq_ignore_ascii_case(&self.row.action)))
    }

    fn line(&self) -> String {
        let mut line = format!("{:>6}  {}  {}", self.row.number, self.row.at, escape(&self.row.action));
        for (member, value) in self.detail.iter().filter(|(member, _)| *member != OPERATOR_MEMBER) {
            line += &format!("  {}={}", escape(member), escape(&short(value)));
        }
        if let Some(operator) = self.detail.get(OPERATOR_MEMBER) {
            line += &format!("  by {}", escape(&person(operator)));
        }
        line
    }

    fn to_json(&self) -> Value {
        json!({
            "number": self.row.number, "at": self.row.at, "what": self.row.action, "detail": self.detail, "hash": self.row.hash,
        })
    }
}

/// A value in a few characters.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) if is_digest(text) => text.chars().take(DIGITS).chain("…".chars()).collect(),
        Value::String(text) => cut(text),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().take(4).map(short).collect();
            cut(&values.join(","))
        }
        other => cut(&other.to_string()),
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() >= 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Who ran the program: `uid 0 (alice by sudo) at pts/3`.
fn person(operator: &Value) -> String {
    let text = |member: &str| operator.get(member).and_then(Value::as_str);
    let mut person = format!("uid {}", operator.get("uid").unwrap_or(&Value::Null));
    if let Some(user) = text("sudo_user") {
        person += &format!(" ({user} by sudo)");
    }
    if let Some(place) = text("terminal").or(text("unit")) {
        person += &format!(" at {place}");
    }
    person
}
