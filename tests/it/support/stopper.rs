//! Runs the program and strikes at one of the calls with which it changes something, whichever of its threads makes it: the work is that
//! of `stopper.py`.
//!
//! Calls are counted in the order in which they are made, over all threads. Threads may take turns otherwise in the next run; a sweep
//! over all numbers still strikes behind every number of changes that can have been made.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::appliance::{AIRLOCK, Ended, read};
use super::strace::{Call, Fault, Traced};

/// How a run went.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) ended: Ended,
    /// The names of the calls that change something, in the order in which they were made.
    pub(crate) calls: Vec<String>,
    /// Whether the fault hit its call.
    pub(crate) fired: bool,
    /// Threads that made such calls.
    pub(crate) threads: usize,
}

/// Whether processes can be traced here; says so and returns false where not. In CI that is a failure.
pub(crate) fn available() -> bool {
    if !works() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "ptrace does not work here");
        println!("skipped: there is no Python here, or processes cannot be traced");
    }
    works()
}

/// The same, without a word.
pub(super) fn works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        let log = tempfile::NamedTempFile::new().unwrap();
        cfg!(target_arch = "x86_64")
            && command(log.path(), None)
                .arg("/bin/true")
                .output()
                .is_ok_and(|output| output.status.success())
    })
}

/// Kills the program at the n-th call of that name that one of its threads makes.
pub(super) fn kill(name: &str, nth: usize, arguments: &[OsString]) -> Traced {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = started(log.path(), "kill", &format!("{name}:{nth}"))
        .arg(AIRLOCK)
        .args(arguments)
        .output()
        .unwrap();
    let log = String::from_utf8(read(log.path())).unwrap();
    let calls = log.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Call {
            thread: words[0].parse().unwrap(),
            name: words[1].to_owned(),
            rest: String::new(),
        }
    });
    Traced {
        ended: Ended::of(&output),
        calls: calls.collect(),
    }
}

/// Runs the program; the fault, if any, hits the n-th call that changes something, counted from 1.
pub(crate) fn run(arguments: &[OsString], strike: Option<(Fault, usize)>) -> Run {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = command(log.path(), strike)
        .arg(AIRLOCK)
        .args(arguments)
        .output()
        .unwrap();
    let log = String::from_utf8(read(log.path())).unwrap();
    let (mut calls, mut threads, mut fired) = (Vec::new(), BTreeSet::new(), false);
    for line in log.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        threads.insert(words[0]);
        calls.push(words[1].to_owned());
        fired |= words.get(2) == Some(&"struck");
    }
    Run {
        ended: Ended::of(&output),
        calls,
        fired,
        threads: threads.len(),
    }
}

fn command(log: &std::path::Path, strike: Option<(Fault, usize)>) -> Command {
    let (fault, number) = match strike {
        None => ("none", 0),
        Some((Fault::Kill, number)) => ("kill", number),
        Some((Fault::NoSpace, number)) => ("28", number),
        Some((Fault::Io, number)) => ("5", number),
    };
    started(log, fault, &number.to_string())
}

fn started(log: &std::path::Path, fault: &str, which: &str) -> Command {
    let mut command = super::python::python();
    // Without what a machine adds to Python: it is started for every strike.
    command.args([
        "-I",
        "-S",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/stopper.py"),
    ]);
    command.arg(log).args([fault, which]).stdin(Stdio::null());
    command
}
