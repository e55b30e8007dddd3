//! What a head says, for people: in one line, and in full.

use super::ui::{bytes, escape};
use crate::bundle::Head;
use crate::crypto::Signature;
use crate::domain::{Audience, Hash, counted};

/// Returns number, label and scope of a release, as they are written everywhere.
pub(super) fn release(head: &Head) -> String {
    format!(
        "release {} ({}) of {}/{}",
        head.counter(),
        escape(&head.version),
        head.product,
        head.channel
    )
}

/// Returns one line about a head.
pub(super) fn headline(head: &Head) -> String {
    format!(
        "{}, {} in {}, made {}, expires {}",
        release(head),
        bytes(head.totals.content_bytes),
        counted(head.totals.blobs, "blob"),
        head.issued_at,
        head.expires,
    )
}

/// Returns how much smaller its content travels than it is, and what its reader must know for that; nothing where nothing is encoded.
fn travels(head: &Head) -> String {
    let features: Vec<&str> = head
        .requires
        .iter()
        .map(String::as_str)
        .filter(|feature| {
            feature.starts_with("encoding-") || feature.starts_with("gzip-") || feature.starts_with("delta-")
        })
        .collect();
    let (content, stored) = (head.totals.content_bytes, head.totals.stored_bytes);
    let saved = content.saturating_sub(stored).saturating_mul(100).checked_div(content);
    if features.is_empty() {
        return String::new();
    }
    format!(
        "travels      {} of content in {}, -{} %; needs {}",
        bytes(content),
        bytes(stored),
        saved.unwrap_or(0),
        features.join(", ")
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
        release(head).replacen("release ", "release      ", 1),
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
        travels(head),
        format!("needs        {} of earlier bundles", counted(head.totals.needs, "blob")),
        format!(
            "made by      {} {}, for airlock {} or newer",
            escape(&head.builder.name),
            escape(&head.builder.version),
            head.minimum_appliance.max(head.reader)
        ),
    ];
    lines.retain(|line| !line.is_empty());
    if !documents.is_empty() {
        lines.push(format!("documents    {}", documents.join(", ")));
    }
    if let Some(size) = size {
        lines.push(format!("file         {}", bytes(size)));
    }
    lines.extend(names.unwrap_or_default().iter().map(|name| format!("  {name}")));
    lines.join("\n")
}
