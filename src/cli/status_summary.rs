//! `airlock status summary`: the newest signed package in a few codes, or in lines to be read aloud.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output_place::{self, Makes};
use super::package_args::domain_of;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use super::{Ui, approval_rule};
use crate::appliance::export::picture;
use crate::domain::{Class, Clock as _, Error, Result, SystemClock, counted};
use crate::package::{dictated, series};
use crate::stream::write_atomically;

#[derive(Debug, Args)]
pub(super) struct SummaryArgs {
    /// Write the codes as one PNG picture
    #[arg(long, value_name = "FILE.png", value_parser = png, conflicts_with_all = ["text", "spoken"])]
    qr: Option<PathBuf>,
    /// Print the text of each code, one a line (the default)
    #[arg(long, conflicts_with = "spoken")]
    text: bool,
    /// Print lines to be read aloud, each with two letters that tell a misheard one
    #[arg(long)]
    spoken: bool,
    /// The vendor, where several are pinned: 8 or more digits of its fingerprint, or a product of it
    #[arg(long, value_name = "VENDOR")]
    vendor: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// A name that says what is written; one without an ending says nothing else.
fn png(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension() {
        Some(ending) if !ending.eq_ignore_ascii_case("png") => {
            Err("the picture is a PNG: give a name that ends with .png".to_owned())
        }
        _ => Ok(path),
    }
}

pub(super) fn run(args: &SummaryArgs, ui: &mut Ui) -> Result<()> {
    if let Some(path) = &args.qr {
        output_place::check_outside(path, &args.state.state)?;
        output_place::check(path, Makes::Picture, [])?;
    }
    let settings = args.config.read()?.export;
    let appliance = args.state.open_to_change("status summary", ui)?;
    let domain = domain_of(&appliance, args.vendor.as_deref())?;
    let asked = approval_rule::asked(&appliance, &settings, ui)?;
    let lock = appliance.lock_export()?;
    let row = appliance.newest_signed(domain)?;
    let rule = approval_rule::rule(asked, &settings, &row)?;
    let sealed = appliance.summarize(&row, &rule, SystemClock.now(), &lock)?;
    let codes = series(&sealed.bytes);
    ui.say(format_args!(
        "summary of package {}, as of {}: {}, {}",
        row.number,
        row.made_at,
        counted(sealed.bytes.len(), "byte"),
        counted(codes.len(), "code")
    ));
    let mut value = json!({
        "number": row.number, "head": row.head, "made_at": row.made_at, "bytes": sealed.bytes.len(), "codes": codes,
    });
    let human = if let Some(path) = &args.qr {
        write_atomically(path, &picture(&codes)?, 0o644)?;
        value["picture"] = json!(path);
        format!(
            "{} in {}",
            counted(codes.len(), "code"),
            escape(&path.display().to_string())
        )
    } else if args.spoken {
        let lines = dictated(&sealed.bytes).ok_or_else(|| {
            Error::new(
                Class::Limit,
                "summary-size",
                format!(
                    "the summary has {} bytes, too many to be read aloud",
                    sealed.bytes.len()
                ),
            )
            .expected("at most 99 lines; as codes it can be larger")
        })?;
        value["lines"] = json!(lines);
        lines.join("\n")
    } else {
        codes.join("\n")
    };
    ui.result(&value, human)
}
