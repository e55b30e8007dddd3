//! `airlock serve`: answer clients until SIGTERM or SIGINT.
//!
//! In this order: configuration, the state's first checks, sockets, giving up powers ([`crate::confine`]), threads, `READY=1`. What takes the
//! longer the more targets there are is loaded beside that: content is served meanwhile, and agents wait for it.
//! Logs go to stderr, at the level of `$AIRLOCK_LOG` (`info` by default; filters as in `info,airlock::pull=debug`); with `--format json` as one
//! JSON object a line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::advice::quoted;
use super::approval_rule;
use super::notify::ServiceManager;
use super::scope_names::ScopeNames;
use super::site_view::site_view;
use super::state_folder::StateArgs;
use super::ui::{Format, Ui};
use crate::appliance::Authority;
use crate::appliance::acknowledgement::Standing;
use crate::appliance::fleet::Hub;
use crate::appliance::registry::{Asked, Example, Reference, Registry, Snapshot};
use crate::appliance::status::StatusBuffer;
use crate::config::Config;
use crate::confine;
use crate::domain::{Class, Error, RepositoryName, Result, Scope, Tag, shown};
use crate::http::{AgentsAddress, ReadPolicy, Server, Services};

/// Serve the live releases: registry, agents, health
#[derive(Debug, Args)]
#[command(after_long_help = format!("Examples:\n  airlock serve --listen 127.0.0.1:5000\n  AIRLOCK_LOG=info,airlock::pull=debug airlock serve   # a line for each request\n\nThe configuration file:\n\n{}", crate::config::sample().trim_end()))]
pub(super) struct ServeArgs {
    /// Address to listen on, in place of those of the configuration; may repeat
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// Configuration file [default: /etc/airlock/airlock.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

/// Serves until a signal ends it.
pub(super) fn run(args: ServeArgs, ui: &mut Ui) -> Result<()> {
    let mut config = Config::read(args.config.as_deref())?;
    if !args.listen.is_empty() {
        config.server.listen = args.listen;
    }
    config.server.check()?;
    start_log(ui.format())?;
    // First of all the limit of open files is raised: the databases take some too.
    let bound = Server::bind(config.server.clone())?;
    let (appliance, live) = args.state.open_to_serve(&config, ui)?;
    if appliance.unreadable().is_none() {
        approval_rule::asked(&appliance, &config.export, ui)?;
    }
    let registry = Arc::new(Registry::new(&live)?);
    let agents = bound.agents_address();
    let authority = if bound.tls_addresses().is_empty() {
        None
    } else {
        Some(Arc::new(Authority::open_to_show(&appliance)?))
    };
    let certificate = || {
        let opened = authority
            .as_ref()
            .map(|authority| authority.certificate_pem().to_owned());
        opened.map_or_else(
            || Authority::open(&appliance).map(|it| it.certificate_pem().to_owned()),
            Ok,
        )
    };
    let view = site_view(&config.server, &agents, &certificate)?;
    let hub = Arc::new(Hub::new(&live, view)?);
    let status = Arc::new(StatusBuffer::begin(&appliance, config.status)?);
    let mut services = Services::registry(&registry).with_agents(&hub, &status, appliance.clock.clone());
    if let Some(authority) = &authority {
        services = services.with_authority(authority);
    }
    if let Some(note) = config.interval_note() {
        ui.warn(shown(&note));
    }
    match appliance.alarms() {
        Ok(standing) => {
            for line in standing.iter().flat_map(Standing::lines) {
                tracing::warn!("{line}");
            }
        }
        Err(error) => tracing::warn!(%error, "what vendors found could not be read"),
    }
    let way = Way {
        authority: hub
            .site_view()
            .authority()
            .map(|_| appliance.folder().join("identity/ca.pem")),
        is_asked: config.server.read == ReadPolicy::Credentials,
    };
    let closed = hub.clone();
    let base = format!("{}://{}", agents.scheme(), agents.host);
    let _served = appliance.say_served(&base, bound.addresses()).unwrap_or_else(|error| {
        tracing::warn!(%error, "where agents find this server cannot be told to commands beside it");
        None
    });
    let manager = ServiceManager::from_environment()?;
    confine::no_network()?;
    let running = bound.start(services)?;
    let addresses = (running.tls_addresses().to_vec(), running.addresses().to_vec());
    let metrics = running.metrics_address();
    running.run_until_signal(
        || {
            // Whoever reads these lines may end the server at once, and it ends as it should.
            for address in addresses.0 {
                ui.say(format_args!("serving https://{address}/v2/"));
            }
            for address in addresses.1 {
                ui.say(format_args!("serving http://{address}/v2/"));
            }
            if let Some(address) = metrics {
                ui.say(format_args!("metrics: http://{address}/metrics"));
            }
            ui.say(format_args!("agents: {base}"));
            if let Some(authority) = &authority {
                ui.say(format_args!(
                    "authority: {} (SHA-256 of identity/ca.pem)",
                    authority.fingerprint()
                ));
            }
            if let Some(problem) = closed.closed_way() {
                ui.warn(format_args!("{}; {}", shown(&problem.what), problem.remedy));
            }
            introduce(&registry, &agents, &way, ui)?;
            manager.notify("READY=1")
        },
        || {
            tracing::info!("stopping: answers in progress may end");
            manager.notify("STOPPING=1")
        },
    )
}

/// What a reader needs beside the address.
struct Way {
    /// The certificate of the appliance's own authority, where it serves by that.
    authority: Option<PathBuf>,
    /// Whoever reads says who they are.
    is_asked: bool,
}

impl Way {
    /// What curl is given for it.
    fn curl(&self) -> String {
        let mut options = String::new();
        if let Some(certificate) = &self.authority {
            options += &format!("--cacert {} ", quoted(&certificate.display().to_string()));
        }
        if self.is_asked {
            // It asks for the credential.
            options += "-u me ";
        }
        options
    }
}

/// Says what is served and how to get it.
fn introduce(registry: &Registry, agents: &AgentsAddress, way: &Way, ui: &mut Ui) -> Result<()> {
    let snapshot = registry.snapshot();
    let names = ScopeNames::read(registry.live().appliance(), [])?;
    for release in snapshot.active() {
        ui.say(format_args!(
            "live: release {} ({}) of {}",
            release.counter,
            release.version,
            names.of(&release.scope)
        ));
    }
    let (host, scheme) = (&agents.host, agents.scheme());
    let example = match registry.example(&snapshot) {
        Ok(example) => example,
        Err(error) => {
            // Whoever is served does not miss it.
            tracing::warn!(%error, "what there is to try cannot be said");
            return Ok(());
        }
    };
    let curl = way.curl();
    if example.is_some() && way.authority.is_some() {
        ui.say("a machine trusts this appliance by what `airlock snippet docker` prints: pipe it into `sudo sh` there (also containerd, k3s, rke2, podman, crio, helm)");
    }
    let scope =
        match &example {
            Some(
                Example::Image(repository, tag) | Example::Chart(repository, tag) | Example::File(repository, tag),
            ) if way.is_asked => scope_of(registry, &snapshot, (repository, tag)),
            _ => None,
        };
    if let Some(scope) = scope {
        // Another vendor may have a product of this name.
        let whose = scope.domain.to_hex();
        let whose = whose.get(..8).unwrap_or_default();
        ui.say(format_args!(
            "reading takes a credential; to make one for everything of {scope}: `airlock access add me --read '{whose}/{scope}:*'`"
        ));
        ui.say(format_args!(
            "     then log in with what it prints: docker login {host} -u me"
        ));
    }
    match example {
        Some(Example::Image(repository, tag)) => {
            ui.say(format_args!("try: docker pull {host}/{repository}:{tag}"));
            let verify = if agents.https { "" } else { "--src-tls-verify=false " };
            ui.say(format_args!(
                "     skopeo copy {verify}docker://{host}/{repository}:{tag} oci:image:{tag}"
            ));
            ui.say(format_args!(
                "     curl {curl}{scheme}://{host}/v2/{repository}/manifests/{tag}"
            ));
        }
        Some(Example::Chart(repository, tag)) => {
            // helm writes the plus of a version as what tags may have.
            let version = tag.as_str().replace('_', "+");
            let plain = if agents.https { "" } else { " --plain-http" };
            ui.say(format_args!(
                "try: helm pull oci://{host}/{repository} --version {version}{plain}"
            ));
            ui.say(format_args!(
                "     curl {curl}{scheme}://{host}/v2/{repository}/manifests/{tag}"
            ));
        }
        Some(Example::File(repository, _)) => {
            ui.say(format_args!(
                "try: curl {curl}-OJ {scheme}://{host}/files/{}",
                repository.path()
            ));
            ui.say("     `airlock file list` names all of them");
        }
        None => ui.say("nothing is live yet: `airlock import FILE` brings a bundle in; this server notices by itself"),
    }
    Ok(())
}

/// Finds whose clients are answered under a name.
fn scope_of(registry: &Registry, snapshot: &Snapshot, (repository, tag): (&RepositoryName, &Tag)) -> Option<Scope> {
    let asked = Asked {
        name: repository.as_str().to_owned(),
        namespace: None,
    };
    let reference = Reference::Tag(tag.clone());
    let mut scopes = snapshot.active().map(|release| release.scope.clone());
    // What cannot be read now is told elsewhere.
    scopes.find(|scope| matches!(registry.find(&snapshot.view(scope), &asked, &reference), Ok(Ok(_))))
}

fn start_log(format: Format) -> Result<()> {
    let wrong = |error: &dyn std::fmt::Display| {
        Error::new(Class::Usage, "log", format!("$AIRLOCK_LOG cannot be used: {error}"))
            .expected("a level such as info, or filters such as airlock=debug")
    };
    let filter = match std::env::var("AIRLOCK_LOG") {
        Ok(text) => text.parse::<Targets>().map_err(|error| wrong(&error))?,
        Err(std::env::VarError::NotPresent) => Targets::new().with_default(LevelFilter::INFO),
        Err(error) => return Err(wrong(&error)),
    };
    let log = tracing_subscriber::fmt()
        // The filter alone decides.
        .with_max_level(LevelFilter::TRACE)
        // A reader of the log that went away is no reason to stop serving.
        .log_internal_errors(false)
        // Lines are made safe as a whole below, in one style.
        .with_ansi(false)
        .with_ansi_sanitization(false)
        .with_writer(|| SafeLines(std::io::stderr()));
    match format {
        Format::Human => log.with_target(false).finish().with(filter).try_init(),
        _ => log.json().flatten_event(true).finish().with(filter).try_init(),
    }
    .map_err(|error| Error::new(Class::Internal, "log", format!("the log cannot be started: {error}")))
}

/// A writer of whole lines of the log: values from outside may neither break a line nor speak to a terminal.
struct SafeLines<W>(W);

impl<W: std::io::Write> std::io::Write for SafeLines<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = shown(text.strip_suffix('\n').unwrap_or(&text));
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_of_the_log_stays_one_line_of_plain_text() {
        let mut log = SafeLines(Vec::new());
        log.write_all("INFO Z\u{fc}rich\nERROR forged\u{1b}[2K\u{9b}m\u{202e}\n".as_bytes())
            .unwrap();
        log.write_all(b"{\"level\":\"INFO\"}\n").unwrap();
        assert_eq!(
            String::from_utf8(log.0).unwrap(),
            "INFO Z\u{fc}rich\\u000aERROR forged\\u001b[2K\\u009bm\\u202e\n{\"level\":\"INFO\"}\n"
        );
    }
}
