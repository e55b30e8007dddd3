//! The option that names the state folder of an appliance, and what to say to whoever is not its owner.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{Ui, changing};
use crate::appliance::Appliance;
use crate::appliance::live::Live;
use crate::config::Config;
use crate::domain::{Clock, Error, Result, SystemClock, shown};
use crate::stream::{OTHER_USER, read_bounded};

/// More than any file of local users has.
const USERS_BYTES: u64 = 4 << 20;

// Where the appliance lives.
#[derive(Debug, Clone, Args)]
pub(super) struct StateArgs {
    /// State folder of the appliance
    #[arg(long, value_name = "DIR", env = "AIRLOCK_STATE", default_value = "/var/lib/airlock")]
    pub(super) state: PathBuf,
}

impl StateArgs {
    /// Opens the appliance; says so when another life of it began with that, or when it has no content.
    ///
    /// # Errors
    ///
    /// Those of [`Appliance::open`].
    pub(super) fn open(&self, ui: &mut Ui) -> Result<Arc<Appliance>> {
        self.open_with(Arc::new, ui)
    }

    /// As [`Self::open`], as the configuration of the site says.
    ///
    /// # Errors
    ///
    /// Those of [`Appliance::open`].
    pub(super) fn open_as(&self, config: &Config, ui: &mut Ui) -> Result<Arc<Appliance>> {
        let finish = |appliance: Appliance| Arc::new(appliance.with_shared_hosts(config.shared_hosts.clone()));
        self.open_with(finish, ui)
    }

    /// As [`Self::open_as`], to serve; what is served is read at once. Where the database cannot be used, that is the last generation, and it
    /// is said.
    ///
    /// # Errors
    ///
    /// Those of [`Appliance::open_to_serve`] and [`Live::begin`].
    pub(super) fn open_to_serve(&self, config: &Config, ui: &mut Ui) -> Result<(Arc<Appliance>, Arc<Live>)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let finish = |appliance: Appliance| Arc::new(appliance.with_shared_hosts(config.shared_hosts.clone()));
        let opened = Appliance::open_to_serve(&self.state, &clock).map_err(|error| self.advise(error))?;
        let mut appliance = finish(opened);
        let live = match Live::begin(&appliance, config.grace) {
            Err(why) if Appliance::is_unreadable(&why) && appliance.unreadable().is_none() => {
                drop(appliance);
                appliance = finish(Appliance::open_last_generation(&self.state, clock, why)?);
                Live::begin(&appliance, config.grace)?
            }
            live => live?,
        };
        tell_opened(&appliance, ui);
        if let (Some(why), Some(at)) = (appliance.unreadable(), appliance.last_served_at()) {
            let remedy = why
                .advice()
                .unwrap_or("put a whole copy of the state folder in its place");
            ui.warn(format_args!(
                "the last generation is served, which was written down at {at} (generation.json): {}; nothing can be imported, exported or changed here \
                 until that is mended: {}",
                shown(why.found()),
                shown(remedy)
            ));
        }
        Ok((appliance, live))
    }

    /// As [`Self::open`], for a command that changes something here: the log is walked, and a refusal of the command is a row of it.
    ///
    /// # Errors
    ///
    /// Those of [`Appliance::open`]; `E-STATE audit-broken`.
    pub(super) fn open_to_change(&self, command: &'static str, ui: &mut Ui) -> Result<Arc<Appliance>> {
        let appliance = self.open(ui)?;
        changing::begin(&appliance, command)?;
        Ok(appliance)
    }

    /// As [`Self::open_to_change`], as the configuration of the site says.
    ///
    /// # Errors
    ///
    /// As [`Self::open_to_change`].
    pub(super) fn open_as_to_change(
        &self,
        config: &Config,
        command: &'static str,
        ui: &mut Ui,
    ) -> Result<Arc<Appliance>> {
        let appliance = self.open_as(config, ui)?;
        changing::begin(&appliance, command)?;
        Ok(appliance)
    }

    fn open_with(&self, finish: impl FnOnce(Appliance) -> Arc<Appliance>, ui: &mut Ui) -> Result<Arc<Appliance>> {
        let opened = Appliance::open(&self.state, Arc::new(SystemClock));
        let appliance = opened.map(finish).map_err(|error| self.advise(error))?;
        tell_opened(&appliance, ui);
        Ok(appliance)
    }

    /// Adds, to the refusal of another user's state folder, the same command as its owner would give it.
    pub(super) fn advise(&self, error: Error) -> Error {
        // Without a slash at its end, which would follow a link.
        let folder: PathBuf = self.state.components().collect();
        match std::fs::symlink_metadata(folder) {
            // Something inside the folder may be another user's too; that has a remedy of its own.
            Ok(found) if error.is(OTHER_USER) && found.uid() != rustix::process::geteuid().as_raw() => {
                let mut command: Vec<String> = std::env::args_os().map(|word| quoted(&word)).collect();
                // Another user's shell has another environment.
                if !command
                    .iter()
                    .any(|word| word == "--state" || word.starts_with("--state="))
                {
                    command.push(format!("--state {}", quoted(self.state.as_os_str())));
                }
                error.remedy(as_owner(found.uid(), found.gid(), &command.join(" ")))
            }
            _ => error,
        }
    }
}

