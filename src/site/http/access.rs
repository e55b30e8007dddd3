//! What a request may read from the registry (D18, D19; threat model R07 to R10, R13).
//!
//! - Who shows an agent's token sees what that agent's product holds, in every mode and from anywhere.
//! - Who shows a credential that this site gave out sees the repositories and scopes that it names ([`appliance::access`](crate::appliance::access)).
//! - Who shows nothing sees everything where the policy names its address, and nothing elsewhere. What a proxy passed on comes from
//!   nowhere that a policy could name, whatever the proxy says (R15).
//! - Agent and autoheal images are for everybody, by digest: engines pull them before there is a token. Neither tags nor lists of their
//!   repositories are.
//!
//! Every client asks once without credentials before it asks with them: that 401 is no event. Its body is always the same, and tells
//! nothing of what is here.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;

use super::app::App;
use super::credentials::{Credentials, credentials};
use super::oci_error::OciError;
use super::peer::{Forwarded, Remote};
use super::seats::Acquaintance;
use crate::appliance::access::Reader;
use crate::appliance::fleet::{Hub, Identity};
use crate::appliance::registry::{Asked, Snapshot};

/// Who asks.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// Somebody at an address that may read everything.
    Everything,
    /// An agent, or an engine with its credentials.
    Agent(Arc<Identity>),
    /// Somebody with a credential that this site gave out.
    Reader(Arc<Reader>),
    /// Somebody who may read what is public.
    Public,
}

/// The content that a request is answered from.
#[derive(Debug, Clone)]
pub(super) struct VisibleContent {
    /// Asked first, one after the other; none for who may read only what is public.
    pub(super) own: Vec<Arc<Snapshot>>,
    /// Where public content is looked for when that has nothing.
    pub(super) public: Option<Arc<Snapshot>>,
}

impl App {
    /// Finds out who asks.
    ///
    /// # Errors
    ///
    /// [`OciError::UNAUTHORIZED`] for credentials that are not good; [`OciError::DENIED`] where credentials would not help.
    pub(super) fn access(&self, request: &Request) -> Result<Access, OciError> {
        let allowed = asks_from(request).is_some_and(|address| self.read.allows(address));
        let Some(hub) = &self.hub else {
            return if allowed {
                Ok(Access::Everything)
            } else {
                Err(turned_away(request))
            };
        };
        match credentials(request.headers()) {
            Credentials::Password(token) => {
                let access = if let Some(identity) = hub.identify(&token) {
                    Access::Agent(identity)
                } else {
                    catch_up(hub);
                    Access::Reader(hub.reader(&token).ok_or(OciError::UNAUTHORIZED)?)
                };
                if let Some(acquaintance) = request.extensions().get::<Acquaintance>() {
                    acquaintance.note();
                }
                Ok(access)
            }
            Credentials::Malformed => Err(OciError::UNAUTHORIZED),
            Credentials::Absent if allowed => Ok(Access::Everything),
            Credentials::Absent => Ok(Access::Public),
        }
    }

    /// Whether a request is one for the registry or its plain files by somebody who may read everything at its address, and shows nothing.
    pub(super) fn reads_everything(&self, request: &Request) -> bool {
        let path = request.uri().path();
        (path.starts_with("/v2") || path.starts_with("/files/"))
            && asks_from(request).is_some_and(|address| self.read.allows(address))
            && (self.hub.is_none() || matches!(credentials(request.headers()), Credentials::Absent))
    }

    /// Returns what content a repository is looked for in.
    ///
    /// # Errors
    ///
    /// [`OciError::UNAUTHORIZED`] when credentials must come first.
    pub(super) fn visible_content(&self, access: &Access, asked: &Asked) -> Result<VisibleContent, OciError> {
        let whole = self.registry.snapshot();
        let own = match access {
            Access::Everything => {
                return Ok(VisibleContent {
                    own: vec![whole],
                    public: None,
                });
            }
            Access::Agent(identity) => vec![whole.view(&identity.scope)],
            Access::Reader(reader) => granted(&whole, reader),
            Access::Public => Vec::new(),
        };
        let public = self.registry.may_be_public(&whole, asked).then_some(whole);
        if own.is_empty() && public.is_none() {
            return Err(OciError::UNAUTHORIZED);
        }
        Ok(VisibleContent { own, public })
    }

    /// Returns what lists are made from: of repositories, tags, referrers.
    ///
    /// # Errors
    ///
    /// [`OciError::UNAUTHORIZED`] when credentials must come first.
    pub(super) fn overview(&self, access: &Access) -> Result<Vec<Arc<Snapshot>>, OciError> {
        match access {
            Access::Everything => Ok(vec![self.registry.snapshot()]),
            Access::Agent(identity) => Ok(vec![self.registry.snapshot().view(&identity.scope)]),
            Access::Reader(reader) => Ok(granted(&self.registry.snapshot(), reader)),
            Access::Public => Err(OciError::UNAUTHORIZED),
        }
    }

    /// Whether the peer of a request may see how the appliance is: whoever may read without credentials, this machine, and agents.
    pub(super) fn may_look(&self, request: &Request) -> bool {
        let local = asks_from(request).is_some_and(|address| address.to_canonical().is_loopback());
        local || matches!(self.access(request), Ok(Access::Everything | Access::Agent(_)))
    }
}

/// Waits for what was decided a moment ago: whoever has a credential just printed is let in, and whose was just removed is not.
fn catch_up(hub: &Hub) {
    // What keeps it from being read concerns all that is live, and is told where that is watched.
    if hub.is_behind().unwrap_or(false) {
        tokio::task::block_in_place(|| hub.refresh()).ok();
    }
}

/// What each of a reader's patterns lets it see.
fn granted(whole: &Snapshot, reader: &Reader) -> Vec<Arc<Snapshot>> {
    reader.grants.iter().map(|grant| whole.granted(grant)).collect()
}

/// What somebody is told whom an address does not let in.
pub(super) fn turned_away(request: &Request) -> OciError {
    match request.extensions().get::<Forwarded>() {
        Some(_) => OciError::FORWARDED,
        None => OciError::DENIED,
    }
}

/// From where somebody asks; nothing where that is not known, as behind a proxy: the other end of the connection is then only where the
/// proxy runs.
fn asks_from(request: &Request) -> Option<IpAddr> {
    let extensions = request.extensions();
    let Remote(address) = extensions.get::<Remote>()?;
    extensions.get::<Forwarded>().is_none().then(|| address.ip())
}
