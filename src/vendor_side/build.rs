//! From a workspace and a release file to a signed bundle: the whole vendor side in one function.
//!
//! The ledger is told a number and its head before the first signature is made, so one number never gets two contents from one
//! workspace, also when the machine stops in between.

use std::path::PathBuf;

use super::answer::{AckKeys, Answer};
use super::collect::{EXPANDED_BYTES, LocalLayouts, RegistryOptions, Stored, collect_all};
use super::fleet::{EarlierRelease, Ids, Prepared, Removals, assemble, check_walls, prepare};
use super::pack::{Destination, PackEvent, Packed, pack};
use super::release::{Overrides, resolve};
use super::release_file::ReleaseFile;
use super::release_folder::ReleaseFolder;
use super::release_signers::other_role;
use super::signed_head::SignedHead;
use super::signing_time::SigningTime;
use super::workspace::Workspace;
use crate::bundle::desired::DesiredState;
use crate::bundle::{BundleLayout, Packing, ReleaseStatement};
use crate::crypto::{PayloadType, RoleName, Signature, SigningKey};
use crate::db::ledger;
use crate::domain::{Class, Counter, DocumentType, Error, Result, Scope};

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
    /// When it is signed: by this clock dates are judged and the number is recorded.
    pub time: SigningTime,
}

/// What building tells while it runs.
#[derive(Debug)]
pub enum BuildEvent<'a> {
    /// An image is looked at.
    Collecting(&'a str),
    /// Something that is not wrong here and may be at the site.
    Warning(String),
    /// The bundle is written.
    Packing(PackEvent),
}

/// A bundle that was built.
#[derive(Debug)]
pub struct Built {
    /// What was written.
    pub packed: Packed,
    /// Names that the bundle carries.
    pub names: usize,
    /// Children of indexes that were left out.
    pub absent: usize,
    /// How many more signatures the release role needs.
    pub signatures_missing: usize,
    /// What targets shall run; nothing when the release does not speak of targets.
    pub desired: Option<DesiredState>,
    /// Number of the acknowledgement that it takes along to its one site.
    pub acknowledgement: Option<u64>,
}

/// Opens the keys that sign releases: as many as the role demands, in the order of their files, or those in the files named.
///
/// # Errors
///
/// `E-TRUST no-key` when none is here, `E-TRUST other-role` for a named key that may not sign releases; those of the key files.
pub fn release_keys(
    workspace: &Workspace,
    named: &[PathBuf],
    ask: &mut super::AskPassphrase<'_>,
) -> Result<Vec<SigningKey>> {
    let root = workspace.chain().newest();
    if named.is_empty() {
        let mut keys = workspace.signing_keys(RoleName::Release, ask)?;
        if keys.is_empty() {
            return Err(
                Error::new(Class::Trust, "no-key", "the workspace holds no key that signs releases")
                    .expected("a private key of the release role in keys/")
                    .remedy("give --key FILE, or --unsigned and sign elsewhere with `airlock bundle sign`"),
            );
        }
        // One rule needs no more than its threshold; several may need any of them.
        if let [rule] = root.roles.get(RoleName::Release) {
            keys.truncate(rule.threshold);
        }
        return Ok(keys);
    }
    let role = root.role(RoleName::Release);
    let mut keys: Vec<SigningKey> = Vec::new();
    for path in named {
        let key = super::key_ring::open_key(path, ask)?;
        if role.key(key.public().id()).is_none() {
            let what = format!("the key in {}", path.display());
            return Err(other_role(&role, root.version, &what));
        }
        keys.push(key);
    }
    keys.sort_by_key(|key| key.public().id());
    keys.dedup_by_key(|key| key.public().id());
    Ok(keys)
}

