//! `airlock target watch`: targets live in a terminal, read from the state folder; nothing in it is changed.
//!
//! On a terminal the picture is drawn over itself. Elsewhere a line is written for everything that changes, so that it can be piped. With
//! `--format json` each line is a whole picture.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::json;

use super::deployment_state::{DeploymentState, Taken};
use super::target_state::{self, TargetState};
use super::ui::{Format, escape, not_written};
use super::waiting_view::WaitingView;
use super::wrap::{self, wrap};
use crate::appliance::fleet::{Hub, TargetView};
use crate::domain::{Result, Timestamp, counted, shown, shown_lines};

/// Pause between two pictures.
const PAUSE: Duration = Duration::from_secs(2);
/// Rows of a terminal that does not say.
const ROWS: usize = 40;
/// States of targets, in the order in which they are counted.
const WORDS: [&str; 13] = [
    "healthy",
    "running",
    "progressing",
    "waiting",
    "other-revision",
    "unknown-revision",
    "undeploying",
    "undeployed",
    "stale",
    "error",
    "no status",
    "connected",
    "not connected",
];

/// Watches until it is interrupted, or looks once.
pub(super) fn run(hub: &Hub, only: Option<&TargetView>, once: bool, format: Format) -> Result<()> {
    let terminal = io::stdout().is_terminal() && format == Format::Human && !once;
    let mut before = BTreeMap::new();
    let mut drawn = 0;
    loop {
        hub.refresh()?;
        let (now, mut targets) = target_state::read(hub)?;
        targets.retain(|target| only.is_none_or(|only| only.id == target.view.id));
        let waiting = WaitingView::read(hub.live().appliance())?;
        let waiting_lines = waiting.of_targets(&targets);
        let text = if format == Format::Json {
            let targets: Vec<_> = targets.iter().map(TargetState::to_json).collect();
            format!(
                "{}\n",
                shown_lines(&json!({"time": now, "targets": targets, "waiting": waiting.to_json()}).to_string())
            )
        } else if terminal {
            let (text, lines) = picture(now, &targets, &waiting_lines, wrap::columns(), Some(rows()));
            let text = format!("{}{text}", back(drawn));
            drawn = lines;
            text
        } else if once {
            picture(now, &targets, &waiting_lines, wrap::columns(), None).0
        } else {
            changes(now, &targets, &waiting_lines, &mut before)
        };
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            // Nobody looks any more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => {
                written.map_err(|error| not_written(&error))?;
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

/// One picture, and how many lines it has. Lines that are wider than the terminal go on in the next one; where there is no terminal, each
/// stays whole.
fn picture(
    now: Timestamp,
    targets: &[TargetState],
    waiting: &[(String, String)],
    columns: Option<usize>,
    rows: Option<usize>,
) -> (String, usize) {
    let mut lines = Vec::new();
    let mut say = |indent: usize, line: String| match columns {
        Some(columns) => lines.extend(wrap(&line, columns, indent)),
        None => lines.push(line),
    };
    let of = |word: &str| targets.iter().filter(|target| target.word() == word).count();
    let counts: Vec<String> = WORDS
        .iter()
        .filter(|word| of(word) > 0)
        .map(|word| format!("{} {word}", of(word)))
        .collect();
    let colon = if counts.is_empty() { "" } else { ": " };
    say(
        4,
        format!(
            "{now}  {}{colon}{}",
            counted(targets.len(), "target"),
            counts.join(", ")
        ),
    );
    for (release, words) in waiting {
        say(4, format!("{release} {words}"));
    }
    for target in targets {
        say(
            4,
            format!(
                "{:<24} {:<13} {}, {}",
                escape(&target.view.name),
                target.phrase(),
                target.agents(),
                target.seen(now)
            ),
        );
        if let Some(fault) = &target.view.fault {
            say(8, format!("    {}", escape(fault)));
        }
        for deployment in &target.deployments {
            say(
                8,
                format!(
                    "    {:<20} {:<11} {}, {}",
                    deployment.view.application,
                    deployment.phrase(),
                    shall(deployment),
                    deployment.running(),
                ),
            );
            let message = deployment.message();
            if let Some(latest) = deployment.latest.as_ref().filter(|_| !message.is_empty()) {
                say(
                    8,
                    format!(
                        "        {message} ({}, last {})",
                        counted(latest.count, "time"),
                        target_state::ago(now, latest.last)
                    ),
                );
            }
        }
    }
    if let Some(rows) = rows {
        let room = rows.saturating_sub(1).max(2);
        if lines.len() > room {
            let hidden = lines.len().saturating_sub(room.saturating_sub(1));
            lines.truncate(room.saturating_sub(1));
            let more = format!(
                "{} below: name one target, or use a larger terminal",
                counted(hidden, "line")
            );
            lines.push(more.chars().take(columns.unwrap_or(usize::MAX)).collect());
        }
    }
    let text = lines
        .iter()
        .fold(String::new(), |text, line| text + &shown(line) + "\n");
    (text, lines.len())
}

/// What a deployment shall be.
fn shall(deployment: &DeploymentState) -> String {
    let version = escape(&deployment.view.version);
    match deployment.taken {
        None => format!("wanted {version}"),
        Some(Taken::Here) => format!("{version} was taken away here"),
        Some(Taken::Release) => format!("{version} is in the release no more"),
    }
}

/// A line for every target or deployment that is not as it was.
fn changes(
    now: Timestamp,
    targets: &[TargetState],
    waiting: &[(String, String)],
    before: &mut BTreeMap<String, String>,
) -> String {
    let mut text = String::new();
    let mut say = |key: String, state: String| {
        if before.get(&key) != Some(&state) {
            text += &shown(&format!("{now} {key}: {state}"));
            text.push('\n');
            before.insert(key, state);
        }
    };
    for (release, words) in waiting {
        say(release.clone(), words.clone());
    }
    for target in targets {
        let name = escape(&target.view.name);
        let connected = if target.status.is_some() {
            "connected"
        } else {
            "not connected"
        };
        say(name.clone(), format!("{connected}, {}", target.agents()));
        for deployment in &target.deployments {
            let mut state = format!(
                "{}, {}, {}",
                deployment.phrase(),
                shall(deployment),
                deployment.running()
            );
            let message = deployment.message();
            if !message.is_empty() {
                state += &format!(": {message}");
            }
            say(format!("{name} {}", deployment.view.application), state);
        }
    }
    text
}

fn rows() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 => usize::from(size.ws_row),
        _ => ROWS,
    }
}
