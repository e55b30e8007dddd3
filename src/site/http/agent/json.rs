//! JSON as a stream of events, from chunks that end anywhere, in bounded memory (threat model A05).
//!
//! Agents send up to 50 MiB at once; at no time is more of it held than one string, and of that no more than
//! [`TEXT_BYTES`]. The grammar is RFC 8259, strictly: no raw control characters in strings, no other numbers, nothing after the
//! end, at most [`DEPTH`] levels, UTF-8 only. As the agents' own library does, a lone half of a surrogate pair is read as U+FFFD; an
//! escaped NUL is left out, because no log that people read should hold one.

use super::bad_body::BadBody;

/// Bytes that are kept of one string: the longest line that the hub keeps, less room for a mark that it was cut.
pub(super) const TEXT_BYTES: usize = (256 << 10) - 16;
/// Levels of arrays and objects.
const DEPTH: usize = 32;
/// Longest number that is understood; none that an agent writes has 30 characters.
const NUMBER_BYTES: usize = 64;

/// What the stream holds next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event<'a> {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// The name of a member; its value comes next.
    Key(&'a str),
    /// A string, perhaps cut.
    Text(Text<'a>),
    /// A number as it is written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
}

/// A string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text<'a> {
    /// What was kept of it: everything, or its first [`TEXT_BYTES`] bytes up to the end of a character.
    pub(super) kept: &'a str,
    /// Whether there was more.
    pub(super) cut: bool,
}

/// Takes events.
pub(super) trait Visitor {
    /// Takes the next event, or refuses it.
    fn event(&mut self, event: Event<'_>) -> Result<(), BadBody>;
}

/// Reads one JSON value from chunks.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    /// Open arrays and objects; true for objects.
    open: Vec<bool>,
    /// The string, number or word in progress.
    buffer: String,
    cut: bool,
    /// Bytes of a character whose end has not come yet.
    partial: Vec<u8>,
    escape: Escape,
    /// The first half of a surrogate pair, whose second half may come next.
    half: Option<u32>,
    began: bool,
    /// Nothing is kept of strings but what names members.
    discarding: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value comes.
    Value,
    /// A value or `]`.
    ValueOrEnd,
    /// A name or `}`.
    KeyOrEnd,
    /// A name.
    Key,
    /// `:`
    Colon,
    /// `,` or the end of what is open.
    After,
    /// Inside a string; true for a name.
    Text(bool),
    /// Inside a number.
    Number(Number),
    /// Inside a word, with so many of its letters seen.
    Word(Word, usize),
    /// White space only.
    End,
}

