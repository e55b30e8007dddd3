//! `airlock bundle inspect|verify`: look at bundles; unpacking, comparing, making and signing them are files of their own.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::bundle_bases::NamedBases;
use super::bundle_opening::{By, open_judged, opened_under, warn_unfinished};
use super::bundle_verifying::{Verifying, gather, no_room};
use super::file_kind::Door;
use super::head_view::{describe, headline};
use super::ui::{bytes, escape};
use super::{Ui, bundle_desired, trust_file, volume_view};
use crate::bundle::{VerifiedBundle, read_desired};
use crate::domain::{Class, Clock as _, Digest, Error, Result, SystemClock, Timestamp, counted};
use crate::encoding::Encoding;
use crate::media;

/// Make, inspect, verify and sign bundles
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum BundleCommand {
    /// Show who, what, for whom, how new and how big, from the first kilobytes of a bundle
    ///
    /// Nothing is verified unless --trust is given; then the signatures over the head are.
    #[command(after_help = "Example:\n  airlock bundle inspect /media/usb/release-7.airlock --list")]
    Inspect {
        /// Bundle file or one volume, folder with one bundle or its volumes, named pipe, or - for standard input
        file: PathBuf,
        /// Vendor's chain file: verify the head's signatures too
        #[arg(long, value_name = "ROOT.JSON")]
        trust: Option<PathBuf>,
        /// Read the index too and list every name, what the site must hold already, and what targets shall run
        #[arg(long)]
        list: bool,
    },
    /// Check every signature, every byte and every reference; no state, no network
    ///
    /// What only a site can judge is skipped and reported: audience, sequence, approvals, content it must hold already. Expiry is
    /// reported, and refused only with --at. A bundle that says it was issued more than 48 hours ahead of that time, or else of
    /// the clock, is refused. Of a set of volumes that is not complete every byte at hand is compared with what was signed, and it is refused
    /// by the number of the volume that is missing (E-INCOMPLETE).
    #[command(
        after_help = "Examples:\n  airlock bundle verify release-7.airlock --trust root.json\n  airlock bundle verify /media/usb/release-7.2-of-3.airlock --trust root.json"
    )]
    Verify {
        /// Bundle file, folder with one bundle or its volumes, named pipe, or - for standard input; or the volumes one by one, in any order
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Vendor's chain file; may repeat
        #[arg(long, value_name = "ROOT.JSON", required = true)]
        trust: Vec<PathBuf>,
        /// Detached signature file that belongs to the bundle; may repeat
        #[arg(long, value_name = "FILE")]
        signatures: Vec<PathBuf>,
        /// Bundle of an earlier release, or state folder of a site, that holds what layers of this one are copied from in part; may
        /// repeat, in any order: bundles that this one builds on may be copied from others again. Without it such layers are judged as far
        /// as their own bytes allow, and counted. What is copied from stands in the folder of TMPDIR meanwhile
        #[arg(long, value_name = "BUNDLE|STATE")]
        base: Vec<PathBuf>,
        /// Refuse what has expired at this time: YYYY-MM-DDTHH:MM:SSZ, or with an offset, or a day (its start in UTC)
        #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person)]
        at: Option<Timestamp>,
    },
    /// Unpack a bundle into an OCI image layout, which skopeo, podman, oras, crane and containerd read
    Extract(super::bundle_extract::ExtractArgs),
    /// Compare two bundles: images, layers, applications, targets, sizes
    Diff(super::bundle_diff::DiffArgs),
    /// Make a small file of what a site has lost of a bundle: it mends there what the whole bundle would
    #[cfg(feature = "vendor")]
    Repair(super::bundle_repair::RepairArgs),
    /// Add a signature: into the bundle, or into a file of its own
    #[cfg(feature = "vendor")]
    Sign(super::bundle_sign::SignArgs),
    /// Build and sign a bundle from a release file, or from a list of images
    ///
    /// Collects every image from registries, engines, archives and OCI layouts with all that it needs and all that refers to it, checks every digest,
    /// rewrites compose files and chart values to the site's registry, pinned by digest,
    /// writes the bundle, reads it back from the medium, and only then gives it its name. The same inputs give the same bytes.
    /// Registries are asked as Docker's config.json says; what the release file may say is in
    /// bundle-spec/schemas/release.schema.json. With `-o -` the payload waits in a file without a name under --work until the head
    /// is known.
    /// For named sites it leaves out the layers that all of them hold, by the newest status package of each: of releases whose content
    /// is the one signed here, not listed as damaged, while no finding against the site is open (`vendor ledger findings`). Such layers
    /// are not read and may be gone from their source; --full carries everything. --dry-run says the same and stops there.
    /// A release that is issued more than an hour ahead of this machine's clock is refused (E-CLOCK; --allow-future takes it), and
    /// one that has expired, or whose trust root has (E-EXPIRED).
    #[cfg(feature = "vendor")]
    #[command(after_help = "Examples:
  airlock bundle create -f release.yaml -w acme -o acme-7.airlock
  airlock bundle create -f release.yaml -w acme -o plant.airlock --site plant-7 \\
    --platform linux/amd64
  airlock bundle create -f release.yaml -w acme --site plant-7 --dry-run
  airlock bundle create --image postgres:16 --image docker:acme/web:1.0 -w acme -o first.airlock
  airlock bundle create --images images.txt -w acme -o acme-8.airlock
  airlock bundle create -f release.yaml -w acme -o plant.airlock --site plant-7 --full
  airlock bundle create -f release.yaml -w acme -o - | ssh diode 'cat > acme-7.airlock'
