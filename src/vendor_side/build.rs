//! From a workspace and a release file to a signed bundle: the whole vendor side in one function.
//!
//! The ledger is told a number and its head before the first signature is made, so one number never gets two contents from one
//! workspace, also when the machine stops in between.

use std::path::PathBuf;

use super::collect::FetchedContent;
use super::encode::{EncodeOptions, EncodeReport, Encodings, Held, Relatives, encode};
use super::fleet::ChartReport;
use super::ledger::base::Base;
use super::number_used;
use super::pack::{Destination, Packed, pack};
use super::plan::{Build, BuildEvent, LaidOut, lay_out};
use super::release_signers::other_role;
use super::signed_head::SignedHead;
use super::warning::Warning;
use super::workspace::Workspace;
use crate::bundle::desired::DesiredState;
use crate::crypto::{AskPassphrase, PayloadType, RoleName, Signature, SigningKey, open_key};
use crate::db::ledger;
use crate::domain::{Class, Digest, Error, Result, counted};
use crate::media::check_file_size;

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
    /// What it builds on.
    pub base: Base,
    /// Layers that the sites hold, and the bundle needs and does not carry.
    pub needs: u64,
    /// Their bytes.
    pub needed_bytes: u64,
    /// What targets shall run; nothing when the release does not speak of targets.
    pub desired: Option<DesiredState>,
    /// Number of the acknowledgement that it takes along to its one site.
    pub acknowledgement: Option<u64>,
    /// What became of its charts.
    pub charts: Vec<ChartReport>,
    /// To how many sites secrets are sealed.
    pub sealed: usize,
    /// What became of every layer.
    pub encoded: EncodeReport,
}

/// Opens the keys that sign releases: as many as the role demands, in the order of their files, or those in the files named.
///
/// # Errors
///
/// `E-TRUST no-key` when none is here, `E-TRUST other-role` for a named key that may not sign releases; those of the key files.
pub fn release_keys(workspace: &Workspace, named: &[PathBuf], ask: &mut AskPassphrase<'_>) -> Result<Vec<SigningKey>> {
    let root = workspace.chain().newest();
    if named.is_empty() {
        let mut keys = workspace.signing_keys(RoleName::Release, ask)?;
        if keys.is_empty() {
            return Err(
                Error::new(Class::Trust, "no-key", "the workspace holds no key that signs releases")
                    .expected("a private key of the release role in keys/")
                    .remedy("give --key FILE, or --unsigned and sign elsewhere with `airlock bundle sign BUNDLE --key FILE`"),
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
        let key = open_key(path, ask)?;
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
    let LaidOut {
        plan,
        layout,
        content,
        mut sources,
        named,
        scope,
        remembered,
        answer,
    } = lay_out(workspace, build, events)?;
    sources.expect(
        layout.late_blobs(),
        workspace.folder(),
        fetched(&build.overrides.encode),
    )?;
    let held = Held {
        layers: &plan.base.copied_from,
        aged: &plan.base.aged,
        named: &named,
        relatives: &Relatives::of(&content)?,
    };
    let (layout, sources, encoded) = encode(
        workspace,
        &build.overrides.encode,
        (layout, sources),
        &held,
        &mut |done, total| events(BuildEvent::Encoding(done, total)),
    )?;
    events(BuildEvent::Encoded(&plan, &encoded));
    if let Destination::File(path) = &destination {
        check_file_size(path, layout.largest_file())?;
    }
    if let Some(sentence) = lacking(&encoded.lacking) {
        events(BuildEvent::Warning(Warning::plain(sentence)));
    }
    if let Some(bytes) = encoded.too_laborious {
        events(BuildEvent::Warning(Warning::plain(format!(
            "nothing is copied from older layers, for sites would inflate {bytes} bytes for it, more than half of what they allow; \
             build on fewer bundles"
        ))));
    }
    let ledger = workspace.ledger()?;
    let chain = workspace.chain();
    let named: Vec<_> = content
        .tags
        .iter()
        .map(|line| (line.repository.clone(), line.digest))
        .collect();
    let repositories: Vec<_> = named.iter().map(|(name, digest)| (name.as_str(), *digest)).collect();
    let mut sign = |bundle: &crate::bundle::UnsignedBundle| {
        let counter = bundle.head().counter();
        let (head, version) = (bundle.head_digest(), bundle.head().version.as_str());
        ledger.write(|transaction| {
            match ledger::record_release(transaction, &scope, counter, head, version, build.time.now) {
                Err(error) if error.class() == Class::Equivocation => {
                    return Err(number_used::told(transaction, &scope, bundle, &encoded.lacking, error)?);
                }
                recorded => recorded?,
            };
            if plan.desired.is_some() {
                ledger::record_fleet(transaction, &scope, counter, &remembered)?;
            }
            let signed = SignedHead {
                head,
                bytes: bundle.head_bytes(),
                audience: &bundle.head().audience,
                scope: &scope,
                counter,
                names: &repositories,
                items: bundle.inventory(),
                fixes: &build.file.fixes,
                desired: plan.desired.as_ref(),
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
    let packed = pack(layout, content, &sources, destination, &mut sign, &mut |event| {
        events(BuildEvent::Packing(event));
    })?;
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
        names: plan.names.len(),
        absent: plan.absent,
        signatures_missing,
        base: plan.base,
        needs: plan.needs,
        needed_bytes: plan.needed_bytes,
        desired: plan.desired,
        charts: plan.charts,
        acknowledgement: answer.number(),
        sealed: plan.sealed,
        encoded,
    })
}

/// Says which older layers of the sites nothing is copied from.
fn lacking(layers: &[(Digest, u64)]) -> Option<String> {
    let told = number_used::names(layers)?;
    Some(format!(
        "nothing is copied from {} that the sites hold, for their bytes are not at hand: {told}; to copy from them, name a bundle that \
         carries them with --base FILE, and those that it is copied from itself",
        counted(layers.len() as u64, "older layer")
    ))
}

/// What becomes of what is fetched: kept where layers are kept anyway, and written once where the bundle is to be all that is written.
fn fetched(options: &EncodeOptions) -> FetchedContent {
    match options.encodings {
        _ if !options.cache => FetchedContent::Fresh,
        Encodings::Auto => FetchedContent::Kept,
        Encodings::None | Encodings::Recipes => FetchedContent::Used,
    }
}
