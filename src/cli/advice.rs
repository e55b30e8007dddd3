//! Commands that a text advises, with the common arguments that the user gave: what is advised must reach the same appliance.

use std::ffi::OsString;
use std::sync::OnceLock;

use clap::CommandFactory as _;

use super::Cli;

/// Options that say whose and where things are, in the order in which they are added: what they are called, and their short form.
const PLACES: [(&str, Option<char>); 4] = [
    ("vendor", None),
    ("state", None),
    ("config", None),
    ("workspace", Some('w')),
];
/// How a command begins in a text.
const BEGIN: &str = "`airlock ";

/// The arguments by which the user said which vendor is meant, and where the appliance, its configuration or the workspace are.
#[derive(Debug, Default)]
pub(super) struct Advice {
    given: [Option<String>; PLACES.len()],
    /// What is asked which command knows which of them; built once something is advised.
    commands: OnceLock<clap::Command>,
}

impl Advice {
    /// Takes them from a command line; what the environment says holds for the next command too.
    pub(super) fn of(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut advice = Self::default();
        let mut words = words.into_iter().map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            for ((long, short), place) in PLACES.iter().zip(&mut advice.given) {
                let (option, value) = match word.split_once('=') {
                    Some((option, value)) => (option, Some(value)),
                    None => (word.as_str(), None),
                };
                if option.strip_prefix("--") == Some(long) {
                    *place = value.map(str::to_owned).or_else(|| words.next());
                    break;
                }
                let short = short.and_then(|short| word.strip_prefix('-')?.strip_prefix(short));
                if let Some(rest) = short {
                    let rest = rest.strip_prefix('=').unwrap_or(rest);
                    *place = if rest.is_empty() {
                        words.next()
                    } else {
                        Some(rest.to_owned())
                    };
                    break;
                }
            }
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
        let words: Vec<&str> = command.split(' ').collect();
        let mut known = self.commands.get_or_init(|| {
            let mut commands = Cli::command();
            // What a command takes is there once it is built.
            commands.build();
            commands
        });
        // The deepest command that the words name is the one that takes the options.
        for word in &words {
            match known.find_subcommand(word) {
                Some(deeper) => known = deeper,
                None => break,
            }
        }
        let mut out = command.to_owned();
        for ((long, short), value) in PLACES.iter().zip(&self.given) {
            let Some(value) = value else { continue };
            let is_known = known.get_arguments().any(|argument| argument.get_long() == Some(long));
            let is_there = words.iter().any(|word| {
                let short = short.and_then(|short| word.strip_prefix('-')?.strip_prefix(short));
                short.is_some()
                    || word
                        .strip_prefix("--")
                        .is_some_and(|word| word.split('=').next() == Some(long))
            });
            if is_known && !is_there {
                let option = short.map_or_else(|| format!("--{long}"), |short| format!("-{short}"));
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
                        ("back" | "restore" | "command", serde_json::Value::String(command)) => {
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
    #[cfg(all(feature = "vendor", feature = "site"))]
    use clap::error::ErrorKind;

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
                "`airlock target list --state 'a b' --config c` or `airlock init --state 'a b' --config c`",
            ),
            ("`airlock bundle sign`", "`airlock bundle sign`"),
            (
                "`airlock status preview`",
                "`airlock status preview --state 'a b' --config c`",
            ),
            ("no end `airlock import", "no end `airlock import"),
        ] {
            assert_eq!(given.text(text), expected);
            assert_eq!(given.text(expected), expected, "once is enough");
            assert_eq!(advice(&["airlock", "import", "--", "--state", "x"]).text(text), text);
        }
    }

    #[test]
    fn an_advised_command_repeats_whose_package_is_meant() {
        let given = advice(&["airlock", "status", "preview", "--vendor", "shop"]);
        for (text, expected) in [
            (
                "`airlock status export DEST --digest 0123abcd`",
                "`airlock status export DEST --digest 0123abcd --vendor shop`",
            ),
            (
                "`airlock approve 0123abcd --key FILE`",
                "`airlock approve 0123abcd --key FILE`",
            ),
        ] {
            assert_eq!(given.text(text), expected);
        }
    }

    /// Every command says itself which of the options it knows: none is listed here.
    #[cfg(feature = "vendor")]
    #[test]
    fn an_advised_command_repeats_where_the_workspace_is() {
        for words in [
            &["airlock", "status", "verify", "x", "-w", "a b"][..],
            &["airlock", "status", "verify", "--workspace=a b"],
            &["airlock", "vendor", "sites", "-wa b"],
        ] {
            let given = advice(words);
            for (text, expected) in [
                (
                    "`airlock vendor ledger learn FILE`",
                    "`airlock vendor ledger learn FILE -w 'a b'`",
                ),
                (
                    "`airlock vendor enroll FILE -w other`",
                    "`airlock vendor enroll FILE -w other`",
                ),
                ("`airlock import FILE`", "`airlock import FILE`"),
                ("`airlock bundle verify FILE`", "`airlock bundle verify FILE`"),
            ] {
                assert_eq!(given.text(text), expected);
            }
        }
    }

    /// What a text advises can be given as it stands: clap is asked what each command needs.
    #[cfg(all(feature = "vendor", feature = "site"))]
    #[test]
    fn advised_commands_say_everything_that_they_need() {
        // Only named in a text that says what they did.
        const NAMED: [&str; 8] = [
            "access add",
            "bundle create",
            "bundle extract",
            "init",
            "release show",
            "status verify",
            "target free",
            "trust add",
        ];
        let given = advice(&["airlock", "--state", "S", "-w", "W"]);
        let (mut advised, mut wrong) = (0, Vec::new());
        for (file, code) in sources() {
            for piece in code.split(BEGIN).skip(1) {
                let Some((command, _)) = piece.split_once('`') else {
                    continue;
                };
                let is_shell = command.contains(['|', '\n']) || NAMED.contains(&command);
                if is_shell {
                    continue;
                }
                advised += 1;
                let whole = format!("airlock {}", given.words(command));
                let refused = Cli::command().try_get_matches_from(whole.split(' ')).err();
                if let Some(error) = refused
                    && !matches!(
                        error.kind(),
                        ErrorKind::DisplayHelp | ErrorKind::ValueValidation | ErrorKind::InvalidValue
                    )
                {
                    wrong.push(format!("{file}: {command}: {}", error.kind()));
                }
            }
        }
        assert!(advised > 150, "only {advised} commands were seen");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The texts of the program, by file: without comments and tests, and with their continued lines together.
    #[cfg(all(feature = "vendor", feature = "site"))]
    #[expect(clippy::disallowed_methods, reason = "committed files of the project")]
    fn sources() -> Vec<(String, String)> {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.display().to_string();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") && !name.ends_with("tests.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                    let mut whole = String::new();
                    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                        match line.strip_suffix('\\') {
                            Some(line) => whole += line.trim_start(),
                            None => whole += &format!("{}\n", line.trim_start()),
                        }
                    }
                    found.push((name, whole));
                }
            }
        }
        found
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
