//! Opens a bundle for who judges it without a site: whose it is, who signed it, when, and what its index says (X1 to X9a).

use std::path::PathBuf;

use super::Ui;
use super::file_kind::Door;
use super::signature_file::read_signatures;
use super::trust_file;
use super::ui::escape;
use crate::bundle::{Head, OpenedBundle, SignedBundle, VerifiedBundle};
use crate::crypto::{Chain, RootDocument};
use crate::domain::{Class, Clock as _, Error, Result, Step, SystemClock, Timestamp, latest_issue};
use crate::media;

/// What a bundle is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    /// Chain files, one of which must be of the vendor who made it.
    pub(super) trust: &'a [PathBuf],
    /// Detached signatures.
    pub(super) signatures: &'a [PathBuf],
    /// The time that the person gave; else the clock, and expiry is not refused.
    pub(super) at: Option<Timestamp>,
}

/// Opens a bundle whose head and index are good. What judges a bundle needs no network: the power is given up before the first byte is read.
pub(super) fn open_judged(files: &[PathBuf], by: By<'_>, ui: &mut Ui) -> Result<(VerifiedBundle, Chain)> {
    let chains = by
        .trust
        .iter()
        .map(|path| trust_file::read(path))
        .collect::<Result<Vec<_>>>()?;
    let mut signatures = Vec::new();
    for path in by.signatures {
        signatures.extend(read_signatures(path)?);
    }
    #[cfg(feature = "site")]
    crate::confine::no_network()?;
    let source = media::open_all(files, None)?;
    warn_unfinished(&source, ui);
    let opened = source
        .into_bundle()
        .map_err(|error| told(error, files))?
        .with_signatures(signatures);
    let (domain, _) = opened.links()?;
    let chain = chains.iter().find(|chain| chain.domain() == domain).or(chains.first());
    let chain = chain.ok_or_else(|| Error::new(Class::Usage, "trust", "no chain file was given"))?;
    let (signed, chain) = opened_under(opened, chain)?;
    let now = by.at.unwrap_or_else(|| SystemClock.now());
    check_issued(signed.head(), chain.newest(), now).map_err(|error| error.at(Step::X8))?;
    if let Some(at) = by.at {
        check_expiry(signed.head(), chain.newest(), at).map_err(|error| error.at(Step::X8))?;
    }
    signed.approvals()?;
    Ok((signed.read_index(|_, _| Ok(()))?, chain))
}

/// Retells a refusal of what is no bundle, where one file was named.
pub(super) fn told(error: Error, files: &[PathBuf]) -> Error {
    match files {
        [file] => Door::BUNDLE.told(error, file),
        _ => error,
    }
}

/// Says that a bundle is read as it was before a signing that did not end.
pub(super) fn warn_unfinished(source: &media::BundleSource, ui: &mut Ui) {
    if let Some(old) = &source.old_head {
        ui.warn(format_args!(
            "signing was cut off: the bundle is read as it was before, from {}; sign it again before it is copied anywhere",
            escape(&old.display().to_string())
        ));
    }
}

/// Walks the links that a bundle carries from a pinned chain and verifies its head under the newest root.
pub(super) fn opened_under(opened: OpenedBundle, pinned: &Chain) -> Result<(SignedBundle, Chain)> {
    let (domain, links) = opened.links()?;
    if domain != pinned.domain() {
        return Err(Error::new(
            Class::Trust,
            "unknown-domain",
            format!("the bundle belongs to the trust domain {domain}"),
        )
        .expected(pinned.domain().to_string())
        .remedy("give the chain file of the vendor who made it")
        .at(Step::X3));
    }
    let step = pinned.extend(&links);
    if let Some(refusal) = step.refusal {
        return Err(refusal.at(Step::X3));
    }
    Ok((opened.verify(&step.chain)?, step.chain))
}

/// When the bundle says that it was issued (X8), by the time that the person gave or the clock.
fn check_issued(head: &Head, root: &RootDocument, now: Timestamp) -> Result<()> {
    if head.issued_at > root.expires {
        return Err(Error::new(
            Class::Clock,
            "issued-after-root",
            format!(
                "the bundle says it was issued at {}, after its root expires",
                head.issued_at
            ),
        )
        .expected(format!("a time before {}", root.expires))
        .remedy("ask the vendor for a bundle with the right date"));
    }
    let latest = latest_issue(now, Timestamp::EPOCH);
    if head.issued_at > latest {
        return Err(Error::new(
            Class::Clock,
            "issued-ahead",
            format!("the bundle says it was issued at {}, and it is {now}", head.issued_at),
        )
        .expected(format!("a time up to {latest}"))
        .remedy("correct the clock, or ask the vendor whether the date is right and give it with --at"));
    }
    Ok(())
}

/// Expiry at a time that the person gave (X8): of the newest root first, then of the bundle.
fn check_expiry(head: &Head, root: &RootDocument, at: Timestamp) -> Result<()> {
    let (code, what, expired) = if root.expires <= at {
        ("root", "the vendor's root", root.expires)
    } else if head.expires <= at {
        ("bundle", "the bundle", head.expires)
    } else {
        return Ok(());
    };
    Err(Error::new(Class::Expired, code, format!("{what} expired at {expired}"))
        .expected(format!("an expiry after {at}"))
        .remedy("ask the vendor for a newer bundle"))
}
