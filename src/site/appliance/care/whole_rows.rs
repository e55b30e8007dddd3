//! Whether the database names all that the releases which stay carry: what it does not name would go as if nobody had it.

use crate::appliance::Appliance;
use crate::appliance::damage::import_again;
use crate::bundle::Head;
use crate::db::site::release::{self, ReleaseId};
use crate::domain::{Class, Error, Result, counted};

/// Compares how many blobs the database names of each release that stays with how many its signed head counts.
///
/// # Errors
///
/// `E-STATE release-rows` with the first that lacks some; those of the database.
pub(super) fn check(appliance: &Appliance, going: &[ReleaseId]) -> Result<()> {
    appliance.db.read(|connection| {
        for release in release::list(connection)? {
            if going.contains(&release.id) {
                continue;
            }
            let signed = release::signed(connection, release.id)?;
            // What is wrong with a head itself is told by who loads it.
            let Ok(head) = Head::parse(&signed.head) else { continue };
            let (named, _) = release::totals(connection, release.id)?;
            if named < head.totals.blobs {
                return Err(Error::new(
                    Class::State,
                    "release-rows",
                    format!(
                        "the database names {named} blobs of release {} ({}) of {}, whose signed head counts {}; nothing was let go",
                        release.counter,
                        release.version,
                        release.scope,
                        counted(head.totals.blobs, "blob")
                    ),
                )
                .expected("all that its bundle brought")
                .remedy(import_again(&release)));
            }
        }
        Ok(())
    })
}
