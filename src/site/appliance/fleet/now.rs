//! What agents are told now, and what this site decided of targets: what a release is compared with before it goes live.

use std::sync::Arc;
use std::time::Duration;

use super::service::project;
use super::view::TargetView;
use crate::appliance::live::Live;
use crate::appliance::state::Appliance;
use crate::db::site::local_removals::LocalRemovals;
use crate::db::site::local_targets::{self, LocalTarget};
use crate::domain::Result;

/// What agents are told now, and what this site decided of targets.
#[derive(Debug)]
pub struct FleetNow {
    /// Every target that agents log in to now, with what it runs.
    pub(super) targets: Vec<TargetView>,
    /// Targets made here, with or without one that they follow.
    pub(super) locals: Vec<LocalTarget>,
    pub(super) removals: LocalRemovals,
}

impl FleetNow {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Those of [`Live::load`] and of the database.
    pub fn read(appliance: &Arc<Appliance>) -> Result<Self> {
        let live = Live::load(appliance, Duration::ZERO)?;
        let targets = project(&live)?.get().views();
        appliance.db.read(|connection| {
            Ok(Self {
                targets,
                locals: local_targets::list(connection)?,
                removals: LocalRemovals::read(connection)?,
            })
        })
    }
}
