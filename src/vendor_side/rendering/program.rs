//! Runs another program to its end, for a while and for so many bytes.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::domain::{Class, Error, Result};
use crate::stream::read_bounded;

/// How long it may take, and how much it may write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

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
/// `E-IO` when it cannot be started; `E-LIMIT size` and `time`.
pub(super) fn run(mut command: Command, what: &str, bounds: Bounds) -> Result<Ended> {
    let program = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Error::io("start", program.as_ref(), error))?;
    let deadline = Instant::now() + bounds.time;
    let late = || {
        let found = format!("{what} takes longer than {} s", bounds.time.as_secs());
        Error::new(Class::Limit, "time", found)
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
                    end(&mut child);
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
            return Ok(Ended {
                well: status.success(),
                out,
                said,
            });
        }
        if Instant::now() >= deadline {
            end(&mut child);
            return Err(late());
        }
        // It has closed its output: it is about to end.
        thread::sleep(Duration::from_millis(1));
    }
}

/// Ends it with its whole group. What is gone already is gone.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        kill_process_group(group, Signal::KILL).ok();
    }
    child.kill().ok();
    child.wait().ok();
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
