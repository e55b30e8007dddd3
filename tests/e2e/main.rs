//! End to end: real registries, real clients, the built binary, nothing replaced.
//!
//! The cases share one world (a registry with real images, two bundles made from it), and each makes the sites it needs, so
//! that any one of them can run alone: `cargo test --test e2e -- NAME`.
//!
//! Where there is no Docker, or no right to use it, the run says so and skips; with `AIRLOCK_E2E=1` that is a failure instead.
//! The executed cases are printed at the end; continuous integration compares them with `cases.txt`.
//!
//! Everything started here is ended here, by process id. Nothing speaks to another machine but `debootstrap` and `apt-get`,
//! once, for what the images are made of.
#![expect(
    clippy::disallowed_methods,
    reason = "the rules for reading and replacing files guard the product's state, not the test's own folders"
)]

#[path = "../agent/mod.rs"]
mod agent;
mod airlock;
mod applications;
mod clients;
mod compose;
mod conformance;
mod crossing;
mod deltas;
mod demo;
mod deploy;
mod engines;
mod http;
mod images;
mod isolation;
mod kept;
mod kubernetes;
mod layers;
mod plant;
mod process;
mod registry;
mod shop;
mod source;
mod switching;
mod transport;
mod unit;
mod ways_out;
mod world;

use std::error::Error;
use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;
use std::time::Instant;

use crate::process::Program;
use crate::world::World;

/// How a case, or a step of it, ends.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A case: its name as in `cases.txt`, and what it does.
type Case = (&'static str, fn(&World) -> Outcome);

/// Programs without which no case can run.
const PROGRAMS: [&str; 17] = [
    "docker",
    "podman",
    "skopeo",
    "docker-registry",
    "debootstrap",
    "busybox",
    "htpasswd",
    "openssl",
    "strace",
    "unshare",
    "nsenter",
    "setpriv",
    "ip",
    "curl",
    "mformat",
    "fusefat",
    "systemd-analyze",
];

/// Fails with a text.
pub(crate) fn failure<T>(text: impl Into<String>) -> Outcome<T> {
    Err(text.into().into())
}

/// Fails with a text unless something holds.
pub(crate) fn ensure(holds: bool, text: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { failure(text()) }
}

/// A program that a case needs and that is not installed. Without `AIRLOCK_E2E`, or when `AIRLOCK_E2E_WITHOUT` names the program,
/// the case is left out and the run says so; else it fails.
#[derive(Debug)]
struct NotHere(&'static str);

impl std::fmt::Display for NotHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not installed", self.0)
    }
}

impl Error for NotHere {}

/// Fails when a program does not start.
pub(crate) fn needs(program: &'static str) -> Outcome {
    match Program::new(program).arg("--help").run() {
        Ok(_) => Ok(()),
        Err(_) => Err(NotHere(program).into()),
    }
}

/// Whether a case may be left out for what it needs.
fn may_be_left_out(missing: &NotHere) -> bool {
    let named = std::env::var("AIRLOCK_E2E_WITHOUT").unwrap_or_default();
    std::env::var_os("AIRLOCK_E2E").is_none() || named.split_whitespace().any(|name| name == missing.0)
}

