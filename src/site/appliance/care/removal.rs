//! One release is let go because a person says so, whatever speaks for it, but for the one that is live.

use super::gc::{Collected, LettingGo};
use super::retention::{Policy, Standing, standings};
use super::visible::becoming_visible;
use crate::appliance::Appliance;
use crate::db::site::release::{self, State};
use crate::db::site::removal;
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// What removing a release would do.
#[derive(Debug)]
pub struct RemovalPlan {
    /// The release, and what speaks for it.
    pub standing: Standing,
    /// Content that only it has.
    pub blobs: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Names that others see once it is gone.
    pub visible: Vec<String>,
}

impl Appliance {
    /// Says what [`Appliance::remove_release`] would do.
    ///
    /// # Errors
    ///
    /// `E-POLICY release-live`; `E-USAGE release` when it is not here; `E-STATE` also where it cannot be known what runs; `E-IO`.
    pub fn removal_plan(&self, head: Hash, policy: Policy, now: Timestamp) -> Result<RemovalPlan> {
        let standing = standings(self, policy, now)?
            .into_iter()
            .find(|standing| standing.release.head == head)
            .ok_or_else(|| gone(head))?;
        check(&standing)?;
        let ids = [standing.release.id];
        let freed = self.db.read(|connection| removal::freed(connection, &ids))?;
        Ok(RemovalPlan {
            blobs: freed.len() as u64,
            bytes: freed.iter().map(|content| content.size).fold(0, u64::saturating_add),
            visible: becoming_visible(self, &ids)?,
            standing,
        })
    }

    /// Lets a release go: at once, where `at_once` says so or its vendor does not build on it; else it is told to go, once, and `gc` and this
    /// command take it when its vendor knows.
    ///
    /// # Errors
    ///
    /// As [`Appliance::removal_plan`]; `E-BUSY`; `E-SPACE`.
    pub fn remove_release(&self, head: Hash, policy: Policy, at_once: bool, now: Timestamp) -> Result<Collected> {
        let lock = self.lock()?;
        let standing = standings(self, policy, now)?
            .into_iter()
            .find(|standing| standing.release.head == head)
            .ok_or_else(|| gone(head))?;
        check(&standing)?;
        let release = self
            .db
            .read(|connection| release::find(connection, head))?
            .ok_or_else(|| gone(head))?;
        let one = std::slice::from_ref(&release);
        let (goes, leaves) = if standing.listed && !at_once {
            (&[][..], one)
        } else {
            (one, &[][..])
        };
        let leaves = if release.leaving.is_some() { &[] } else { leaves };
        let going = LettingGo {
            goes,
            leaves,
            command: "release remove",
            sweeps: false,
        };
        self.let_go(&lock, &going, now, &mut |_, _| {})
    }
}

fn check(standing: &Standing) -> Result<()> {
    let release = &standing.release;
    if release.state != State::Active {
        return Ok(());
    }
    Err(Error::new(
        Class::Policy,
        "release-live",
        format!("release {} of {} is live", release.counter, release.scope),
    )
    .expected("one that is not")
    .remedy("make another release of it live first: `airlock release activate RELEASE`"))
}

fn gone(head: Hash) -> Error {
    Error::new(Class::Usage, "release", format!("there is no release {head}")).remedy("look at `airlock release list`")
}
