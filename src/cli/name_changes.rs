//! What becomes of names with a release, in words and for machines.

use serde_json::{Value, json};

use crate::appliance::NameChanges;
use crate::domain::{Digest, counted};

/// So many of each kind are written out; `--format json` has more of them.
const SHOWN: usize = 20;

/// Lines that say which names come, move and end. Where nothing was live before, those that come are only counted.
pub(super) fn lines(names: &NameChanges, is_first: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut list = |verbs: [&str; 2], count: usize, shown: &mut dyn Iterator<Item = String>| {
        if count == 0 {
            return;
        }
        let [one, many] = verbs;
        let verb = if count == 1 { one } else { many };
        let shown: Vec<String> = shown.take(SHOWN).collect();
        let end = if shown.is_empty() { "" } else { ":" };
        lines.push(format!("{} {verb}{end}", counted(count as u64, "name")));
        let rest = count.saturating_sub(shown.len());
        let is_cut = rest > 0 && !shown.is_empty();
        lines.extend(shown.into_iter().map(|name| format!("  {name}")));
        if is_cut {
            lines.push(format!("  and {rest} more; --format json has them"));
        }
    };
    let come = names.come.iter().filter(|_| !is_first).cloned();
    list(["comes", "come"], names.come_count, &mut { come });
    let mut moved = names
        .moved
        .iter()
        .map(|moved| format!("{}: {} becomes {}", moved.name, short(&moved.from), short(&moved.to)));
    list(
        ["stands for other content", "stand for other content"],
        names.moved_count,
        &mut moved,
    );
    list(["goes", "go"], names.end.len(), &mut names.end.iter().cloned());
    lines
}

/// As many digits as tell two digests apart.
fn short(digest: &Digest) -> String {
    let hex = digest.0.to_hex();
    format!("sha256:{}…", hex.get(..12).unwrap_or_default())
}

/// Everything, for machines.
pub(super) fn names_json(names: &NameChanges) -> Value {
    let moved = names
        .moved
        .iter()
        .map(|moved| json!({"name": moved.name, "from": moved.from, "to": moved.to}));
    json!({
        "come": names.come, "come_count": names.come_count, "moved": moved.collect::<Vec<_>>(), "moved_count": names.moved_count,
        "end": names.end,
    })
}
