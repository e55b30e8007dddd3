//! A template carried out as far as that can be done without helm: what cannot be told leaves a hole in its line.
//!
//! Both ways of a condition that cannot be told come out, so that nothing is left out that may be there. Loops come out once, with a hole
//! for whatever they go over. What is defined for others comes out too, with holes for all that it is given.
//!
//! Beside helm ([`Beside`]) the same is done for what helm cannot work out here: lines know which open questions decide whether and how
//! they come out, and what helm took because of its own answers is no such line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::actions::{Piece, Word, pieces};
use super::asks::{Ask, Asking};
use super::branch::{Block, Comes};
use super::expression::{Scope, UNKNOWN_REST, print};
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
    /// Questions on which it depends that it comes out, or as what.
    pub(super) asks: BTreeSet<Ask>,
}

/// What helm was asked already, where it works a chart out.
pub(super) struct Beside<'a> {
    pub(super) asking: &'a Asking,
    /// Whether a question is answered.
    pub(super) settled: &'a dyn Fn(&Ask) -> bool,
}

/// What a template comes to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) lines: Vec<Line>,
    /// Texts that functions looked into of which nothing is known here.
    pub(super) looked_into: BTreeSet<String>,
    /// Lines on which an action makes an image of words of its own.
    pub(super) makes_images: Vec<u64>,
    /// Lines on which what names images comes in by questions that are open.
    pub(super) open: Vec<(u64, BTreeSet<Ask>)>,
}

/// Carries a template out: without helm, or for what it leaves open.
pub(super) fn carry_out(
    template: &Template,
    values: Value,
    release: ReleaseWords<'_>,
    beside: Option<&Beside<'_>>,
) -> Outcome {
    let source = pieces(&template.text);
    let root = root(template, values, release, beside.is_some());
    let mut run = Run {
        lines: Vec::new(),
        scope: Scope {
            dot: Some(root.clone()),
            root: Some(root),
            here: beside.is_some(),
            ..Scope::default()
        },
        blocks: Vec::new(),
        moving: set_again(&source),
        makes_images: Vec::new(),
        beside,
        asking: BTreeMap::new(),
        open: Vec::new(),
    };
    run.line(1, "");
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
        open: run.open,
    }
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// What `$` is in a template.
fn root(template: &Template, values: Value, release: ReleaseWords<'_>, here: bool) -> Value {
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
    let mut release = vec![
        ("Name".to_owned(), text(release.name)),
        ("Namespace".to_owned(), text(release.namespace)),
        ("Service".to_owned(), text("Helm")),
    ];
    if here {
        release.push(("IsInstall".to_owned(), Value::Bool(true)));
        release.push(("IsUpgrade".to_owned(), Value::Bool(false)));
        release.push(("Revision".to_owned(), Value::from(1)));
    }
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

/// How far in the line begins that `nindent` makes.
fn own_line(words: &[Word]) -> Option<usize> {
    match words {
        [.., Word::Pipe, Word::Name(name), Word::Number(indent)] if name == "nindent" => {
            indent.parse().ok().filter(|indent| *indent < 200)
        }
        _ => None,
    }
}

struct Run<'a> {
    lines: Vec<Line>,
    scope: Scope,
    blocks: Vec<Block>,
    moving: BTreeSet<String>,
    makes_images: Vec<u64>,
    beside: Option<&'a Beside<'a>>,
    /// Open questions on which variables depend.
    asking: BTreeMap<String, BTreeSet<Ask>>,
    open: Vec<(u64, BTreeSet<Ask>)>,
}

