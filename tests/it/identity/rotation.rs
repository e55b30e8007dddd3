//! M-92: another status key and recipient key, whole or not at all, wherever the act is stopped.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use airlock::crypto::{Enrolment, Envelope, KeyFile, RecipientKey, canonical};
use airlock::db::site::{audit, enrolments, instances};
use airlock::db::{Db, Schema};
use airlock::domain::{Hash, InstanceId};
use serde_json::json;

use crate::support::appliance::{self, AIRLOCK, Appliance, Ended, read, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::slow::share;
use crate::support::strace::{self, Fault};
use crate::support::streams;

/// By default every so manieth call gets its fault, beside the first and the last of each name.
const STRIDE: usize = 26;

fn rotate(state: &Path) -> Vec<OsString> {
    let words = ["--format", "json", "status", "rotate-key", "--yes", "--state"];
    words.iter().map(OsString::from).chain([state.into()]).collect()
}

fn run(arguments: &[OsString]) -> Ended {
    Ended::of(&Command::new(AIRLOCK).args(arguments).output().unwrap())
}

/// Who an appliance is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    status: Hash,
    recipient: RecipientKey,
    instance: InstanceId,
    /// Names of what lies beside the keys.
    files: BTreeSet<String>,
}

impl Identity {
    /// Reads it, and checks that all of its places agree.
    #[track_caller]
    fn of(state: &Path) -> Self {
        let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
        db.read(audit::verify).unwrap();
        let key = KeyFile::read(&state.join("identity/status.pem"))
            .unwrap()
            .signing_key(None)
            .unwrap();
        let secret = KeyFile::read(&state.join("identity/recipient.key"))
            .unwrap()
            .secret()
            .unwrap();
        let recipient = RecipientKey::of_secret(&secret);
        let kept = db.read(enrolments::list).unwrap();
        let [(domain, file)] = kept.try_into().unwrap();
        let enrolment = Enrolment::parse(&file).unwrap();
        assert_eq!(
            (enrolment.status.id, enrolment.recipient),
            (key.public().id(), recipient)
        );
        let copy = state.join(format!("outbox/enrolment-{}.json", &domain.to_hex()[..8]));
        assert_eq!(read(&copy), file);
        let instance = db.read(instances::newest).unwrap().unwrap().instance;
        let said = String::from_utf8(read(&state.join("identity/instance.json"))).unwrap();
        assert!(said.contains(instance.as_str()), "{said}");
        let names = fs::read_dir(state.join("identity")).unwrap();
        let files: BTreeSet<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(
            files
                .iter()
                .all(|name| !name.contains(".next.") && !name.contains(".new")),
            "{files:?}"
        );
        Self {
            status: key.public().id(),
            recipient,
            instance,
            files,
        }
    }

    /// Asserts that it came after another one: everything is new, and the earlier recipient key is kept.
    #[track_caller]
    fn assert_follows(&self, before: &Self, state: &Path) {
        assert!(self.status != before.status && self.recipient != before.recipient && self.instance != before.instance);
        let kept = format!("recipient-{}.key", before.recipient.public);
        let secret = KeyFile::read(&state.join("identity").join(&kept))
            .unwrap()
            .secret()
            .unwrap();
        assert_eq!(RecipientKey::of_secret(&secret), before.recipient);
        let expected: BTreeSet<String> = before.files.iter().cloned().chain([kept]).collect();
        assert_eq!(self.files, expected);
    }
}

#[test]
fn both_keys_and_the_instance_are_new_and_vendors_learn_it() {
    let vendor = Vendor::new();
    let appliance = Appliance::init(&vendor);
    let state = appliance.path();
    let folder = appliance::scratch();
    for sequence in 1..=2 {
        let made = vendor.bundle(sequence, &[vec![1; 64]], SMALL_CHUNKS);
        write(&folder.path().join(sequence.to_string()), &made.bytes);
    }
    appliance.import(&folder.path().join("1")).assert_imported();
    let before = Identity::of(&state);
    let ended = run(&rotate(&state));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let after = Identity::of(&state);
    after.assert_follows(&before, &state);
    assert_eq!(ended.result["status_key"], after.status.to_hex());
    assert_eq!(ended.result["instance"], after.instance.as_str());
    appliance.import(&folder.path().join("2")).assert_imported();
    let stream = streams::only(&state);
    let said = stream.said();
    assert_eq!(
        said[3..5],
        [
            ("status-key", &json!({"keyid": after.status})),
            (
                "instance",
                &json!({"instance": after.instance, "parent": before.instance, "reason": "status-key"})
            ),
        ]
    );
    // What was signed before stays as it was signed; what comes then is signed by the new key, in the new life.
    let signers: Vec<_> = stream
        .envelopes
        .iter()
        .zip(&stream.receipts)
        .map(|(envelope, receipt)| {
            let envelope: Envelope = canonical::envelopes_from_slice(envelope, "a receipt").unwrap();
            (envelope.signatures[0].keyid, receipt.instance.clone())
        })
        .collect();
    let (old, new) = ((before.status, before.instance), (after.status, after.instance));
    assert_eq!(signers, [old.clone(), old, new.clone(), new]);
}

