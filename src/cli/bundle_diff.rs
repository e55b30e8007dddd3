//! `airlock bundle diff`: what one release has that another has not, from what stands before the layers of their bundles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::Ui;
use super::bundle_diff_targets::{DesiredDiff, compare_desired};
use super::bundle_opening::{By, open_judged};
use super::head_view::release;
use super::ui::{bytes, escape};
use crate::bundle::{EarlyContent, Head, Need, read_early};
use crate::domain::{Digest, Hash, Result, Tag, Timestamp, counted};

/// Compare two bundles: images, layers, applications, targets, sizes
///
/// Heads, indexes and everything before the layers of both are verified; no layer is read, so neither what a bundle needs nor what its layers
/// are copied from has to be at hand.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  airlock bundle diff release-7.airlock release-8.airlock --trust root.json
  airlock bundle diff release-7.airlock release-8.airlock --trust root.json --format json")]
pub(super) struct DiffArgs {
    /// The earlier bundle: a file, or a folder with one bundle
    a: PathBuf,
    /// The later one
    b: PathBuf,
    /// Vendor's chain file; may repeat
    #[arg(long, value_name = "ROOT.JSON", required = true)]
    trust: Vec<PathBuf>,
    /// Refuse what has expired at this time: YYYY-MM-DDTHH:MM:SSZ, or with an offset, or a day (its start in UTC)
    #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person)]
    at: Option<Timestamp>,
}

/// One of the two.
struct Side {
    head: Head,
    head_digest: Hash,
    blobs: BTreeMap<Digest, u64>,
    needs: Vec<Need>,
    file_bytes: u64,
    early: EarlyContent,
}

/// A name: repository, tag, and what it stands for.
type Named<'a> = (&'a str, Option<&'a str>, Digest);

/// A name that stands for something else, or another tag of the same repository in its place.
struct Changed<'a> {
    from: Named<'a>,
    to: Named<'a>,
    added: Vec<(Digest, u64)>,
    removed: Vec<(Digest, u64)>,
    same: usize,
}

/// Names of two releases.
struct NameDiff<'a> {
    changed: Vec<Changed<'a>>,
    added: Vec<Named<'a>>,
    removed: Vec<Named<'a>>,
    same: usize,
}

pub(super) fn run(args: &DiffArgs, ui: &mut Ui) -> Result<()> {
    let mut open = |path: &Path| -> Result<Side> {
        let by = By {
            trust: &args.trust,
            signatures: &[],
            at: args.at,
        };
        let (bundle, _) = open_judged(&[path.to_owned()], by, ui)?;
        let index = bundle.index();
        Ok(Side {
            head: bundle.head().clone(),
            head_digest: bundle.head_digest(),
            blobs: index.blobs().iter().map(|blob| (blob.digest, blob.size)).collect(),
            needs: index.needs().to_vec(),
            file_bytes: bundle.whole_bytes(),
            early: read_early(bundle)?,
        })
    };
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    if a.head.scope() != b.head.scope() {
        ui.warn("the two are no releases of one product and channel of one vendor");
    }
    let names = compare_names(&a, &b);
    let desired = compare_desired(a.early.graph.desired.as_ref(), b.early.graph.desired.as_ref());
    ui.result(&to_json(&a, &b, &names, &desired), describe(&a, &b, &names, &desired))
}

impl Side {
    /// Everything that the release consists of, carried or needed; what content is only copied from is none of it.
    fn content(&self) -> BTreeMap<Digest, u64> {
        let needs = self.needs.iter().map(|need| (need.digest, need.size));
        let needs = needs.filter(|(digest, _)| !self.early.graph.bases_only.contains(digest));
        self.blobs
            .iter()
            .map(|(digest, size)| (*digest, *size))
            .chain(needs)
            .collect()
    }