/// Collects, plans, records, packs and signs.
///
/// # Errors
///
/// Those of each step; `E-EQUIVOCATION number-used` when the number belongs to another content; `E-ROLLBACK lower-number` when the
/// release file has a new number below one that was signed; `E-USAGE outside` for what is read from outside its folder; `E-CLOCK` and
/// `E-EXPIRED` for dates that a vendor does not sign, before anything is collected. Nothing is left behind at the destination then.
pub fn build(
    workspace: &Workspace,
    build: &Build<'_>,
    destination: Destination<'_>,
    events: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<Built> {
    let ledger = workspace.ledger()?;
    let chain = workspace.chain();
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
    let counter = Counter {
        epoch: release.epoch,
        sequence: release.sequence,
    };
    let known = ledger.read(|connection| ledger::signed_release(connection, &scope, counter))?;
    if let Some(newest) = newest.filter(|newest| {
        (newest.counter.epoch, newest.counter.sequence) > (counter.epoch, counter.sequence) && known.is_none()
    }) {
        let said = lower_number(&newest, counter, &scope);
        if build.overrides.sequence.is_none() {
            return Err(said);
        }
        events(BuildEvent::Warning(said.found().to_owned()));
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
        events(BuildEvent::Warning(warning.clone()));
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
    let mut prepared = prepare(build.file, &folder, &texts, build.registries, &mut |what| {
        events(BuildEvent::Collecting(what));
    })?;
    for warning in std::mem::take(&mut prepared.warnings) {
        events(BuildEvent::Warning(warning));
    }
    let problems = prepared.take_problems();
    let collection = collect_all(
        prepared.requests(),
        &resolved.platforms,
        build.registries,
        &LocalLayouts {
            folder,
            expanded: build.overrides.expanded.unwrap_or(EXPANDED_BYTES),
        },
        problems,
        |image| events(BuildEvent::Collecting(image)),
    )?;
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
        events(BuildEvent::Warning(warning.clone()));
    }
    content.documents.extend(fleet.documents);
    let layout = BundleLayout::new(&release, &content, chain, Packing::default())?;
    let (names, absent) = (content.tags.len(), content.absent.len());
    let remembered = fleet.removals.remembered.to_bytes();
    let items = layout.inventory();
    let mut sign = |bundle: &crate::bundle::UnsignedBundle| {
        let counter = bundle.head().counter();
        let (head, version) = (bundle.head_digest(), bundle.head().version.as_str());
        ledger.write(|transaction| {
            ledger::record_release(transaction, &scope, counter, head, version, build.time.now)?;
            if fleet.desired.is_some() {
                ledger::record_fleet(transaction, &scope, counter, &remembered)?;
            }
            let signed = SignedHead {
                head,
                bytes: bundle.head_bytes(),
                audience: &bundle.head().audience,
                items: &items,
                fixes: &build.file.fixes,
                desired: fleet.desired.as_ref(),
            };
            signed.record(transaction)?;
            answer.record(transaction, build.time.now)
        })?;
        Ok(build
            .keys
            .iter()
            .map(|key| Signature::make(key, PayloadType::BundleHead, bundle.head_bytes()))
            .collect())
    };
    let packed = pack(
        layout,
        content,
        &collection.sources,
        destination,
        &mut sign,
        &mut |event| {
            events(BuildEvent::Packing(event));
        },
    )?;
    let signatures_missing = chain
        .newest()
        .roles
        .get(RoleName::Release)
        .iter()
        .map(|rule| {
            let signed = build
                .keys
                .iter()
                .filter(|key| rule.keys.contains(&key.public().id()))
                .count();
            rule.threshold.saturating_sub(signed)
        })
        .max()
        .unwrap_or(0);
    Ok(Built {
        packed,
        names,
        absent,
        signatures_missing,
        desired: fleet.desired,
        acknowledgement: answer.number(),
    })
}

/// A number that no site would import which has the newest release. Making a known release again is something else.
fn lower_number(newest: &ledger::SignedRelease, counter: Counter, scope: &Scope) -> Error {
    let next = Counter {
        sequence: newest.counter.sequence.saturating_add(1),
        ..newest.counter
    };
    Error::new(
        Class::Rollback,
        "lower-number",
        format!(
            "release {} of {scope} was signed already: a site that has it will refuse the lower number {counter}",
            newest.counter
        ),
    )
    .expected(format!("a number from {next} on"))
    .remedy(format!(
        "raise sequence to {}, the next free number; or say that you mean the lower one with --sequence {}",
        next.sequence, counter.sequence
    ))
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
