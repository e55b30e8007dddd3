//! Cases F05, F06 and B14: media that are pulled out, cannot be read, shrink, fall silent or never end; and what a killed import
//! need not read again (format.md 7).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::appliance::{self, Appliance, Ended, import_arguments, import_command, wait_for, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::slow::{Share, share};
use crate::support::stopper;
use crate::support::strace::{self, Traced};

/// An appliance without a release, and a bundle of 14 chunks: small blobs, one of 8 MiB, one of 3 MiB.
struct Setup {
    appliance: Appliance,
    folder: tempfile::TempDir,
    made: Made,
}

impl Setup {
    fn new() -> Self {
        let layers = [
            noise(700_000, 1),
            noise(8 << 20, 2),
            noise(600_000, 3),
            noise(3 << 20, 4),
        ];
        Self::with(&layers)
    }

    fn with(layers: &[Vec<u8>]) -> Self {
        let vendor = Vendor::new();
        let setup = Self {
            appliance: Appliance::init(&vendor),
            folder: appliance::scratch(),
            made: vendor.bundle(1, layers, SMALL_CHUNKS),
        };
        write(&setup.whole(), &setup.made.bytes);
        setup
    }

    fn whole(&self) -> PathBuf {
        self.folder.path().join("whole")
    }

    fn state(&self) -> PathBuf {
        self.appliance.path()
    }

    /// A copy of the bundle that ends early.
    fn cut(&self, length: usize) -> PathBuf {
        let path = self.folder.path().join(format!("cut-{length}"));
        write(&path, &self.made.bytes[..length]);
        path
    }

    fn length(&self) -> u64 {
        self.made.bytes.len() as u64
    }

    #[track_caller]
    fn check(&self) -> u64 {
        appliance::check(&self.state(), &[&self.made])
    }

    /// Nothing is visible, one row says why, and what was verified waits for the next try.
    #[track_caller]
    fn assert_kept(&self) {
        assert_eq!(self.check(), 0);
        assert_eq!(appliance::audit_actions(&self.state()).last().unwrap(), "refuse");
        assert_eq!(appliance::incoming(&self.state()).len(), 1);
    }

    fn journal(&self) -> Option<PathBuf> {
        let head = appliance::incoming(&self.state()).pop()?;
        let path = self.state().join("incoming").join(head).join("journal");
        path.is_file().then_some(path)
    }

    /// Imports the whole file; at most what the earlier tries had not verified is read.
    #[track_caller]
    fn finish(&self) -> Ended {
        let journalled = self.journal().is_some();
        let ended = if strace::available() {
            let run = trace_reads(&self.whole(), &import_arguments(&self.state(), &self.whole()), &[]);
            let read: u64 = run
                .calls
                .iter()
                .filter(|call| call.name.ends_with("read") || call.name == "pread64")
                .map(bytes)
                .sum();
            assert_eq!(
                read + run.ended.resumed_bytes(),
                self.length(),
                "every byte is read once or not at all"
            );
            run.ended
        } else {
            self.appliance.import(&self.whole())
        };
        ended.assert_imported();
        assert_eq!(ended.resumed_bytes() > 0, journalled, "{}", ended.stderr);
        assert_eq!(self.check(), 1);
        assert_eq!(appliance::incoming(&self.state()), Vec::<String>::new());
        ended
    }
}

fn bytes(call: &strace::Call) -> u64 {
    call.returned().map_or(0, |count| u64::try_from(count).unwrap_or(0))
}

/// Runs the program and sees the calls on one file only.
fn trace_reads(path: &Path, arguments: &[OsString], more: &[String]) -> Traced {
    let mut strace = vec!["-P".to_owned(), path.display().to_string()];
    strace.extend([strace::SELECTIVE, "-e", "trace=read,readv,pread64,lseek"].map(ToOwned::to_owned));
    strace.extend_from_slice(more);
    strace::run(&strace, arguments)
}

