//! How many people have to approve what leaves (M-99): kept in the state, so that it holds wherever the configuration is not at hand.

use serde_json::json;

use crate::appliance::state::Appliance;
use crate::db::site::{appliance, audit};
use crate::domain::Result;

impl Appliance {
    /// Returns how many people have to approve what leaves, as [`Appliance::ask_approvals`] was told last; nobody before that.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn approvals_asked(&self) -> Result<u64> {
        self.db.read(appliance::approvals)
    }

    /// Says how many people have to approve what leaves from now on, and returns how many had to before. Every change is a row of the log.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn ask_approvals(&self, asked: u64) -> Result<u64> {
        let before = self.approvals_asked()?;
        if before == asked {
            return Ok(before);
        }
        self.db.write(|transaction| {
            let before = appliance::approvals(transaction)?;
            if before != asked {
                appliance::set_approvals(transaction, asked)?;
                let detail = json!({"from": before, "to": asked});
                audit::append(transaction, self.clock.now(), "approvals", &detail, &[])?;
            }
            Ok(before)
        })
    }
}
