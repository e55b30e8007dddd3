//! YAML text as trees, one for each document of a file.
//!
//! Everything hostile about YAML ends here: a document is at most 1 MiB, 64 levels deep, and at most 100,000 values and 8 MiB of
//! text after aliases and merge keys were expanded (the bomb of nine lines does not go off); keys are texts, and none is given
//! twice; an alias cannot stand within what it names. Tags are compose's own two and those of YAML's core; any other makes a text of a
//! scalar, and nothing else of anything, as in compose.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};

use super::node::{Map, MergeTag, Node, Value};
use super::place::Place;
use super::problem::{cut, mistake};
use super::scalar;
use crate::domain::{Class, Error, Result};

/// Largest compose file.
pub const COMPOSE_BYTES: u64 = 1 << 20;
/// Deepest nesting.
const DEPTH: usize = 64;
/// Most values of a file, aliases expanded: compose's own limit.
const VALUES: usize = 100_000;
/// Most bytes of text of a file, aliases expanded.
const TEXT_BYTES: usize = 8 << 20;
/// Longest key, in bytes: one that YAML readers look ahead for is at most 1,024 characters.
const KEY_BYTES: usize = 512;

/// Reads every document of a file.
///
/// # Errors
///
/// `E-USAGE yaml` with file, line and column; `E-LIMIT size`, `depth`, `aliases`.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Node>> {
    let file: Arc<Path> = path.into();
    let start = Place::start(path);
    if bytes.len() as u64 > COMPOSE_BYTES {
        return Err(Error::new(
            Class::Limit,
            "size",
            format!("{} has {} bytes", path.display(), bytes.len()),
        )
        .expected(format!("at most {COMPOSE_BYTES}")));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| mistake(&start, "yaml", "this is no text in UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        file,
        anchors: HashMap::new(),
        spent: Cost::default(),
    };
    reader.documents()
}

/// What a tree costs to hold.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    values: usize,
    bytes: usize,
}

/// A tree, whether a key of it merges, and what it costs.
struct Built {
    node: Node,
    cost: Cost,
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    file: Arc<Path>,
    /// Finished values only: an alias within what it names finds nothing.
    anchors: HashMap<usize, (Node, Cost)>,
    spent: Cost,
}

impl<'a> Reader<'a> {
    fn place(&self, span: &Span) -> Place {
        Place {
            file: self.file.clone(),
            line: span.start.line(),
            column: span.start.col().saturating_add(1),
        }
    }

