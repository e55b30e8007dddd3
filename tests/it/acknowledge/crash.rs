//! Every changing call of applying an acknowledgement at the site, and of making one at the vendor, may be the last or may fail.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use airlock::appliance::Appliance;
use airlock::appliance::status::{Quota, StatusBuffer, freeze};
use airlock::db::ledger::acknowledgements as issued;
use airlock::db::site::{acknowledgements, audit};
use airlock::db::{Db, Schema};
use airlock::domain::{StatusKind, SystemClock};

use super::both::{Both, Reach, kept};
use crate::support::appliance::{AIRLOCK, Ended, scratch};
use crate::support::slow::share;
use crate::support::status::{AT_ONCE, of, status, submit};
use crate::support::strace::{self, Fault, Point};

/// By default every so manieth call gets its fault, beside the first and the last of each name.
const STRIDE: usize = 23;

fn slow() -> bool {
    share().is_some()
}

/// The points that are struck, and with what.
fn struck(points: &[Point]) -> Vec<(Fault, Point)> {
    let faults: &[Fault] = &[Fault::Kill, Fault::NoSpace, Fault::Io];
    let mut chosen = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let last = points.iter().rposition(|other| other.name == point.name) == Some(index);
        if !share().map_or(index % STRIDE == 0, |share| share.takes(index)) && point.nth > 1 && !last {
            continue;
        }
        for (number, fault) in faults.iter().enumerate() {
            if slow() && *fault == Fault::Kill && strace::is_behind_a_sync(points, index) {
                continue;
            }
            if slow() || number == 0 || (index / STRIDE) % 2 == number - 1 {
                chosen.push((*fault, point.clone()));
            }
        }
    }
    chosen
}

fn copy(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).ok();
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// A folder that is put back as it was moves no instance: its parts are of one time, and `cp -a` is told apart by its birth.
fn settle(state: &Path) {
    let path = state.join("identity/instance.json");
    let bytes = crate::support::appliance::read(&path);
    let text = String::from_utf8(bytes).unwrap();
    let instance = text.split("\"instance\":\"").nth(1).unwrap()[..32].to_owned();
    // Written again with its own birth: what `airlock` itself does when it begins one.
    std::fs::remove_file(&path).unwrap();
    let file = std::fs::File::create_new(&path).unwrap();
    let born = rustix::fs::statx(
        &file,
        "",
        rustix::fs::AtFlags::EMPTY_PATH,
        rustix::fs::StatxFlags::BTIME,
    )
    .unwrap();
    let birth = format!("{}.{:09}", born.stx_btime.tv_sec, born.stx_btime.tv_nsec);
    drop(file);
    crate::support::appliance::write(
        &path,
        format!("{{\"birth\":\"{birth}\",\"instance\":\"{instance}\"}}").as_bytes(),
    );
}

