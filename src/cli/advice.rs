//! Commands that a text advises, with the common arguments that the user gave: what is advised must reach the same appliance.

use std::ffi::OsString;

/// Commands that know `--state`, and whether they know `--config`.
const COMMANDS: [(&str, bool); 6] = [
    ("import", true),
    ("release", true),
    ("secret", true),
    ("serve", true),
    ("target", true),
    ("trust", false),
];
/// How a command begins in a text.
const BEGIN: &str = "`airlock ";

/// The arguments by which the user said where the appliance and its configuration are.
#[derive(Debug, Default)]
pub(super) struct Advice {
    state: Option<String>,
    config: Option<String>,
}

impl Advice {
    /// Takes them from a command line; what the environment says holds for the next command too.
    pub(super) fn of(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut advice = Self::default();
        let mut words = words.into_iter().map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let place = match option {
                "--" => break,
                "--state" => &mut advice.state,
                "--config" => &mut advice.config,
                _ => continue,
            };
            *place = value.or_else(|| words.next());
        }
        advice
    }

    /// Adds them to every command that a text names in backticks.
    pub(super) fn text(&self, text: &str) -> String {
        let mut pieces = text.split(BEGIN);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            out += BEGIN;
            match piece.split_once('`') {
                Some((command, rest)) => out += &format!("{}`{rest}", self.words(command)),
                None => out += piece,
            }
        }
        out
    }

    /// Adds them to one command, which begins after `airlock`.
    fn words(&self, command: &str) -> String {
        let name = command.split(' ').next().unwrap_or_default();
        let Some((_, knows_config)) = COMMANDS.iter().find(|(known, _)| *known == name) else {
            return command.to_owned();
        };
        let mut out = command.to_owned();
        for (option, value) in [
            ("--state", self.state.as_ref()),
            ("--config", self.config.as_ref().filter(|_| *knows_config)),
        ] {
            if let Some(value) = value
                && !command.split(' ').any(|word| word == option)
            {
                out += &format!(" {option} {}", quoted(value));
            }
        }
        out
    }

    /// Adds them to the commands of a value: its members that advise.
    pub(super) fn value(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            serde_json::Value::Object(members) => {
                for (member, value) in members {
                    match (member.as_str(), value) {
                        ("remedy" | "plan", value) => self.texts(value),
                        // These are a command and nothing else.
                        ("back" | "restore", serde_json::Value::String(command)) => {
                            if let Some(words) = command.strip_prefix("airlock ") {
                                *command = format!("airlock {}", self.words(words));
                            }
                        }
                        (_, value) => self.value(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn texts(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.text(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.texts(item)),
            _ => {}
        }
    }
}

/// Quotes a word for a shell, where it needs that.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(words: &[&str]) -> Advice {
        Advice::of(words.iter().map(OsString::from))
    }

    #[test]
    fn an_advised_command_repeats_where_the_appliance_is() {
        let given = advice(&["airlock", "import", "x", "--state", "a b", "--config=c"]);
        for (text, expected) in [
            (
                "again: `airlock import FILE`; then",
                "again: `airlock import FILE --state 'a b' --config c`; then",
            ),
            ("`airlock trust add`", "`airlock trust add --state 'a b'`"),
            (
                "`airlock target list` or `airlock init`",
                "`airlock target list --state 'a b' --config c` or `airlock init`",
            ),
            ("`airlock bundle sign`", "`airlock bundle sign`"),
            ("no end `airlock import", "no end `airlock import"),
        ] {
            assert_eq!(given.text(text), expected);
            assert_eq!(given.text(expected), expected, "once is enough");
            assert_eq!(advice(&["airlock", "import", "--", "--state", "x"]).text(text), text);
        }
    }

    #[test]
    fn only_our_own_members_of_a_value_are_changed() {
        let mut value = serde_json::json!({
            "message": "`airlock target list`", "restore": "airlock target restore x",
            "all": [{"plan": ["`airlock target list`"], "remedy": "`airlock import FILE`"}],
        });
        advice(&["airlock", "--state=s"]).value(&mut value);
        assert_eq!(
            value,
            serde_json::json!({
                "message": "`airlock target list`", "restore": "airlock target restore x --state s",
                "all": [{"plan": ["`airlock target list --state s`"], "remedy": "`airlock import FILE --state s`"}],
            })
        );
    }
}
