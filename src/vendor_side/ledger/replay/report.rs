//! What arrived at the hub, what was left, and what a hub cannot take at all.

use serde::Serialize;

use crate::domain::{Class, Error, Result, SiteId, Uuid};

/// The hub does not answer at all.
pub(super) const UNREACHABLE: &str = "unreachable";
/// Another agent reports for the target.
pub(super) const AGENT_THERE: &str = "agent-there";
/// Nobody gave a secret for the target.
pub(super) const NO_SECRET: &str = "no-secret";

/// Reasons for refusals that are told apart, for each kind.
const REASONS: usize = 8;
/// What stands for those beyond.
const OTHER_REASONS: &str = "other reasons";

/// What a replay came to, or with `dry_run` what it would send.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// Address of the hub.
    pub hub: String,
    /// Whether nothing was sent.
    pub dry_run: bool,
    /// Every site that has told something, by name.
    pub sites: Vec<SiteReport>,
}

/// What became of what a site told.
#[derive(Debug, Clone, Serialize)]
pub struct SiteReport {
    /// The site.
    pub site: SiteId,
    /// What it is called here.
    pub name: String,
    /// Targets that it reports for, and those that it was refused.
    pub targets: Vec<TargetReport>,
    /// What the hub cannot be given.
    pub undelivered: Vec<Undelivered>,
    /// Package files that are gone or no longer what was taken in: their lines are not sent.
    pub files: Vec<BadFile>,
}

/// What became of what a site told of a target.
#[derive(Debug, Clone, Serialize)]
pub struct TargetReport {
    /// The target.
    pub target: Uuid,
    /// The last status of each revision.
    pub statuses: Tally,
    /// The newest sample.
    pub metrics: Tally,
    /// Lines of containers.
    pub lines: Lines,
    /// Lines of the agent itself.
    pub agent_lines: Lines,
    /// What the hub refused, and why.
    pub refused: Vec<Refusal>,
    /// Whether the hub ever took anything of the target.
    #[serde(skip)]
    pub(super) took_something: bool,
    /// Why the target was left before everything was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
}

impl TargetReport {
    pub(super) fn new(target: Uuid) -> Self {
        Self {
            target,
            statuses: Tally::default(),
            metrics: Tally::default(),
            lines: Lines::default(),
            agent_lines: Lines::default(),
            refused: Vec::new(),
            took_something: false,
            left: None,
        }
    }

    /// Counts a refusal under its reason.
    pub(super) fn refuse(&mut self, what: &'static str, reason: &str, when: Refused) {
        let of_kind = self.refused.iter().filter(|refusal| refusal.what == what).count();
        let is_new = self
            .refused
            .iter()
            .all(|refusal| (refusal.what, refusal.reason.as_str()) != (what, reason));
        // A hub that has another reason each time fills no report.
        let reason = if is_new && of_kind >= REASONS {
            OTHER_REASONS
        } else {
            reason
        };
        let known = self
            .refused
            .iter()
            .position(|refusal| (refusal.what, refusal.reason.as_str()) == (what, reason));
        let at = known.unwrap_or_else(|| {
            self.refused.push(Refusal {
                what,
                reason: reason.to_owned(),
                ..Refusal::default()
            });
            self.refused.len().saturating_sub(1)
        });
        if let Some(refusal) = self.refused.get_mut(at) {
            refusal.count = refusal.count.saturating_add(1);
            refusal.now = refusal.now.saturating_add(u64::from(when == Refused::Now));
        }
    }

    /// Whether refusals are to be told of: a new one, or that the hub never took anything.
    fn is_refused(&self) -> bool {
        let is_new = self.refused.iter().any(|refusal| refusal.now > 0);
        is_new || !(self.refused.is_empty() || self.took_something)
    }
}

/// Items of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Not answered yet: with `dry_run` what would be sent.
    pub waiting: u64,
    /// Sent now.
    pub sent: u64,
    /// Sent by an earlier run; also what the hub was found to have although nobody had seen its answer.
    pub already: u64,
    /// Refused by the hub, now or earlier; not sent again.
    pub refused: u64,
    /// Of those sent now: the hub may have them twice, because an earlier answer was not seen.
    pub perhaps_twice: u64,
}

/// Lines of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// Not answered yet: with `dry_run` what would be sent.
    pub waiting: u64,
    /// Sent now.
    pub sent: u64,
    /// In so many requests.
    pub requests: u64,
    /// In requests that the hub refused (400): it has stored a part of them, and they are not sent again.
    pub partly: u64,
    /// Requests sent once more because an earlier answer was not seen; a line that is there already is the same line.
    pub repeated: u64,
}

