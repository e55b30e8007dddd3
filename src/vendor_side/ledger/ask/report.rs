//! A report of one import, or of a period, at one site, for a file or a wall: what it says, whatever it is drawn as (M-115).
//!
//! It fits on a page: lists are cut where they would not, and say how much more there is.

use super::limits::Limits;
use super::release_named::release_named;
use super::site_answer::{DeploymentAnswer, SiteAnswer, answer};
use crate::Workspace;
use crate::db::Connection;
use crate::db::ledger::Numbered;
use crate::db::ledger::questions::{
    ReceiptRow, RecordRow, fixes, gaps, label, names_of, receipts, receipts_of, records,
};
use crate::domain::{Class, Error, Result, Timestamp, counted};
use crate::enrol::find_site;

/// Rows of a list that fit on the page beside the others.
const IMAGES: usize = 12;
const RECEIPTS: usize = 6;
const DEPLOYMENTS: usize = 10;
const FAILURES: usize = 8;
const FINDINGS: usize = 4;
/// Characters of a cell: texts of a site may be of any length.
const CELL: usize = 140;

/// What a report is about.
#[derive(Debug, Clone)]
pub enum ReportOf {
    /// A release, by head digest, number or label.
    Import(String),
    /// What happened from one time to another, by the site's clock.
    Period(Period),
}

/// From one time to another, both in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First second.
    pub since: Timestamp,
    /// Last second.
    pub until: Timestamp,
}

impl Period {
    fn has(self, at: Timestamp) -> bool {
        (self.since..=self.until).contains(&at)
    }
}

/// A report, not drawn yet: its texts are as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One line.
    pub title: String,
    /// What stands above all: label and value.
    pub facts: Vec<(&'static str, String)>,
    /// Lists.
    pub tables: Vec<Table>,
    /// What is to be known to read it.
    pub notes: Vec<String>,
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it lists.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
    /// How many more there are.
    pub more: usize,
}