#[test]
fn nobody_is_asked_where_nobody_can_answer_and_nothing_is_done_then() {
    let appliance = Appliance::init(&Vendor::new());
    let state = appliance.path();
    let before = (Identity::of(&state), streams::only(&state).rows);
    let mut line = rotate(&state);
    line.retain(|word| word != "--yes");
    let (class, code, _) = run(&line).refusal.unwrap();
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "confirm"));
    assert_eq!((Identity::of(&state), streams::only(&state).rows), before);
}

/// A key that vendors were never given signs nothing.
#[test]
fn a_key_that_vendors_were_not_given_is_damage() {
    let vendor = Vendor::new();
    let (one, two) = (Appliance::init(&vendor), Appliance::init(&vendor));
    let bundle = appliance::scratch();
    let bundle = bundle.path().join("1");
    write(&bundle, &vendor.bundle(1, &[vec![1; 64]], SMALL_CHUNKS).bytes);
    let place = |appliance: &Appliance| appliance.path().join("identity/status.pem");
    let own = read(&place(&one));
    fs::copy(place(&two), place(&one)).unwrap();
    one.import(&bundle).assert_refused("E-STATE", "status-key", "X0");
    write(&place(&one), &own);
    one.import(&bundle).assert_imported();
}

#[test]
fn every_changing_call_of_a_rotation_may_be_the_last() {
    if !strace::available() {
        return;
    }
    let vendor = Vendor::new();
    let base = Appliance::init(&vendor);
    let bundle = appliance::scratch();
    let bundle = bundle.path().join("1");
    let made = vendor.bundle(1, &[vec![1; 64]], SMALL_CHUNKS);
    write(&bundle, &made.bytes);
    let undisturbed = base.copy();
    let traced = strace::run(&strace::changing(), &rotate(&undisturbed.path()));
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    let points = strace::points(&traced.calls);
    for expected in ["rename", "fsync", "pwrite64"] {
        assert!(points.iter().any(|point| point.name == expected), "no {expected}");
    }
    let share = share();
    let slow = share.is_some();
    let (mut old, mut new) = (0, 0);
    for (index, point) in points.iter().enumerate() {
        let last = points.iter().rposition(|other| other.name == point.name) == Some(index);
        if !share.map_or(index % STRIDE == 0, |share| share.takes(index)) && point.nth > 1 && !last {
            continue;
        }
        let faults: &[Fault] = if slow {
            &[Fault::Kill, Fault::NoSpace, Fault::Io]
        } else {
            &[Fault::Kill]
        };
        for fault in faults {
            if slow && *fault == Fault::Kill && strace::is_behind_a_sync(&points, index) {
                continue;
            }
            let copy = base.copy();
            let state = copy.path();
            let before = Identity::of(&state);
            let rows = streams::only(&state).rows.len();
            let struck = strace::strike(*fault, &point.name, point.nth, &rotate(&state));
            assert!(
                struck.fired(*fault, &point.name, point.nth),
                "{fault:?} {point:?}: {struck:?}"
            );
            // Whatever is next, a command that only reads or an import, goes on.
            if index % 2 == 0 {
                let mut list = Command::new(AIRLOCK);
                list.args(["release", "list", "--state"]).arg(&state);
                assert!(list.output().unwrap().status.success());
            }
            copy.import(&bundle).assert_imported();
            let after = Identity::of(&state);
            let stream = streams::only(&state);
            let by: Envelope = canonical::envelopes_from_slice(&stream.envelopes[0], "a receipt").unwrap();
            assert_eq!(
                (by.signatures[0].keyid, &stream.receipts[0].instance),
                (after.status, &after.instance)
            );
            if after == before {
                old += 1;
                assert_eq!(stream.rows.len(), rows + 2, "{fault:?} {point:?}");
                assert_ne!(struck.ended.code, Some(0), "{fault:?} {point:?}");
            } else {
                new += 1;
                after.assert_follows(&before, &state);
                assert_eq!(stream.rows.len(), rows + 4, "{fault:?} {point:?}");
            }
            // And another rotation works.
            let again = run(&rotate(&state));
            assert_eq!(again.code, Some(0), "{fault:?} {point:?}: {}", again.stderr);
            Identity::of(&state).assert_follows(&after, &state);
        }
    }
    println!(
        "crash sweep of a rotation: {} changing calls; {old} ended with the old keys, {new} with the new ones",
        points.len()
    );
    assert!(old > 3 && new > 3, "{old} {new}");
}
