//! `airlock bundle sign`: add a vendor's signature, in place or in a file of its own.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::head_view::describe;
use super::output_place::{self, Makes};
use super::passphrase::PassphraseArgs;
use super::signature_file::read_signatures;
use super::times::SigningTimeArgs;
use super::{Ui, trust_file};
use crate::bundle::OpenedBundle;
use crate::crypto::{canonical, open_key};
use crate::domain::{Class, Error, Result, counted, shown};
use crate::media::{self, BundleInPlace};
use crate::stream::write_atomically;
use crate::vendor_side::{ReleaseSigners, chain_beside};

/// Add a signature: into the bundle, or into a file of its own
///
/// Only the bytes before the payload are rewritten; signatures and approvals that are there stay. Until they are synced the old ones
/// stand in FILE.old-head, and while that file is there the bundle counts as not signed: signing again puts it right. For a signing
/// room carry the bundle in and the detached file out. A release that is issued more than an hour ahead of this machine's clock, or
/// has expired by it, is not signed; nor is one with a key that may not sign it. Who may is read from --trust, else from the workspace
/// that the key file lies in, else from the root links in the bundle.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  airlock bundle sign release-7.airlock --key release-2.pem --trust root.json \\\n    --detached release-7.sig"
)]
pub(super) struct SignArgs {
    /// Bundle file
    file: PathBuf,
    /// Private key file of the release role
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// The vendor's chain file, `root.json` of the workspace
    #[arg(long, value_name = "ROOT.JSON")]
    trust: Option<PathBuf>,
    /// Write the signature here and leave the bundle as it is
    #[arg(long, value_name = "FILE")]
    detached: Option<PathBuf>,
    /// Merge this detached signature file too; may repeat
    #[arg(long, value_name = "FILE")]
    signatures: Vec<PathBuf>,
    #[command(flatten)]
    signing: SigningTimeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &SignArgs, ui: &mut Ui) -> Result<()> {
    if let Some(out) = &args.detached {
        let read = args
            .signatures
            .iter()
            .chain(&args.trust)
            .chain(&args.passphrase.passphrase_file);
        let inputs = read.chain([&args.file, &args.key]);
        output_place::check(out, Makes::Signatures, inputs.map(PathBuf::as_path))?;
    }
    let (mut in_place, input, size) = if args.detached.is_some() {
        let source = media::open(&args.file, None)?;
        (None, source.input, source.size)
    } else {
        let bundle = BundleInPlace::open(&args.file)?;
        let (input, size) = (bundle.input()?, bundle.size());
        if bundle.was_restored() {
            ui.warn("an earlier signing was cut off: the bundle is as it was before it, and is signed now");
        }
        (Some(bundle), input, Some(size))
    };
    let opened = OpenedBundle::open(input)?;
    let chain = match &args.trust {
        Some(path) => Some(trust_file::read(path)?),
        None => chain_beside(&args.key)?,
    };
    let signers = ReleaseSigners::find(&opened, chain.as_ref())?;
    let (bundle, mut signatures) = opened.into_unsigned()?;
    // Whoever signs reads what is signed: these lines come from exactly the bytes below the signature.
    ui.say(describe(
        bundle.head(),
        bundle.head_digest(),
        &signatures,
        false,
        size,
        None,
    ));
    args.signing
        .signing_time()
        .check_release(bundle.head().issued_at, bundle.head().expires)?;
    let mut asker = args.passphrase.asker();
    let key = open_key(&args.key, &mut |path| asker.ask(path))?;
    let id = key.public().id();
    signers.check_key(id, &format!("the key in {}", shown(&args.key.display().to_string())))?;
    let mut new = vec![bundle.sign(&key)];
    for path in &args.signatures {
        for signature in read_signatures(path)? {
            signers.check_signature(bundle.head_bytes(), &signature)?;
            new.push(signature);
        }
    }
    if let Some(out) = &args.detached {
        write_atomically(out, &canonical::to_vec(&json!({"signatures": new})), 0o644)?;
        return ui.result(
            &json!({"head_digest": bundle.head_digest(), "key": id, "detached": out}),
            format!(
                "signed with key {id}; the signature is in {}",
                shown(&out.display().to_string())
            ),
        );
    }
    for signature in new {
        signatures.retain(|held| held.keyid != signature.keyid);
        signatures.push(signature);
    }
    let prologue = bundle.prologue(&signatures)?;
    in_place
        .as_mut()
        .ok_or_else(|| Error::new(Class::Internal, "in-place", "the bundle is not open for signing"))?
        .replace(&prologue)?;
    ui.result(
        &json!({"head_digest": bundle.head_digest(), "key": id, "signatures": signatures.len()}),
        format!(
            "signed with key {id}; the bundle carries {}",
            counted(signatures.len(), "signature")
        ),
    )
}
