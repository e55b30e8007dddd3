//! Names that end with a release, in words.

use crate::domain::counted;

/// So many are written out; `--format json` has all of them.
const SHOWN: usize = 20;

/// Lines that say which names end, and when.
pub(super) fn lines(names: &[String], when: &str) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let verb = if names.len() == 1 { "goes" } else { "go" };
    let mut lines = vec![format!("{when}{} {verb}:", counted(names.len(), "name"))];
    lines.extend(names.iter().take(SHOWN).map(|name| format!("  {name}")));
    if let Some(more) = names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more; --format json has all of them"));
    }
    lines
}
