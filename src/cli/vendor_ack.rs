//! `airlock vendor ledger ack`: the next acknowledgement for a site, as a file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::advice::quoted;
use super::output_place::{self, Makes};
use super::passphrase::PassphraseArgs;
use super::ui::{Ui, escape};
use super::workspace_folder::WorkspaceArgs;
use crate::crypto::RoleName;
use crate::domain::{Clock as _, Result, SystemClock, counted};
use crate::stream::write_atomically;
use crate::vendor_side::{ledger, site};

#[derive(Debug, Args)]
pub(super) struct AckArgs {
    /// Name or id of the site
    site: String,
    /// Where to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace such a file that stands at --output
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &AckArgs, ui: &mut Ui) -> Result<()> {
    let inputs = args.passphrase.passphrase_file.as_deref();
    output_place::check_free(&args.output, Makes::Acknowledgement, args.replace, inputs)?;
    let workspace = args.workspace.open_to_write(ui)?;
    let site = site(&workspace, &args.site)?;
    let mut asker = args.passphrase.asker();
    let mut keys = || workspace.signing_keys(RoleName::Ack, &mut |path| asker.ask(path));
    let issued = ledger::acknowledge(&workspace, &site, &mut keys, SystemClock.now())?;
    write_atomically(&args.output, &issued.envelope, 0o644)?;
    let says = &issued.says;
    let path = args.output.display().to_string();
    let result = if issued.is_new { "new" } else { "again" };
    let mut human = format!(
        "{}\nfor          {} ({})\nnumber       {}{}\nup to        records {}, receipts {}, audit rows {}\nproven by    {}",
        escape(&path),
        escape(&site.name),
        site.site,
        says.number,
        if issued.is_new {
            ""
        } else {
            " (nothing is new since it was made)"
        },
        says.records,
        says.receipts,
        says.audit.number,
        counted(says.packages.len(), "package"),
    );
    for alarm in &says.alarms {
        human += &format!("\nalarm        {} in package {}", alarm.code.as_str(), alarm.number);
    }
    ui.result(
        &json!({
            "file": path, "result": result, "site": site.site, "name": site.name, "number": says.number, "instance": says.instance,
            "records": says.records, "receipts": says.receipts, "audit": says.audit.number, "packages": says.packages,
            "alarms": says.alarms,
        }),
        human,
    )?;
    ui.say(format_args!(
        "carry it to the site: `airlock status acknowledge {}`; a bundle for this site alone takes it along by itself",
        quoted(&escape(&path))
    ));
    Ok(())
}
