//! A damaged status database is set aside, and a new one begins with a record of what is missing (case F12).
//!
//! Damage of the write-ahead log is looked for before SQLite opens the file: SQLite ends at the first frame that does not fit and would
//! take statuses that were acknowledged for never written.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use crate::db::status::{self, Gap, Reason};
use crate::db::{Db, Schema};
use crate::domain::{Class, Error, Result, SiteId, Timestamp};
use crate::stream::sync_folder;

use super::mark;

/// Set-aside files that are kept; a disk that damages one after the other does not fill up with them.
const KEPT: u32 = 8;
const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Largest page of SQLite.
const PAGE_MAX: usize = 65_536;

/// Opens the database and reads it; whatever is wrong with it.
pub(super) fn open(path: &Path, site: &SiteId) -> Result<Db> {
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

/// Moves the database and its side files away under the first free name and returns that.
///
/// # Errors
///
/// `E-IO`.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf> {
    let named = |number: u32, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}{suffix}"));
        PathBuf::from(name)
    };
    let free = (1..KEPT)
        .find(|number| matches!(named(*number, "").try_exists(), Ok(false)))
        .unwrap_or(KEPT);
    for suffix in ["-shm", "-wal", ""] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let to = named(free, suffix);
        #[expect(
            clippy::disallowed_methods,
            reason = "moves a file that nobody reads again; nothing good is replaced"
        )]
        let moved = std::fs::rename(&from, &to);
        match moved {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("set aside", Path::new(&from), error));
            }
            _ => {}
        }
    }
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(named(free, ""))
}

/// Makes a new database whose first record says that what was before is missing.
///
/// # Errors
///
/// `E-IO`, `E-SPACE`.
pub(super) fn begin_anew(state: &Path, path: &Path, site: &SiteId, now: Timestamp) -> Result<Db> {
    let below = mark::read(state);
    let number = below.unwrap_or_else(|| mark::guess(now));
    mark::write(state, number.saturating_add(mark::BLOCK))?;
    // What an interrupted attempt left has no record.
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", Path::new(&name), error));
            }
            _ => {}
        }
    }
    let db = status::create(path, site)?;
    db.write(|tx| {
        let missing = number.saturating_sub(1);
        let gap = Gap {
            number,
            source: 0,
            reason: Reason::Damaged,
            class: None,
            count: missing,
            exact: false,
            bytes: 0,
            first: u64::from(missing > 0),
            last: missing,
            since: Timestamp::EPOCH,
            until: now,
        };
        status::insert_gap(tx, &gap, now)?;
        status::put_fold(tx, number)
    })?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(db)
}

/// Says whether frames of the write-ahead log that were committed cannot be read any more.
///
/// A power cut can only tear what was not synced yet: at most the last transaction. A frame that does not fit, with whole transactions of
/// the same log behind it, was damaged later.
fn check_wal(path: &Path) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let name = PathBuf::from(name);
    let file = match File::open(&name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(|e| Error::io("open", &name, e))?,
    };
    let length = file.metadata().map_err(|e| Error::io("look at", &name, e))?.len();
    if length <= WAL_HEADER as u64 {
        return Ok(());
    }
    let damaged = |what: &str| {
        Err(Error::new(
            Class::State,
            "database-damaged",
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
