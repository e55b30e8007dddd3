//! A template carried out as far as that can be done without helm: what cannot be told leaves a hole in its line.
//!
//! Both ways of a condition that cannot be told come out, so that nothing is left out that may be there. Loops come out once, with a hole
//! for whatever they go over. What is defined for others comes out too, with holes for all that it is given.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::actions::{Piece, Word, pieces};
use super::expression::{Scope, UNKNOWN_REST, print, truth};
use super::suspect::is_image_key;
use super::template::Template;

/// Stands where something comes out that cannot be told.
pub(super) const HOLE: char = '\u{fffc}';

/// What is known of a release besides its values.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct ReleaseWords<'a> {
    /// Its name.
    pub(in super::super) name: &'a str,
    /// Its namespace.
    pub(in super::super) namespace: &'a str,
}

/// A line that comes out, and where it stands in the template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) text: String,
}

/// How sure it is that what follows comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    Yes,
    No,
    Perhaps,
}

/// A block that is open.
struct Block {
    /// Whether this branch of it comes out.
    comes: Comes,
    /// Whether a branch before it did.
    before: Comes,
    /// What `.` and `$` were outside.
    dot: Option<Value>,
    root: Option<Value>,
    /// `define`: comes out although nothing says that it does.
    defines: bool,
    /// The line on which it began.
    began: usize,
}

/// What a template comes to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) lines: Vec<Line>,
    /// Texts that functions looked into of which nothing is known here.
    pub(super) looked_into: BTreeSet<String>,
    /// Lines on which an action makes an image of words of its own.
    pub(super) makes_images: Vec<u64>,
}

/// Carries a template out.
pub(super) fn carry_out(template: &Template, values: Value, release: ReleaseWords<'_>) -> Outcome {
    let source = pieces(&template.text);
    let root = root(template, values, release);
    let mut run = Run {
        lines: vec![Line {
            number: 1,
            text: String::new(),
        }],
        scope: Scope {
            dot: Some(root.clone()),
            root: Some(root),
            ..Scope::default()
        },
        blocks: Vec::new(),
        moving: set_again(&source),
        makes_images: Vec::new(),
    };
    let mut line = 1_u64;
    let mut cut = false;
    for piece in source {
        match piece {
            Piece::Text(text) => {
                let shown = if cut { text.trim_start() } else { text };
                let skipped = text.len().saturating_sub(shown.len());
                line = line.saturating_add(newlines(text.get(..skipped).unwrap_or_default()));
                run.text(shown, &mut line);
                cut = false;
            }
            Piece::Action {
                words,
                cut_before,
                cut_behind,
                line: at,
            } => {
                if cut_before {
                    run.cut();
                }
                line = at;
                run.action(&words, at);
                cut = cut_behind;
            }
        }
    }
    Outcome {
        lines: run.lines,
        looked_into: run.scope.looked_into.into_inner(),
        makes_images: run.makes_images,
    }
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// What `$` is in a template.
fn root(template: &Template, values: Value, release: ReleaseWords<'_>) -> Value {
    let part = |members: Vec<(String, Value)>| {
        let mut map: Map<String, Value> = members.into_iter().collect();
        map.insert(UNKNOWN_REST.to_owned(), Value::Null);
        Value::Object(map)
    };
    let text = |text: &str| Value::String(text.to_owned());
    let chart = template
        .chart
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.as_deref().map_or_else(|| text(""), text)))
        .collect();
    let release = vec![
        ("Name".to_owned(), text(release.name)),
        ("Namespace".to_owned(), text(release.namespace)),
        ("Service".to_owned(), text("Helm")),
    ];
    part(vec![
        ("Values".to_owned(), values),
        ("Chart".to_owned(), part(chart)),
        ("Release".to_owned(), part(release)),
    ])
}

