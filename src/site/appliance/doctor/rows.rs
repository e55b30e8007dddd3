//! What the databases tell, read beside whoever writes them: keys and marks, the log, trust, content, the clock.

use std::path::Path;

use super::{Finding, agents, alarms};
use crate::appliance::damage::{self, REPAIR};
use crate::appliance::folder::{DATABASE, STATUS_DATABASE, STATUS_MARK};
use crate::appliance::keys::Keys;
use crate::appliance::present::{built, effective_now, floor};
use crate::appliance::secret::{self, RevisionKey};
use crate::appliance::{audit_log, authority, last_generation, parts, pins, wrong_rows};
use crate::crypto::Chain;
use crate::db::site::{kept_secrets, release, trust};
use crate::db::{Reader, Schema, side_file, status};
use crate::domain::{Class, Error, Result, Timestamp, counted};
use crate::store::Store;

const DAY: i64 = 86_400;
/// A root, or a certificate, that ends sooner is one to ask for now.
const SOON: i64 = 60 * DAY;
/// What a clock may be behind something that was written here.
const TOLERANCE: i64 = 300;

/// Looks at everything that a database is needed for.
pub(super) fn look(folder: &Path, now: Timestamp) -> Vec<Finding> {
    let (site, reports) = (site(folder), reports(folder));
    let mut found = vec![
        verdict("databases", &site, |_| "airlock.db is whole".to_owned()),
        match &reports {
            Ok(None) if folder.join(STATUS_MARK).is_file() => Finding::broken("databases", &status_missing()),
            Ok(None) => Finding::good("databases", "status.db is not there: `airlock serve` begins it"),
            Ok(Some(_)) => Finding::good("databases", "status.db is whole"),
            Err(error) => Finding::broken("databases", error),
        },
    ];
    let reports = reports.ok().flatten();
    let mut newest = reports
        .as_ref()
        .and_then(|reports| reports.read(status::newest_time).ok().flatten());
    if let Ok(site) = &site {
        found.extend(keys(folder, site));
        found.extend(secrets(folder, site));
        let log = site.read(audit_log::seals);
        found.push(verdict("audit", &log, |log| {
            format!(
                "{} of the log hold, and so does what leaves of it",
                counted(log.rows, "row")
            )
        }));
        found.extend(of_trust(folder, site, now));
        found.extend(of_alarms(folder, site));
        found.extend(content(folder, site));
        found.push(agents::look(site, reports.as_ref(), now).unwrap_or_else(|error| Finding::broken("agents", &error)));
        newest = newest.max(last_row(site));
    } else {
        for part in ["keys", "secrets", "audit", "trust", "alarms", "store", "agents"] {
            found.push(unseen(part));
        }
    }
    found.push(kept(folder));
    found.push(certificate(folder, now));
    found.push(clock(now, newest));
    found
}

/// Judges what a start without a usable database would answer from.
pub(super) fn kept(folder: &Path) -> Finding {
    match last_generation::check(folder) {
        Ok(Some(at)) => Finding::good(
            "generation",
            format!("generation.json holds what was served at {at}, for a start without a usable airlock.db"),
        ),
        Ok(None) => Finding::good("generation", "generation.json is not there: `airlock serve` writes it"),
        Err(error) => Finding::look("generation", &error),
    }
}

/// Says that what agents reported was here, and is not.
fn status_missing() -> Error {
    Error::new(
        Class::State,
        "status-missing",
        "status.db is gone, and numbers were given in it: what agents reported and no package carries yet is lost with it",
    )
    .remedy("end airlock serve, and start it again: it begins another, and vendors are told of what is missing as a gap")
}

/// What cannot be told while the database cannot be read: it has the remedy.
fn unseen(part: &'static str) -> Finding {
    let error = Error::new(
        Class::State,
        "unseen",
        "nothing can be said of it while airlock.db cannot be read",
    );
    Finding {
        remedy: None,
        ..Finding::look(part, &error)
    }
}

fn verdict<T>(part: &'static str, result: &Result<T>, good: impl FnOnce(&T) -> String) -> Finding {
    match result {
        Ok(value) => Finding::good(part, good(value)),
        Err(error) => Finding::broken(part, error),
    }
}

fn site(folder: &Path) -> Result<Reader> {
    whole(&folder.join(DATABASE), &Schema::SITE)
}

/// Opens a database that is whole.
fn whole(path: &Path, schema: &Schema) -> Result<Reader> {
    let look = || {
        let reader = Reader::open_to_look(path, schema)?;
        reader.quick_check()?;
        Ok(reader)
    };
    // One that a server begins to write meanwhile looks damaged, once: from then on it has a log.
    look().or_else(|error| {
        if side_file(path, "-wal").is_file() {
            look()
        } else {
            Err(error)
        }
    })
}

