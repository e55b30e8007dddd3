//! What vendors found in packages of this site, and what this site makes of an acknowledgement of packages that it never signed.
//!
//! The log is what remembers: its rows say what each acknowledgement said, applied or refused. A vendor's alarms stand until its next one
//! says something else; what this site found itself, until one is applied or another life of the state folder began.
//!
//! A vendor goes on naming what it found until somebody there ends it. What it found of a life of this site that is over by now was told
//! once, and is in the log: whoever said `airlock recover` is not told again to say it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::appliance::state::Appliance;
use crate::crypto::{Acknowledgement, Alarm, AlarmCode};
use crate::db::Connection;
use crate::db::site::acknowledgements::{self, ACKNOWLEDGE, HeardRow, REFUSE};
use crate::domain::{Hash, Result, Timestamp};

/// What this site makes of an acknowledgement of packages that its present instance did not sign (M-110).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// They are of the present instance: the state was turned back.
    StateOlder,
    /// They are of an instance that is not known here: another life of this site reports.
    OtherInstance,
}

/// What stands of one vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose acknowledgement said so.
    pub domain: Hash,
    /// The vendor's name, as its root says it.
    pub vendor: String,
    /// Number of the acknowledgement.
    pub number: u64,
    /// When it was heard.
    pub at: Timestamp,
    /// What the vendor found.
    pub alarms: Vec<Alarm>,
    /// What this site found.
    pub found: Option<Found>,
}

impl Found {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateOlder => "state-older",
            Self::OtherInstance => "other-instance",
        }
    }

    /// Says what it means and what to do.
    pub fn explained(self) -> &'static str {
        match self {
            Self::StateOlder => {
                "packages are acknowledged that this state folder does not know to have signed: it was turned back to an earlier time; \
                 say so with `airlock recover --as restored`"
            }
            Self::OtherInstance => {
                "packages are acknowledged of a life of this site that is not known here: another copy of it reports; find out which one is \
                 in use, and where both go on, say so with `airlock recover --as cloned`"
            }
        }
    }
}

/// Says what an alarm of a vendor means and what to do.
pub fn explained(alarm: &Alarm) -> String {
    let package = alarm.number;
    let copies = "this state folder was turned back, or lives twice; say which with `airlock recover --as restored` or `airlock recover --as cloned`";
    match alarm.code {
        AlarmCode::AuditDiscontinuity => format!(
            "the log that package {package} carried is not the one that was told before: look whether it holds with `airlock audit verify`"
        ),
        AlarmCode::Branches => format!("package {package} goes on beside another life of this site: {copies}"),
        AlarmCode::ForeignRelease => format!(
            "package {package} tells of a release that the vendor did not sign in the workspace that reads it: ask the vendor before the next import"
        ),
        AlarmCode::Lineage => {
            format!("the lives of this site that package {package} lists are not those that were told before: {copies}")
        }
        AlarmCode::PackageNumber => format!("two different packages have the number {package}: {copies}"),
        AlarmCode::Previous => format!("package {package} does not follow the one that the vendor has: {copies}"),
        AlarmCode::Receipt => {
            format!("a receipt in package {package} is not what it was when it was told before: {copies}")
        }
        AlarmCode::Record => {
            format!("a record in package {package} is not what it was when it was told before: {copies}")
        }
        AlarmCode::RecordsMissing => format!(
            "records up to those of package {package} are missing at the vendor: bring out the packages before it that `airlock status list` still has with \
             `airlock status export DEST --again NUMBER`, then the next one, which tells again all that was not acknowledged; what an acknowledgement let go \
             is told no more, and the vendor ends it with `airlock vendor ledger end FINDING -w DIR`"
        ),
    }
}

/// Says what an alarm means that is about a life of this site which is over here.
pub fn explained_over(alarm: &Alarm) -> String {
    format!(
        "package {} of a life of this site that is over here: nothing is left to be done about it here; the vendor ends it with `airlock \
         vendor ledger end FINDING -w DIR`, and it is told no more",
        alarm.number
    )
}

/// Whether an alarm is about how the lives of a site follow one another, so that another life ends what it is about.
fn is_of_a_life(alarm: &Alarm) -> bool {
    match alarm.code {
        AlarmCode::Branches
        | AlarmCode::Lineage
        | AlarmCode::PackageNumber
        | AlarmCode::Previous
        | AlarmCode::Receipt
        | AlarmCode::Record => true,
        AlarmCode::AuditDiscontinuity | AlarmCode::ForeignRelease | AlarmCode::RecordsMissing => false,
    }
}

/// What became of the alarms of one acknowledgement.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// To be told.
    pub(super) told: Vec<Alarm>,
    /// Of a life that is over, and told for the first time.
    pub(super) over: Vec<Alarm>,
}