    fn wrong(&self, span: &Span, found: impl std::fmt::Display) -> Error {
        mistake(&self.place(span), "yaml", found)
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => {
                let at = Place {
                    file: self.file.clone(),
                    line: error.marker().line(),
                    column: error.marker().col().saturating_add(1),
                };
                let said = error.info();
                if said.contains("recursion limit") {
                    return Err(too_deep(&at));
                }
                Err(mistake(&at, "yaml", cut(said.lines().next().unwrap_or_default())))
            }
        }
    }

    fn documents(&mut self) -> Result<Vec<Node>> {
        let mut documents = Vec::new();
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                Event::DocumentStart(..) => self.anchors.clear(),
                event => documents.push(self.node(event, &span, 0)?.node),
            }
        }
        Ok(documents)
    }

    /// Takes what a value costs out of what a file may cost.
    fn spend(&mut self, cost: Cost, span: &Span) -> Result<()> {
        self.spent.values = self.spent.values.saturating_add(cost.values);
        self.spent.bytes = self.spent.bytes.saturating_add(cost.bytes);
        if self.spent.values > VALUES || self.spent.bytes > TEXT_BYTES {
            return Err(Error::new(
                Class::Limit,
                "aliases",
                format!("{}: with its aliases expanded the file is too large", self.place(span)),
            )
            .expected(format!("at most {VALUES} values and {TEXT_BYTES} bytes of text")));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Built> {
        if depth > DEPTH {
            return Err(too_deep(&self.place(span)));
        }
        let place = self.place(span);
        let (anchor, built) = match event {
            Event::Alias(id) => {
                let Some((node, cost)) = self.anchors.get(&id).cloned() else {
                    return Err(self.wrong(span, "an alias stands within what it names"));
                };
                self.spend(cost, span)?;
                return Ok(Built { node, cost });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let cost = Cost {
                    values: 1,
                    bytes: text.len(),
                };
                self.spend(cost, span)?;
                let (merge_tag, value) = self.scalar(&text, style, tag.as_ref(), span)?;
                (
                    anchor,
                    Built {
                        node: Node {
                            place,
                            merge_tag,
                            value,
                        },
                        cost,
                    },
                )
            }
            Event::SequenceStart(_, anchor, tag) => {
                let merge_tag = merge_tag(tag.as_ref());
                let mut cost = Cost { values: 1, bytes: 0 };
                self.spend(cost, span)?;
                let items = self.sequence(depth, &mut cost)?;
                (
                    anchor,
                    Built {
                        node: Node {
                            place,
                            merge_tag,
                            value: Value::List(items),
                        },
                        cost,
                    },
                )
            }
            Event::MappingStart(_, anchor, tag) => {
                let merge_tag = merge_tag(tag.as_ref());
                let mut cost = Cost { values: 1, bytes: 0 };
                self.spend(cost, span)?;
                let entries = self.mapping(depth, &mut cost)?;
                (
                    anchor,
                    Built {
                        node: Node {
                            place,
                            merge_tag,
                            value: Value::Map(entries),
                        },
                        cost,
                    },
                )
            }
            _ => return Err(self.wrong(span, "the document ends early")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (built.node.clone(), built.cost));
        }
        Ok(built)
    }

    fn sequence(&mut self, depth: usize, cost: &mut Cost) -> Result<Vec<Node>> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let item = self.node(event, &span, depth.saturating_add(1))?;
            cost.add(item.cost);
            items.push(item.node);
        }
        Ok(items)
    }

    fn mapping(&mut self, depth: usize, cost: &mut Cost) -> Result<Map> {
        let mut given: Map = BTreeMap::new();
        let mut keys: HashMap<String, Place> = HashMap::new();
        let mut merged: Vec<(Node, Span)> = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key(event, &span, depth)?;
            let place = self.place(&span);
            cost.add(Cost {
                values: 1,
                bytes: key.len(),
            });
            if let Some(first) = keys.get(&key) {
                return Err(self.wrong(
                    &span,
                    format!("the key {:?} is given twice, first on line {}", cut(&key), first.line),
                ));
            }
            keys.insert(key.clone(), place.clone());
            let Some((event, value_span)) = self.next()? else { break };
            let value = self.node(event, &value_span, depth.saturating_add(1))?;
            cost.add(value.cost);
            let mut node = value.node;
            if merges {
                merged.push((node, value_span));
                continue;
            }
            if !matches!(node.value, Value::Text(_)) {
                node.place = place;
            }
            given.insert(key, node);
        }
        for (node, span) in merged {
            self.merge(&mut given, node, &span)?;
        }
        Ok(given)
    }

    /// Adds what a merge key names: what is given already stays.
    fn merge(&self, given: &mut Map, node: Node, span: &Span) -> Result<()> {
        let sources = match node.value {
            Value::Map(map) => vec![map],
            Value::List(items) => items
                .into_iter()
                .map(|item| match item.value {
                    Value::Map(map) => Ok(map),
                    _ => Err(self.wrong(span, "a merge key takes mappings only")),
                })
                .collect::<Result<_>>()?,
            _ => return Err(self.wrong(span, "a merge key takes mappings only")),
        };
        for source in sources {
            for (key, node) in source {
                given.entry(key).or_insert(node);
            }
        }
        Ok(())
    }

    fn key(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<String> {
        let node = self.node(event, span, depth.saturating_add(1))?.node;
        let Value::Text(text) = node.value else {
            return Err(self.wrong(
                span,
                format!("a key is {} and not a text; put it in quotes", node.kind()),
            ));
        };
        if text.raw.len() > KEY_BYTES || text.raw.chars().any(char::is_control) {
            return Err(self.wrong(
                span,
                format!("a key is longer than {KEY_BYTES} bytes or has control characters"),
            ));
        }
        Ok(text.raw)
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Cow<'_, Tag>>,
        span: &Span,
    ) -> Result<(MergeTag, Value)> {
        let resolved = || scalar::resolve(text).map_err(|found| self.wrong(span, found).remedy("put it in quotes"));
        if let Some(core) = tag.and_then(|tag| tag.core_suffix()) {
            let value = match (core, scalar::resolve(text)) {
                ("str", _) => scalar::text(text),
                ("int", Ok(value @ Value::Integer(_)))
                | ("float", Ok(value @ Value::Float(_)))
                | ("bool", Ok(value @ Value::Bool(_)))
                | ("null", Ok(value @ Value::Null)) => value,
                ("float", Ok(Value::Integer(digits))) => Value::Float(format!("{digits}.0")),
                _ => return Err(self.wrong(span, format!("this is no value of the tag !!{core}"))),
            };
            return Ok((MergeTag::Plain, value));
        }
        // Compose makes of these what nobody writes into a compose file.
        if let Some(other) = tag
            .map(|tag| tag.suffix())
            .filter(|suffix| matches!(*suffix, "binary" | "timestamp"))
        {
            return Err(self.wrong(
                span,
                format!("the tag !!{other} is not taken; write the text itself, in quotes"),
            ));
        }
        let merge_tag = merge_tag(tag);
        if tag.is_some() && merge_tag == MergeTag::Plain {
            return Ok((MergeTag::Plain, scalar::text(text)));
        }
        let value = match (style, merge_tag) {
            (_, MergeTag::Reset) => Value::Null,
            (ScalarStyle::Plain, _) => resolved()?,
            _ => scalar::text(text),
        };
        Ok((merge_tag, value))
    }
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.values = self.values.saturating_add(other.values);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

fn merge_tag(tag: Option<&Cow<'_, Tag>>) -> MergeTag {
    match tag.map(|tag| (tag.handle(), tag.suffix())) {
        Some(("!", "reset")) => MergeTag::Reset,
        Some(("!", "override")) => MergeTag::Override,
        _ => MergeTag::Plain,
    }
}

fn too_deep(place: &Place) -> Error {
    Error::new(Class::Limit, "depth", format!("{place}: this is nested too deep"))
        .expected(format!("at most {DEPTH} levels"))
}
