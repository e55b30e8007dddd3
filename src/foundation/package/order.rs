//! The order of lines over all pages of their type, and what one line says about another.

use super::line::Line;
use super::lines::{Day, StatusRecordKind};
use crate::domain::{Class, Digest, Error, Name, Result, Uuid};

/// Where the lines of each type have come to.
#[derive(Debug, Default)]
pub(super) struct Order {
    release: Option<(Name, Name, u64, u64)>,
    damaged: Option<Digest>,
    target: Option<Uuid>,
    deployment: Option<Uuid>,
    receipt: Option<u64>,
    audit: Option<u64>,
    metrics: Option<(Day, Uuid)>,
    record: Option<u64>,
    /// Numbers of records that only continue others, ascending: nothing may continue those.
    continued: Vec<u64>,
}

impl Order {
    /// Takes the next line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT order`, and `line` for a record that continues one that itself only continues another.
    pub(super) fn take(&mut self, line: &Line) -> Result<()> {
        match line {
            Line::Release(line) => {
                if self.damaged.is_some() {
                    return Err(wrong("a release stands behind the list of what is damaged"));
                }
                let key = (line.product.clone(), line.channel.clone(), line.epoch, line.sequence);
                ascend(&mut self.release, key, "releases")
            }
            Line::Damaged(line) => ascend(&mut self.damaged, line.digest, "damaged blobs"),
            Line::Target(line) => {
                self.deployment = None;
                ascend(&mut self.target, line.target, "targets")
            }
            Line::Deployment(line) => {
                if self.target != Some(line.target) {
                    return Err(wrong("a deployment does not stand behind its target"));
                }
                ascend(&mut self.deployment, line.deployment, "deployments of a target")
            }
            Line::Receipt(line) => ascend(&mut self.receipt, line.receipt.number, "receipts"),
            Line::Audit(line) => ascend(&mut self.audit, line.number, "rows of the log"),
            Line::Metrics(line) => ascend(&mut self.metrics, (line.day, line.target), "days of metrics"),
            Line::Status(line) => {
                ascend(&mut self.record, line.number, "records")?;
                if line.kind == StatusRecordKind::Continued {
                    self.continued.push(line.number);
                }
                if line.of.is_some_and(|of| self.continued.binary_search(&of).is_ok()) {
                    return Err(Error::new(
                        Class::Format,
                        "line",
                        "a record continues one that itself continues another",
                    ));
                }
                Ok(())
            }
            Line::Log(line) => ascend(&mut self.record, line.number, "records"),
            Line::AgentLog(line) => ascend(&mut self.record, line.number, "records"),
            Line::Gap(line) => ascend(&mut self.record, line.number, "records"),
        }
    }
}

fn ascend<T: PartialOrd>(last: &mut Option<T>, key: T, what: &str) -> Result<()> {
    if last.as_ref().is_some_and(|last| *last >= key) {
        return Err(wrong(&format!("{what} are repeated or out of order")));
    }
    *last = Some(key);
    Ok(())
}

fn wrong(found: &str) -> Error {
    Error::new(Class::Format, "order", found)
}
