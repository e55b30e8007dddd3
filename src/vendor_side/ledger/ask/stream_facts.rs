//! Everything that is known, fact by fact, for other tools.

use serde_json::Value;

use super::facts;
use super::limits::Limits;
use super::log_lines::{Logs, Told};
use super::site_answer::answer;
use crate::Workspace;
use crate::db::Connection;
use crate::db::ledger::questions::{gaps, records};
use crate::db::ledger::{Numbered, Site, sites};
use crate::domain::Result;
use crate::enrol::find_site;

/// Hands over every fact of a site, or of all sites: the site, releases, targets, deployments, days of metrics, receipts, records and
/// gaps of its shown line, holes, what lost branches told, findings, and with `logs` the lines of logs from the package files.
///
/// # Errors
///
/// `E-USAGE no-site`; those of the ledger and of `take`.
pub fn stream_facts(
    workspace: &Workspace,
    name: Option<&str>,
    logs: bool,
    limits: &Limits,
    read: &mut dyn FnMut(u64, u64),
    take: &mut dyn FnMut(Value) -> Result<()>,
) -> Result<()> {
    workspace.ledger()?.read(|connection| {
        let all = match name {
            Some(name) => vec![find_site(connection, name)?],
            None => sites(connection)?,
        };
        for site in all {
            of_site(connection, site, limits, take, logs.then_some(workspace), read)?;
        }
        Ok(())
    })
}

fn of_site(
    connection: &Connection,
    site: Site,
    limits: &Limits,
    take: &mut dyn FnMut(Value) -> Result<()>,
    logs: Option<&Workspace>,
    read: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let answer = answer(connection, site, u64::MAX, false)?;
    let site = &answer.site;
    take(facts::site(site, answer.as_of, limits))?;
    for held in &answer.releases {
        take(facts::release(site, held))?;
    }
    for target in &answer.targets {
        take(facts::target(site, target, limits))?;
        for deployment in &target.deployments {
            take(facts::deployment(site, target.named.as_ref(), deployment))?;
        }
    }
    for day in &answer.days {
        take(facts::day(site, day))?;
    }
    for receipt in answer.receipts.iter().rev() {
        take(facts::receipt(site, receipt))?;
    }
    if let Some(line) = &answer.line {
        for owned in line.split(Numbered::Records, 1, u64::MAX) {
            records(connection, owned, &mut |row| take(facts::record(site, &row)))?;
            for gap in gaps(connection, owned)? {
                take(facts::gap(site, &gap))?;
            }
        }
        if let Some(workspace) = logs {
            let logs = Logs {
                folder: workspace.folder(),
                connection,
                site: &site.site,
                line,
            };
            logs.read(read, &mut |told| match told {
                Told::Line(line) => take(facts::log(site, &line)),
                Told::Missing(file) => take(facts::file_missing(site, &file)),
            })?;
        }
    }
    for hole in &answer.holes {
        take(facts::hole(site, hole))?;
    }
    for lost in &answer.lost {
        take(facts::lost(site, lost))?;
    }
    for finding in &answer.findings {
        take(facts::finding(&site.name, finding))?;
    }
    Ok(())
}
