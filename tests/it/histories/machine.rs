//! A state folder that lives: the real one, and beside it what the model knows of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::export::{ApprovalRule, Destination, DraftRequest, Redactor, Wanted};
use airlock::appliance::status::{
    AgentLogRecord, Batch, LogRecord, Metrics, Owner, Quota, StatusBuffer, What as Reported,
};
use airlock::appliance::{Appliance, Options, Recovery};
use airlock::crypto::{Acknowledgement, KeyId};
use airlock::db::site::targets::Undeploy;
use airlock::db::site::{packages, release, stream_log};
use airlock::domain::{AgentTime, Hash, InstanceId, Scope, StatusKind, Uuid};
use airlock::package::{Room, Shows, Switch};

use super::cast::{Cast, enrolment_of};
use super::stream::{Judged, Stream, What, ensure};
use super::told::{Numbers, Told};
use crate::support::appliance::{import_here, read, write};
use crate::support::disk::{copy_disk, copy_folder};
use crate::support::site::TestClock;
use crate::support::status::submit;

/// What profiles show: the least, a little more, everything that a draft of this size can.
const PROFILES: [&[Switch]; 3] = [
    &[],
    &[Switch::Agents, Switch::Metrics],
    &[
        Switch::AgentLogs,
        Switch::Agents,
        Switch::Logs,
        Switch::Metrics,
        Switch::StatusText,
    ],
];
const TEXTS: [&str; 4] = [
    "status check results: 1 healthy",
    "compose command executed successfully",
    "no containers found",
    "words",
];
/// Little enough that logs push one another out.
const QUOTAS: [Quota; 2] = [
    Quota {
        target: 1 << 22,
        total: 1 << 24,
        keep_days: 30,
    },
    Quota {
        target: 14_000,
        total: 24_000,
        keep_days: 0,
    },
];

/// What the model knows of a state folder.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) streams: [Stream; 2],
    pub(super) instance: InstanceId,
    pub(super) key: KeyId,
    /// The state was turned back or copied, and nobody said so since.
    pub(super) forked: bool,
}

pub(super) struct Machine {
    pub(super) folder: PathBuf,
    pub(super) appliance: Option<Appliance>,
    pub(super) clock: TestClock,
    /// How far the clock is off, in seconds.
    pub(super) off: i64,
    pub(super) known: Known,
    pub(super) quota: Quota,
}

/// What became of an export.
pub(super) struct Left {
    pub(super) told: Rc<Told>,
    pub(super) is_new: bool,
}

impl Machine {
    /// The appliance as it was made, in a folder of this history.
    pub(super) fn new(cast: &Cast, folder: PathBuf, quota: usize) -> Self {
        copy_disk(&cast.state(), &folder);
        let clock = TestClock::at(super::cast::begin().unix());
        let appliance = Appliance::open(&folder, Arc::new(clock.clone())).unwrap();
        let instance = appliance.instance().unwrap();
        let mut stream = Stream::default();
        stream.begin(&instance);
        let known = Known {
            streams: [stream.clone(), stream],
            key: appliance.status_key().unwrap().public().id(),
            instance,
            forked: false,
        };
        Self {
            folder,
            appliance: Some(appliance),
            clock,
            off: 0,
            known,
            quota: QUOTAS[quota % QUOTAS.len()],
        }
    }

    pub(super) fn appliance(&self) -> &Appliance {
        self.appliance.as_ref().unwrap()
    }

    pub(super) fn set_time(&self, now: i64) {
        self.clock.set(now + self.off);
    }

    fn now(&self) -> airlock::domain::Timestamp {
        use airlock::domain::Clock as _;
        self.clock.now()
    }