/// Variables that are given a value more than once: what they hold depends on the way that was taken.
fn set_again(source: &[Piece<'_>]) -> BTreeSet<String> {
    let mut once = BTreeSet::new();
    let mut again = BTreeSet::new();
    for piece in source {
        let Piece::Action { words, .. } = piece else { continue };
        for pair in words.windows(2) {
            if let [Word::Field(name, _), Word::Declare | Word::Assign] = pair
                && !once.insert(name.clone())
            {
                again.insert(name.clone());
            }
        }
    }
    again
}

struct Run {
    lines: Vec<Line>,
    scope: Scope,
    blocks: Vec<Block>,
    moving: BTreeSet<String>,
    makes_images: Vec<u64>,
}

impl Run {
    /// Whether what stands here comes out at all.
    fn comes(&self) -> bool {
        self.blocks.iter().all(|block| block.comes != Comes::No)
    }

    /// Text that comes out; `line` is where it stands, and where it ends afterwards.
    fn text(&mut self, text: &str, line: &mut u64) {
        let comes = self.comes();
        let mut parts = text.split('\n');
        if let (Some(first), true) = (parts.next(), comes) {
            self.push(first);
        }
        for part in parts {
            *line = line.saturating_add(1);
            if comes {
                self.lines.push(Line {
                    number: *line,
                    text: part.to_owned(),
                });
            }
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(last) = self.lines.last_mut() {
            last.text.push_str(text);
        }
    }

    fn hole(&mut self) {
        if let Some(last) = self.lines.last_mut()
            && !last.text.ends_with(HOLE)
        {
            last.text.push(HOLE);
        }
    }

    /// Takes away the white space that came out last.
    fn cut(&mut self) {
        if !self.comes() {
            return;
        }
        while let Some(last) = self.lines.last_mut() {
            let kept = last.text.trim_end().len();
            last.text.truncate(kept);
            if kept > 0 || self.lines.len() == 1 {
                return;
            }
            self.lines.pop();
        }
    }

    fn action(&mut self, words: &[Word], line: u64) {
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        let speaks = |word: &Word| matches!(word, Word::Text(text) if is_image_key(text) || text.contains("image:"));
        if self.comes() && words.iter().any(speaks) {
            self.makes_images.push(line);
        }
        match first {
            Word::Name(name) => match name.as_str() {
                "if" => self.open(rest, false),
                "with" => self.open(rest, true),
                "range" => self.loops(),
                "define" => self.defines(),
                "block" => {
                    self.loops();
                    if let Some(block) = self.blocks.last_mut() {
                        block.defines = true;
                    }
                }
                "else" => self.otherwise(rest),
                "end" => self.end(),
                "break" | "continue" => {}
                _ => self.output(words, line),
            },
            Word::Field(name, fields) if fields.is_empty() && name.starts_with('$') && name.len() > 1 => {
                match rest.split_first() {
                    Some((Word::Declare | Word::Assign, expression)) => {
                        let value = self.scope.value(expression).filter(|_| !self.moving.contains(name));
                        self.scope.variables.insert(name.clone(), value);
                    }
                    _ => self.output(words, line),
                }
            }
            _ => self.output(words, line),
        }
    }

    /// What an action writes.
    fn output(&mut self, words: &[Word], line: u64) {
        if !self.comes() {
            return;
        }
        match self.scope.value(words).as_ref().and_then(print) {
            Some(text) => {
                let mut at = line;
                self.text(&text, &mut at);
            }
            None => self.hole(),
        }
    }

    fn open(&mut self, condition: &[Word], with: bool) {
        // `with $x := …` and `if $x := …` name what they ask.
        let (named, condition) = match condition {
            [Word::Field(name, _), Word::Declare, rest @ ..] => (Some(name.clone()), rest),
            _ => (None, condition),
        };
        let value = self.scope.value(condition);
        if let Some(name) = named {
            let value = value.clone().filter(|_| !self.moving.contains(&name));
            self.scope.variables.insert(name, value);
        }
        let comes = match &value {
            Some(value) if truth(value) => Comes::Yes,
            Some(_) => Comes::No,
            None => Comes::Perhaps,
        };
        self.begin(comes);
        if with {
            self.scope.dot = value;
        }
    }

    fn begin(&mut self, comes: Comes) {
        self.blocks.push(Block {
            comes,
            before: Comes::No,
            dot: self.scope.dot.clone(),
            root: self.scope.root.clone(),
            defines: false,
            began: self.lines.len(),
        });
    }

    fn loops(&mut self) {
        self.begin(Comes::Perhaps);
        self.scope.dot = None;
    }

    fn defines(&mut self) {
        self.begin(Comes::Perhaps);
        self.scope.dot = None;
        self.scope.root = None;
        if let Some(block) = self.blocks.last_mut() {
            block.defines = true;
        }
    }

    fn otherwise(&mut self, rest: &[Word]) {
        self.mark_within_a_line();
        let Some(block) = self.blocks.last_mut() else { return };
        let before = match (block.before, block.comes) {
            (Comes::Yes, _) | (_, Comes::Yes) => Comes::Yes,
            (Comes::Perhaps, _) | (_, Comes::Perhaps) => Comes::Perhaps,
            (Comes::No, Comes::No) => Comes::No,
        };
        block.before = before;
        block.began = self.lines.len();
        self.scope.dot = block.dot.clone();
        let (kind, condition) = match rest.split_first() {
            Some((Word::Name(kind), condition)) => (kind.as_str(), condition),
            _ => ("", &[][..]),
        };
        let value = self.scope.value(condition);
        let own = match (kind, &value) {
            ("", _) => Comes::Yes,
            (_, Some(value)) if truth(value) => Comes::Yes,
            (_, Some(_)) => Comes::No,
            (_, None) => Comes::Perhaps,
        };
        if kind == "with" {
            self.scope.dot = value;
        }
        if let Some(block) = self.blocks.last_mut() {
            block.comes = match (before, own) {
                (Comes::Yes, _) | (_, Comes::No) => Comes::No,
                (Comes::No, own) => own,
                (Comes::Perhaps, _) => Comes::Perhaps,
            };
        }
    }

    fn end(&mut self) {
        self.mark_within_a_line();
        if let Some(block) = self.blocks.pop() {
            self.scope.dot = block.dot;
            self.scope.root = block.root;
        }
    }

    /// What may come out within a line makes the whole line one that cannot be told.
    fn mark_within_a_line(&mut self) {
        let within = self
            .blocks
            .last()
            .is_some_and(|block| block.comes == Comes::Perhaps && !block.defines && block.began == self.lines.len());
        if within && self.comes() {
            self.hole();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn out(text: &str) -> Vec<String> {
        let template = Template {
            place: "a".to_owned(),
            source: "a".to_owned(),
            chart: [
                ("Name", Some("erp".into())),
                ("Version", None),
                ("AppVersion", Some("1.0".into())),
            ],
            values: Vec::new(),
            text: text.to_owned(),
        };
        let values = json!({"image": {"registry": "a.b", "name": "c", "digest": "", "tag": ""}, "on": true});
        let release = ReleaseWords {
            name: "shop",
            namespace: "hall",
        };
        carry_out(&template, values, release)
            .lines
            .into_iter()
            .filter(|line| !line.text.trim().is_empty())
            .map(|line| format!("{}:{}", line.number, line.text.trim().replace(HOLE, "?")))
            .collect()
    }

    #[test]
    fn what_can_be_told_comes_out_and_the_rest_leaves_holes() {
        let text = "a:\n  {{- with .Values.image }}\n  {{- if .digest }}\n  image: \"{{ .registry }}/{{ .name }}@{{ .digest }}\"\n  \
                    {{- else }}\n  image: \"{{ .registry }}/{{ .name }}:{{ .tag | default $.Chart.AppVersion }}\"\n  {{- end }}\n  \
                    {{- end }}\nb: {{ .Release.Name }}\n";
        assert_eq!(out(text), ["1:a:", "6:image: \"a.b/c:1.0\"", "9:b: shop"]);
        assert_eq!(
            out("{{ if .Capabilities.X }}\nimage: a\n{{ else }}\nimage: b\n{{ end }}\n"),
            ["2:image: a", "4:image: b"]
        );
        assert_eq!(
            out("image: {{ if .Capabilities.X }}a{{ else }}b{{ end }}\n"),
            ["1:image: a?b?"]
        );
        assert_eq!(
            out("{{ range .Values.list }}\nimage: {{ . }}\n{{ end }}"),
            ["2:image: ?"]
        );
        assert_eq!(
            out("{{ define \"x\" }}\nimage: {{ .Values.image.name }}\n{{ end }}\nimage: {{ include \"x\" . }}"),
            ["2:image: ?", "4:image: ?"]
        );
        assert_eq!(out("{{ $x := \"a\" }}i: {{ $x }}\n{{ $x = \"b\" }}"), ["1:i: ?"]);
        assert_eq!(out("{{ $x := \"a\" }}i: {{ $x }}\n"), ["1:i: a"]);
        assert_eq!(
            out("{{- if not .Values.on }}\nimage: a\n{{- else if .Values.on }}\nimage: b\n{{- end }}"),
            ["4:image: b"]
        );
    }
}
