//! Plays a history: every step is done for real and by the model, and both must come to the same.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use airlock::crypto::Acknowledgement;
use airlock::domain::Timestamp;

use super::book::Book;
use super::cast::{Cast, begin};
use super::desk::Desk;
use super::machine::{Known, Machine, is_there, put};
use super::step::{Act, Step};
use super::stream::ensure;
use super::told::{Kind, Told};
use crate::support::appliance::scratch;

/// Copies of the site that may live beside one another.
const MACHINES: usize = 3;
/// Packages of a run.
const RUN: usize = 6;
const YEAR: i64 = 365 * 24 * 60 * 60;

/// What a whole history came to.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) packages: usize,
    pub(super) deliveries: usize,
    pub(super) lives: usize,
    pub(super) findings: usize,
}

impl Tally {
    pub(super) fn add(&mut self, more: Self) {
        self.packages += more.packages;
        self.deliveries += more.deliveries;
        self.lives += more.lives;
        self.findings += more.findings;
    }
}

/// A bundle, and the acknowledgement that it brings.
type Carried = (Vec<u8>, Option<Vec<u8>>);

struct Play<'a> {
    cast: &'a Cast,
    folder: tempfile::TempDir,
    names: usize,
    seconds: i64,
    machines: Vec<Machine>,
    desks: [Desk; 2],
    /// Packages under way to each vendor.
    way: [Vec<Rc<Told>>; 2],
    /// Every acknowledgement that was ever made, by vendor.
    answers: [Vec<Vec<u8>>; 2],
    /// Bundles of each vendor, with the acknowledgement that one brings.
    bundles: [Vec<Carried>; 2],
    backups: Vec<(PathBuf, Known)>,
    /// A copy of each ledger, and how many enrolment files it had been given.
    ledgers: [Option<(PathBuf, Book, usize)>; 2],
    /// Whether a vendor's ledger was an older copy at some time.
    forgot: [bool; 2],
    /// Enrolment files of each vendor that it has not taken.
    enrolments: [Vec<Vec<u8>>; 2],
    /// Those that it has taken, in their order.
    given: [Vec<Vec<u8>>; 2],
    lines: u64,
    tally: Tally,
}

/// Plays the steps; says at which of them, and how, program and model came apart.
pub(super) fn play(cast: &Cast, quota: usize, steps: &[Step]) -> Result<Tally, (usize, String)> {
    let folder = scratch();
    let machine = Machine::new(cast, folder.path().join("m0"), quota);
    let key = machine.known.key;
    let desk = |v: usize| Desk::new(cast, v, folder.path().join(format!("w{v}")), key);
    let bundles = [0, 1].map(|v| cast.vendors[v].bundles.iter().map(|one| (one.clone(), None)).collect());
    fs::create_dir(folder.path().join("stick")).unwrap();
    fs::create_dir(folder.path().join("incoming")).unwrap();
    let mut play = Play {
        cast,
        desks: [desk(0), desk(1)],
        folder,
        names: 0,
        seconds: 0,
        machines: vec![machine],
        way: [Vec::new(), Vec::new()],
        answers: [Vec::new(), Vec::new()],
        bundles,
        backups: Vec::new(),
        ledgers: [None, None],
        forgot: [false; 2],
        enrolments: [Vec::new(), Vec::new()],
        given: [Vec::new(), Vec::new()],
        lines: 0,
        tally: Tally::default(),
    };
    for (number, step) in steps.iter().enumerate() {
        play.pass();
        play.step(*step).map_err(|found| (number, found))?;
    }
    play.close().map_err(|found| (steps.len(), found))?;
    Ok(play.tally)
}

