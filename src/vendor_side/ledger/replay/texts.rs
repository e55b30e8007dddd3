//! Words of a site, as a hub gets them.

use crate::db::ledger::told::LastStatus;
use crate::domain::SiteId;
use crate::package::{Piece, Quoted};

/// Most bytes of a status message.
pub(super) const MESSAGE_BYTES: usize = 4096;
/// Most bytes of a line of a log: the hub cuts there too.
const LINE_BYTES: usize = 256 << 10;
/// Most bytes of a name in a line.
const NAME_BYTES: usize = 1024;
/// What stands where the site took something out.
const REDACTED: &str = "[redacted]";

/// Returns what a status begins with: where it comes from, and the times that a hub cannot keep otherwise.
pub(super) fn bracket(site: &SiteId, status: &LastStatus) -> String {
    let short: String = site.as_str().chars().take(8).collect();
    format!(
        "[airlock {short} #{} as of {}, {} times since {}] ",
        status.number, status.last, status.count, status.first
    )
}

/// Returns what every status of a site that airlock sent begins with.
pub(super) fn bracket_start(site: &SiteId) -> String {
    let short: String = site.as_str().chars().take(8).collect();
    format!("[airlock {short} #")
}

/// Returns the message of a status.
pub(super) fn message(bracket: &str, text: Option<&str>) -> String {
    let text = text.map_or_else(|| "(text not carried)".to_owned(), stored);
    cut(format!("{bracket}{text}"), MESSAGE_BYTES)
}

/// Returns the text of a line.
pub(super) fn line(text: &Quoted) -> String {
    cut(plain(text), LINE_BYTES)
}

/// Returns a name in a line.
pub(super) fn name(text: &Quoted) -> String {
    cut(plain(text), NAME_BYTES)
}

/// Returns the version that an agent names itself by, as far as it can stand in a header.
pub(super) fn version(text: &str) -> Option<String> {
    let text = stored(text);
    let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    ((1..=128).contains(&text.len()) && text.chars().all(fits)).then_some(text)
}

/// Decodes a text of the ledger, which holds them quoted.
fn stored(text: &str) -> String {
    match serde_json::from_value::<Quoted>(text.into()) {
        Ok(quoted) => plain(&quoted),
        Err(_) => String::new(),
    }
}

fn plain(text: &Quoted) -> String {
    let mut plain = String::new();
    for piece in text.pieces() {
        match piece {
            Piece::Text(text) => plain.extend(
                text.chars()
                    .map(|c| if is_steering(c) { char::REPLACEMENT_CHARACTER } else { c }),
            ),
            Piece::Redacted => plain.push_str(REDACTED),
        }
    }
    plain
}

/// Whether a character controls or turns other text: whoever reads the hub must see what was said.
fn is_steering(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_steer_nothing_and_have_an_end() {
        let text = Quoted::text("a\u{1b}[2Kb\u{202e}c\u{0}\nd\te\u{9b}\u{2066}\u{200f}");
        assert_eq!(
            message("[x] ", Some(text.as_str())),
            "[x] a\u{fffd}[2Kb\u{fffd}c\u{fffd}\nd\te\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(message("[x] ", None), "[x] (text not carried)");
        assert_eq!(message("[x] ", Some("")), "[x] ");
        assert_eq!(message("", Some("at \\..!")), "at [redacted]!");
        let long = message("[x] ", Some(&"ü".repeat(4000)));
        assert_eq!(long.len(), MESSAGE_BYTES);
        assert_eq!(message("[xy] ", Some(&"ü".repeat(4000))).len(), MESSAGE_BYTES - 1);
        assert_eq!(line(&Quoted::text(&"\u{1}".repeat(200_000))).len(), LINE_BYTES / 3 * 3);
        assert_eq!(version("3.1.0+x_y-z").as_deref(), Some("3.1.0+x_y-z"));
        for bad in ["", "a b", "a\\0d\\0ax: y", "ü", "\\.."] {
            assert_eq!(version(bad), None, "{bad}");
        }
    }
}
