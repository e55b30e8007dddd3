//! `airlock mirror`: copies what is live into another registry of the site.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Ui;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::ui::{bytes, escape};
use crate::appliance::live::Live;
use crate::appliance::registry::{MirroredRepository, Registry};
use crate::domain::{Class, Digest, Error, Result, counted};
use crate::edge::{Copied, MirrorEvent, Target};

/// Copy what is live into another registry of the site
///
/// Into Harbor, distribution, zot, or whatever else speaks the distribution specification: blobs, manifests and tags of every live release,
/// each with its digest, with signatures and everything else that refers to an image. What is there already is passed over, so the same
/// command goes on after a stop; nothing there is deleted. It is the one command of a site that connects, only to the address that
/// [mirror] of the configuration names, and it is off while none is named. Every copy is a row of the audit log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  airlock mirror --dry-run     # what would be copied under which names; no connection
  airlock mirror
In the configuration:
  [mirror]
  registry = \"harbor.plant.example\"
  credentials = \"/etc/airlock/harbor.login\"   # USER:PASSWORD, mode 600
  prefix = \"airlock\"
  map = [\"docker.io=hub\"]")]
pub(super) struct MirrorArgs {
    /// Say what would be copied, and connect to nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

pub(super) fn run(args: &MirrorArgs, ui: &mut Ui) -> Result<()> {
    let config = args.config.read()?;
    let settings = &config.mirror;
    // Before anything is read: it is off, or the login is not to be had.
    let target = Target::of(settings)?;
    let appliance = args.state.open_as(&config, ui)?;
    let registry = Arc::new(Registry::new(&Live::load(&appliance, Duration::ZERO)?)?);
    let repositories = registry.mirrored(&registry.snapshot())?;
    let name = |repository: &MirroredRepository| settings.name_of(&repository.name);
    if let Some((one, other)) = two_of_one_name(&repositories, &name) {
        return Err(Error::new(
            Class::Usage,
            "mirror-map",
            format!("{one} and {other} would have one name there"),
        )
        .expected("a name of its own for each repository")
        .remedy("change [mirror] map in the configuration"));
    }
    let host = target.host().to_owned();
    if args.dry_run {
        return ui.result(
            &plan_json(&host, &repositories, &name),
            plan(&host, &repositories, &name),
        );
    }
    // It writes a row of its own, whatever becomes of it.
    appliance.verify_seals()?;
    let mut events = |event: MirrorEvent| match event {
        MirrorEvent::Progress { done, total } => ui.progress("mirror", done, total),
        MirrorEvent::Named { done, total } => ui.steps("mirror names", done, total),
        MirrorEvent::Waiting(what) => ui.waits(&what),
    };
    let copied = crate::edge::mirror(&registry, target, &repositories, &name, &mut events);
    let mut detail = json!({"registry": host});
    if let Some(members) = detail.as_object_mut() {
        match &copied {
            Ok(copied) if copied.refused.is_empty() => {
                members.insert("result".into(), json!("copied"));
                members.insert("blobs".into(), json!(copied.blobs));
                members.insert("manifests".into(), json!(copied.manifests));
                members.insert("tags".into(), json!(copied.tags));
            }
            Ok(copied) => {
                members.insert("result".into(), json!("refused"));
                members.insert("refused".into(), json!(copied.refused.len()));
            }
            Err(error) => {
                members.insert("result".into(), json!("failed"));
                members.insert("class".into(), json!(error.class().name()));
                members.insert("code".into(), json!(error.code()));
            }
        }
    }
    appliance.record_mirror(&detail)?;
    let copied = copied?;
    if !copied.refused.is_empty() {
        return Err(Error::listing(
            Class::Io,
            "mirror-refused",
            format!("{} does not take {}:", host, counted(copied.refused.len(), "thing")),
            &copied.refused,
        )
        .expected("a registry that takes what the distribution specification says")
        .remedy("see what the registry says; everything else is there, and the same command passes over it"));
    }
    ui.result(&to_json(&host, &copied), describe(&host, &copied))
}

/// Two repositories that would become one.
fn two_of_one_name<'a>(
    repositories: &'a [MirroredRepository],
    name: &dyn Fn(&MirroredRepository) -> String,
) -> Option<(&'a str, &'a str)> {
    let mut seen = std::collections::BTreeMap::new();
    repositories.iter().find_map(|repository| {
        let before = seen.insert(name(repository), repository.name.as_str());
        before.map(|before| (before, repository.name.as_str()))
    })
}

fn plan_json(host: &str, repositories: &[MirroredRepository], name: &dyn Fn(&MirroredRepository) -> String) -> Value {
    let listed: Vec<Value> = repositories
        .iter()
        .map(|repository| {
            let tags: Vec<Value> = repository
                .tags
                .iter()
                .map(|(tag, digest)| json!({"tag": tag, "digest": digest}))
                .collect();
            json!({
                "repository": repository.name, "name": name(repository), "tags": tags, "blobs": repository.blobs.len(),
                "manifests": repository.manifests.len(),
            })
        })
        .collect();
    let (count, size) = distinct(repositories);
    json!({"result": "planned", "registry": host, "repositories": listed, "blobs": count, "bytes": size})
}

/// Blobs of all repositories, each once, and their bytes.
fn distinct(repositories: &[MirroredRepository]) -> (usize, u64) {
    let blobs: BTreeSet<(Digest, u64)> = repositories
        .iter()
        .flat_map(|repository| repository.blobs.iter().copied())
        .collect();
    (
        blobs.len(),
        blobs.iter().map(|(_, size)| *size).fold(0, u64::saturating_add),
    )
}

fn plan(host: &str, repositories: &[MirroredRepository], name: &dyn Fn(&MirroredRepository) -> String) -> String {
    let mut lines: Vec<String> = repositories
        .iter()
        .map(|repository| {
            let tags: Vec<String> = repository.tags.iter().map(|(tag, _)| escape(tag.as_str())).collect();
            format!(
                "{} -> {host}/{}  {}",
                repository.name,
                escape(&name(repository)),
                tags.join(", ")
            )
        })
        .collect();
    let (count, size) = distinct(repositories);
    lines.push(format!(
        "{}, {} in {}; what is there already is passed over",
        counted(repositories.len(), "name"),
        bytes(size),
        counted(count, "blob")
    ));
    lines.join("\n")
}

fn to_json(host: &str, copied: &Copied) -> Value {
    json!({
        "result": "copied", "registry": host, "blobs": copied.blobs, "bytes": copied.bytes, "blobs_there": copied.blobs_there,
        "manifests": copied.manifests, "manifests_there": copied.manifests_there, "tags": copied.tags,
        "tags_there": copied.tags_there, "referrer_lists": copied.referrer_lists,
    })
}

fn describe(host: &str, copied: &Copied) -> String {
    format!(
        "{host}: {} sent ({}), {} there already\nmanifests {} sent, {} there; tags {} set, {} as they were",
        counted(copied.blobs, "blob"),
        bytes(copied.bytes),
        copied.blobs_there,
        copied.manifests,
        copied.manifests_there,
        copied.tags,
        copied.tags_there
    )
}