A release file:
  product: erp
  channel: stable
  version: 2026.11
  sequence: 7
  issued_at: 2026-11-21T10:00:00Z
  expires_in: 90d
  audience: any
  images:
    - source: postgres:16
    - source: oci:build/web.tar:1.0
      name: registry.example.com/acme/web
    - source: oci:build/all.tar:registry.example.com/acme/sensor:1.0
      platforms: [linux/arm64]
    - docker:acme/report:1.0          # of this machine's engine
    - docker-archive:build/old.tar    # of `docker save`
With an application (all keys: bundle-spec/schemas/examples/release.example.yaml):
  agents:
    - name: 3.1.0
      docker: ghcr.io/distr-sh/distr/docker-agent:3.1.0
      autoheal: ghcr.io/distr-sh/distr/docker-autoheal:3.1.0
  applications:
    - name: shop
      version: 1.4.0
      compose: [compose.yaml, compose.prod.yaml]
      env_file: shop.env
  targets:
    - name: press-1
      kind: docker
      deployments: [{application: shop}]
  secrets:                        # shop.env says DB_PASSWORD=\"{{ .Secrets.DB_PASSWORD }}\"
    - name: DB_PASSWORD
      value: {site: generate}     # each site makes and keeps its own
    - name: SMTP_PASSWORD
      value: {site: ask}          # entered there: airlock secret set SMTP_PASSWORD
    - name: LICENCE
      value: {file: ../licence}   # encrypted to each enrolled site of the audience; also
                                  # {env: VARIABLE} and {ask: true}")]
    Create(Box<super::bundle_create::CreateArgs>),
}

pub(super) fn run(command: &BundleCommand, ui: &mut Ui) -> Result<()> {
    match command {
        BundleCommand::Inspect { file, trust, list } => inspect(file, trust.as_deref(), *list, ui),
        BundleCommand::Verify {
            files,
            trust,
            signatures,
            base,
            at,
        } => verify(files, trust, (signatures, base), *at, ui),
        BundleCommand::Extract(args) => super::bundle_extract::run(args, ui),
        BundleCommand::Diff(args) => super::bundle_diff::run(args, ui),
        #[cfg(feature = "vendor")]
        BundleCommand::Repair(args) => super::bundle_repair::run(args, ui),
        #[cfg(feature = "vendor")]
        BundleCommand::Sign(args) => super::bundle_sign::run(args, ui),
        #[cfg(feature = "vendor")]
        BundleCommand::Create(args) => super::bundle_create::run(args, ui),
    }
}

