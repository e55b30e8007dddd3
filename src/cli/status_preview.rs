//! `airlock status preview`: what would leave, read back from the bytes that would.

use std::cmp::Ordering;
use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::package_args::{self, PackageArgs};
use super::ui::{Format, bytes, escape};
use super::{Ui, approval_rule};
use crate::appliance::export::{PackageRow, Preview};
use crate::appliance::{Appliance, status};
use crate::domain::{Result, counted, shown_lines};
use crate::package::{Line, Switch, Withheld};

/// Switches with which something leaves that people or agents wrote, and what that is.
const TEXTS: [(Switch, &str); 5] = [
    (Switch::StatusText, "texts of statuses"),
    (Switch::Logs, "lines of containers"),
    (Switch::AgentLogs, "lines of agents"),
    (Switch::Agents, "versions of agents"),
    (Switch::LocalNames, "names of targets made here"),
];

#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    /// Show every line
    #[arg(long)]
    lines: bool,
    /// Make another draft in the place of the one that is there, whose approvals end
    #[arg(long)]
    discard: bool,
    #[command(flatten)]
    package: PackageArgs,
}

pub(super) fn run(args: &PreviewArgs, ui: &mut Ui) -> Result<()> {
    let config = args.package.config.read()?;
    let appliance = args.package.state.open_as_to_change(&config, "status preview", ui)?;
    // Whoever makes a package sets a damaged one aside; a preview is no time for that.
    status::check(&appliance)?;
    package_args::settle(&appliance, ui);
    let redactor = package_args::redactor(&appliance, &config)?;
    let asked = approval_rule::asked(&appliance, &config.export, ui)?;
    let request = args
        .package
        .request(&appliance, &config.export, asked, &redactor, args.discard, None)?;
    let drafted = appliance.make_draft(&request, &mut |done| ui.progress("writing lines", done, 0))?;
    let row = &drafted.row;
    let preview = appliance.read_back(row, &mut |_| Ok(()))?;
    if drafted.is_earlier {
        ui.say(format_args!(
            "this draft was there, and nothing that came after {} is in it; `airlock status preview --discard` makes another one",
            row.made_at
        ));
    }
    let needed = asked.max(row.approvals);
    let value = to_json(&preview, needed, drafted.is_earlier);
    let human = to_text(&appliance, &preview, needed);
    if !args.lines {
        return ui.result(&value, human);
    }
    match ui.format() {
        Format::Human => human_lines(&appliance, row, &human, ui),
        _ => json_lines(&appliance, row, &value, ui),
    }
}

/// Writes every line as it stands in the package, part by part, and below a receipt what it says.
fn human_lines(appliance: &Appliance, row: &PackageRow, human: &str, ui: &Ui) -> Result<()> {
    ui.script(format!("{}\n", shown_lines(human)).as_bytes())?;
    let mut part = None;
    appliance.read_back(row, &mut |line| {
        let mut text = String::new();
        if part.replace(line.part()) != Some(line.part()) {
            text += &format!("\n{}\n", line.part());
        }
        text += &String::from_utf8_lossy(&line.to_bytes()?);
        text.push('\n');
        if let Line::Receipt(signed) = line {
            text += &format!("  says {}\n", String::from_utf8_lossy(&signed.envelope.payload));
        }
        ui.script(shown_lines(&text).as_bytes())
    })?;
    Ok(())
}

/// Writes one document, whose lines are never in memory together.
fn json_lines(appliance: &Appliance, row: &PackageRow, value: &Value, ui: &Ui) -> Result<()> {
    let head = value.to_string();
    let open = head.strip_suffix('}').unwrap_or(&head);
    ui.script(shown_lines(&format!("{open},\"lines\":[")).as_bytes())?;
    let mut before = "\n";
    appliance.read_back(row, &mut |line| {
        let text = format!("{before}{}", String::from_utf8_lossy(&line.to_bytes()?));
        before = ",\n";
        ui.script(shown_lines(&text).as_bytes())
    })?;
    ui.script(b"\n]}\n")
}

