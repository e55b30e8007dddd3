//! An appliance whose agents report, without any process, and the drafts that are made of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::export::{DraftRequest, PackageRow, Preview, Redactor};
use airlock::appliance::status::{
    AgentLogRecord, Batch, DiskMetrics, LogRecord, Metrics, Owner, Quota, StatusBuffer, What,
};
use airlock::domain::{AgentTime, Hash, Name, Result, Scope, StatusKind, Uuid};
use airlock::package::{Line, Room, Shows, Switch, UnsignedPackage};
use serde_json::Value;

use crate::package::made;
use crate::streams::site::Site;
use crate::support::appliance::{read, write};
use crate::support::bundles::Vendor;
use crate::support::desired::{Desired, deployment_id, revision_id, target_id};
use crate::support::left_out::left_out;
use crate::support::status::submit;

/// What agents say of what runs.
pub(super) const WELL: &str = "status check results: 1 healthy";

/// Everything but names of targets made here.
pub(super) const FULL: [Switch; 5] = [
    Switch::AgentLogs,
    Switch::Agents,
    Switch::Logs,
    Switch::Metrics,
    Switch::StatusText,
];

/// A draft, read back.
pub(super) struct Read {
    pub(super) row: PackageRow,
    pub(super) preview: Preview,
    pub(super) lines: Vec<Line>,
}

impl Read {
    /// The lines as documents.
    pub(super) fn values(&self) -> Vec<Value> {
        let values = self
            .lines
            .iter()
            .map(|line| serde_json::from_str(std::str::from_utf8(&line.to_bytes().unwrap()).unwrap()).unwrap());
        values.collect()
    }

    /// The lines of a kind.
    pub(super) fn of(&self, kind: &str) -> Vec<Value> {
        self.values()
            .into_iter()
            .filter(|value| value["kind"] == kind)
            .collect()
    }
}

/// An appliance with a release of A that has two docker targets, `edge-0` and `edge-1`.
pub(super) fn site() -> Site {
    let site = Site::new();
    release(&site, 1, "a");
    site
}

/// Imports a release of A with two targets.
pub(super) fn release(site: &Site, sequence: u64, text: &str) {
    let layer = format!("a layer of A {sequence}").into_bytes();
    let made = site
        .a
        .with_layers_of("crm", sequence, &[layer], |image| Desired::docker(image, 2, text));
    site.import(&made).unwrap();
}

/// The targets of a vendor's product.
pub(super) fn owner(vendor: &Vendor) -> Owner {
    let name = |text: &str| text.parse::<Name>().unwrap();
    Owner::of(&Scope {
        domain: vendor.chain().domain(),
        product: name("crm"),
        channel: name("stable"),
    })
}

/// Agents that report to an appliance, which no server runs for.
pub(super) struct Reports {
    pub(super) open: StatusBuffer,
    owner: Owner,
}

impl Reports {
    pub(super) fn of(site: &Site, vendor: &Vendor) -> Self {
        Self::within(site, vendor, Quota::default())
    }

    pub(super) fn within(site: &Site, vendor: &Vendor, quota: Quota) -> Self {
        Self {
            open: StatusBuffer::open_collecting(&site.appliance(), quota, Duration::ZERO).unwrap(),
            owner: owner(vendor),
        }
    }

    pub(super) fn send(&self, target: Uuid, what: What) {
        let batch = Batch {
            target,
            owner: self.owner,
            target_name: "CANARY-target".into(),
            agent: Some("3.1.0-CANARYAGENT".into()),
            what,
        };
        submit(&self.open, batch).unwrap();
    }

    /// A status of the one deployment of a target of a release.
    pub(super) fn status(&self, target: &str, text: &str, kind: StatusKind, message: &str) {
        let what = What::Status {
            deployment: deployment_id(target),
            revision: revision_id(target, text),
            kind,
            message: message.to_owned(),
        };
        self.send(target_id(target), what);
    }

    pub(super) fn logs(&self, target: &str, lines: impl IntoIterator<Item = (i64, String)>) {
        let lines = lines.into_iter().map(|(second, body)| LogRecord {
            deployment: deployment_id(target),
            revision: revision_id(target, "a"),
            resource: "web-1".into(),
            at: AgentTime::from_parts(second, 5),
            severity: "Log".into(),
            body,
        });
        self.send(target_id(target), What::Logs(lines.collect()));
    }

