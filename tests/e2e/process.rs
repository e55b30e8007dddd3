//! Running programs: to their end with captured output, or as services that end with their guard.
//!
//! Invariants: whatever is started here is ended here, by its process id; nothing is waited for without a deadline;
//! what a program said is part of the failure's text.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, failure};

/// Longest time that any one program may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest time from the start of a service to its first word of being ready.
const START: Duration = Duration::from_secs(60);
/// Longest time that a service may take to end.
const END: Duration = Duration::from_secs(40);

/// A program with its arguments.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    shown: String,
}

/// What a program said until its end.
#[derive(Debug)]
pub(crate) struct Said {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
    shown: String,
}

/// A running program; dropping it ends the program.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    shown: String,
}

impl Program {
    /// Names a program.
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(&name);
        command.stdin(Stdio::null());
        Self {
            command,
            shown: name.as_ref().to_string_lossy().into_owned(),
        }
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(&arg);
        write!(self.shown, " {}", arg.as_ref().to_string_lossy()).ok();
        self
    }

    /// Adds arguments.
    pub(crate) fn args(self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Adds the words of a line as arguments.
    pub(crate) fn words(self, line: &str) -> Self {
        self.args(line.split_whitespace())
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Takes an environment variable away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Gives the program something to read.
    pub(crate) fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.command.stdin(from);
        self
    }

    /// Runs it to its end, whatever that is.
    pub(crate) fn run(mut self) -> Outcome<Said> {
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start `{}`: {e}", self.shown))?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let status = end_within(&mut child, PATIENCE, &self.shown)?;
        Ok(Said {
            status,
            stdout: text(&stdout)?,
            stderr: text(&stderr)?,
            shown: self.shown,
        })
    }

    /// Runs it and expects exit code 0; returns its standard output.
    pub(crate) fn ok(self) -> Outcome<String> {
        let said = self.run()?;
        if said.status.success() {
            Ok(said.stdout)
        } else {
            failure(said.told())
        }
    }

    /// Runs it and expects this exit code; returns its standard error.
    pub(crate) fn refused(self, code: i32) -> Outcome<String> {
        let said = self.run()?;
        if said.status.code() == Some(code) {
            Ok(said.stderr)
        } else {
            failure(format!("expected exit code {code}: {}", said.told()))
        }
    }

    /// Starts it as a service and waits until a line of its output says that it is ready.
    pub(crate) fn serve<T>(mut self, ready: impl Fn(&str) -> Option<T>) -> Outcome<(Service, T)> {
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start `{}`: {e}", self.shown))?;
        let (sender, lines) = channel();
        follow(child.stdout.take(), sender.clone());
        follow(child.stderr.take(), sender);
        let mut service = Service {
            child,
            lines,
            log: Vec::new(),
            shown: self.shown,
        };
        let value = service.wait_for(ready)?;
        Ok((service, value))
    }

    /// Starts it with its standard output as a pipe for another program.
    pub(crate) fn pipe(mut self) -> Outcome<(Child, Stdio, Receiver<String>)> {
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no pipe")?;
        let stderr = collect(child.stderr.take());
        Ok((child, stdout.into(), stderr))
    }
}

impl Said {
    /// What was run, how it ended and what it said, for a failure's text.
    pub(crate) fn told(&self) -> String {
        format!(
            "`{}` ended with {}\n{}{}",
            self.shown, self.status, self.stdout, self.stderr
        )
    }
}

impl Service {
    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of output.
    pub(crate) fn wait_for<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> Outcome<T> {
        let deadline = Instant::now() + START;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    let value = wanted(&line);
                    self.log.push(line);
                    if let Some(value) = value {
                        return Ok(value);
                    }
                }
                Err(error) => {
                    let why = match error {
                        RecvTimeoutError::Timeout => "did not say that it is ready",
                        RecvTimeoutError::Disconnected => "ended",
                    };
                    return failure(format!("`{}` {why}:\n{}", self.shown, self.log.join("\n")));
                }
            }
        }
    }

    /// Asks it to end and returns how it did, with all that it said.
    pub(crate) fn end(mut self) -> Outcome<(ExitStatus, String)> {
        self.signal(Signal::TERM);
        let status = end_within(&mut self.child, END, &self.shown)?;
        self.log.extend(self.lines.iter());
        Ok((status, self.log.join("\n")))
    }

    fn signal(&self, signal: Signal) {
        // Gone already is as good.
        kill_process(Pid::from_child(&self.child), signal).ok();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            end_within(&mut self.child, END, &self.shown).ok();
        }
    }
}

/// Waits for a process that was started with [`Program::pipe`].
pub(crate) fn end_of(mut child: Child, stderr: &Receiver<String>) -> Outcome {
    let status = end_within(&mut child, PATIENCE, "the program before the pipe")?;
    if status.success() {
        Ok(())
    } else {
        failure(format!(
            "the program before the pipe ended with {status}: {}",
            text(stderr)?
        ))
    }
}

/// Waits for the end of a process, and ends it when it takes too long.
fn end_within(child: &mut Child, patience: Duration, shown: &str) -> Outcome<ExitStatus> {
    let pid = Pid::from_child(child);
    let (sender, cancelled) = channel::<()>();
    // The watcher sleeps on a channel that closes when the wait is over; only then can the id be another's.
    let watcher = thread::spawn(move || {
        let late = cancelled.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
        if late {
            kill_process(pid, Signal::KILL).ok();
        }
        late
    });
    let status = child.wait();
    drop(sender);
    if watcher.join().unwrap_or(true) {
        return failure(format!(
            "`{shown}` took longer than {} s and was ended",
            patience.as_secs()
        ));
    }
    Ok(status?)
}

fn collect(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            from.read_to_end(&mut bytes).ok();
        }
        sender.send(String::from_utf8_lossy(&bytes).into_owned()).ok();
    });
    receiver
}

fn text(from: &Receiver<String>) -> Outcome<String> {
    Ok(from.recv_timeout(END)?)
}

fn follow(from: Option<impl Read + Send + 'static>, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from?).split(b'\n') {
            // Nobody listens any more: keep reading, so that the program does not stop at a full pipe.
            to.send(String::from_utf8_lossy(&line.ok()?).into_owned()).ok();
        }
        Some(())
    });
}
