//! What a bundle for exactly one site takes along for it: the newest acknowledgement of what the site sent (M-107).
//!
//! Made anew when there is more to say and the keys are at hand; left out where the site applied it already. A release that was signed
//! before keeps the one that it was signed with: a number has one content.

use std::fmt;

use super::Workspace;
use super::ledger::{self as acknowledgements, Due, Issued, NO_KEY};
use crate::bundle::Head;
use crate::container::digest_of;
use crate::crypto::SigningKey;
use crate::db::ledger::{self, SignedRelease};
use crate::db::{Connection, Db, Transaction};
use crate::domain::{Audience, Class, DocumentType, Result, SiteId, Timestamp};

/// How the keys of the role that acknowledges are used which are here.
#[derive(Clone, Copy)]
pub enum AckKeys<'a> {
    /// Opened, once they are needed.
    Opened(&'a dyn Fn() -> Result<Vec<SigningKey>>),
    /// Only counted, by the public files beside them: a plan signs nothing, and asks for no passphrase.
    Counted,
}

impl fmt::Debug for AckKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opened(_) => "Opened",
            Self::Counted => "Counted",
        })
    }
}

/// The acknowledgement of a bundle.
#[derive(Debug, Default)]
pub(super) struct Answer {
    issued: Option<Issued>,
    /// Why it is not what it could be.
    pub(super) warning: Option<String>,
}

impl Answer {
    /// Returns what a bundle for this audience takes along; nothing for several sites, for any, and for one that was withdrawn.
    pub(super) fn of(
        workspace: &Workspace,
        ledger: &Db,
        keys: Option<AckKeys<'_>>,
        now: Timestamp,
        audience: &Audience,
        known: Option<&SignedRelease>,
    ) -> Result<Self> {
        let Some(site) = one_site(audience) else {
            return Ok(Self::default());
        };
        if let Some(known) = known {
            let issued = ledger.read(|connection| signed_with(connection, known, site))?;
            return Ok(Self { issued, warning: None });
        }
        let due = ledger.read(|connection| match ledger::site(connection, site)? {
            Some(known) if known.withdrawn_at.is_none() => acknowledgements::due(workspace, connection, site, now),
            _ => Ok(Due::Nothing),
        })?;
        let (says, before) = match due {
            Due::Nothing => return Ok(Self::default()),
            Due::Withheld(why) => {
                return Ok(Self {
                    issued: None,
                    warning: Some(format!("no acknowledgement goes along: {}", why.error(site.as_str()))),
                });
            }
            Due::Newest(issued, is_applied) => {
                let issued = (!is_applied).then_some(*issued);
                return Ok(Self { issued, warning: None });
            }
            Due::New(says, before) => (says, before.map(|before| *before)),
        };
        let signed = match keys {
            Some(AckKeys::Opened(open)) => acknowledgements::sign(workspace, *says, &mut || open()),
            Some(AckKeys::Counted) => acknowledgements::rehearse(workspace, *says),
            None => return Ok(Self::older(before, site)),
        };
        match signed {
            Ok(issued) => Ok(Self {
                issued: Some(issued),
                warning: None,
            }),
            Err(error) if error.class() == Class::Trust && error.is(NO_KEY) => Ok(Self::older(before, site)),
            Err(error) => Err(error),
        }
    }

    /// The one that was made before, with a word about it.
    fn older(before: Option<Issued>, site: &SiteId) -> Self {
        let what = match &before {
            Some(issued) => format!("acknowledgement {} goes along", issued.says.number),
            None => "none goes along".to_owned(),
        };
        Self {
            issued: before,
            warning: Some(format!(
                "there is more to acknowledge than the site knows, and no key that signs it is used here: {what}; \
                 make one where these keys are with `airlock vendor ledger ack {site} -o FILE`"
            )),
        }
    }

    /// Returns the document of the bundle.
    pub(super) fn document(&self) -> Option<(DocumentType, Vec<u8>)> {
        let issued = self.issued.as_ref()?;
        Some((DocumentType::Acknowledgement, issued.envelope.clone()))
    }

    /// Returns its number.
    pub(super) fn number(&self) -> Option<u64> {
        self.issued.as_ref().map(|issued| issued.says.number)
    }

    /// Records one that was made now, in the transaction that records the release.
    pub(super) fn record(&self, transaction: &Transaction<'_>, at: Timestamp) -> Result<()> {
        match &self.issued {
            Some(issued) if issued.is_new => issued.record(transaction, at),
            _ => Ok(()),
        }
    }
}

fn one_site(audience: &Audience) -> Option<&SiteId> {
    match audience {
        Audience::Sites(sites) => match sites.as_slice() {
            [site] => Some(site),
            _ => None,
        },
        Audience::Any(_) => None,
    }
}

/// Returns the acknowledgement that a release was signed with.
fn signed_with(connection: &Connection, known: &SignedRelease, site: &SiteId) -> Result<Option<Issued>> {
    let Some(head) = ledger::head_bytes(connection, known.head)? else {
        return Ok(None);
    };
    let head = Head::parse(&head)?;
    let Some(entry) = head.document(DocumentType::Acknowledgement) else {
        return Ok(None);
    };
    let envelopes = ledger::acknowledgements::envelopes(connection, site)?;
    let envelope = envelopes
        .into_iter()
        .find(|envelope| digest_of(envelope) == entry.digest);
    envelope.map(Issued::kept).transpose()
}
