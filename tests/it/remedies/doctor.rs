//! What `airlock doctor` says to do, done; where a clock is needed that this machine does not have, in this process.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use airlock::appliance::doctor::{Finding, Verdict, examine};
use airlock::appliance::{Appliance, Authority};
use airlock::domain::{Clock as _, FixedClock, SystemClock, Timestamp};
use airlock::http::Settings;

use super::follow::Operator;
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::agents::Serving;
use crate::support::appliance::{AIRLOCK, Ended, read, write};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::disk::copy_disk;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::noise;

const DAY: i64 = 86_400;

/// The worst finding of a part.
#[track_caller]
fn of(state: &Path, now: Timestamp, part: &str) -> Finding {
    let found = examine(state, now);
    let of_part = found.iter().filter(|finding| finding.part == part);
    of_part.max_by_key(|finding| finding.verdict).unwrap().clone()
}

#[track_caller]
fn assert_told(finding: &Finding, verdict: Verdict, code: &str, part: &str) {
    let (found, remedy) = (
        finding.error.map(|(_, code)| code),
        finding.remedy.clone().unwrap_or_default(),
    );
    assert_eq!((finding.verdict, found), (verdict, Some(code)), "{finding:?}");
    assert!(remedy.contains(part), "{finding:?}");
}

/// The vendor's next bundle brings a root that is good for longer.
#[test]
fn a_root_that_ends_is_replaced_by_the_next_bundle() {
    let mut instance = InProcessAppliance::new();
    let first = instance.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    instance.import(&first, false).unwrap();
    let ends = instance.vendor.chain().newest().expires;
    let (before, after) = (ends.plus_seconds(-10 * DAY), ends.plus_seconds(DAY));
    let long_before = ends.plus_seconds(-100 * DAY);
    assert_eq!(of(&instance.state(), long_before, "trust").verdict, Verdict::Good);
    assert_told(
        &of(&instance.state(), before, "trust"),
        Verdict::Look,
        "root",
        "next bundle",
    );
    assert_told(
        &of(&instance.state(), after, "trust"),
        Verdict::Broken,
        "root",
        "next bundle",
    );
    instance
        .vendor
        .rotate(|root| root.expires = ends.plus_seconds(365 * DAY));
    let next = instance.vendor.bundle(2, &[noise(100, 2)], SMALL_CHUNKS);
    instance.import(&next, false).unwrap();
    for now in [before, after] {
        assert_eq!(of(&instance.state(), now, "trust").verdict, Verdict::Good);
    }
}

/// A clock that is wrong, and then right; an authority that is old, and then another one.
#[test]
fn a_wrong_clock_and_an_old_authority_are_put_right() {
    let instance = InProcessAppliance::new();
    let state = instance.state();
    let now = instance.clock.now();
    assert_told(
        &of(&state, Timestamp::EPOCH, "clock"),
        Verdict::Broken,
        "clock",
        "set the clock",
    );
    assert_told(
        &of(&state, now.plus_seconds(-3600), "clock"),
        Verdict::Look,
        "clock",
        "set the clock",
    );
    assert_eq!(of(&state, now, "clock").verdict, Verdict::Good);

    Authority::open(&instance.appliance()).unwrap();
    let late = now.plus_seconds(20 * 365 * DAY);
    assert_eq!(of(&state, now, "certificates").verdict, Verdict::Good);
    let told = of(&state, late, "certificates");
    assert_told(
        &told,
        Verdict::Look,
        "authority",
        "remove identity/ca.pem and identity/ca.key, start it again",
    );
    // Past its end, before its beginning, and one that may sign nothing: nobody is reached.
    let ended = of(&state, late.plus_seconds(10 * DAY), "certificates");
    assert_told(
        &ended,
        Verdict::Broken,
        "authority",
        "remove identity/ca.pem and identity/ca.key",
    );
    let pem = state.join("identity/ca.pem");
    let made = read(&pem);
    let key = String::from_utf8(read(&state.join("identity/ca.key"))).unwrap();
    let key = rcgen::KeyPair::from_pem(&key).unwrap();
    let put = |from: i32, is_ca: rcgen::IsCa| {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2100, 1, 1);
        parameters.is_ca = is_ca;
        write(&pem, parameters.self_signed(&key).unwrap().pem().as_bytes());
        of(&state, now, "certificates")
    };
    let early = put(2090, rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    assert_told(&early, Verdict::Broken, "authority", "look at the machine's clock");
    let leaf = put(2020, rcgen::IsCa::ExplicitNoCa);
    assert_told(
        &leaf,
        Verdict::Broken,
        "authority",
        "restore both files; or remove both",
    );
    write(&pem, &made);
    assert_eq!(of(&state, now, "certificates").verdict, Verdict::Good);
    for name in ["identity/ca.pem", "identity/ca.key"] {
        std::fs::remove_file(state.join(name)).unwrap();
    }
    Authority::open(&Appliance::open(&state, Arc::new(FixedClock(late))).unwrap()).unwrap();
    assert_eq!(of(&state, late, "certificates").verdict, Verdict::Good);
}

