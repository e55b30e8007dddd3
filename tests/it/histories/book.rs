//! What a vendor's ledger must hold, as sets and numbers: written from the specification, not from the program.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use airlock::crypto::KeyId;
use airlock::domain::{Hash, InstanceId, Timestamp};

use super::told::{KINDS, Kind, Numbers, Record, Told};

/// Seconds that a site's clock may be ahead.
const AHEAD: i64 = 24 * 60 * 60;

/// An instance, in the order in which they were first seen.
#[derive(Debug, Clone)]
struct Life {
    name: InstanceId,
    parent: Option<usize>,
    begins: Numbers,
}

#[derive(Debug, Clone)]
pub(super) struct Book {
    lives: Vec<Life>,
    /// Which life goes on from which, by their rows; what was said first.
    said: BTreeMap<String, String>,
    packages: BTreeMap<(usize, u64), Rc<Told>>,
    /// What is known of a number, by the life it belongs to.
    facts: BTreeMap<(usize, Kind, u64), String>,
    /// Numbers that were told, whether a line showed them or not.
    covered: BTreeSet<(usize, Kind, u64)>,
    seals: BTreeMap<(usize, u64), (Hash, Option<u64>)>,
    /// Receipts with the seal that each names.
    receipts: BTreeMap<(usize, u64), Hash>,
    /// Open findings.
    pub(super) findings: BTreeSet<&'static str>,
    /// Codes of what was refused as equivocation, and not ended.
    pub(super) two_stories: BTreeSet<&'static str>,
    pub(super) key: KeyId,
    pub(super) earlier: BTreeSet<KeyId>,
    /// No package came since the key was replaced.
    pub(super) is_fresh: bool,
    /// Number of the newest acknowledgement that was issued.
    pub(super) issued: u64,
    /// Heads of what was signed here.
    pub(super) signed: BTreeSet<Hash>,
}

/// What is to become of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Already,
    Refused(&'static str, &'static str),
}

impl Book {
    pub(super) fn new(key: KeyId, signed: BTreeSet<Hash>) -> Self {
        Self {
            lives: Vec::new(),
            said: BTreeMap::new(),
            packages: BTreeMap::new(),
            facts: BTreeMap::new(),
            covered: BTreeSet::new(),
            seals: BTreeMap::new(),
            receipts: BTreeMap::new(),
            findings: BTreeSet::new(),
            two_stories: BTreeSet::new(),
            key,
            earlier: BTreeSet::new(),
            is_fresh: false,
            issued: 0,
            signed,
        }
    }

    /// Another key of the site is in force.
    pub(super) fn replace_key(&mut self, key: KeyId) {
        self.earlier.insert(self.key);
        self.key = key;
        self.is_fresh = true;
        self.two_stories.clear();
    }

    fn life(&self, name: &InstanceId) -> Option<usize> {
        self.lives.iter().position(|life| life.name == *name)
    }

    /// Lives from the oldest to one of them.
    fn line(&self, of: usize) -> Vec<usize> {
        let mut line = vec![of];
        while let Some(parent) = self.lives[line[line.len() - 1]].parent {
            line.push(parent);
        }
        line.reverse();
        line
    }

    /// The line that is shown: of those from whose life no other goes on, the one first seen last.
    pub(super) fn shown(&self) -> Option<Vec<usize>> {
        let before = |name: &str| {
            let (mut all, mut next) = (Vec::new(), name.to_owned());
            loop {
                let known = self.lives.iter().find(|life| life.name.as_str() == next);
                let by_line = known
                    .and_then(|life| life.parent)
                    .map(|parent| self.lives[parent].name.to_string());
                let said = self.said.get(&next).cloned();
                all.extend(by_line);
                match said {
                    Some(parent) => {
                        all.push(parent.clone());
                        next = parent;
                    }
                    None => return all,
                }
            }
        };
        let over: BTreeSet<String> = self.lives.iter().flat_map(|life| before(life.name.as_str())).collect();
        let living = (0..self.lives.len())
            .rev()
            .find(|life| !over.contains(self.lives[*life].name.as_str()));
        living.map(|of| self.line(of))
    }

    pub(super) fn shown_name(&self) -> Option<&InstanceId> {
        self.shown().map(|line| &self.lives[line[line.len() - 1]].name)
    }

