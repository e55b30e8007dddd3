//! Who runs this program, for the rows of the audit log: the user, the one who became that user, and the terminal or unit.
//!
//! What `SUDO_USER` says is the word of whoever could set it: it is a trace for an auditor, and proves nothing. Nothing depends on it.

use std::io::IsTerminal as _;
use std::path::Path;

use serde_json::{Map, Value};

use crate::stream::{open_named, read_bounded};

/// No name of a user, terminal or unit is longer.
const LONGEST: usize = 128;
const CGROUP_BYTES: u64 = 64 << 10;

/// Says who runs this program.
pub(super) fn operator() -> Value {
    let mut members = Map::new();
    members.insert("uid".into(), rustix::process::getuid().as_raw().into());
    let mut put = |member: &str, text: Option<String>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let text: String = text.chars().take(LONGEST).collect();
            members.insert(member.into(), text.into());
        }
    };
    put("sudo_user", std::env::var("SUDO_USER").ok());
    match terminal() {
        Some(terminal) => put("terminal", Some(terminal)),
        None => put("unit", unit()),
    }
    Value::Object(members)
}

/// Returns the terminal at which the program was started, as in `pts/3`.
fn terminal() -> Option<String> {
    let number = match (std::io::stdin().is_terminal(), std::io::stderr().is_terminal()) {
        (true, _) => 0,
        (false, true) => 2,
        (false, false) => return None,
    };
    let path = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    let name = path.strip_prefix("/dev").ok()?;
    Some(name.display().to_string())
}

/// Returns the service of the system that the program runs in.
fn unit() -> Option<String> {
    let file = open_named(Path::new("/proc/self/cgroup"), "look at the service").ok()?;
    let bytes = read_bounded(file, CGROUP_BYTES, "the service").ok()?;
    unit_of(&String::from_utf8_lossy(&bytes))
}

fn unit_of(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut parts = path.rsplit('/');
    parts.find(|part| part.ends_with(".service")).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_innermost_service() {
        for (cgroup, unit) in [
            ("0::/system.slice/airlock.service\n", Some("airlock.service")),
            ("0::/user.slice/user-0.slice/session-3.scope\n", None),
            (
                "0::/user.slice/user@7.service/app.slice/scrub.service/x\n",
                Some("scrub.service"),
            ),
            ("12:pids:/system.slice/a.service\n", None),
            ("", None),
        ] {
            assert_eq!(unit_of(cgroup).as_deref(), unit, "{cgroup}");
        }
    }
}
