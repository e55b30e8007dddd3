//! Objects of the agents' requests, read as their own library would: names in any case, unknown members ignored, `null` and what is
//! missing leave the zero value, another type is an error. A known member that is given twice is an error here (threat model A05).

use super::bad_body::BadBody;
use super::json::Event;
use super::values::{AgentText, NamedValue, Value};
use crate::protocol::distr::ReportObject;

/// A report whose texts may be cut.
pub(super) trait Object: ReportObject<Text = AgentText> {}
impl<R: ReportObject<Text = AgentText>> Object for R {}

/// A record whose members are still coming.
#[derive(Debug, Default)]
pub(super) struct RecordBuilder<R> {
    record: R,
    seen: u32,
    /// The member whose value comes next.
    member: Option<&'static str>,
    /// Levels open inside a member that is not looked at.
    skipped: usize,
    /// Whether values are read and not kept.
    discarding: bool,
}

impl<R: Object> RecordBuilder<R> {
    /// From now on values are not looked at: the texts in them are not kept.
    pub(super) fn discard(&mut self) {
        self.discarding = true;
    }

    /// Takes an event behind the start of the object; returns the record at its end.
    pub(super) fn event(&mut self, event: Event<'_>) -> Result<Option<R>, BadBody> {
        if self.skipped > 0 {
            match event {
                Event::ObjectStart | Event::ArrayStart => self.skipped = self.skipped.saturating_add(1),
                Event::ObjectEnd | Event::ArrayEnd => self.skipped = self.skipped.saturating_sub(1),
                _ => {}
            }
            return Ok(None);
        }
        let value = match event {
            Event::ObjectEnd => return Ok(Some(std::mem::take(&mut self.record))),
            Event::Key(key) => {
                let place = R::MEMBERS.iter().position(|member| member.eq_ignore_ascii_case(key));
                self.member = place.and_then(|place| R::MEMBERS.get(place).copied());
                if let (Some(place), Some(member)) = (place, self.member) {
                    let bit = u32::try_from(place)
                        .ok()
                        .and_then(|place| 1_u32.checked_shl(place))
                        .unwrap_or(0);
                    if self.seen & bit != 0 {
                        return Err(BadBody::Twice(member));
                    }
                    self.seen |= bit;
                }
                return Ok(None);
            }
            Event::ObjectStart | Event::ArrayStart => {
                if let Some(member) = self.member {
                    return Err(BadBody::Shape(member));
                }
                self.skipped = 1;
                return Ok(None);
            }
            // Cannot be: arrays are skipped whole.
            Event::ArrayEnd => return Err(BadBody::Grammar),
            Event::Null => return Ok(None),
            Event::Text(text) => Value::Text(text),
            Event::Number(number) => Value::Number(number),
            Event::Bool(yes) => Value::Bool(yes),
        };
        if let Some(name) = self.member
            && !self.discarding
        {
            self.record.set(name, NamedValue { name, value })?;
        }
        Ok(None)
    }
}
