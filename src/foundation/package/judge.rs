//! Judges lines as they come, for who reads a package and for who writes one: order, switches, ranges, limits.

use super::line::Line;
use super::order::Order;
use super::switch::Shows;
use crate::domain::{Class, Error, Result, limits};

/// What must hold over all lines of a package.
#[derive(Debug)]
pub(super) struct Judge {
    shows: Shows,
    /// First and last number that a record may have.
    records: (u64, u64),
    order: Order,
    lines: u64,
    damaged: u64,
    targets: u64,
    receipts: u64,
    audit: u64,
}

impl Judge {
    /// Starts before the first line of a package that shows this, and covers records from the first of two numbers to the last.
    pub(super) fn new(shows: Shows, records: (u64, u64)) -> Self {
        Self {
            shows,
            records,
            order: Order::default(),
            lines: 0,
            damaged: 0,
            targets: 0,
            receipts: 0,
            audit: 0,
        }
    }

    /// Takes the next line, whose own form was checked.
    ///
    /// # Errors
    ///
    /// `E-LIMIT`, `E-FORMAT` and `E-CONTENT`.
    pub(super) fn take(&mut self, line: &Line) -> Result<()> {
        self.count(line)?;
        self.order.take(line)?;
        line.check_shows(&self.shows)?;
        let (first, last) = self.records;
        match line {
            Line::Status(_) | Line::Log(_) | Line::AgentLog(_) | Line::Gap(_)
                if line.number().is_none_or(|number| !(first..=last).contains(&number)) =>
            {
                Err(Error::new(
                    Class::Content,
                    "coverage",
                    "a record lies outside of the range that the head states",
                )
                .expected(format!("numbers {first} to {last}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether another line of the same kind would be above a limit.
    pub(super) fn is_full(&self, line: &Line) -> bool {
        let (counted, most) = self.counted(line);
        self.lines >= limits::PACKAGE_LINES || counted >= most
    }

    fn count(&mut self, line: &Line) -> Result<()> {
        if self.is_full(line) {
            let (_, most) = self.counted(line);
            return Err(Error::new(
                Class::Limit,
                "lines",
                format!("the package has too many lines of {}", line.part()),
            )
            .expected(format!(
                "at most {} in all, {} such ones",
                limits::PACKAGE_LINES,
                most.min(limits::PACKAGE_LINES)
            )));
        }
        self.lines = self.lines.saturating_add(1);
        let counter = match line {
            Line::Damaged(_) => &mut self.damaged,
            Line::Target(_) => &mut self.targets,
            Line::Receipt(_) => &mut self.receipts,
            Line::Audit(_) => &mut self.audit,
            _ => return Ok(()),
        };
        *counter = counter.saturating_add(1);
        Ok(())
    }

    fn counted(&self, line: &Line) -> (u64, u64) {
        match line {
            Line::Damaged(_) => (self.damaged, limits::DAMAGED),
            Line::Target(_) => (self.targets, limits::PACKAGE_TARGETS),
            Line::Receipt(_) => (self.receipts, limits::RECEIPTS),
            Line::Audit(_) => (self.audit, limits::AUDIT_ROWS),
            _ => (0, u64::MAX),
        }
    }
}