impl Play<'_> {
    fn path(&mut self, kind: &str) -> PathBuf {
        self.names += 1;
        self.folder.path().join(format!("{kind}{}", self.names))
    }

    /// Some time goes by.
    fn pass(&mut self) {
        self.seconds += 20;
        let now = self.now().unix();
        for machine in &self.machines {
            machine.set_time(now);
        }
    }

    fn now(&self) -> Timestamp {
        begin().plus_seconds(self.seconds)
    }

    #[expect(clippy::many_single_char_names, reason = "three dice, a machine and a vendor")]
    fn step(&mut self, step: Step) -> Result<(), String> {
        let [a, b, c] = step.numbers;
        let (m, v) = (a % self.machines.len(), b & 1);
        let (cast, now) = (self.cast, self.now());
        let stick = self.folder.path().join(if c % 9 == 8 { "pulled/out" } else { "stick" });
        match step.act {
            Act::Report => self.machines[m].report(cast, v, [b >> 1, c], &mut self.lines)?,
            Act::Import => self.import(m, v, c)?,
            Act::Activate => self.machines[m].activate(c)?,
            Act::Preview => self.machines[m].preview(cast, v, c)?,
            Act::Export => drop(self.export(m, v, c, false, &stick)?),
            Act::ExportRun => {
                for _ in 0..RUN {
                    let left = self.export(m, v, 2, true, &stick)?;
                    if left.is_none_or(|told| !told.is_cut) {
                        break;
                    }
                }
            }
            Act::Again => {
                if let Some(left) = self.machines[m].again(cast, v, c, &stick)? {
                    ensure(!left.is_new, || "a package was made again".into())?;
                    self.way[v].push(left.told);
                }
            }
            Act::Deliver => {
                if self.way[v].is_empty() {
                    return Ok(());
                }
                let at = c % self.way[v].len();
                let told = self.way[v][at].clone();
                // It is not gone: it may come once more.
                if b & 2 == 0 {
                    self.way[v].remove(at);
                }
                // Now and then to the wrong vendor.
                let to = if c % 31 == 7 { 1 - v } else { v };
                self.deliver(to, &[told])?;
            }
            Act::DeliverSome => {
                let mut some = Vec::new();
                for n in 0..3 {
                    if !self.way[v].is_empty() {
                        let at = (c >> n) % self.way[v].len();
                        some.push(self.way[v].remove(at));
                    }
                }
                // In one command, in the order in which they were made, as packages of one life are.
                some.sort_by_key(|told| (told.head.lineage.len(), told.head.number));
                let first = some.first().map(|told| told.head.instance.clone());
                some.retain(|told| Some(&told.head.instance) == first.as_ref());
                some.dedup_by_key(|told| told.head.number);
                self.deliver(v, &some)?;
            }
            Act::Lose => {
                if !self.way[v].is_empty() {
                    let at = c % self.way[v].len();
                    self.way[v].remove(at);
                }
            }
            Act::Acknowledge => drop(self.acknowledge(v)?),
            Act::Answer => {
                if let Some(envelope) = self.acknowledge(v)? {
                    let sequence = self.bundles[v].len() as u64 + 1;
                    let made = cast.vendors[v]
                        .tool
                        .answering(sequence, &cast.site, envelope.clone())
                        .bytes;
                    self.desks[v].teach(&made);
                    self.bundles[v].push((made, Some(envelope)));
                }
            }
            Act::Hear => {
                if !self.answers[v].is_empty() {
                    // The newest one more often than others.
                    let back = if b & 2 == 0 { 0 } else { c % self.answers[v].len() };
                    let envelope = self.answers[v][self.answers[v].len() - 1 - back].clone();
                    self.machines[m].hear(cast, v, &envelope)?;
                    self.settled(m)?;
                }
            }
            Act::Backup => {
                let to = self.path("backup");
                let known = self.machines[m].back_up(&to);
                self.backups.push((to, known));
            }
            Act::Restore | Act::TurnBack => {
                if !self.backups.is_empty() {
                    let (from, known) = &self.backups[c % self.backups.len()];
                    self.machines[m].restore(from, known, step.act == Act::TurnBack)?;
                    self.tally.lives += 1;
                }
            }
            Act::Clone | Act::CloneDisk => {
                if self.machines.len() < MACHINES {
                    let to = self.path("m");
                    let clone = self.machines[m].clone_to(to, step.act == Act::CloneDisk)?;
                    self.machines.push(clone);
                    self.tally.lives += 1;
                }
            }
            Act::Recover => {
                self.machines[m].recover(c & 1 == 0)?;
                self.tally.lives += 1;
            }
            Act::Rotate => {
                let files = self.machines[m].rotate(cast)?;
                for (way, file) in self.enrolments.iter_mut().zip(files) {
                    way.push(file);
                }
                self.tally.lives += 1;
            }
            Act::Enrol => {
                if !self.enrolments[v].is_empty() {
                    let file = self.enrolments[v].remove(0);
                    self.desks[v].replace(cast, &file, now)?;
                    self.given[v].push(file);
                }
            }
            Act::BackupLedger => {
                let to = self.path("ledger");
                let book = self.desks[v].back_up(&to);
                self.ledgers[v] = Some((to, book, self.given[v].len()));
            }
            Act::RestoreLedger => {
                if let Some((from, book, given)) = &self.ledgers[v] {
                    self.desks[v].restore(from, book);
                    self.forgot[v] = true;
                    // Whoever puts an older copy back still has the files that came after it.
                    let mut again = self.given[v].split_off((*given).min(self.given[v].len()));
                    again.append(&mut self.enrolments[v]);
                    self.enrolments[v] = again;
                }
            }
            Act::Learn => {
                for (bundle, _) in &self.bundles[v] {
                    self.desks[v].teach(bundle);
                }
            }
            Act::Clock => self.machines[m].off = [0, -YEAR, YEAR, -100, 90_000][c % 5],
        }
        Ok(())
    }

    fn import(&mut self, m: usize, v: usize, c: usize) -> Result<(), String> {
        let (bundle, envelope) = &self.bundles[v][c % self.bundles[v].len()];
        let path = self.folder.path().join("bundle");
        put(&path, bundle);
        let envelope = envelope.clone();
        self.machines[m].import(self.cast, &path, v, envelope.as_deref())?;
        self.settled(m)
    }

    /// The site's own books say what the model says.
    fn settled(&mut self, m: usize) -> Result<(), String> {
        for v in [0, 1] {
            let (known, here) = (self.machines[m].reached(v), self.machines[m].reached_here(self.cast, v));
            ensure(known == here, || format!("acknowledged {here:?}, not {known:?}"))?;
        }
        Ok(())
    }

    fn export(
        &mut self,
        m: usize,
        v: usize,
        c: usize,
        small: bool,
        stick: &std::path::Path,
    ) -> Result<Option<Rc<Told>>, String> {
        let left = self.machines[m].export(self.cast, v, c, small, stick)?;
        let Some(left) = left else { return Ok(None) };
        if is_there(stick) {
            self.way[v].push(left.told.clone());
        }
        self.tally.packages += usize::from(left.is_new);
        Ok(Some(left.told))
    }

    fn deliver(&mut self, v: usize, packages: &[Rc<Told>]) -> Result<(), String> {
        self.tally.deliveries += packages.len();
        let incoming = self.folder.path().join("incoming");
        let now = self.now();
        self.desks[v].take(self.cast, packages, &incoming, now)?;
        self.tally.findings += self.desks[v].book.findings.len();
        Ok(())
    }

    fn acknowledge(&mut self, v: usize) -> Result<Option<Vec<u8>>, String> {
        let now = self.now();
        let made = self.desks[v].acknowledge(self.cast, now)?;
        if let Some(envelope) = &made {
            self.answers[v].push(envelope.clone());
        }
        Ok(made)
    }

    /// At the end every copy of the site says what was done with it where that is needed, and brings its last package home: it is taken, what
    /// agents were answered for is there, and it is acknowledged.
    fn close(&mut self) -> Result<(), String> {
        for m in 0..self.machines.len() {
            // Of copies one vendor each: that costs half of a history.
            for v in [0, 1].into_iter().filter(|v| m == 0 || *v == m & 1) {
                self.come_home(m, v)
                    .map_err(|found| format!("copy {m}, vendor {v}, at the end: {found}"))?;
            }
        }
        Ok(())
    }

    fn come_home(&mut self, m: usize, v: usize) -> Result<(), String> {
        // Keys that the vendor does not know yet, in their order; keys that it knew before are replaced once more.
        let own = self.machines[m].known.key;
        if self.desks[v].book.key != own {
            for file in std::mem::take(&mut self.enrolments[v]) {
                let now = self.now();
                self.desks[v].replace(self.cast, &file, now)?;
            }
        }
        if self.desks[v].book.key != own {
            self.step(Step {
                act: Act::Rotate,
                numbers: [m, v, 0],
            })?;
            for file in std::mem::take(&mut self.enrolments[v]) {
                let now = self.now();
                self.desks[v].replace(self.cast, &file, now)?;
            }
        } else if self.machines[m].known.forked || self.machines.len() > 1 {
            self.pass();
            self.machines[m].recover(false)?;
        }
        self.bring_all(m, v)?;
        // Two lives of one beginning: the one that was seen last is shown, and an alarm says so. What helps is what that says.
        if self.desks[v].book.shown_name() != Some(&self.machines[m].known.instance) {
            self.machines[m].recover(false)?;
            self.bring_all(m, v)?;
        }
        let stream = &self.machines[m].known.streams[v];
        let newest = stream.packages.last().ok_or("no package left")?.told.clone();
        ensure(newest.head.records.last >= stream.highest, || {
            "the last package does not tell all".into()
        })?;
        // Whatever agents were answered for.
        for entry in &stream.entries {
            let there = (entry.above + 1..=entry.upto)
                .any(|number| self.desks[v].book.was_told(&stream.lineage, Kind::Records, number));
            let is_freed = entry.upto <= stream.reached.records;
            ensure(there || (is_freed && self.forgot[v]), || {
                format!("{entry:?} never came home")
            })?;
        }
        // And the vendor can say so.
        let book = &self.desks[v].book;
        ensure(book.shown_name() == Some(&newest.head.instance), || {
            format!("{:?} is shown, and {} lives", book.shown_name(), newest.head.instance)
        })?;
        self.pass();
        let mut made = self.acknowledge(v)?;
        if made.is_none() && self.desks[v].book.misses_packages() {
            self.fill_up(m, v)?;
            made = self.acknowledge(v)?;
        }
        let envelope = made.ok_or("nothing is acknowledged")?;
        let says = Acknowledgement::kept(&envelope).unwrap();
        let (cast, want) = (self.cast, newest.lasts());
        self.machines[m].hear(cast, v, &envelope)?;
        let reached = self.machines[m].reached(v);
        ensure(reached == want || self.forgot[v], || {
            format!("{says:?} frees up to {reached:?}, and everything up to {want:?} is here")
        })?;
        Ok(())
    }

    /// Brings out what is missing at the vendor, as far as it is still there, and gives up the rest.
    fn fill_up(&mut self, m: usize, v: usize) -> Result<(), String> {
        let stick = self.folder.path().join("stick");
        for number in 0..self.machines[m].known.streams[v].packages.len() {
            if let Some(left) = self.machines[m].again(self.cast, v, number, &stick)? {
                self.deliver(v, &[left.told])?;
            }
        }
        if self.desks[v].book.misses_packages() {
            self.pass();
            let now = self.now();
            self.desks[v].give_up_packages(self.cast, now)?;
        }
        Ok(())
    }

    /// Brings everything to the vendor that is to be told.
    fn bring_all(&mut self, m: usize, v: usize) -> Result<(), String> {
        let stick = self.folder.path().join("stick");
        for _ in 0..2 * RUN {
            self.pass();
            let Some(told) = self.export(m, v, 2, false, &stick)? else {
                // A draft that shows more than it may; as the message says.
                self.machines[m].preview(self.cast, v, 2)?;
                continue;
            };
            self.deliver(v, std::slice::from_ref(&told))?;
            let stream = &self.machines[m].known.streams[v];
            // One that did not get out goes before those that were signed after it.
            let is_newest = stream
                .packages
                .last()
                .is_some_and(|last| last.told.digest == told.digest);
            if is_newest && !told.is_cut && told.head.records.last >= stream.highest {
                break;
            }
        }
        Ok(())
    }
}
