//! What the ledger is asked: statements that only read. Judgement is made of their rows in `vendor_side::ledger::ask`.
//!
//! Of a site only the shown line counts ([`shown`](super::shown)): numbers of an instance that lie above where the next one of the line
//! begins were lost with it, and are listed apart. No question walks through all records.

mod days;
mod ended;
mod held;
mod holes;
mod names;
mod newest;
mod now;
mod receipts;
mod records;
mod scope;
mod signed;
mod tallies;

pub use days::{Day, days};
pub use ended::ended;
pub use held::{Held, damaged, held, held_by_sites, live, live_heads};
pub use holes::{Hole, Told, holes, told};
pub use names::{NamedDeployment, NamedTarget, named_deployment, named_target, template_deployments};
pub use newest::{
    Newest, PackageWithHead, instance_counts, newest, newest_of_all, newest_summary, package_count, packages,
    summary_apart, summary_time, told_by_summaries,
};
pub use now::{DeploymentNow, TargetNow, deployments_now, failing, targets_made_there, targets_now};
pub use receipts::{
    ReceiptRow, newest_activated, open_refusals, open_refusals_of_all, receipt_envelope, receipts, receipts_of,
};
pub use records::{GapRow, RecordRow, gaps, history, records};
pub use scope::{ScopeRun, SettledRuns, has_unlisted, head_gave, stated};
pub use signed::{
    Bar, SignedHeadRow, audience, bars, fixes, heads_of_revision, heads_of_scope, label, names_of, release_of_head,
    releases, revisions_of, scope_sites,
};
pub use tallies::{Tally, tallies};
