//! What holds, key by key, and who says so.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::key::{Key, written};
use super::places::Places;
use super::{Config, document, place, text};
use crate::domain::Result;

/// A key with the value that holds.
#[derive(Debug)]
pub struct Held {
    /// Which.
    pub key: &'static Key,
    /// What it says; `null` where nothing is said.
    pub value: Value,
    /// Who says so.
    pub origin: Origin,
}

/// Who says what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Origin {
    /// Nobody else.
    Default,
    /// The file.
    File {
        /// In this line.
        line: usize,
    },
    /// The command line.
    Flag,
}

impl Config {
    /// Returns every key with what holds: of the file, else the default; addresses of the command line go before both.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn held(path: Option<&Path>, listen: &[SocketAddr]) -> Result<Vec<Held>> {
        let (text, place) = (text(path)?.unwrap_or_default(), place(path));
        let places = Places::read(&text, place);
        let mut file = document(&text, place)?;
        let is_flag = !listen.is_empty();
        if is_flag {
            listen.clone_into(&mut file.listen);
        }
        let values = serde_json::to_value(&file).unwrap_or_default();
        Self::of(file, &places)?;
        let held = Key::all().map(|key| Held {
            key,
            value: key.value_in(&values),
            origin: match places.of(&key.path()) {
                _ if is_flag && key.path() == "listen" => Origin::Flag,
                Some(at) => Origin::File { line: at.line },
                None => Origin::Default,
            },
        });
        Ok(held.collect())
    }

    /// Returns how many keys the file says; nothing where there is no file.
    ///
    /// # Errors
    ///
    /// `E-IO`; `E-USAGE config`.
    pub fn count_said(path: Option<&Path>) -> Result<Option<usize>> {
        let Some(text) = text(path)? else { return Ok(None) };
        let places = Places::read(&text, place(path));
        Ok(Some(Key::all().filter(|key| places.of(&key.path()).is_some()).count()))
    }
}

impl Held {
    /// Returns the value as a file has it; nothing where nothing is said.
    pub fn written(&self) -> Option<String> {
        written(&self.value)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line } => write!(f, "line {line}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}
