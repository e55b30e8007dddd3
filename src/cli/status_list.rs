//! `airlock status list`: the packages that were made here, and how far each is.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use super::Ui;
use super::package_args;
use super::state_folder::StateArgs;
use super::status_export::covers;
use super::table::table;
use super::ui::{bytes, escape};
use crate::appliance::Appliance;
use crate::appliance::export::{Listed, State};
use crate::db::site::stream_log;
use crate::domain::{Hash, Result};

/// Digits of a head digest that name a package.
const DIGITS: usize = 8;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Packages of this vendor alone: 8 or more digits of its fingerprint, or a product of it
    #[arg(long, value_name = "VENDOR")]
    vendor: Option<String>,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &ListArgs, ui: &mut Ui) -> Result<()> {
    let appliance = args.state.open(ui)?;
    let domains = match &args.vendor {
        Some(_) => vec![package_args::domain_of(&appliance, args.vendor.as_deref())?],
        None => appliance.db.read(stream_log::domains)?,
    };
    let mut listed: BTreeMap<Hash, Vec<Listed>> = BTreeMap::new();
    for domain in domains {
        listed.insert(domain, appliance.list_packages(domain)?);
    }
    let values: Vec<Value> = listed.values().flatten().map(to_json).collect();
    let rows: Vec<[String; 8]> = listed.values().flatten().map(|one| to_row(&appliance, one)).collect();
    let human = if rows.is_empty() {
        "no package was made here: `airlock status preview` makes one, and shows it".to_owned()
    } else {
        let columns = ["VENDOR", "LIFE", "NUMBER", "MADE", "SIZE", "STATE", "HEAD", "COVERS"];
        table(columns, rows)
    };
    ui.result(&json!({"packages": values}), human)
}

/// How far a package is, in one word that people and programs read alike.
fn state(one: &Listed) -> &'static str {
    match one.row.state {
        State::Draft => "draft",
        _ if one.is_acknowledged => "acknowledged",
        State::Exported if one.has_file => "exported",
        State::Exported => "exported, file gone",
        State::Signed if one.has_file => "signed",
        State::Signed => "signed, file gone",
    }
}

fn to_json(one: &Listed) -> Value {
    let head = &one.head;
    json!({
        "domain": one.row.domain, "instance": one.row.instance, "of_this_life": one.is_of_this_life, "number": one.row.number,
        "head": one.row.head, "made_at": one.row.made_at, "size": one.row.size, "acknowledged": one.is_acknowledged,
        "state": match one.row.state { State::Draft => "draft", State::Signed => "signed", State::Exported => "exported" },
        "has_file": one.has_file, "cut": one.row.cut, "shows": head.shows, "records": head.records, "receipts": head.receipts,
        "audit": {"first": head.audit.first, "last": head.audit.last},
    })
}

fn to_row(appliance: &Appliance, one: &Listed) -> [String; 8] {
    let digits = |hex: &str| hex.chars().take(DIGITS).collect::<String>();
    let vendor = package_args::vendor_name(appliance, one.row.domain);
    let life = digits(one.row.instance.as_str());
    [
        vendor.map_or_else(|| digits(&one.row.domain.to_hex()), |name| escape(&name)),
        if one.is_of_this_life {
            life
        } else {
            format!("{life} (ended)")
        },
        one.row.number.to_string(),
        one.row.made_at.to_string(),
        bytes(one.row.size),
        state(one).to_owned(),
        digits(&one.row.head.to_hex()),
        covers(&one.head),
    ]
}
