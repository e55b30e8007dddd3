//! A damaged status database is set aside, and a new one begins with a record of what is missing (case F12).
//!
//! Damage of the write-ahead log is looked for before SQLite opens the file: SQLite ends at the first frame that does not fit and would
//! take statuses that were acknowledged for never written.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::group_commit::GroupCommit;
use super::mark::{self, Marks};
use super::quota::Quota;
use super::working_set::WorkingSet;
use crate::appliance::place::REPLACED;
use crate::db::status::{self, Reason};
use crate::db::{DAMAGED, Db, SCHEMA_TOO_NEW, Schema, side_file};
use crate::domain::{Class, Error, Result, SiteId, Timestamp};
use crate::stream::{Expected, PLANTED, look, open_plain, sync_folder};

/// How often a database is set aside before that ends; what was set aside is never replaced.
const KEPT: u32 = 100;
/// The files of a database; the one that makes it a database is moved last.
const SUFFIXES: [&str; 4] = ["-journal", "-shm", "-wal", ""];
const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Largest page of SQLite.
const PAGE_MAX: usize = 65_536;

/// Opens the database and reads it; whatever is wrong with it.
pub(super) fn open(path: &Path, site: &SiteId) -> Result<Db> {
    // Before its log is judged: a newer airlock may write one that this one does not understand.
    Schema::STATUS.refuse_newer(path)?;
    check_wal(path)?;
    let db = Db::open(path, &Schema::STATUS)?;
    db.read(|connection| Schema::STATUS.check_tables(connection))?;
    let found = db.read(status::site)?;
    if found != *site {
        return Err(Error::new(
            Class::State,
            "other-site",
            format!("{} belongs to the appliance {found}", path.display()),
        )
        .expected(format!("{site}")));
    }
    Ok(db)
}

/// Whether what is wrong with a database is damage: then another one may begin in its place. One that a newer airlock wrote is good, and
/// what stands under its name without being a plain file is nobody's database: neither is touched. Nor is what stands in the place of a
/// folder that was replaced under this process.
pub(super) fn is_damage(error: &Error) -> bool {
    error.class() == Class::State && !error.is(SCHEMA_TOO_NEW) && !error.is(PLANTED) && !error.is(REPLACED)
}

/// Moves the database and its side files away under the first number that none of them has yet, and returns the new name. Nothing that
/// was set aside before is ever replaced.
///
/// # Errors
///
/// `E-STATE set-aside-full` when so many were set aside already; `planted`; `E-IO`.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf> {
    let named = |number: u32, suffix: &str| side_file(path, &format!(".damaged-{number}{suffix}"));
    for suffix in SUFFIXES {
        look(&side_file(path, suffix), Expected::File)?;
    }
    let taken = |number: u32| {
        SUFFIXES
            .iter()
            .any(|suffix| named(number, suffix).symlink_metadata().is_ok())
    };
    let free = (1..=KEPT).find(|number| !taken(*number)).ok_or_else(|| {
        Error::new(
            Class::State,
            "set-aside-full",
            format!("{} was set aside {KEPT} times already", path.display()),
        )
        .expected("a disk that damages no files")
        .remedy(format!(
            "find out what damages the disk, and move {}.damaged-* away",
            path.display()
        ))
    })?;
    for suffix in SUFFIXES {
        let (from, to) = (side_file(path, suffix), named(free, suffix));
        match rustix::fs::renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(Error::io("set aside", &from, errno.into())),
        }
    }
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(named(free, ""))
}

