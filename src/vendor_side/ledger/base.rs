//! What a bundle may leave out, because each site that it is for surely holds it (SPEC M-101, M-102).
//!
//! Only the newest package of a site's shown lineage says what it holds. Nothing is left out on the word of an old one, or while
//! something stands against the site; what a site refused a bundle for is carried until it is shown to be there again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::db::Connection;
use crate::db::ledger::base::{self, HeldLayers};
use crate::db::ledger::findings::{self, FindingId};
use crate::db::ledger::{self, PackageRow, Site};
use crate::domain::{Audience, Digest, Hash, Result, SiteId, Timestamp, counted};

/// How old the newest package of a site may be, in seconds, where nobody says otherwise.
pub const BASE_MAX_AGE: i64 = 180 * 86_400;

/// Finding: instances of the site report beside one another.
const BRANCHES: &str = "branches";

/// What a release builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// What decided it.
    pub choice: Choice,
    /// What a person named besides, as it was named: every site holds its layers.
    pub named: Vec<PathBuf>,
    /// Layers that may be left out, with their sizes.
    pub held: BTreeMap<Digest, u64>,
    /// Layers that others may be copied from: those, and where a number is signed again what its sites hold by now.
    pub copied_from: BTreeMap<Digest, u64>,
    /// Of those, the ones that are of no live release of some site: after how many newer ones, the sooner to go.
    pub aged: BTreeMap<Digest, u64>,
}

/// What decides what a bundle builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It is for any site, so nobody knows what is there.
    AnySite,
    /// A person wants everything to be carried.
    Full,
    /// Its number was signed before: the same is left out again, for a number belongs to one head.
    AsSigned,
    /// What each of its sites says, in the order of their ids: what all of them hold.
    Sites(Vec<SiteBase>),
}

/// What a site says that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteBase {
    /// The site.
    pub site: SiteId,
    /// Its local name; its id where it is not enrolled here.
    pub name: String,
    /// The newest package of it that was taken in.
    pub package: Option<PackageRow>,
    /// Why nothing is left out for it.
    pub unused: Option<Unused>,
    /// How many releases it listed that are not those that were signed here: nothing builds on these.
    pub unknown_releases: u64,
    /// How many of its layers are carried because it refused a bundle that needed them.
    pub lacked: u64,
}

/// Why what a site holds is not built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unused {
    /// It is not enrolled in this workspace.
    NotEnrolled,
    /// No package of it was taken in.
    NeverReported,
    /// A summary came after its newest package, and says less.
    OnlySummary(u64),
    /// The newest package is older than this many seconds.
    TooOld(i64),
    /// Something stands against it that nobody ended.
    Finding(FindingId, String),
}

impl Unused {
    /// Returns the stable word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotEnrolled => "not-enrolled",
            Self::NeverReported => "never-reported",
            Self::OnlySummary(_) => "only-summary",
            Self::TooOld(_) => "too-old",
            Self::Finding(..) => "finding",
        }
    }
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnrolled => f.write_str("it is not enrolled here"),
            Self::NeverReported => f.write_str("no package of it was taken in yet"),
            Self::OnlySummary(number) => write!(
                f,
                "summary {number} is the newest of it, and its package did not come yet"
            ),
            Self::TooOld(seconds) => write!(f, "that is more than {} ago (--base-max-age)", age(*seconds)),
            Self::Finding(id, code) => write!(
                f,
                "the finding {id} ({code}) is open; look at it, then `airlock vendor ledger end {id}`"
            ),
        }
    }
}

/// Returns a span of time in the largest unit that it is a whole number of.
fn age(seconds: i64) -> String {
    let (count, unit) = match seconds {
        _ if seconds % 86_400 == 0 => (seconds.div_euclid(86_400), "day"),
        _ => (seconds.div_euclid(3600), "hour"),
    };
    counted(count, unit)
}

/// How a base is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// For whom the release is.
    pub(crate) audience: &'a Audience,
    /// Whether everything is to be carried.
    pub(crate) full: bool,
    /// Most seconds since a site's newest package.
    pub(crate) max_age: i64,
    /// The head that was signed under the release's number.
    pub(crate) signed: Option<Hash>,
    /// The time by this side's clock.
    pub(crate) now: Timestamp,
}