/// How far a number has come (RFC 8259 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    True,
    False,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// After a backslash.
    Begun,
    /// Digits of `\u` so far, and their value.
    Hex(u8, u32),
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            state: State::Value,
            open: Vec::new(),
            buffer: String::new(),
            cut: false,
            partial: Vec::new(),
            escape: Escape::None,
            half: None,
            began: false,
            discarding: false,
        }
    }

    /// From now on values that are strings are checked and not kept.
    pub(super) fn discard_texts(&mut self) {
        self.discarding = true;
        if self.state == State::Text(false) {
            self.buffer = String::new();
        }
    }

    /// Bytes of the string in progress.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next chunk.
    pub(super) fn feed(&mut self, mut bytes: &[u8], visitor: &mut impl Visitor) -> Result<(), BadBody> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::Text(_) if self.escape == Escape::None => {
                    let length = bytes
                        .iter()
                        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
                        .unwrap_or(bytes.len());
                    let (plain, special) = bytes.split_at(length);
                    self.plain(plain)?;
                    let Some((&byte, rest)) = special.split_first() else {
                        return Ok(());
                    };
                    self.special(byte, visitor)?;
                    bytes = rest;
                    continue;
                }
                State::Text(_) => self.escaped(byte)?,
                State::Number(number) => {
                    if self.number(number, byte) {
                        bytes = rest;
                    } else {
                        // The byte belongs to what follows.
                        self.end_number(number, visitor)?;
                    }
                    continue;
                }
                State::Word(word, seen) => self.word(word, seen, byte, visitor)?,
                _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => {}
                _ => self.structure(byte, visitor)?,
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Says that the last chunk has come.
    pub(super) fn finish(mut self, visitor: &mut impl Visitor) -> Result<(), BadBody> {
        if let State::Number(number) = self.state {
            self.end_number(number, visitor)?;
        }
        match self.state {
            State::End => Ok(()),
            _ if self.began => Err(BadBody::UnexpectedEnd),
            _ => Err(BadBody::Empty),
        }
    }

    fn structure(&mut self, byte: u8, visitor: &mut impl Visitor) -> Result<(), BadBody> {
        self.began = true;
        self.state = match (self.state, byte) {
            (State::Value | State::ValueOrEnd, b'{') => return self.open(true, visitor),
            (State::Value | State::ValueOrEnd, b'[') => return self.open(false, visitor),
            (State::KeyOrEnd | State::After, b'}') => return self.close(true, visitor),
            (State::ValueOrEnd | State::After, b']') => return self.close(false, visitor),
            (State::Value | State::ValueOrEnd, b'"') => self.text(false),
            (State::KeyOrEnd | State::Key, b'"') => self.text(true),
            (State::Value | State::ValueOrEnd, b't') => State::Word(Word::True, 1),
            (State::Value | State::ValueOrEnd, b'f') => State::Word(Word::False, 1),
            (State::Value | State::ValueOrEnd, b'n') => State::Word(Word::Null, 1),
            (State::Value | State::ValueOrEnd, b'-' | b'0'..=b'9') => {
                self.buffer.clear();
                self.buffer.push(char::from(byte));
                State::Number(match byte {
                    b'-' => Number::Minus,
                    b'0' => Number::Zero,
                    _ => Number::Whole,
                })
            }
            (State::After, b',') if self.open.last() == Some(&true) => State::Key,
            (State::After, b',') | (State::Colon, b':') => State::Value,
            (State::End, _) => return Err(BadBody::Trailing),
            _ => return Err(BadBody::Grammar),
        };
        Ok(())
    }

    fn open(&mut self, object: bool, visitor: &mut impl Visitor) -> Result<(), BadBody> {
        if self.open.len() >= DEPTH {
            return Err(BadBody::Depth);
        }
        self.open.push(object);
        self.state = if object { State::KeyOrEnd } else { State::ValueOrEnd };
        visitor.event(if object { Event::ObjectStart } else { Event::ArrayStart })
    }

    fn close(&mut self, object: bool, visitor: &mut impl Visitor) -> Result<(), BadBody> {
        if self.open.pop() != Some(object) {
            return Err(BadBody::Grammar);
        }
        visitor.event(if object { Event::ObjectEnd } else { Event::ArrayEnd })?;
        self.value_ended();
        Ok(())
    }

    fn value_ended(&mut self) {
        self.state = if self.open.is_empty() { State::End } else { State::After };
    }

    /// Begins a string.
    fn text(&mut self, key: bool) -> State {
        self.buffer.clear();
        self.cut = false;
        State::Text(key)
    }

    /// Takes bytes of a string that mean themselves.
    fn plain(&mut self, mut bytes: &[u8]) -> Result<(), BadBody> {
        if !bytes.is_empty() {
            self.half_ends();
        }
        while !self.partial.is_empty() {
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(());
            };
            self.partial.push(byte);
            bytes = rest;
            let partial = std::mem::take(&mut self.partial);
            match std::str::from_utf8(&partial) {
                Ok(text) => self.keep(text),
                Err(error) if error.error_len().is_none() => self.partial = partial,
                Err(_) => return Err(BadBody::Utf8),
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.keep(text),
            Err(error) => {
                let (good, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or((bytes, &[]));
                if error.error_len().is_some() {
                    return Err(BadBody::Utf8);
                }
                self.keep(std::str::from_utf8(good).map_err(|_| BadBody::Utf8)?);
                self.partial = rest.to_vec();
            }
        }
        Ok(())
    }

    /// Keeps a piece of a string, as far as there is room.
    fn keep(&mut self, text: &str) {
        if self.cut || (self.discarding && self.state == State::Text(false)) {
            return;
        }
        let room = TEXT_BYTES.saturating_sub(self.buffer.len());
        if text.len() <= room {
            self.buffer.push_str(text);
        } else {
            let end = floor(text, room);
            self.buffer.push_str(text.get(..end).unwrap_or_default());
            self.cut = true;
        }
    }

    /// Takes the end of a string, a backslash, or what may not stand in one.
    fn special(&mut self, byte: u8, visitor: &mut impl Visitor) -> Result<(), BadBody> {
        if !self.partial.is_empty() {
            return Err(BadBody::Utf8);
        }
        let State::Text(key) = self.state else {
            return Err(BadBody::Grammar);
        };
        match byte {
            b'\\' => {
                self.escape = Escape::Begun;
                return Ok(());
            }
            b'"' => self.half_ends(),
            _ => return Err(BadBody::Control),
        }
        if key {
            self.state = State::Colon;
            visitor.event(Event::Key(&self.buffer))
        } else {
            visitor.event(Event::Text(Text {
                kept: &self.buffer,
                cut: self.cut,
            }))?;
            self.value_ended();
            Ok(())
        }
    }

    /// A first half without its second one stands for nothing.
    fn half_ends(&mut self) {
        if self.half.take().is_some() {
            self.keep("\u{fffd}");
        }
    }

    fn keep_character(&mut self, character: char) {
        self.keep(character.encode_utf8(&mut [0; 4]));
    }

    /// Takes a byte after a backslash.
    fn escaped(&mut self, byte: u8) -> Result<(), BadBody> {
        let character = match (self.escape, byte) {
            (Escape::Begun, b'u') => {
                self.escape = Escape::Hex(0, 0);
                return Ok(());
            }
            (Escape::Begun, b'"' | b'\\' | b'/') => char::from(byte),
            (Escape::Begun, b'b') => '\u{8}',
            (Escape::Begun, b'f') => '\u{c}',
            (Escape::Begun, b'n') => '\n',
            (Escape::Begun, b'r') => '\r',
            (Escape::Begun, b't') => '\t',
            (Escape::Hex(digits, value), _) => {
                let digit = char::from(byte).to_digit(16).ok_or(BadBody::Grammar)?;
                let value = value << 4 | digit;
                if digits < 3 {
                    self.escape = Escape::Hex(digits.saturating_add(1), value);
                } else {
                    self.escape = Escape::None;
                    self.unit(value);
                }
                return Ok(());
            }
            _ => return Err(BadBody::Grammar),
        };
        self.escape = Escape::None;
        self.half_ends();
        self.keep_character(character);
        Ok(())
    }

    /// Takes a UTF-16 unit that was written as an escape.
    fn unit(&mut self, unit: u32) {
        match (self.half, unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                self.half = None;
                let code = 0x10000 + ((high & 0x3ff) << 10 | unit & 0x3ff);
                self.keep_character(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (_, 0xd800..=0xdbff) => {
                self.half_ends();
                self.half = Some(unit);
            }
            _ => {
                self.half_ends();
                if unit != 0 {
                    self.keep_character(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
        }
    }

    /// Takes a byte of a number; false when it is none.
    fn number(&mut self, number: Number, byte: u8) -> bool {
        use Number::{Exponent, Fraction, Minus, Point, Power, Sign, Whole, Zero};
        let next = match (number, byte) {
            (Minus, b'0') => Zero,
            (Minus | Whole, b'0'..=b'9') => Whole,
            (Zero | Whole, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Whole | Fraction, b'e' | b'E') => Exponent,
            (Exponent, b'+' | b'-') => Sign,
            (Exponent | Sign | Power, b'0'..=b'9') => Power,
            _ => return false,
        };
        // Longer than any number that is understood: one character more says so.
        if self.buffer.len() <= NUMBER_BYTES {
            self.buffer.push(char::from(byte));
        }
        self.state = State::Number(next);
        true
    }

    fn end_number(&mut self, number: Number, visitor: &mut impl Visitor) -> Result<(), BadBody> {
        use Number::{Fraction, Power, Whole, Zero};
        if !matches!(number, Zero | Whole | Fraction | Power) {
            return Err(BadBody::Grammar);
        }
        if self.buffer.len() > NUMBER_BYTES {
            return Err(BadBody::Number);
        }
        visitor.event(Event::Number(&self.buffer))?;
        self.value_ended();
        Ok(())
    }

    fn word(&mut self, word: Word, seen: usize, byte: u8, visitor: &mut impl Visitor) -> Result<(), BadBody> {
        let (letters, event) = match word {
            Word::True => ("true", Event::Bool(true)),
            Word::False => ("false", Event::Bool(false)),
            Word::Null => ("null", Event::Null),
        };
        if letters.as_bytes().get(seen) != Some(&byte) {
            return Err(BadBody::Grammar);
        }
        let seen = seen.saturating_add(1);
        if seen < letters.len() {
            self.state = State::Word(word, seen);
            return Ok(());
        }
        visitor.event(event)?;
        self.value_ended();
        Ok(())
    }
}

/// Returns the end of the last character that ends no later than `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
