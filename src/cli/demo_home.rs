//! The demo's way home: a signed status package, what the vendor knows from it, and the next bundle, which is small.

use std::path::Path;

use super::heard_view;
use super::ui::{Ui, bytes, escape};
use crate::appliance::export::{ApprovalRule, Destination, DraftRequest, ExportSettings, Redactor};
use crate::appliance::{Appliance, Imported};
use crate::domain::{Class, Clock as _, Error, Result, SystemClock, counted};
use crate::vendor_side::ledger::ask::{Limits, who_lacks};
use crate::vendor_side::ledger::{IngestOptions, Outcome, ingest};
use crate::vendor_side::{Built, Workspace};

/// Ages up to which nothing is stale, in seconds.
const FRESH: i64 = 30 * 24 * 60 * 60;

/// Both ends of the way.
pub(super) struct Home<'a> {
    pub(super) appliance: &'a Appliance,
    pub(super) workspace: &'a Workspace,
    /// Where the stick would be.
    pub(super) folder: &'a Path,
}

impl Home<'_> {
    /// Brings a status package out of the site and into the vendor's ledger.
    pub(super) fn tell(&self, ui: &mut Ui) -> Result<()> {
        let (site, settings) = (self.appliance, ExportSettings::default());
        let domain = self.workspace.chain().domain();
        let redactor = Redactor::new(&settings.redact, &[site.name().to_owned()])?;
        let request = DraftRequest {
            domain,
            shows: settings.narrowed(None, &[])?,
            room: settings.room(None, 0)?,
            redactor: &redactor,
            discard: true,
        };
        let row = site.make_draft(&request, &mut |_| ())?.row;
        let row = site.sign_package(row.head, &ApprovalRule { approvers: None })?;
        let file = self.folder.join(site.package_head(&row)?.file_name());
        site.deliver(row.head, Destination::File(&file), settings.outbox)?;
        ui.say(format_args!(
            "9. package   {} ({}): the least that leaves, previewed, signed, read back",
            file.display(),
            bytes(row.size)
        ));
        let options = IngestOptions {
            now: SystemClock.now(),
            dry_run: false,
        };
        for verdict in ingest(self.workspace, &[file], options, &mut |_| ())? {
            match verdict.outcome {
                Outcome::Taken(taken) => ui.say(format_args!(
                    "10. ledger   package {} of {} is verified and taken in: {}, {}, as of {}",
                    taken.identity.number,
                    escape(&taken.name),
                    counted(taken.records, "status record"),
                    counted(taken.receipts.len() as u64, "receipt"),
                    taken.made_at
                )),
                Outcome::Already(_) => {}
                Outcome::Refused(refused) => return Err(refused.error),
            }
        }
        Ok(())
    }

    /// Says what the next bundle is, and who lacks it.
    pub(super) fn next(&self, path: &Path, built: &Built, version: &str, ui: &mut Ui) -> Result<()> {
        ui.say(format_args!(
            "11. next     {} ({}): {} of layers stay out, which the site holds{}",
            path.display(),
            bytes(built.packed.bytes),
            bytes(built.needed_bytes),
            match built.acknowledgement {
                Some(number) => format!("; it brings acknowledgement {number}"),
                None => String::new(),
            }
        ));
        let limits = Limits {
            now: SystemClock.now(),
            as_of: FRESH,
            seen: FRESH,
        };
        for row in who_lacks(self.workspace, version, &limits)?.rows {
            let runs = row
                .runs
                .map_or_else(|| "nothing that is known".to_owned(), |runs| escape(&runs.version));
            ui.say(format_args!(
                "             who-lacks {version}: {} {} it, and runs {runs}",
                escape(&row.site.name),
                row.verdict.as_str()
            ));
        }
        Ok(())
    }
}

/// Says what the next import let go.
pub(super) fn trimmed(imported: &Imported, ui: &mut Ui) -> Result<()> {
    let heard = imported
        .acknowledgement
        .as_ref()
        .ok_or_else(|| Error::new(Class::Internal, "demo", "the second bundle brought no acknowledgement"))?;
    ui.say(format_args!(
        "12. import   release {} is live; {}, which may go here",
        imported.counter,
        heard_view::describe(heard)
    ));
    Ok(())
}