    fn owner(&self, line: &[usize], kind: Kind, number: u64) -> usize {
        let found = line
            .iter()
            .rev()
            .find(|life| self.lives[**life].begins.of(kind) <= number);
        *found.unwrap()
    }

    fn is_covered(&self, line: &[usize], kind: Kind, number: u64) -> bool {
        self.covered.contains(&(self.owner(line, kind, number), kind, number))
    }

    fn highest(&self, line: &[usize], kind: Kind) -> u64 {
        let mut numbers = self.covered.iter().filter(|(_, of, _)| *of == kind);
        let on_line = |(life, _, number): &&(usize, Kind, u64)| self.owner(line, kind, *number) == *life;
        numbers
            .by_ref()
            .filter(on_line)
            .map(|(_, _, number)| *number)
            .max()
            .unwrap_or(0)
    }

    fn reach(&self, line: &[usize], kind: Kind, after: u64) -> u64 {
        let mut reached = after;
        while self.is_covered(line, kind, reached + 1) {
            reached += 1;
        }
        reached
    }

    /// What a package is to be answered, and, where it is taken, what the ledger holds then.
    pub(super) fn take(&mut self, told: &Rc<Told>, now: Timestamp) -> Verdict {
        let verdict = self.judge(told);
        match &verdict {
            Verdict::Taken => self.write(told, now),
            Verdict::Refused("E-EQUIVOCATION", code) => drop(self.two_stories.insert(code)),
            _ => {}
        }
        verdict
    }

    fn judge(&self, told: &Told) -> Verdict {
        let refused = |class, code| Verdict::Refused(class, code);
        let is_known = self.packages.values().any(|known| known.digest == told.digest);
        if told.key != self.key && !(is_known && self.earlier.contains(&told.key)) {
            let code = if self.earlier.contains(&told.key) {
                "replaced-key"
            } else {
                ""
            };
            return refused("E-SIGNATURE", code);
        }
        if is_known {
            return Verdict::Already;
        }
        let two = |code| refused("E-EQUIVOCATION", code);
        let head = &told.head;
        if let Some(own) = self.life(&head.instance) {
            let at = |number: u64| self.packages.get(&(own, number));
            if at(head.number).is_some() {
                return two("package-number");
            }
            let before = at(head.number - 1).is_some_and(|before| head.previous != Some(before.digest));
            let after = at(head.number + 1).is_some_and(|after| after.head.previous != Some(told.digest));
            if before || after {
                return two("previous");
            }
        }
        let mut parent = None;
        for (name, begins) in told.lineage() {
            if let Some(known) = self.life(&name) {
                let life = &self.lives[known];
                if life.begins != begins || life.parent.map(|p| self.lives[p].name.clone()) != parent {
                    return two("lineage");
                }
            }
            parent = Some(name);
        }
        if told
            .receipts
            .values()
            .any(|receipt| receipt.key != self.key && !self.earlier.contains(&receipt.key))
        {
            return refused("E-SIGNATURE", "");
        }
        // As far as its lives are known.
        let known = |kind: Kind, number: u64| self.life(life_of(&told.lineage(), kind, number));
        let seal = |number: u64| known(Kind::Audit, number).and_then(|life| self.seals.get(&(life, number)));
        let other_row = told
            .audit
            .iter()
            .any(|(number, (own, _))| seal(*number).is_some_and(|(known, _)| known != own));
        if other_row || (self.before_differs(told) && !self.is_fresh) {
            return two("audit-discontinuity");
        }
        if self.ends_too_early(told, Kind::Audit) {
            return two("audit-discontinuity");
        }
        let differs = |kind: Kind, number: u64, fact: &str| {
            let at = known(kind, number).and_then(|life| self.facts.get(&(life, kind, number)));
            at.is_some_and(|known| known != fact)
        };
        if told
            .receipts
            .iter()
            .any(|(number, receipt)| differs(Kind::Receipts, *number, &receipt.fact))
        {
            return two("receipt");
        }
        if told
            .records
            .iter()
            .any(|(number, record)| differs(Kind::Records, *number, fact(record)))
        {
            return two("record");
        }
        for (kind, code) in [(Kind::Records, "record"), (Kind::Receipts, "receipt")] {
            if self.ends_too_early(told, kind) {
                return two(code);
            }
        }
        Verdict::Taken
    }

