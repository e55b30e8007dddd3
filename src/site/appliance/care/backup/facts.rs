//! What a backup says of the site, and what is compared before it is put back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::appliance::present;
use crate::crypto::Chain;
use crate::crypto::canonical::integer;
use crate::db::Connection;
use crate::db::site::release::Mark;
use crate::db::site::{appliance, audit, instances, release, trust};
use crate::domain::{Class, Counter, Error, Hash, InstanceId, Name, Result, Scope, SiteId, Timestamp};

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteFacts {
    /// How many people have to approve what leaves.
    #[serde(with = "integer")]
    pub approvals: u64,
    /// Whether content is in it.
    pub content: bool,
    /// The life that it was made in.
    pub instance: InstanceId,
    /// Local name of the site.
    pub name: String,
    /// Rows of the log.
    #[serde(with = "integer")]
    pub rows: u64,
    /// How far each scope had come.
    pub scopes: Vec<ScopeFact>,
    /// The site.
    pub site: SiteId,
    /// Pinned vendors.
    pub vendors: Vec<VendorFact>,
}

/// How far a scope had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeFact {
    /// Channel.
    pub channel: Name,
    /// Trust domain.
    pub domain: Hash,
    /// Its highest number.
    #[serde(with = "integer")]
    pub epoch: u64,
    /// The head of that.
    pub head: Hash,
    /// Product.
    pub product: Name,
    /// Its highest number.
    #[serde(with = "integer")]
    pub sequence: u64,
}

/// How far trust in a vendor had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorFact {
    /// Trust domain.
    pub domain: Hash,
    /// What its statements have proven to be past.
    pub floor: Timestamp,
    /// Its name.
    pub vendor: String,
    /// Its newest root that was accepted.
    #[serde(with = "integer")]
    pub version: u64,
}

impl SiteFacts {
    /// Reads them of a database, with the marks and roots that lie beside it; also the chains that trust has come to.
    pub(super) fn read(
        connection: &Connection,
        beside: &[(Scope, Mark)],
        pins: &[Chain],
        content: bool,
    ) -> Result<(Self, Vec<Chain>)> {
        let row = appliance::get(connection)?;
        let instance = instances::newest(connection)?.ok_or_else(|| {
            Error::new(
                Class::State,
                "instance",
                "the database knows no instance of this appliance",
            )
        })?;
        let mut scopes: BTreeMap<(Hash, Name, Name), Mark> = BTreeMap::new();
        for (scope, mark) in release::marks(connection)?.into_iter().chain(beside.iter().cloned()) {
            let held = scopes
                .entry((scope.domain, scope.product, scope.channel))
                .or_insert(mark);
            if held.counter < mark.counter {
                *held = mark;
            }
        }
        let mut chains = Vec::new();
        for pin in pins {
            chains.push(trust::load_chain(connection, pin)?);
        }
        chains.sort_by_key(Chain::domain);
        let vendors = chains.iter().map(|chain| {
            Ok(VendorFact {
                domain: chain.domain(),
                floor: present::floor(connection, chain.domain())?,
                vendor: chain.newest().vendor.clone(),
                version: chain.newest().version,
            })
        });
        let facts = Self {
            approvals: appliance::approvals(connection)?,
            content,
            instance: instance.instance,
            name: row.name,
            rows: audit::newest(connection)?.0,
            scopes: scopes
                .into_iter()
                .map(|((domain, product, channel), mark)| ScopeFact {
                    channel,
                    domain,
                    epoch: mark.counter.epoch,
                    head: mark.head,
                    product,
                    sequence: mark.counter.sequence,
                })
                .collect(),
            site: row.site,
            vendors: vendors.collect::<Result<_>>()?,
        };
        Ok((facts, chains))
    }

    /// Returns how far a scope had come.
    pub(super) fn mark(&self, scope: &Scope) -> Option<Mark> {
        let fact = self.scopes.iter().find(|fact| fact.scope() == *scope)?;
        Some(fact.mark())
    }
}

impl ScopeFact {
    /// Returns the scope.
    pub fn scope(&self) -> Scope {
        Scope {
            domain: self.domain,
            product: self.product.clone(),
            channel: self.channel.clone(),
        }
    }

    /// Returns its highest number.
    pub fn counter(&self) -> Counter {
        Counter {
            epoch: self.epoch,
            sequence: self.sequence,
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            counter: self.counter(),
            head: self.head,
        }
    }
}
