//! Where the passphrase of a backup comes from: a file, or the person at the terminal.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::advice::quoted;
use super::passphrase::{PASSPHRASE_WORD, ask_twice, read_file, type_in};
use crate::crypto::PASSPHRASE;
use crate::domain::{Class, Error, Result, shown};

// The option of commands that make or read a backup.
#[derive(Debug, Clone, Args)]
pub(super) struct BackupPassphraseArgs {
    /// File whose first line is the passphrase of the backup (`/dev/fd/N` works); without it the terminal is asked
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl BackupPassphraseArgs {
    /// Returns the passphrase for a backup that is to be made.
    ///
    /// # Errors
    ///
    /// `E-TRUST passphrase` where there is none; `E-IO`.
    pub(super) fn for_a_new_one(&self) -> Result<Zeroizing<String>> {
        if let Some(file) = &self.passphrase_file {
            return read_file(file);
        }
        if !io::stdin().is_terminal() {
            return Err(nobody("the backup needs a passphrase"));
        }
        let passphrase = ask_twice("passphrase for the backup: ")?;
        if passphrase.is_empty() {
            return Err(nobody("the backup needs a passphrase, and none was given"));
        }
        Ok(passphrase)
    }

    /// Returns the passphrase of a backup that is there.
    ///
    /// # Errors
    ///
    /// As [`Self::for_a_new_one`].
    pub(super) fn of(&self, backup: &Path) -> Result<Zeroizing<String>> {
        let name = shown(&backup.display().to_string());
        match &self.passphrase_file {
            Some(file) => read_file(file),
            None if io::stdin().is_terminal() => type_in(PASSPHRASE_WORD, &format!("passphrase of {name}: ")),
            None => Err(nobody(&format!("the backup {name} needs its passphrase"))),
        }
    }
}

impl BackupPassphraseArgs {
    /// Returns the option as it was given, for a command that is named; nothing where it was not.
    pub(super) fn words(&self) -> String {
        let file = self.passphrase_file.as_ref();
        file.map_or_else(String::new, |file| {
            format!(" --passphrase-file {}", quoted(&shown(&file.display().to_string())))
        })
    }
}

fn nobody(found: &str) -> Error {
    Error::new(Class::Trust, PASSPHRASE, found)
        .expected("a terminal to ask for it, or a file that holds it")
        .remedy("give --passphrase-file FILE")
}
