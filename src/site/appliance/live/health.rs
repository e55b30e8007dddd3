//! How the appliance is, for machines: what was checked at the start, what is being checked, what is broken.

use crate::appliance::ReleaseDamage;
use crate::db::DAMAGED;
use crate::db::site::release::State;
use crate::domain::{Class, Error, Problem};

/// State of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Still at work; requests are answered meanwhile.
    Running,
    /// Passed.
    Good,
    /// Failed: each thing that is broken, with what heals it.
    Failed(Vec<Problem>),
}

/// How the appliance is. A check that is added here is added to [`Health::checks`], and everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the state folder is the one that was opened, and identity, keys and marks in it hold.
    pub state: Check,
    /// Trust chains and signatures of the live releases, and whether the thread that watches for new ones does.
    pub releases: Check,
    /// Structure of the database.
    pub database: Check,
    /// Hashes of the live releases' index pages.
    pub index: Check,
    /// Whether all blobs of the live releases are there, as far as anybody met damage.
    pub content: Check,
    /// Seals of the audit log and of what leaves of it: where they do not hold, nothing is imported.
    pub audit: Check,
}

impl Health {
    /// What holds right after the start: requests are only answered once the releases were checked.
    pub(super) fn started(state: Check) -> Self {
        Self {
            state,
            releases: Check::Good,
            database: Check::Running,
            index: Check::Running,
            content: Check::Running,
            audit: Check::Running,
        }
    }

    /// What holds where the last generation is served, since the database cannot be used.
    pub(super) fn without_database(why: &Error) -> Self {
        Self {
            database: Check::of("database", Some(why)),
            audit: Check::of("audit", Some(why)),
            ..Self::started(Check::Good)
        }
    }

    /// Adds what is known of damage to live releases, each its own problem with its own remedy; it ends when that does.
    pub(super) fn with(mut self, damage: &[ReleaseDamage]) -> Self {
        for damage in damage.iter().filter(|damage| damage.release.state == State::Active) {
            if damage.head.is_some() {
                self.fail("releases", "release-damaged", damage);
            }
            if damage.pages > 0 {
                self.fail("index", "page-damaged", damage);
            }
            if damage.count() > 0 {
                self.fail("content", "content-damaged", damage);
            }
        }
        self.blame_database();
        self.advise_as_database();
        self
    }

    /// Adds what is wrong with releases of the last generation: that stays so for as long as it is served.
    pub(super) fn with_nameless(mut self, nameless: &[&Error]) -> Self {
        let found = nameless.iter().map(|error| Problem::of("releases", error));
        match &mut self.releases {
            Check::Failed(problems) => problems.extend(found),
            check if !nameless.is_empty() => *check = Check::Failed(found.collect()),
            _ => {}
        }
        self
    }

    /// A generation that cannot be read for a damaged database tells of the database too, for as long as it cannot be read.
    fn blame_database(&mut self) {
        let Check::Failed(problems) = &self.releases else {
            return;
        };
        let found = problems.iter().find(|problem| is_of_database(problem));
        if let (Some(found), false) = (found, matches!(self.database, Check::Failed(_))) {
            let part = "database";
            self.database = Check::Failed(vec![Problem { part, ..found.clone() }]);
        }
    }

    /// In a damaged database nothing is mended by importing again: what mends that mends the rest.
    fn advise_as_database(&mut self) {
        let Check::Failed(found) = &self.database else { return };
        let Some(found) = found.iter().find(|problem| is_of_database(problem)).cloned() else {
            return;
        };
        for check in [&mut self.releases, &mut self.index, &mut self.content, &mut self.audit] {
            if let Check::Failed(problems) = check {
                for problem in problems {
                    problem.remedy.clone_from(&found.remedy);
                }
            }
        }
    }

    fn fail(&mut self, part: &'static str, code: &str, damage: &ReleaseDamage) {
        let check = match part {
            "releases" => &mut self.releases,
            "index" => &mut self.index,
            _ => &mut self.content,
        };
        let problem = Problem {
            part,
            error: format!("{} {code}", Class::State.name()),
            what: format!(
                "release {} of {}: {damage}",
                damage.release.counter, damage.release.scope
            ),
            remedy: damage.remedy.clone(),
        };
        match check {
            Check::Failed(problems) => problems.push(problem),
            _ => *check = Check::Failed(vec![problem]),
        }
    }

    /// Returns every check under its stable name.
    pub fn checks(&self) -> [(&'static str, &Check); 6] {
        [
            ("state", &self.state),
            ("releases", &self.releases),
            ("database", &self.database),
            ("index", &self.index),
            ("content", &self.content),
            ("audit", &self.audit),
        ]
    }

    /// Returns what is known to be broken.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.checks().into_iter().flat_map(|(_, check)| match check {
            Check::Failed(problems) => problems.as_slice(),
            Check::Running | Check::Good => &[],
        })
    }
}

impl Check {
    /// What a check of a part came to: every error that it found, or none.
    pub(super) fn of_all(part: &'static str, found: &[Error]) -> Self {
        if found.is_empty() {
            return Self::Good;
        }
        Self::Failed(found.iter().map(|error| Problem::of(part, error)).collect())
    }

    /// What a check of a part came to: the error that it found, or none.
    pub(super) fn of(part: &'static str, found: Option<&Error>) -> Self {
        match found {
            None => Self::Good,
            Some(error) => Self::Failed(vec![Problem::of(part, error)]),
        }
    }

    /// Returns the stable word, or class and code of the first failure.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Running => "running",
            Self::Good => "ok",
            Self::Failed(problems) => problems.first().map_or("failed", |problem| &problem.error),
        }
    }
}

fn is_of_database(problem: &Problem) -> bool {
    problem.error.ends_with(DAMAGED.as_str())
}