impl Table {
    fn new(title: impl Into<String>, columns: &[&'static str], most: usize, mut rows: Vec<Vec<String>>) -> Self {
        let more = rows.len().saturating_sub(most);
        rows.truncate(most);
        for cell in rows.iter_mut().flatten() {
            if cell.chars().count() > CELL {
                *cell = cell.chars().take(CELL).collect::<String>() + "…";
            }
        }
        Self {
            title: title.into(),
            columns: columns.to_vec(),
            rows,
            more,
        }
    }
}

/// Makes the report of a site, named by id or local name.
///
/// # Errors
///
/// `E-USAGE no-site`, `no-release`, `several-releases`, `period` for one that ends before it begins; those of the ledger.
pub fn report(workspace: &Workspace, name: &str, of: &ReportOf, limits: &Limits) -> Result<Report> {
    if let ReportOf::Period(period) = of
        && period.since > period.until
    {
        return Err(Error::new(
            Class::Usage,
            "period",
            format!("the period ends at {} and begins at {}", period.until, period.since),
        )
        .expected("a period that ends after it begins")
        .remedy("give the earlier time to --since"));
    }
    let newest = workspace.chain().newest();
    workspace.ledger()?.read(|connection| {
        let site = find_site(connection, name)?;
        let answer = answer(connection, site, 0, false)?;
        let mut report = Report {
            title: String::new(),
            facts: vec![
                ("Vendor", newest.vendor.clone()),
                ("Trust domain", workspace.chain().domain().to_string()),
                ("Site", format!("{} ({})", answer.site.name, answer.site.site)),
                ("Status key", answer.site.status_key_id()?.to_string()),
                ("As of", as_of(&answer, limits)),
                ("Made", limits.now.to_string()),
            ],
            tables: Vec::new(),
            notes: Vec::new(),
        };
        if let Some(at) = answer.site.withdrawn_at {
            report.facts.push(("Withdrawn", format!("{at}: nothing of the site counts any more")));
        }
        match of {
            ReportOf::Import(release) => import(connection, &answer, release, &mut report)?,
            ReportOf::Period(period) => of_period(connection, &answer, *period, &mut report)?,
        }
        let open: Vec<Vec<String>> = answer
            .findings
            .iter()
            .map(|finding| {
                vec![finding.id.to_string(), finding.code.clone(), finding.at.to_string(), finding.detail.clone()]
            })
            .collect();
        if !open.is_empty() {
            let columns = ["Finding", "Code", "Since", "What"];
            report.tables.push(Table::new("Open findings", &columns, FINDINGS, open));
        }
        for hole in &answer.holes {
            let range = super::facts::range(hole.kind, hole.first, hole.last);
            report.notes.push(format!("Never told to this workspace: {range} of the site."));
        }
        report.notes.push(
            "Times are the site's own. What is said was signed by the site's status key and is true as of the time above; nothing here is live."
                .to_owned(),
        );
        Ok(report)
    })
}

fn as_of(answer: &SiteAnswer, limits: &Limits) -> String {
    let Some(as_of) = answer.as_of else {
        return "never: the site sent no package yet".to_owned();
    };
    let stale = if limits.is_stale(as_of) {
        ", which is long ago"
    } else {
        ""
    };
    format!(
        "{}{stale} (package {}, head {})",
        as_of.at(),
        as_of.package.number,
        as_of.package.head
    )
}

fn import(connection: &Connection, answer: &SiteAnswer, text: &str, report: &mut Report) -> Result<()> {
    let release = release_named(connection, text)?;
    report.title = format!(
        "{}/{} {} at {}",
        release.product,
        release.channel,
        release.label(),
        answer.site.name
    );
    report.facts.push((
        "Release",
        format!("{}/{} {}", release.product, release.channel, release.label()),
    ));
    report.facts.push(("Head", release.head.to_string()));
    let mut images = Vec::new();
    if let Some(id) = release.id {
        let fixes: Vec<String> = fixes(connection, id)?.iter().map(ToString::to_string).collect();
        if !fixes.is_empty() {
            report.facts.push(("Fixes", fixes.join(", ")));
        }
        images = names_of(connection, id)?;
    }
    let state = answer.releases.iter().find(|held| held.head == release.head);
    let state = state.map_or("not held".to_owned(), |held| {
        let since = held.since.map_or(String::new(), |since| format!(" since {since}"));
        let differs = if held.agrees == Some(false) {
            ", not as it was signed here"
        } else {
            ""
        };
        format!(
            "{}{since}{differs}{}",
            held.state,
            by_summary(held.by_summary, held.as_of)
        )
    });
    report.facts.push(("State at the site", state));
    let found = match &answer.line {
        Some(line) => receipts_of(connection, line, release.head)?,
        None => Vec::new(),
    };
    let rows = images
        .iter()
        .map(|(repository, digest)| vec![repository.clone(), digest.to_string()]);
    let title = format!("Images and charts that it consists of: {}", images.len());
    report
        .tables
        .push(Table::new(title, &["Name", "Digest"], IMAGES, rows.collect()));
    report
        .tables
        .push(receipt_table("Receipts, each signed by the site", &found));
    let runs: Vec<&DeploymentAnswer> = answer
        .deployments()
        .filter(|one| one.named.runs.as_ref().is_some_and(|runs| runs.head == release.head))
        .collect();
    report
        .tables
        .push(deployment_table("Deployments that run it", answer, &runs));
    Ok(())
}

fn of_period(connection: &Connection, answer: &SiteAnswer, period: Period, report: &mut Report) -> Result<()> {
    report.title = format!("{} from {} to {}", answer.site.name, period.since, period.until);
    report
        .facts
        .push(("Period", format!("{} to {}", period.since, period.until)));
    let mut acts = Vec::new();
    let (mut failures, mut reports, mut transitions, mut lost) = (Vec::<RecordRow>::new(), 0_u64, 0_u64, 0_u64);
    if let Some(line) = &answer.line {
        acts = receipts(connection, line, u64::MAX)?;
        acts.retain(|act| period.has(act.at));
        for owned in line.split(Numbered::Records, 1, u64::MAX) {
            records(connection, owned, &mut |row| {
                if row.last < period.since || row.at > period.until {
                    return Ok(());
                }
                reports = reports.saturating_add(row.count);
                transitions = transitions.saturating_add(u64::from(row.class == 1));
                if row.state == "error" {
                    failures.push(row);
                }
                Ok(())
            })?;
            for gap in gaps(connection, owned)? {
                if gap.until >= period.since && gap.since <= period.until && gap.reason != "folded" {
                    lost = lost.saturating_add(gap.count);
                }
            }
        }
    }
    let of = |result: &str| acts.iter().filter(|act| act.result == result).count();
    report.facts.push((
        "Acts",
        format!(
            "{} imported, {} activated, {} refused",
            of("imported"),
            of("activated"),
            of("refused")
        ),
    ));
    report.facts.push((
        "Reports",
        format!(
            "{} in the records that touch the period, {}, {} with errors; {lost} statuses, samples or lines of logs not kept at the site",
            counted(reports, "status report"),
            counted(transitions, "change") + " of state",
            counted(failures.len(), "record")
        ),
    ));
    report
        .tables
        .push(receipt_table("What arrived, went live, or was refused", &acts));
    let rows = failures.iter().rev().map(|row| {
        let known = answer.deployments().find(|one| one.now.deployment == row.deployment);
        let name = known.map_or_else(|| format!("unknown {}", row.deployment), |one| named(answer, one));
        vec![
            row.at.to_string(),
            name,
            row.signal.clone(),
            match row.count {
                1 => "once".to_owned(),
                more => format!("{more} times until {}", row.last),
            },
            row.text.clone().unwrap_or_else(|| "(text not carried)".to_owned()),
        ]
    });
    let columns = ["At", "Deployment", "Signal", "How often", "Text"];
    if !failures.is_empty() {
        report
            .tables
            .push(Table::new("What failed", &columns, FAILURES, rows.collect()));
    }
    let all: Vec<&DeploymentAnswer> = answer.deployments().collect();
    report.tables.push(deployment_table("What runs", answer, &all));
    Ok(())
}

fn receipt_table(title: &str, receipts: &[ReceiptRow]) -> Table {
    let rows = receipts.iter().map(|receipt| {
        let why = match (&receipt.class, &receipt.code) {
            (Some(class), Some(code)) => format!("refused: {class} {code}"),
            _ => receipt.result.clone(),
        };
        let unmatched = if receipt.matched {
            ""
        } else {
            " (not signed here for this site)"
        };
        vec![
            receipt.number.to_string(),
            receipt.at.to_string(),
            format!("{} of {}/{}", receipt.counter, receipt.product, receipt.channel),
            format!("{why}{unmatched}"),
        ]
    });
    Table::new(title, &["Receipt", "At", "Release", "Result"], RECEIPTS, rows.collect())
}

fn deployment_table(title: &str, answer: &SiteAnswer, deployments: &[&DeploymentAnswer]) -> Table {
    let rows = deployments.iter().map(|one| {
        let now = &one.now;
        let runs = match (&one.named.runs, &now.doubt) {
            (_, Some(doubt)) => format!("not known: {doubt}"),
            (Some(runs), None) => label(runs.counter, &runs.version),
            (None, None) => "unknown".to_owned(),
        };
        let state = now.state.clone().unwrap_or_else(|| "no status".to_owned());
        let since = now.first.map_or_else(|| "–".to_owned(), |first| first.to_string());
        let removed = now.removed.map_or(String::new(), |at| format!(", taken away {at}"));
        let source = by_summary(one.by_summary, one.as_of);
        vec![named(answer, one), runs, since, format!("{state}{removed}{source}")]
    });
    let title = format!("{title}: {}", deployments.len());
    Table::new(
        title,
        &["Deployment", "Runs", "Since", "State"],
        DEPLOYMENTS,
        rows.collect(),
    )
}

/// Says that something is told by a summary, as of its own time; nothing where a package says it.
fn by_summary(is: bool, as_of: Option<Timestamp>) -> String {
    match as_of.filter(|_| is) {
        Some(at) => format!(" (by a summary as of {at})"),
        None => String::new(),
    }
}

fn named(answer: &SiteAnswer, one: &DeploymentAnswer) -> String {
    let target = answer.targets.iter().find(|target| target.now.target == one.now.target);
    let target = target.and_then(|target| target.named.as_ref());
    match (&one.named.deployment, target) {
        (Some(named), Some(target)) => format!("{} on {}", named.application, target.name),
        (Some(named), None) => named.application.to_string(),
        (None, _) => format!("unknown {}", one.now.deployment),
    }
}
