//! What a bundle will carry, and what it leaves out because its sites hold it: said before it is made, and as the result of a dry run.

use serde_json::{Value, json};

use super::bundle_desired;
use super::ui::{bytes, escape};
use crate::bundle::desired::{DesiredState, Target};
use crate::domain::{Timestamp, counted};
use crate::vendor_side::ledger::base::{Base, Choice, SiteBase, Unused};
use crate::vendor_side::{ChartReport, ChartWay, EncodeReport, Plan, Reason};

/// Returns the plan in a few lines: how much travels, on what it builds, and why where it does not.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let (sites, whom) = (sites(plan), whom(plan));
    let whole = plan.content_bytes.saturating_add(plan.needed_bytes);
    let holders = if sites.len() == 1 {
        "the site holds"
    } else {
        "the sites hold"
    };
    let mut first = format!("next bundle{whom}: {}", bytes(plan.content_bytes));
    first += &if plan.needs > 0 {
        format!(" of content, {} were it not for what {holders}", bytes(whole))
    } else {
        " of content, nothing is left out".to_owned()
    };
    match &plan.base.choice {
        Choice::AnySite => first += ": it is for any site",
        Choice::Full => first += ": --full",
        Choice::AsSigned => first += &format!("; as release {} was signed before", plan.release.counter()),
        Choice::Sites(sites) => {
            let used: Vec<String> = match sites.as_slice() {
                [site] => used(site).into_iter().collect(),
                _ => sites
                    .iter()
                    .filter_map(|site| Some(format!("{} {}", escape(&site.name), used(site)?)))
                    .collect(),
            };
            if !used.is_empty() {
                first += &format!("; base: {}", used.join(", "));
            }
        }
    }
    for word in &plan.base.named {
        first += &format!("; base: {}", escape(&word.display().to_string()));
    }
    let mut lines = vec![first];
    for site in sites {
        lines.extend(remarks(site));
    }
    lines
}

/// The sites that it is for, where it builds on what they hold.
fn sites(plan: &Plan) -> &[SiteBase] {
    match &plan.base.choice {
        Choice::Sites(sites) => sites,
        Choice::AnySite | Choice::Full | Choice::AsSigned => &[],
    }
}

fn whom(plan: &Plan) -> String {
    let names: Vec<String> = sites(plan).iter().map(|site| escape(&site.name)).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" for {}", names.join(", "))
    }
}

/// Returns what became of layers in a few lines: nothing where they all travel as they are because they were to.
pub(super) fn encoded(plan: &Plan, report: &EncodeReport) -> Vec<String> {
    let (count, size, travel_size) = report.encoded();
    let mut lines = Vec::new();
    if count > 0 {
        let travel = plan.content_bytes.saturating_sub(size.saturating_sub(travel_size));
        let mut first = format!(
            "next bundle{}: content of {} travels in {} at most",
            whom(plan),
            bytes(plan.content_bytes),
            bytes(travel)
        );
        if plan.needs > 0 {
            let whole = plan.content_bytes.saturating_add(plan.needed_bytes);
            first += &format!("; it would be {} with what is left out", bytes(whole));
        }
        lines.push(first);
        lines.push(format!(
            "encoded: {} {} as {} instead of {}",
            counted(count, "layer"),
            if count == 1 { "travels" } else { "travel" },
            bytes(travel_size),
            bytes(size)
        ));
    }
    let (count, size, travel_size) = report.copied();
    if count > 0 {
        lines.push(format!(
            "copied in part from what its sites hold, or from layers that go along: {}, {} instead of {}",
            counted(count, "layer"),
            bytes(travel_size),
            bytes(size)
        ));
    }
    for (producer, (count, size, travel_size)) in report.producers() {
        lines.push(format!(
            "made again as {producer} does: {}, {} instead of {}",
            counted(count, "layer"),
            bytes(travel_size),
            bytes(size)
        ));
    }
    for (reason, (count, size)) in report.reasons() {
        if reason != Reason::Disabled {
            lines.push(format!(
                "as they are: {}, {} ({})",
                counted(count, "layer"),
                bytes(size),
                reason.word()
            ));
        }
    }
    lines
}

