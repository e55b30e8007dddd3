//! Measurements: raw samples are folded into a row for each target and day (status-package 9).

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, Transaction, params};

use super::StreamId;
use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp, Uuid};

const SECONDS: i64 = 86_400;

/// Returns the day that a time lies in, in days since 1970, UTC.
pub fn day_of(time: Timestamp) -> i64 {
    time.unix().div_euclid(SECONDS)
}

/// Returns the second at which a day begins.
pub fn begin_of(day: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(day.saturating_mul(SECONDS))
}

/// A raw sample that was taken out to be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its row id.
    pub number: u64,
    /// The stream that it was in.
    pub stream: StreamId,
    /// Its number there.
    pub position: u64,
    /// The target.
    pub source: i64,
    /// Bytes that it counted.
    pub size: u64,
    /// When it came.
    pub received: Timestamp,
    /// The measurements as JSON.
    pub text: String,
}

/// Which samples are taken out.
#[derive(Debug, Clone, Copy)]
pub enum Samples {
    /// The oldest of all, from a row id on.
    Oldest {
        /// The row id.
        from: u64,
    },
    /// Of one stream, from a position on: those that are not of a time between two others.
    Aged {
        /// The stream.
        stream: StreamId,
        /// The position.
        from: u64,
        /// After this time they stay.
        after: Timestamp,
        /// Up to this one.
        until: Timestamp,
    },
    /// One, by its row id.
    This(u64),
}

/// Takes samples out of the records, at most `limit`.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn take_samples(transaction: &Transaction<'_>, which: Samples, limit: usize) -> Result<Vec<Sample>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let take = |inner: &str, arguments: &[&dyn ToSql]| {
        let sql = format!(
            "DELETE FROM record WHERE number IN ({inner}) RETURNING number, stream, position, source, size, received, text"
        );
        let mut statement = transaction.prepare_cached(&sql).sql("take measurements out")?;
        let rows = statement
            .query_map(arguments, |row| {
                Ok(Sample {
                    number: row.get(0)?,
                    stream: row.get(1)?,
                    position: row.get(2)?,
                    source: row.get(3)?,
                    size: row.get(4)?,
                    received: row.get(5)?,
                    text: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
                })
            })
            .sql("take measurements out")?;
        let mut samples: Vec<Sample> = rows.collect::<rusqlite::Result<_>>().sql("take measurements out")?;
        samples.sort_unstable_by_key(|sample| sample.number);
        Ok(samples)
    };
    match which {
        Samples::Oldest { from } => take(
            "SELECT number FROM record WHERE number >= ? AND +class = 3 ORDER BY number LIMIT ?",
            params![from, limit],
        ),
        Samples::Aged {
            stream,
            from,
            after,
            until,
        } => take(
            "SELECT number FROM record WHERE stream = ? AND position >= ? AND +class = 3 AND (received <= ? OR received > ?) \
             ORDER BY position LIMIT ?",
            params![stream, from, after, until, limit],
        ),
        Samples::This(number) => take(
            "SELECT number FROM record WHERE number = ? AND +class = 3",
            params![number],
        ),
    }
}

/// Returns position and time of a stream's oldest raw sample, from a position on.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn oldest_sample(connection: &Connection, stream: StreamId, from: u64) -> Result<Option<(u64, Timestamp)>> {
    connection
        .prepare_cached(
            "SELECT position, received FROM record WHERE stream = ? AND position >= ? AND +class = 3 ORDER BY position LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![stream, from], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .sql("look for the oldest measurements")
}

/// What was measured in many samples: parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// The lowest.
    pub min: u64,
    /// Of all.
    pub sum: u64,
    /// The highest.
    pub max: u64,
}

impl Spread {
    /// Of one sample.
    pub fn of(value: u64) -> Self {
        Self {
            min: value,
            sum: value,
            max: value,
        }
    }

    /// Returns the mean over so many samples, rounded down.
    pub fn mean(self, samples: u64) -> u64 {
        self.sum.checked_div(samples).unwrap_or(0)
    }

