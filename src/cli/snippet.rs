//! `airlock snippet`: what an engine's host is given so that it trusts this appliance and finds in it what is named elsewhere.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Ui;
use super::site_view::{ConfigArgs, warn_of_reach};
use super::state_folder::StateArgs;
use crate::appliance::fleet::Hub;
use crate::appliance::live::Live;
use crate::appliance::registry::Registry;
use crate::appliance::snippets::{Engine, Login, Snippet};
use crate::domain::{Class, Error, Result, is_host};
use crate::stream::read_bounded;

/// Bytes of standard input that may hold a credential.
const SECRET_BYTES: u64 = 256;
/// Repositories asked for at once.
const PAGE: usize = 1000;

/// Print a script that makes an engine trust this appliance, and find in it what is named elsewhere
///
/// The script puts files on the host where it runs, for all hosts whose repositories are live here, or those of --host. It keeps a file that
/// says something else as FILE.before-TIME; entries of others in registries.yaml stay. What the engine does with the files, and what it does
/// not do, is said beside it. With --format json the files stand in a list.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  airlock snippet docker | ssh press-1 sudo sh
  airlock snippet containerd --host docker.io --host registry.acme.example
  airlock snippet k3s --login-stdin < ops.credential | ssh node-1 sudo sh")]
pub(super) struct SnippetArgs {
    /// What pulls there
    #[arg(value_enum)]
    engine: EngineName,
    /// Host of a registry whose names shall be found here; may repeat [default: those of everything that is live]
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Read a credential of `airlock access add` from standard input, for where reading takes one
    #[arg(long)]
    login_stdin: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// What pulls.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum EngineName {
    /// The docker engine, with either image store
    Docker,
    /// containerd and ctr
    Containerd,
    /// k3s
    K3s,
    /// RKE2
    Rke2,
    /// podman, buildah, skopeo
    Podman,
    /// CRI-O
    Crio,
    /// helm
    Helm,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Docker => Self::Docker,
            EngineName::Containerd => Self::Containerd,
            EngineName::K3s => Self::K3s,
            EngineName::Rke2 => Self::Rke2,
            EngineName::Podman => Self::Podman,
            EngineName::Crio => Self::Crio,
            EngineName::Helm => Self::Helm,
        }
    }
}

pub(super) fn run(args: &SnippetArgs, ui: &mut Ui) -> Result<()> {
    let mut hosts = BTreeSet::new();
    for host in &args.host {
        if !is_host(host) {
            return Err(
                Error::new(Class::Usage, "host", format!("{host:?} is no host of a registry"))
                    .expected("a host as in docker.io, with its port if it has one")
                    .remedy("name the host alone, without a scheme or a path"),
            );
        }
        hosts.insert(host.clone());
    }
    let appliance = args.state.open(ui)?;
    let view = args.config.site_view_as_served(&appliance, ui)?;
    let live = Live::load(&appliance, Duration::ZERO)?;
    if hosts.is_empty() {
        hosts = live_hosts(&Registry::new(&live)?)?;
    }
    let hub = Hub::new(&live, view)?;
    warn_of_reach(hub.site_view(), ui);
    let login = args.login_stdin.then(|| login(&hub)).transpose()?;
    let engine: Engine = args.engine.into();
    let snippet = engine.snippet(hub.site_view(), &hosts, login.as_ref());
    print(&snippet, json!({"hosts": hosts}), ui)
}

/// Returns the hosts of everything that is live.
fn live_hosts(registry: &Registry) -> Result<BTreeSet<String>> {
    let snapshot = registry.snapshot();
    let (mut hosts, mut last) = (BTreeSet::new(), String::new());
    loop {
        let page = registry.catalogue(&snapshot, &last, PAGE)?;
        hosts.extend(page.iter().map(|repository| repository.host().to_owned()));
        match page.last() {
            Some(repository) if page.len() == PAGE => repository.as_str().clone_into(&mut last),
            _ => return Ok(hosts),
        }
    }
}

/// Reads a credential, and finds whose it is.
fn login(hub: &Hub) -> Result<Login> {
    let bytes = Zeroizing::new(read_bounded(io::stdin().lock(), SECRET_BYTES, "the credential")?);
    let secret = Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned());
    let reader = hub.reader(&secret).ok_or_else(|| {
        Error::new(
            Class::Usage,
            "access",
            "standard input holds no credential of this appliance",
        )
        .expected("what `airlock access add` has shown")
        .remedy("make one with `airlock access add NAME --read PATTERN`, and give what it prints")
    })?;
    Ok(Login {
        user: reader.name.to_string(),
        secret,
    })
}

/// Prints a snippet: a script, or its files as JSON beside `members`.
pub(super) fn print(snippet: &Snippet, members: Value, ui: &mut Ui) -> Result<()> {
    for note in &snippet.notes {
        ui.say(note);
    }
    let files: Vec<Value> = snippet
        .files
        .iter()
        .map(|file| json!({"path": file.path, "content": file.text(), "secret": file.is_secret}))
        .collect();
    let mut value = members;
    if let Some(members) = value.as_object_mut() {
        members.insert("files".into(), json!(files));
        members.insert("notes".into(), json!(snippet.notes));
    }
    let script: Vec<String> = snippet
        .files
        .iter()
        .map(crate::appliance::snippets::SnippetFile::script)
        .collect();
    ui.result(&value, script.join(""))
}
