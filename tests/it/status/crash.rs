//! Nothing that was acknowledged is lost when the process is killed, and each answer comes after the sync that makes it true (P21).
//!
//! The test program runs itself once more as the process that is killed or traced: threads hand in statuses and say on stdout what was
//! acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use airlock::appliance::status::{Quota, StatusBuffer, overview};
use airlock::db::{Db, Schema, status};
use airlock::domain::StatusKind::{Error, Healthy};
use airlock::domain::{SystemClock, Timestamp};

use crate::support::appliance::read;
use crate::support::status::{id, logs, make_state, numbers_missing, opened, status as report, wait};
use crate::support::strace;

const FOLDER: &str = "AIRLOCK_TEST_STATUS_CHILD";
const ROUNDS: &str = "AIRLOCK_TEST_STATUS_ROUNDS";
const TARGETS: usize = 8;

/// In the child: hands in until it is killed, or for some rounds.
fn child() -> bool {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return false;
    };
    let rounds: u64 = std::env::var(ROUNDS).map_or(u64::MAX, |text| text.parse().unwrap());
    let folder = PathBuf::from(folder);
    let buffer = StatusBuffer::open(&opened(&folder, Arc::new(SystemClock)), Quota::default()).unwrap();
    std::thread::scope(|scope| {
        for target in 0..TARGETS {
            let (buffer, name) = (&buffer, format!("t{target}"));
            scope.spawn(move || {
                for n in 0..rounds {
                    // Repeats, other words, other kinds, and lines of logs.
                    let (kind, message) = match n % 5 {
                        0..3 => (Healthy, "well".to_owned()),
                        3 => (Error, format!("{name} {n}")),
                        _ => (Healthy, format!("{name} {n}")),
                    };
                    let mine = logs(&name, [(i64::try_from(n).unwrap(), format!("line {name} {n}"))]);
                    wait(buffer.submit(report(&name, "r1", kind, &message))).unwrap();
                    // One call for one line: lines of several threads do not mix.
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ACK status {name} {n}").unwrap();
                    drop(out);
                    wait(buffer.submit(mine)).unwrap();
                    writeln!(std::io::stdout().lock(), "ACK log {name} {n}").unwrap();
                }
            });
        }
    });
    true
}

fn start(test: &str, folder: &Path) -> Command {
    make_state(folder);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(FOLDER, folder);
    command
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    if child() {
        return;
    }
    for round in 0..4_usize {
        let folder = tempfile::tempdir().unwrap();
        let test = "status::crash::nothing_acknowledged_is_lost_by_a_kill";
        let mut child = start(test, folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard: Vec<String> = lines.by_ref().map(Result::unwrap).take(150 + round * 150).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had said before it died counts as well, up to a torn line.
        heard.extend(lines.map_while(Result::ok));
        let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
        let mut texts: Vec<String> = Vec::new();
        for line in &heard {
            let words: Vec<&str> = line.split(' ').collect();
            let ["ACK", kind, name, n] = words[..] else { continue };
            let Ok(n) = n.parse::<u64>() else { continue };
            if kind == "log" {
                texts.push(format!("line {name} {n}"));
            } else {
                *statuses.entry(name.to_owned()).or_default() += 1;
                if n % 5 >= 3 {
                    texts.push(format!("{name} {n}"));
                }
            }
        }
        assert!(statuses.values().sum::<u64>() > 50, "{heard:?}");
        // Opened as after a restart, it is complete.
        let open = StatusBuffer::open(&opened(folder.path(), Arc::new(SystemClock)), Quota::default()).unwrap();
        let (kept, count): (Vec<_>, BTreeMap<_, u64>) = {
            let entries = open.tail(0, 1_000_000).unwrap();
            drop(open);
            let db = Db::open(&folder.path().join("status.db"), &Schema::STATUS).unwrap();
            assert_eq!(numbers_missing(&db), (0, 0));
            let mut count = BTreeMap::new();
            for entry in &entries {
                if entry.record.kind.is_some() {
                    let number = entry.record.number;
                    let repeat = db.read(|connection| status::repeat_of(connection, number)).unwrap();
                    *count.entry(entry.source.as_ref().unwrap().target).or_default() +=
                        repeat.map_or(1, |repeat| repeat.count);
                }
            }
            (entries.into_iter().map(|entry| entry.record.text).collect(), count)
        };
        for text in &texts {
            assert_eq!(kept.iter().filter(|kept| *kept == text).count(), 1, "{text}");
        }
        for (name, acknowledged) in &statuses {
            let kept = count[&id(name)];
            // One more may have been committed and not yet said.
            assert!(
                (*acknowledged..=acknowledged + 1).contains(&kept),
                "{name}: {kept} of {acknowledged}"
            );
        }
        let overview = overview(&opened(folder.path(), Arc::new(SystemClock)), Timestamp::EPOCH, &|_| {
            None
        })
        .unwrap();
        assert_eq!(overview.len(), TARGETS);
    }
}

#[test]
fn the_data_is_synced_before_each_answer() {
    if child() {
        return;
    }
    if !strace::available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("trace");
    let test = "status::crash::the_data_is_synced_before_each_answer";
    let inner = start(test, folder.path());
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-y",
        "-e",
        "signal=none",
        "-e",
        "trace=write,pwrite64,fdatasync,fsync",
        "-o",
    ]);
    command
        .arg(&log)
        .arg("--")
        .arg(inner.get_program())
        .args(inner.get_args());
    command.env(FOLDER, folder.path()).env(ROUNDS, "20");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = String::from_utf8(read(&log)).unwrap();
    let (mut commits, mut answers) = (Vec::new(), BTreeMap::<&str, Vec<usize>>::new());
    let (mut begun, mut syncing) = (None, false);
    for (at, line) in trace.lines().enumerate() {
        let (thread, call) = line.split_once(' ').unwrap();
        let wal = call.contains("status.db-wal>");
        if wal && call.contains("pwrite64(") {
            begun = begun.or(Some(at));
        }
        syncing |= wal && call.contains("sync(");
        // A sync counts when it returns, which may be another line than the one where it began.
        if syncing && (wal || call.contains("sync resumed")) && call.contains(" = ") && !call.contains("pwrite64") {
            assert!(call.ends_with(" = 0"), "{line}");
            syncing = false;
            commits.extend(begun.take().map(|begun| (begun, at)));
        }
        if call.contains("\"ACK ") {
            answers.entry(thread).or_default().push(at);
        }
    }
    assert_eq!(begun, None, "what was written last was synced");
    assert_eq!(answers.values().map(Vec::len).sum::<usize>(), TARGETS * 40);
    for answers in answers.values() {
        // A thread hands in after its last answer; before the next one its commit was written and synced.
        for (before, after) in std::iter::once(&0).chain(answers).zip(answers) {
            let whole = commits.iter().any(|(begun, ended)| before <= begun && ended < after);
            assert!(whole, "no commit between lines {before} and {after} of the trace");
        }
    }
    assert!(commits.len() < TARGETS * 40, "commits are shared");
}
