//! One line of any kind: which part it stands in, how it is read and written, and what it needs to be shown.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lines::{
    AgentLog, AuditRow, Damaged, Deployment, Gap, Log, MetricsDay, Release, SignedReceipt, StatusRecord,
    StatusRecordKind, Target,
};
use super::part::PartType;
use super::switch::{Shows, Switch};
use crate::crypto::canonical::{self, LongMember};
use crate::domain::{Class, Error, Result, limits};

/// A line of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the types say it")]
pub enum Line {
    Release(Release),
    Damaged(Damaged),
    Target(Box<Target>),
    Deployment(Box<Deployment>),
    Receipt(Box<SignedReceipt>),
    Audit(AuditRow),
    Metrics(MetricsDay),
    Status(StatusRecord),
    Log(Box<Log>),
    AgentLog(AgentLog),
    Gap(Gap),
}

/// Texts of records may be long; the string of one has four bytes for each of its own.
const TEXT: LongMember = LongMember {
    name: "text",
    bytes: limits::LINE_TEXT_BYTES,
};

impl Line {
    /// Reads a line of a part that holds no receipts, and checks what holds within it.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`.
    pub(super) fn parse(part: PartType, bytes: &[u8]) -> Result<Self> {
        let line = match part {
            PartType::Releases => match kind_of(bytes) {
                Some(b"release") => Self::Release(read(part, bytes)?),
                Some(b"damaged") => Self::Damaged(read(part, bytes)?),
                _ => return Err(unknown_kind(part)),
            },
            PartType::Targets => match kind_of(bytes) {
                Some(b"target") => Self::Target(Box::new(read(part, bytes)?)),
                Some(b"deployment") => Self::Deployment(Box::new(read(part, bytes)?)),
                _ => return Err(unknown_kind(part)),
            },
            PartType::Receipts => Self::Receipt(Box::new(SignedReceipt::unverified(bytes)?)),
            PartType::Audit => Self::Audit(read(part, bytes)?),
            PartType::Metrics => Self::Metrics(read(part, bytes)?),
            PartType::Records => match kind_of(bytes) {
                Some(b"transition" | b"continued" | b"status") => Self::Status(read(part, bytes)?),
                Some(b"log") => Self::Log(Box::new(read(part, bytes)?)),
                Some(b"agent-log") => Self::AgentLog(read(part, bytes)?),
                Some(b"gap") => Self::Gap(read(part, bytes)?),
                _ => return Err(unknown_kind(part)),
            },
        };
        line.check()?;
        Ok(line)
    }

