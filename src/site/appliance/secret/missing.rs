//! What a release lacks of its secrets: for whom, and the command that gives it.

use std::fmt;

use super::naming::Naming;
use super::uses::NeededSecret;
use crate::bundle::desired::SecretSource;
use crate::domain::{Class, Code, Counter, Error, Scope, SecretName, Uuid};

/// Secrets of a release are missing.
pub const SECRETS_MISSING: Code = Code::new("secrets-missing");

/// Missing values that an error lists; the rest is counted.
const LISTED: usize = 32;

/// A value that a release needs and that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    /// Its name.
    pub name: SecretName,
    /// The target that it is for, with its name; none for the whole site.
    pub target: Option<(Uuid, String)>,
    /// The vendor seals it: nobody can enter it here.
    pub sealed: bool,
    /// The arguments of a command that name it and no other.
    which: String,
}

impl MissingSecret {
    pub(in crate::appliance) fn of(used: &NeededSecret, naming: &Naming) -> Self {
        let target = used.target.as_ref().map(|target| (target.id, target.name.clone()));
        Self {
            which: naming.which(&used.name, target.as_ref().map(|(id, name)| (*id, name.as_str()))),
            name: used.name.clone(),
            target,
            sealed: used.declared.source == SecretSource::Sealed,
        }
    }

    /// Returns the command that does something about it, as `set` does.
    pub fn command(&self, act: &str) -> String {
        format!("airlock secret {act} {}", self.which)
    }
}

impl fmt::Display for MissingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some((_, target)) => write!(f, "{} of {target}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

/// Words a list of them: `A, B of press-1 and 3 more`.
pub fn listed(missing: &[MissingSecret]) -> String {
    let mut words: Vec<String> = missing.iter().take(LISTED).map(ToString::to_string).collect();
    if missing.len() > LISTED {
        words.push(format!("{} more", missing.len().saturating_sub(LISTED)));
    }
    words.join(", ")
}

/// Refuses to make a release live that lacks values which a person can enter.
pub(in crate::appliance) fn refused(scope: &Scope, counter: Counter, missing: &[MissingSecret]) -> Error {
    let commands: Vec<String> = missing
        .iter()
        .take(LISTED)
        .map(|missing| format!("`{}`", missing.command("set")))
        .collect();
    Error::new(
        Class::Policy,
        SECRETS_MISSING,
        format!("release {counter} of {scope} waits for {}", listed(missing)),
    )
    .expected("a value of each secret that is to be entered at this site")
    .remedy(format!("enter each of them: {}", commands.join("; ")))
}