/// Says what a person is to know of a state folder that was opened.
fn tell_opened(appliance: &Appliance, ui: &mut Ui) {
    if let Some(instance) = appliance.begun_as_a_copy() {
        ui.warn(format_args!(
            "this state folder was copied or restored, and begins another life, the instance {instance}: drafts end, and what no vendor has \
             acknowledged is told again"
        ));
    }
    if appliance.opened_without_content() {
        ui.warn(
            "this state folder had no content (blobs/), and its folder was made anew: where it lies elsewhere, put it in its place; else bundles bring \
             it back, and `airlock release list` says which",
        );
    }
}

/// Returns what to do to run a command as the owner of a folder.
fn as_owner(uid: u32, gid: u32, command: &str) -> String {
    if uid == 0 {
        return format!("run it as root: {command}");
    }
    let prefix = by_root(uid, gid);
    let who = if rustix::process::geteuid().is_root() {
        ""
    } else {
        "as root, "
    };
    format!("{who}run it as the user that the folder belongs to: {prefix} {command}")
}

/// Returns what root puts before a command that another user is to run.
pub(super) fn by_root(uid: u32, gid: u32) -> String {
    match name_of(uid) {
        Some(name) => format!("runuser -u {name} --"),
        None => format!("setpriv --reuid {uid} --regid {gid} --clear-groups --"),
    }
}

/// Returns the name of a local user, if it is one that needs no quoting.
fn name_of(uid: u32) -> Option<String> {
    let file = File::open(Path::new("/etc/passwd")).ok()?;
    let users = read_bounded(file, USERS_BYTES, "the list of users").ok()?;
    let users = String::from_utf8_lossy(&users);
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, found) = (fields.next()?, fields.nth(1)?);
        let plain = !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_plain);
        (found.parse() == Ok(uid) && plain).then(|| name.to_owned())
    })
}

/// Returns a word as a shell reads it back.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_repeated_as_it_was_given() {
        for (word, expected) in [
            ("--state=/var/lib/airlock", "--state=/var/lib/airlock"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's $HOME;", "'it'\\''s $HOME;'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quoted(OsStr::new(word)), expected);
        }
    }

    #[test]
    fn the_owner_is_named_where_it_has_a_name() {
        assert_eq!(as_owner(0, 0, "airlock serve"), "run it as root: airlock serve");
        assert!(as_owner(4_000_000_000, 7, "airlock serve").ends_with(
            "run it as the user that the folder belongs to: setpriv --reuid 4000000000 --regid 7 --clear-groups -- airlock serve"
        ));
        assert_eq!(name_of(0).as_deref(), Some("root"));
    }
}