/// Makes a new database in which every stream that the mark file names begins above everything that was ever given, with a record that
/// says that what was before is missing. Without that file nobody knows which streams there were: each begins like that when it is
/// first needed.
///
/// # Errors
///
/// `E-IO`, `E-SPACE`.
pub(super) fn begin_anew(state: &Path, path: &Path, site: &SiteId, now: Timestamp) -> Result<Db> {
    let known = Marks::read(state);
    let start = if known.is_some() { 1 } else { mark::guess(now) };
    let known = known.unwrap_or_default();
    let mut raised = known.clone();
    raised.raises = known.raises.saturating_add(1);
    for (domain, below) in known.iter() {
        raised.raise(*domain, below);
    }
    raised.write(state)?;
    // Under a name of its own until it is whole: an attempt that a full disk ends leaves nothing that would be set aside.
    let fresh = side_file(path, ".new");
    for suffix in SUFFIXES {
        let name = side_file(&fresh, suffix);
        if look(&name, Expected::File)?.is_some() {
            std::fs::remove_file(&name).map_err(|e| Error::io("remove", &name, e))?;
        }
    }
    let db = status::create(&fresh, site)?;
    db.write(|tx| {
        status::put_start(tx, start)?;
        status::put_raises(tx, raised.raises)?;
        let mut working_set = WorkingSet::load(tx)?;
        let mut commit = GroupCommit::new(tx, &mut working_set, Quota::default(), now);
        for (domain, below) in known.iter() {
            commit.begin(domain, below, Reason::Damaged)?;
        }
        commit.finish()?;
        status::put_fold(tx, working_set.next)
    })?;
    db.put_in_place(path)?;
    Db::open(path, &Schema::STATUS)
}

/// Says whether frames of the write-ahead log that were committed cannot be read any more.
///
/// A power cut can only tear what was not synced yet: at most the last transaction. A frame that does not fit, with whole transactions of
/// the same log behind it, was damaged later.
pub(super) fn check_wal(path: &Path) -> Result<()> {
    let name = side_file(path, "-wal");
    let Some(file) = open_plain(&name)? else {
        return Ok(());
    };
    let length = file.metadata().map_err(|e| Error::io("look at", &name, e))?.len();
    if length <= WAL_HEADER as u64 {
        return Ok(());
    }
    let damaged = |what: &str| {
        Err(Error::new(
            Class::State,
            DAMAGED,
            format!("the write-ahead log {} {what}", name.display()),
        ))
    };
    let mut file = BufReader::with_capacity(256 << 10, file);
    let mut header = [0; WAL_HEADER];
    file.read_exact(&mut header).map_err(|e| Error::io("read", &name, e))?;
    let word = |bytes: &[u8], at: usize| {
        bytes
            .get(at..at.saturating_add(4))
            .and_then(|word| word.try_into().ok())
            .map_or(0, u32::from_be_bytes)
    };
    let big = match word(&header, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return damaged("is none"),
    };
    let size = usize::try_from(word(&header, 8)).unwrap_or(0);
    let sum = checksum(big, (0, 0), header.get(..24).unwrap_or_default());
    if sum != (word(&header, 24), word(&header, 28)) || !size.is_power_of_two() || !(512..=PAGE_MAX).contains(&size) {
        return damaged("has a damaged header");
    }
    let salts = header.get(16..24).unwrap_or_default().to_vec();
    let mut frame = vec![0; FRAME_HEADER.saturating_add(size)];
    let mut sum = sum;
    let mut fits = true;
    let mut commits_behind = 0_u32;
    loop {
        match file.read_exact(&mut frame) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read.map_err(|e| Error::io("read", &name, e))?,
        }
        let same_log = frame.get(8..16) == Some(&salts[..]);
        if fits {
            let head = checksum(big, sum, frame.get(..8).unwrap_or_default());
            let whole = checksum(big, head, frame.get(FRAME_HEADER..).unwrap_or_default());
            fits = same_log && whole == (word(&frame, 16), word(&frame, 20));
            sum = whole;
        }
        if !fits && same_log && word(&frame, 4) != 0 {
            commits_behind = commits_behind.saturating_add(1);
            if commits_behind >= 2 {
                return damaged("is damaged in the middle");
            }
        }
    }
}

/// SQLite's checksum of a log, over pairs of words in the byte order that the log's first bytes name.
fn checksum(big: bool, (mut one, mut two): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let read = |word: &[u8]| {
        let word = word.try_into().unwrap_or_default();
        if big {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        }
    };
    for pair in bytes.chunks_exact(8) {
        let (first, second) = pair.split_at(4);
        one = one.wrapping_add(read(first)).wrapping_add(two);
        two = two.wrapping_add(read(second)).wrapping_add(one);
    }
    (one, two)
}