fn reports(folder: &Path) -> Result<Option<Reader>> {
    let path = folder.join(STATUS_DATABASE);
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    whole(&path, &Schema::STATUS).map(Some)
}

/// Identity, keys, marks, the folder of the roots: what imports and exports need.
fn keys(folder: &Path, site: &Reader) -> Vec<Finding> {
    let look = || {
        let mut found = parts::look(folder, site, Keys::open_own(folder, site).map(|_| ()));
        found.extend(RevisionKey::open_own(folder, site).err());
        found
    };
    let mut found = look();
    if !found.is_empty() {
        // A change that another process made in between looks like damage, once.
        found = look();
    }
    if found.is_empty() {
        return vec![Finding::good(
            "keys",
            "identity, keys and marks hold, and are those that vendors were given",
        )];
    }
    found.iter().map(|error| Finding::broken("keys", error)).collect()
}

/// Values that were entered or made here: whether each can be read.
fn secrets(folder: &Path, site: &Reader) -> Vec<Finding> {
    let looked = site.read(kept_secrets::list).and_then(|rows| {
        let unreadable = secret::unreadable(folder, &rows)?;
        Ok((rows.iter().filter(|row| row.counts()).count(), unreadable))
    });
    match looked {
        Ok((0, _)) => vec![Finding::good("secrets", "no value of a secret is kept here")],
        Ok((kept, unreadable)) if unreadable.is_empty() => vec![Finding::good(
            "secrets",
            format!(
                "{} of secrets that are kept here can be read",
                counted(kept as u64, "value")
            ),
        )],
        Ok((_, unreadable)) => unreadable
            .iter()
            .map(|error| Finding::broken("secrets", error))
            .collect(),
        Err(error) => vec![Finding::broken("secrets", &error)],
    }
}

fn of_trust(folder: &Path, site: &Reader, now: Timestamp) -> Vec<Finding> {
    let pins = match pins::read_good(&folder.join(crate::appliance::folder::ROOTS)) {
        Ok(pins) => pins,
        Err(error) => return vec![Finding::broken("trust", &error)],
    };
    let mut found: Vec<Finding> = pins
        .damaged
        .iter()
        .map(|(_, error)| Finding::broken("trust", error))
        .collect();
    match site.read(release::list) {
        Ok(releases) => {
            let missing = pins.missing(&releases);
            found.extend(missing.iter().map(|error| Finding::broken("trust", error)));
        }
        Err(error) => found.push(Finding::broken("trust", &error)),
    }
    for pin in &pins.chains {
        let judged = site.read(|connection| {
            let chain = trust::load_chain(connection, pin)?;
            Ok(root(&chain, effective_now(now, floor(connection, chain.domain())?)))
        });
        found.push(judged.unwrap_or_else(|error| Finding::broken("trust", &error)));
    }
    if found.is_empty() {
        found.push(Finding::good(
            "trust",
            "no vendor is pinned: nothing can be imported yet",
        ));
    }
    found
}

/// What vendors found, and this site: by name where their pins are whole, which the trust of them tells.
fn of_alarms(folder: &Path, site: &Reader) -> Vec<Finding> {
    let pins = pins::read_good(&folder.join(crate::appliance::folder::ROOTS));
    let chains: Vec<Chain> = pins.map_or_else(|_| Vec::new(), |pins| pins.chains);
    alarms::look(site, &chains).unwrap_or_else(|error| vec![Finding::broken("alarms", &error)])
}

/// Judges how long a root is good for.
fn root(chain: &Chain, now: Timestamp) -> Finding {
    let root = chain.newest();
    let days = root.expires.unix().saturating_sub(now.unix()).div_euclid(DAY);
    let name = format!("root {} of {:?}", root.version, root.vendor);
    let ends = |what: String| {
        Error::new(Class::Expired, "root", what).remedy(
            "ask the vendor for its next bundle, which brings a newer root; what is live here goes on being served",
        )
    };
    if root.expires <= now {
        let error = ends(format!(
            "{name} expired at {}: no bundle under it is imported",
            root.expires
        ));
        return Finding::broken("trust", &error);
    }
    if root.expires < now.plus_seconds(SOON) {
        let error = ends(format!(
            "{name} expires at {}, in {}",
            root.expires,
            counted(days.unsigned_abs(), "day")
        ));
        return Finding::look("trust", &error);
    }
    Finding::good("trust", format!("{name} is good until {}", root.expires))
}