impl Run<'_> {
    /// The open questions of an action.
    fn asks(&self, words: &[Word]) -> BTreeSet<Ask> {
        let Some(beside) = self.beside else {
            return BTreeSet::new();
        };
        let mut asks = beside.asking.asks_of(words, &self.asking);
        asks.retain(|ask| !(beside.settled)(ask));
        asks
    }

    /// The open questions by which what stands here comes out at a site and not here.
    fn elsewhere(&self) -> BTreeSet<Ask> {
        let blocks = self.blocks.iter().filter(|block| block.elsewhere());
        blocks.flat_map(|block| block.asks.iter().cloned()).collect()
    }

    fn line(&mut self, number: u64, text: &str) {
        let asks = self.elsewhere();
        self.lines.push(Line {
            number,
            text: text.to_owned(),
            asks,
        });
    }

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
                self.line(*line, part);
            }
        }
    }

    fn push(&mut self, text: &str) {
        let asks = if text.trim().is_empty() {
            BTreeSet::new()
        } else {
            self.elsewhere()
        };
        if let Some(last) = self.lines.last_mut() {
            last.text.push_str(text);
            last.asks.extend(asks);
        }
    }

    fn hole(&mut self) {
        let asks = self.elsewhere();
        if let Some(last) = self.lines.last_mut() {
            last.asks.extend(asks);
            if !last.text.ends_with(HOLE) {
                last.text.push(HOLE);
            }
        }
    }

    /// Where what comes out ends.
    fn at(&self) -> (usize, usize) {
        (self.lines.len(), self.lines.last().map_or(0, |last| last.text.len()))
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
            let asks = self.asks(words);
            self.stays_open(line, asks);
        }
        match first {
            Word::Name(name) => match name.as_str() {
                "if" => self.open(rest, false),
                "with" => self.open(rest, true),
                "range" => self.loops(rest),
                "define" => self.defines(),
                "block" => {
                    self.loops(&[]);
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
                        let mut asks = self.asks(expression);
                        // It holds what it does because of the branch that was taken.
                        asks.extend(self.blocks.iter().flat_map(|block| block.asks.iter().cloned()));
                        self.asking.entry(name.clone()).or_default().extend(asks);
                    }
                    _ => self.output(words, line),
                }
            }
            _ => self.output(words, line),
        }
    }

    /// What an action writes.
    fn output(&mut self, words: &[Word], line: u64) {
        // What ends everything writes nothing.
        if !self.comes() || words.first().is_some_and(|word| *word == Word::Name("fail".to_owned())) {
            return;
        }
        if self.beside.is_some_and(|beside| beside.asking.speaks(words)) {
            self.stays_open(line, BTreeSet::new());
        }
        let asks = self.asks(words);
        if !asks.is_empty() {
            self.hole();
            if let Some(last) = self.lines.last_mut() {
                last.asks.extend(asks);
            }
            return;
        }
        if let Some(text) = self.scope.value(words).as_ref().and_then(print) {
            let mut at = line;
            self.text(&text, &mut at);
            return;
        }
        if let Some(indent) = own_line(words) {
            self.line(line, &" ".repeat(indent));
        }
        self.hole();
    }

    /// Notes a line that names images, where questions are open by which it comes out.
    fn stays_open(&mut self, line: u64, mut asks: BTreeSet<Ask>) {
        asks.extend(self.elsewhere());
        if !asks.is_empty() {
            self.open.push((line, asks));
        }
    }

    fn open(&mut self, condition: &[Word], with: bool) {
        // `with $x := …` and `if $x := …` name what they ask.
        let (named, condition) = match condition {
            [Word::Field(name, _), Word::Declare, rest @ ..] => (Some(name.clone()), rest),
            _ => (None, condition),
        };
        let value = self.scope.value(condition);
        let asks = self.asks(condition);
        if let Some(name) = named {
            let value = value.clone().filter(|_| !self.moving.contains(&name));
            self.scope.variables.insert(name.clone(), value);
            self.asking.entry(name).or_default().extend(asks.iter().cloned());
        }
        let here = Comes::of(value.as_ref());
        let asked = !asks.is_empty();
        self.begin(if asked { Comes::Perhaps } else { here }, here, asks);
        if with {
            self.scope.dot = value.filter(|_| !asked);
        }
    }

    fn begin(&mut self, comes: Comes, here: Comes, asks: BTreeSet<Ask>) {
        self.blocks.push(Block {
            comes,
            before: Comes::No,
            dot: self.scope.dot.clone(),
            root: self.scope.root.clone(),
            defines: false,
            began: self.at(),
            asks,
            here,
            before_here: Comes::No,
        });
    }

    fn loops(&mut self, over: &[Word]) {
        let asks = self.asks(over);
        // `range $key, $value := …` names what it goes over.
        let declared = over.iter().position(|word| *word == Word::Declare).unwrap_or(0);
        let names = over.iter().take(declared).filter_map(|word| match word {
            Word::Field(name, _) => Some(name.clone()),
            _ => None,
        });
        for name in names {
            self.asking.entry(name).or_default().extend(asks.iter().cloned());
        }
        self.begin(Comes::Perhaps, Comes::Perhaps, asks);
        self.scope.dot = None;
    }

    fn defines(&mut self) {
        self.begin(Comes::Perhaps, Comes::Perhaps, BTreeSet::new());
        self.scope.dot = None;
        self.scope.root = None;
        if let Some(block) = self.blocks.last_mut() {
            block.defines = true;
        }
    }

    fn otherwise(&mut self, rest: &[Word]) {
        self.mark_within_a_line();
        let began = self.at();
        let Some(block) = self.blocks.last_mut() else { return };
        block.before = block.before.or(block.comes);
        block.before_here = block.before_here.or(block.here);
        block.began = began;
        self.scope.dot = block.dot.clone();
        let (kind, condition) = match rest.split_first() {
            Some((Word::Name(kind), condition)) => (kind.as_str(), condition),
            _ => ("", &[][..]),
        };
        let value = self.scope.value(condition);
        let asks = self.asks(condition);
        let asked = !asks.is_empty();
        let here = if kind.is_empty() {
            Comes::Yes
        } else {
            Comes::of(value.as_ref())
        };
        if kind == "with" {
            self.scope.dot = value.filter(|_| !asked);
        }
        if let Some(block) = self.blocks.last_mut() {
            block.asks.extend(asks);
            block.comes = block.before.then(if asked { Comes::Perhaps } else { here });
            block.here = block.before_here.then(here);
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
        let at = self.at();
        let within = self.blocks.last().is_some_and(|block| {
            block.comes == Comes::Perhaps && !block.defines && block.began.0 == at.0 && block.began.1 != at.1
        });
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
        carry_out(&template, values, release, None)
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
            out(
                "image: a\n{{- with .Values.none }}\n{{- toYaml . | nindent 4 }}\n{{- end }}\n{{- if .Release.X }}{{ fail \"x\" }}{{ end }}\n"
            ),
            ["1:image: a"]
        );
        assert_eq!(
            out("image:\n{{- toYaml .Values.image | nindent 4 }}\nb: c\n"),
            ["1:image:", "2:?", "3:b: c"]
        );
        assert_eq!(
            out("{{- if not .Values.on }}\nimage: a\n{{- else if .Values.on }}\nimage: b\n{{- end }}"),
            ["4:image: b"]
        );
    }
}
