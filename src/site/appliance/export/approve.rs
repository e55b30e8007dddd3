//! Approvals of the site's role: people agree that exactly this draft may leave (E5, M-99).

use serde_json::json;

use super::choose::unknown;
use super::prologue;
use crate::appliance::state::Appliance;
use crate::crypto::{Key, KeyId, SigningKey, SiteKeys};
use crate::db::site::audit;
use crate::db::site::packages::{self, PackageRow, State};
use crate::domain::{Class, Error, Hash, Result};

/// A draft that was approved.
#[derive(Debug)]
pub struct Approved {
    /// Its row.
    pub row: PackageRow,
    /// The keys of the site's role that have approved it by now.
    pub good: Vec<KeyId>,
    /// Whether this key had approved it before.
    pub already: bool,
}

impl Appliance {
    /// Adds an approval to a draft, whose file is read whole before. Approving it again changes nothing but the log.
    ///
    /// # Errors
    ///
    /// `E-POLICY digest-mismatch` when no draft has this head digest; `E-POLICY approver` for a key that is none of the site's role; those of
    /// [`Appliance::read_back`]; `E-LIMIT reserve` when it has no room; `E-BUSY export`; `E-STATE`, `E-IO` and `E-SPACE`.
    pub fn approve(&self, head: Hash, keys: &SiteKeys, key: &SigningKey) -> Result<Approved> {
        let lock = self.lock_export()?;
        let instance = self.instance()?;
        let found = self.db.read(|connection| packages::find(connection, head))?;
        let Some(row) = found.filter(|row| row.state == State::Draft && row.instance == instance) else {
            return Err(unknown(&format!("no draft has the head digest {head}")));
        };
        let keyid = key.public().id();
        if !keys.has(keyid) {
            return Err(Error::new(
                Class::Policy,
                "approver",
                format!("the key {keyid} is not among those that approve what leaves this site"),
            )
            .expected("a key of the file that export.keys names")
            .remedy(format!(
                "approve with another key, or add this one to the file of the site's keys: {}",
                Key::of(key.public()).line()
            )));
        }
        self.read_back(&row, &mut |_| Ok(()))?;
        let mut package = prologue::open(self, &row)?;
        let already = keys.approved(&package.approval(), package.approvals()).contains(&keyid);
        package.add_approval(package.approval().sign(key));
        prologue::replace(self, &lock, &row, &package)?;
        self.db.write(|transaction| {
            let detail = json!({"head": head, "keyid": keyid});
            audit::append(transaction, self.clock.now(), "status-approve", &detail, &[])
        })?;
        Ok(Approved {
            good: keys.approved(&package.approval(), package.approvals()),
            already,
            row,
        })
    }
}
