//! The command line: the only clap, the only printing.
//!
//! Data goes to stdout (`--format human|json`), talk to stderr. Every subcommand is a file with its `Args` and its `run`.

#[cfg(feature = "site")]
mod access;
mod advice;
#[cfg(feature = "site")]
mod approval_rule;
#[cfg(feature = "site")]
mod approve;
#[cfg(feature = "site")]
mod audit;
#[cfg(feature = "site")]
mod audit_show;
#[cfg(feature = "site")]
mod backup;
#[cfg(any(feature = "vendor", feature = "site"))]
mod backup_check;
#[cfg(any(feature = "vendor", feature = "site"))]
mod backup_passphrase;
mod bundle;
mod bundle_bases;
#[cfg(feature = "vendor")]
mod bundle_create;
mod bundle_desired;
mod bundle_diff;
mod bundle_diff_targets;
mod bundle_extract;
mod bundle_opening;
#[cfg(feature = "vendor")]
mod bundle_plan;
#[cfg(feature = "vendor")]
mod bundle_repair;
#[cfg(feature = "vendor")]
mod bundle_sign;
mod bundle_verifying;
#[cfg(feature = "site")]
mod changing;
mod completion;
#[cfg(feature = "site")]
mod config;
#[cfg(any(feature = "vendor", feature = "site"))]
mod confirm;
#[cfg(feature = "site")]
mod damage_view;
#[cfg(all(feature = "site", feature = "vendor"))]
mod demo;
#[cfg(all(feature = "site", feature = "vendor"))]
mod demo_agent;
#[cfg(all(feature = "site", feature = "vendor"))]
mod demo_fixture;
#[cfg(all(feature = "site", feature = "vendor"))]
mod demo_home;
#[cfg(feature = "site")]
mod deployment_state;
#[cfg(feature = "site")]
mod disk;
#[cfg(feature = "site")]
mod doctor;
#[cfg(feature = "site")]
mod doctor_server;
#[cfg(feature = "site")]
mod doctor_units;
#[cfg(feature = "vendor")]
mod end_signals;
#[cfg(feature = "site")]
mod file;
mod file_kind;
#[cfg(feature = "site")]
mod file_output;
#[cfg(feature = "site")]
mod gc;
mod head_view;
#[cfg(feature = "site")]
mod heard_view;
#[cfg(feature = "site")]
mod hidden;
#[cfg(feature = "vendor")]
mod image_lists;
#[cfg(feature = "site")]
mod import;
#[cfg(feature = "site")]
mod init;
#[cfg(feature = "vendor")]
mod instant;
#[cfg(feature = "vendor")]
mod ledger_answers;
#[cfg(feature = "vendor")]
mod ledger_papers;
#[cfg(feature = "edge")]
mod mirror;
#[cfg(any(feature = "vendor", feature = "site"))]
mod moment;
#[cfg(feature = "site")]
mod name_changes;
#[cfg(feature = "site")]
mod notify;
#[cfg(feature = "site")]
mod operator;
mod output_place;
#[cfg(feature = "site")]
mod package_args;
mod package_folder;
#[cfg(any(feature = "vendor", feature = "site"))]
mod passphrase;
#[cfg(feature = "site")]
mod recover;
#[cfg(feature = "site")]
mod release;
#[cfg(feature = "site")]
mod release_activate;
#[cfg(feature = "site")]
mod release_plan;
#[cfg(feature = "site")]
mod release_remove;
#[cfg(feature = "site")]
mod removal_plan;
#[cfg(feature = "site")]
mod restore;
#[cfg(feature = "site")]
mod scope_names;
#[cfg(feature = "site")]
mod scrub;
#[cfg(feature = "site")]
mod secret;
#[cfg(feature = "site")]
mod secret_list;
#[cfg(feature = "site")]
mod secret_plan;
#[cfg(feature = "site")]
mod secret_release;
#[cfg(feature = "site")]
mod serve;
mod signature_file;
mod site_keys_file;
#[cfg(feature = "site")]
mod site_view;
#[cfg(feature = "site")]
mod snippet;
#[cfg(feature = "site")]
mod state_folder;
mod status;
#[cfg(feature = "site")]
mod status_acknowledge;
#[cfg(feature = "site")]
mod status_export;
#[cfg(feature = "site")]
mod status_list;
#[cfg(feature = "site")]
mod status_preview;
#[cfg(feature = "vendor")]
mod status_replay;
#[cfg(feature = "site")]
mod status_rotate_key;
#[cfg(feature = "vendor")]
mod status_show;
#[cfg(feature = "vendor")]
mod status_site;
#[cfg(feature = "vendor")]
mod status_stream;
#[cfg(feature = "site")]
mod status_summary;
mod status_verify;
mod status_verify_guard;
#[cfg(feature = "vendor")]
mod status_verify_ledger;
#[cfg(feature = "vendor")]
mod status_verify_summary;
mod summary_text;
mod table;
#[cfg(feature = "site")]
mod target;
#[cfg(feature = "site")]
mod target_away;
#[cfg(feature = "site")]
mod target_find;
#[cfg(feature = "site")]
mod target_free;
#[cfg(feature = "site")]
mod target_list;
#[cfg(feature = "site")]
mod target_state;
#[cfg(feature = "site")]
mod target_watch;
#[cfg(feature = "vendor")]
mod times;
#[cfg(feature = "site")]
mod trust;
mod trust_file;
mod ui;
#[cfg(feature = "vendor")]
mod vendor;
#[cfg(feature = "vendor")]
mod vendor_ack;
#[cfg(feature = "vendor")]
mod vendor_backup;
#[cfg(feature = "vendor")]
mod vendor_ledger;
#[cfg(feature = "vendor")]
mod vendor_release;
#[cfg(feature = "vendor")]
mod vendor_restore;
#[cfg(feature = "vendor")]
mod vendor_trust;
mod volume_view;
#[cfg(feature = "site")]
mod waiting_view;
#[cfg(feature = "vendor")]
mod workspace_folder;
mod wrap;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum as _};

