//! What a bundle will be, worked out before a byte of its payload is read: its number, its content, what its sites hold of that already.
//!
//! A plan writes nothing and uses no number.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::answer::{AckKeys, Answer};
use super::collect::{
    CollectEvent, EXPANDED_BYTES, LocalLayouts, Origins, RegistryOptions, Sources, Stored, collect_all,
};
use super::encode::{EncodeReport, Encodings};
use super::fleet::{
    ChartOptions, ChartReport, EarlierRelease, Ids, Prepared, Removals, assemble, check_walls, prepare,
};
use super::ledger::base::{BASE_MAX_AGE, Base, Question};
use super::name_sizes::name_sizes;
use super::named_bases::NamedBase;
use super::number::{dated, lower_number, next_number};
use super::pack::PackEvent;
use super::release::{Overrides, resolve};
use super::release_file::ReleaseFile;
use super::release_folder::ReleaseFolder;
use super::repositories::expanded;
use super::secret::{AskSecret, Sealed, check_audience, check_variables, seal};
use super::signing_time::SigningTime;
use super::warning::Warning;
use super::workspace::Workspace;
use super::{standing, unknown_number};
use crate::bundle::Feature;
use crate::bundle::desired::DesiredState;
use crate::bundle::{BundleContent, BundleLayout, Packing, ReleaseStatement, TagLine};
use crate::crypto::SigningKey;
use crate::db::ledger;
use crate::domain::{Counter, DocumentType, Hash, Result, Scope, Uuid};

/// What a bundle is built from.
#[derive(Debug)]
pub struct Build<'a> {
    /// The release file.
    pub file: &'a ReleaseFile,
    /// What wins over it.
    pub overrides: &'a Overrides,
    /// How registries are reached.
    pub registries: &'a RegistryOptions,
    /// Keys that sign; none for a bundle that is signed elsewhere.
    pub keys: &'a [SigningKey],
    /// Who signs the acknowledgement that a bundle for one site takes along; without, only one that was made before goes.
    pub ack_keys: Option<AckKeys<'a>>,
    /// How values of secrets are had that are in a person's head.
    pub secrets: AskSecret<'a>,
    /// When it is signed: by this clock dates are judged and the number is recorded.
    pub time: SigningTime,
}

