//! Releases whose deployments use secrets, and a site that takes them in by the program alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlock::bundle::desired::{SecretSource, SecretUse};
use airlock::crypto::{KeyFile, RecipientKey, SealedSecret, SealedSecrets};
use airlock::domain::{Counter, Digest, DocumentType, Scope, SecretValue, Uuid};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::support::appliance::{AIRLOCK, Appliance, Ended, read, scratch, write};
use crate::support::bundles::{Made, Vendor};
use crate::support::desired::{Desired, deployment_id};
use crate::support::site::digest;

/// A secret of one deployment.
#[derive(Clone)]
pub(super) struct Uses {
    pub(super) target: &'static str,
    pub(super) secret: SecretUse,
}

/// A secret that a person enters.
pub(super) fn ask(target: &'static str, name: &str, per_target: bool) -> Uses {
    Uses {
        target,
        secret: SecretUse {
            alphabet: None,
            length: None,
            name: name.parse().unwrap(),
            per_target,
            source: SecretSource::Ask,
        },
    }
}

/// A secret that is made here.
pub(super) fn generate(target: &'static str, name: &str, length: Option<u64>) -> Uses {
    let mut made = ask(target, name, false);
    (made.secret.source, made.secret.length) = (SecretSource::Generate, length);
    made
}

/// A secret that the vendor seals.
pub(super) fn sealed(target: &'static str, name: &str, per_target: bool) -> Uses {
    let mut sealed = ask(target, name, per_target);
    sealed.secret.source = SecretSource::Sealed;
    sealed
}

/// Docker targets `edge-0` … whose applications use these secrets in their environment.
pub(super) fn desired(image: Digest, count: usize, text: &str, uses: &[Uses]) -> Desired {
    let mut desired = Desired::docker(image, count, text);
    for number in 0..count {
        let name = format!("edge-{number}");
        let mut own: Vec<SecretUse> = uses
            .iter()
            .filter(|one| one.target == name)
            .map(|one| one.secret.clone())
            .collect();
        if own.is_empty() {
            continue;
        }
        own.sort_by(|a, b| a.name.cmp(&b.name));
        let before = desired.target(&name).deployments[0].docker.as_ref().unwrap().compose;
        let place = desired.documents.iter().position(|(_, bytes)| digest(bytes) == before);
        let (_, mut compose) = desired.documents.remove(place.unwrap());
        compose.extend_from_slice(b"    environment:\n");
        for secret in &own {
            compose.extend_from_slice(format!("      {0}: \"<{{{{ .Secrets.{0} }}}}>\"\n", secret.name).as_bytes());
        }
        let compose = desired.put(DocumentType::Compose, &compose);
        let deployment = &mut desired.target(&name).deployments[0];
        deployment.docker.as_mut().unwrap().compose = compose;
        deployment.revision = Uuid::derived("revision", &[&name, text, &compose.to_string()]);
        deployment.secret_uses = Some(own);
    }
    desired
}

/// A release of the product `crm`.
pub(super) fn release(vendor: &Vendor, sequence: u64, text: &str, uses: &[Uses]) -> Made {
    vendor.with_targets(sequence, |image| desired(image, 2, text, uses))
}

/// A release where the application on `edge-0` has so many more places for `API_KEY`.
pub(super) fn with_places(vendor: &Vendor, sequence: u64, uses: &[Uses], places: usize) -> Made {
    vendor.with_targets(sequence, |image| {
        let mut desired = desired(image, 2, "many", uses);
        add_places(&mut desired, places);
        desired
    })
}

/// Gives the application on `edge-0` so many more places for `API_KEY`.
fn add_places(desired: &mut Desired, places: usize) {
    let before = desired.target("edge-0").deployments[0].docker.as_ref().unwrap().compose;
    let place = desired.documents.iter().position(|(_, bytes)| digest(bytes) == before);
    let (_, mut compose) = desired.documents.remove(place.unwrap());
    for number in 0..places {
        compose.extend_from_slice(format!("      N{number}: \"{{{{ .Secrets.API_KEY }}}}\"\n").as_bytes());
    }
    let compose = desired.put(DocumentType::Compose, &compose);
    let deployment = &mut desired.target("edge-0").deployments[0];
    deployment.docker.as_mut().unwrap().compose = compose;
    deployment.revision = Uuid::derived("revision", &["edge-0", "many", &compose.to_string()]);
}

/// The signed revision of an application in such a release.
pub(super) fn revision(made: &Made, target: &str, text: &str, uses: &[Uses]) -> Uuid {
    let mut desired = desired(made.manifest, 2, text, uses);
    desired.target(target).deployments[0].revision
}

/// A site with one vendor.
pub(super) struct Plant {
    pub(super) vendor: Vendor,
    pub(super) appliance: Appliance,
    folder: tempfile::TempDir,
}

impl Plant {
    pub(super) fn new() -> Self {
        let vendor = Vendor::new();
        let appliance = Appliance::init(&vendor);
        Self {
            vendor,
            appliance,
            folder: scratch(),
        }
    }