fn to_json(preview: &Preview, needed: u64, is_earlier: bool) -> Value {
    let head = &preview.head;
    let gaps: serde_json::Map<String, Value> = preview
        .gaps
        .iter()
        .filter_map(|(reason, count)| Some((word(reason)?, (*count).into())))
        .collect();
    json!({
        "number": head.number, "domain": head.domain, "head": preview.head_digest, "file": head.file_name(),
        "instance": head.instance, "made_at": head.made_at, "size_bytes": preview.size,
        "content_bytes": head.totals.content_bytes, "stored_bytes": head.totals.stored_bytes, "earlier": is_earlier,
        "shows": head.shows, "hides": hidden_switches(preview),
        "records": head.records, "receipts": head.receipts, "audit": {"first": head.audit.first, "last": head.audit.last},
        "line_counts": preview.lines, "gap_counts": gaps, "repeats": preview.repeats, "cut": preview.is_cut,
        "approvals": {"needed": needed, "there": preview.approvals},
    })
}

fn word(reason: &impl serde::Serialize) -> Option<String> {
    serde_json::to_value(reason).ok()?.as_str().map(ToOwned::to_owned)
}

fn hidden_switches(preview: &Preview) -> Vec<&'static str> {
    let shows = &preview.head.shows;
    let off = Switch::ALL.into_iter().filter(|switch| !shows.has(*switch));
    off.map(Switch::as_str).collect()
}

fn to_text(appliance: &Appliance, preview: &Preview, needed: u64) -> String {
    let head = &preview.head;
    let vendor = package_args::vendor_name(appliance, head.domain);
    let vendor = vendor.map_or_else(|| head.domain.to_hex(), |name| escape(&name));
    let hex = preview.head_digest.to_hex();
    let short = hex.get(..8).unwrap_or(&hex);
    let mut text = format!(
        "package {} for {vendor}, draft {}, {} of content, {} bytes with rounding",
        head.number,
        preview.head_digest.spoken(),
        bytes(head.totals.stored_bytes),
        grouped(preview.size),
    );
    let mut add = |word: &str, rest: &str| {
        // Nothing fails that writes into memory.
        write!(text, "\n  {word:<8}{rest}").ok();
    };
    add("shows", &shows(preview));
    add("hides", &hides(preview));
    let off = hidden_switches(preview);
    if !off.is_empty() {
        add("", &format!("what would add some: {}", off.join(" ")));
    }
    let written = TEXTS.into_iter().filter(|(switch, _)| head.shows.has(*switch));
    let written: Vec<&str> = written.map(|(_, what)| what).collect();
    let never = if written.is_empty() {
        "host names, addresses, secrets, paths".to_owned()
    } else {
        format!(
            "outside of {}: host names, addresses, secrets, paths",
            written.join(", ")
        )
    };
    add(
        "never",
        &format!("{never}; look at every byte: `airlock status preview --lines`"),
    );
    if !written.is_empty() {
        add(
            "texts",
            "these may hold anything that people or agents wrote: they passed the redactor, a net and no promise",
        );
        add(
            "",
            "in them \\.. is a stretch that it took out, \\0a a line break, and \\ with two digits any other such character",
        );
    }
    add("covers", &covers(preview));
    if preview.is_cut {
        add(
            "",
            "a range ended early for want of room: sign this package, and the next one goes on behind it",
        );
    }
    let there = preview.approvals.len();
    text += &match needed {
        0 => format!("\nneeds no approval: `airlock status export DEST --digest {short}`"),
        needed if there as u64 >= needed => {
            format!(
                "\nhas the {} that it needs: `airlock status export DEST --digest {short}`",
                counted(needed, "approval")
            )
        }
        needed => format!(
            "\nneeds {}, has {there}: `airlock approve {short} --key FILE`",
            counted(needed, "approval")
        ),
    };
    text
}

