//! Takes files in, one after the other; a refusal leaves its row in the log, and with two stories the file as evidence.

use std::path::PathBuf;

use serde_json::json;

use super::copied::Copied;
use super::desk::{Desk, Kept};
use super::judge::{Court, Judged, Seen, judge};
use super::kept::is_kept_whole;
use super::order::order;
use super::verdict::{Known, Outcome, Refused, Verdict};
use crate::Workspace;
use crate::db::ledger::{self, findings::REFUSE};
use crate::db::{Connection, Db, attempt, sealed_log};
use crate::domain::{Class, Error, Result, Step, Timestamp};
use crate::package::advice;

/// How packages are taken in.
#[derive(Debug, Clone, Copy)]
pub struct IngestOptions {
    /// The time of all of it.
    pub now: Timestamp,
    /// Says what would happen, and changes nothing.
    pub dry_run: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestEvent {
    /// Bytes of a file were copied, of how many (0: not known).
    Copying {
        /// So many.
        done: u64,
        /// Of so many.
        total: u64,
    },
    /// Bytes of a package were read, of how many.
    Reading {
        /// So many.
        done: u64,
        /// Of so many.
        total: u64,
    },
}

/// Takes packages into the ledger of a workspace and returns what became of each, in the order in which they were taken in: packages of a
/// site follow each other, whatever the order of the files.
///
/// # Errors
///
/// `E-BUSY ingest` when another process does so; `E-STATE`, `E-IO` and `E-SPACE` of the workspace. What is wrong with a file is its
/// verdict.
pub fn ingest(
    workspace: &Workspace,
    files: &[PathBuf],
    options: IngestOptions,
    tell: &mut dyn FnMut(IngestEvent),
) -> Result<Vec<Verdict>> {
    let desk = Desk::open(workspace.folder()).map_err(|error| error.at(Step::V0))?;
    let ledger = workspace.ledger()?;
    let court = Court {
        domain: workspace.chain().domain(),
        now: options.now,
    };
    let mut copies = Vec::new();
    let mut failures = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let copied = desk.copy(number, file, &mut |done, total| {
            tell(IngestEvent::Copying { done, total });
        });
        let (copied, failure) = match copied {
            Ok(copied) => (Some(copied), None),
            Err(error) => (None, Some(error.at(Step::V0))),
        };
        copies.push(copied);
        failures.push(failure);
    }
    let places = ledger.read(|connection| Ok(order(connection, court, &copies)))?;
    let takings: Vec<Taking<'_>> = places
        .into_iter()
        .filter_map(|place| {
            Some(Taking {
                file: files.get(place)?,
                copied: copies.get_mut(place)?.take(),
                failure: failures.get_mut(place)?.take(),
            })
        })
        .collect();
    let room = Room {
        desk: &desk,
        ledger: &ledger,
        court,
    };
    let verdicts = if options.dry_run {
        room.rehearse(takings, tell)?
    } else {
        takings.into_iter().map(|taking| room.take(taking, tell)).collect()
    };
    desk.clear()?;
    Ok(verdicts)
}

/// A file that is to be taken in: its copy, or why there is none.
struct Taking<'a> {
    file: &'a PathBuf,
    copied: Option<Copied>,
    failure: Option<Error>,
}

/// Where packages are taken in.
struct Room<'a> {
    desk: &'a Desk,
    ledger: &'a Db,
    court: Court,
}