    /// Whether a package ends before one of its life that came earlier; those of these histories are too small to have been cut short.
    fn ends_too_early(&self, told: &Told, kind: Kind) -> bool {
        let own = self.life(&told.head.instance);
        self.packages.iter().any(|((life, number), known)| {
            let (one, other) = (known.range(kind).1, told.range(kind).1);
            Some(*life) == own
                && if *number < told.head.number {
                    other < one
                } else {
                    one < other
                }
        })
    }

    /// Whether the log of a package does not go on from the row before it as that is known.
    fn before_differs(&self, told: &Told) -> bool {
        let before = told.head.audit.first - 1;
        let lineage = told.lineage();
        let owner = lineage.iter().rev().find(|(_, begins)| begins.audit <= before);
        let known = owner
            .and_then(|(name, _)| self.life(name))
            .and_then(|life| self.seals.get(&(life, before)));
        let differs = known.is_some_and(|(seal, _)| *seal != told.head.audit.before);
        let own = self.life(&told.head.instance);
        let came_so = self.packages.iter().any(|((life, _), known)| {
            let audit = |told: &Told| (told.head.audit.first, told.head.audit.before);
            Some(*life) == own && audit(known) == audit(told)
        });
        differs && !came_so
    }

    fn write(&mut self, told: &Rc<Told>, now: Timestamp) {
        let head = &told.head;
        let taken_as_it_comes = self.before_differs(told);
        let was_known = self.life(&head.instance).is_some();
        let knew_others = !self.lives.is_empty();
        let mut parent = None;
        for (name, begins) in told.lineage() {
            let life = self.life(&name).unwrap_or_else(|| {
                self.lives.push(Life { name, parent, begins });
                self.lives.len() - 1
            });
            parent = Some(life);
        }
        let own = parent.unwrap();
        let line = self.line(own);
        let numbers = self
            .packages
            .keys()
            .filter(|(life, _)| *life == own)
            .map(|(_, number)| *number);
        let highest = numbers.max().unwrap_or(0);
        let is_shown = |book: &Self| book.shown().unwrap().last() == Some(&own);
        let holes: Vec<Kind> = KINDS
            .into_iter()
            .filter(|kind| {
                let (first, last) = told.range(*kind);
                first <= last && first > self.highest(&line, *kind) + 1
            })
            .collect();
        // Where its clock stands beside that of the package before.
        let at_or_below = |life: usize, below: u64| {
            self.packages
                .range((life, 0)..(life, below))
                .next_back()
                .map(|(_, told)| told.head.made_at)
        };
        let before = at_or_below(own, head.number)
            .or_else(|| self.lives[own].parent.and_then(|parent| at_or_below(parent, u64::MAX)));
        self.packages.insert((own, head.number), told.clone());
        for kind in KINDS {
            let (first, last) = told.range(kind);
            for number in first..=last {
                let owner = self.owner(&line, kind, number);
                self.covered.insert((owner, kind, number));
            }
        }
        for (number, record) in &told.records {
            if !matches!(record, Record::Log(_) | Record::AgentLog(_)) {
                let owner = self.owner(&line, Kind::Records, *number);
                self.facts
                    .insert((owner, Kind::Records, *number), fact(record).to_owned());
            }
        }
        for (life, parent) in &told.begun {
            self.said.entry(life.clone()).or_insert_with(|| parent.clone());
        }
        let mut foreign = false;
        for (number, receipt) in &told.receipts {
            let owner = self.owner(&line, Kind::Receipts, *number);
            let known = self
                .facts
                .insert((owner, Kind::Receipts, *number), receipt.fact.clone());
            foreign |= known.is_none() && !self.signed.contains(&receipt.head);
            self.receipts.insert((owner, *number), receipt.row);
        }
        for (number, row) in &told.audit {
            let owner = self.owner(&line, Kind::Audit, *number);
            self.seals.insert((owner, *number), *row);
            self.facts.insert((owner, Kind::Audit, *number), row.0.to_hex());
        }
        let mut raise = Vec::new();
        let mut settle = Vec::new();
        let mut set = |code, holds: bool| if holds { raise.push(code) } else { settle.push(code) };
        let follows = head.number == 1 || self.packages.contains_key(&(own, head.number - 1));
        if !self.has_package_hole() {
            set("package-missing", false);
        } else if !follows {
            set("package-missing", true);
        }
        let shown = self.shown().unwrap();
        let is_whole = KINDS
            .into_iter()
            .all(|kind| self.reach(&shown, kind, 0) >= self.highest(&shown, kind));
        if is_whole {
            set("records-missing", false);
        }
        let applied = head.acknowledged.map(|says| says.number);
        if let Some(number) = applied {
            set("ledger-behind", number > self.issued);
        }
        let rows_missing = |of: &dyn Fn(&u64) -> bool| {
            self.receipts.iter().any(|((_, number), row)| {
                of(number) && !self.seals.values().any(|known| known == &(*row, Some(*number)))
            })
        };
        if rows_missing(&|number| told.receipts.contains_key(number)) {
            set("receipt-row", true);
        } else if !rows_missing(&|_| true) {
            set("receipt-row", false);
        }
        for code in settle {
            self.findings.remove(code);
        }
        if holes
            .iter()
            .any(|kind| self.reach(&line, *kind, 0) < self.highest(&line, *kind))
        {
            raise.push("records-missing");
        }
        if !was_known && knew_others {
            raise.push("new-instance");
        }
        if head.number > highest && !is_shown(self) {
            raise.push("branches");
        }
        if before.is_some_and(|before| head.made_at < before) {
            raise.push("clock-back");
        }
        if head.made_at.unix() - now.unix() > AHEAD {
            raise.push("clock-ahead");
        }
        if foreign {
            raise.push("foreign-release");
        }
        if self.is_fresh {
            raise.push("key-replaced");
            if taken_as_it_comes {
                raise.push("audit-discontinuity");
            }
        }
        self.is_fresh = false;
        self.findings.extend(raise);
    }