fn inspect(file: &Path, trust: Option<&Path>, list: bool, ui: &mut Ui) -> Result<()> {
    let source = media::open(file, None)?;
    warn_unfinished(&source, ui);
    let size = source.size;
    let opened = source.into_bundle().map_err(|error| Door::BUNDLE.told(error, file))?;
    let signatures = opened.signatures()?;
    let (at_hand, repair) = (opened.claimed_volumes(), opened.claimed_repair());
    let (head, digest, list) = if let Some(trust) = trust {
        let (signed, _) = opened_under(opened, &trust_file::read(trust)?)?;
        let (head, digest) = (signed.head().clone(), signed.head_digest());
        let list = if list {
            let bundle = signed.read_index(|_, _| Ok(()))?;
            let (names, needs) = (names(&bundle), bundle.index().needs().to_vec());
            let encoded = encoded(&bundle);
            // What shall run stands in chunks that a repair file need not hold.
            let desired = match &repair {
                Some(_) => None,
                None => read_desired(bundle)?,
            };
            Some((names, needs, encoded, desired))
        } else {
            None
        };
        (head, digest, list)
    } else {
        if list {
            return Err(Error::new(
                Class::Usage,
                "list",
                "--list reads the index, which only a verified head vouches for",
            )
            .remedy("give --trust ROOT.JSON too"));
        }
        let (head, digest) = opened.unverified_head()?;
        (head, digest, None)
    };
    let verified = trust.is_some();
    let (names, needs, encoded, desired) = match list {
        Some((names, needs, encoded, desired)) => (Some(names), needs, encoded, desired),
        None => (None, Vec::new(), Vec::new(), None),
    };
    let mut human = describe(&head, digest, &signatures, verified, size, names.as_deref());
    human += &volume_view::lines(&head, &at_hand, repair.as_ref());
    for need in &needs {
        human += &format!("\n  needs {}  {}", need.digest, bytes(need.size));
    }
    for (blob, encoding, bases) in &encoded {
        let producer = encoding.producer().map(|producer| format!(", {}", producer.as_str()));
        human += &format!(
            "\n  encoded {}  {} travel as {} ({}{})",
            blob.digest,
            bytes(blob.size),
            bytes(blob.travel_size),
            if bases.is_empty() { encoding.word() } else { "delta" },
            producer.unwrap_or_default()
        );
        for base in bases {
            human += &format!("\n    copied in part from {base}");
        }
    }
    for line in desired.iter().flat_map(bundle_desired::lines) {
        human += &format!("\n{line}");
    }
    let mut value = json!({
        "head_digest": digest, "verified": verified, "head": head, "size": size, "volumes_at_hand": at_hand,
        "signatures": signatures.iter().map(|signature| signature.keyid).collect::<Vec<_>>(),
    });
    if let (Some(members), Some(chunks)) = (value.as_object_mut(), &repair) {
        members.insert("repair".into(), chunks.to_string().into());
    }
    if let (Some(members), Some(names)) = (value.as_object_mut(), &names) {
        members.insert("names".into(), json!(names));
        let needs = needs.iter().map(|need| match need.plain_size {
            Some(plain) => json!({"digest": need.digest, "plain_size": plain, "size": need.size}),
            None => json!({"digest": need.digest, "size": need.size}),
        });
        members.insert("needs".into(), needs.collect());
        let encoded = encoded.iter().map(|(blob, encoding, bases)| {
            json!({"digest": blob.digest, "size": blob.size, "travel_size": blob.travel_size,
                   "encoding": encoding.to_value(bases)})
        });
        members.insert("encoded".into(), encoded.collect());
        members.insert("desired".into(), json!(desired));
    }
    ui.result(&value, human)
}

fn names(bundle: &VerifiedBundle) -> Vec<String> {
    bundle
        .index()
        .names()
        .map(|(repository, tag, digest)| match tag {
            Some(tag) => format!("{}:{}  {digest}", escape(repository), escape(tag)),
            None => format!("{}  {digest}", escape(repository)),
        })
        .collect()
}

/// Returns the blobs that travel encoded, and what each is copied from.
fn encoded(bundle: &VerifiedBundle) -> Vec<(crate::bundle::Blob, Encoding, Vec<Digest>)> {
    let index = bundle.index();
    let bases = |blob: &crate::bundle::Blob| index.bases(blob).iter().map(|base| base.digest).collect();
    let encoded = |blob: &crate::bundle::Blob| Some((*blob, index.encoding(blob)?, bases(blob)));
    index.blobs().iter().filter_map(encoded).collect()
}

