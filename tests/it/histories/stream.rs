//! What one state folder knows of one vendor's stream, as a plain model: what agents were answered, what was signed, what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use airlock::crypto::Acknowledgement;
use airlock::domain::{Hash, InstanceId, StatusKind, Uuid};
use airlock::package::{StatusRecordKind, Switch};

use super::told::{KINDS, Kind, Numbers, Record, Told};

/// Something that agents were answered for, and between which numbers its own lies: above the first, up to the second.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) above: u64,
    pub(super) upto: u64,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Status {
        deployment: Uuid,
        revision: Uuid,
        state: StatusKind,
        text: String,
        count: u64,
        /// Another revision or state than before it: never dropped.
        is_transition: bool,
    },
    /// So many lines.
    Lines(u64),
    Metrics,
}

/// A package that was signed here.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) told: Rc<Told>,
    pub(super) is_out: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    pub(super) entries: Vec<Entry>,
    /// The entry that a deployment's last status is counted at.
    pub(super) current: BTreeMap<Uuid, usize>,
    pub(super) highest: u64,
    pub(super) frozen: u64,
    /// Number of the newest acknowledgement, and what all of them came to.
    pub(super) heard: u64,
    pub(super) reached: Numbers,
    /// Envelopes that were applied, by number.
    pub(super) applied: BTreeMap<u64, Vec<u8>>,
    pub(super) lineage: Vec<(InstanceId, Numbers)>,
    /// Packages of the present instance.
    pub(super) packages: Vec<Signed>,
    /// Where the draft begins, and what was acknowledged when it was made.
    pub(super) draft: Option<(Numbers, Option<(u64, Numbers)>)>,
    /// Texts of log lines that were accepted.
    pub(super) lines: BTreeSet<String>,
}

impl Stream {
    /// An agent was answered for a status.
    pub(super) fn status(
        &mut self,
        (deployment, revision, state, text): (Uuid, Uuid, StatusKind, &str),
        accepted: &airlock::appliance::status::Accepted,
    ) -> Result<(), String> {
        let before = self.highest;
        self.highest = accepted.number;
        let same = |entry: &Entry, with_text: bool| match &entry.what {
            What::Status {
                deployment: d,
                revision: r,
                state: s,
                text: t,
                ..
            } => (*d, *r, *s) == (deployment, revision, state) && (!with_text || t == text),
            _ => false,
        };
        let current = self.current.get(&deployment).copied();
        if accepted.repeated == 1 {
            let open = |at: &usize| self.entries[*at].upto > self.frozen;
            let found = current
                .filter(|at| open(at) && same(&self.entries[*at], true))
                .or_else(|| {
                    (0..self.entries.len())
                        .rev()
                        .find(|at| open(at) && same(&self.entries[*at], false))
                });
            let Some(found) = found else {
                return Err(format!("a repeat of nothing that is open: {revision} {state:?} {text}"));
            };
            if let What::Status { count, .. } = &mut self.entries[found].what {
                *count += 1;
            }
            self.current.insert(deployment, found);
            return Ok(());
        }
        if accepted.stored != 1 {
            return Err(format!("a status is neither a record nor a repeat: {accepted:?}"));
        }
        if let Some(at) = current.filter(|at| self.entries[*at].upto > self.frozen && same(&self.entries[*at], true)) {
            return Err(format!("{:?} came again and got a record of its own", self.entries[at]));
        }
        let is_transition = current.is_none_or(|at| !same(&self.entries[at], false));
        self.entries.push(Entry {
            above: before,
            upto: accepted.number,
            what: What::Status {
                deployment,
                revision,
                state,
                text: text.to_owned(),
                count: 1,
                is_transition,
            },
        });
        self.current.insert(deployment, self.entries.len() - 1);
        Ok(())
    }

    /// An agent was answered for something else.
    pub(super) fn other(&mut self, what: What, accepted: &airlock::appliance::status::Accepted) {
        if accepted.stored > 0 {
            self.entries.push(Entry {
                above: self.highest,
                upto: accepted.number,
                what,
            });
        }
        self.highest = accepted.number;
    }

    /// Another life begins, right after what was acknowledged.
    pub(super) fn begin(&mut self, instance: &InstanceId) {
        let begins = self.reached.next();
        if self.lineage.last().is_some_and(|(_, known)| *known == begins) {
            self.lineage.pop();
        }
        self.lineage.push((instance.clone(), begins));
        self.packages.clear();
        self.draft = None;
    }

