//! Case F02 by force: the power fails during a real import, on a real file system.
//!
//! The state folder stands on ext4 in an image. The import is killed as it is about to sync, or right after that, when most of what it
//! wrote is in memory alone; the image is copied at that moment, which is what the disk holds, and what comes back with the power is the
//! copy. It must be exactly old or exactly new, and the same import must succeed on it and leave nothing over. An import that said that it is
//! done is there after the same, without any sync of the file system behind it.
//!
//! It needs root and a loop device, in a mount namespace of its own. `AIRLOCK_SLOW` takes every sync.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::disk_full::in_namespace;
use crate::support::appliance::{
    self, Appliance, Ended, check, check_after_power_loss, import_arguments, import_command, incoming, write,
};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::left_out::left_out;
use crate::support::site::noise;
use crate::support::slow::share;
use crate::support::stopper;
use crate::support::strace::{Fault, only_syncs};

const SIZE: u64 = 64 << 20;
/// So many points are tried by default, beside the last one.
const POINTS: usize = 1;

/// A state folder on a disk whose power may fail.
struct Machine {
    folder: TempDir,
    releases: [Made; 2],
}

impl Machine {
    /// Release 1 is live; nothing where no image can be mounted.
    fn new() -> Option<Self> {
        let vendor = Vendor::new();
        let layers: Vec<Vec<u8>> = [noise(1_500_000, 2), noise(300_000, 3)]
            .into_iter()
            .chain((0..12).map(|n| noise(3000, 10 + n)))
            .collect();
        let machine = Self {
            folder: appliance::scratch(),
            releases: [
                vendor.bundle(1, &[noise(5000, 1)], SMALL_CHUNKS),
                vendor.bundle(2, &layers, SMALL_CHUNKS),
            ],
        };
        for (name, made) in ["1", "2"].iter().zip(&machine.releases) {
            write(&machine.path(name), &made.bytes);
        }
        fs::create_dir(machine.path("mnt")).unwrap();
        let image = machine.path("old");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image)
            .output();
        if !made.is_ok_and(|made| made.status.success()) || !machine.on("old") {
            return None;
        }
        Appliance::init_in(&machine.state(), &vendor);
        machine.import("1").assert_imported();
        machine.off();
        Some(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("mnt/state")
    }

    fn import(&self, name: &str) -> Ended {
        Ended::of(&import_command(&self.state(), &self.path(name)).output().unwrap())
    }

    /// Starts with a disk; says whether it could be mounted.
    fn on(&self, image: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(self.path(image)).arg(self.path("mnt"));
        mount.output().is_ok_and(|output| output.status.success())
    }

    /// Ends as a machine does that is shut down.
    fn off(&self) {
        let ended = Command::new("umount").arg(self.path("mnt")).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }

    fn copy(&self, from: &str, to: &str) {
        let copied = Command::new("cp")
            .arg("--sparse=always")
            .arg(self.path(from))
            .arg(self.path(to))
            .output();
        assert!(copied.unwrap().status.success());
    }

    /// Imports the second release, with the power failing before the call of that number, if any; what is there afterwards is what the disk
    /// held. Returns the calls with which it changed something.
    fn lose_power(&self, number: Option<usize>) -> stopper::Run {
        self.copy("old", "disk");
        assert!(self.on("disk"));
        let run = stopper::run(
            &import_arguments(&self.state(), &self.path("2")),
            number.map(|number| (Fault::Kill, number)),
        );
        self.copy("disk", "left");
        self.off();
        assert!(self.on("left"), "the file system comes back by itself");
        run
    }

    /// The control: what nobody synced is not there after the power failed.
    fn forgets(&self) {
        self.copy("old", "disk");
        assert!(self.on("disk"));
        write(&self.path("mnt/unsynced"), &noise(100_000, 4));
        self.copy("disk", "left");
        self.off();
        assert!(self.on("left"));
        assert!(!self.path("mnt/unsynced").is_file());
        self.off();
    }

    fn made(&self) -> [&Made; 2] {
        [&self.releases[0], &self.releases[1]]
    }
}

#[test]
fn f02_whenever_the_power_fails_an_import_is_there_or_is_not() {
    if !in_namespace("import::power::f02_whenever_the_power_fails_an_import_is_there_or_is_not")
        || !stopper::available()
    {
        return;
    }
    let Some(machine) = Machine::new() else {
        left_out("no ext4 can be made in an image and mounted here");
        return;
    };
    machine.forgets();
    let whole = machine.lose_power(None);
    whole.ended.assert_imported();
    assert_eq!(
        check_after_power_loss(&machine.state(), &machine.made()),
        2,
        "what was said is there"
    );
    machine.off();
    // Numbers begin with 1: as it is about to sync, and right behind that.
    let syncs = (1..).zip(&whole.calls).filter(|(_, name)| only_syncs(name));
    let points: Vec<usize> = syncs.flat_map(|(number, _)| [number, number + 1]).collect();
    assert!(points.len() > 10, "{:?}", whole.calls);
    let stride = points.len().div_ceil(POINTS);
    let (mut tried, mut new) = (0, 0);
    for (place, number) in points.iter().enumerate() {
        let is_last = place + 1 == points.len();
        if !share().map_or(place % stride == stride / 2 || is_last, |share| share.takes(place)) {
            continue;
        }
        let run = machine.lose_power(Some(*number));
        let live = check_after_power_loss(&machine.state(), &machine.made());
        if !run.fired {
            assert_eq!(live, 2, "{run:?}");
        }
        tried += 1;
        new += u32::from(live == 2);
        let again = machine.import("2");
        let word = if live == 1 { "imported" } else { "already" };
        assert_eq!(
            (again.code, again.word()),
            (Some(0), word),
            "{number}: {}",
            again.stderr
        );
        check_whole(&machine.state(), &machine.made());
        machine.off();
    }
    println!(
        "power failed {tried} times in {} calls: {new} times the release was there",
        whole.calls.len()
    );
}

fn check_whole(state: &Path, releases: &[&Made]) {
    assert_eq!(check(state, releases), 2);
    assert_eq!(incoming(state), Vec::<String>::new());
}
