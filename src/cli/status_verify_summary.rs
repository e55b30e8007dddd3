//! `airlock status verify TEXT… -w DIR`: summaries, as they came from QR codes or over the telephone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::Ui;
use super::summary_text::{self, CODE};
use super::ui::escape;
use crate::domain::{Class, Clock as _, Error, Result, SystemClock, counted};
use crate::vendor_side::Workspace;
use crate::vendor_side::ledger::{ReleaseTold, SummaryTaken, take_summary};

/// Files that were named: what came of summaries, and packages.
pub(super) struct Sorted {
    /// By name, each with all texts of its series.
    pub(super) summaries: BTreeMap<String, Vec<u8>>,
    pub(super) packages: Vec<PathBuf>,
}

/// Tells summaries from packages by how they begin. Codes of one series may lie in files of their own.
///
/// # Errors
///
/// Those of reading a file that begins as a summary.
pub(super) fn sort(files: &[PathBuf]) -> Result<Sorted> {
    let mut sorted = Sorted {
        summaries: BTreeMap::new(),
        packages: Vec::new(),
    };
    for path in files {
        let Some(data) = summary_text::read(path)? else {
            sorted.packages.push(path.clone());
            continue;
        };
        let name = match data
            .trim_ascii_start()
            .strip_prefix(CODE)
            .and_then(|rest| rest.get(..4))
        {
            Some(series) => format!("the series {}", String::from_utf8_lossy(series)),
            None => path.display().to_string(),
        };
        let text = sorted.summaries.entry(name).or_default();
        text.extend(data);
        text.push(b'\n');
    }
    Ok(sorted)
}

/// Takes summaries in, each with its verdict; the worst refusal is the result.
pub(super) fn run(
    workspace: &Workspace,
    summaries: &BTreeMap<String, Vec<u8>>,
    packages: &[PathBuf],
    dry_run: bool,
    ui: &mut Ui,
) -> Result<()> {
    if !packages.is_empty() || dry_run {
        return Err(Error::new(
            Class::Usage,
            "summaries",
            if dry_run {
                "summaries are not rehearsed"
            } else {
                "summaries and packages were named together"
            },
        )
        .expected("texts of summaries alone")
        .remedy("give the summaries in a command of their own, without --dry-run"));
    }
    let (mut taken, mut worst): (Vec<SummaryTaken>, Option<Error>) = (Vec::new(), None);
    for (name, data) in summaries {
        let data = if data.first() == Some(&1) {
            // The line feed that parts texts is no part of the bytes.
            data.strip_suffix(b"\n").unwrap_or(data)
        } else {
            data
        };
        match take_summary(workspace, data, SystemClock.now()) {
            Ok(summary) => taken.push(summary),
            Err(error) => {
                let error = error.context(name);
                let lesser = match worst.take() {
                    Some(known) if known.class().exit_code() >= error.class().exit_code() => {
                        worst = Some(known);
                        Some(error)
                    }
                    known => {
                        worst = Some(error);
                        known
                    }
                };
                if let Some(error) = lesser {
                    ui.warn(format_args!("refused, {} {}: {error}", error.class(), error.code()));
                }
            }
        }
    }
    if !taken.is_empty() {
        let texts: Vec<String> = taken.iter().map(to_text).collect();
        ui.result(&taken, texts.join("\n"))?;
    }
    worst.map_or(Ok(()), Err)
}

fn to_text(taken: &SummaryTaken) -> String {
    let mut text = format!(
        "summary of package {} of {}, as of {}{}\n  site      {}\n  head      {}…",
        taken.number,
        escape(&taken.name),
        taken.made_at,
        if taken.known { ", known already" } else { "" },
        taken.site,
        taken.head,
    );
    for release in &taken.releases {
        line(&mut text, release);
    }
    // Nothing fails that writes into memory.
    if taken.lost > 0 || taken.damaged > 0 || taken.refused > 0 {
        write!(
            text,
            "\n  lacks     {} lost, {} damaged, {} refused",
            counted(taken.lost, "record"),
            counted(taken.damaged, "blob"),
            counted(taken.refused, "receipt")
        )
        .ok();
    }
    if taken.unknown_local > 0 {
        write!(
            text,
            "\n  unknown   {} made there, which no package listed yet",
            counted(taken.unknown_local, "deployment")
        )
        .ok();
    }
    if let Some(said) = &taken.clock_ahead {
        write!(text, "\n  finding   clock-ahead: {said}").ok();
    }
    if !taken.instance_known {
        text += "\n  finding   summary-instance: no package told of its instance yet, so it is kept, and nothing is concluded from it";
    } else if !taken.is_newest {
        text += "\n  older     what the site is now is known from another package";
    }
    text + "\n  it is no package: numbers are not covered, and nothing is acknowledged; ask for the package when it can leave"
}

fn line(text: &mut String, release: &ReleaseTold) {
    let by_state = release.by_state;
    let states: Vec<String> = [
        ("without status", by_state.no_status),
        ("error", by_state.error),
        ("stale", by_state.stale),
        ("progressing", by_state.progressing),
        ("running", by_state.running),
        ("healthy", by_state.healthy),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(state, count)| format!("{count} {state}"))
    .collect();
    let what = match (release.live, states.is_empty()) {
        (false, _) => "waits".to_owned(),
        (true, true) => "live, without deployments".to_owned(),
        (true, false) => format!("live: {}", states.join(", ")),
    };
    write!(
        text,
        "\n  holds     {} {} ({what})",
        escape(&release.scope),
        release.counter
    )
    .ok();
    if release.not_wanted > 0 {
        write!(
            text,
            "; {} of these not what is wanted, or it is not known what runs",
            match release.not_wanted {
                1 => "1 runs".to_owned(),
                some => format!("{some} run"),
            }
        )
        .ok();
    }
}