    /// A draft is made: everything up to here stays as it is.
    pub(super) fn draw_up(&mut self) {
        let mut firsts = self.reached.next();
        if let Some(before) = self.packages.last().filter(|before| before.told.is_cut) {
            for kind in KINDS {
                firsts.set(kind, firsts.of(kind).max(before.told.lasts().of(kind) + 1));
            }
        }
        self.draft = Some((firsts, (self.heard > 0).then_some((self.heard, self.reached))));
        self.frozen = self.highest;
    }

    /// Looks at the package that was signed of the draft.
    pub(super) fn signed(&mut self, told: &Rc<Told>, shows: &[Switch]) -> Result<(), String> {
        let head = &told.head;
        let Some((firsts, acknowledged)) = self.draft.take() else {
            return Err("a package of no draft".into());
        };
        let before = self.packages.last().map(|before| &before.told);
        let expected = (
            before.map_or(1, |before| before.head.number + 1),
            before.map(|before| before.digest),
        );
        ensure((head.number, head.previous) == expected, || {
            format!(
                "number and previous {:?}, not {expected:?}",
                (head.number, head.previous)
            )
        })?;
        ensure(told.lineage() == self.lineage, || {
            format!("lineage {:?}, not {:?}", told.lineage(), self.lineage)
        })?;
        ensure(
            Some(&head.instance) == self.lineage.last().map(|(name, _)| name),
            || "another instance".into(),
        )?;
        let says = head.acknowledged.map(|says| {
            let reached = Numbers {
                records: says.records,
                receipts: says.receipts,
                audit: says.audit,
            };
            (says.number, reached)
        });
        ensure(says == acknowledged, || {
            format!("acknowledged {says:?}, not {acknowledged:?}")
        })?;
        for kind in KINDS {
            let (first, last) = told.range(kind);
            ensure(first == firsts.of(kind) && last + 1 >= first, || {
                format!("{kind:?} {first} to {last}, not from {}", firsts.of(kind))
            })?;
        }
        Self::coverage(told)?;
        self.entries_in(told, shows)?;
        // A fold wrote gaps behind what agents were answered for.
        self.highest = self.highest.max(head.records.last);
        self.frozen = self.frozen.max(head.records.last);
        self.packages.push(Signed {
            told: told.clone(),
            is_out: false,
        });
        Ok(())
    }

    /// Every number of every range is there once.
    fn coverage(told: &Told) -> Result<(), String> {
        let records = &told.head.records;
        let all = records.last + 1 - records.first;
        let withheld = &records.withheld;
        let withheld = withheld.agent_log + withheld.log + withheld.metrics + withheld.status;
        ensure(records.unexplained == 0, || format!("{records:?}"))?;
        ensure(all == records.shown + withheld + records.missing, || {
            format!("{records:?}")
        })?;
        ensure(records.shown == told.records.len() as u64, || {
            format!("{} lines of {records:?}", told.records.len())
        })?;
        let within = |kind: Kind, numbers: &mut dyn Iterator<Item = u64>| {
            let (first, last) = told.range(kind);
            numbers.eq(first..=last)
        };
        ensure(within(Kind::Receipts, &mut told.receipts.keys().copied()), || {
            "a receipt is not there".into()
        })?;
        ensure(within(Kind::Audit, &mut told.audit.keys().copied()), || {
            "a row is not there".into()
        })?;
        for (number, receipt) in &told.receipts {
            // The row that names it, where both are in one package.
            if let Some((seal, _)) = told.audit.values().find(|(_, named)| *named == Some(*number)) {
                ensure(*seal == receipt.row, || format!("receipt {number} names another row"))?;
            }
        }
        if !told.is_cut {
            let (first, last) = told.range(Kind::Records);
            let told_missing = (first..=last)
                .filter(|number| !told.records.contains_key(number) && told.explains(*number))
                .count();
            ensure(told_missing as u64 >= records.missing, || {
                format!(
                    "{} numbers are missing, and gaps account for {told_missing}",
                    records.missing
                )
            })?;
        }
        Ok(())
    }