pub use ui::{Format, Ui};

use crate::domain::{Class, Error, Result};

/// Carry software, and the truth about what runs, across a gap that no network crosses.
#[derive(Debug, Parser)]
#[command(name = "airlock", version, long_version = long_version(), max_term_width = 100)]
struct Cli {
    /// How results are written to stdout: for people or as JSON
    #[arg(long, global = true, value_parser = common_format(), default_value = "human")]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

/// What `--version` says: the program, and whose verdicts it repeats.
fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        #[cfg(feature = "vendor")]
        let text = format!(
            "{}\ncompose files are judged as docker compose {} judges them",
            env!("CARGO_PKG_VERSION"),
            crate::vendor_side::compose::COMPOSE_VERSION
        );
        #[cfg(not(feature = "vendor"))]
        let text = env!("CARGO_PKG_VERSION").to_owned();
        text
    });
    &TEXT
}

/// The formats that every command knows. One that gives facts for other tools has the option again, with more.
fn common_format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["human", "json"]).try_map(|text| Format::from_str(&text, false))
}

// What a command takes is built when that command is meant: all of it takes longer than most commands do. What the list of commands says of
// each therefore stands here, too; a test compares them. Structs that are flattened have no documentation, which would take the place of the
// command's. The lists of `status` and `vendor ledger` are built at once: some of their commands have a --format of their own.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Run the whole path on this machine: vendor, bundle, import, registry
    #[cfg(all(feature = "site", feature = "vendor"))]
    Demo(demo::DemoArgs),
    #[cfg(feature = "vendor")]
    /// Make and keep a vendor's workspace: keys, trust root, known sites
    #[command(subcommand)]
    Vendor(vendor::VendorCommand),
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// Make this machine an appliance: identity, databases, pinned roots, enrolment file
    #[cfg(feature = "site")]
    Init(init::InitArgs),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Verify a bundle, store it, and make its release live
    #[cfg(feature = "site")]
    Import(import::ImportArgs),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    File(file::FileCommand),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    Target(target::TargetCommand),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    Access(access::AccessCommand),
    /// Print a script that makes an engine trust this appliance, and find in it what is named elsewhere
    #[cfg(feature = "site")]
    Snippet(snippet::SnippetArgs),
    /// Copy what is live into another registry of the site
    #[cfg(feature = "edge")]
    Mirror(mirror::MirrorArgs),
    /// Serve the live releases: registry, agents, health
    #[cfg(feature = "site")]
    Serve(serve::ServeArgs),
    #[command(subcommand)]
    Status(status::StatusCommand),
    /// Approve the draft of a status package: exactly these bytes may leave
    #[cfg(feature = "site")]
    Approve(approve::ApproveArgs),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Say that the state folder was put back from a copy, that another one like it is in use, or that its token key is lost
    #[cfg(feature = "site")]
    Recover(recover::RecoverArgs),
    /// Make a backup of the appliance: keys, pins, log, agents, what was not told yet; encrypted with a passphrase
    #[cfg(feature = "site")]
    Backup(backup::BackupArgs),
    /// Put a backup of the appliance back into a new or empty folder, as another life of it
    #[cfg(feature = "site")]
    Restore(restore::RestoreArgs),
    /// Let go of releases that nobody needs, and of content that no release has
    #[cfg(feature = "site")]
    Gc(gc::GcArgs),
    /// Show who uses what of the disk: vendors, products, releases, and everything beside content
    #[cfg(feature = "site")]
    Disk(disk::DiskArgs),
    /// Hash all stored content anew, no faster than is said, and set aside what is not what was imported
    #[cfg(feature = "site")]
    Scrub(scrub::ScrubArgs),
    /// Say how everything here is: a verdict, a sentence and a remedy for each part
    #[cfg(feature = "site")]
    Doctor(doctor::DoctorArgs),
    #[cfg(feature = "site")]
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the completion script of a shell
    Completion(completion::CompletionArgs),
}

