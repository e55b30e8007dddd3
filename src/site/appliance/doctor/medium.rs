//! What the state folder is on: a file system that keeps what was written and locks what is shared, with room on it.

use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags};

use super::Finding;
use crate::appliance::reserve;
use crate::domain::{Class, Error, Result, sized};

/// File systems that a state folder does not stand well on: magic number, name, what is wrong with it.
const UNFIT: [(u32, &str, &str); 8] = [
    (
        0x0102_1994,
        "tmpfs",
        "what is written there is gone when the machine stops",
    ),
    (
        0x8584_58f6,
        "ramfs",
        "what is written there is gone when the machine stops",
    ),
    (0x6969, "NFS", "locks and durable writes are another machine's"),
    (0xff53_4d42, "CIFS", "locks and durable writes are another machine's"),
    (0xfe53_4d42, "SMB", "locks and durable writes are another machine's"),
    (0x0102_1997, "9p", "locks and durable writes are another machine's"),
    (
        0x4d44,
        "FAT",
        "it knows neither owners nor modes, and tears when the power fails",
    ),
    (
        0x2011_bab0,
        "exFAT",
        "it knows neither owners nor modes, and tears when the power fails",
    ),
];
/// With less than this nothing is imported, and statuses are in danger.
const BYTES_LAST: u64 = 256 << 20;
/// With less of a hundred than this somebody should make room.
const PERCENT: u64 = 10;
/// The same of inodes.
const INODES_LAST: u64 = 1000;

/// Looks at file system, room and reserve.
pub(super) fn look(folder: &Path) -> Vec<Finding> {
    vec![
        file_system(folder).unwrap_or_else(|error| Finding::broken("media", &error)),
        room(folder).unwrap_or_else(|error| Finding::broken("disk", &error)),
    ]
}

fn file_system(folder: &Path) -> Result<Finding> {
    let asked = |error: rustix::io::Errno| Error::io("ask for the file system of", folder, error.into());
    let kind = rustix::fs::statfs(folder).map_err(asked)?.f_type;
    let kind = u32::try_from(kind).unwrap_or(0);
    let stat = rustix::fs::statvfs(folder).map_err(asked)?;
    let place = folder.display();
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let error = Error::new(
            Class::Io,
            "read-only",
            format!("{place} stands on a file system that is mounted to read only"),
        )
        .remedy("look at what the kernel says of it (`dmesg`), and mount it for writing");
        return Ok(Finding::broken("media", &error));
    }
    let unfit = UNFIT.iter().find(|(magic, _, _)| *magic == kind);
    Ok(match unfit {
        Some((_, name, why)) => {
            let error = Error::new(
                Class::Io,
                "file-system",
                format!("{place} stands on {name}: {why}"),
            )
            .remedy("end airlock serve, move the state folder to a disk of this machine (ext4, XFS, Btrfs), and point --state at it there");
            Finding::look("media", &error)
        }
        None => Finding::good(
            "media",
            format!("{place} stands on a file system that keeps what was written"),
        ),
    })
}

fn room(folder: &Path) -> Result<Finding> {
    let stat =
        rustix::fs::statvfs(folder).map_err(|error| Error::io("ask for the free space of", folder, error.into()))?;
    let full = |found: String| {
        Error::new(Class::Space, "low", found)
            .remedy("make room: `airlock disk` says who uses what, `airlock gc --dry-run` what can go")
    };
    let (free, percent) = bytes(&stat);
    let text = format!("{} are free ({percent} %)", sized(free));
    if free < BYTES_LAST {
        return Ok(Finding::broken("disk", &full(format!("only {text}"))));
    }
    if stat.f_files > 0 && stat.f_favail < INODES_LAST {
        let found = format!("only {} more files can be made on this file system", stat.f_favail);
        return Ok(Finding::broken("disk", &full(found)));
    }
    if percent < PERCENT {
        return Ok(Finding::look("disk", &full(format!("only {text}"))));
    }
    if reserve::is_short(folder)? {
        let error =
            full("the reserve that a full disk records its refusals with was given up, or is not whole".to_owned());
        return Ok(Finding::look("disk", &error));
    }
    Ok(Finding::good("disk", text))
}

/// Free bytes, and how many of a hundred those are.
fn bytes(stat: &StatVfs) -> (u64, u64) {
    let percent = (u128::from(stat.f_bavail) * 100).checked_div(u128::from(stat.f_blocks));
    (
        stat.f_bavail.saturating_mul(stat.f_frsize),
        percent.and_then(|percent| u64::try_from(percent).ok()).unwrap_or(0),
    )
}