    /// What agents were answered for is in the package, with what came of it, and nothing else is.
    fn entries_in(&self, told: &Told, shows: &[Switch]) -> Result<(), String> {
        let (first, last) = told.range(Kind::Records);
        let has = |switch| shows.contains(&switch);
        let mut used = BTreeSet::new();
        for entry in self
            .entries
            .iter()
            .filter(|entry| entry.above + 1 >= first && entry.upto <= last)
        {
            let numbers = entry.above + 1..=entry.upto;
            match &entry.what {
                What::Status {
                    deployment,
                    revision,
                    state,
                    text,
                    count,
                    is_transition,
                } => {
                    let found = told
                        .records
                        .range(numbers.clone())
                        .find_map(|(number, record)| match record {
                            Record::Status { said, .. } => Some((*number, said)),
                            _ => None,
                        });
                    let Some((number, said)) = found else {
                        let lost = numbers.clone().any(|number| told.explains(number));
                        let hidden = !has(Switch::StatusText);
                        ensure(!is_transition && (hidden || lost || told.is_cut), || {
                            format!("{entry:?} is nowhere in package {}", told.head.number)
                        })?;
                        continue;
                    };
                    used.insert(number);
                    let same = (said.deployment, said.revision, said.state) == (*deployment, *revision, *state);
                    let same_text = said.text.as_ref().is_none_or(|told| told == text);
                    ensure(same && same_text && said.count == *count, || {
                        format!("{entry:?} is told as {number} {said:?}")
                    })?;
                    ensure(has(Switch::StatusText) == said.text.is_some(), || format!("{said:?}"))?;
                    let goes_on = said.kind == StatusRecordKind::Continued;
                    ensure(
                        goes_on == said.of.is_some() && said.of.is_none_or(|of| of < number),
                        || format!("{number} {said:?}"),
                    )?;
                }
                What::Lines(count) => {
                    if !has(Switch::Logs) || !has(Switch::AgentLogs) || told.is_cut {
                        continue;
                    }
                    let found = numbers
                        .filter(|number| {
                            matches!(told.records.get(number), Some(Record::Log(_) | Record::AgentLog(_)))
                                || (!told.records.contains_key(number) && told.explains(*number))
                        })
                        .count();
                    ensure(found as u64 >= *count, || {
                        format!("{entry:?}: {found} lines are told, or lie in a gap")
                    })?;
                }
                What::Metrics => {}
            }
        }
        let mut texts = BTreeSet::new();
        for (number, record) in &told.records {
            match record {
                Record::Status { said, .. } => ensure(used.contains(number), || {
                    format!("{number} {said:?} is none that an agent was answered for")
                })?,
                Record::Log(text) | Record::AgentLog(text) => {
                    ensure(self.lines.contains(text) && texts.insert(text), || {
                        format!("the line {text:?} is none that an agent was answered for, or is told twice")
                    })?;
                }
                Record::Gap { .. } => {}
            }
        }
        Ok(())
    }

    /// What is to become of an acknowledgement that its vendor signed for this site; the sub-code of a refusal (M-108).
    pub(super) fn hear(&self, says: &Acknowledgement, envelope: &[u8], seals: &dyn Fn(u64) -> Option<Hash>) -> Judged {
        if says.number <= self.heard {
            let same = self.applied.get(&says.number).is_some_and(|known| known == envelope);
            return if same {
                Judged::Already
            } else {
                Judged::Refused("ack-older")
            };
        }
        let present = self.lineage.last().map(|(name, _)| name);
        let mut named = Vec::new();
        for package in &says.packages {
            let known = self
                .packages
                .iter()
                .find(|known| (known.told.digest, known.told.head.number) == (package.head, package.number));
            match known {
                Some(known) if Some(&says.instance) == present => named.push(&known.told),
                _ => return Judged::Refused("never-exported"),
            }
        }
        if Some(&says.instance) != present {
            return Judged::Refused("never-exported");
        }
        let said = Numbers {
            records: says.records,
            receipts: says.receipts,
            audit: says.audit.number,
        };
        let mut reached = self.reached;
        for kind in KINDS {
            let led = named
                .iter()
                .fold(self.reached.of(kind), |led, told| match told.range(kind) {
                    (first, last) if first <= led + 1 => led.max(last),
                    _ => led,
                });
            if said.of(kind) > led {
                return Judged::Refused("ack-beyond");
            }
            reached.set(kind, said.of(kind).max(self.reached.of(kind)));
        }
        if seals(says.audit.number) != Some(says.audit.hash) {
            return Judged::Refused("ack-audit");
        }
        Judged::Applied(reached)
    }
}

/// What becomes of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Applied(Numbers),
    Already,
    Refused(&'static str),
}

pub(super) fn ensure(holds: bool, else_say: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(else_say()) }
}
