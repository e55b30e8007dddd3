//! `airlock config check|show|reference`: what the configuration file may say, says, and what holds.

use std::net::SocketAddr;
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Ui;
use super::site_keys_file;
use super::site_view::ConfigArgs;
use super::ui::escape;
use crate::config::{Config, DEFAULT_PATH, Key, sample};
use crate::domain::{Result, counted};

/// Check the configuration, show what holds, say what there is
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum ConfigCommand {
    /// Read the configuration file whole, as every command and the server do, and check what they check later
    ///
    /// What is wrong is said with line and column. Nothing is changed, and no state folder is needed.
    #[command(after_help = "Example:\n  airlock config check --config /etc/airlock/airlock.toml")]
    Check {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show every key with the value that holds, and who says so: the file, a flag of `airlock serve`, or nobody
    #[command(after_help = "Example:\n  airlock config show")]
    Show(ShowArgs),
    /// Say every key: what it means, what it takes, its default, an example
    #[command(after_help = "Example:\n  airlock config reference --sample >/etc/airlock/airlock.toml")]
    Reference {
        /// Print a file to begin with in its place: every key with its default
        #[arg(long)]
        sample: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// As `airlock serve --listen`; may repeat
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(command: &ConfigCommand, ui: &mut Ui) -> Result<()> {
    match command {
        ConfigCommand::Check { config } => check(config.config.as_deref(), ui),
        ConfigCommand::Show(args) => show(args, ui),
        ConfigCommand::Reference { sample } => reference(*sample, ui),
    }
}

fn check(path: Option<&Path>, ui: &mut Ui) -> Result<()> {
    let config = Config::read(path)?;
    config.check(path)?;
    let notes = notes(&config);
    for note in &notes {
        ui.warn(escape(note));
    }
    let place = path.unwrap_or(Path::new(DEFAULT_PATH)).display().to_string();
    let said = Config::count_said(path)?;
    let human = match said {
        Some(said) => format!("{} is right: it says {}", escape(&place), counted(said as u64, "key")),
        None => format!("there is no {}: everything is as by default", escape(&place)),
    };
    ui.result(
        &json!({"file": said.map(|_| place), "keys": said, "notes": notes}),
        human,
    )
}

/// What is not wrong, and may not be meant.
pub(super) fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let files = [&config.mirror.authority, &config.mirror.credentials];
    for file in files.into_iter().flatten() {
        match file.metadata() {
            Err(_) => notes.push(format!("{} is named, and not there", file.display())),
            Ok(found) if !found.is_file() => notes.push(format!("{} is named, and is no file", file.display())),
            Ok(_) => {}
        }
    }
    notes.extend(config.interval_note());
    notes.extend(approvals_note(config));
    let server = &config.server;
    let agents = server.agents_address(&server.listen, &server.tls.listen);
    let is_local = match agents.name().parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => agents.name() == "localhost",
    };
    if is_local {
        let base = format!("{}://{}", agents.scheme(), agents.host);
        notes.push(format!(
            "agents are sent to {base}, which leads other machines to themselves; [tls] listen and names, or agents.address, say where this one is"
        ));
    }
    notes
}

/// Says why nobody could approve what has to be approved.
fn approvals_note(config: &Config) -> Option<String> {
    let asked = config.export.approvals.filter(|asked| *asked > 0)?;
    let place = config.export.keys.display();
    let why = match site_keys_file::read(&config.export.keys) {
        Err(error) => error.found().to_owned(),
        Ok(keys) if (keys.count() as u64) < asked => format!("{place} holds {}", counted(keys.count() as u64, "key")),
        Ok(_) => return None,
    };
    Some(format!(
        "export.approvals = {asked}, and no status package can be approved: {why}"
    ))
}

fn show(args: &ShowArgs, ui: &mut Ui) -> Result<()> {
    let held = Config::held(args.config.config.as_deref(), &args.listen)?;
    let lines: Vec<(String, String)> = held
        .iter()
        .map(|one| {
            let path = one.key.path();
            let line = one
                .written()
                .map_or_else(|| format!("# {path}"), |value| format!("{path} = {value}"));
            (line, one.origin.to_string())
        })
        .collect();
    let width = lines
        .iter()
        .map(|(line, _)| line.chars().count().min(60))
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = lines
        .iter()
        .map(|(line, from)| format!("{:width$}  # {from}", escape(line)))
        .collect();
    let values = held.iter().map(|one| {
        let mut value = json!(one.origin);
        if let Some(members) = value.as_object_mut() {
            members.insert("key".into(), one.key.path().into());
            members.insert("value".into(), one.value.clone());
        }
        value
    });
    ui.result(&json!({"keys": values.collect::<Vec<_>>()}), lines.join("\n"))
}

fn reference(is_sample: bool, ui: &mut Ui) -> Result<()> {
    if is_sample {
        return ui.result(&json!({"sample": sample()}), sample().trim_end());
    }
    let (mut human, mut values) = (Vec::new(), Vec::new());
    for key in Key::all() {
        let (path, default) = (key.path(), key.default());
        let said = default
            .as_deref()
            .map_or_else(|| format!("# {path}"), |value| format!("{path} = {value}"));
        human.push(format!(
            "{said}\n    {}\n    takes    {}\n    example  {} = {}",
            key.meaning(),
            key.takes,
            key.name,
            key.example
        ));
        values.push(json!({
            "key": path, "meaning": key.meaning(), "takes": key.takes, "default": default, "example": key.example,
        }));
    }
    ui.result(&json!({"keys": values}), human.join("\n"))
}
