//! Passwords in statements of databases.

/// Words of a line that are looked behind: it may be all of a dump.
const WORDS: usize = 64;

/// `IDENTIFIED BY 'password'`, as databases are told.
pub(super) fn identified(line: &str) -> Option<(&str, &str)> {
    let lower = line.to_ascii_lowercase();
    let at = lower.find("identified ")?;
    let by = at.saturating_add(lower.get(at..)?.find(" by ")?);
    let behind = line.get(by.saturating_add(4)..)?;
    let quote = behind.find(['\'', '"'])?;
    in_quotes(behind.get(quote..)?).map(|value| ("password", value))
}

/// `SET PASSWORD FOR a = PASSWORD('password')`, `ALTER LOGIN a WITH PASSWORD = 'password'`, as databases are told.
pub(super) fn stated(line: &str) -> Vec<(&str, &str)> {
    let lower = line.to_ascii_lowercase();
    let is_statement = matches!(
        lower.split_whitespace().next(),
        Some("create" | "alter" | "set" | "update" | "grant")
    );
    let sets = lower.trim_start().starts_with("set password");
    let mut found = Vec::new();
    for (at, word) in lower.match_indices("password").filter(|_| is_statement).take(WORDS) {
        let behind = line.get(at.saturating_add(word.len())..).unwrap_or_default();
        let Some((between, value)) = behind.split_once('=') else {
            continue;
        };
        // Between the two stands whose it is.
        let is_whose = sets && between.trim_start().to_ascii_lowercase().starts_with("for ");
        if !is_whose && !between.trim().is_empty() {
            continue;
        }
        // `PASSWORD('…')`, `MD5('…')`
        let value = value
            .trim_start()
            .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let value = value.trim_start().strip_prefix('(').unwrap_or(value);
        found.extend(in_quotes(value.trim_start()).map(|value| ("password", value)));
        if sets {
            break;
        }
    }
    found
}

/// What stands in the quotes with which a text begins; nothing where they do not close.
pub(super) fn in_quotes(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| "\"'".contains(*c))?;
    let text = text.get(1..)?;
    text.find(quote).and_then(|end| text.get(..end))
}