    fn add(&mut self, more: Self) {
        self.min = self.min.min(more.min);
        // What the database can hold; hostile figures end there.
        self.sum = self.sum.saturating_add(more.sum).min(i64::MAX.unsigned_abs());
        self.max = self.max.max(more.max);
    }
}

/// The measurements of a target on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// How many samples.
    pub samples: u64,
    /// Of the processors in use.
    pub cpu: Spread,
    /// Of the memory in use.
    pub memory: Spread,
    /// Of the fullest disk, at its fullest; none where no disk is known.
    pub disk: Option<u64>,
}

impl Day {
    /// Takes in some more of the same day.
    pub fn add(&mut self, more: &Self) {
        self.samples = self.samples.saturating_add(more.samples);
        self.cpu.add(more.cpu);
        self.memory.add(more.memory);
        self.disk = self.disk.max(more.disk);
    }

    fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Self> {
        let at = |place: usize| from.saturating_add(place);
        let spread = |place: usize| -> rusqlite::Result<Spread> {
            Ok(Spread {
                min: row.get(at(place))?,
                sum: row.get(at(place).saturating_add(1))?,
                max: row.get(at(place).saturating_add(2))?,
            })
        };
        Ok(Self {
            samples: row.get(at(0))?,
            cpu: spread(1)?,
            memory: spread(4)?,
            disk: row.get(at(7))?,
        })
    }
}

const DAY: &str = "samples, cpu_min, cpu_sum, cpu_max, memory_min, memory_sum, memory_max, disk";

/// Adds measurements to a target's day; returns whether it is a new row.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn add_day(transaction: &Transaction<'_>, stream: StreamId, source: i64, day: i64, more: &Day) -> Result<bool> {
    let before = transaction
        .prepare_cached(&format!(
            "SELECT {DAY} FROM metrics_day WHERE stream = ? AND day = ? AND source = ?"
        ))
        .and_then(|mut statement| {
            statement
                .query_row(params![stream, day, source], |row| Day::read(row, 0))
                .optional()
        })
        .sql("read a day of measurements")?;
    let mut all = *more;
    if let Some(before) = before {
        all.add(&before);
    }
    transaction
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO metrics_day (stream, day, source, {DAY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ))
        .and_then(|mut statement| {
            statement.execute(params![
                stream,
                day,
                source,
                all.samples,
                all.cpu.min,
                all.cpu.sum,
                all.cpu.max,
                all.memory.min,
                all.memory.sum,
                all.memory.max,
                all.disk
            ])
        })
        .sql("record a day of measurements")?;
    Ok(before.is_none())
}

/// Returns how many rows of days a stream has.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn count_days(connection: &Connection, stream: StreamId) -> Result<u64> {
    connection
        .query_row("SELECT count(*) FROM metrics_day WHERE stream = ?", [stream], |row| {
            row.get(0)
        })
        .sql("count the days of measurements")
}

/// Returns the oldest day of a stream.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn oldest_day(connection: &Connection, stream: StreamId) -> Result<Option<i64>> {
    connection
        .query_row("SELECT min(day) FROM metrics_day WHERE stream = ?", [stream], |row| {
            row.get(0)
        })
        .sql("look for the oldest day of measurements")
}

/// Drops every row of a stream's day; returns how many, and of how many samples.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_day(transaction: &Transaction<'_>, stream: StreamId, day: i64) -> Result<(u64, u64)> {
    let held = transaction
        .query_row(
            "SELECT count(*), coalesce(sum(samples), 0) FROM metrics_day WHERE stream = ? AND day = ?",
            params![stream, day],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .sql("count a day of measurements")?;
    transaction
        .prepare_cached("DELETE FROM metrics_day WHERE stream = ? AND day = ?")
        .and_then(|mut statement| statement.execute(params![stream, day]))
        .sql("drop a day of measurements")?;
    Ok(held)
}

