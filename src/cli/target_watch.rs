//! `airlock target watch`: targets live in a terminal, read from the state folder; nothing in it is changed.
//!
//! On a terminal the picture is drawn over itself. Elsewhere a line is written for everything that changes, so that it can be piped. With
//! `--format json` each line is a whole picture.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::json;

use super::target_state::{self, TargetState};
use super::ui::{Format, escape};
use crate::appliance::fleet::{Hub, TargetView};
use crate::domain::{Class, Error, Result, Timestamp, counted, shown, shown_lines};

/// Pause between two pictures.
const PAUSE: Duration = Duration::from_secs(2);
/// Size of a terminal that does not say.
const SIZE: (usize, usize) = (100, 40);

/// Watches until it is interrupted, or looks once.
pub(super) fn run(hub: &Hub, only: Option<&TargetView>, once: bool, format: Format) -> Result<()> {
    let terminal = io::stdout().is_terminal() && format == Format::Human && !once;
    let mut before = BTreeMap::new();
    let mut drawn = 0;
    loop {
        hub.refresh()?;
        let (now, mut targets) = target_state::read(hub)?;
        targets.retain(|target| only.is_none_or(|only| only.id == target.view.id));
        let text = if format == Format::Json {
            let targets: Vec<_> = targets.iter().map(TargetState::to_json).collect();
            format!(
                "{}\n",
                shown_lines(&json!({"time": now, "targets": targets}).to_string())
            )
        } else if terminal {
            let (text, lines) = picture(now, &targets, size());
            let text = format!("{}{text}", back(drawn));
            drawn = lines;
            text
        } else if once {
            picture(now, &targets, (usize::MAX, usize::MAX)).0
        } else {
            changes(now, &targets, &mut before)
        };
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // Nobody looks any more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => {
                written.map_err(|error| Error::new(Class::Io, "stdout", format!("cannot write to stdout: {error}")))?;
            }
        }
        drop(stdout);
        if once {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}

/// Goes back to the first line of the last picture and clears what follows.
fn back(lines: usize) -> String {
    if lines == 0 {
        String::new()
    } else {
        format!("\x1b[{lines}A\r\x1b[J")
    }
}

/// One picture, and how many lines it has. Lines are cut, so that none takes two rows of the terminal.
fn picture(now: Timestamp, targets: &[TargetState], (columns, rows): (usize, usize)) -> (String, usize) {
    let mut lines = Vec::new();
    let count = |word: &str| targets.iter().filter(|target| target.word() == word).count();
    let words = [
        "healthy",
        "running",
        "progressing",
        "stale",
        "error",
        "no status",
        "connected",
        "not connected",
    ];
    let counts: Vec<String> = words
        .iter()
        .filter(|word| count(word) > 0)
        .map(|word| format!("{} {word}", count(word)))
        .collect();
    lines.push(format!(
        "{now}  {}: {}",
        counted(targets.len(), "target"),
        counts.join(", ")
    ));
    for target in targets {
        let agent = target.agent().map_or_else(|| "-".to_owned(), escape);
        lines.push(format!(
            "{:<24} {:<13} agent {agent}, {}",
            escape(&target.view.name),
            target.word(),
            target.seen(now)
        ));
        if let Some(fault) = &target.view.fault {
            lines.push(format!("    {}", escape(fault)));
        }
        for deployment in &target.deployments {
            lines.push(format!(
                "    {:<20} {:<11} wanted {}, {}",
                deployment.view.application,
                deployment.dot.as_str(),
                escape(&deployment.view.version),
                deployment.running(),
            ));
            let message = deployment.message();
            if let Some(latest) = deployment.latest.as_ref().filter(|_| !message.is_empty()) {
                lines.push(format!(
                    "        {} ({}, last {})",
                    message,
                    counted(latest.count, "time"),
                    target_state::ago(now, latest.last)
                ));
            }
        }
    }
    let room = rows.saturating_sub(1).max(2);
    if lines.len() > room {
        let hidden = lines.len().saturating_sub(room.saturating_sub(1));
        lines.truncate(room.saturating_sub(1));
        lines.push(format!(
            "… {hidden} more lines: name one target, or use a larger terminal"
        ));
    }
    let mut text = String::new();
    for line in &lines {
        text.extend(shown(line).chars().take(columns));
        text.push('\n');
    }
    (text, lines.len())
}

/// A line for every target or deployment that is not as it was.
fn changes(now: Timestamp, targets: &[TargetState], before: &mut BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut say = |key: String, state: String| {
        if before.get(&key) != Some(&state) {
            text += &shown(&format!("{now} {key}: {state}"));
            text.push('\n');
            before.insert(key, state);
        }
    };
    for target in targets {
        let name = escape(&target.view.name);
        let agent = target.agent().map_or_else(|| "-".to_owned(), escape);
        let connected = if target.status.is_some() {
            "connected"
        } else {
            "not connected"
        };
        say(name.clone(), format!("{connected}, agent {agent}"));
        for deployment in &target.deployments {
            say(
                format!("{name} {}", deployment.view.application),
                format!(
                    "{}, wanted {}, {}: {}",
                    deployment.dot.as_str(),
                    escape(&deployment.view.version),
                    deployment.running(),
                    deployment.message()
                ),
            );
        }
    }
    text
}

fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (usize::from(size.ws_col), usize::from(size.ws_row)),
        _ => SIZE,
    }
}
