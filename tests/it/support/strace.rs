//! Runs the program under strace: to see what it does, and to make its system calls fail or kill it.
//!
//! A fault that was never injected passes every test. So whoever injects asks [`Traced::fired`] for the proof from the trace. What
//! was found on the way: strace counts `when=` for each thread on its own; with `--seccomp-bpf` it injects errors
//! but no signals; and only calls that are traced are injected into.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::appliance::{AIRLOCK, Ended, read};
use super::left_out::left_out;
use super::stopper;

/// Calls that change something, as far as the machine has them.
const CHANGING: [&str; 26] = [
    "chmod",
    "creat",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
    "fdatasync",
    "fsync",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "open",
    "openat",
    "openat2",
    "pwrite64",
    "pwritev",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "syncfs",
    "unlink",
    "unlinkat",
    "write",
];

/// What is done to one system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed on entry.
    Kill,
    /// The call fails: the disk is full.
    NoSpace,
    /// The call fails: the disk is broken.
    Io,
}

impl Fault {
    fn word(self) -> &'static str {
        match self {
            Self::Kill => "signal=KILL",
            Self::NoSpace => "error=ENOSPC",
            Self::Io => "error=EIO",
        }
    }
}

/// A run under strace.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) ended: Ended,
    pub(crate) calls: Vec<Call>,
}

/// A system call as the trace shows it: calls that were cut in two by another thread are put together again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) thread: u32,
    pub(crate) name: String,
    /// Arguments and result.
    pub(crate) rest: String,
}

impl Call {
    /// What the call returned; nothing for one that never did.
    pub(crate) fn returned(&self) -> Option<i64> {
        let (_, result) = self.rest.rsplit_once(" = ")?;
        result.split(' ').next()?.parse().ok()
    }
}

impl Traced {
    /// Whether the fault really hit the n-th call of that name of one thread.
    pub(crate) fn fired(&self, fault: Fault, name: &str, nth: usize) -> bool {
        // strace counts for each thread on its own, and so is counted here.
        let mut seen = HashMap::new();
        self.calls.iter().filter(|call| call.name == name).any(|call| {
            let count: &mut usize = seen.entry(call.thread).or_default();
            *count += 1;
            *count == nth
                && match fault {
                    Fault::Kill => self.ended.signal == Some(9) && call.returned().is_none(),
                    Fault::NoSpace | Fault::Io => call.rest.contains("(INJECTED)"),
                }
        })
    }
}

/// The n-th call of a name, as an undisturbed run makes it.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) nth: usize,
}

/// Whether strace can be used here; says so and returns false where not. In CI that is a failure.
pub(crate) fn available() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    if !works {
        left_out("strace is not installed or not allowed here");
    }
    works
}

/// Whether a call writes out what is there and changes nothing: a kill at the call behind it leaves what a kill at it leaves, for a kill
/// loses nothing that was written.
pub(crate) fn only_syncs(name: &str) -> bool {
    matches!(name, "fsync" | "fdatasync" | "syncfs")
}

/// Whether the call before only syncs: a kill there proves the same once more.
pub(crate) fn is_behind_a_sync(points: &[Point], index: usize) -> bool {
    index > 0 && only_syncs(&points[index - 1].name)
}

/// The kernel stops the program at calls that are traced alone: at every other one it saves two switches to strace and back. What the
/// program's own filter denies is not seen then.
pub(crate) const SELECTIVE: &str = "--seccomp-bpf";

/// Runs the program with a fault at the n-th call of that name that one of its threads makes.
pub(crate) fn strike(fault: Fault, name: &str, nth: usize, arguments: &[OsString]) -> Traced {
    // strace could kill only if it stopped the program at every call that it makes.
    if fault == Fault::Kill && stopper::works() {
        return stopper::kill(name, nth, arguments);
    }
    run(&inject(fault, name, nth), arguments)
}

/// The arguments with which strace hits one call.
pub(crate) fn inject(fault: Fault, name: &str, nth: usize) -> Vec<String> {
    let mut words = vec![
        "-e".into(),
        format!("trace={name}"),
        "-e".into(),
        format!("inject={name}:{}:when={nth}", fault.word()),
    ];
    // A signal that strace injects is lost at such a stop.
    if fault != Fault::Kill {
        words.push(SELECTIVE.to_owned());
    }
    words
}

/// Runs the program under strace with more arguments for strace, and waits for the end of both.
pub(crate) fn run(strace: &[String], arguments: &[OsString]) -> Traced {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = command(strace, log.path(), arguments).output().unwrap();
    finish(&output, log.path())
}

/// The command that does so, for callers that talk to the program while it runs.
pub(crate) fn command(strace: &[String], log: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "signal=none", "-o"]).arg(log).args(strace);
    command.arg("--").arg(AIRLOCK).args(arguments).stdin(Stdio::null());
    command
}

/// Reads what strace wrote.
pub(crate) fn finish(output: &Output, log: &Path) -> Traced {
    Traced {
        ended: Ended::of(output),
        calls: parse(&String::from_utf8_lossy(&read(log))),
    }
}

fn parse(log: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in log.lines() {
        let Some((thread, line)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let (Ok(thread), line) = (thread.parse::<u32>(), line.trim_start()) else {
            continue;
        };
        if let Some((_, rest)) = line.split_once("resumed>") {
            if let Some(call) = calls.iter_mut().rev().find(|call| call.thread == thread) {
                call.rest.push_str(rest);
            }
        } else if let Some((name, rest)) = line.split_once('(') {
            let known = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if known && !name.is_empty() {
                let rest = rest.trim_end_matches("<unfinished ...>").to_owned();
                calls.push(Call {
                    thread,
                    name: name.to_owned(),
                    rest,
                });
            }
        }
    }
    calls
}

/// The arguments with which strace shows every call that changes something.
pub(crate) fn changing() -> Vec<String> {
    let traced: Vec<String> = CHANGING.iter().map(|name| format!("?{name}")).collect();
    vec![
        SELECTIVE.to_owned(),
        "-e".to_owned(),
        format!("trace={}", traced.join(",")),
    ]
}

/// Every call of a run that changes something, in order.
pub(crate) fn points(calls: &[Call]) -> Vec<Point> {
    assert!(
        calls.iter().all(|call| call.thread == calls[0].thread),
        "several threads change things: `when=` would count each for itself"
    );
    let mut seen = HashMap::new();
    let mut points = Vec::new();
    for call in calls {
        let nth: &mut usize = seen.entry(call.name.clone()).or_default();
        *nth += 1;
        let opens = call.name.starts_with("open");
        if !opens
            || ["O_CREAT", "O_TRUNC", "O_TMPFILE"]
                .iter()
                .any(|flag| call.rest.contains(flag))
        {
            points.push(Point {
                name: call.name.clone(),
                nth: *nth,
            });
        }
    }
    points
}