/// What building tells while it runs.
#[derive(Debug)]
pub enum BuildEvent<'a> {
    /// An image is looked at.
    Collecting(&'a str),
    /// Images of registries that were looked at, of how many.
    Looking(usize, usize),
    /// Bytes of an image that an engine has handed out.
    Saving(u64),
    /// Bytes of a plain file that were read for its digest, of how many.
    Reading(u64, u64),
    /// Bytes of a bundle that is named as a base, read because only a plan is wanted, of how many.
    ReadingBase(u64, u64),
    /// Everything is known but the bytes of the payload.
    Planned(&'a Plan),
    /// A chart was looked into.
    Chart(&'a ChartReport),
    /// Something that is not wrong here and may be at the site.
    Warning(Warning),
    /// Layers are encoded: their bytes done, of how many.
    Encoding(u64, u64),
    /// What became of every layer of what is planned.
    Encoded(&'a Plan, &'a EncodeReport),
    /// The bundle is written.
    Packing(PackEvent),
}

/// What a bundle will be.
#[derive(Debug)]
pub struct Plan {
    /// What its head will say.
    pub release: ReleaseStatement,
    /// The first number of its scope that nothing was signed under and nothing higher was.
    pub next_free: Counter,
    /// The head that was signed under its number already: another content is refused.
    pub signed: Option<Hash>,
    /// What it builds on.
    pub base: Base,
    /// Names that it will carry.
    pub names: Vec<TagLine>,
    /// The bytes of what each name leads to, in their order; what names share counts for each.
    pub sizes: Vec<u64>,
    /// Bytes that come from registries.
    pub far_bytes: u64,
    /// How many of them earlier runs kept.
    pub kept_bytes: u64,
    /// Children of indexes that are left out.
    pub absent: usize,
    /// Blobs that it will carry.
    pub blobs: u64,
    /// Their bytes, before anything is compressed.
    pub content_bytes: u64,
    /// Layers that the sites hold and it will not carry.
    pub needs: u64,
    /// Their bytes.
    pub needed_bytes: u64,
    /// More bytes than this the bundle will not have.
    pub largest_bytes: u64,
    /// How many volumes it has at most; nothing where it is to be one file.
    pub most_volumes: Option<usize>,
    /// What targets shall run; nothing when the release does not speak of targets.
    pub desired: Option<DesiredState>,
    /// What targets and deployments that it removes were called, as far as the ledger and the release file say that.
    pub removed_names: BTreeMap<Uuid, String>,
    /// The number of the acknowledgement that it takes along.
    pub acknowledgement: Option<u64>,
    /// What became of its charts.
    pub charts: Vec<ChartReport>,
    /// To how many sites secrets are sealed.
    pub sealed: usize,
}

/// A bundle that is laid out: what is to be packed, and what is to be recorded before it is signed.
pub(super) struct LaidOut {
    pub(super) plan: Plan,
    pub(super) layout: BundleLayout,
    pub(super) content: BundleContent,
    pub(super) sources: Sources,
    /// What was named as bases.
    pub(super) named: Vec<NamedBase>,
    pub(super) scope: Scope,
    /// What all targets of the release shall run, whoever it is for.
    pub(super) remembered: Vec<u8>,
    /// The acknowledgement that it takes along.
    pub(super) answer: Answer,
}

/// Works out what a bundle would be. Where neither the file nor an option says its number, it is the next free one.
///
/// # Errors
///
/// Those of [`build`](super::build()) up to the first byte of the payload.
pub fn plan(workspace: &Workspace, build: &Build<'_>, events: &mut dyn FnMut(BuildEvent<'_>)) -> Result<Plan> {
    let is_said = build.overrides.sequence.is_some() || build.file.sequence.is_some();
    let overrides = Overrides {
        next: build.overrides.next || !is_said,
        ..build.overrides.clone()
    };
    let build = Build {
        overrides: &overrides,
        ..*build
    };
    let mut laid_out = lay_out(workspace, &build, events)?;
    name_removed(workspace, &mut laid_out)?;
    // What a build copies from it would read; a fault of it is better known before.
    if build.overrides.encode.encodings == Encodings::Auto {
        for base in &laid_out.named {
            base.check(workspace.chain(), &mut |done, total| {
                events(BuildEvent::ReadingBase(done, total));
            })?;
        }
    }
    Ok(laid_out.plan)
}

/// Names what releases long ago removed: every later release says it again, and the release before has no name for it.
fn name_removed(workspace: &Workspace, laid_out: &mut LaidOut) -> Result<()> {
    let plan = &mut laid_out.plan;
    let removed = plan.desired.as_ref().map_or(&[][..], |desired| &desired.removed);
    let names = &mut plan.removed_names;
    if removed.iter().all(|id| names.contains_key(id)) {
        return Ok(());
    }
    let (scope, counter) = (&laid_out.scope, plan.release.counter());
    workspace.ledger()?.read(|connection| {
        ledger::each_fleet_before(connection, scope, counter, |state| {
            Ok(EarlierRelease::parse(Some(state))?.name(removed, names))
        })
    })
}

/// Works a release out, collects what it is made of, and lays its bundle out.
///
/// # Errors
///
/// Those of [`build`](super::build()) up to the first byte of the payload.
pub(super) fn lay_out(
    workspace: &Workspace,
    build: &Build<'_>,
    events: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<LaidOut> {
    let ledger = workspace.ledger()?;
    let chain = workspace.chain();
    let mut overrides = build.overrides.clone();
    if overrides.next {
        let next = next_number(workspace, &build.file.product, &build.file.channel)?;
        overrides.sequence = Some(next.sequence);
    }
    let build = &Build {
        overrides: &overrides,
        ..*build
    };
    let whole = expanded(build.file, build.registries, &mut |what| {
        events(BuildEvent::Collecting(what));
    })?;
    let build = &Build {
        file: whole.as_ref().unwrap_or(build.file),
        ..*build
    };
    let sites = ledger.read(ledger::sites)?;
    let allowed: Vec<PathBuf> = [&build.overrides.allow_outside[..], &build.file.allow_outside].concat();
    let folder = ReleaseFolder::new(build.file.folder(), &allowed)?;
    check_walls(build.file, &folder)?;
    let resolved = resolve(build.file, &folder, build.overrides, chain.newest(), &sites)?;
    let release = resolved.release;
    build.time.check_release(release.issued_at, release.expires)?;
    build.time.check_vouching(chain.newest(), release.issued_at)?;
    let scope = Scope {
        domain: chain.domain(),
        product: release.product.clone(),
        channel: release.channel.clone(),
    };
    let newest = ledger.read(|connection| ledger::newest_release(connection, &scope))?;
    let counter = release.counter();
    standing::check(&build.overrides.standing, &scope, counter)?;
    let known = ledger.read(|connection| ledger::signed_release(connection, &scope, counter))?;
    if let Some(newest) = newest.as_ref().filter(|newest| {
        (newest.counter.epoch, newest.counter.sequence) > (counter.epoch, counter.sequence) && known.is_none()
    }) {
        let said = lower_number(newest, counter, &scope);
        if build.overrides.sequence.is_none() {
            return Err(said);
        }
        events(BuildEvent::Warning(Warning::plain(said.found().to_owned())));
    }
    if known.is_none() {
        let is_meant = build.overrides.sequence.is_some() && !build.overrides.next;
        ledger.read(|connection| unknown_number::check(connection, &scope, counter, is_meant))?;
    }
    let base = newest.as_ref().map_or(0, |newest| newest.counter.sequence);
    if let Some(warning) = dated(counter.sequence, base).filter(|_| known.is_none()) {
        events(BuildEvent::Warning(Warning::plain(warning)));
    }
    let answer = Answer::of(
        workspace,
        &ledger,
        build.ack_keys,
        build.time.now,
        &release.audience,
        known.as_ref(),
    )?;
    if let Some(warning) = &answer.warning {
        events(BuildEvent::Warning(Warning::plain(warning.clone())));
    }
    let signed = known.map(|known| known.head);
    let question = Question {
        audience: &release.audience,
        full: build.overrides.full,
        max_age: build.overrides.base_max_age.unwrap_or(BASE_MAX_AGE),
        signed,
        now: build.time.now,
    };
    let mut base = ledger.read(|connection| Base::find(connection, &sites, &question))?;
    let words = &build.overrides.base;
    let named = ledger.read(|connection| NamedBase::read(workspace, connection, (&scope, release.epoch), words))?;
    for one in &named {
        base.name(one.word().to_owned(), &one.layers);
    }
    let texts: Vec<(String, String)> = resolved
        .documents
        .iter()
        .map(|(kind, bytes)| (format!("the {kind}"), String::from_utf8_lossy(bytes).into_owned()))
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let charts = ChartOptions {
        helm: &build.overrides.helm,
        strict: build.overrides.strict,
    };
    let local = LocalLayouts {
        folder: folder.clone(),
        expanded: build.overrides.expanded.unwrap_or(EXPANDED_BYTES),
    };
    let mut origins = Origins::new(build.registries, &local);
    let mut prepared = prepare(
        (build.file, &scope),
        &folder,
        &texts,
        build.registries,
        charts,
        &mut origins,
        &mut |what| {
            events(BuildEvent::Collecting(what));
        },
    )?;
    let charts = std::mem::take(&mut prepared.charts);
    for chart in &charts {
        events(BuildEvent::Chart(chart));
    }
    for warning in std::mem::take(&mut prepared.warnings) {
        events(BuildEvent::Warning(warning));
    }
    let mut problems = prepared.take_problems();
    check_audience(build.file, &release.audience, &sites, &mut problems);
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    check_variables(build.file, &names, &mut problems);
    // What is wrong with the files is said before anything is read from a registry.
    problems.into_result()?;
    let collection = collect_all(
        prepared.requests(),
        &resolved.platforms,
        origins,
        &base.held,
        &|request| prepared.place(request),
        |event| {
            events(match event {
                CollectEvent::Image(image) => BuildEvent::Collecting(image),
                CollectEvent::Looking(done, total) => BuildEvent::Looking(done, total),
                CollectEvent::Saving(done) => BuildEvent::Saving(done),
                CollectEvent::Reading(done, total) => BuildEvent::Reading(done, total),
            });
        },
    )?;
    for warning in collection.warnings {
        events(BuildEvent::Warning(Warning::plain(warning)));
    }
    let mut content = collection.content;
    content.documents = resolved.documents;
    content.documents.extend(answer.document());
    let before = ledger.read(|connection| ledger::fleet_before(connection, &scope, counter))?;
    let fleet = desired_state(
        build,
        &prepared,
        &release,
        &scope,
        &sites,
        before.as_deref(),
        &collection.stored,
    )?;
    for warning in &fleet.removals.warnings {
        events(BuildEvent::Warning(Warning::plain(warning.clone())));
    }
    let sealed = match &fleet.desired {
        Some(desired) => seal(
            build.file,
            build.secrets,
            &release,
            &scope,
            desired,
            &fleet.documents,
            &sites,
        )?,
        None => Sealed::default(),
    };
    content.documents.extend(fleet.documents);
    for remark in sealed.remarks {
        events(BuildEvent::Warning(Warning::said(remark)));
    }
    let sealed_to = sealed.documents.len();
    let uses_secrets = |desired: &DesiredState| desired.secrets().next().is_some();
    if sealed_to > 0 || fleet.desired.as_ref().is_some_and(uses_secrets) {
        content.requires.insert(Feature::Secrets);
    }
    let documents = sealed.documents.into_iter();
    content
        .documents
        .extend(documents.map(|document| (DocumentType::Secrets, document)));
    let layout = BundleLayout::on_base(&release, &content, &base.held, chain, Packing::default())?;
    let layout = match overrides.volume_bytes {
        Some(bytes) => layout.in_volumes(bytes)?,
        None => layout,
    };
    let cache = build.overrides.encode.cache.then(|| workspace.folder());
    let (far_bytes, kept_bytes) = collection.sources.far_bytes(&base.held, cache);
    let plan = Plan {
        sizes: name_sizes(&content),
        far_bytes,
        kept_bytes,
        next_free: next_number(workspace, &release.product, &release.channel)?,
        signed,
        base,
        names: content.tags.clone(),
        absent: content.absent.len(),
        blobs: layout.blobs(),
        content_bytes: layout.content_bytes(),
        needs: layout.needs().len() as u64,
        needed_bytes: layout.needs().iter().map(|need| need.size).fold(0, u64::saturating_add),
        largest_bytes: layout.largest_size(),
        most_volumes: layout.most_volumes(),
        desired: fleet.desired,
        removed_names: fleet.removals.names,
        acknowledgement: answer.number(),
        sealed: sealed_to,
        charts,
        release,
    };
    events(BuildEvent::Planned(&plan));
    Ok(LaidOut {
        plan,
        layout,
        content,
        sources: collection.sources,
        named,
        scope,
        remembered: fleet.removals.remembered.to_bytes(),
        answer,
    })
}

/// What a release tells targets.
struct Fleet {
    desired: Option<DesiredState>,
    documents: Vec<(DocumentType, Vec<u8>)>,
    removals: Removals,
}

/// Assembles the desired state and compares it with the release before. A release that speaks of no target carries none.
fn desired_state(
    build: &Build<'_>,
    prepared: &Prepared<'_>,
    release: &ReleaseStatement,
    scope: &Scope,
    sites: &[ledger::Site],
    before: Option<&[u8]>,
    stored: &[Stored],
) -> Result<Fleet> {
    let ids = Ids { scope };
    let assembled = assemble(prepared, build.file, &ids, sites, stored)?;
    let removals = EarlierRelease::parse(before)?.compare(&assembled.state, &release.audience, build.file, &ids)?;
    let (mut desired, mut documents) = assembled.for_audience(&release.audience);
    desired.removed.clone_from(&removals.removed);
    if desired == DesiredState::default() {
        return Ok(Fleet {
            desired: None,
            documents: Vec::new(),
            removals,
        });
    }
    desired.check()?;
    documents.push((DocumentType::DesiredState, desired.to_bytes()));
    Ok(Fleet {
        desired: Some(desired),
        documents,
        removals,
    })
}