/// Starts an import from standard input.
fn start_feed(state: &Path) -> Child {
    let mut command = import_command(state, Path::new("-"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for the import and reads how it ended; its input ends now at the latest.
fn end(child: Child) -> Ended {
    Ended::of(&child.wait_with_output().unwrap())
}

#[test]
fn a_feed_that_ends_early_goes_on_from_the_medium() {
    let setup = Setup::new();
    let mut child = start_feed(&setup.state());
    let half = setup.made.bytes.len() / 2;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&setup.made.bytes[..half])
        .unwrap();
    end(child).assert_refused("E-INCOMPLETE", "truncated", "X11");
    setup.assert_kept();
    let resumed = setup.finish().resumed_bytes();
    assert!(resumed > setup.length() / 3, "{resumed}");
}

#[test]
fn a_medium_may_be_pulled_again_and_again() {
    let setup = Setup::new();
    let length = setup.made.bytes.len();
    // The third time it ends before the place that was reached, the fourth time exactly at the end blocks.
    for cut in [length / 3, length / 2, length / 4, length - 1024] {
        setup.appliance.import(&setup.cut(cut)).assert_refused(
            "E-INCOMPLETE",
            "truncated",
            if cut == length - 1024 { "X12" } else { "X11" },
        );
        setup.assert_kept();
    }
    assert!(setup.finish().resumed_bytes() > setup.length() * 9 / 10);
}

#[test]
fn a_feed_goes_on_over_a_pipe_too() {
    let setup = Setup::new();
    let cut = setup.made.bytes.len() * 2 / 3;
    setup
        .appliance
        .import(&setup.cut(cut))
        .assert_refused("E-INCOMPLETE", "truncated", "X11");
    let mut child = start_feed(&setup.state());
    child.stdin.take().unwrap().write_all(&setup.made.bytes).unwrap();
    let ended = end(child);
    ended.assert_imported();
    assert!(ended.resumed_bytes() > setup.length() / 2, "{ended:?}");
    assert_eq!(setup.check(), 1);
}

#[test]
fn every_read_of_the_medium_may_fail() {
    if !stopper::available() {
        return;
    }
    let setup = Setup::new();
    let counted = setup.appliance.copy();
    // Workers read by turns: the reads are counted over all of them.
    let (ended, reads, _) =
        stopper::fail_read(&setup.whole(), None, &import_arguments(&counted.path(), &setup.whole()));
    ended.assert_imported();
    assert!(reads > 20, "every chunk has a header and a body: {reads}");
    let (first, step) = share().map_or((0, 7), Share::points);
    let (mut fired, mut resumed) = (0, 0);
    for nth in (1 + first..=reads).step_by(step) {
        let setup = Setup {
            appliance: setup.appliance.copy(),
            folder: appliance::scratch(),
            made: setup.made.clone(),
        };
        write(&setup.whole(), &setup.made.bytes);
        let arguments = import_arguments(&setup.state(), &setup.whole());
        let (ended, _, hit) = stopper::fail_read(&setup.whole(), Some(nth), &arguments);
        assert!(hit, "{ended:?}");
        fired += 1;
        let (class, _, step) = ended.refusal.clone().unwrap();
        assert_eq!((class.as_str(), ended.code), ("E-IO", Some(25)), "read {nth}");
        assert!(
            ["X2", "X9a", "X11", "X12"].contains(&step.as_str()),
            "read {nth}: {step}"
        );
        assert_eq!(setup.check(), 0);
        assert_eq!(appliance::audit_actions(&setup.state()).last().unwrap(), "refuse");
        resumed += usize::from(setup.finish().resumed_bytes() > 0);
    }
    println!("read errors: {fired} of {reads} reads failed, {resumed} tries went on where they stopped");
    assert!(resumed > 0);
}

#[test]
fn a_file_that_shrinks_meanwhile_is_incomplete() {
    if !strace::available() {
        return;
    }
    let setup = Setup::new();
    let (log, path) = (
        tempfile::NamedTempFile::new().unwrap(),
        setup.folder.path().join("shrinks"),
    );
    write(&path, &setup.made.bytes);
    // The import stops itself at its 20th read, so that the file can shrink exactly then.
    let options = [
        "-P",
        path.to_str().unwrap(),
        "-e",
        "trace=read",
        "-e",
        "inject=read:signal=STOP:when=20",
        "-e",
        "signal=STOP",
    ];
    let mut command = strace::command(
        &options.map(ToOwned::to_owned),
        log.path(),
        &import_arguments(&setup.state(), &path),
    );
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stopped = 0;
    wait_for("the stop", || {
        let text = appliance::read(log.path());
        let text = String::from_utf8_lossy(&text);
        let line = text
            .lines()
            .find(|line| line.contains("stopped by SIGSTOP"))
            .map(str::to_owned);
        stopped = line.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(0);
        stopped > 0
    });
    let end_now = setup.length() * 2 / 3;
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(end_now)
        .unwrap();
    // A signal that comes before every thread has stopped is lost.
    let process = rustix::process::Pid::from_raw(stopped).unwrap();
    wait_for("the end", || {
        rustix::process::kill_process(process, rustix::process::Signal::CONT).ok();
        child.try_wait().unwrap().is_some()
    });
    end(child).assert_refused("E-INCOMPLETE", "truncated", "X11");
    setup.assert_kept();
    assert!(setup.finish().resumed_bytes() > setup.length() / 2);
}

/// Where the chunks of a bundle end.
fn chunk_ends(bundle: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut archive = tar::Archive::new(bundle);
    let ends: Vec<u64> = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().unwrap().starts_with("chunks"))
        .map(|entry| entry.raw_file_position() + entry.size())
        .collect();
    ends.into_iter()
}

#[test]
fn a_killed_import_reads_one_batch_again_at_most() {
    // 256 MiB make a batch, or half as many blobs as the process may open files; the long form fills several of the former, and the
    // short one several of the latter.
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let block = noise(1 << 20, 9);
    let layer = |mebibytes: usize, seed: u8| -> Vec<u8> {
        let parts = (0..mebibytes).map(|n| {
            let mut part = block.clone();
            part.rotate_left(n * 37 + usize::from(seed));
            part
        });
        parts.collect::<Vec<_>>().concat()
    };
    let (layers, files, batch) = if slow {
        (vec![layer(400, 1), layer(400, 2)], 1024, 256 << 20)
    } else {
        // Each chunk holds enough of them to make a batch.
        ((0..160).map(|n| noise(20_000, n)).collect(), 96, 1 << 20)
    };
    let setup = Setup::with(&layers);
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={files}")).arg(appliance::AIRLOCK);
    command.args(import_arguments(&setup.state(), Path::new("-")));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut feed = child.stdin.take().unwrap();
    // The end is held back, so that the import cannot end.
    let fed = setup.length() * 3 / 4;
    feed.write_all(&setup.made.bytes[..usize::try_from(fed).unwrap()])
        .unwrap();
    // All but one batch of the chunks that were fed whole; the clock ends batches too, so more may be in it.
    let least = chunk_ends(&setup.made.bytes).filter(|end| *end <= fed - batch).count() as u64 + 1;
    wait_for("the journal of what was fed", || {
        let journal = setup.journal().map(|path| appliance::read(&path));
        let journal = journal.and_then(|bytes| String::from_utf8(bytes).ok());
        let journal = journal.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        journal.is_some_and(|journal| journal["chunks"].as_u64().unwrap() >= least)
    });
    child.kill().unwrap();
    drop(feed);
    assert_eq!(end(child).signal, Some(9));
    assert_eq!((setup.check(), appliance::incoming(&setup.state()).len()), (0, 1));
    let again = fed - setup.finish().resumed_bytes();
    println!("killed after {fed} bytes; read again: {again}");
    assert!(again <= batch);
}

#[test]
fn silence_and_trickles_are_given_up() {
    let setup = Setup::new();
    let arguments = [
        import_arguments(&setup.state(), Path::new("-")),
        vec!["--stall-secs".into(), "1".into()],
    ]
    .concat();
    for trickle in [false, true] {
        let mut command = Command::new(appliance::AIRLOCK);
        command
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut feed = child.stdin.take().unwrap();
        let half = setup.made.bytes.len() / 2;
        feed.write_all(&setup.made.bytes[..half]).unwrap();
        // Byte by byte until the import hangs up, or nothing at all until then.
        let mut rest = setup.made.bytes[half..].iter();
        while trickle && feed.write_all(&[*rest.next().unwrap()]).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = if trickle {
            end(child)
        } else {
            Ended::of(&wait_with_open_input(child, &feed))
        };
        output.assert_refused("E-INCOMPLETE", "stall", "X11");
        setup.assert_kept();
    }
    setup.finish();
}

/// Keeps the feed open until the import has ended by itself.
fn wait_with_open_input(child: Child, _open: &impl std::os::fd::AsFd) -> std::process::Output {
    child.wait_with_output().unwrap()
}

#[test]
fn a_named_pipe_that_nobody_feeds_does_not_hang() {
    let setup = Setup::new();
    let path = setup.folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    // Somebody holds it open and says nothing.
    let _silent = File::options().read(true).write(true).open(&path).unwrap();
    let mut command = import_command(&setup.state(), &path);
    let output = command.args(["--stall-secs", "1"]).output().unwrap();
    Ended::of(&output).assert_refused("E-INCOMPLETE", "stall", "X2");
    assert_eq!(setup.check(), 0);
    setup.finish();
}

#[test]
fn an_endless_feed_ends_at_the_declared_total() {
    let setup = Setup::new();
    let mut child = start_feed(&setup.state());
    let mut feed = child.stdin.take().unwrap();
    feed.write_all(&setup.made.bytes).unwrap();
    // Until the import hangs up.
    while feed.write_all(&[0; 4096]).is_ok() {}
    end(child).assert_refused("E-FORMAT", "trailing-data", "X12");
    assert_eq!(setup.check(), 0);
    assert_eq!(
        appliance::incoming(&setup.state()),
        Vec::<String>::new(),
        "what was refused for good is gone"
    );
    let blobs = fs::read_dir(setup.state().join("blobs/sha256")).unwrap();
    assert!(
        blobs
            .into_iter()
            .all(|folder| fs::read_dir(folder.unwrap().path()).unwrap().next().is_none())
    );

    let mut child = start_feed(&setup.state());
    let mut feed = child.stdin.take().unwrap();
    while feed.write_all(&[0; 4096]).is_ok() {}
    let refusal = end(child).refusal.unwrap();
    assert_eq!((refusal.0.as_str(), refusal.2.as_str()), ("E-FORMAT", "X2"));
    setup.finish();
}
