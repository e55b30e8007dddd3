//! Records: what agents reported, in the order of its numbers, and how many there are that no switch shows (M-85).

use std::ops::ControlFlow;

use super::sink::{Sink, cut};
use crate::appliance::status::{Coverage, Gap as GapRow, Listed, Reason, RecordClass, StreamRecord, StreamView};
use crate::db::status::Source;
use crate::domain::{AgentTime, Class, Error, Result};
use crate::package::{
    AgentLog, AgentLogWord, Gap, GapClass, GapReason, GapWord, Line, Log, LogWord, RecordCounts, Shows, StatusRecord,
    StatusRecordKind, Switch, Taken, Withheld,
};

/// Returns the classes of which every record is a line.
fn classes(shows: &Shows) -> Vec<RecordClass> {
    let is_shown = |class: &RecordClass| match class {
        RecordClass::Transition | RecordClass::Continued | RecordClass::Gap => true,
        RecordClass::Detail => shows.has(Switch::StatusText),
        RecordClass::Log => shows.has(Switch::Logs),
        RecordClass::AgentLog => shows.has(Switch::AgentLogs),
        // Raw samples never leave.
        RecordClass::Metrics => false,
    };
    RecordClass::ALL.into_iter().filter(is_shown).collect()
}

/// Returns what of a range no line shows.
pub(in super::super) fn counts(coverage: &Coverage, shows: &Shows) -> RecordCounts {
    let shown = classes(shows);
    let withheld = |class: RecordClass| {
        if shown.contains(&class) {
            0
        } else {
            coverage.of(&[class])
        }
    };
    RecordCounts {
        missing: coverage.missing,
        unexplained: coverage.unexplained,
        withheld: Withheld {
            agent_log: withheld(RecordClass::AgentLog),
            log: withheld(RecordClass::Log),
            metrics: withheld(RecordClass::Metrics),
            status: withheld(RecordClass::Detail),
        },
    }
}

/// Writes the records of a range that are shown, as far as they fit.
///
/// # Errors
///
/// Those of the database and of the package.
pub(in super::super) fn records(
    sink: &mut Sink<'_, '_>,
    view: &StreamView<'_>,
    (first, last): (u64, u64),
    shows: &Shows,
) -> Result<()> {
    let texts = shows.has(Switch::StatusText);
    view.records(first, last, &classes(shows), |record| {
        let line = line(sink, record, texts)?;
        Ok(match sink.push(&line)? {
            Taken::Yes => ControlFlow::Continue(()),
            Taken::Full => ControlFlow::Break(()),
        })
    })
}

fn line(sink: &Sink<'_, '_>, StreamRecord { listed, gap }: StreamRecord, texts: bool) -> Result<Line> {
    let number = listed.record.position;
    let class = listed.record.class;
    let line = match class {
        RecordClass::Transition => status(sink, listed, StatusRecordKind::Transition, texts),
        RecordClass::Continued => status(sink, listed, StatusRecordKind::Continued, texts),
        RecordClass::Detail => status(sink, listed, StatusRecordKind::Status, texts),
        RecordClass::Log => log(sink, listed),
        RecordClass::AgentLog => agent_log(sink, listed),
        RecordClass::Gap => gap.map(|gap| self::gap(&listed, &gap)),
        RecordClass::Metrics => None,
    };
    line.ok_or_else(|| {
        Error::new(
            Class::Internal,
            "status-record",
            format!(
                "record {number} of the stream ({}) lacks a part of what it says",
                class.as_str()
            ),
        )
        .expected("records as this program writes them")
    })
}

fn status(sink: &Sink<'_, '_>, listed: Listed, kind: StatusRecordKind, texts: bool) -> Option<Line> {
    let Listed { record, source, repeat } = listed;
    let source = source?;
    let deployment = source.deployment?;
    let again = repeat.as_ref().filter(|repeat| repeat.count > 1);
    // In the agent's words as they came last: "now" is when it was reported last.
    let said = repeat.as_ref().and_then(|repeat| repeat.text.as_deref());
    Some(Line::Status(StatusRecord {
        at: record.received,
        count: again.map(|repeat| cut(repeat.count)),
        deployment,
        entered: repeat
            .as_ref()
            .map(|repeat| cut(repeat.entered))
            .filter(|entered| *entered > 1),
        kind,
        last: again.map(|repeat| repeat.last),
        number: record.position,
        of: record.of,
        revision: sink.revisions.stated(&deployment, &record.revision?),
        signal: record.signal?,
        state: record.kind?,
        target: source.target,
        text: texts.then(|| sink.text(said.unwrap_or(&record.text))),
    }))
}

fn log(sink: &Sink<'_, '_>, listed: Listed) -> Option<Line> {
    let Listed { record, source, .. } = listed;
    let source = source?;
    let deployment = source.deployment?;
    Some(Line::Log(Box::new(Log {
        at: record.received,
        deployment,
        kind: LogWord::Word,
        number: record.position,
        resource: sink.name(record.resource.as_deref().unwrap_or_default()),
        revision: sink.revisions.stated(&deployment, &record.revision?),
        severity: sink.name(record.severity.as_deref().unwrap_or_default()),
        target: source.target,
        text: sink.text(&record.text),
        time: record.at?,
    })))
}

fn agent_log(sink: &Sink<'_, '_>, listed: Listed) -> Option<Line> {
    let Listed { record, source, .. } = listed;
    let time: AgentTime = record.at?;
    Some(Line::AgentLog(AgentLog {
        at: record.received,
        kind: AgentLogWord::Word,
        number: record.position,
        severity: sink.name(record.severity.as_deref().unwrap_or_default()),
        target: source?.target,
        text: sink.text(&record.text),
        time,
    }))
}

fn gap(listed: &Listed, gap: &GapRow) -> Line {
    let numbers = (gap.first > 0 && gap.first <= gap.last).then_some((gap.first, gap.last));
    Line::Gap(Gap {
        at: listed.record.received,
        bytes: cut(gap.bytes),
        class: gap.class.map_or(GapClass::Any, class_of),
        count: cut(gap.count),
        exact: gap.exact,
        first: numbers.map(|(first, _)| first),
        kind: GapWord::Word,
        last: numbers.map(|(_, last)| last),
        number: listed.record.position,
        reason: reason_of(gap.reason),
        since: gap.since,
        target: listed.source.as_ref().map(|Source { target, .. }| *target),
        until: gap.until,
    })
}

fn class_of(class: RecordClass) -> GapClass {
    match class {
        RecordClass::Transition => GapClass::Transition,
        RecordClass::Detail => GapClass::Status,
        RecordClass::Continued => GapClass::Continued,
        RecordClass::Metrics => GapClass::Metrics,
        RecordClass::Log => GapClass::Log,
        RecordClass::AgentLog => GapClass::AgentLog,
        RecordClass::Gap => GapClass::Gap,
    }
}

fn reason_of(reason: Reason) -> GapReason {
    match reason {
        Reason::Quota => GapReason::Quota,
        Reason::Rate => GapReason::Rate,
        Reason::Flapping => GapReason::Flapping,
        Reason::Damaged => GapReason::Damaged,
        Reason::Restored => GapReason::Restored,
        Reason::Folded => GapReason::Folded,
    }
}