    fn has_package_hole(&self) -> bool {
        (0..self.lives.len()).any(|life| {
            let numbers: Vec<u64> = self
                .packages
                .range((life, 0)..(life, u64::MAX))
                .map(|((_, n), _)| *n)
                .collect();
            numbers.last().is_some_and(|last| *last != numbers.len() as u64)
        })
    }

    /// Whether this is an older copy of itself to which packages never came: nothing more is acknowledged then.
    pub(super) fn misses_packages(&self) -> bool {
        ["ledger-behind", "package-missing"]
            .into_iter()
            .all(|code| self.findings.contains(code))
    }

    /// How far the shown line is told without a hole after what its site let go: what may be acknowledged at most.
    pub(super) fn acknowledgeable(&self) -> Option<Numbers> {
        let line = self.shown()?;
        let own = *line.last()?;
        let newest = self.packages.range((own, 0)..(own, u64::MAX)).next_back()?.1;
        let mut most = Numbers::default();
        for kind in KINDS {
            let known = newest.head.acknowledged.map_or(0, |says| match kind {
                Kind::Records => says.records,
                Kind::Receipts => says.receipts,
                Kind::Audit => says.audit,
            });
            most.set(kind, self.reach(&line, kind, known));
        }
        Some(most)
    }

    /// Facts of a kind: name of the life, and number.
    pub(super) fn known(&self, kind: Kind) -> BTreeSet<(String, u64)> {
        let of = self.facts.keys().filter(|(_, of, _)| *of == kind);
        of.map(|(life, _, number)| (self.lives[*life].name.as_str().to_owned(), *number))
            .collect()
    }

    /// Numbers that were told.
    pub(super) fn told(&self) -> BTreeSet<(String, Kind, u64)> {
        let name = |life: usize| self.lives[life].name.as_str().to_owned();
        self.covered
            .iter()
            .map(|(life, kind, number)| (name(*life), *kind, *number))
            .collect()
    }

    /// Whether a number was told on a line.
    pub(super) fn was_told(&self, lineage: &[(InstanceId, Numbers)], kind: Kind, number: u64) -> bool {
        self.life(life_of(lineage, kind, number))
            .is_some_and(|life| self.covered.contains(&(life, kind, number)))
    }
}

/// The life of a line in which a number was given.
fn life_of(lineage: &[(InstanceId, Numbers)], kind: Kind, number: u64) -> &InstanceId {
    let mut from_the_newest = lineage.iter().rev();
    &from_the_newest.find(|(_, begins)| begins.of(kind) <= number).unwrap().0
}

fn fact(record: &Record) -> &str {
    match record {
        Record::Status { fact, .. } | Record::Gap { fact, .. } => fact,
        // A line of a log is no fact of the ledger, and is not what a status is.
        Record::Log(_) | Record::AgentLog(_) => "a line",
    }
}
