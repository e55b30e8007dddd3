//! `airlock disk`: who uses what of the disk.

use clap::Args;
use serde_json::{Value, json};

use super::Ui;
use super::scope_names::ScopeNames;
use super::state_folder::StateArgs;
use super::table::table;
use super::ui::{bytes, escape};
use crate::appliance::Appliance;
use crate::appliance::care::{Disk, Share, Used};
use crate::domain::{Hash, Result, counted};

/// Hex digits of a trust domain that people are shown.
const DIGITS: usize = 8;

/// Show who uses what of the disk: vendors, products, releases, and everything beside content
///
/// Content that several have is stored once. What is called own is what nobody else has: what goes with it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  airlock disk")]
pub(super) struct DiskArgs {
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &DiskArgs, ui: &mut Ui) -> Result<()> {
    let appliance = args.state.open(ui)?;
    let disk = appliance.disk()?;
    let human = human(&appliance, &disk)?;
    ui.result(&to_json(&disk), human)
}

fn human(appliance: &Appliance, disk: &Disk) -> Result<String> {
    let names = ScopeNames::read(appliance, [])?;
    let row = |what: &str, name: String, share: &Share| {
        let cells = [
            bytes(share.all.bytes),
            bytes(share.own.bytes),
            share.all.blobs.to_string(),
            name,
        ];
        let [all, own, blobs, name] = cells;
        [what.to_owned(), all, own, blobs, name]
    };
    let mut rows = Vec::new();
    for (domain, share) in &disk.vendors {
        rows.push(row("vendor", vendor(appliance, *domain), share));
    }
    for ((domain, product), share) in &disk.products {
        rows.push(row(
            "product",
            format!("{product} of {}", vendor(appliance, *domain)),
            share,
        ));
    }
    for (release, share) in &disk.releases {
        let name = format!(
            "{} {} ({}), {}",
            names.of(&release.scope),
            release.counter,
            escape(&release.version),
            release.state
        );
        rows.push(row("release", name, share));
    }
    let mut lines = vec![format!(
        "content      {} in {}",
        bytes(disk.content.bytes),
        counted(disk.content.blobs, "blob")
    )];
    if disk.shared.blobs > 0 {
        lines.push(format!(
            "             {} of it is had by several vendors",
            bytes(disk.shared.bytes)
        ));
    }
    if disk.unnamed.blobs > 0 {
        let stays = match disk.stopped_imports {
            0 => "`airlock gc` lets them go".to_owned(),
            stopped => format!(
                "{} stopped and may go on with them (`airlock gc --abandon-imports` lets them go)",
                counted(stopped, "import")
            ),
        };
        lines.push(format!(
            "unnamed      {} in {}: {stays}",
            bytes(disk.unnamed.bytes),
            counted(disk.unnamed.blobs, "blob")
        ));
    }
    lines.extend(disk.parts.iter().map(|(word, size)| match *word {
        "evidence" if *size > 0 => {
            format!(
                "{word:12} {}: nothing reads it again; what was looked into may be deleted",
                bytes(*size)
            )
        }
        word => format!("{word:12} {}", bytes(*size)),
    }));
    lines.push(format!("free         {}", bytes(disk.free.bytes)));
    if !rows.is_empty() {
        lines.push(table(["WHAT", "ALL", "OWN", "BLOBS", "NAME"], rows));
    }
    Ok(lines.join("\n"))
}

/// A vendor by the name that its root says; one whose pin is damaged has none to show.
fn vendor(appliance: &Appliance, domain: Hash) -> String {
    let hex = domain.to_hex();
    let short = hex.get(..DIGITS).unwrap_or_default();
    match appliance.chain(domain) {
        Ok(chain) => format!("{} ({short})", escape(&chain.newest().vendor)),
        Err(_) => short.to_owned(),
    }
}

fn to_json(disk: &Disk) -> Value {
    let used = |used: &Used| json!({"blobs": used.blobs, "bytes": used.bytes});
    let with = |mut value: Value, share: &Share| {
        if let Some(members) = value.as_object_mut() {
            members.insert("all".into(), used(&share.all));
            members.insert("own".into(), used(&share.own));
        }
        value
    };
    let vendors = disk
        .vendors
        .iter()
        .map(|(domain, share)| with(json!({"domain": domain}), share));
    let products = disk.products.iter();
    let products =
        products.map(|((domain, product), share)| with(json!({"domain": domain, "product": product}), share));
    let releases = disk.releases.iter().map(|(release, share)| {
        let value = json!({
            "domain": release.scope.domain, "product": release.scope.product, "channel": release.scope.channel,
            "epoch": release.counter.epoch, "sequence": release.counter.sequence, "version": release.version,
            "head": release.head, "state": release.state.as_str(),
        });
        with(value, share)
    });
    let parts: serde_json::Map<String, Value> = disk
        .parts
        .iter()
        .map(|(word, bytes)| ((*word).to_owned(), (*bytes).into()))
        .collect();
    json!({
        "vendors": vendors.collect::<Vec<_>>(), "products": products.collect::<Vec<_>>(),
        "releases": releases.collect::<Vec<_>>(), "content": used(&disk.content), "shared": used(&disk.shared),
        "unnamed": used(&disk.unnamed), "stopped_imports": disk.stopped_imports, "parts": parts, "free_bytes": disk.free.bytes,
    })
}
