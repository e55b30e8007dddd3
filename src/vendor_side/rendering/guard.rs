//! Ends programs that this one started, where it is killed and can end nothing itself.
//!
//! A shell is the first process of their group. It waits for the end of a pipe that this process alone holds open, which comes however
//! this process ends, and then ends its group.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::running;
use crate::domain::{Error, Result};

const SHELL: &str = "/bin/sh";
/// Nobody ever writes a line: `read` ends with the pipe.
const SCRIPT: &str = "read -r line; kill -KILL 0";

/// A process group that ends with this, and with this process.
pub(super) struct Guard(Child);

impl Guard {
    /// Begins a group that other programs can join.
    ///
    /// # Errors
    ///
    /// `E-IO` when there is no shell.
    pub(super) fn begin() -> Result<Self> {
        let mut shell = Command::new(SHELL);
        shell.args(["-c", SCRIPT]).env_clear().current_dir("/");
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.process_group(0);
        let child = shell
            .spawn()
            .map_err(|error| Error::io("start", Path::new(SHELL), error))?;
        running::started(child.id());
        Ok(Self(child))
    }

    /// Returns the number of the group.
    pub(super) fn group(&self) -> u32 {
        self.0.id()
    }

    /// Ends every program of the group.
    pub(super) fn end(&self) {
        // Its first process was not waited for yet: the number is nobody else's.
        running::end(self.0.id());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end();
        running::ended(self.0.id());
        // What is gone already is gone.
        self.0.wait().ok();
    }
}