/// Requests that the hub refused for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `status`, `metrics`, `lines` or `agent-lines`.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// How many of them in this run.
    pub now: u64,
    /// Status of the answer, and the first line of what the hub said.
    pub reason: String,
}

/// When something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// By an earlier run.
    Before,
    /// By this one.
    Now,
}

/// Why a target was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// A stable word.
    pub code: &'static str,
    /// One sentence.
    pub found: String,
    /// Whether it is not for this site to report there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub policy: bool,
}

impl Left {
    pub(super) fn new(code: &'static str, found: impl Into<String>) -> Self {
        Self {
            code,
            found: found.into(),
            policy: false,
        }
    }

    /// It must not be done, however often it is tried.
    pub(super) fn policy(code: &'static str, found: impl Into<String>) -> Self {
        Self {
            policy: true,
            ..Self::new(code, found)
        }
    }
}

/// Something that a hub cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undelivered {
    /// A stable word.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// Why, for people.
    pub why: &'static str,
}

/// A package file whose lines are not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadFile {
    /// Its path in the workspace.
    pub file: String,
    /// `file missing`, or what was found.
    pub found: String,
}

impl Replayed {
    /// Returns how many targets were left because nobody gave a secret for them: the hub may not have them at all.
    pub fn without_secret(&self) -> usize {
        let targets = self.sites.iter().flat_map(|site| &site.targets);
        let left = targets.filter_map(|target| target.left.as_ref());
        left.filter(|left| left.code == NO_SECRET).count()
    }

    /// What the hub refused, target by target, where that is to be told.
    fn refusals(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for site in &self.sites {
            for target in site.targets.iter().filter(|target| target.is_refused()) {
                for refusal in &target.refused {
                    lines.push(format!(
                        "{}, target {}: {} {} refused ({})",
                        site.name, target.target, refusal.count, refusal.what, refusal.reason
                    ));
                }
            }
        }
        lines
    }

    /// Says whether the run came to its end: everything that may be sent was sent, but for targets without a secret.
    ///
    /// # Errors
    ///
    /// `E-POLICY other-site` where sites reported for what is not theirs, and `E-POLICY agent-there`; else `E-IO unfinished` where a target
    /// was left; else `E-CONTENT refused` where the hub refused something now, or everything ever.
    pub fn verdict(&self) -> Result<()> {
        let left = self.sites.iter().flat_map(|site| {
            let of_targets = site
                .targets
                .iter()
                .filter_map(|target| Some((target.target, target.left.as_ref()?)));
            of_targets.map(|(target, left)| (&site.name, target, left))
        });
        let left = left.filter(|(.., left)| left.code != NO_SECRET);
        let line = |(site, target, left): (&String, Uuid, &Left)| format!("{site}, target {target}: {}", left.found);
        let (policy, rest): (Vec<_>, Vec<_>) = left.partition(|(.., left)| left.policy);
        let agents: Vec<String> = policy
            .iter()
            .filter(|(.., left)| left.code == AGENT_THERE)
            .copied()
            .map(line)
            .collect();
        let others: Vec<String> = policy
            .iter()
            .filter(|(.., left)| left.code != AGENT_THERE)
            .copied()
            .map(line)
            .collect();
        if !others.is_empty() {
            return Err(Error::listing(
                Class::Policy,
                "other-site",
                "a site may report for its own targets alone, and these were not sent:",
                &others,
            )
            .expected("targets of a release signed for the site, that stand nowhere else")
            .remedy("name the other sites with --site, one after another; or, where this one is not to be trusted any more, withdraw it with `airlock vendor withdraw-site SITE`"));
        }
        if !agents.is_empty() {
            return Err(Error::listing(
                Class::Policy,
                "agent-there",
                "secrets of these targets were not renewed:",
                &agents,
            )
            .expected("a target for which nobody else reports")
            .remedy("give the secret that the target has with --credentials, or leave the target to the agent that is connected"));
        }
        let refused = self.refusals();
        if rest.is_empty() {
            return if refused.is_empty() {
                Ok(())
            } else {
                Err(Error::listing(
                    Class::Content,
                    "refused",
                    "the hub refused what these targets told:",
                    &refused,
                )
                .expected("a hub that knows each target and revision, and takes what is told of it")
                .remedy("put right at the hub what it says, and send its statuses and samples once more with --retry-refused; of lines of logs it has stored a part, and they are not sent again"))
            };
        }
        let mut rest: Vec<String> = rest.into_iter().map(line).collect();
        rest.extend(refused);
        Err(Error::listing(
            Class::Io,
            "unfinished",
            "these targets were left before everything was sent:",
            &rest,
        )
        .expected("a hub that answers, and takes the secret of each target")
        .remedy("put right what is said, and run the same command again: what was taken is not sent twice"))
    }
}
