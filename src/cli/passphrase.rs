//! Where passphrases of key files come from: a file, or the person at the terminal. Never an argument or a variable, which
//! other users could read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::crypto::{LOST_PASSPHRASE, PASSPHRASE, only_its_owner_reads};
use crate::domain::{Class, Error, Result, shown};
use crate::stream::{open_named, read_bounded};

/// What is asked for here.
pub(super) const PASSPHRASE_WORD: &str = "a passphrase";
/// Longest passphrase, in bytes.
const PASSPHRASE_BYTES: u64 = 4096;
/// How often a new passphrase is asked for that was typed differently the second time.
const TRIES: usize = 3;

// The option that every command with key files has.
#[derive(Debug, Clone, Args)]
pub(super) struct PassphraseArgs {
    /// File whose first line is the passphrase of encrypted key files (`/dev/fd/N` works); without it the terminal is asked
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    #[cfg(feature = "vendor")]
    /// Returns the passphrase in the file, if one was named: new keys are encrypted with it.
    pub(super) fn in_file(&self) -> Result<Option<Zeroizing<String>>> {
        self.passphrase_file.as_deref().map(read_file).transpose()
    }

    #[cfg(feature = "vendor")]
    /// Returns the passphrase for new keys: that of the file, else what the person at the terminal gives, twice. Nothing when that is
    /// nothing, or when nobody is there.
    pub(super) fn for_new_keys(&self) -> Result<Option<Zeroizing<String>>> {
        match self.in_file()? {
            Some(passphrase) => Ok(Some(passphrase)),
            None if io::stdin().is_terminal() => {
                Ok(Some(ask_twice("passphrase for the new keys (nothing for none): ")?)
                    .filter(|passphrase| !passphrase.is_empty()))
            }
            None => Ok(None),
        }
    }

    /// Returns who is asked for the passphrases of key files. At the terminal, one answer is tried for every file.
    pub(super) fn asker(&self) -> Asker {
        Asker {
            file: self.passphrase_file.clone(),
            answer: None,
            asked: BTreeSet::new(),
            tried_before: false,
        }
    }
}

/// Gives out passphrases.
pub(super) struct Asker {
    file: Option<PathBuf>,
    answer: Option<Zeroizing<String>>,
    asked: BTreeSet<PathBuf>,
    /// Whether the last answer was one that the person gave for another file.
    tried_before: bool,
}

impl Asker {
    /// Returns the passphrase of a key file. Asked for the same file again, the answer before was wrong.
    ///
    /// # Errors
    ///
    /// `E-TRUST passphrase` when there is neither a file nor a terminal, or what the file holds is wrong; `E-IO`.
    pub(super) fn ask(&mut self, key_file: &Path) -> Result<Zeroizing<String>> {
        let first = self.asked.insert(key_file.to_owned());
        if let (true, Some(answer)) = (first, &self.answer) {
            // What opened one file is tried with the next; when it does not open that, a person is asked.
            self.tried_before = self.file.is_none();
            return Ok(answer.clone());
        }
        let answer = match &self.file {
            Some(file) if first => read_file(file)?,
            Some(file) => {
                return Err(wrong(format!(
                    "the passphrase in {} does not open {}",
                    file.display(),
                    key_file.display()
                ))
                .remedy(LOST_PASSPHRASE));
            }
            None => {
                let again = !first && !std::mem::take(&mut self.tried_before);
                prompt(key_file, again)?
            }
        };
        self.answer = Some(answer.clone());
        Ok(answer)
    }
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Asks for the passphrase of a key file, without an echo.
fn prompt(key_file: &Path, again: bool) -> Result<Zeroizing<String>> {
    let path = shown(&key_file.display().to_string());
    if !io::stdin().is_terminal() {
        return Err(wrong(format!("the key file {path} needs a passphrase"))
            .expected("a terminal to ask for it, or a file that holds it")
            .remedy("give --passphrase-file FILE"));
    }
    type_in(
        PASSPHRASE_WORD,
        &format!("{}passphrase of {path}: ", if again { "that was wrong; " } else { "" }),
    )
}

/// Asks for a new passphrase until both answers are the same.
///
/// # Errors
///
/// `E-TRUST passphrase` when nobody is there to be asked, or the answers stay different; `E-IO`.
pub(super) fn ask_twice(question: &str) -> Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(wrong("there is no terminal to ask for the new passphrase".to_owned())
            .remedy("give --new-passphrase-file FILE"));
    }
    let mut before = "";
    for _ in 0..TRIES {
        let passphrase = type_in(PASSPHRASE_WORD, &format!("{before}{question}"))?;
        if passphrase.is_empty() || passphrase == type_in(PASSPHRASE_WORD, "the same again: ")? {
            return Ok(passphrase);
        }
        before = "the two differ; ";
    }
    Err(wrong("the two passphrases differ".to_owned())
        .expected("the same passphrase twice")
        .remedy("start again; nothing was changed"))
}

#[cfg(feature = "vendor")]
/// Asks for a secret, without an echo.
///
/// # Errors
///
/// `E-USAGE secret-value` when nobody is there to be asked; `E-IO`.
pub(super) fn ask_secret(question: &str) -> Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(Error::new(
            Class::Usage,
            "secret-value",
            format!("there is no terminal to ask for the {}", question.trim_end_matches(": ")),
        )
        .remedy("have it in a file outside the folder or in a variable, and say so in the release file: {file: PATH} or {env: VARIABLE}"));
    }
    type_in("a secret", question)
}

fn wrong(found: String) -> Error {
    Error::new(Class::Trust, PASSPHRASE, found)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct WithoutEcho {
    terminal: File,
    before: Termios,
}

impl WithoutEcho {
    fn begin() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for WithoutEcho {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing anyway.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).ok();
    }
}

/// Reads a line from the terminal without an echo. The echo ends before the question is asked: some type faster than they read.
pub(super) fn type_in(what: &str, question: &str) -> Result<Zeroizing<String>> {
    WithoutEcho::begin()
        .and_then(|_quiet| rpassword::prompt_password(question))
        .map(Zeroizing::new)
        .map_err(|error| {
            Error::new(
                Class::Io,
                "terminal",
                format!("cannot read {what} from the terminal: {error}"),
            )
            .expected("an answer")
            .remedy("answer at the terminal, or name a file that holds the passphrase: the command's `--help` names the option")
            .with_source(error)
        })
}

/// Reads the first line of a file with a secret; nothing of another form comes out of it. `what` names the file in messages.
#[cfg(feature = "vendor")]
pub(super) fn first_line(path: &Path, what: &str) -> Result<Zeroizing<String>> {
    line_of(open_named(path, &format!("open {what}"))?, what)
}

fn line_of(file: File, what: &str) -> Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(read_bounded(file, PASSPHRASE_BYTES, what)?);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\r');
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads the first line of a file with a passphrase, which nobody else may read; a pipe is its writer's matter.
pub(super) fn read_file(path: &Path) -> Result<Zeroizing<String>> {
    const WHAT: &str = "the passphrase file";
    let file = open_named(path, &format!("open {WHAT}"))?;
    let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    if metadata.is_file() {
        let what = format!("{WHAT} {}", path.display());
        only_its_owner_reads(&what, path, metadata.mode(), "the passphrase")?;
    }
    let text = line_of(file, WHAT)?;
    if text.is_empty() {
        return Err(wrong(format!("the first line of {} is no passphrase", path.display()))
            .expected("UTF-8 text")
            .remedy("put the passphrase on the first line of that file"));
    }
    Ok(text)
}
