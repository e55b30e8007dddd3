//! Whose packages are here, up to which numbers, with what holes and lost branches.

use super::limits::AsOf;
use super::lost::{Lost, lost};
use crate::Workspace;
use crate::db::ledger::questions::{Hole, Told, instance_counts, newest_of_all, package_count};
use crate::db::ledger::{Lineage, Numbered, Site, earlier_keys, findings, shown_of_all, sites as all_sites};
use crate::domain::{Hash, Result, Timestamp};

/// A site, and what came of it.
#[derive(Debug)]
pub struct SiteRow {
    /// The site.
    pub site: Site,
    /// Keys that it had before, and until when.
    pub earlier_keys: Vec<(Hash, Timestamp)>,
    /// As of when; nothing for one that never sent a package.
    pub as_of: Option<AsOf>,
    /// Its shown line.
    pub line: Option<Lineage>,
    /// How many packages of the shown line are here.
    pub packages: u64,
    /// Up to which record, receipt and row of the stream log everything was told.
    pub reach: [u64; 3],
    /// What was not told.
    pub holes: Vec<Hole>,
    /// What lost branches told.
    pub lost: Vec<Lost>,
    /// Open findings.
    pub findings: u64,
}

/// Answers what came of each site, by name.
///
/// # Errors
///
/// Those of the ledger.
pub fn sites(workspace: &Workspace) -> Result<Vec<SiteRow>> {
    workspace.ledger()?.read(|connection| {
        let mut lines = shown_of_all(connection)?;
        let (newest, told) = (newest_of_all(connection)?, Told::read(connection)?);
        let instances = instance_counts(connection)?;
        let open = findings::open(connection, None)?;
        let mut rows = Vec::new();
        for site in all_sites(connection)? {
            let line = lines.remove(&site.site);
            let mut row = SiteRow {
                earlier_keys: earlier_keys(connection, &site.site)?,
                as_of: None,
                packages: 0,
                reach: [0; 3],
                holes: Vec::new(),
                lost: Vec::new(),
                findings: open.iter().filter(|finding| finding.site == site.site).count() as u64,
                line: None,
                site,
            };
            if let Some(line) = line {
                let package = newest.get(&line.youngest().id);
                row.as_of = package.map(|package| AsOf { package: *package });
                for instance in line.instances() {
                    row.packages = row.packages.saturating_add(package_count(connection, instance.id)?);
                }
                let kinds = [Numbered::Records, Numbered::Receipts, Numbered::Audit];
                for (reached, kind) in row.reach.iter_mut().zip(kinds) {
                    *reached = told.reach(&line, kind);
                    row.holes.extend(told.holes(&line, kind));
                }
                // One life alone has no branches.
                if instances.get(&row.site.site).is_some_and(|count| *count > 1) {
                    row.lost = lost(connection, &row.site.site, &line)?;
                }
                row.line = Some(line);
            }
            rows.push(row);
        }
        Ok(rows)
    })
}