/// The package that is built on.
fn used(site: &SiteBase) -> Option<String> {
    match (&site.package, &site.unused) {
        (Some(package), None) => Some(format!("package {} of {}", package.number, day(package.made_at))),
        _ => None,
    }
}

/// What keeps content in the bundle that a site may hold.
fn remarks(site: &SiteBase) -> Vec<String> {
    let name = escape(&site.name);
    let mut remarks = Vec::new();
    if let Some(unused) = &site.unused {
        let package = match &site.package {
            Some(package) => format!("its newest package is {} of {}; ", package.number, day(package.made_at)),
            None => String::new(),
        };
        remarks.push(format!(
            "nothing is left out for {name}: {package}{}",
            escape(&unused.to_string())
        ));
    }
    if site.unknown_releases > 0 {
        remarks.push(format!(
            "{name} holds {} whose content this ledger does not know: where another workspace signed them, take them in with \
             `airlock vendor ledger learn FILE`; they count from the site's next package on",
            counted(site.unknown_releases, "release")
        ));
    }
    if site.lacked > 0 {
        remarks.push(format!(
            "{} travel again: {name} refused a bundle that needed them",
            counted(site.lacked, "layer")
        ));
    }
    remarks
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take("2026-11-21".len()).collect()
}

/// Returns what a bundle builds on, for machines.
pub(super) fn base_json(base: &Base) -> Value {
    let (choice, sites): (_, &[SiteBase]) = match &base.choice {
        Choice::AnySite => ("any-site", &[]),
        Choice::Full => ("full", &[]),
        Choice::AsSigned => ("as-signed", &[]),
        Choice::Sites(sites) => ("sites", sites),
    };
    let sites: Vec<Value> = sites
        .iter()
        .map(|site| {
            json!({
                "site": site.site, "name": site.name, "used": site.unused.is_none(),
                "package": site.package.as_ref().map(|package| package.number), "made_at": site.package.as_ref().map(|package| package.made_at),
                "reason": site.unused.as_ref().map(Unused::as_str), "found": site.unused.as_ref().map(ToString::to_string),
                "unknown_releases": site.unknown_releases, "lacked": site.lacked,
            })
        })
        .collect();
    json!({"choice": choice, "sites": sites, "named": base.named})
}

/// Returns a plan as the result of a dry run.
pub(super) fn to_json(plan: &Plan) -> Value {
    let release = &plan.release;
    let names: Vec<Value> = plan
        .names
        .iter()
        .zip(&plan.sizes)
        .map(|(line, size)| {
            json!({"repository": line.repository, "tag": line.tag, "digest": line.digest, "bytes": size})
        })
        .collect();
    json!({
        "result": "dry-run", "product": release.product, "channel": release.channel, "version": release.version,
        "epoch": release.epoch, "sequence": release.sequence, "audience": release.audience, "expires": release.expires,
        "next_free": {"epoch": plan.next_free.epoch, "sequence": plan.next_free.sequence}, "signed_head": plan.signed,
        "base": base_json(&plan.base), "blobs": plan.blobs, "content_bytes": plan.content_bytes, "needs": plan.needs,
        "needed_bytes": plan.needed_bytes, "largest_bytes": plan.largest_bytes, "most_volumes": plan.most_volumes,
        "fetch_bytes": plan.far_bytes.saturating_sub(plan.kept_bytes), "kept_bytes": plan.kept_bytes, "names": names, "absent": plan.absent,
        "targets": plan.desired.iter().flat_map(|desired| &desired.targets).map(target_json).collect::<Vec<_>>(),
        "removed": plan.desired.iter().flat_map(|desired| &desired.removed).collect::<Vec<_>>(),
        "acknowledgement": plan.acknowledgement, "charts": charts_json(&plan.charts), "sealed_to": plan.sealed,
    })
}

