//! What the audit log says of an import that publishes nothing: refused, here already, or a dry run.

use serde_json::{Value, json};

use super::admit::Judged;
use super::options::Options;
use crate::appliance::refusal::{REFUSE, refused};
use crate::appliance::state::Appliance;
use crate::bundle::Head;
use crate::crypto::ReceiptResult;
use crate::db::sealed_log::AUDIT_BROKEN;
use crate::db::site::audit;
use crate::db::site::confirmed_date_to;
use crate::db::site::owners::Held;
use crate::db::site::receipts::{self, About, Act, Refusal, Signer};
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// The bundle is here already, and whole; or a dry run found what would be restored.
pub(super) fn already(
    appliance: &Appliance,
    head: &Head,
    digest: Hash,
    would_restore: Option<u64>,
    (options, at): (&Options, Timestamp),
) -> Result<()> {
    let mut detail = describe(head, digest);
    if let (Some(count), Some(members)) = (would_restore, detail.as_object_mut()) {
        members.insert("would_restore".into(), count.into());
    }
    confirmed_date_to(&mut detail, options.confirmed_date);
    append(appliance, "import-already", &detail, at)
}

/// Every check passed, and nothing was kept.
pub(super) fn dry_run(
    appliance: &Appliance,
    head: &Head,
    digest: Hash,
    held: Option<&Held>,
    (options, at): (&Options, Timestamp),
) -> Result<()> {
    let mut detail = describe(head, digest);
    if let (Some(held), Some(members)) = (held, detail.as_object_mut()) {
        members.insert("held".into(), held.to_json());
    }
    confirmed_date_to(&mut detail, options.confirmed_date);
    append(appliance, "dry-run", &detail, at)
}

/// The bundle was refused; on a full disk the reserve makes room for the row. Where the verdict is about a release whose head was
/// verified, its vendor gets a receipt of it.
pub(super) fn refusal(
    appliance: &Appliance,
    error: &Error,
    judged: Option<&Judged>,
    options: &Options,
    at: Timestamp,
) -> Result<()> {
    // Nothing is added to a log that does not hold.
    if error.is(AUDIT_BROKEN) {
        return Ok(());
    }
    let mut detail = refused(error);
    if let (Some(judged), Some(members)) = (judged, detail.as_object_mut()) {
        members.insert("head".into(), judged.head_digest.to_hex().into());
    }
    confirmed_date_to(&mut detail, options.confirmed_date);
    let told = judged.zip(told(error)).filter(|_| !options.dry_run);
    appliance.with_reserve(|| match told {
        Some((judged, refusal)) => match appliance.signer() {
            Ok(signer) => tell(appliance, &signer, judged, refusal, &detail, at),
            Err(error) => {
                tracing::error!(%error, "a refusal has no receipt");
                append(appliance, REFUSE, &detail, at)
            }
        },
        None => append(appliance, REFUSE, &detail, at),
    })
}

/// Returns what the vendor may know of a refusal; nothing where the verdict is none about its bundle.
fn told(error: &Error) -> Option<Refusal> {
    let (class, code) = error.told();
    let step = error.step()?;
    // Of the site: its disk and medium, its state, its people, its program.
    let is_of_the_site = matches!(
        class,
        Class::Busy
            | Class::Io
            | Class::Space
            | Class::Incomplete
            | Class::State
            | Class::Other
            | Class::Usage
            | Class::Internal
    );
    (!is_of_the_site).then_some(Refusal { class, code, step })
}

/// Writes the refusal down with its receipt, or, where the vendor has one of this day, without.
fn tell(
    appliance: &Appliance,
    signer: &Signer,
    judged: &Judged,
    refusal: Refusal,
    detail: &Value,
    at: Timestamp,
) -> Result<()> {
    let Judged {
        head,
        head_digest,
        root_version,
    } = judged;
    let scope = head.scope();
    let about = About {
        scope: &scope,
        counter: head.counter(),
        head: *head_digest,
        root_version: *root_version,
        version: &head.version,
    };
    let told = json!({
        "class": refusal.class.name(), "code": refusal.code.as_str(), "head": head_digest, "step": refusal.step.to_string(),
    });
    appliance.db.write(|transaction| {
        if receipts::is_told(transaction, scope.domain, *head_digest, &refusal, at)? {
            return audit::append(transaction, at, REFUSE, detail, &[]).map(|_| ());
        }
        let act = Act {
            at,
            action: REFUSE,
            result: ReceiptResult::Refused,
            refusal: Some(refusal),
            detail: detail.clone(),
            told,
        };
        receipts::issue(transaction, signer, &about, act).map(|_| ())
    })
}

fn append(appliance: &Appliance, action: &str, detail: &Value, at: Timestamp) -> Result<()> {
    appliance
        .db
        .write(|transaction| audit::append(transaction, at, action, detail, &[]).map(|_| ()))
}

pub(super) fn describe(head: &Head, digest: Hash) -> Value {
    json!({
        "channel": head.channel, "domain": head.domain, "epoch": head.epoch, "head": digest,
        "product": head.product, "sequence": head.sequence, "version": head.version,
    })
}
