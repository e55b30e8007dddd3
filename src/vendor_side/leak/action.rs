//! What actions of templates give out by themselves.

/// Words of actions whose texts are names of something, or words about it.
const NAMES: [&str; 9] = [
    "block", "define", "env", "fail", "include", "index", "lookup", "required", "template",
];

/// The insides of the actions of a line.
pub(super) fn actions(line: &str) -> Vec<&str> {
    line.split("{{")
        .skip(1)
        .filter_map(|part| part.split("}}").next())
        .collect()
}

/// The texts in quotes that an action gives out where it has nothing else: a text at its head, and what `default` and `coalesce` name.
pub(super) fn given_out(action: &str) -> Vec<String> {
    let tokens = tokens(action);
    let mut found = Vec::new();
    // What reads no value says itself what it gives out.
    let is_fixed = !tokens.iter().any(|token| match token {
        Token::Word(word) => word.contains(['.', '$']) || NAMES.contains(word),
        Token::Text(_) => false,
    });
    for (at, token) in tokens.iter().enumerate() {
        let Token::Text(text) = token else { continue };
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let is_default =
            matches!(before, Some(Token::Word(word)) if *word == "default" || *word == "quote" || *word == "b64enc");
        let is_coalesced = tokens
            .iter()
            .take(at)
            .any(|token| matches!(token, Token::Word(word) if *word == "coalesce"));
        let is_chosen = tokens.first() == Some(&Token::Word("ternary")) && at <= 2;
        if at == 0 || is_default || is_coalesced || is_chosen || is_fixed {
            found.push((*text).to_owned());
        }
    }
    found
}

/// The variable to which an action gives a value, and the value.
pub(super) fn assigned(action: &str) -> Option<(&str, &str)> {
    let action = action.trim_start_matches('-').trim();
    let (name, value) = action.split_once(":=").or_else(|| action.split_once('='))?;
    let name = name.trim();
    (name.starts_with('$') && !name.contains(char::is_whitespace)).then(|| (name, value.trim()))
}

/// A word of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// As it stands.
    Word(&'a str),
    /// In quotes.
    Text(&'a str),
}

/// Returns the words of an action.
pub(super) fn tokens(action: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = action.trim_start_matches('-').trim_end_matches('-').trim();
    while let Some(first) = rest.chars().next() {
        if "\"`".contains(first) {
            let text = rest.get(1..).unwrap_or_default();
            let end = text.find(first).unwrap_or(text.len());
            found.push(Token::Text(text.get(..end).unwrap_or_default()));
            rest = text.get(end.saturating_add(1)..).unwrap_or_default();
        } else {
            let end = rest
                .find(|c: char| c.is_whitespace() || "\"`()|".contains(c))
                .unwrap_or(rest.len());
            if end > 0 {
                found.push(Token::Word(rest.get(..end).unwrap_or_default()));
                rest = rest.get(end..).unwrap_or_default();
            } else {
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "()|".contains(c));
    }
    found
}
