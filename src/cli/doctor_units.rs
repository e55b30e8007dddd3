//! Whether the service is there, as it was shipped.

use std::path::{Path, PathBuf};

use crate::appliance::doctor::Finding;
use crate::domain::{Class, Error, Result};
use crate::stream::{open_named, read_bounded};

/// Where systemd looks, first the site's own.
const FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];
/// There is this folder where systemd runs the machine.
const RUNS: &str = "/run/systemd/system";
/// Bytes of a unit.
const BYTES: u64 = 1 << 20;
/// The service, as it is shipped.
const SERVICE: (&str, &str) = ("airlock.service", include_str!("../../systemd/airlock.service"));
/// What is shipped beside it, and need not be installed.
const BESIDE: [(&str, &str); 6] = [
    ("airlock-gc.service", include_str!("../../systemd/airlock-gc.service")),
    ("airlock-gc.timer", include_str!("../../systemd/airlock-gc.timer")),
    (
        "airlock-scrub.service",
        include_str!("../../systemd/airlock-scrub.service"),
    ),
    ("airlock-scrub.timer", include_str!("../../systemd/airlock-scrub.timer")),
    (
        "airlock-export.service",
        include_str!("../../systemd/airlock-export.service"),
    ),
    (
        "airlock-export.timer",
        include_str!("../../systemd/airlock-export.timer"),
    ),
];
/// Where a service stands that starts with the machine.
const WANTS: &str = "multi-user.target.wants";

/// Looks at the service in some folders, or in systemd's.
pub(super) fn look(folders: &[PathBuf]) -> Finding {
    if folders.is_empty() && !Path::new(RUNS).is_dir() {
        return Finding::good("units", "this machine is not run by systemd: there are none");
    }
    let own: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    let folders = if folders.is_empty() { own.as_slice() } else { folders };
    service(folders).unwrap_or_else(|error| Finding::look("units", &error))
}

/// # Errors
///
/// What should be looked at.
fn service(folders: &[PathBuf]) -> Result<Finding> {
    let (name, shipped) = SERVICE;
    let Some(path) = folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.symlink_metadata().is_ok())
    else {
        return Err(Error::new(
            Class::Other,
            "no-unit",
            format!("there is no {name} in {}", listed(folders)),
        )
        .remedy("copy systemd/airlock.service to /etc/systemd/system, then `systemctl enable --now airlock.service`"));
    };
    check_shipped(&path, shipped)?;
    for (name, shipped) in BESIDE {
        if let Some(path) = folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.symlink_metadata().is_ok())
        {
            check_shipped(&path, shipped)?;
        }
    }
    let is_wanted = folders
        .iter()
        .any(|folder| folder.join(WANTS).join(name).symlink_metadata().is_ok());
    if !is_wanted {
        return Err(Error::new(
            Class::Other,
            "not-enabled",
            format!("{} is as shipped, and does not start with the machine", path.display()),
        )
        .remedy("`systemctl enable --now airlock.service`"));
    }
    Ok(Finding::good(
        "units",
        format!("{} is as shipped, and starts with the machine", path.display()),
    ))
}

fn check_shipped(path: &Path, shipped: &str) -> Result<()> {
    let text = read_bounded(open_named(path, "read the unit")?, BYTES, "the unit")?;
    if text == shipped.as_bytes() {
        return Ok(());
    }
    Err(Error::new(
        Class::Other,
        "other-unit",
        format!("{} is not the unit that this airlock was shipped with", path.display()),
    )
    .remedy("put the one that is shipped under systemd/ in its place, and what this site needs otherwise into a drop-in (`systemctl edit UNIT`)"))
}

fn listed(folders: &[PathBuf]) -> String {
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    names.join(", ")
}