    /// Agents of a vendor's targets report.
    pub(super) fn report(&mut self, cast: &Cast, v: usize, [a, b]: [usize; 2], line: &mut u64) -> Result<(), String> {
        let scope = Scope {
            domain: cast.vendors[v].domain,
            product: "crm".parse().unwrap(),
            channel: "stable".parse().unwrap(),
        };
        let (owner, quota) = (Owner::of(&scope), self.quota);
        let open = StatusBuffer::open_collecting(self.appliance(), quota, Duration::ZERO)
            .map_err(|error| format!("reports are not taken: {error}"))?;
        let stream = &mut self.known.streams[v];
        for turn in 0..=(a % 6) {
            let dice = b.rotate_left(u32::try_from(turn * 3).unwrap()) ^ (a >> turn);
            let target = Uuid::derived("target", &[&format!("{v} {}", dice & 1)]);
            let deployment = Uuid::derived("deployment", &[&target.to_string()]);
            let revision = Uuid::derived("revision", &[&format!("{}", usize::from((dice >> 3) % 8 == 0))]);
            let send = |what| {
                let batch = Batch {
                    target,
                    owner,
                    target_name: "edge".into(),
                    agent: Some("3.1.0".into()),
                    what,
                };
                submit(&open, batch).map_err(|error| format!("a report is not taken: {error}"))
            };
            match dice >> 1 & 3 {
                0 if dice >> 6 & 1 == 0 => {
                    let count = 1 + (dice >> 7 & 7) as u64;
                    let mut lines = Vec::new();
                    for _ in 0..count {
                        *line += 1;
                        let text = format!("line {line} {}", "x".repeat(300));
                        stream.lines.insert(text.clone());
                        lines.push((i64::try_from(*line).unwrap(), text));
                    }
                    let what = if dice >> 10 & 1 == 0 {
                        Reported::Logs(logs(deployment, revision, lines))
                    } else {
                        Reported::AgentLogs(agent_logs(lines))
                    };
                    let accepted = send(what)?;
                    stream.other(What::Lines(u64::from(accepted.stored)), &accepted);
                }
                0 => {
                    let accepted = send(Reported::Metrics(Metrics {
                        cpu_cores_millis: 1,
                        cpu_usage: 0.5,
                        memory_bytes: 10,
                        memory_usage: 0.5,
                        disk_metrics: Vec::new(),
                    }))?;
                    stream.other(What::Metrics, &accepted);
                }
                _ => {
                    let text = TEXTS[dice >> 7 & 3];
                    let state = if (dice >> 9) % 4 == 0 {
                        StatusKind::Error
                    } else {
                        StatusKind::Running
                    };
                    let accepted = send(Reported::Status {
                        deployment,
                        revision,
                        kind: state,
                        message: text.into(),
                    })?;
                    stream.status((deployment, revision, state, text), &accepted)?;
                }
            }
        }
        Ok(())
    }

    /// Brings a bundle in, and returns what it brought with it that the vendor acknowledges.
    pub(super) fn import(
        &mut self,
        cast: &Cast,
        bundle: &Path,
        v: usize,
        envelope: Option<&[u8]>,
    ) -> Result<(), String> {
        let receipts = |machine: &Self| machine.receipts(cast, v);
        let before = receipts(self);
        let says = self.seals(cast, v);
        let options = Options::default();
        match import_here(self.appliance(), bundle, &options, &self.clock) {
            Ok(imported) => {
                let is_new = !matches!(imported.result, airlock::appliance::Outcome::Already { .. });
                ensure(!is_new || receipts(self) > before, || "an import has no receipt".into())?;
                if let Some(heard) = imported.acknowledgement {
                    let envelope = envelope.ok_or("an acknowledgement that nobody made was heard")?;
                    self.heard(v, &heard, envelope, &says)?;
                }
                Ok(())
            }
            Err(error) => {
                let code = (error.class().name(), error.code());
                let honest = ["E-POLICY", "E-ROLLBACK", "E-CLOCK", "E-EXPIRED", "E-STATE"];
                ensure(honest.contains(&code.0), || format!("import: {error} {code:?}"))
            }
        }
    }

    fn receipts(&self, cast: &Cast, v: usize) -> u64 {
        let domain = cast.vendors[v].domain;
        let next = self
            .appliance()
            .db
            .read(|c| airlock::db::site::receipts::next_number(c, domain));
        next.unwrap() - 1
    }

