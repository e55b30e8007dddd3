//! Pins a further vendor's root on a running appliance: a local, audited act, never done by a bundle (no trust on first use).

use std::path::PathBuf;

use serde_json::json;

use super::Appliance;
use super::enrolment::{self, Introduction};
use super::init::{begin_stream, describe, pin_path};
use super::present;
use crate::crypto::Chain;
use crate::db::site::stream_log::Told;
use crate::db::site::{audit, damage, enrolments, instances, release, stream_log, trust};
use crate::domain::{Class, Error, Hash, Result, Timestamp};
use crate::stream::write_atomically;

/// What pinning came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// The vendor is new here.
    Added,
    /// The chain is known; new links moved it forward.
    Extended {
        /// How many.
        links: usize,
    },
    /// The pin was damaged, and is whole again.
    Restored,
    /// Nothing was new.
    Already,
}

impl Appliance {
    /// Pins a chain whose fingerprint a person has compared.
    ///
    /// # Errors
    ///
    /// `E-TRUST` when the domain is pinned with other content, or a key of it is a key of another vendor pinned here;
    /// `E-BUSY`, `E-STATE`, `E-IO` and `E-SPACE`.
    pub fn pin(&self, chain: &Chain, now: Timestamp) -> Result<Pinned> {
        let _lock = self.lock()?;
        let pins = self.good_pins()?;
        let domain = chain.domain();
        let is_damaged = pins.damaged.iter().any(|(name, _)| *name == domain.to_hex());
        let mut chains = self.db.read(|connection| {
            let chains = pins.chains.iter().map(|pin| trust::load_chain(connection, pin));
            chains.collect::<Result<Vec<_>>>()
        })?;
        if is_damaged {
            // A domain is the hash of its root 1, so no other vendor's chain can take the place; kept links must go on from it.
            chains.push(self.db.read(|connection| trust::load_chain(connection, chain))?);
            write_atomically(&pin_path(self.folder(), chain), &chain.to_file(), 0o600)?;
        }
        let foreign = chains.iter().filter(|held| held.domain() != chain.domain());
        for held in foreign {
            if let Some(key) = chain.newest().keys.iter().find(|key| held.newest().keys.contains(key)) {
                return Err(Error::new(
                    Class::Trust,
                    "shared-key",
                    format!(
                        "the key {} belongs to {:?}, who is pinned here already",
                        key.id,
                        held.newest().vendor
                    ),
                )
                .expected("keys of one vendor only"));
            }
        }
        let Some(held) = chains.iter().find(|held| held.domain() == chain.domain()) else {
            // Rows first: a stream begins with the act that pins, and nothing is trusted before its file is there.
            self.keep_chain(chain, 1, now)?;
            write_atomically(&pin_path(self.folder(), chain), &chain.to_file(), 0o600)?;
            // The file of a vendor that was pinned before was lost, when it has releases here: what is served looks again.
            let releases = self.db.read(release::list)?;
            if releases.iter().any(|release| release.scope.domain == chain.domain()) {
                self.db.write(damage::raise_repairs)?;
            }
            enrolment::lay_out(self.folder(), &self.db)?;
            return Ok(Pinned::Added);
        };
        let links: Vec<_> = chain.links().cloned().collect();
        let step = held.extend(&links);
        if let Some(refusal) = step.refusal {
            return Err(refusal);
        }
        if is_damaged {
            self.keep_chain(&step.chain, held.newest().version.saturating_add(1), now)?;
            self.db.write(damage::raise_repairs)?;
            return Ok(Pinned::Restored);
        }
        if step.added == 0 {
            enrolment::lay_out(self.folder(), &self.db)?;
            return Ok(Pinned::Already);
        }
        self.keep_chain(&step.chain, held.newest().version.saturating_add(1), now)?;
        Ok(Pinned::Extended { links: step.added })
    }

    /// Returns where the copy of the enrolment file of a vendor stands.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn enrolment_path(&self, domain: Hash) -> Result<PathBuf> {
        enrolment::path(self.folder(), &self.db, domain)
    }

    fn keep_chain(&self, chain: &Chain, first: u64, now: Timestamp) -> Result<()> {
        let (domain, newest) = (chain.domain(), chain.newest().version);
        let (rows, _) = self.db.read(|connection| stream_log::newest(connection, domain))?;
        let introduced = if rows == 0 {
            let signer = self.signer()?;
            let introduction = Introduction {
                site: self.site(),
                created_at: self.identity().created_at,
                recipient: enrolment::recipient(self.folder())?,
                key: &signer.key,
            };
            let told = begin_stream(chain, &signer.instance, signer.key.public().id());
            Some((told, introduction.to(domain)))
        } else {
            None
        };
        self.db.write(|transaction| {
            present::keep_links(transaction, chain, first, now)?;
            let told = if let Some((told, envelope)) = introduced {
                enrolments::set(transaction, domain, &envelope)?;
                instances::begin_stream(transaction, domain)?;
                told
            } else {
                let from = newest.min(first.saturating_sub(1).max(1));
                let detail = json!({"fingerprint": chain.fingerprint(), "from": from, "to": newest});
                Told { domain, detail }
            };
            audit::append(transaction, now, "pin", &json!({"root": describe(chain)}), &[told]).map(|_| ())
        })
    }
}
