//! Where what leaves may go: not into the state folder, and into pipes that somebody reads.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use airlock::db::site::packages::State;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, fcntl_setfl, mkfifoat};
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::desk::Desk;
use crate::support::appliance::{AIRLOCK, Ended, read};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|one| one.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn nothing_is_written_into_the_state_folder() {
    let desk = Desk::new(0);
    desk.draft();
    let state = desk.state();
    let outbox = state.join("outbox");
    symlink(&outbox, desk.path("link")).unwrap();
    mkfifoat(CWD, state.join("pipe"), Mode::RWXU).unwrap();
    let world = || (names(&state), names(&outbox), desk.states());
    let before = world();
    let at = |path: &Path, name: &str| path.join(name).display().to_string();
    let places = [
        at(&state, ""),
        at(&outbox, ""),
        at(&outbox, "mine"),
        at(&state, "pipe"),
        at(&desk.path("link"), ""),
        at(&desk.path("link"), "mine"),
        at(&state, "identity/../outbox/mine"),
    ];
    let refused = |ended: &Ended, told: &str| {
        let found = ended.refusal.clone().unwrap_or_default();
        assert_eq!((found.0.as_str(), found.1.as_str()), ("E-USAGE", "output"), "{told}");
        assert!(
            ended
                .stderr
                .contains("give another place, such as a medium or a folder of yours"),
            "{told}: {}",
            ended.stderr
        );
        assert_eq!(world(), before, "{told}");
    };
    for place in &places {
        refused(&desk.run(&format!("status export {place}")), place);
    }
    for (words, option) in [(&["audit", "export"][..], "-o"), (&["status", "summary"], "--qr")] {
        for place in [&places[2], &places[5]] {
            let mut command = Command::new(AIRLOCK);
            command.args(["--format", "json"]).args(words).args([option, place]);
            let output = command.arg("--state").arg(&state).output().unwrap();
            refused(&Ended::of(&output), place);
        }
    }
    // What is a file is no pipe, and no file is called so by mistake.
    let folder = desk.path("empty");
    fs::create_dir(&folder).unwrap();
    for words in [
        &["audit", "export", "-o", "-"][..],
        &["scrub", "--report", "-"],
        &["status", "summary", "--qr", "-"],
    ] {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", "json"])
            .args(words)
            .arg("--state")
            .arg(&state);
        let ended = Ended::of(&command.current_dir(&folder).output().unwrap());
        ended.assert_refused("E-USAGE", "output", "");
        assert!(ended.stderr.contains("- is no file, and "), "{}", ended.stderr);
        assert!(names(&folder).is_empty());
    }
    // As the message says.
    desk.good("status export stick");
    assert_eq!(desk.on_stick().len(), 1);
}

/// A medium that is not mounted: its folder is not there, and does not become a file of this disk.
#[test]
fn a_folder_that_is_not_there_becomes_no_file() {
    let desk = Desk::new(0);
    desk.draft();
    let before = desk.states();
    for place in ["./usb", "./usb/", "./usb.d/"] {
        let found = desk.run(&format!("status export {place}")).refusal.unwrap_or_default();
        assert_eq!((found.0.as_str(), found.1.as_str()), ("E-USAGE", "output"), "{place}");
        assert!(!desk.path(place.trim_end_matches('/')).try_exists().unwrap(), "{place}");
        assert_eq!(desk.states(), before, "{place}");
    }
    // As the message says.
    fs::create_dir(desk.path("usb")).unwrap();
    desk.good("status export ./usb");
    assert_eq!(names(&desk.path("usb")).len(), 1);
    desk.good("status export ./mine.airlock-status --again 1");
    assert!(desk.path("mine.airlock-status").try_exists().unwrap());
}

/// A pipe that is opened for reading and holds 4 KiB, before anybody writes.
fn reader(path: &Path) -> File {
    let mut options = fs::OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .unwrap();
    fcntl_setpipe_size(&file, 4096).unwrap();
    file
}