    /// Makes one of the releases that are here live.
    pub(super) fn activate(&self, number: usize) -> Result<(), String> {
        let appliance = self.appliance();
        let here = appliance.db.read(release::list).unwrap();
        let Some(chosen) = here.get(number % here.len().max(1)) else {
            return Ok(());
        };
        match appliance.activate(chosen.head, Undeploy::AsSigned, self.now()) {
            Ok(_) => Ok(()),
            Err(error) if error.class().name() == "E-POLICY" || error.class().name() == "E-USAGE" => Ok(()),
            Err(error) => Err(format!("activate: {error}")),
        }
    }

    fn request<'a>(cast: &Cast, v: usize, profile: usize, small: bool, redactor: &'a Redactor) -> DraftRequest<'a> {
        DraftRequest {
            domain: cast.vendors[v].domain,
            shows: Shows::of(PROFILES[profile % 3].iter().copied()),
            room: Room {
                max_size: if small { 17 << 10 } else { 64 << 20 },
                approvals: 0,
            },
            redactor,
            discard: false,
        }
    }

    fn has_draft(&self, cast: &Cast, v: usize) -> bool {
        self.appliance().draft(cast.vendors[v].domain).unwrap().is_some()
    }

    /// Makes a draft that stays here.
    pub(super) fn preview(&mut self, cast: &Cast, v: usize, profile: usize) -> Result<(), String> {
        let redactor = Redactor::new(&[], &[]).unwrap();
        let request = DraftRequest {
            discard: true,
            ..Self::request(cast, v, profile, false, &redactor)
        };
        self.known.streams[v].draw_up();
        let made = self.appliance().make_draft(&request, &mut |_| ());
        made.map(drop).map_err(|error| format!("preview: {error}"))
    }

    /// Brings the next package out, as the command does; nothing where a draft shows more than it may.
    pub(super) fn export(
        &mut self,
        cast: &Cast,
        v: usize,
        profile: usize,
        small: bool,
        stick: &Path,
    ) -> Result<Option<Left>, String> {
        let redactor = Redactor::new(&[], &[]).unwrap();
        let request = Self::request(cast, v, profile, small, &redactor);
        let had = self.has_draft(cast, v);
        let before = self.known.streams[v].clone();
        if !had {
            self.known.streams[v].draw_up();
        }
        let row = match self.appliance().choose_package(&Wanted::Next, &request, &mut |_| ()) {
            Ok(row) => row,
            Err(error) if error.class().name() == "E-BUSY" && had => return Ok(None),
            // A line is larger than a package may be.
            Err(error) if small && error.class().name() == "E-LIMIT" => return Ok(None),
            Err(error) => return Err(format!("export: {error}")),
        };
        if row.state != packages::State::Draft && !had {
            self.known.streams[v] = before;
        }
        self.sign_and_bring(v, row.head, stick).map(Some)
    }

    /// Brings a package out again: the same bytes.
    pub(super) fn again(&mut self, cast: &Cast, v: usize, number: usize, stick: &Path) -> Result<Option<Left>, String> {
        let signed = &self.known.streams[v].packages;
        if signed.is_empty() {
            return Ok(None);
        }
        let wanted = &signed[number % signed.len()].told;
        let (number, head) = (wanted.head.number, wanted.digest);
        let redactor = Redactor::new(&[], &[]).unwrap();
        // Everything may leave.
        let request = Self::request(cast, v, 2, false, &redactor);
        let row = self
            .appliance()
            .choose_package(&Wanted::Again(number), &request, &mut |_| ());
        let row = row.map_err(|error| format!("--again {number}: {error}"))?;
        ensure(row.head == head, || format!("--again {number} is another package"))?;
        if !is_there(&self.appliance().package_path(head)) {
            // It was acknowledged, and let go.
            return Ok(None);
        }
        self.sign_and_bring(v, head, stick).map(Some)
    }

    fn sign_and_bring(&mut self, v: usize, head: Hash, stick: &Path) -> Result<Left, String> {
        let appliance = self.appliance.as_ref().unwrap();
        let failed = |error| format!("package {head}: {error}");
        let row = appliance.sign_package(head, &ApprovalRule::default()).map_err(failed)?;
        let name = stick.join("package");
        let out = appliance.deliver(head, Destination::File(&name), 1 << 30);
        let bytes = read(&appliance.package_path(head));
        let stream = &mut self.known.streams[v];
        let earlier = stream.packages.iter_mut().find(|signed| signed.told.digest == head);
        let (told, is_new) = if let Some(earlier) = earlier {
            ensure(earlier.told.bytes == bytes, || {
                format!("package {head} has other bytes")
            })?;
            (earlier.told.clone(), false)
        } else {
            let mut told = Told::read(bytes, head, v, self.known.key);
            told.is_cut = row.cut;
            told.forked = self.known.forked;
            let told = Rc::new(told);
            let shows: Vec<Switch> = told.head.shows.iter().collect();
            stream.signed(&told, &shows)?;
            (told, true)
        };
        match out {
            Ok(_) => {
                ensure(read(&name) == told.bytes, || "other bytes left than were signed".into())?;
                let found = stream.packages.iter_mut().find(|signed| signed.told.digest == head);
                found.unwrap().is_out = true;
            }
            // The stick was pulled: the package stays, and leaves with the next export.
            Err(_) if !is_there(stick) => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(Left { told, is_new })
    }

    fn seals(&self, cast: &Cast, v: usize) -> Vec<Hash> {
        let domain = cast.vendors[v].domain;
        let rows = self
            .appliance()
            .db
            .read(|c| stream_log::list(c, domain, 0, 100_000))
            .unwrap();
        rows.into_iter().map(|row| row.seal).collect()
    }

    /// An acknowledgement arrives in a file.
    pub(super) fn hear(&mut self, cast: &Cast, v: usize, envelope: &[u8]) -> Result<(), String> {
        let seals = self.seals(cast, v);
        let heard = self.appliance().acknowledge(envelope, self.now());
        let heard = heard.map_err(|error| format!("an acknowledgement is not heard: {error}"))?;
        self.heard(v, &heard, envelope, &seals)
    }

    fn heard(
        &mut self,
        v: usize,
        heard: &airlock::appliance::acknowledgement::Heard,
        envelope: &[u8],
        seals: &[Hash],
    ) -> Result<(), String> {
        use airlock::appliance::acknowledgement::Outcome;
        let says = Acknowledgement::kept(envelope).unwrap();
        let stream = &mut self.known.streams[v];
        // Row 0 is before the first: nothing was acknowledged yet.
        let seal = |number: u64| seals.get(usize::try_from(number).unwrap().checked_sub(1)?).copied();
        let expected = stream.hear(&says, envelope, &seal);
        let found = match &heard.outcome {
            Ok(Outcome::Applied) => "applied",
            Ok(Outcome::Already) => "already",
            Err(error) => error.code(),
        };
        let wanted = match expected {
            Judged::Applied(_) => "applied",
            Judged::Already => "already",
            Judged::Refused(code) => code,
        };
        ensure(found == wanted, || {
            format!(
                "acknowledgement {} of {:?} is {found}, not {wanted}: {:?}",
                says.number, says.packages, heard.outcome
            )
        })?;
        ensure(heard.warnings.is_empty(), || format!("{:?}", heard.warnings))?;
        if let Judged::Applied(reached) = expected {
            stream.heard = says.number;
            stream.reached = reached;
            stream.applied.insert(says.number, envelope.to_vec());
        }
        Ok(())
    }

    /// Another life begins: by a word, or by itself.
    fn begin(&mut self, instance: InstanceId) -> Result<(), String> {
        ensure(instance != self.known.instance, || "no other life began".into())?;
        for stream in &mut self.known.streams {
            stream.begin(&instance);
        }
        self.known.instance = instance;
        self.known.forked = false;
        Ok(())
    }

    pub(super) fn recover(&mut self, cloned: bool) -> Result<(), String> {
        let recovery = if cloned { Recovery::Cloned } else { Recovery::Restored };
        let begun = self.appliance().recover(recovery, self.now());
        self.begin(begun.map_err(|error| format!("recover: {error}"))?)
    }

    /// Replaces the keys; returns the new enrolment files.
    pub(super) fn rotate(&mut self, cast: &Cast) -> Result<[Vec<u8>; 2], String> {
        let rotated = self.appliance().rotate_status_key(self.now());
        let rotated = rotated.map_err(|error| format!("rotate-key: {error}"))?;
        self.begin(rotated.instance)?;
        self.known.key = self.appliance().status_key().unwrap().public().id();
        Ok([0, 1].map(|v| read(&self.folder.join(enrolment_of(cast.vendors[v].domain)))))
    }

    /// Puts the folder aside, as a copy or as a disk.
    pub(super) fn back_up(&mut self, to: &Path) -> Known {
        self.appliance = None;
        copy_folder(&self.folder, to);
        self.open();
        self.known.clone()
    }

    fn open(&mut self) {
        self.appliance = Some(Appliance::open(&self.folder, Arc::new(self.clock.clone())).unwrap());
    }

    /// Puts a copy back; `unseen` where the disk is turned back as a whole.
    pub(super) fn restore(&mut self, from: &Path, known: &Known, unseen: bool) -> Result<(), String> {
        self.appliance = None;
        fs::remove_dir_all(&self.folder).unwrap();
        if unseen {
            copy_disk(from, &self.folder);
        } else {
            copy_folder(from, &self.folder);
        }
        self.open();
        self.known = known.clone();
        if unseen {
            self.known.forked = true;
            let instance = self.appliance().instance().unwrap();
            return ensure(instance == self.known.instance, || {
                "a disk that was turned back was seen".into()
            });
        }
        let instance = self
            .appliance()
            .instance()
            .map_err(|error| format!("restored: {error}"))?;
        self.begin(instance)
    }

    /// Another copy of the folder, beside this one.
    pub(super) fn clone_to(&mut self, folder: PathBuf, unseen: bool) -> Result<Self, String> {
        self.appliance = None;
        if unseen {
            copy_disk(&self.folder, &folder);
        } else {
            copy_folder(&self.folder, &folder);
        }
        self.open();
        let clock = TestClock::at(self.now().unix());
        let mut clone = Self {
            appliance: Some(Appliance::open(&folder, Arc::new(clock.clone())).unwrap()),
            folder,
            clock,
            off: self.off,
            known: self.known.clone(),
            quota: self.quota,
        };
        if unseen {
            self.known.forked = true;
            clone.known.forked = true;
        } else {
            let instance = clone
                .appliance()
                .instance()
                .map_err(|error| format!("copied: {error}"))?;
            clone.begin(instance)?;
        }
        Ok(clone)
    }

    /// Numbers that were acknowledged of a stream.
    pub(super) fn reached(&self, v: usize) -> Numbers {
        self.known.streams[v].reached
    }

    /// What the site's own database says of that.
    pub(super) fn reached_here(&self, cast: &Cast, v: usize) -> Numbers {
        let domain = cast.vendors[v].domain;
        let reached = self
            .appliance()
            .db
            .read(|c| airlock::db::site::acknowledgements::reached(c, domain))
            .unwrap();
        Numbers {
            records: reached.records,
            receipts: reached.receipts,
            audit: reached.audit,
        }
    }
}

fn logs(deployment: Uuid, revision: Uuid, lines: Vec<(i64, String)>) -> Vec<LogRecord> {
    let record = |(second, body)| LogRecord {
        deployment,
        revision,
        resource: "web-1".into(),
        at: AgentTime::from_parts(second, 5),
        severity: "Log".into(),
        body,
    };
    lines.into_iter().map(record).collect()
}

fn agent_logs(lines: Vec<(i64, String)>) -> Vec<AgentLogRecord> {
    let record = |(second, body)| AgentLogRecord {
        at: AgentTime::from_parts(second, 0),
        severity: "debug".into(),
        body,
    };
    lines.into_iter().map(record).collect()
}

/// Writes a file of a history.
pub(super) fn put(path: &Path, bytes: &[u8]) {
    write(path, bytes);
}

/// Whether something has a name.
pub(super) fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap()
}
