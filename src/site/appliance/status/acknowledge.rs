//! What a vendor has: `status.db` follows what `airlock.db` says of it (M-108).

use crate::appliance::Appliance;
use crate::db::status;
use crate::db::{Db, Schema};
use crate::domain::{Hash, Result, Timestamp};

/// Says that a vendor has everything of its stream up to a position, and the days of metrics that were over at `covered_at`, when the
/// last of the packages that it has was frozen. What lies there goes first when room is needed, and after
/// [`Quota::keep_days`](super::Quota::keep_days). Nothing above what is frozen is taken for acknowledged, and nothing is taken back;
/// it may be said again at any time. A running server takes it in with its next commit.
///
/// # Errors
///
/// `E-STATE`, `E-IO`, `E-SPACE`, `E-BUSY`.
pub fn acknowledge(appliance: &Appliance, domain: &Hash, position: u64, covered_at: Timestamp) -> Result<()> {
    let db = Db::open(&appliance.status_database(), &Schema::STATUS)?;
    db.write(|tx| status::put_acknowledged(tx, domain, position, covered_at).map(|_| ()))
}
