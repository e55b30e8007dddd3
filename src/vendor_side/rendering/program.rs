//! Runs another program to its end, for a while and for so many bytes.

use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use super::guard::Guard;
use crate::domain::{Class, Error, Result};
use crate::stream::read_bounded;

/// How long it may take, and how much it may write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

/// Most memory that it may fill.
const MEMORY: u64 = 1 << 30;
/// Most that it may lay out: programs reserve much that they never fill.
const RESERVED: u64 = 8 << 30;
/// Longest time that processors may work for it, all of them together: also where nobody is left who waits for it.
const WORK: u64 = 120;

/// What it wrote, and whether it says that all went well.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) well: bool,
    pub(super) out: Vec<u8>,
    pub(super) said: Vec<u8>,
}

/// Runs a program without input. At a bound it is ended, with whatever it started.
///
/// # Errors
///
/// `E-IO` when it cannot be started; `E-LIMIT size`, `memory` and `time`.
pub(super) fn run(mut command: Command, what: &str, bounds: Bounds) -> Result<Ended> {
    let program = command.get_program().to_owned();
    let guard = Guard::begin()?;
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(i32::try_from(guard.group()).unwrap_or(0))
        .spawn()
        .map_err(|error| Error::io("start", program.as_ref(), error))?;
    let child = &mut Running { child, guard };
    if let Err(error) = bound(child) {
        return Err(Error::io("bound", program.as_ref(), error.into()));
    }
    let deadline = Instant::now() + bounds.time;
    let late = || {
        let found = format!("{what} takes longer than {} s", bounds.time.as_secs());
        Error::new(Class::Limit, "time", found).remedy(LESS)
    };
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    let read = thread::scope(|scope| {
        let (sender, ended) = mpsc::channel();
        for (which, pipe) in pipes.into_iter().enumerate() {
            let sender = sender.clone();
            scope.spawn(move || {
                let bytes = pipe.map_or(Ok(Vec::new()), |pipe| read_bounded(pipe, bounds.bytes, what));
                // Whoever waited may have given up.
                sender.send((which, bytes)).ok();
            });
        }
        drop(sender);
        let mut texts = [Vec::new(), Vec::new()];
        for _ in 0..texts.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            let read = ended.recv_timeout(left).map_err(|_| late());
            match read.and_then(|(which, bytes)| Ok((which, bytes?))) {
                Ok((which, bytes)) => {
                    if let Some(text) = texts.get_mut(which) {
                        *text = bytes;
                    }
                }
                Err(error) => {
                    // The pipes end with whoever holds them, and so do their readers.
                    child.end();
                    return Err(error);
                }
            }
        }
        Ok(texts)
    });
    let [out, said] = read?;
    loop {
        let failed = |error| Error::io("wait for", program.as_ref(), error);
        if let Some(status) = child.try_wait().map_err(failed)? {
            if !status.success() && lacks_memory(&said) {
                let found = format!("{what} needs more than {} MiB of memory", MEMORY >> 20);
                return Err(Error::new(Class::Limit, "memory", found).remedy(LESS));
            }
            if let Some(Signal::XCPU | Signal::KILL) = status.signal().and_then(Signal::from_named_raw) {
                return Err(late());
            }
            return Ok(Ended {
                well: status.success(),
                out,
                said,
            });
        }
        if Instant::now() >= deadline {
            return Err(late());
        }
        // It has closed its output: it is about to end.
        thread::sleep(Duration::from_millis(1));
    }
}

/// What to do about a program that wants too much.
const LESS: &str = "turn off in the values what is not needed, or have the templates make less";

/// A program that runs; it ends with this, with its whole group.
struct Running {
    child: Child,
    guard: Guard,
}

impl Running {
    fn end(&mut self) {
        self.guard.end();
        // What is gone already is gone.
        self.child.wait().ok();
    }
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tells the kernel what a program may have.
fn bound(child: &Child) -> rustix::io::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Data, MEMORY),
        (Resource::As, RESERVED),
        (Resource::Cpu, WORK),
    ] {
        let bounds = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        match prlimit(pid, resource, bounds) {
            // It has ended.
            Ok(_) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a program says that it got no memory, as those written in Go do.
fn lacks_memory(said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said);
    said.lines().any(|line| {
        let is_of_runtime = ["fatal error: ", "runtime: ", "runtime/cgo: "]
            .iter()
            .any(|begin| line.starts_with(begin));
        let words = [
            "out of memory",
            "cannot allocate memory",
            "reserve",
            "pthread_create failed",
        ];
        is_of_runtime && words.iter().any(|word| line.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, millis: u64, bytes: u64) -> Result<Ended> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let bounds = Bounds {
            time: Duration::from_millis(millis),
            bytes,
        };
        run(command, "it", bounds)
    }

    #[test]
    fn a_program_ends_at_its_bounds_with_all_that_it_started() {
        let ended = shell("echo a; echo b >&2; exit 3", 60_000, 10).unwrap();
        assert_eq!(
            (ended.well, &ended.out[..], &ended.said[..]),
            (false, &b"a\n"[..], &b"b\n"[..])
        );
        assert!(shell(":", 60_000, 10).unwrap().well);
        let began = Instant::now();
        let error = shell("sleep 600 & sleep 600", 50, 10).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Limit, "time"));
        let error = shell("yes", 60_000, 1000).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Limit, "size"));
        let error = shell("echo 'runtime: out of memory: cannot' >&2; exit 2", 60_000, 1000).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Limit, "memory"));
        let error = shell("kill -XCPU $$", 60_000, 10).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Limit, "time"));
        let ended = shell(
            "until [ \"$(ulimit -t)\" = 120 ]; do :; done; ulimit -d; ulimit -v; ulimit -c",
            60_000,
            100,
        )
        .unwrap();
        assert_eq!(String::from_utf8(ended.out).unwrap(), "1048576\n8388608\n0\n");
        let error = shell("exec >&- 2>&-; sleep 600", 50, 10).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Limit, "time"));
        assert!(began.elapsed() < Duration::from_secs(60));
        let error = run(
            Command::new("/no/such/program"),
            "it",
            Bounds {
                time: Duration::from_secs(1),
                bytes: 1,
            },
        );
        assert_eq!(error.unwrap_err().class(), Class::Io);
    }
}