    /// Returns the line without its line feed.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL line` for a number above 2^53−1, which no reader would take.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let written = match self {
            Self::Release(line) => write(line),
            Self::Damaged(line) => write(line),
            Self::Target(line) => write(line),
            Self::Deployment(line) => write(line),
            Self::Receipt(line) => Ok(canonical::to_vec(&line.envelope)),
            Self::Audit(line) => write(line),
            Self::Metrics(line) => write(line),
            Self::Status(line) => write(line),
            Self::Log(line) => write(line),
            Self::AgentLog(line) => write(line),
            Self::Gap(line) => write(line),
        };
        written.map_err(|error| {
            Error::new(
                Class::Internal,
                "line",
                format!("a line of {} cannot be written: {error}", self.part()),
            )
        })
    }

    /// Returns the part that it stands in.
    pub fn part(&self) -> PartType {
        match self {
            Self::Release(_) | Self::Damaged(_) => PartType::Releases,
            Self::Target(_) | Self::Deployment(_) => PartType::Targets,
            Self::Receipt(_) => PartType::Receipts,
            Self::Audit(_) => PartType::Audit,
            Self::Metrics(_) => PartType::Metrics,
            Self::Status(_) | Self::Log(_) | Self::AgentLog(_) | Self::Gap(_) => PartType::Records,
        }
    }

    /// Returns the word of its kind, or of its part where that has one kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Release(_) => "release",
            Self::Damaged(_) => "damaged",
            Self::Target(_) => "target",
            Self::Deployment(_) => "deployment",
            Self::Receipt(_) => "receipt",
            Self::Audit(_) => "audit",
            Self::Metrics(_) => "metrics",
            Self::Status(line) => match line.kind {
                StatusRecordKind::Transition => "transition",
                StatusRecordKind::Continued => "continued",
                StatusRecordKind::Status => "status",
            },
            Self::Log(_) => "log",
            Self::AgentLog(_) => "agent-log",
            Self::Gap(_) => "gap",
        }
    }

    /// Returns its number in its kind's range; nothing for lines of snapshots.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Release(_) | Self::Damaged(_) | Self::Target(_) | Self::Deployment(_) | Self::Metrics(_) => None,
            Self::Receipt(line) => Some(line.receipt.number),
            Self::Audit(line) => Some(line.number),
            Self::Status(line) => Some(line.number),
            Self::Log(line) => Some(line.number),
            Self::AgentLog(line) => Some(line.number),
            Self::Gap(line) => Some(line.number),
        }
    }

    /// Checks what holds within the line.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Release(_) | Self::Damaged(_) | Self::Receipt(_) | Self::Metrics(_) => Ok(()),
            Self::Target(line) => line.check(),
            Self::Deployment(line) => line.check(),
            Self::Audit(line) => line.check(),
            Self::Status(line) => line.check(),
            Self::Log(line) => line.check(),
            Self::AgentLog(line) => line.check(),
            Self::Gap(line) => line.check(),
        }
    }

    /// Checks that everything in it may be shown, and that nothing is left out that is shown.
    ///
    /// # Errors
    ///
    /// `E-CONTENT shows`; `E-FORMAT line` for a status without its text where texts are shown.
    pub(super) fn check_shows(&self, shows: &Shows) -> Result<()> {
        match self {
            Self::Release(_)
            | Self::Damaged(_)
            | Self::Deployment(_)
            | Self::Receipt(_)
            | Self::Audit(_)
            | Self::Gap(_) => Ok(()),
            Self::Target(line) => {
                let members = [
                    (line.agent.is_some(), Switch::Agents, "the version of an agent"),
                    (line.name.is_some(), Switch::LocalNames, "a name of the site"),
                    (line.metrics.is_some(), Switch::Metrics, "metrics of a target"),
                ];
                members
                    .into_iter()
                    .filter(|(there, ..)| *there)
                    .try_for_each(|(_, switch, what)| shows.allow(switch, what))
            }
            Self::Metrics(_) => shows.allow(Switch::Metrics, "days of metrics"),
            Self::Status(line) => {
                if line.kind == StatusRecordKind::Status {
                    shows.allow(Switch::StatusText, "a status that changed nothing")?;
                }
                match &line.text {
                    Some(_) => shows.allow(Switch::StatusText, "the text of a status"),
                    None if shows.has(Switch::StatusText) => Err(Error::new(
                        Class::Format,
                        "line",
                        "a status lacks its text, and the head says that texts are shown",
                    )),
                    None => Ok(()),
                }
            }
            Self::Log(_) => shows.allow(Switch::Logs, "a line of a container"),
            Self::AgentLog(_) => shows.allow(Switch::AgentLogs, "a line of an agent"),
        }
    }
}

fn read<T: Serialize + DeserializeOwned>(part: PartType, bytes: &[u8]) -> Result<T> {
    let what = format!("a line of {part}");
    match part {
        PartType::Records => canonical::line_from_slice(bytes, &what, TEXT),
        _ => canonical::from_sorted_slice(bytes, &what),
    }
}

fn write(line: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(line)
}

/// Finds the word of a line's kind. What stands elsewhere under that name makes a line that does not parse.
fn kind_of(line: &[u8]) -> Option<&[u8]> {
    // Inside a JSON string the quotes would be escaped, so this text can only be the member itself.
    const MEMBER: &[u8] = b"\"kind\":\"";
    let at = line.windows(MEMBER.len()).position(|window| window == MEMBER)?;
    line.get(at.saturating_add(MEMBER.len())..)?
        .split(|byte| *byte == b'"')
        .next()
}

