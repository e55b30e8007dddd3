//! What a head says, for people: in one line, and in full.

use super::ui::{bytes, escape};
use crate::bundle::Head;
use crate::crypto::Signature;
use crate::domain::{Audience, Hash, counted};

/// Returns one line about a head.
pub(super) fn headline(head: &Head) -> String {
    format!(
        "{}/{} {} (release {}), {} in {}, made {}, expires {}",
        head.product,
        head.channel,
        escape(&head.version),
        head.counter(),
        bytes(head.totals.content_bytes),
        counted(head.totals.blobs, "blob"),
        head.issued_at,
        head.expires,
    )
}

/// Returns everything about a head, a line each.
pub(super) fn describe(
    head: &Head,
    digest: Hash,
    signatures: &[Signature],
    verified: bool,
    size: Option<u64>,
    names: Option<&[String]>,
) -> String {
    let audience = match &head.audience {
        Audience::Any(_) => "any site that trusts the vendor".to_owned(),
        Audience::Sites(sites) => sites.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let keys: Vec<String> = signatures.iter().map(|signature| signature.keyid.to_hex()).collect();
    let documents: Vec<String> = head
        .documents
        .iter()
        .map(|document| format!("{} ({})", document.kind, bytes(document.size)))
        .collect();
    let mut lines = vec![
        format!(
            "release      {}/{} {} (number {})",
            head.product,
            head.channel,
            escape(&head.version),
            head.counter()
        ),
        format!("head         {digest}"),
        format!(
            "signatures   {}{}",
            if verified { "good: " } else { "NOT VERIFIED: " },
            if keys.is_empty() {
                "none".into()
            } else {
                keys.join(", ")
            }
        ),
        format!("domain       {} (root {})", head.domain, head.root_version),
        format!("audience     {audience}"),
        format!("issued       {}, expires {}", head.issued_at, head.expires),
        format!(
            "content      {} in {}, {} as stored in {}",
            bytes(head.totals.content_bytes),
            counted(head.totals.blobs, "blob"),
            bytes(head.totals.stored_bytes),
            counted(head.totals.chunks, "chunk")
        ),
        format!("needs        {} of earlier bundles", counted(head.totals.needs, "blob")),
        format!(
            "made by      {} {}, for airlock {} or newer",
            escape(&head.builder.name),
            escape(&head.builder.version),
            head.minimum_appliance
        ),
    ];
    if !documents.is_empty() {
        lines.push(format!("documents    {}", documents.join(", ")));
    }
    if let Some(size) = size {
        lines.push(format!("file         {}", bytes(size)));
    }
    lines.extend(names.unwrap_or_default().iter().map(|name| format!("  {name}")));
    lines.join("\n")
}