impl Room<'_> {
    fn take(&self, taking: Taking<'_>, tell: &mut dyn FnMut(IngestEvent)) -> Verdict {
        let mut seen = Seen::default();
        let mut stored = None;
        let judged = match (&taking.copied, taking.failure) {
            (Some(copied), None) => self.ledger.write(|transaction| {
                let judged = judge(transaction, self.court, copied, &mut seen, tell)?;
                if let Judged::Taken(taken) = &judged {
                    // Log lines live in the file: it is durable before anything says that it was taken in.
                    let path = self
                        .desk
                        .store(copied, &taken.identity)
                        .map_err(|error| error.at(Step::V12))?;
                    stored = Some(path);
                }
                Ok(judged)
            }),
            (_, failure) => Err(failure.unwrap_or_else(lost)),
        };
        // What fails at the commit has no step of its own.
        let judged = judged.map_err(|error| error.at(Step::V13));
        let judged = judged.and_then(|judged| {
            let known = self
                .ledger
                .read(|connection| self.put_back(connection, taking.copied.as_ref(), judged, false));
            known.map_err(|error| error.at(Step::V12))
        });
        let outcome = match judged {
            Ok(outcome) => outcome,
            Err(error) => {
                let mut error = advised(error);
                // The commit failed behind it.
                if let Some(Err(later)) = stored.map(|path| self.desk.take_back(&path)) {
                    error = error.and_then(&later);
                }
                // What cannot be read is no package that was refused; one that is too large is.
                let is_refusal = taking.copied.is_some() || error.class() == Class::Limit;
                let recorded = is_refusal.then(|| self.record(&error, &seen, taking.copied.as_ref()));
                refused(error, seen, recorded.and_then(Result::err))
            }
        };
        Verdict {
            file: taking.file.clone(),
            outcome,
        }
    }

    /// Judges all in one transaction that is taken back, so that each follows what came before.
    fn rehearse(&self, takings: Vec<Taking<'_>>, tell: &mut dyn FnMut(IngestEvent)) -> Result<Vec<Verdict>> {
        self.ledger.rehearse(|transaction| {
            let verdicts = takings.into_iter().map(|taking| {
                let mut seen = Seen::default();
                let judged = match (&taking.copied, taking.failure) {
                    (Some(copied), None) => {
                        attempt(transaction, || judge(transaction, self.court, copied, &mut seen, tell))
                    }
                    (_, failure) => Err(failure.unwrap_or_else(lost)),
                };
                let judged = judged
                    .map_err(|error| error.at(Step::V13))
                    .and_then(|judged| self.put_back(transaction, taking.copied.as_ref(), judged, true));
                Verdict {
                    file: taking.file.clone(),
                    outcome: judged.unwrap_or_else(|error| refused(advised(error), seen, None)),
                }
            });
            Ok(verdicts.collect())
        })
    }

    /// Says what came of a package that was not refused. One that is known takes the place of its file in `packages/` where that is gone or
    /// damaged, once it was read to its end. A whole one stays, with the approvals that it has: another copy may have others, or be damaged,
    /// which is said: the package is known, and whoever keeps this file does not have it.
    fn put_back(
        &self,
        connection: &Connection,
        copied: Option<&Copied>,
        judged: Judged,
        is_rehearsal: bool,
    ) -> Result<Outcome> {
        let (identity, package) = match judged {
            Judged::Taken(taken) => return Ok(Outcome::Taken(taken)),
            Judged::Already(identity, package) => (identity, package),
        };
        let site = ledger::site(connection, &identity.site)?;
        let mut known = Known {
            name: site.map_or_else(|| identity.site.to_string(), |site| site.name),
            identity,
            file_put_back: false,
            copy_is_damaged: None,
        };
        let Some(copied) = copied else {
            return Ok(Outcome::Already(known));
        };
        let kept = self.desk.kept(copied, &known.identity)?;
        if matches!(kept, Kept::Same) {
            return Ok(Outcome::Already(known));
        }
        let read = package
            .read_index()
            .and_then(|index| index.read_lines(&mut |_, _| Ok(())));
        if matches!(kept, Kept::Another) && is_kept_whole(self.desk.folder(), connection, self.court, &known.identity)?
        {
            known.copy_is_damaged = read.err().map(|error| error.to_string());
        } else {
            read?;
            known.file_put_back = true;
            if !is_rehearsal {
                self.desk.store(copied, &known.identity)?;
            }
        }
        Ok(Outcome::Already(known))
    }

    /// Keeps what tells another story than what is known, and writes the row of the refusal.
    fn record(&self, error: &Error, seen: &Seen, copied: Option<&Copied>) -> Result<()> {
        if let (Class::Equivocation, Some(copied), Some(identity)) = (error.class(), copied, seen.identity()) {
            self.desk.keep_evidence(copied, &identity)?;
        }
        let mut detail = json!({"class": error.class().name(), "code": error.code(), "found": error.found()});
        if let Some(members) = detail.as_object_mut() {
            let mut add = |name: &str, value: Option<serde_json::Value>| {
                if let Some(value) = value {
                    members.insert(name.to_owned(), value);
                }
            };
            add("step", error.step().map(|step| step.to_string().into()));
            add("site", seen.site.as_ref().map(|site| site.as_str().into()));
            add("head", seen.head.map(|head| head.to_string().into()));
            add(
                "instance",
                seen.numbered.as_ref().map(|(instance, _)| instance.as_str().into()),
            );
            add("number", seen.numbered.as_ref().map(|(_, number)| (*number).into()));
        }
        self.ledger
            .write(|transaction| sealed_log::append(transaction, self.court.now, REFUSE, &detail))
            .map(|_| ())
    }
}

/// What to do about a package where nothing more exact is known. What fails in the workspace itself is no word about the package.
fn advised(error: Error) -> Error {
    advice::of_package(
        error,
        "where the site replaced its status key, take its new enrolment file, after comparing the fingerprint by voice, with `airlock vendor enroll FILE --replace SITE`, and the package again",
    )
}

fn refused(error: Error, seen: Seen, unrecorded: Option<Error>) -> Outcome {
    Outcome::Refused(Box::new(Refused {
        error,
        site: seen.site,
        head: seen.head,
        numbered: seen.numbered,
        unrecorded,
    }))
}

fn lost() -> Error {
    Error::new(
        Class::Internal,
        "copy",
        "a file has neither a copy nor a reason why not",
    )
}