/// Returns what became of charts, for machines.
pub(super) fn charts_json(charts: &[ChartReport]) -> Vec<Value> {
    let one = |chart: &ChartReport| {
        let (way, untold) = match &chart.way {
            ChartWay::Rendered { vouched, .. } => ("rendered", *vouched),
            ChartWay::Static => ("static", 0),
            ChartWay::Vouched { untold } => ("vouched", *untold),
        };
        let (helm, renderings, without_helm) = match &chart.way {
            ChartWay::Rendered {
                helm,
                renderings,
                without_helm,
                ..
            } => (Some(helm), Some(renderings), Some(without_helm)),
            ChartWay::Static | ChartWay::Vouched { .. } => (None, None, None),
        };
        json!({
            "application": chart.application, "release_name": chart.release, "namespace": chart.namespace, "way": way,
            "helm": helm, "renderings": renderings, "without_helm": without_helm, "untold": untold, "images": chart.images, "addresses": chart.addresses,
        })
    };
    charts.iter().map(one).collect()
}

/// Returns a plan for people, as the result of a dry run.
pub(super) fn describe(plan: &Plan) -> String {
    let release = &plan.release;
    let mut text = format!(
        "release {} ({}) of {}/{}: nothing was written, signed or recorded",
        release.counter(),
        escape(&release.version),
        release.product,
        release.channel
    );
    for line in lines(plan) {
        text += &format!("\n{line}");
    }
    text += &format!(
        "\nsize         {} at most{}, {} in {}",
        bytes(plan.largest_bytes),
        match plan.most_volumes {
            Some(volumes) => format!(" in up to {}", counted(volumes, "volume")),
            None => String::new(),
        },
        counted(plan.blobs, "blob"),
        counted(plan.names.len(), "name"),
    );
    text += &match plan.signed {
        Some(head) => format!(
            "\nnumber       {} is signed already (head {head}): {}; the next free one is {}",
            release.counter(),
            if plan.sealed > 0 {
                "with secrets that are sealed to sites no other build is the same, so this one would be refused"
            } else {
                "only the same content may be made again"
            },
            plan.next_free
        ),
        None => format!(
            "\nnumber       {}; the next free one is {}",
            release.counter(),
            plan.next_free
        ),
    };
    if plan.far_bytes > 0 {
        text += &format!(
            "\nfetches      {} from registries",
            bytes(plan.far_bytes.saturating_sub(plan.kept_bytes))
        );
        if plan.kept_bytes > 0 {
            text += &format!("; {} is here from earlier runs", bytes(plan.kept_bytes));
        }
    }
    for (line, size) in plan.names.iter().zip(&plan.sizes) {
        let tag = line.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        text += &format!(
            "\ncollects     {}{tag}  {}  {}",
            line.repository,
            line.digest,
            bytes(*size)
        );
    }
    for (target, deployment) in plan.desired.iter().flat_map(DesiredState::deployments) {
        text += &format!(
            "\ntarget       {} runs {} {}, revision {}",
            escape(&target.name),
            deployment.application,
            escape(&deployment.version),
            deployment.revision
        );
        if let Some(secrets) = bundle_desired::secrets(deployment) {
            text += &format!("\n  secrets    {secrets}");
        }
    }
    for uuid in plan.desired.iter().flat_map(|desired| &desired.removed) {
        text += &match plan.removed_names.get(uuid) {
            Some(name) => format!("\nremoves      {} ({uuid})", escape(name)),
            None => format!("\nremoves      {uuid}"),
        };
    }
    if let Some(number) = plan.acknowledgement {
        text += &format!("\nacknowledges what the site sent: acknowledgement {number} goes along");
    }
    if plan.sealed > 0 {
        text += &format!("\nsecrets      will be sealed to {}", counted(plan.sealed, "site"));
    }
    text
}

/// What scripts need to know of a target: every UUID.
pub(super) fn target_json(target: &Target) -> Value {
    let deployments: Vec<Value> = target
        .deployments
        .iter()
        .map(|deployment| {
            json!({
                "application": deployment.application, "version": deployment.version, "id": deployment.id,
                "revision": deployment.revision, "images": deployment.images, "secrets": deployment.secrets(),
            })
        })
        .collect();
    json!({"name": target.name, "id": target.id, "kind": target.kind, "site": target.site, "deployments": deployments})
}
