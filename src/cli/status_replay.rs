//! `airlock status replay`: what sites told goes into a hub.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use zeroize::Zeroizing;

use super::passphrase;
use super::ui::{Ui, escape};
use super::workspace_folder::WorkspaceArgs;
use crate::domain::{Class, Error, Result, SiteId, SystemClock, counted};
use crate::vendor_side::ledger::replay::{
    Access, Bounds, Event, HubAddress, HubSecrets, Lines, Options, Refusal, Replayed, SiteReport, SystemPace, Tally,
    TargetReport, replay,
};
use crate::vendor_side::{Workspace, find_site as find};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the command line")]
pub(super) struct ReplayArgs {
    /// Address of the hub, with its scheme
    #[arg(long, value_name = "URL")]
    hub: String,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// File with the hub-side secrets of targets: {"targets":[{"secret":"…","target":"UUID"}]}
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    credentials: Option<PathBuf>,
    /// File whose first line is a token of the hub's API: statuses whose answer nobody saw are looked for before they are sent again
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Have the hub give a new secret to each target that the credentials do not name, and write it there (FILE may be new). The one that
    /// the target has ends at once: refused where another agent reports
    #[arg(long, requires = "token_file", requires = "credentials")]
    access_request: bool,
    /// One site alone, by its name or id; it reports for the targets that have no site of their own, too
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// Say what would be sent; nothing is, and no connection is made
    #[arg(long)]
    dry_run: bool,
    /// Send statuses and samples once more that the hub refused before
    #[arg(long)]
    retry_refused: bool,
    /// Seconds that a hub which does not answer is waited for, all tries of one item together; one that answers to come back later is tried
    /// six times, when it says or with pauses of 1 to 16 seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 240, value_parser = clap::value_parser!(u32).range(1..=3600))]
    patience: u32,
    /// Let secrets and reports go over plain HTTP to another machine
    #[arg(long)]
    plain_http: bool,
    /// File with further CA certificates, PEM (may repeat)
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_files: Vec<PathBuf>,
}

pub(super) fn run(args: &ReplayArgs, ui: &mut Ui) -> Result<()> {
    let hub = HubAddress::parse(&args.hub, args.plain_http)?;
    let workspace = args.workspace.open()?;
    let site = args
        .site
        .as_deref()
        .map(|text| find_site(&workspace, text))
        .transpose()?;
    let secrets = match &args.credentials {
        Some(path) => HubSecrets::read(path, args.access_request)?,
        None => HubSecrets::none(),
    };
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    let options = Options {
        hub,
        site,
        dry_run: args.dry_run,
        retry_refused: args.retry_refused,
        ca_files: args.ca_files.clone(),
        bounds: bounds(args.patience),
    };
    let access = Access {
        secrets,
        token,
        may_rotate: args.access_request,
    };
    let mut lines = 0_u64;
    let replayed = replay(
        &workspace,
        &options,
        access,
        &SystemPace::default(),
        &SystemClock,
        &mut |event| tell(ui, &mut lines, &event),
    )?;
    ui.result(&replayed, human(&replayed))?;
    let without = replayed.without_secret();
    if without > 0 {
        ui.warn(format_args!(
            "no secret is given of {}: nothing was sent there",
            counted(without, "target")
        ));
    }
    replayed.verdict()
}

/// How long the hub is waited for, by the seconds for one item. One that is soon given up is soon spoken of.
fn bounds(patience: u32) -> Bounds {
    let (item, usual) = (Duration::from_secs(patience.into()), Bounds::default());
    Bounds {
        item,
        notice: usual.notice.min(item / 2),
        ..usual
    }
}

/// Reads a token of the hub's API.
fn read_token(path: &Path) -> Result<Zeroizing<String>> {
    let token = passphrase::first_line(path, "the token file")?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(
            Class::Usage,
            "token-file",
            format!("the first line of {} is no token", path.display()),
        )
        .expected("a token of the hub's API, such as distr-… and 32 hex digits")
        .remedy("put the token on the first line of that file"));
    }
    Ok(token)
}