impl Base {
    /// Finds out what a bundle may leave out. `known` are the enrolled sites.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO` of the ledger.
    pub(crate) fn find(connection: &Connection, known: &[Site], question: &Question<'_>) -> Result<Self> {
        let mut copied_from = HeldLayers::default();
        let (choice, held) = if question.full {
            (Choice::Full, HeldLayers::default())
        } else if let Some(held) = as_signed(connection, question.signed)? {
            if let Audience::Sites(sites) = question.audience {
                copied_from = of_sites(connection, sites, known, question)?.1;
            }
            let aged = copied_from.aged.clone();
            (Choice::AsSigned, HeldLayers { sizes: held, aged })
        } else {
            match question.audience {
                Audience::Any(_) => (Choice::AnySite, HeldLayers::default()),
                Audience::Sites(sites) => {
                    let (sites, held) = of_sites(connection, sites, known, question)?;
                    (Choice::Sites(sites), held)
                }
            }
        };
        copied_from.sizes.extend(&held.sizes);
        Ok(Self {
            choice,
            named: Vec::new(),
            held: held.sizes,
            copied_from: copied_from.sizes,
            aged: held.aged,
        })
    }

    /// Builds on what a person named, too.
    pub(crate) fn name(&mut self, word: PathBuf, layers: &BTreeMap<Digest, u64>) {
        self.held.extend(layers);
        self.copied_from.extend(layers);
        self.aged.retain(|digest, _| !layers.contains_key(digest));
        self.named.push(word);
    }
}

fn as_signed(connection: &Connection, head: Option<Hash>) -> Result<Option<BTreeMap<Digest, u64>>> {
    match head {
        Some(head) => ledger::needs_of(connection, head),
        None => Ok(None),
    }
}

/// What each site says, and what all of them hold.
fn of_sites(
    connection: &Connection,
    sites: &[SiteId],
    known: &[Site],
    question: &Question<'_>,
) -> Result<(Vec<SiteBase>, HeldLayers)> {
    let mut common: Option<HeldLayers> = None;
    let mut told = Vec::new();
    for site in sites {
        let (base, held) = of_site(connection, site, known, question)?;
        told.push(base);
        common = Some(match common {
            None => held,
            Some(mut common) => {
                common.sizes.retain(|digest, size| held.sizes.get(digest) == Some(size));
                for (digest, age) in held.aged {
                    let oldest = common.aged.entry(digest).or_default();
                    *oldest = age.max(*oldest);
                }
                common
            }
        });
    }
    Ok((told, common.unwrap_or_default()))
}

fn of_site(
    connection: &Connection,
    site: &SiteId,
    known: &[Site],
    question: &Question<'_>,
) -> Result<(SiteBase, HeldLayers)> {
    let enrolled = known.iter().find(|known| known.site == *site);
    let lineage = ledger::shown(connection, site)?;
    let package = match &lineage {
        Some(lineage) => base::newest_package(connection, lineage)?,
        None => None,
    };
    let mut told = SiteBase {
        site: site.clone(),
        name: enrolled.map_or_else(|| site.to_string(), |enrolled| enrolled.name.clone()),
        package: package.clone(),
        unused: None,
        unknown_releases: 0,
        lacked: 0,
    };
    let unused = |told: SiteBase, why| {
        let unused = Some(why);
        Ok((SiteBase { unused, ..told }, HeldLayers::default()))
    };
    if enrolled.is_none() {
        return unused(told, Unused::NotEnrolled);
    }
    let Some((lineage, package)) = lineage.zip(package) else {
        return unused(told, Unused::NeverReported);
    };
    // What was found first, the alarm: it says more than an age.
    let alarm = findings::open(connection, Some(site))?
        .into_iter()
        .find(|finding| matches!(finding.id, FindingId::Refused(_)) || finding.code == BRANCHES);
    if let Some(alarm) = alarm {
        return unused(told, Unused::Finding(alarm.id, alarm.code));
    }
    if let Some(number) = base::newest_summary(connection, site, &lineage)?.filter(|number| *number > package.number) {
        return unused(told, Unused::OnlySummary(number));
    }
    // The site's clock can make a package older than it is, and never younger.
    let made_at = package.made_at.min(package.ingested_at);
    if made_at.plus_seconds(question.max_age) < question.now {
        return unused(told, Unused::TooOld(question.max_age));
    }
    let (releases, agreeing) = base::held_releases(connection, site)?;
    told.unknown_releases = releases.saturating_sub(agreeing);
    let mut held = base::held_layers(connection, site)?;
    for digest in base::lacked(connection, &lineage, &package)? {
        if held.sizes.remove(&digest).is_some() {
            told.lacked = told.lacked.saturating_add(1);
        }
    }
    Ok((told, held))
}