/// Drops a stream's days before one; returns how many rows went.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_days_before(transaction: &Transaction<'_>, stream: StreamId, day: i64) -> Result<usize> {
    transaction
        .prepare_cached("DELETE FROM metrics_day WHERE stream = ? AND day < ?")
        .and_then(|mut statement| statement.execute(params![stream, day]))
        .sql("drop days of measurements")
}

/// Keeps the newest sample of a target, whose record goes.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_sample(transaction: &Transaction<'_>, sample: &Sample) -> Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO sample (source, received, text) VALUES (?, ?, ?)")
        .and_then(|mut statement| statement.execute(params![sample.source, sample.received, sample.text]))
        .sql("keep the newest measurements")?;
    Ok(())
}

/// Returns the newest sample of every target of a stream as of the last fold: target, time and the measurements as JSON.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_samples(connection: &Connection, stream: StreamId) -> Result<Vec<(Uuid, Timestamp, String)>> {
    const WHAT: &str = "read the newest measurements";
    let mut statement = connection
        .prepare_cached(
            "SELECT s.target, coalesce(r.received, x.received), coalesce(r.text, x.text) FROM source s \
             LEFT JOIN contact c ON c.source = s.id \
             LEFT JOIN record r ON r.number = c.metrics AND r.source = s.id AND r.class = 3 \
             LEFT JOIN sample x ON x.source = s.id \
             WHERE s.stream = ? AND s.deployment IS NULL AND coalesce(r.text, x.text) IS NOT NULL ORDER BY s.target, s.id",
        )
        .sql(WHAT)?;
    let rows = statement
        .query_map([stream], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .sql(WHAT)?;
    let mut newest: Vec<(Uuid, Timestamp, String)> = Vec::new();
    for row in rows {
        let row: (Uuid, Timestamp, String) = row.sql(WHAT)?;
        // A target whose owner changed has two sources; the later one counts.
        match newest.last_mut().filter(|last| last.0 == row.0) {
            Some(last) => *last = row,
            None => newest.push(row),
        }
    }
    Ok(newest)
}

/// Calls `each` with every day of a stream's targets that is over and folded whole, of days from one up to before another one, by day
/// and target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql) and of `each`.
pub fn whole_days(
    connection: &Connection,
    stream: StreamId,
    days: std::ops::Range<i64>,
    mut each: impl FnMut(i64, Uuid, Day) -> Result<()>,
) -> Result<()> {
    const WHAT: &str = "read the days of measurements";
    let raw = raw_days(connection, stream)?;
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT d.day, s.target, d.source, {DAY} FROM metrics_day d JOIN source s ON s.id = d.source \
             WHERE d.stream = ? AND d.day >= ? AND d.day < ? ORDER BY d.day, s.target"
        ))
        .sql(WHAT)?;
    let mut rows = statement.query(params![stream, days.start, days.end]).sql(WHAT)?;
    let mut open: Option<(i64, Uuid, Day)> = None;
    while let Some(row) = rows.next().sql(WHAT)? {
        let (day, target, source): (i64, Uuid, i64) =
            (row.get(0).sql(WHAT)?, row.get(1).sql(WHAT)?, row.get(2).sql(WHAT)?);
        if raw.contains(&(source, day)) {
            continue;
        }
        let found = Day::read(row, 3).sql(WHAT)?;
        // A target whose owner changed has two sources.
        if let Some((_, _, held)) = open.as_mut().filter(|open| (open.0, open.1) == (day, target)) {
            held.add(&found);
            continue;
        }
        if let Some((day, target, held)) = open.replace((day, target, found)) {
            each(day, target, held)?;
        }
    }
    open.map_or(Ok(()), |(day, target, held)| each(day, target, held))
}

/// The days of which a target still has raw samples.
fn raw_days(connection: &Connection, stream: StreamId) -> Result<std::collections::HashSet<(i64, i64)>> {
    const WHAT: &str = "look for raw measurements";
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT source, received / 86400 FROM record WHERE stream = ? AND +class = 3")
        .sql(WHAT)?;
    let rows = statement
        .query_map([stream], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}