fn tell(ui: &mut Ui, lines: &mut u64, event: &Event<'_>) {
    match event {
        Event::Waiting { pause, found } => {
            ui.say(format_args!(
                "waiting {} s for the hub: {}",
                pause.as_secs(),
                escape(found)
            ));
        }
        Event::Silent { since, until } => ui.say(format_args!(
            "the hub has not answered for {:.0} s; the request is given up after {:.0} s",
            since.as_secs_f64(),
            until.as_secs_f64()
        )),
        Event::Lines(more) => {
            let before = *lines;
            *lines = lines.saturating_add(*more);
            // A line now and then, for what takes minutes.
            if *lines / 100_000 > before / 100_000 {
                ui.say(format_args!("{lines} lines of logs so far"));
            }
        }
        Event::Target { .. } | Event::Reading { .. } => {}
    }
}

fn find_site(workspace: &Workspace, text: &str) -> Result<SiteId> {
    workspace.ledger()?.read(|connection| Ok(find(connection, text)?.site))
}

fn human(replayed: &Replayed) -> String {
    let verb = if replayed.dry_run { "would go to" } else { "to" };
    let mut text = format!("{verb} {}", escape(&replayed.hub));
    if replayed.sites.is_empty() {
        text += "\nno site has told anything yet";
    }
    for site in &replayed.sites {
        text += &of_site(site);
    }
    text
}

fn of_site(site: &SiteReport) -> String {
    let mut text = format!("\n{} ({})", escape(&site.name), site.site);
    for target in &site.targets {
        text += &of_target(target);
    }
    for file in &site.files {
        text += &format!(
            "\n  {}: {}; its lines of logs are not sent",
            escape(&file.file),
            escape(&file.found)
        );
    }
    if !site.undelivered.is_empty() {
        text += "\n  not delivered";
    }
    for undelivered in &site.undelivered {
        text += &format!(
            "\n    {:>8}  {}: {}",
            undelivered.count, undelivered.what, undelivered.why
        );
    }
    text
}

fn of_target(target: &TargetReport) -> String {
    let parts = [
        states("status", "statuses", &target.statuses),
        states("sample", "samples", &target.metrics),
        lines("lines of containers", &target.lines),
        lines("lines of the agent", &target.agent_lines),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mut text = format!("\n  target {}", target.target);
    if !parts.is_empty() {
        text += &format!("  {}", parts.join("; "));
    }
    for refusal in &target.refused {
        text += &of_refusal(refusal);
    }
    if let Some(left) = &target.left {
        text += &format!("\n    left: {} ({})", escape(&left.found), left.code);
    }
    text
}

fn of_refusal(refusal: &Refusal) -> String {
    let what = match refusal.what {
        "status" if refusal.count == 1 => "1 status".to_owned(),
        "status" => format!("{} statuses", refusal.count),
        "metrics" => counted(refusal.count, "sample"),
        "lines" => format!("{} with lines of containers", counted(refusal.count, "request")),
        _ => format!("{} with lines of the agent", counted(refusal.count, "request")),
    };
    format!("\n    refused: {what}: {}", escape(&refusal.reason))
}

/// Says what became of items; nothing where there were none.
fn states(one: &str, many: &str, tally: &Tally) -> Option<String> {
    let counts = [
        (tally.waiting, "to send"),
        (tally.sent, "sent"),
        (tally.perhaps_twice, "of them perhaps twice"),
        (tally.already, "sent before"),
        (tally.refused, "refused by the hub"),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let total = [tally.waiting, tally.sent, tally.already, tally.refused]
        .into_iter()
        .fold(0, u64::saturating_add);
    let word = if total == 1 { one } else { many };
    (!parts.is_empty()).then(|| format!("{word}: {}", parts.join(", ")))
}

fn lines(what: &str, lines: &Lines) -> Option<String> {
    let mut parts = Vec::new();
    if lines.waiting > 0 {
        parts.push(format!("{} to send", lines.waiting));
    }
    if lines.sent > 0 {
        parts.push(format!("{} sent in {}", lines.sent, counted(lines.requests, "request")));
    }
    if lines.partly > 0 {
        parts.push(format!(
            "{} partly stored (the hub says 400), not repeated",
            lines.partly
        ));
    }
    if lines.repeated > 0 {
        parts.push(format!(
            "{} sent once more, harmlessly",
            counted(lines.repeated, "request")
        ));
    }
    (!parts.is_empty()).then(|| format!("{what}: {}", parts.join(", ")))
}
