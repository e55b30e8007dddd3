//! Where passphrases of key files come from: a file, or the person at the terminal. Never an argument or a variable, which
//! other users could read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use crate::domain::{Class, Error, Result, shown};
use crate::stream::read_bounded;

/// Longest passphrase, in bytes.
const PASSPHRASE_BYTES: u64 = 4096;

/// The option that every command with key files has.
#[derive(Debug, Clone, Args)]
pub(super) struct PassphraseArgs {
    /// File whose first line is the passphrase of encrypted key files (`/dev/fd/N` works); without it the terminal is asked
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// Returns the passphrase in the file, if one was named: new keys are encrypted with it.
    pub(super) fn in_file(&self) -> Result<Option<Zeroizing<String>>> {
        self.passphrase_file.as_deref().map(read_file).transpose()
    }

    /// Returns who is asked for the passphrases of key files. At the terminal, one answer is tried for every file.
    pub(super) fn asker(&self) -> Asker {
        Asker {
            file: self.passphrase_file.clone(),
            answer: None,
            asked: BTreeSet::new(),
        }
    }
}

/// Gives out passphrases.
pub(super) struct Asker {
    file: Option<PathBuf>,
    answer: Option<Zeroizing<String>>,
    asked: BTreeSet<PathBuf>,
}

impl Asker {
    /// Returns the passphrase of a key file.
    ///
    /// # Errors
    ///
    /// `E-TRUST passphrase` when there is neither a file nor a terminal; `E-IO`.
    pub(super) fn ask(&mut self, key_file: &Path) -> Result<Zeroizing<String>> {
        let first = self.asked.insert(key_file.to_owned());
        if let (true, Some(answer)) = (first, &self.answer) {
            return Ok(answer.clone());
        }
        let answer = match &self.file {
            Some(file) => read_file(file)?,
            None => prompt(key_file)?,
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

fn prompt(key_file: &Path) -> Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(Error::new(
            Class::Trust,
            "passphrase",
            format!("the key file {} needs a passphrase", key_file.display()),
        )
        .remedy("give --passphrase-file FILE"));
    }
    rpassword::prompt_password(format!("passphrase of {}: ", shown(&key_file.display().to_string())))
        .map(Zeroizing::new)
        .map_err(|error| {
            Error::new(
                Class::Io,
                "terminal",
                format!("cannot read a passphrase from the terminal: {error}"),
            )
            .with_source(error)
        })
}

fn read_file(path: &Path) -> Result<Zeroizing<String>> {
    let file = File::open(path).map_err(|e| Error::io("open the passphrase file", path, e))?;
    let bytes = Zeroizing::new(read_bounded(file, PASSPHRASE_BYTES, "the passphrase file")?);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\r');
    if text.is_empty() {
        return Err(Error::new(
            Class::Trust,
            "passphrase",
            format!("the first line of {} is no passphrase", path.display()),
        )
        .expected("UTF-8 text"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}