/// What of the releases is missing or damaged, as far as that shows without reading all of it.
fn content(folder: &Path, site: &Reader) -> Vec<Finding> {
    let looked = Store::open(folder, |_| {}).and_then(|store| {
        let pins = pins::read_good(&folder.join(crate::appliance::folder::ROOTS))?;
        Ok((damage::look(site, &store, &pins)?, wrong_rows::look(site, &store)?))
    });
    let (damage, wrong) = match looked {
        Ok(looked) => looked,
        Err(error) => return vec![Finding::broken("store", &error)],
    };
    if damage.is_empty() && wrong.is_empty() {
        let releases = site.read(release::list).map_or(0, |list| list.len() as u64);
        return vec![Finding::good(
            "store",
            format!(
                "everything of {} is there, named as it was signed, and damage that was met is mended",
                counted(releases, "release")
            ),
        )];
    }
    damage
        .iter()
        .map(|damage| {
            let release = &damage.release;
            Finding {
                remedy: Some(if damage.count() > 0 {
                    format!("{}; {REPAIR}", damage.remedy)
                } else {
                    damage.remedy.clone()
                }),
                ..Finding::broken(
                    "store",
                    &Error::new(
                        Class::State,
                        "content-damaged",
                        format!("release {} of {}: {damage}", release.counter, release.scope),
                    ),
                )
            }
        })
        .chain(wrong.iter().map(|wrong| Finding::broken("store", &wrong.error())))
        .collect()
}

/// The appliance's own authority.
fn certificate(folder: &Path, now: Timestamp) -> Finding {
    match authority::examine(folder) {
        Ok(None) => Finding::good(
            "certificates",
            "the appliance's authority is made when HTTPS first needs it",
        ),
        Ok(Some(facts)) => {
            // A clock that was never set judges nothing.
            let judged = if now < built() {
                Ok(())
            } else {
                authority::check_time(&facts, now)
            };
            let until = facts.until;
            match judged {
                Err(error) => Finding::broken("certificates", &error),
                Ok(()) if until > now.plus_seconds(SOON) => Finding::good(
                    "certificates",
                    format!("the appliance's authority is good until {until}"),
                ),
                Ok(()) => {
                    let error = Error::new(
                        Class::Expired,
                        "authority",
                        format!("the appliance's authority is good until {until} only, by the clock of this machine"),
                    )
                    .remedy(authority::RENEW_AUTHORITY);
                    Finding::look("certificates", &error)
                }
            }
        }
        Err(error) => Finding::broken("certificates", &error),
    }
}

/// When the newest row of the log was written.
fn last_row(site: &Reader) -> Option<Timestamp> {
    let newest = site.read(|connection| {
        let (number, _) = crate::db::site::audit::newest(connection)?;
        crate::db::site::audit::list(connection, number.saturating_sub(1), 1)
    });
    newest.ok()?.first().map(|row| row.at)
}

/// Compares the clock with what was written here before, and with the age of this program.
fn clock(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    let wrong = |what: String| {
        Error::new(Class::Clock, "clock", what)
            .expected("a clock that is right")
            .remedy("set the clock of this machine; vendors are told of the step, and times that it wrote before stay as they are")
    };
    if now < built() {
        let error = wrong(format!("the clock says {now}, before this airlock was made"));
        return Finding::broken("clock", &error);
    }
    match newest.filter(|newest| now.plus_seconds(TOLERANCE) < *newest) {
        Some(newest) => {
            let error = wrong(format!(
                "the clock says {now}, and something here was written at {newest}"
            ));
            Finding::look("clock", &error)
        }
        None => Finding::good(
            "clock",
            format!("the clock says {now}, after everything that was written here"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn clocks_that_were_set_back_or_never_set_are_told() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let newest = Some(at("2027-01-01T00:05:00Z"));
        for (now, verdict) in [
            ("1970-01-01T00:00:00Z", Verdict::Broken),
            ("2026-10-31T23:59:59Z", Verdict::Broken),
            ("2026-11-01T00:00:00Z", Verdict::Look),
            ("2026-12-31T23:59:59Z", Verdict::Look),
            ("2027-01-01T00:00:00Z", Verdict::Good),
            ("2099-01-01T00:00:00Z", Verdict::Good),
        ] {
            assert_eq!(clock(at(now), newest).verdict, verdict, "{now}");
        }
        assert_eq!(clock(at("2026-11-01T00:00:00Z"), None).verdict, Verdict::Good);
    }
}
