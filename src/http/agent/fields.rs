//! Objects of the agents' requests, read as their own library would: names in any case, unknown members ignored, `null` and what is
//! missing leave the zero value, another type is an error. A known member that is given twice is an error here (threat model A05).

use super::bad_body::BadBody;
use super::json::{Event, Text};

/// A value of a known member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// A string.
    Text(Text<'a>),
    /// A number as it is written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
}

/// An object whose known members are plain values.
pub(super) trait Record: Default {
    /// Names of its members; at most 32.
    const FIELDS: &'static [&'static str];

    /// Takes the value of a member, by its place in [`Record::FIELDS`].
    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), BadBody>;
}

/// A record in the making.
#[derive(Debug, Default)]
pub(super) struct Making<R> {
    record: R,
    seen: u32,
    /// The member whose value comes next.
    field: Option<usize>,
    /// Levels open inside a member that is not looked at.
    skipped: usize,
    /// Whether values are looked at.
    deaf: bool,
}

impl<R: Record> Making<R> {
    /// From now on values are not looked at: the texts in them are not kept.
    pub(super) fn throw_away(&mut self) {
        self.deaf = true;
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
                self.field = R::FIELDS.iter().position(|field| field.eq_ignore_ascii_case(key));
                if let Some(place) = self.field {
                    let bit = u32::try_from(place)
                        .ok()
                        .and_then(|place| 1_u32.checked_shl(place))
                        .unwrap_or(0);
                    if self.seen & bit != 0 {
                        return Err(BadBody::Twice(R::FIELDS.get(place).copied().unwrap_or_default()));
                    }
                    self.seen |= bit;
                }
                return Ok(None);
            }
            Event::ObjectStart | Event::ArrayStart => {
                if let Some(place) = self.field {
                    return Err(BadBody::Shape(R::FIELDS.get(place).copied().unwrap_or_default()));
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
        if let Some(field) = self.field
            && !self.deaf
        {
            self.record.set(field, value)?;
        }
        Ok(None)
    }
}
