//! Long lines for people: wrapped at words where there is a terminal, whole where there is none. Nothing is ever cut off.

use std::io::{self, IsTerminal as _};

/// Columns that a line must have left to be worth breaking into.
const LEAST: usize = 24;

/// Returns how many columns the terminal has that stdout is; none where it is no terminal, and lines shall stay whole.
pub(super) fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => Some(usize::from(size.ws_col)),
        _ => Some(80),
    }
}

/// Breaks a line so that no part is wider than `columns`; every part but the first is indented.
pub(super) fn wrap(line: &str, columns: usize, indent: usize) -> Vec<String> {
    let indent = if columns.saturating_sub(indent) < LEAST {
        0
    } else {
        indent
    };
    let columns = columns.max(1);
    let (mut parts, mut rest, mut begin) = (Vec::new(), line, String::new());
    loop {
        let room = columns.saturating_sub(begin.chars().count()).max(1);
        let Some((end, _)) = rest.char_indices().nth(room) else {
            parts.push(begin + rest);
            return parts;
        };
        let (head, _) = rest.split_at(end);
        // A word that is longer than a line is broken where the line ends; so is one right behind an indentation of its own.
        let fits = rest.get(end..).is_some_and(|after| after.starts_with(' '));
        let at = if fits {
            end
        } else {
            head.rfind(' ')
                .filter(|at| !head.get(..*at).unwrap_or_default().trim().is_empty())
                .unwrap_or(end)
        };
        let (head, after) = rest.split_at(at);
        parts.push(begin + head.trim_end());
        rest = after.trim_start();
        begin = " ".repeat(indent);
        if rest.is_empty() {
            return parts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_no_line_is_too_wide() {
        let text = "    compose up failed: Error response from daemon: no such image registry.example/acme/web@sha256:0123456789abcdef é";
        for columns in 1..130 {
            for indent in [0, 8, 200] {
                let parts = wrap(text, columns, indent);
                assert!(
                    parts.iter().all(|part| part.chars().count() <= columns),
                    "{columns} {parts:?}"
                );
                let bare = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
                assert_eq!(bare(&parts.concat()), bare(text), "{columns}");
            }
        }
        assert_eq!(wrap("a short one", 40, 8), ["a short one"]);
        assert_eq!(
            wrap("    one two three four five six seven eight", 34, 8),
            ["    one two three four five six", "        seven eight"]
        );
        assert_eq!(wrap("", 10, 2), [""]);
    }
}