/// Reads from it in small pieces, once somebody writes: so many bytes, or all.
fn drink(mut file: File, most: usize) -> Vec<u8> {
    poll(&mut [PollFd::new(&file, PollFlags::IN)], None).unwrap();
    fcntl_setfl(&file, OFlags::empty()).unwrap();
    let (mut all, mut piece) = (Vec::new(), [0; 1000]);
    while all.len() < most {
        match file.read(&mut piece).unwrap() {
            0 => break,
            count => all.extend_from_slice(&piece[..count]),
        }
    }
    all
}

#[test]
fn a_named_pipe_is_waited_for_aloud_and_only_what_it_took_whole_has_left() {
    let desk = Desk::new(0);
    let head = desk.draft();
    let pipe = desk.path("pipe");
    mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
    let start = || {
        let mut command = desk.command("status export ./pipe");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // Nobody reads: it says so, and whoever gives up has exported nothing.
    let mut child = start();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = said.find(|line| line.as_ref().unwrap().contains("waiting for somebody who reads"));
    let told = told.unwrap().unwrap();
    assert!(told.contains("Ctrl-C") && told.contains("not exported"), "{told}");
    // As Ctrl-C does, which is ignored where the tests run in the background of a shell.
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Signed)], 1));
    let kept = read(&desk.kept(&head));
    assert!(kept.len() > 8192);
    // Who reads goes away in the middle.
    let end = reader(&pipe);
    let child = start();
    assert!((5000..6000).contains(&drink(end, 5000).len()));
    let ended = Ended::of(&child.wait_with_output().unwrap());
    assert_eq!(ended.refusal.unwrap().0, "E-IO");
    assert_eq!(desk.states(), [(1, State::Signed)]);
    // Who reads slowly gets all of it, in as many writes as that takes.
    let end = reader(&pipe);
    let child = start();
    assert_eq!(drink(end, usize::MAX), kept);
    let ended = Ended::of(&child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.result["packages"][0]["head"], json!(head));
    assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Exported)], 1));
}

/// What stands under the name that a package has while it is written is somebody else's: it is neither followed nor replaced.
#[test]
fn what_stands_in_the_way_of_the_partial_file_is_named() {
    let desk = Desk::new(0);
    desk.draft();
    let partial = desk.path("out.status.partial");
    for plant in [&(|| mkfifoat(CWD, &partial, Mode::RWXU).unwrap()) as &dyn Fn(), &|| {
        symlink(desk.path("elsewhere"), &partial).unwrap();
    }] {
        plant();
        let ended = desk.refused("status export ./out.status", "E-USAGE", "output");
        assert!(ended.stderr.contains("out.status.partial is a "), "{}", ended.stderr);
        assert!(!desk.path("elsewhere").try_exists().unwrap() && !desk.path("out.status").try_exists().unwrap());
        // As the message says.
        fs::remove_file(&partial).unwrap();
    }
    assert_eq!(desk.states(), [(1, State::Signed)]);
    desk.good("status export ./out.status");
}

/// A standard output that nobody has takes everything: what went there has not left.
#[test]
fn a_closed_output_takes_no_package() {
    let desk = Desk::new(0);
    desk.draft();
    let shell = |end: &str| {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("\"$@\" {end}"))
            .arg("sh")
            .arg(AIRLOCK)
            .args(desk.arguments("status export -"));
        Ended::of(&command.output().unwrap())
    };
    for end in [">&-", ">/dev/null"] {
        let ended = shell(end);
        let (class, code, _) = ended.refusal.unwrap();
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "output"), "{end}");
        assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Draft)], 0));
    }
    // As the message says.
    let ended = shell(&format!("| cat >'{}'", desk.path("kept").display()));
    assert_eq!(desk.states(), [(1, State::Exported)], "{}", ended.stderr);
    assert_eq!(desk.judged(&desk.path("kept"), "")["result"], "good");
}
