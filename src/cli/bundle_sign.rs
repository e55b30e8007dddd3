//! `airlock bundle sign`: add a vendor's signature, in place or in a file of its own.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Ui;
use super::head_view::describe;
use super::passphrase::PassphraseArgs;
use super::signature_file::read_signatures;
use super::times::SigningTimeArgs;
use crate::bundle::OpenedBundle;
use crate::crypto::{KeyFile, canonical};
use crate::domain::{Result, counted, shown};
use crate::media;
use crate::stream::write_atomically;

/// Add a signature: into the bundle, or into a file of its own
///
/// Only the bytes before the payload are rewritten. For a signing room carry the bundle in and the detached file out.
/// A release that is issued more than an hour ahead of this machine's clock, or has expired by it, is not signed. The trust root
/// is not looked at: nothing here says which one is yours.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  airlock bundle sign release-7.airlock --key release-2.pem --detached release-7.sig"
)]
pub(super) struct SignArgs {
    /// Bundle file
    file: PathBuf,
    /// Private key file of the release role
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
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
    let source = media::open(&args.file, None)?;
    let (bundle, mut signatures) = OpenedBundle::open(source.input)?.into_unsigned()?;
    // Whoever signs reads what is signed: these lines come from exactly the bytes below the signature.
    ui.say(describe(
        bundle.head(),
        bundle.head_digest(),
        &signatures,
        false,
        source.size,
        None,
    ));
    args.signing
        .signing_time()
        .check_release(bundle.head().issued_at, bundle.head().expires)?;
    let file = KeyFile::read(&args.key)?;
    let secret = if file.is_encrypted() {
        Some(args.passphrase.asker().ask(&args.key)?)
    } else {
        None
    };
    let key = file.signing_key(secret.as_ref().map(|secret| secret.as_str()))?;
    let mut new = vec![bundle.sign(&key)];
    for path in &args.signatures {
        new.extend(read_signatures(path)?);
    }
    let id = key.public().id();
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
    let old = bundle.prologue(&signatures)?;
    for signature in new {
        signatures.retain(|held| held.keyid != signature.keyid);
        signatures.push(signature);
    }
    media::replace_prologue(&args.file, &old, &bundle.prologue(&signatures)?)?;
    ui.result(
        &json!({"head_digest": bundle.head_digest(), "key": id, "signatures": signatures.len()}),
        format!(
            "signed with key {id}; the bundle carries {}",
            counted(signatures.len(), "signature")
        ),
    )
}