fn unknown_kind(part: PartType) -> Error {
    Error::new(
        Class::Format,
        "grammar",
        format!("a line of {part} is of no known kind"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "00000001-0000-4000-8000-000000000000";

    /// A line of each type, in the one form.
    fn samples() -> Vec<(PartType, String)> {
        let hash = "ab".repeat(32);
        let at = "2026-11-21T10:00:00Z";
        vec![
            (
                PartType::Releases,
                format!(
                    "{{\"blobs\":5,\"channel\":\"stable\",\"content\":\"{hash}\",\"epoch\":0,\"head\":\"{hash}\",\"imported_at\":\"{at}\",\
                     \"kind\":\"release\",\"product\":\"erp\",\"root_version\":1,\"sequence\":7,\"state\":\"available\"}}"
                ),
            ),
            (
                PartType::Releases,
                format!("{{\"digest\":\"sha256:{hash}\",\"kind\":\"damaged\",\"size\":7}}"),
            ),
            (
                PartType::Targets,
                format!(
                    "{{\"agent\":\"2.1 \\\\1b\",\"kind\":\"target\",\"metrics\":{{\"cores\":4,\"cpu\":1,\"disks\":[[5,2]],\"memory\":3,\
                     \"memory_used\":1}},\"target\":\"{UUID}\"}}"
                ),
            ),
            (
                PartType::Targets,
                format!(
                    "{{\"deployment\":\"{UUID}\",\"doubt\":\"no-status\",\"kind\":\"deployment\",\"target\":\"{UUID}\"}}"
                ),
            ),
            (
                PartType::Audit,
                format!(
                    "{{\"action\":\"init\",\"at\":\"{at}\",\"detail\":{{\"a\":{{\"b\":[1,true,\"c\"]}}}},\"number\":1}}"
                ),
            ),
            (
                PartType::Metrics,
                format!(
                    "{{\"cpu\":[1,2,3],\"day\":\"2026-11-20\",\"memory\":[1,2,3],\"samples\":9,\"target\":\"{UUID}\"}}"
                ),
            ),
            (
                PartType::Records,
                format!(
                    "{{\"at\":\"{at}\",\"deployment\":\"{UUID}\",\"kind\":\"continued\",\"number\":3,\"of\":2,\"revision\":\"{UUID}\",\
                     \"signal\":\"applied\",\"state\":\"running\",\"target\":\"{UUID}\",\"text\":\"\\\\..x\\\\0a\"}}"
                ),
            ),
            (
                PartType::Records,
                format!(
                    "{{\"at\":\"{at}\",\"bytes\":0,\"class\":\"any\",\"count\":1,\"exact\":true,\"first\":1,\"kind\":\"gap\",\"last\":2,\
                     \"number\":4,\"reason\":\"quota\",\"since\":\"{at}\",\"until\":\"{at}\"}}"
                ),
            ),
            (
                PartType::Records,
                format!(
                    "{{\"at\":\"{at}\",\"kind\":\"agent-log\",\"number\":5,\"severity\":\"info\",\"target\":\"{UUID}\",\"text\":\"\",\
                     \"time\":\"2026-11-21T10:00:00.5Z\"}}"
                ),
            ),
        ]
    }

    #[test]
    fn samples_are_read_and_written_again_the_same() {
        for (part, line) in samples() {
            let read = Line::parse(part, line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((read.part(), read.to_bytes().unwrap()), (part, line.into_bytes()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever a hostile site writes: it is refused, or it is the one form of what was understood.
        #[test]
        fn changed_lines_are_refused_or_are_the_one_form_of_what_they_say(
            pick: prop::sample::Index,
            other: prop::sample::Index,
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..4),
        ) {
            let samples = samples();
            let mut bytes = pick.get(&samples).1.clone().into_bytes();
            for (place, kind, byte) in changes {
                let at = place.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes[at] ^= 1 << (byte % 8),
                    2 => bytes.insert(at, byte),
                    _ => {
                        bytes.remove(at);
                    }
                }
                if bytes.is_empty() {
                    bytes.push(byte);
                }
            }
            for part in [pick.get(&samples).0, other.get(&samples).0] {
                if let Ok(line) = Line::parse(part, &bytes) {
                    prop_assert_eq!(line.to_bytes().unwrap(), bytes.clone());
                }
            }
        }
    }
}
