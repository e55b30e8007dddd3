//! What must not outlive this program: programs that it started, and folders of its own, wherever it is when it is told to end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// What there is now.
static NOW: Mutex<Now> = Mutex::new(Now {
    is_ending: false,
    groups: BTreeSet::new(),
    folders: BTreeSet::new(),
});

struct Now {
    is_ending: bool,
    /// Process groups, by their first process.
    groups: BTreeSet<u32>,
    folders: BTreeSet<PathBuf>,
}

fn now() -> MutexGuard<'static, Now> {
    NOW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a process group that was started. Where everything is about to end it ends at once.
pub(super) fn started(group: u32) {
    let mut now = now();
    now.groups.insert(group);
    if now.is_ending {
        end(group);
    }
}

/// Notes that a process group has ended.
pub(super) fn ended(group: u32) {
    now().groups.remove(&group);
}

/// Notes a folder that was made.
pub(super) fn made(folder: &Path) {
    now().folders.insert(folder.to_owned());
}

/// Removes a folder. What cannot be removed is left among temporary files.
pub(super) fn remove(folder: &Path) {
    now().folders.remove(folder);
    fs::remove_dir_all(folder).ok();
}

/// Ends a process group. What is gone already is gone.
pub(super) fn end(group: u32) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        kill_process_group(group, Signal::KILL).ok();
    }
}

/// Ends every program that works something out, and removes what was laid out for it: for a program that is about to end itself. What is
/// started from now on ends at once.
pub fn end_programs() {
    let mut now = now();
    now.is_ending = true;
    now.groups.iter().for_each(|group| end(*group));
    for folder in &now.folders {
        fs::remove_dir_all(folder).ok();
    }
}