/// Says which alarms of an acknowledgement are told: those of a life that is over only once. `is_over`: it is for such a one.
///
/// # Errors
///
/// Those of the database.
pub(super) fn sorted(connection: &Connection, made: &Acknowledgement, is_over: bool) -> Result<Sorted> {
    let mut all = BTreeMap::new();
    for row in &acknowledgements::heard(connection)? {
        take(&mut all, row);
    }
    let known = all.remove(&made.domain).map(|known| known.over).unwrap_or_default();
    let mut sorted = Sorted::default();
    for alarm in made.alarms.iter().filter(|alarm| !known.contains(alarm)) {
        if is_over && is_of_a_life(alarm) {
            sorted.over.push(*alarm);
        } else {
            sorted.told.push(*alarm);
        }
    }
    Ok(sorted)
}

impl Standing {
    /// Returns a line for each alarm: its word, and what it means.
    pub fn lines(&self) -> Vec<String> {
        let line = |(word, by, means): (_, Option<&str>, String)| match by {
            None => format!("ALARM {word}: {means}"),
            Some(vendor) => format!("ALARM {word}, found by {vendor}: {means}"),
        };
        self.each().map(line).collect()
    }

    /// Returns the word of each alarm, the vendor who found it where it is not this site, and what it means.
    pub(in crate::appliance) fn each(&self) -> impl Iterator<Item = (&'static str, Option<&str>, String)> {
        let own = self
            .found
            .map(|found| (found.as_str(), None, found.explained().to_owned()));
        let of_vendor = self
            .alarms
            .iter()
            .map(|alarm| (alarm.code.as_str(), Some(self.vendor.as_str()), explained(alarm)));
        own.into_iter().chain(of_vendor)
    }
}

/// Returns what stands of each vendor, where there is anything. Its name is what `name` says of its domain, or that.
///
/// # Errors
///
/// Those of the database.
pub(in crate::appliance) fn standing(
    connection: &Connection,
    name: impl Fn(Hash) -> Option<String>,
) -> Result<Vec<Standing>> {
    let mut all = BTreeMap::new();
    for row in &acknowledgements::heard(connection)? {
        take(&mut all, row);
    }
    let all = all.into_values().map(Known::standing);
    let mut standing: Vec<Standing> = all
        .filter(|one| !one.alarms.is_empty() || one.found.is_some())
        .collect();
    for one in &mut standing {
        one.vendor = name(one.domain).unwrap_or_else(|| one.domain.to_hex());
    }
    Ok(standing)
}

impl Appliance {
    /// Returns what stands of each vendor's acknowledgements, where there is anything.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn alarms(&self) -> Result<Vec<Standing>> {
        // A pin that is gone or damaged hides no alarm.
        let name = |domain| self.chain(domain).ok().map(|chain| chain.newest().vendor.clone());
        self.db.read(|connection| standing(connection, name))
    }
}

/// What of a row's detail matters here.
#[derive(Deserialize)]
struct Detail {
    domain: Hash,
    number: u64,
    alarms: Vec<Alarm>,
    alarm: Option<Found>,
    /// Those among the alarms that are of a life that was over then.
    #[serde(default)]
    over: Vec<Alarm>,
}

/// What the log says of one vendor.
struct Known {
    standing: Standing,
    /// Alarms of lives that are over, as long as the vendor goes on naming them.
    over: Vec<Alarm>,
}

impl Known {
    fn standing(mut self) -> Standing {
        self.standing.alarms.retain(|alarm| !self.over.contains(alarm));
        self.standing
    }
}

fn take(all: &mut BTreeMap<Hash, Known>, row: &HeardRow) {
    let is_applied = row.action == ACKNOWLEDGE;
    if !is_applied && row.action != REFUSE {
        // Another life began: somebody said what was done.
        for Known { standing, over } in all.values_mut() {
            standing.found = None;
            over.extend(standing.alarms.iter().filter(|alarm| is_of_a_life(alarm)));
        }
        return;
    }
    // One that nobody signed, or that was for somebody else, says nothing here.
    let Ok(detail) = serde_json::from_str::<Detail>(&row.detail) else {
        return;
    };
    let Known { standing, over } = all.entry(detail.domain).or_insert_with(|| Known {
        standing: Standing {
            domain: detail.domain,
            vendor: String::new(),
            number: 0,
            at: row.at,
            alarms: Vec::new(),
            found: None,
        },
        over: Vec::new(),
    });
    if is_applied {
        standing.found = None;
    }
    standing.found = detail.alarm.or(standing.found);
    over.extend(detail.over);
    // An old one that comes once more says what was found then.
    if detail.number >= standing.number {
        // What ended and comes back was found anew.
        over.retain(|alarm| detail.alarms.contains(alarm));
        (standing.number, standing.at, standing.alarms) = (detail.number, row.at, detail.alarms);
    }
}