fn shows(preview: &Preview) -> String {
    let head = &preview.head;
    let of = |kind: &str| preview.lines.get(kind).copied().unwrap_or(0);
    let mut parts = vec![format!("releases {}", grouped(of("release")))];
    let mut add = |word: &str, kind: &str| {
        if of(kind) > 0 {
            parts.push(format!("{word} {}", grouped(of(kind))));
        }
    };
    add("damaged", "damaged");
    parts.push(format!("receipts {}", range(head.receipts.first, head.receipts.last)));
    parts.push(format!("audit rows {}", range(head.audit.first, head.audit.last)));
    let mut add = |word: &str, kind: &str| {
        if of(kind) > 0 {
            parts.push(format!("{word} {}", grouped(of(kind))));
        }
    };
    add("targets", "target");
    add("deployments", "deployment");
    add("days of metrics", "metrics");
    add("transitions", "transition");
    add("continued", "continued");
    add("other statuses", "status");
    add("lines of containers", "log");
    add("lines of agents", "agent-log");
    if of("gap") > 0 {
        let reasons: Vec<String> = preview
            .gaps
            .iter()
            .filter_map(|(reason, count)| Some(format!("{} {}", grouped(*count), word(reason)?)))
            .collect();
        parts.push(format!("gaps {} ({})", grouped(of("gap")), reasons.join(", ")));
    }
    let on: Vec<_> = head.shows.iter().map(Switch::as_str).collect();
    if !on.is_empty() {
        parts.push(format!("switched on: {}", on.join(" ")));
    }
    parts.join(", ")
}

fn hides(preview: &Preview) -> String {
    let head = &preview.head;
    let Withheld {
        agent_log,
        log,
        metrics,
        status,
    } = head.records.withheld;
    let mut parts = Vec::new();
    if !head.shows.has(Switch::StatusText) {
        parts.push(format!(
            "{} that changed nothing, and the text of every status",
            several(status, "status", "statuses")
        ));
    }
    parts.push(format!("{} of metrics", several(metrics, "sample", "samples")));
    if !head.shows.has(Switch::Logs) {
        parts.push(format!("{} of containers", several(log, "line", "lines")));
    }
    if !head.shows.has(Switch::AgentLogs) {
        parts.push(format!("{} of agents", several(agent_log, "line", "lines")));
    }
    parts.join(", ")
}

fn covers(preview: &Preview) -> String {
    let records = &preview.head.records;
    let Withheld {
        agent_log,
        log,
        metrics,
        status,
    } = records.withheld;
    let withheld = [agent_log, log, metrics, status]
        .into_iter()
        .fold(0, u64::saturating_add);
    let unexplained = match records.unexplained {
        0 => "nothing unexplained".to_owned(),
        some => format!("{} UNEXPLAINED, a fault of this appliance", grouped(some)),
    };
    let mut text = format!(
        "records {} = {} shown + {} withheld + {} in gaps, {unexplained}",
        range(records.first, records.last),
        grouped(records.shown),
        grouped(withheld),
        grouped(records.missing),
    );
    match &preview.repeats[..] {
        [] => {}
        numbers => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            text += &format!("; repeats what of {} is not acknowledged", numbers.join(", "));
        }
    }
    text
}

/// Numbers from the first to the last, for people.
pub(super) fn range(first: u64, last: u64) -> String {
    match last.cmp(&first) {
        Ordering::Less => "none".to_owned(),
        Ordering::Equal => grouped(first),
        Ordering::Greater => format!("{}–{}", grouped(first), grouped(last)),
    }
}

/// A number of things, with a comma between thousands.
fn several(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_add(8));
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_readable() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (first, last, text) in [(1, 0, "none"), (5, 5, "5"), (5, 1200, "5–1,200")] {
            assert_eq!(range(first, last), text);
        }
    }
}