/// An agent that was never heard, that reports, and that is silent.
#[test]
fn silent_agents_are_heard_again() {
    let instance = InProcessAppliance::new();
    instance.release(1, 1, "a");
    let (state, now) = (instance.state(), instance.clock.now());
    assert_told(
        &of(&state, now, "agents"),
        Verdict::Look,
        "silent",
        "airlock target connect TARGET",
    );
    let serving = Serving::start(instance, Settings::default());
    let token = serving.token("edge-0");
    assert_eq!(serving.agent(&token, "GET", "resources", "").status, 200);
    let instance = serving.stop();
    assert_eq!(of(&instance.state(), now, "agents").verdict, Verdict::Good);
    let later = now.plus_seconds(3600);
    assert_told(
        &of(&instance.state(), later, "agents"),
        Verdict::Look,
        "silent",
        "the agent's own log",
    );
}

/// The same disk with room again, writable again, and the folder on another one.
#[test]
fn disks_are_put_right_as_the_findings_say() {
    if !in_namespace("remedies::doctor::disks_are_put_right_as_the_findings_say") {
        return;
    }
    let Some(disk) = Disk::mount("ext4") else { return };
    let operator = Operator::new();
    let state = disk.path().join("state");
    copy_disk(&operator.state(), &state);
    let now = SystemClock.now();
    // It is smaller than what a site needs.
    assert_told(&of(&state, now, "disk"), Verdict::Broken, "low", "airlock gc --dry-run");
    let mount = |how: &str| {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{how}")]).arg(disk.path());
        assert!(command.status().unwrap().success());
    };
    assert_eq!(of(&state, now, "media").verdict, Verdict::Good);
    mount("ro");
    assert_told(
        &of(&state, now, "media"),
        Verdict::Broken,
        "read-only",
        "mount it for writing",
    );
    mount("rw");
    assert_eq!(of(&state, now, "media").verdict, Verdict::Good);
    let memory = Disk::mount("tmpfs").unwrap();
    let moved = memory.path().join("state");
    copy_disk(&state, &moved);
    assert_told(
        &of(&moved, now, "media"),
        Verdict::Look,
        "file-system",
        "point --state at it there",
    );
    assert_eq!(of(&state, now, "media").verdict, Verdict::Good);
}

/// A certificate of the site's own that ends soon, and the next one in its place.
#[test]
fn a_certificate_that_ends_is_renewed_in_its_files() {
    let operator = Operator::new();
    let (certificate, key) = (operator.file("tls.pem", b""), operator.file("tls.key", b""));
    let put = |days: i64| {
        let mut parameters = rcgen::CertificateParams::new(vec!["airlock.plant.example".into()]).unwrap();
        let seconds = |time: Timestamp| std::time::Duration::from_secs(time.unix().unsigned_abs());
        let now = SystemClock.now();
        parameters.not_before = rcgen::date_time_ymd(1970, 1, 1) + seconds(now.plus_seconds(-DAY));
        parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + seconds(now.plus_seconds(days * DAY));
        let pair = rcgen::KeyPair::generate().unwrap();
        write(&certificate, parameters.self_signed(&pair).unwrap().pem().as_bytes());
        write(&key, pair.serialize_pem().as_bytes());
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let text = format!(
        "[tls]\nlisten = [\"127.0.0.1:0\"]\nnames = [\"airlock.plant.example\"]\ncertificate = {certificate:?}\nkey = {key:?}\n"
    );
    let config = operator.file("airlock.toml", text.as_bytes());
    let doctor = || {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "doctor", "--config"]).arg(&config);
        command.arg("--state").arg(operator.state());
        let ended = Ended::of(&command.output().unwrap());
        let findings = ended.result["findings"].as_array().unwrap().clone();
        let own = findings.into_iter().find(|finding| {
            finding["part"] == "certificates" && finding["what"].as_str().unwrap().contains("own certificate")
        });
        own.unwrap()
    };
    put(20);
    let told = doctor();
    assert_eq!(
        (&told["verdict"], &told["error"]),
        (&"look".into(), &"E-EXPIRED certificate".into())
    );
    assert!(
        told["remedy"]
            .as_str()
            .unwrap()
            .contains("into the files that [tls] names")
    );
    put(300);
    assert_eq!(doctor()["verdict"], "good");
}