#[test]
fn every_changing_call_of_applying_one_may_be_the_last_or_fail() {
    if !strace::available() {
        return;
    }
    let both = Both::new();
    let state = both.bench.state();
    let opened = || Appliance::open(&state, Arc::new(SystemClock)).unwrap();
    {
        let appliance = opened();
        let open = StatusBuffer::open_collecting(&appliance, Quota::default(), AT_ONCE).unwrap();
        for message in ["one", "two", "three"] {
            submit(
                &open,
                of(both.domain, status("a", message, StatusKind::Healthy, message)),
            )
            .unwrap();
        }
        drop(open);
        assert_eq!(freeze(&appliance, &both.domain).unwrap().position, 3);
    }
    let audit = both.stream().rows.len() as u64;
    let packages: Vec<_> = (1..=4)
        .map(|_| {
            both.sign(Reach {
                records: 3,
                audit,
                ..Reach::default()
            })
        })
        .collect();
    both.write("one.ack", &both.says(1, &[&packages[3]]), "acme", "ack");
    let file = both.bench.path("one.ack");
    let words: Vec<OsString> = ["--format", "json", "status", "acknowledge"]
        .iter()
        .map(OsString::from)
        .chain([file.into(), "--state".into(), state.clone().into()])
        .collect();
    let keep = scratch();
    let whole = keep.path().join("whole");
    copy(&state, &whole);
    let reset = || {
        copy(&whole, &state);
        settle(&state);
    };
    reset();
    let traced = strace::run(&strace::changing(), &words);
    assert_eq!(traced.ended.word(), "applied", "{}", traced.ended.stderr);
    let points = strace::points(&traced.calls);
    assert!(
        points.iter().any(|point| point.name.starts_with("unlink")),
        "{points:?}"
    );
    let (mut before, mut after, mut behind) = (0, 0, 0);
    for (fault, point) in struck(&points) {
        reset();
        let hit = strace::strike(fault, &point.name, point.nth, &words);
        if fault == Fault::Kill {
            assert!(hit.fired(fault, &point.name, point.nth), "{point:?}: {hit:?}");
        }
        let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
        db.read(audit::verify).unwrap();
        let applied = db.read(|c| acknowledgements::newest(c, both.domain)).unwrap().is_some();
        let told = both
            .stream()
            .rows
            .iter()
            .filter(|row| row.action == "acknowledge")
            .count();
        assert_eq!(told, usize::from(applied), "{fault:?} {point:?}");
        let there = packages.iter().filter(|one| both.file(one).is_file()).count();
        if applied {
            after += 1;
            behind += usize::from(there > 2);
        } else {
            before += 1;
            assert_eq!(there, 4, "{fault:?} {point:?}: nothing goes that is not acknowledged");
        }
        // `status.db` follows at the next start, where nobody gives the command again.
        let open = StatusBuffer::open_collecting(&opened(), Quota::default(), AT_ONCE).unwrap();
        let stream = open.streams().unwrap().pop().unwrap();
        assert_eq!(stream.acknowledged, if applied { 3 } else { 0 }, "{fault:?} {point:?}");
        drop(open);
        // And the same command does the rest.
        let again = Ended::of(&Command::new(AIRLOCK).args(&words).output().unwrap());
        assert_eq!(
            again.word(),
            if applied { "already" } else { "applied" },
            "{fault:?} {point:?}: {}",
            again.stderr
        );
        let there: Vec<bool> = packages.iter().map(|one| both.file(one).is_file()).collect();
        assert_eq!(there, [false, false, true, true], "{fault:?} {point:?}");
        assert_eq!(both.reached(), (3, 0, audit), "{fault:?} {point:?}");
    }
    println!(
        "sweep of `status acknowledge`: {} changing calls; {before} ended before it was applied, {after} after, {behind} of these with files still there",
        points.len()
    );
    assert!(before > 2 && after > 2 && behind > 0, "{before} {after} {behind}");
}

#[test]
fn every_changing_call_of_making_one_may_be_the_last_or_fail() {
    if !strace::available() {
        return;
    }
    let both = Both::new();
    let package = both.report(100);
    let folder = both.bench.path("acme");
    let out = both.bench.path("made.ack");
    let words: Vec<OsString> = [
        "--format",
        "json",
        "vendor",
        "ledger",
        "ack",
        "plant",
        "--replace",
        "-o",
    ]
    .iter()
    .map(OsString::from)
    .chain([out.clone().into(), "-w".into(), folder.clone().into()])
    .collect();
    let keep = scratch();
    let whole = keep.path().join("whole");
    copy(&folder, &whole);
    let reset = || {
        copy(&whole, &folder);
        std::fs::remove_file(&out).ok();
    };
    reset();
    let traced = strace::run(&strace::changing(), &words);
    assert_eq!(traced.ended.word(), "new", "{}", traced.ended.stderr);
    let points = strace::points(&traced.calls);
    let (mut before, mut after) = (0, 0);
    for (fault, point) in struck(&points) {
        reset();
        let hit = strace::strike(fault, &point.name, point.nth, &words);
        if fault == Fault::Kill {
            assert!(hit.fired(fault, &point.name, point.nth), "{point:?}: {hit:?}");
        }
        let known = both.ledger().read(|c| issued::envelopes(c, &both.site)).unwrap();
        // What left is in the ledger: never the other way round.
        if out.try_exists().unwrap() {
            assert_eq!(known, [crate::support::appliance::read(&out)], "{fault:?} {point:?}");
        }
        let again = Ended::of(&Command::new(AIRLOCK).args(&words).output().unwrap());
        assert_eq!(again.code, Some(0), "{fault:?} {point:?}: {}", again.stderr);
        let says = kept(&out);
        assert_eq!(
            (says.number, says.packages),
            (1, vec![package.named()]),
            "{fault:?} {point:?}"
        );
        match known.as_slice() {
            [] => before += 1,
            [one] => {
                after += 1;
                assert_eq!(*one, crate::support::appliance::read(&out), "a number has one content");
            }
            _ => panic!("{fault:?} {point:?}: {} acknowledgements", known.len()),
        }
    }
    println!(
        "sweep of `vendor ledger ack`: {} changing calls; {before} ended before it was recorded, {after} after",
        points.len()
    );
    assert!(before > 2 && after > 1, "{before} {after}");
    assert_eq!(both.bench.good("status acknowledge made.ack")["result"], "applied");
}
