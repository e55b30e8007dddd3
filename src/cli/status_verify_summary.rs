//! `airlock status verify TEXT… -w DIR`: summaries, as they came from QR codes or over the telephone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Ui;
use super::ui::escape;
use crate::domain::{Class, Clock as _, Error, Result, SystemClock};
use crate::package::SummaryState;
use crate::stream::{open_lasting, read_bounded};
use crate::vendor_side::Workspace;
use crate::vendor_side::ledger::{ReleaseTold, SummaryTaken, take_summary};

/// Bytes of what a summary is read from.
const TEXT_BYTES: u64 = 64 << 10;
/// How the text of a code begins.
const CODE: &[u8] = b"AIRLOCK1/";

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
        let Some(data) = summary_in(path)? else {
            sorted.packages.push(path.clone());
            continue;
        };
        let name = match data.strip_prefix(CODE).and_then(|rest| rest.get(..4)) {
            Some(series) => format!("the series {}", String::from_utf8_lossy(series)),
            None => path.display().to_string(),
        };
        let text = sorted.summaries.entry(name).or_default();
        text.extend(data);
        text.push(b'\n');
    }
    Ok(sorted)
}

/// Returns what a file holds that begins as a summary does; what cannot be looked at is for whoever takes packages in to say.
fn summary_in(path: &Path) -> Result<Option<Vec<u8>>> {
    let Ok(mut file) = open_lasting(path, "open") else {
        return Ok(None);
    };
    let mut start = [0; CODE.len()];
    let read = crate::stream::read_exact_or_end(&mut file, &mut start).map_err(|e| Error::io("read", path, e))?;
    let start = start.get(..read).unwrap_or_default();
    let is_spoken = matches!(start, [b'0'..=b'9', b'0'..=b'9', b' ', ..]);
    if start != CODE && !is_spoken && start.first() != Some(&1) {
        return Ok(None);
    }
    let file = open_lasting(path, "open")?;
    let mut data = read_bounded(file, TEXT_BYTES, "the summary")?;
    if data.first() != Some(&1) {
        data.truncate(data.trim_ascii_end().len());
    }
    Ok(Some(data))
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
                if worst
                    .as_ref()
                    .is_none_or(|worst| worst.class().exit_code() < error.class().exit_code())
                {
                    worst = Some(error);
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
            "\n  lacks     {} records lost, {} blobs damaged, {} receipts refused",
            taken.lost, taken.damaged, taken.refused
        )
        .ok();
    }
    if !taken.instance_known {
        text += "\n  finding   summary-instance: no package told of its instance, so nothing is concluded from it";
    } else if !taken.is_newest {
        text += "\n  older     what the site is now is known from another package";
    }
    text + "\n  it is no package: numbers are not covered, and nothing is acknowledged; ask for the package when it can leave"
}

fn line(text: &mut String, release: &ReleaseTold) {
    let states: Vec<String> = SummaryState::STATES
        .iter()
        .zip(release.by_state)
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
            "; {} do not run what is wanted, or that is not known",
            release.not_wanted
        )
        .ok();
    }
}
