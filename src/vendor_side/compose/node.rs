//! A compose document as a tree: aliases and merge keys expanded, every value with its place.
//!
//! Texts are kept twice: as written, for the document that agents get, and with variables replaced, for every decision taken
//! here. Mappings are sorted by key: compose gives their order no meaning, and what is written from them is the same every time.

use std::collections::BTreeMap;

use super::place::Place;

/// Entries of a mapping.
pub(super) type Map = BTreeMap<String, Node>;

/// A value and where it stands: a mapping or list under a key stands where its key does.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) merge_tag: MergeTag,
    pub(super) value: Value,
}

/// Compose's own tags, for merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MergeTag {
    /// None.
    Plain,
    /// `!reset`: the attribute goes.
    Reset,
    /// `!override`: the value replaces instead of being merged.
    Override,
}

/// A value. Numbers keep their text: decimal whatever it was written as, so that every YAML reader reads the same.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(String),
    Float(String),
    Text(Text),
    List(Vec<Node>),
    Map(Map),
}

/// A text.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Text {
    /// As written.
    pub(super) raw: String,
    /// With variables replaced.
    pub(super) value: String,
}

impl Text {
    /// Makes a text that holds no variables, whatever dollar signs it has.
    pub(super) fn literal(text: &str) -> Self {
        Self {
            raw: text.replace('$', "$$"),
            value: text.to_owned(),
        }
    }
}

impl Node {
    /// Makes an unmarked value.
    pub(super) fn new(place: &Place, value: Value) -> Self {
        Self {
            place: place.clone(),
            merge_tag: MergeTag::Plain,
            value,
        }
    }

    /// Returns the entries, when it is a mapping.
    pub(super) fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the entries to change, when it is a mapping.
    pub(super) fn map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the items, when it is a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the text with variables replaced, when it is a text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(&text.value),
            _ => None,
        }
    }

    /// Returns an entry of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.get(key)
    }

    /// Returns the text of an entry.
    pub(super) fn get_text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// Whether there is nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Returns any single value as compose writes it into a text: with variables replaced.
    pub(super) fn spoken(&self) -> Option<String> {
        match &self.value {
            Value::Bool(yes) => Some(yes.to_string()),
            Value::Integer(digits) => Some(digits.clone()),
            Value::Float(digits) => Some(spoken_float(digits)),
            Value::Text(text) => Some(text.value.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether compose takes it for true, as a bool or as a text.
    pub(super) fn is_true(&self) -> bool {
        self.spoken()
            .is_some_and(|word| ["true", "yes", "on", "y"].contains(&word.to_lowercase().as_str()))
    }

    /// Returns the texts of a list, or of a single text.
    pub(super) fn texts(&self) -> Vec<&str> {
        match &self.value {
            Value::Text(text) => vec![&text.value],
            Value::List(items) => items.iter().filter_map(Self::text).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the keys of a mapping or the texts of a list, each with its value where it has one: the two ways to say `depends_on`.
    pub(super) fn names(&self) -> Vec<(&str, Option<&Self>)> {
        match &self.value {
            Value::Map(map) => map.iter().map(|(key, node)| (key.as_str(), Some(node))).collect(),
            Value::List(items) => items.iter().filter_map(Self::text).map(|text| (text, None)).collect(),
            _ => Vec::new(),
        }
    }

    /// Says what kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Writes a float as compose does when it makes a text of it: the shortest digits, an exponent below 1e-4 and from 1e21 on.
fn spoken_float(digits: &str) -> String {
    let Ok(number) = digits.parse::<f64>() else {
        return digits.to_owned();
    };
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{mantissa}e{sign}{exponent:0>2}");
    }
    format!("{number}")
}