fn verify(
    files: &[PathBuf],
    trust: &[PathBuf],
    (detached, base): (&[PathBuf], &[PathBuf]),
    at: Option<Timestamp>,
    ui: &mut Ui,
) -> Result<()> {
    let by = By {
        trust,
        signatures: detached,
        at,
    };
    let (bundle, chain) = open_judged(files, by, ui)?;
    if bundle.repair().is_some() {
        return verify_repair(bundle, ui);
    }
    if !bundle.missing_volumes().is_empty() {
        let total = bundle.total_bytes();
        return Err(bundle.incomplete(0, |done| ui.progress("verify", done, total)));
    }
    let (head, digest) = (bundle.head().clone(), bundle.head_digest());
    let (total, needs) = (bundle.total_bytes(), bundle.index().needs().len());
    let needed_bytes = bundle
        .index()
        .needs()
        .iter()
        .map(|need| need.size)
        .fold(0, u64::saturating_add);
    let bases = NamedBases::read(base, &chain)?;
    bases.check_sizes(bundle.index().needs())?;
    let taken = gather(bundle.index(), bases, ui)?;
    let mut verifying = Verifying::new(bundle.index(), taken, |done| ui.progress("verify", done, total));
    bundle.read_payload(&mut verifying).map_err(no_room)?;
    let (not_restored, not_restored_bytes) = verifying.unrestored;
    // Without a time that the person gave, it is for the site to judge; who reads the verdict is told all the same.
    let now = at.unwrap_or_else(|| SystemClock.now());
    let expired = head.expires <= now;
    let value = json!({
        "result": "good", "expired": expired, "head_digest": digest, "product": head.product, "channel": head.channel, "epoch": head.epoch,
        "sequence": head.sequence, "version": head.version, "expires": head.expires, "audience": head.audience, "needs": needs, "needed_bytes": needed_bytes,
        "not_restored": {"blobs": not_restored, "bytes": not_restored_bytes},
        "skipped": ["audience", "sequence", "approvals", "needs"],
    });
    let human = format!(
        "good: {}{}{}\nhead {digest}\nnot judged without a site: audience, sequence, {}approvals, {} ({}) it must hold already",
        headline(&head),
        if expired {
            format!("\nEXPIRED at {}: no site imports it", head.expires)
        } else {
            String::new()
        },
        if not_restored > 0 {
            format!(
                "\nNOT PROVEN: {} ({}), for what is copied into them is not at hand (--base BUNDLE or STATE, and the bundles that BUNDLE is copied from itself)",
                counted(not_restored, "blob"),
                bytes(not_restored_bytes)
            )
        } else {
            String::new()
        },
        if at.is_some() { "" } else { "expiry, " },
        counted(needs, "blob"),
        bytes(needed_bytes),
    );
    ui.result(&value, human)
}

/// Of a repair file every byte is compared with what was signed; what it makes is judged where the rest of the bundle is.
fn verify_repair(bundle: VerifiedBundle, ui: &mut Ui) -> Result<()> {
    let (head, digest, total) = (bundle.head().clone(), bundle.head_digest(), bundle.total_bytes());
    let chunks = bundle.repair().cloned().unwrap_or_default();
    bundle.check_repair(|done| ui.progress("verify", done, total))?;
    let value = json!({
        "result": "good", "head_digest": digest, "product": head.product, "channel": head.channel, "epoch": head.epoch,
        "sequence": head.sequence, "version": head.version, "repair": chunks.to_string(), "chunks": chunks.count(),
        "skipped": ["audience", "sequence", "approvals", "needs", "content"],
    });
    let human = format!(
        "good: a repair file with {} of {} ({chunks}): every byte is what was signed\nof {}\nhead {digest}\nnot judged without the site that \
         has the rest: what is made of them",
        counted(chunks.count(), "chunk"),
        head.totals.chunks,
        headline(&head),
    );
    ui.result(&value, human)
}
