//! Runs jobs as processes of their own and reads what each took from `/proc`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

/// Clock ticks of `/proc/PID/stat` in a second: fixed on Linux.
const TICKS: f64 = 100.0;

/// What a job took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    pub(crate) wall: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
    /// Bytes that were read by system calls.
    pub(crate) read: f64,
    /// Bytes that became dirty pages or went to the device.
    pub(crate) written: f64,
    /// The most memory that was held so far; 0 of a process that has ended.
    pub(crate) peak: f64,
}

/// A moment from which a process is measured.
pub(crate) struct Start {
    at: Instant,
    before: Taken,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self {
            before: of_process("self"),
            at: Instant::now(),
        }
    }

    pub(crate) fn taken(&self) -> Taken {
        let wall = self.at.elapsed().as_secs_f64();
        let now = of_process("self");
        Taken {
            wall,
            user: now.user - self.before.user,
            system: now.system - self.before.system,
            read: now.read - self.before.read,
            written: now.written - self.before.written,
            peak: now.peak,
        }
    }
}

/// Returns what a process has taken so far, all threads together. Also that of a process which ended and was not waited for.
pub(crate) fn of_process(id: &str) -> Taken {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field behind it.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let io = std::fs::read_to_string(format!("/proc/{id}/io")).unwrap();
    let count = |name: &str| -> f64 {
        let line = io.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().parse().unwrap()
    };
    Taken {
        wall: 0.0,
        user: fields[11].parse::<f64>().unwrap() / TICKS,
        system: fields[12].parse::<f64>().unwrap() / TICKS,
        read: count("rchar:"),
        written: count("write_bytes:"),
        peak: peak(id),
    }
}

/// Returns the most memory that a process has held so far, in bytes; 0 where it has ended.
pub(crate) fn peak(id: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) else {
        return 0.0;
    };
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024.0
}

/// Runs a job of this program in a new process, after the disk is quiet and the named files are out of the cache.
pub(crate) fn job(cold: &[&Path], words: &[&str]) -> Vec<Taken> {
    for path in cold {
        forget(path);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--job")
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the job {words:?} failed");
    let parts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    parts
        .iter()
        .map(|part| {
            let number = |name: &str| part[name].as_f64().unwrap();
            Taken {
                wall: number("wall"),
                user: number("user"),
                system: number("system"),
                read: number("read"),
                written: number("written"),
                peak: number("peak"),
            }
        })
        .collect()
}

/// Makes a file clean and drops its cached pages, so that it is read from the disk.
pub(crate) fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    rustix::fs::syncfs(&file).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

/// The other end of [`job`].
pub(crate) fn child(words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parts = match words[..] {
        ["create", set, out] => super::create::ours(Path::new(set), Path::new(out)),
        ["verify", set] => super::import::verify(Path::new(set)),
        ["import", set, state] => super::import::ours(Path::new(set), Path::new(state)),
        ["import-until", set, state, percent] => {
            super::import::until(Path::new(set), Path::new(state), percent.parse().unwrap())
        }
        ["import-on", set, state] => super::import::on(Path::new(set), Path::new(state)),
        ["gc-plan", state] => super::care::plan(Path::new(state)),
        ["scrub", state, rate] => super::care::scrub(Path::new(state), rate.parse().unwrap()),
        ["floor-scrub", state] => super::care::floor(Path::new(state)),
        ["floor-take-in", file] => super::floor::take_in(Path::new(file), None),
        ["floor-take-in", file, out] => super::floor::take_in(Path::new(file), Some(Path::new(out))),
        ["floor-create", set, out] => super::floor::create(Path::new(set), Path::new(out)),
        ["floor-hash", threads, bytes] => super::floor::hash(threads.parse().unwrap(), bytes.parse().unwrap()),
        ["floor-read", file] => super::floor::read(Path::new(file)),
        ["floor-copy", file, bytes, out] => super::floor::copy(Path::new(file), bytes.parse().unwrap(), Path::new(out)),
        ["create-from", vendor, file, out] => super::ways::create(Path::new(vendor), Path::new(file), Path::new(out)),
        ["floor-fetch", list, address, out] => {
            super::floor::fetch(Path::new(list), address.parse().unwrap(), Path::new(out))
        }
        ["floor-push", list, address] => super::floor::push(Path::new(list), address.parse().unwrap()),
        ["floor-cp", from, to] => super::floor::cp(Path::new(from), Path::new(to)),
        ["floor-tar", file, out] => super::floor::tar(Path::new(file), Path::new(out)),
        _ => panic!("there is no job {words:?}"),
    };
    tell(&parts);
}

/// Says what a job took, to the process that waits for it.
pub(crate) fn tell(parts: &[Taken]) {
    let parts: Vec<Value> = parts
        .iter()
        .map(|taken| {
            json!({
                "wall": taken.wall, "user": taken.user, "system": taken.system, "read": taken.read, "written": taken.written,
                "peak": taken.peak,
            })
        })
        .collect();
    println!("{}", Value::from(parts));
}

/// Measures one piece of work in this process.
pub(crate) fn timed(work: impl FnOnce()) -> Vec<Taken> {
    let start = Start::now();
    work();
    vec![start.taken()]
}
