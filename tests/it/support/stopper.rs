//! Runs the program and strikes at one of the calls with which it changes something, whichever of its threads makes it: the work is that
//! of `stopper.py`.
//!
//! Calls are counted in the order in which they are made, over all threads. Threads may take turns otherwise in the next run; a sweep
//! over all numbers still strikes behind every number of changes that can have been made.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Output, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::json;

use super::appliance::{AIRLOCK, Ended, read, scratch};
use super::left_out::left_out;
use super::strace::{Call, Fault, Traced};

/// A Python that strikes, run after run: to start one takes longer than most runs.
struct Stopper {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Those that nobody uses right now. They end with the tests, whose end closes what they read.
static IDLE: Mutex<Vec<Stopper>> = Mutex::new(Vec::new());

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
        left_out("there is no Python here, or processes cannot be traced");
    }
    works()
}

/// The same, without a word.
pub(super) fn works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        cfg!(target_arch = "x86_64")
            && struck("none", "0", OsStr::new("/bin/true"), &[]).is_some_and(|(output, _)| output.status.success())
    })
}

/// Kills the program at the n-th call of that name that one of its threads makes.
pub(super) fn kill(name: &str, nth: usize, arguments: &[OsString]) -> Traced {
    let (output, log) = struck("kill", &format!("{name}:{nth}"), OsStr::new(AIRLOCK), arguments).unwrap();
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

/// Runs the program; the n-th read of a file fails, if any, counted from 1 over all threads. Says how many reads of it were made, and whether
/// that one was.
pub(crate) fn fail_read(path: &Path, nth: Option<usize>, arguments: &[OsString]) -> (Ended, usize, bool) {
    let fault = if nth.is_some() { "5" } else { "none" };
    let which = format!("read@{}:{}", path.display(), nth.unwrap_or(0));
    let (output, log) = struck(fault, &which, OsStr::new(AIRLOCK), arguments).unwrap();
    (Ended::of(&output), log.lines().count(), log.contains("struck"))
}

/// Runs the program; the fault, if any, hits the n-th call that changes something, counted from 1.
pub(crate) fn run(arguments: &[OsString], strike: Option<(Fault, usize)>) -> Run {
    let (fault, number) = match strike {
        None => ("none", 0),
        Some((Fault::Kill, number)) => ("kill", number),
        Some((Fault::NoSpace, number)) => ("28", number),
        Some((Fault::Io, number)) => ("5", number),
    };
    let (output, log) = struck(fault, &number.to_string(), OsStr::new(AIRLOCK), arguments).unwrap();
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

/// Runs a program, and returns how it ended and the trace; nothing where there is no Python, or processes cannot be traced.
fn struck(fault: &str, which: &str, program: &OsStr, arguments: &[OsString]) -> Option<(Output, String)> {
    let idle = IDLE.lock().unwrap().pop();
    let mut stopper = idle.or_else(Stopper::start)?;
    let struck = stopper.strike(fault, which, program, arguments)?;
    IDLE.lock().unwrap().push(stopper);
    Some(struck)
}

impl Stopper {
    fn start() -> Option<Self> {
        let mut command = super::python::python();
        // Without what a machine adds to Python.
        command.args([
            "-I",
            "-S",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/stopper.py"),
        ]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        Some(Self {
            asked: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        })
    }

    fn strike(
        &mut self,
        fault: &str,
        which: &str,
        program: &OsStr,
        arguments: &[OsString],
    ) -> Option<(Output, String)> {
        let folder = scratch();
        let [trace, out, error] = ["trace", "out", "error"].map(|name| folder.path().join(name));
        let line = [&[program.to_owned()], arguments].concat();
        let line: Vec<&str> = line.iter().map(|word| word.to_str().unwrap()).collect();
        writeln!(self.asked, "{}", json!([trace, fault, which, out, error, line])).ok()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).ok()?;
        let output = Output {
            status: ExitStatus::from_raw(answer.trim().parse().ok()?),
            stdout: read(&out),
            stderr: read(&error),
        };
        Some((output, String::from_utf8(read(&trace)).unwrap()))
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        // One whose answer was none.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
