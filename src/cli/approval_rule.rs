//! How many people have to approve what leaves, and who: what the configuration says, or where it says nothing, what it said last.

use super::{Ui, site_keys_file};
use crate::appliance::Appliance;
use crate::appliance::export::{ApprovalRule, ExportSettings, PackageRow, State, unsaid_approvers};
use crate::domain::{Result, counted};

/// Keeps how many people have to approve what leaves, where the configuration says it; returns how many have to. A smaller number is told.
///
/// # Errors
///
/// Those of the database.
pub(super) fn asked(appliance: &Appliance, settings: &ExportSettings, ui: &mut Ui) -> Result<u64> {
    let Some(asked) = settings.approvals else {
        return appliance.approvals_asked();
    };
    let before = appliance.ask_approvals(asked)?;
    if asked < before {
        ui.warn(format_args!(
            "what leaves this site needs {} from now on, and {before} until now; a row of the audit log says so",
            counted(asked, "approval")
        ));
    }
    Ok(asked)
}

/// Reads who has to approve a package. What was signed was approved as was asked for then; what is asked for now holds for it as well.
///
/// # Errors
///
/// `E-POLICY approvals` where nobody says who they are; those of the file of their keys.
pub(super) fn rule(asked: u64, settings: &ExportSettings, row: &PackageRow) -> Result<ApprovalRule> {
    let is_draft = row.state == State::Draft;
    let wanted = if is_draft { asked.max(row.approvals) } else { asked };
    if wanted == 0 {
        return Ok(ApprovalRule { approvers: None });
    }
    let is_said = settings.approvals.is_some_and(|said| said > 0);
    match site_keys_file::read(&settings.keys) {
        Ok(keys) => Ok(ApprovalRule {
            approvers: Some((usize::try_from(wanted).unwrap_or(usize::MAX), keys)),
        }),
        Err(error) if is_said => Err(error.remedy(
            "approve the draft with `airlock approve DIGEST --key FILE`, which says what the file of the site's keys has to hold",
        )),
        Err(_) if !is_draft && row.approvals >= wanted => Ok(ApprovalRule { approvers: None }),
        Err(error) => Err(unsaid_approvers(row, wanted).with_source(error)),
    }
}
