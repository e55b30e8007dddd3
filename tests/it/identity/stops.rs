//! Killed or failing at every call that changes something: another life that is said, other keys that are taken, a summary that is taken in.
//! Each is done whole or not at all, the same command again does the rest, and what the site tells then is taken.
//! (`rotation` has that of new keys.) With `AIRLOCK_SLOW` alone.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use airlock::db::{Db, Schema, SqlResult as _};

use super::bench::Bench;
use crate::support::appliance::{AIRLOCK, read, write};
use crate::support::slow::share;
use crate::support::strace::{self, Fault};

/// Counts rows of a database.
fn count(file: &Path, schema: &Schema, sql: &str) -> u64 {
    let db = Db::open(file, schema).unwrap();
    db.read(|c| c.query_row(sql, [], |row| row.get(0)).sql("count"))
        .unwrap()
}

fn ledger(bench: &Bench, sql: &str) -> u64 {
    count(&bench.path("acme/ledger.db"), &Schema::LEDGER, sql)
}

fn site(bench: &Bench, sql: &str) -> u64 {
    count(&bench.state().join("airlock.db"), &Schema::SITE, sql)
}

/// A site that the vendor knows, which has sent a package; nothing where nothing is swept.
fn base() -> Option<Bench> {
    if share().is_none() || !strace::available() {
        return None;
    }
    let bench = Bench::new();
    std::fs::create_dir(bench.path("stick")).unwrap();
    bench.good("vendor enroll --yes plant.json --name plant");
    tell(&bench);
    Some(bench)
}

/// The site's next package is taken in, and nobody tells two stories.
fn tell(bench: &Bench) {
    let made = bench.good("status export stick");
    let name = made["packages"][0]["file"].as_str().unwrap().to_owned();
    let taken = bench.good(&format!("status verify {name}"));
    assert_eq!(taken[0]["result"], "taken-in", "{taken}");
    let found = bench.good("vendor ledger findings").to_string();
    assert!(
        !found.contains("E-EQUIVOCATION") && !found.contains("package-number"),
        "{found}"
    );
}

/// Strikes a command at each of its calls; `check` sees what is left, and does the rest.
fn sweep(base: &Bench, words: &str, check: &dyn Fn(&Bench, &str)) {
    let arguments = |bench: &Bench| -> Vec<OsString> {
        let own = |word: &str| match word {
            "STATE" => bench.state().into(),
            word if word.contains('.') || word == "acme" => bench.path(word).into(),
            word => OsString::from(word),
        };
        words.split_whitespace().map(own).collect()
    };
    let undisturbed = base.copy();
    let traced = strace::run(&strace::changing(), &arguments(&undisturbed));
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    let points = strace::points(&traced.calls);
    assert!(points.iter().any(|point| point.name == "pwrite64"), "{points:?}");
    for (index, point) in points.iter().enumerate() {
        if !share().is_some_and(|share| share.takes(index)) {
            continue;
        }
        for fault in [Fault::Kill, Fault::NoSpace, Fault::Io] {
            if fault == Fault::Kill && strace::is_behind_a_sync(&points, index) {
                continue;
            }
            let bench = base.copy();
            let struck = strace::strike(fault, &point.name, point.nth, &arguments(&bench));
            if struck.fired(fault, &point.name, point.nth) {
                check(&bench, &format!("{fault:?} {point:?}"));
            }
        }
    }
    println!("{words}: {} calls", points.len());
}

#[test]
fn another_life_is_said_whole_or_not_at_all() {
    let Some(base) = base() else { return };
    let lives = "SELECT count(*) FROM instance";
    let before = site(&base, lives);
    sweep(&base, "recover --yes --as restored --state STATE", &|bench, told| {
        let now = site(bench, lives);
        let rows = site(
            bench,
            "SELECT count(*) FROM stream_audit WHERE detail LIKE '%restored%'",
        );
        assert!(
            now <= before + 1 && rows == now - before,
            "{told}: {now} lives, {rows} rows"
        );
        tell(bench);
        bench.good("recover --yes --as restored");
        assert_eq!(site(bench, lives), now + 1, "{told}");
        tell(bench);
    });
}

#[test]
fn other_keys_are_taken_whole_or_not_at_all() {
    let Some(base) = base() else { return };
    let rotated = base.good("status rotate-key --yes");
    let file = rotated["enrolments"][0]["file"].as_str().unwrap();
    write(&base.path("new.json"), &read(Path::new(file)));
    sweep(
        &base,
        "vendor enroll --yes new.json --replace plant -w acme",
        &|bench, told| {
            let earlier = ledger(bench, "SELECT count(*) FROM earlier_key");
            let rows = ledger(bench, "SELECT count(*) FROM audit WHERE action LIKE '%key%'");
            assert!(
                earlier <= 1 && rows == earlier,
                "{told}: {earlier} earlier keys, {rows} rows"
            );
            bench.good("vendor enroll --yes new.json --replace plant");
            assert_eq!(ledger(bench, "SELECT count(*) FROM earlier_key"), 1, "{told}");
            tell(bench);
        },
    );
}

#[test]
fn a_summary_is_taken_in_whole_or_not_at_all() {
    let Some(base) = base() else { return };
    base.good("status export stick");
    let mut summary = Command::new(AIRLOCK);
    summary.args(["status", "summary", "--state"]).arg(base.state());
    write(&base.path("codes.txt"), &summary.output().unwrap().stdout);
    sweep(&base, "status verify codes.txt -w acme", &|bench, told| {
        let kept = ledger(bench, "SELECT count(*) FROM summary");
        let rows = ledger(bench, "SELECT count(*) FROM audit WHERE action LIKE '%summary%'");
        assert!(kept <= 1 && rows == kept, "{told}: {kept} summaries, {rows} rows");
        let again = bench.good("status verify codes.txt");
        assert_eq!(again[0]["known"], kept == 1, "{told}: {again}");
        assert_eq!(ledger(bench, "SELECT count(*) FROM summary"), 1, "{told}");
        tell(bench);
    });
}
