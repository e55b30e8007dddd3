//! `airlock doctor`: how everything of an appliance is, with what to do where it is not well.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Ui;
use super::config::notes;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::escape;
use super::{doctor_server, doctor_units};
use crate::appliance::doctor::{Finding, Verdict, examine};
use crate::config::{Config, DEFAULT_PATH};
use crate::crypto::only_its_owner_reads;
use crate::domain::{Class, Clock as _, Error, Result, SystemClock, Timestamp, counted};
use crate::stream::OTHER_USER;

/// A certificate that ends sooner is one to renew now, in seconds.
const SOON: i64 = 30 * 86_400;

/// Say how everything here is: a verdict, a sentence and a remedy for each part
///
/// Looks at state folder, databases, keys, log, trust, alarms, content, agents, certificates, clock, disk, units and configuration, beside a
/// running server too, and changes nothing. What should be looked at ends well; what is broken ends with the exit code of the worst of it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  airlock doctor\n  airlock --format json doctor | jq '.findings[] | select(.verdict != \"good\")'"
)]
pub(super) struct DoctorArgs {
    /// Folder of units in place of those of systemd; may repeat
    #[arg(long, value_name = "DIR")]
    units: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &DoctorArgs, ui: &mut Ui) -> Result<()> {
    let now = SystemClock.now();
    let mut findings = examine(&args.state.state, now);
    advise(&mut findings, &args.state);
    let is_clock_good = findings
        .iter()
        .all(|finding| finding.part != "clock" || finding.verdict != Verdict::Broken);
    // Nothing in another user's folder is touched.
    let is_ours = findings
        .iter()
        .all(|finding| finding.part != "permissions" || finding.verdict == Verdict::Good);
    findings.extend(configuration(
        args.config.config.as_deref(),
        is_clock_good.then_some(now),
    ));
    findings.push(doctor_units::look(&args.units));
    if is_ours {
        findings.extend(doctor_server::look(&args.state.state));
    }
    print(&findings, ui)?;
    let broken: Vec<Class> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Broken)
        .filter_map(|finding| finding.error.map(|(class, _)| class))
        .collect();
    match broken.iter().max_by_key(|class| class.exit_code()) {
        None => Ok(()),
        Some(worst) => Err(Error::new(
            *worst,
            "doctor",
            format!(
                "of {}, {} broken",
                counted(findings.len() as u64, "finding"),
                is_are(broken.len())
            ),
        )
        .remedy("do what stands beside each, then run `airlock doctor` again")),
    }
}

/// Says of another user's state folder how its owner gives this command, as every other command does.
fn advise(findings: &mut [Finding], state: &StateArgs) {
    for finding in findings {
        let Some((class, code)) = finding.error else { continue };
        let error = Error::new(class, code, finding.what.clone());
        if error.is(OTHER_USER)
            && let Some(advice) = state.advise(error).advice()
        {
            finding.remedy = Some(advice.to_owned());
        }
    }
}

fn is_are(count: usize) -> String {
    format!("{count} {}", if count == 1 { "is" } else { "are" })
}

fn print(findings: &[Finding], ui: &mut Ui) -> Result<()> {
    let worst = findings.iter().map(|finding| finding.verdict).max();
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!(
            "{:7} {:13} {}",
            finding.verdict.as_str(),
            finding.part,
            escape(&finding.what)
        ));
        if let Some(remedy) = &finding.remedy {
            lines.push(format!("{:21} -> {}", "", escape(remedy)));
        }
    }
    let values: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "part": finding.part, "verdict": finding.verdict.as_str(), "what": finding.what, "remedy": finding.remedy,
                "error": finding.error.map(|(class, code)| format!("{class} {code}")),
            })
        })
        .collect();
    ui.result(
        &json!({"verdict": worst.map(Verdict::as_str), "findings": values}),
        lines.join("\n"),
    )
}

/// The file, what it names, and a certificate of the site's own.
fn configuration(path: Option<&Path>, clock: Option<Timestamp>) -> Vec<Finding> {
    let part = "configuration";
    let read = Config::read(path).and_then(|config| config.check(path).map(|()| config));
    let config = match read {
        Ok(config) => config,
        Err(error) => return vec![Finding::broken(part, &error)],
    };
    let place = path.unwrap_or(Path::new(DEFAULT_PATH));
    let mut found: Vec<Finding> = notes(&config)
        .into_iter()
        .map(|note| Finding::look(part, &Error::new(Class::Usage, "config", note).settled()))
        .map(|finding| Finding {
            remedy: None,
            ..finding
        })
        .collect();
    let secrets = [
        (
            "the file of credentials",
            config.mirror.credentials.as_deref(),
            "the login in it",
        ),
        (
            "the key of the certificate",
            config.server.tls.own.as_ref().map(|own| own.key.as_path()),
            "the key and its certificate",
        ),
    ];
    found.extend(
        writable(place)
            .err()
            .map(|error| Finding::broken("permissions", &error)),
    );
    for (what, path, inside) in secrets {
        let Some(path) = path else { continue };
        let Ok(metadata) = path.metadata() else { continue };
        let what = format!("{what} {}", path.display());
        let only = only_its_owner_reads(&what, path, metadata.mode(), inside);
        found.extend(only.err().map(|error| Finding::broken("permissions", &error)));
    }
    found.extend(certificate(&config, clock));
    if found.iter().all(|finding| finding.part != part) {
        found.push(Finding::good(part, "it is right, and what it names is there"));
    }
    found
}

/// Says whether somebody else may write what every command goes by.
fn writable(path: &Path) -> Result<()> {
    let Ok(metadata) = path.metadata() else { return Ok(()) };
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::new(
        Class::State,
        "writable",
        format!("others than its owner may write {} (mode {mode:o})", path.display()),
    )
    .remedy(format!("find out who did write it; then chmod go-w {}", path.display())))
}

fn certificate(config: &Config, clock: Option<Timestamp>) -> Option<Finding> {
    let part = "certificates";
    match config.server.examine_own_certificate(clock) {
        Ok(None) => None,
        Ok(Some(until)) if clock.is_none_or(|now| until > now.plus_seconds(SOON)) => Some(Finding::good(
            part,
            format!("the site's own certificate is good until {until}"),
        )),
        Ok(Some(until)) => {
            let error = Error::new(
                Class::Expired,
                "certificate",
                format!("the site's own certificate is good until {until} only"),
            )
            .remedy("put a renewed one into the files that [tls] names: a server that runs takes it up by itself");
            Some(Finding::look(part, &error))
        }
        Err(error) => Some(Finding::broken(part, &error)),
    }
}