    pub(super) fn agent_logs(&self, target: &str, lines: impl IntoIterator<Item = (i64, String)>) {
        let lines = lines.into_iter().map(|(second, body)| AgentLogRecord {
            at: AgentTime::from_parts(second, 0),
            severity: "debug".into(),
            body,
        });
        self.send(target_id(target), What::AgentLogs(lines.collect()));
    }

    pub(super) fn metrics(&self, target: &str, cpu: f64) {
        let metrics = Metrics {
            cpu_cores_millis: 4000,
            cpu_usage: cpu,
            memory_bytes: 1000,
            memory_usage: 0.5,
            disk_metrics: vec![DiskMetrics {
                device: "/dev/CANARYDISK".into(),
                path: "/mnt/CANARYMOUNT".into(),
                fs_type: "CANARYFS".into(),
                bytes_total: 500,
                bytes_used: -1,
            }],
        };
        self.send(target_id(target), What::Metrics(metrics));
    }
}

/// Makes the draft of A that shows some things.
pub(super) fn draft(site: &Site, shows: &[Switch]) -> Read {
    draft_of(site, site.a.chain().domain(), shows)
}

/// Makes the draft of a vendor, in the place of any other.
pub(super) fn draft_of(site: &Site, domain: Hash, shows: &[Switch]) -> Read {
    let room = Room::default();
    try_draft(&site.appliance(), domain, shows, room, true).unwrap()
}

pub(super) fn try_draft(
    appliance: &Appliance,
    domain: Hash,
    shows: &[Switch],
    room: Room,
    discard: bool,
) -> Result<Read> {
    let redactor = Redactor::new(&["ORDER-[0-9]+".into()], &["CANARYHOST".into()]).unwrap();
    let request = DraftRequest {
        domain,
        shows: Shows::of(shows.iter().copied()),
        room,
        redactor: &redactor,
        discard,
    };
    let drafted = appliance.make_draft(&request, &mut |_| ())?;
    let mut lines = Vec::new();
    let preview = appliance.read_back(&drafted.row, &mut |line| {
        lines.push(line.clone());
        Ok(())
    })?;
    Ok(Read {
        row: drafted.row,
        preview,
        lines,
    })
}

/// The bytes of a package's file.
pub(super) fn bytes(site: &Site, row: &PackageRow) -> Vec<u8> {
    read(&site.appliance().package_path(row.head))
}

/// What lies in the outbox but enrolment files.
pub(super) fn outbox(state: &Path) -> Vec<String> {
    let names = fs::read_dir(state.join("outbox")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("enrolment-")).collect();
    names.sort();
    names
}

/// Signs a copy of a draft as the site's key does.
pub(super) fn signed(appliance: &Appliance, row: &PackageRow) -> Vec<u8> {
    let bytes = read(&appliance.package_path(row.head));
    let mut package = UnsignedPackage::open(made::input(&bytes)).unwrap();
    package.sign(&appliance.status_key().unwrap());
    let mut signed = Vec::new();
    package.write(&mut std::io::Cursor::new(&bytes), &mut signed).unwrap();
    signed
}

/// What the independent verifier says of signed packages of a stream, oldest first; nothing where it cannot run here.
pub(super) fn judged(appliance: &Appliance, domain: Hash, packages: &[Vec<u8>]) -> Option<Value> {
    let ready = crate::support::python::python().arg("--version").output();
    if !ready.is_ok_and(|output| output.status.success()) || Command::new("zstd").arg("--version").output().is_err() {
        left_out("python3 or zstd is not here");
        return None;
    }
    let folder = crate::support::appliance::scratch();
    let enrolment: PathBuf = appliance
        .folder()
        .join(format!("outbox/enrolment-{}.json", &domain.to_hex()[..8]));
    let mut command = crate::support::python::python();
    command
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/verify.py"))
        .arg("--json")
        .arg("--enrolment")
        .arg(enrolment);
    for (number, package) in packages.iter().enumerate() {
        let path = folder.path().join(format!("{number}.airlock-status"));
        write(&path, package);
        command.arg(path);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_str(text.lines().last().unwrap()).unwrap())
}

/// Says that the number of a draft is used, as whoever signs does.
pub(super) fn use_number(site: &Site, row: &PackageRow) {
    use airlock::db::site::packages::{self, State};
    let appliance = site.appliance();
    let used = appliance
        .db
        .write(|transaction| packages::advance(transaction, row.head, State::Signed));
    assert!(used.unwrap());
}

/// Changes a byte inside the last chunk of a package.
pub(super) fn damaged(bytes: &[u8]) -> Vec<u8> {
    const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let chunk = bytes.windows(4).rposition(|window| window == FRAME).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[chunk + 20] ^= 1;
    bytes
}
