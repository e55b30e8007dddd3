//! Agent versions: what their images are collected as, and what the desired state says of them.

use super::closure::{Closure, Wanted, get};
use super::ids::Ids;
use crate::bundle::desired::{AgentVersion, ImageName};
use crate::domain::{Class, Error, Result};
use crate::vendor_side::collect::Stored;
use crate::vendor_side::release_file::{AgentEntry, ImageEntry};

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
        let mut image = |image: &Option<ImageEntry>| image.as_ref().map(|image| closure.add(image.request()));
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
    /// `E-CONTENT reference` for an image under a name that no engine could pull it by; `E-INTERNAL` when one was not collected.
    pub(super) fn version(&self, stored: &[Stored]) -> Result<AgentVersion> {
        let image = |wanted: Option<Wanted>| wanted.map(|wanted| get(stored, wanted).and_then(pullable)).transpose();
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

/// As [`name`]; `APPLIANCE/registry.example:5000/agent` is no reference, because a path has no colon.
fn pullable(stored: &Stored) -> Result<ImageName> {
    if stored.repository.host().contains(':') {
        return Err(Error::new(
            Class::Content,
            "reference",
            format!(
                "the agent image {} would stand under the appliance's name with a port in its path, which no engine can read",
                stored.repository
            ),
        )
        .expected("a name without a port")
        .remedy("give it one: {source: where it comes from, name: registry.example.com/docker-agent:3.1.0}"));
    }
    Ok(name(stored))
}

/// Returns a stored image as the desired state names it.
pub(super) fn name(stored: &Stored) -> ImageName {
    ImageName {
        digest: stored.digest,
        repository: stored.repository.clone(),
    }
}