    fn names(&self) -> BTreeSet<Named<'_>> {
        let lines = self.early.graph.tags.iter();
        let named = lines.map(|line| {
            let tag = line.tag.as_ref().map(Tag::as_str);
            (line.repository.as_str(), tag, line.digest)
        });
        named.collect()
    }

    /// Layers of a manifest, or of everything that an index holds.
    fn layers(&self, digest: &Digest) -> BTreeMap<Digest, u64> {
        let (mut found, mut waiting, mut seen) = (BTreeMap::new(), vec![*digest], BTreeSet::new());
        while let Some(digest) = waiting.pop() {
            if seen.insert(digest)
                && let Some(parts) = self.early.manifests.get(&digest)
            {
                found.extend(parts.layers.iter().copied());
                waiting.extend(&parts.children);
            }
        }
        found
    }
}

fn compare_names<'a>(a: &'a Side, b: &'a Side) -> NameDiff<'a> {
    let (of_a, of_b) = (a.names(), b.names());
    let same = of_a.intersection(&of_b).count();
    let mut removed: Vec<Named<'_>> = of_a.difference(&of_b).copied().collect();
    let mut added: Vec<Named<'_>> = of_b.difference(&of_a).copied().collect();
    let mut pairs = Vec::new();
    // The same name first; then, where one name of a repository went and one came, these two.
    removed.retain(|from| {
        match added
            .iter()
            .position(|to| from.1.is_some() && (to.0, to.1) == (from.0, from.1))
        {
            Some(place) => {
                pairs.push((*from, added.remove(place)));
                false
            }
            None => true,
        }
    });
    let count = |names: &[Named<'_>], repository: &str| names.iter().filter(|name| name.0 == repository).count();
    let gone = removed.clone();
    removed.retain(|from| {
        let place = added.iter().position(|to| to.0 == from.0);
        match place.filter(|_| count(&gone, from.0) == 1 && count(&added, from.0) == 1) {
            Some(place) => {
                pairs.push((*from, added.remove(place)));
                false
            }
            None => true,
        }
    });
    pairs.sort_unstable();
    let changed = pairs.into_iter().map(|(from, to)| {
        let (before, after) = (a.layers(&from.2), b.layers(&to.2));
        Changed {
            from,
            to,
            added: without(&after, &before),
            removed: without(&before, &after),
            same: after.keys().filter(|layer| before.contains_key(layer)).count(),
        }
    });
    NameDiff {
        changed: changed.collect(),
        added,
        removed,
        same,
    }
}

/// What the first has and the second has not.
fn without(of: &BTreeMap<Digest, u64>, other: &BTreeMap<Digest, u64>) -> Vec<(Digest, u64)> {
    let left = of.iter().filter(|(digest, _)| !other.contains_key(digest));
    left.map(|(digest, size)| (*digest, *size)).collect()
}

fn sum(blobs: &[(Digest, u64)]) -> u64 {
    blobs.iter().map(|(_, size)| *size).fold(0, u64::saturating_add)
}

fn to_json(a: &Side, b: &Side, names: &NameDiff<'_>, desired: &DesiredDiff) -> Value {
    let side = |side: &Side| {
        json!({
            "head_digest": side.head_digest, "domain": side.head.domain, "product": side.head.product, "channel": side.head.channel,
            "version": side.head.version, "epoch": side.head.epoch, "sequence": side.head.sequence,
            "issued_at": side.head.issued_at, "audience": side.head.audience,
            "content_bytes": sum(&side.content().into_iter().collect::<Vec<_>>()), "blobs": side.content().len(),
            "bundle_bytes": side.file_bytes, "needs": side.needs.len(),
            "needed_bytes": side.needs.iter().map(|need| need.size).fold(0, u64::saturating_add),
        })
    };
    let listed = |blobs: &[(Digest, u64)]| -> Vec<Value> {
        let each = blobs
            .iter()
            .map(|(digest, size)| json!({"digest": digest, "size": size}));
        each.collect()
    };
    let named = |(repository, tag, digest): &Named<'_>| json!({"repository": repository, "tag": tag, "digest": digest});
    let changed: Vec<Value> = names
        .changed
        .iter()
        .map(|changed| {
            json!({
                "from": named(&changed.from), "to": named(&changed.to),
                "layers": {"added": listed(&changed.added), "removed": listed(&changed.removed), "same": changed.same},
            })
        })
        .collect();
    let (of_a, of_b) = (a.content(), b.content());
    json!({
        "same": a.head_digest == b.head_digest, "a": side(a), "b": side(b),
        "names": {
            "changed": changed, "added": names.added.iter().map(named).collect::<Vec<_>>(),
            "removed": names.removed.iter().map(named).collect::<Vec<_>>(), "same": names.same,
        },
        "content": {"added": listed(&without(&of_b, &of_a)), "removed": listed(&without(&of_a, &of_b))},
        "applications": desired.applications_json(), "targets": desired.targets_json(),
    })
}

fn describe(a: &Side, b: &Side, names: &NameDiff<'_>, desired: &DesiredDiff) -> String {
    let mut lines = vec![
        format!("from         {}", release(&a.head)),
        format!("to           {}", release(&b.head)),
    ];
    if a.head_digest == b.head_digest {
        lines.push("the same release, head and all".into());
        return lines.join("\n");
    }
    lines.push(format!(
        "names        {} changed, {} added, {} removed, {} the same",
        names.changed.len(),
        names.added.len(),
        names.removed.len(),
        names.same
    ));
    let tag = |name: &Named<'_>| name.1.map_or_else(|| name.2.to_string(), escape);
    let whole = |name: &Named<'_>| match name.1 {
        Some(tag) => format!("{}:{}", escape(name.0), escape(tag)),
        None => format!("{}@{}", escape(name.0), name.2),
    };
    for changed in &names.changed {
        let (from, to) = (tag(&changed.from), tag(&changed.to));
        let step = if from == to { to } else { format!("{from} -> {to}") };
        lines.push(if changed.from.2 == changed.to.2 {
            format!("  ~ {} {step}: the same image", escape(changed.to.0))
        } else {
            format!(
                "  ~ {} {step}: {} new ({}), {} gone ({}), {} the same",
                escape(changed.to.0),
                counted(changed.added.len(), "layer"),
                bytes(sum(&changed.added)),
                changed.removed.len(),
                bytes(sum(&changed.removed)),
                changed.same
            )
        });
    }
    for (sign, side, list) in [("+", b, &names.added), ("-", a, &names.removed)] {
        for name in list {
            let layers: Vec<_> = side.layers(&name.2).into_iter().collect();
            lines.push(format!(
                "  {sign} {}: {} ({})",
                whole(name),
                counted(layers.len(), "layer"),
                bytes(sum(&layers))
            ));
        }
    }
    lines.extend(desired.lines());
    let (of_a, of_b) = (a.content(), b.content());
    let (new, gone) = (without(&of_b, &of_a), without(&of_a, &of_b));
    let size = |content: &BTreeMap<Digest, u64>| bytes(content.values().copied().fold(0, u64::saturating_add));
    lines.push(format!(
        "content      {} in {} -> {} in {}: {} new ({}), {} gone ({})",
        size(&of_a),
        counted(of_a.len(), "blob"),
        size(&of_b),
        counted(of_b.len(), "blob"),
        new.len(),
        bytes(sum(&new)),
        gone.len(),
        bytes(sum(&gone))
    ));
    let needed = |side: &Side| {
        let needed = side.needs.iter().map(|need| need.size).fold(0, u64::saturating_add);
        format!(
            "{} with {} needed ({})",
            bytes(side.file_bytes),
            counted(side.needs.len(), "blob"),
            bytes(needed)
        )
    };
    lines.push(format!("bundle       {} -> {}", needed(a), needed(b)));
    lines.join("\n")
}