/// Parses the command line, runs the command, and returns the documented exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout with exit 0, mistakes to stderr with exit 2, and quote what they do not understand.
            let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
            Ui::usage(error, wanted_format());
            return code;
        }
    };
    let mut ui = Ui::new(cli.format);
    #[cfg(feature = "site")]
    if let Err(error) = crate::confine::no_dumps() {
        ui.refuse(&error.with_a_remedy());
        return ExitCode::from(Class::State.exit_code());
    }
    #[cfg(feature = "site")]
    crate::db::site::audit::operated_by(operator::operator());
    // A bug must not look like any documented refusal; the panic itself has already said where it happened.
    let result = panic::catch_unwind(AssertUnwindSafe(|| run(cli.command, &mut ui))).unwrap_or_else(|_| {
        Err(
            Error::new(Class::Internal, "panic", "airlock met a situation it has no answer for")
                .expected("no panic, whatever the input")
                .remedy("keep the input and report it; nothing half done was made visible"),
        )
    });
    #[cfg(feature = "site")]
    let result = changing::end(result);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = error.with_a_remedy();
            ui.refuse(&error);
            ExitCode::from(error.class().exit_code())
        }
    }
}

/// The format that a command line asks for which is not understood.
fn wanted_format() -> Format {
    let words: Vec<_> = std::env::args_os().collect();
    let behind = words
        .windows(2)
        .filter(|pair| pair.iter().take(1).any(|word| word == "--format"));
    let behind = behind
        .filter_map(|pair| pair.get(1))
        .map(|word| word.to_string_lossy().into_owned());
    let within = words
        .iter()
        .filter_map(|word| word.to_string_lossy().strip_prefix("--format=").map(ToOwned::to_owned));
    let mut wanted = behind
        .chain(within)
        .filter_map(|word| Format::from_str(&word, true).ok());
    wanted.next().unwrap_or(Format::Human)
}

fn run(command: Command, ui: &mut Ui) -> Result<()> {
    match command {
        #[cfg(all(feature = "site", feature = "vendor"))]
        Command::Demo(args) => demo::run(&args, ui),
        #[cfg(feature = "vendor")]
        Command::Vendor(command) => vendor::run(command, ui),
        Command::Bundle(command) => bundle::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Init(args) => init::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Trust(command) => trust::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Import(args) => import::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Release(command) => release::run(&command, ui),
        #[cfg(feature = "site")]
        Command::File(command) => file::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Target(command) => target::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Secret(command) => secret::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Access(command) => access::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Snippet(args) => snippet::run(&args, ui),
        #[cfg(feature = "edge")]
        Command::Mirror(args) => mirror::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Serve(args) => serve::run(args, ui),
        Command::Status(command) => status::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Approve(args) => approve::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Audit(command) => audit::run(&command, ui),
        #[cfg(feature = "site")]
        Command::Recover(args) => recover::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Backup(args) => backup::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Restore(args) => restore::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Gc(args) => gc::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Disk(args) => disk::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Scrub(args) => scrub::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Doctor(args) => doctor::run(&args, ui),
        #[cfg(feature = "site")]
        Command::Config(command) => config::run(&command, ui),
        Command::Completion(args) => completion::run(&args, &mut Cli::command(), ui),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists what a list of commands says otherwise than the commands themselves, which are built when they are meant.
    fn otherwise(list: &clap::Command, built: &clap::Command, wrong: &mut Vec<String>) {
        for named in list.get_subcommands() {
            let own = built.find_subcommand(named.get_name()).unwrap();
            let [listed, own_words] = [named, own].map(|command| command.get_about().map(ToString::to_string));
            if listed.is_none() || listed != own_words {
                wrong.push(format!("{}: {listed:?}, itself {own_words:?}", named.get_name()));
            }
            otherwise(named, own, wrong);
        }
    }

    /// Lists lines below a command's options that a terminal would wrap: what is printed there is pasted.
    fn too_wide(path: &str, command: &clap::Command, wrong: &mut Vec<String>) {
        for text in [command.get_after_help(), command.get_after_long_help()]
            .into_iter()
            .flatten()
        {
            let text = text.to_string();
            wrong.extend(
                text.lines()
                    .filter(|line| line.chars().count() > 100)
                    .map(|line| format!("{path}: {line}")),
            );
        }
        for deeper in command.get_subcommands() {
            too_wide(&format!("{path} {}", deeper.get_name()), deeper, wrong);
        }
    }

    #[test]
    fn examples_fit_the_width_of_help() {
        let (mut built, mut wrong) = (Cli::command(), Vec::new());
        built.build();
        too_wide("airlock", &built, &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_list_of_commands_says_of_each_what_it_says_itself() {
        let (list, mut built, mut wrong) = (Cli::command(), Cli::command(), Vec::new());
        built.build();
        otherwise(&list, &built, &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(list.get_subcommands().count() > 3);
    }
}