/// All cases, in the order of `cases.txt`.
const CASES: &[Case] = &[
    ("demo_once", demo::demo_once),
    ("demo_lines_work_as_printed", demo::demo_lines_work_as_printed),
    (
        "source_registry_serves_what_clients_pushed",
        source::serves_what_clients_pushed,
    ),
    (
        "bundle_is_inspected_and_verified",
        crossing::bundle_is_inspected_and_verified,
    ),
    (
        "first_bundle_takes_six_commands",
        engines::first_bundle_takes_six_commands,
    ),
    (
        "engines_and_archives_are_sources",
        engines::engines_and_archives_are_sources,
    ),
    (
        "registries_are_reached_as_podman_reaches_them",
        engines::registries_are_reached_as_podman_reaches_them,
    ),
    ("every_digest_is_the_sources", crossing::every_digest_is_the_sources),
    ("docker_pulls_and_runs", crossing::docker_pulls_and_runs),
    ("podman_pulls_and_runs", crossing::podman_pulls_and_runs),
    ("skopeo_copies_every_digest", crossing::skopeo_copies_every_digest),
    (
        "referrers_and_signatures_cross",
        crossing::referrers_and_signatures_cross,
    ),
    ("pull_and_discovery_conform", conformance::pull_and_discovery_conform),
    ("oras_discovers_and_copies", conformance::oras_discovers_and_copies),
    ("bundle_for_one_enrolled_site", crossing::bundle_for_one_enrolled_site),
    ("bundle_through_a_pipe", transport::bundle_through_a_pipe),
    ("bundle_on_a_fat_stick", transport::bundle_on_a_fat_stick),
    ("volumes_on_three_fat_sticks", transport::volumes_on_three_fat_sticks),
    (
        "flipped_bit_is_refused_while_serving",
        transport::flipped_bit_is_refused_while_serving,
    ),
    (
        "second_release_goes_live_while_serving",
        switching::second_release_goes_live_while_serving,
    ),
    (
        "hundred_clients_across_fifty_activations",
        switching::hundred_clients_across_fifty_activations,
    ),
    ("works_without_any_network", isolation::works_without_any_network),
    (
        "system_calls_show_only_loopback",
        isolation::system_calls_show_only_loopback,
    ),
    (
        "unit_starts_under_its_restrictions",
        unit::unit_starts_under_its_restrictions,
    ),
    (
        "application_is_deployed_updated_and_removed",
        deploy::application_is_deployed_updated_and_removed,
    ),
    (
        "appliance_away_harms_no_workload",
        deploy::appliance_away_harms_no_workload,
    ),
    (
        "earlier_release_is_applied_again",
        deploy::earlier_release_is_applied_again,
    ),
    (
        "engine_needs_trust_and_credentials",
        deploy::engine_needs_trust_and_credentials,
    ),
    (
        "five_applications_run_with_their_secrets",
        applications::five_applications_run_with_their_secrets,
    ),
    (
        "layers_of_real_tools_are_rebuilt",
        layers::layers_of_real_tools_are_rebuilt,
    ),
    (
        "a_layer_is_updated_by_what_changed",
        deltas::a_layer_is_updated_by_what_changed,
    ),
    (
        "manifests_fit_the_published_schemas",
        kubernetes::manifests_fit_the_published_schemas,
    ),
    ("helm_pulls_and_renders", kubernetes::helm_pulls_and_renders),
    (
        "layouts_are_read_by_other_tools",
        ways_out::layouts_are_read_by_other_tools,
    ),
    (
        "credentials_and_snippets_lead_engines_here",
        ways_out::credentials_and_snippets_lead_engines_here,
    ),
    (
        "live_content_is_copied_into_a_registry",
        ways_out::live_content_is_copied_into_a_registry,
    ),
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(101),
        Err(error) => {
            say(&format!("e2e: {error}"));
            ExitCode::from(101)
        }
    }
}

/// Runs what the command line asks for, in the words of the test runner that cargo users know. Says whether all went well.
fn run() -> Outcome<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for name in &names {
            say(&format!("{name}: test"));
        }
        return Ok(true);
    }
    let listed: Vec<&str> = include_str!("cases.txt").lines().collect();
    ensure(names == listed, || {
        format!("tests/e2e/cases.txt lists {listed:?}, and the program knows {names:?}")
    })?;
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen: Vec<&Case> = CASES
        .iter()
        .filter(|(name, _)| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())))
        .collect();
    let left_out = CASES.len() - chosen.len();
    say(&format!("\nrunning {} end-to-end cases", chosen.len()));
    if let Err(missing) = possible() {
        ensure(std::env::var_os("AIRLOCK_E2E").is_none(), || {
            format!("AIRLOCK_E2E is set, and these tests cannot run here: {missing}")
        })?;
        say(&format!("e2e: SKIPPED, these tests cannot run here: {missing}"));
        say(&format!(
            "\ntest result: ok. 0 passed; 0 failed; {} ignored; 0 measured; {left_out} filtered out; finished in 0.00s",
            chosen.len()
        ));
        return Ok(true);
    }
    let started = Instant::now();
    let (mut failures, mut ignored) = (Vec::new(), 0);
    let world = World::new()?;
    for (name, case) in &chosen {
        let began = Instant::now();
        match case(&world) {
            Ok(()) => say(&format!("test {name} ... ok")),
            Err(error) if error.downcast_ref::<NotHere>().is_some_and(may_be_left_out) => {
                say(&format!("test {name} ... ignored, {error}"));
                ignored += 1;
            }
            Err(error) => {
                say(&format!("test {name} ... FAILED"));
                failures.push(format!("---- {name} ----\n{error}\n"));
            }
        }
        writeln!(stderr(), "     ({name}: {:.1} s)", began.elapsed().as_secs_f64())?;
    }
    drop(world);
    for text in &failures {
        say(text);
    }
    say(&format!(
        "\ntest result: {}. {} passed; {} failed; {ignored} ignored; 0 measured; {left_out} filtered out; finished in {:.2}s",
        if failures.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failures.len() - ignored,
        failures.len(),
        started.elapsed().as_secs_f64()
    ));
    Ok(failures.is_empty())
}

/// Whether the cases can run on this machine; if not, what is missing.
fn possible() -> Outcome {
    for program in PROGRAMS {
        if Program::new(program).arg("--help").run().is_err() {
            return failure(format!("no Docker test bed: the program `{program}` is not installed"));
        }
    }
    let said = Program::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .run()?;
    ensure(said.status.success(), || {
        format!("no Docker: the daemon does not answer ({})", said.stderr.trim())
    })?;
    ensure(rustix::process::geteuid().is_root(), || {
        "root is needed, for debootstrap and for network namespaces".to_owned()
    })
}

fn say(line: &str) {
    // Nobody is left to tell when stdout is gone.
    writeln!(stdout(), "{line}").ok();
}
