//! The registry: what it answers from.

use std::sync::Arc;

use super::manifests::Manifests;
use super::snapshot::Snapshot;
use crate::appliance::live::{Live, Order, Projection};
use crate::db::Db;
use crate::domain::Result;
use crate::store::Store;

/// The registry of an appliance: questions of clients, answered from one snapshot each.
#[derive(Debug)]
pub struct Registry {
    live: Arc<Live>,
    current: Arc<Projection<Snapshot>>,
    manifests: Manifests,
}

impl Registry {
    /// Makes the registry of what is live.
    ///
    /// # Errors
    ///
    /// None but those of a projection: what is wrong with one release concerns its own content.
    pub fn new(live: &Arc<Live>) -> Result<Self> {
        let current = live.project(Order::Content, move |generation, before| {
            Ok(Snapshot::of(generation, before))
        })?;
        Ok(Self {
            live: live.clone(),
            current,
            manifests: Manifests::default(),
        })
    }

    /// Returns the present generation. Keep it for a whole request.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.get()
    }

    /// Returns what is live.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub(super) fn db(&self) -> &Db {
        &self.live.appliance().db
    }

    pub(super) fn store(&self) -> &Store {
        &self.live.appliance().store
    }

    pub(super) fn manifests(&self) -> &Manifests {
        &self.manifests
    }
}
