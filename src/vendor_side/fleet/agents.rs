//! Agent versions: what their images are collected as, and what the desired state says of them.

use super::closure::{Closure, Wanted, get};
use super::ids::Ids;
use crate::bundle::desired::{AgentVersion, ImageName};
use crate::collect::Stored;
use crate::domain::Result;
use crate::release_file::{AgentEntry, ImageEntry};

/// An agent version whose images are being collected.
#[derive(Debug)]
pub(super) struct WantedAgent<'a> {
    pub(super) entry: &'a AgentEntry,
    docker: Option<Wanted>,
    autoheal: Option<Wanted>,
    kubernetes: Option<Wanted>,
}

impl<'a> WantedAgent<'a> {
    /// Asks for the images.
    pub(super) fn new(entry: &'a AgentEntry, closure: &mut Closure) -> Self {
        let mut image = |image: &Option<ImageEntry>| image.as_ref().map(|image| closure.add_entry(image));
        Self {
            docker: image(&entry.docker),
            autoheal: image(&entry.autoheal),
            kubernetes: image(&entry.kubernetes),
            entry,
        }
    }

    /// Returns what the desired state says.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL` when an image was not collected.
    pub(super) fn version(&self, stored: &[Stored]) -> Result<AgentVersion> {
        let image = |wanted: Option<Wanted>| wanted.map(|wanted| get(stored, wanted).map(name)).transpose();
        Ok(AgentVersion {
            autoheal: image(self.autoheal)?,
            created_at: self.entry.created_at,
            docker: image(self.docker)?,
            id: self.entry.id.unwrap_or_else(|| Ids::agent(&self.entry.name.value)),
            kubernetes: image(self.kubernetes)?,
            name: self.entry.name.value.clone(),
        })
    }
}

/// Returns a stored image as the desired state names it.
pub(super) fn name(stored: &Stored) -> ImageName {
    ImageName {
        digest: stored.digest,
        repository: stored.repository.clone(),
    }
}
