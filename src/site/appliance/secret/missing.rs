//! What a release lacks of its secrets: for whom, and the command that gives it. It lacks a value that is not here, and a shorter one where
//! the one that is here makes more of its documents than an agent is told.

use std::fmt;

use super::bound::{TooLarge, bounds};
use super::naming::Naming;
use super::uses::NeededSecret;
use crate::bundle::desired::SecretSource;
use crate::domain::{Class, Code, Counter, Error, Scope, SecretName, Uuid};

/// Secrets of a release are missing.
pub const SECRETS_MISSING: Code = Code::new("secrets-missing");

/// Missing values that an error lists; the rest is counted.
const LISTED: usize = 32;

/// A value that a release needs and that is not here, or does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    /// Its name.
    pub name: SecretName,
    /// The target that it is for, with its name; none for the whole site.
    pub target: Option<(Uuid, String)>,
    /// The vendor seals it: nobody can enter it here.
    pub sealed: bool,
    /// What the value that is here makes too large; none where there is none.
    pub too_large: Option<Excess>,
    /// The arguments of a command that name it and no other.
    which: String,
}

/// What a value makes of what a target shall run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// The target, the first of them.
    pub target: String,
    /// How many other targets it is too much for.
    pub others: usize,
    /// Bytes of everything that the target shall run.
    pub whole: u64,
    /// Bytes of the largest document.
    pub document: u64,
}

impl MissingSecret {
    pub(in crate::appliance) fn of(used: &NeededSecret, naming: &Naming) -> Self {
        let target = used.target.as_ref().map(|target| (target.id, target.name.clone()));
        Self {
            which: naming.which(&used.name, target.as_ref().map(|(id, name)| (*id, name.as_str()))),
            name: used.name.clone(),
            target,
            sealed: used.declared.source == SecretSource::Sealed,
            too_large: None,
        }
    }

    /// Returns the secrets of which a shorter value is needed, each once.
    pub(super) fn too_large(found: &[TooLarge], naming: &Naming) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for TooLarge {
            of,
            whole,
            document,
            most,
        } in found
        {
            let one = Self::of(most, naming);
            let same = all.iter_mut().find(|other| other.which == one.which);
            if let Some(excess) = same.and_then(|other| other.too_large.as_mut()) {
                excess.others = excess.others.saturating_add(1);
            } else {
                all.push(Self {
                    too_large: Some(Excess {
                        target: of.name.clone(),
                        others: 0,
                        whole: *whole,
                        document: *document,
                    }),
                    ..one
                });
            }
        }
        all
    }

    /// Names it: `SMTP_PASSWORD of press-1`.
    pub fn label(&self) -> String {
        Self::label_of(&self.name, self.target.as_ref().map(|(_, target)| target.as_str()))
    }

    /// Names a secret of one target, or of the whole site.
    pub(super) fn label_of(name: &SecretName, target: Option<&str>) -> String {
        match target {
            Some(target) => format!("{name} of {target}"),
            None => name.to_string(),
        }
    }

    /// Returns the command that gives it.
    pub fn remedy(&self) -> String {
        self.command(if self.too_large.is_some() {
            "set --replace"
        } else {
            "set"
        })
    }

    fn command(&self, act: &str) -> String {
        format!("airlock secret {act} {}", self.which)
    }
}

impl fmt::Display for MissingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())?;
        let Some(excess) = &self.too_large else { return Ok(()) };
        write!(f, ", with which {:?} shall run ", excess.target)?;
        write!(
            f,
            "up to {} bytes, {} of them in one document",
            excess.whole, excess.document
        )?;
        match excess.others {
            0 => Ok(()),
            1 => write!(f, " (and one more target too much)"),
            others => write!(f, " (and {others} more targets too much)"),
        }
    }
}

/// Says what a release lacks: `waits for A, B of press-1; is too large with C, …`.
pub fn lacks(missing: &[MissingSecret]) -> String {
    let absent = missing.iter().filter(|missing| missing.too_large.is_none());
    let long = missing.iter().filter(|missing| missing.too_large.is_some());
    let said = [
        ("waits for", words(absent)),
        ("is too large for agents with the value of", words(long)),
    ];
    let said = said.iter().filter(|(_, words)| !words.is_empty());
    said.map(|(verb, words)| format!("{verb} {words}"))
        .collect::<Vec<_>>()
        .join("; and it ")
}

/// Words a list of them: `A, B of press-1, 3 more`.
fn words<'a>(missing: impl Iterator<Item = &'a MissingSecret>) -> String {
    let mut words: Vec<String> = missing.map(ToString::to_string).collect();
    let more = words.len().saturating_sub(LISTED);
    if more > 0 {
        words.truncate(LISTED);
        words.push(format!("{more} more"));
    }
    words.join(", ")
}

/// Refuses to make a release live that lacks values which a person can enter, or has some that are too long for it.
pub(in crate::appliance) fn refused(scope: &Scope, counter: Counter, missing: &[MissingSecret]) -> Error {
    let absent = missing.iter().any(|missing| missing.too_large.is_none());
    let (class, code, expected) = if absent {
        let expected = "a value of each secret that is to be entered at this site".to_owned();
        (Class::Policy, SECRETS_MISSING, expected)
    } else {
        (Class::Limit, Code::new("rendered"), bounds())
    };
    let found = format!("release {counter} of {scope} {}", lacks(missing));
    let entered: Vec<&MissingSecret> = missing.iter().filter(|missing| !missing.sealed).take(LISTED).collect();
    let commands: Vec<String> = entered
        .iter()
        .map(|missing| format!("`{}`", missing.remedy()))
        .collect();
    let error = Error::new(class, code, found).expected(expected);
    match (entered.as_slice(), absent) {
        ([], _) => error.remedy("ask the vendor for a release with a shorter value, and import it"),
        (_, true) => error.remedy(format!("enter each of them: {}", commands.join("; "))),
        (_, false) => error.remedy(format!("give shorter values: {}", commands.join("; "))),
    }
}