    /// The same state once more.
    pub(super) fn copy(&self) -> Appliance {
        self.appliance.copy()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.appliance.path()
    }

    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        write(&path, bytes);
        path
    }

    /// The bundle of a release with two targets.
    pub(super) fn bundle(&self, sequence: u64, uses: &[Uses]) -> PathBuf {
        let made = release(&self.vendor, sequence, "a", uses);
        self.file(&format!("{sequence}.airlock"), &made.bytes)
    }

    /// Imports one.
    pub(super) fn import(&self, sequence: u64, uses: &[Uses]) -> Value {
        let bundle = self.bundle(sequence, uses);
        self.good(&["import", bundle.to_str().unwrap()])
    }

    #[track_caller]
    pub(super) fn good(&self, words: &[&str]) -> Value {
        self.good_with(words, "")
    }

    #[track_caller]
    pub(super) fn good_with(&self, words: &[&str], stdin: &str) -> Value {
        let ended = run(&self.state(), words, stdin);
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
        ended.result
    }

    #[track_caller]
    pub(super) fn refused(&self, words: &[&str], stdin: &str, class: &str, code: &str) -> Ended {
        let ended = run(&self.state(), words, stdin);
        let found = ended.refusal.clone().unwrap_or_default();
        assert_eq!(
            (found.0.as_str(), found.1.as_str()),
            (class, code),
            "{words:?}: {}",
            ended.stderr
        );
        ended
    }

    /// The rows of `secret list`.
    pub(super) fn listed(&self) -> Vec<Value> {
        self.good(&["secret", "list"])["secrets"].as_array().unwrap().clone()
    }

    /// Sequence number of the live release; 0 where none is.
    pub(super) fn live(&self) -> u64 {
        live(&self.state())
    }
}

/// Runs the program on a state folder.
pub(super) fn run(state: &Path, words: &[&str], stdin: &str) -> Ended {
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", "json"]).args(words).arg("--state").arg(state);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who refuses before reads nothing of it.
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
    Ended::of(&child.wait_with_output().unwrap())
}

/// A member of the refusal that was printed, as it stands in the source: the state folder that was given is given again in its commands.
pub(super) fn said(ended: &Ended, member: &str) -> String {
    let mut events = ended
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refusal = events.find(|event| event["event"] == "refused");
    let text = refusal.map_or_else(String::new, |event| {
        event[member].as_str().unwrap_or_default().to_owned()
    });
    let mut parts = text.split(" --state ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find([' ', '`']).unwrap_or(part.len());
        text + &part[end..]
    })
}

/// Sequence number of the live release; 0 where none is.
pub(super) fn live(state: &Path) -> u64 {
    let listed = run(state, &["release", "list"], "").result;
    let releases = listed["releases"].as_array().unwrap();
    let live = releases.iter().find(|release| release["state"] == "active");
    live.map_or(0, |release| release["sequence"].as_u64().unwrap())
}

/// Names of the files in `secrets/`; folder and files are for nobody else.
#[track_caller]
pub(super) fn files(state: &Path) -> Vec<String> {
    let folder = state.join("secrets");
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(read(&entry.path()).starts_with(b"age-encryption.org/v1\n"));
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    names
}

/// The application of a target, as the program knows it.
pub(super) fn application(target: &str) -> Uuid {
    deployment_id(target)
}

/// A release with two targets whose sealed values are these, for the key of a site; no document of them without.
pub(super) fn sealed_release(
    site: &crate::support::in_process::InProcessAppliance,
    sequence: u64,
    uses: &[Uses],
    values: Option<&[(&str, Option<&str>, &str)]>,
) -> Made {
    sealed_with_places(site, sequence, uses, values, 0)
}

/// The same, with so many more places for `API_KEY` on `edge-0`.
pub(super) fn sealed_with_places(
    site: &crate::support::in_process::InProcessAppliance,
    sequence: u64,
    uses: &[Uses],
    values: Option<&[(&str, Option<&str>, &str)]>,
    places: usize,
) -> Made {
    let appliance = site.appliance();
    let document = values.map(|values| {
        let secret = |(name, target, value): &(&str, Option<&str>, &str)| SealedSecret {
            name: name.parse().unwrap(),
            targets: target
                .iter()
                .map(|target| crate::support::desired::target_id(target))
                .collect(),
            value: SecretValue::new(Zeroizing::new(value.as_bytes().to_vec()))
                .ok()
                .unwrap(),
        };
        let key = KeyFile::read(&site.state().join("identity/recipient.key")).unwrap();
        SealedSecrets {
            scope: Scope {
                domain: site.vendor.chain().domain(),
                product: "crm".parse().unwrap(),
                channel: "stable".parse().unwrap(),
            },
            counter: Counter { epoch: 0, sequence },
            site: appliance.site().clone(),
            secrets: values.iter().map(secret).collect(),
        }
        .seal(&RecipientKey::of_secret(&key.secret().unwrap()))
        .unwrap()
    });
    site.vendor.with_targets(sequence, |image| {
        let mut desired = desired(image, 2, "a", uses);
        if places > 0 {
            add_places(&mut desired, places);
        }
        if let Some(document) = &document {
            desired.put(DocumentType::Secrets, document);
        }
        desired
    })
}
