//! What is asked of every part when somebody asks for the page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::counters::Counters;
use super::text::Numbers;
use crate::appliance::status::SILENT_SECONDS;
use crate::appliance::{Appliance, Authority};
use crate::db::site::audit;
use crate::domain::Result;
use crate::http::app::App;
use crate::http::health;
use crate::http::seats::Seats;
use crate::panics;
use crate::store::{capacity, space};

/// Rows of the log that are counted at once.
const BATCH: usize = 1000;

/// The page of a server.
pub(in crate::http) struct Page {
    pub(in crate::http) app: App,
    pub(in crate::http) counters: Arc<Counters>,
    pub(in crate::http) seats: Seats,
    pub(in crate::http) authority: Option<Arc<Authority>>,
    /// Rows of the log that were counted before: it only grows.
    pub(in crate::http) log: Mutex<Log>,
}

/// How many rows the log has of what.
#[derive(Debug, Default)]
pub(in crate::http) struct Log {
    after: u64,
    rows: BTreeMap<String, u64>,
}

impl Page {
    /// Asks every part, and writes the page. Waits for disks.
    pub(super) fn write(&self) -> String {
        let appliance = self.app.registry.live().appliance();
        let mut numbers = Numbers::default();
        numbers.add_with("airlock_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
        self.counters.tell(&mut numbers);
        let (open, limit, known) = self.seats.count();
        numbers.add("airlock_connections", open);
        numbers.add("airlock_connections_limit", limit);
        numbers.add("airlock_peers_known", known);
        self.checks(&mut numbers);
        numbers.add("airlock_releases_live", self.app.registry.snapshot().active().count());
        numbers.add("airlock_clock_timestamp_seconds", appliance.clock.now().unix());
        let parts: [(&str, Result<()>); 6] = [
            ("waiting", self.waiting(&mut numbers)),
            ("status", self.status(&mut numbers)),
            ("alarms", self.alarms(&mut numbers)),
            ("disk", disk(appliance, &mut numbers)),
            ("audit", self.log(&mut numbers)),
            ("trust", self.trust(&mut numbers)),
        ];
        for (part, asked) in parts {
            if let Err(error) = &asked {
                tracing::warn!(part, %error, "numbers of this part cannot be told");
            }
            numbers.add_with("airlock_part_unread", &[("part", part)], asked.is_err());
        }
        numbers.page()
    }

    /// As `/readyz` has them.
    fn checks(&self, numbers: &mut Numbers) {
        let (checks, _) = health::look(&self.app);
        for (check, word) in &checks {
            match (word.as_str(), word.as_u64()) {
                (Some(word), _) => {
                    let holds = matches!(word, "ok" | "running");
                    numbers.add_with("airlock_check_ok", &[("check", check.as_str())], holds);
                }
                (None, Some(count)) => numbers.add("airlock_status_set_aside_total", count),
                (None, None) => {}
            }
        }
        for (part, count) in panics::count_by_part() {
            numbers.add_with("airlock_panics_total", &[("part", part)], count);
        }
    }

    fn waiting(&self, numbers: &mut Numbers) -> Result<()> {
        let waiting = self.app.registry.live().appliance().waiting_releases()?;
        numbers.add("airlock_releases_waiting", waiting.len());
        Ok(())
    }

    fn alarms(&self, numbers: &mut Numbers) -> Result<()> {
        let standing = self.app.registry.live().appliance().alarms()?;
        let count = standing
            .iter()
            .map(|one| one.lines().len())
            .fold(0, usize::saturating_add);
        numbers.add("airlock_alarms", count);
        Ok(())
    }

    fn status(&self, numbers: &mut Numbers) -> Result<()> {
        let (Some(hub), Some(agents)) = (&self.app.hub, &self.app.agents) else {
            return Ok(());
        };
        let figures = agents.status_figures()?;
        let now = self.app.registry.live().appliance().clock.now();
        let (mut heard, mut silent, mut never) = (0_u64, 0_u64, 0_u64);
        for target in hub.targets() {
            match figures.contacts.get(&target.id) {
                None => never += 1,
                Some(last) if now.unix().saturating_sub(last.unix()) > SILENT_SECONDS => silent += 1,
                Some(_) => heard += 1,
            }
        }
        for (state, count) in [("heard", heard), ("silent", silent), ("never", never)] {
            numbers.add_with("airlock_targets", &[("state", state)], count);
        }
        numbers.add("airlock_status_records_total", figures.numbered);
        let left = figures.numbered.saturating_sub(figures.acknowledged);
        numbers.add("airlock_status_records_unacknowledged", left);
        for (class, bytes) in figures.bytes {
            numbers.add_with("airlock_status_held_bytes", &[("class", class)], bytes);
        }
        for (reason, count) in figures.missing {
            numbers.add_with("airlock_status_missing_records", &[("reason", reason)], count);
        }
        Ok(())
    }

    /// Counts the rows that came since the last time.
    fn log(&self, numbers: &mut Numbers) -> Result<()> {
        let db = &self.app.registry.live().appliance().db;
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let after = log.after;
            let rows = db.read(|connection| audit::list(connection, after, BATCH))?;
            let Some(last) = rows.last() else { break };
            log.after = last.number;
            for row in rows {
                let count = log.rows.entry(row.action).or_default();
                *count = count.saturating_add(1);
            }
        }
        for (action, count) in &log.rows {
            numbers.add_with("airlock_audit_rows_total", &[("action", action.as_str())], *count);
        }
        let of = |action: &str| log.rows.get(action).copied().unwrap_or(0);
        for (result, action) in [
            ("imported", "import"),
            ("again", "import-already"),
            ("refused", "refuse"),
        ] {
            numbers.add_with("airlock_imports_total", &[("result", result)], of(action));
        }
        numbers.add("airlock_clock_steps_total", of("clock"));
        Ok(())
    }

    fn trust(&self, numbers: &mut Numbers) -> Result<()> {
        if let Some(until) = self
            .app
            .certificates
            .as_ref()
            .and_then(|certificates| certificates.until())
        {
            numbers.add("airlock_certificate_end_timestamp_seconds", until.unix());
        }
        if let Some(authority) = &self.authority {
            numbers.add("airlock_authority_end_timestamp_seconds", authority.until().unix());
        }
        let mut damaged = None;
        for (domain, chain) in self.app.registry.live().appliance().chains_one_by_one()? {
            match chain {
                Ok(chain) => {
                    let until = chain.newest().expires.unix();
                    numbers.add_with(
                        "airlock_root_end_timestamp_seconds",
                        &[("domain", domain.as_str())],
                        until,
                    );
                }
                Err(error) => damaged = Some(error),
            }
        }
        damaged.map_or(Ok(()), Err)
    }
}

fn disk(appliance: &Appliance, numbers: &mut Numbers) -> Result<()> {
    let free = space(appliance.folder())?;
    numbers.add("airlock_disk_free_bytes", free.bytes);
    numbers.add("airlock_disk_size_bytes", capacity(appliance.folder())?);
    if free.inodes != u64::MAX {
        numbers.add("airlock_disk_free_inodes", free.inodes);
    }
    Ok(())
}
