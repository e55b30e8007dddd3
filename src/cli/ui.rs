//! What a person or a machine sees: results on stdout, talk and progress on stderr.
//!
//! Everything passes through [`shown_lines`] here: no control character, nothing that turns the direction of writing and nothing
//! invisible reaches a terminal, in text or in JSON. What may hold line breaks of others is escaped where it joins a sentence
//! ([`escape`]; an [`Error`] does so itself). Only [`Ui::script`] writes bytes as they are: for files, pipes and shells.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;

use super::advice::Advice;

/// Makes text from outside a safe part of a line.
pub(super) use crate::domain::shown as escape;
pub(crate) use crate::domain::sized as bytes;
use crate::domain::{Class, Error, Result, shown_lines};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    Human,
    /// One JSON document on stdout; JSON events on stderr.
    Json,
    /// A JSON object a line, where a command gives facts for other tools; JSON events on stderr.
    #[value(name = "jsonl")]
    JsonLines,
    /// A table of comma-separated values, where a command gives facts for other tools; JSON events on stderr.
    Csv,
}

/// Where a command writes.
#[derive(Debug)]
pub struct Ui {
    format: Format,
    terminal: bool,
    progress: Option<Progress>,
    /// When it was last said what is waited for.
    #[cfg(feature = "edge")]
    waited: Option<Instant>,
    advice: Advice,
}

#[derive(Debug)]
struct Progress {
    what: &'static str,
    started: Instant,
    shown: Option<Instant>,
    first_done: u64,
}

/// What progress counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Things,
}

/// Whether a line stands on the terminal that says what is waited for.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// How often progress is written: on a terminal it is drawn over itself, elsewhere it becomes lines.
const REDRAW: Duration = Duration::from_millis(200);
const EVENT: Duration = Duration::from_secs(2);

impl Ui {
    /// Makes the output of one command.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            terminal: io::stderr().is_terminal(),
            progress: None,
            #[cfg(feature = "edge")]
            waited: None,
            advice: Advice::of(std::env::args_os()),
        }
    }

    /// Returns the chosen format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes a result to stdout: `human` as text, or the value as JSON.
    ///
    /// # Errors
    ///
    /// `E-IO` when stdout cannot be written; a closed pipe ends quietly.
    pub fn result(&mut self, value: &impl Serialize, human: impl Display) -> Result<()> {
        let text = match self.format {
            Format::Human => self.advice.text(&human.to_string()),
            _ => serde_json::to_value(value)
                .and_then(|mut value| {
                    self.advice.value(&mut value);
                    serde_json::to_string_pretty(&value)
                })
                .map_err(|e| Error::new(Class::Internal, "json", format!("a result has no JSON form: {e}")))?,
        };
        self.script(format!("{}\n", shown_lines(&text)).as_bytes())
    }

    /// Writes bytes to stdout as they are.
    ///
    /// # Errors
    ///
    /// As [`Self::result`].
    pub fn script(&self, bytes: &[u8]) -> Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(not_written(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// Says one line to the person at the terminal.
    pub fn say(&mut self, line: impl Display) {
        self.clear_line();
        let line = self.advice.text(&line.to_string());
        match self.format {
            Format::Human => self.talk(&line),
            _ => self.talk(&serde_json::json!({"event": "message", "text": line}).to_string()),
        }
    }

    /// Warns about something that does not stop the command.
    pub fn warn(&mut self, line: impl Display) {
        self.clear_line();
        let line = self.advice.text(&line.to_string());
        match self.format {
            Format::Human => self.talk(&format!("warning: {line}")),
            _ => self.talk(&serde_json::json!({"event": "warning", "text": line}).to_string()),
        }
    }

    /// As [`Self::warn`], with the file and line that it is about as members of their own.
    #[cfg(feature = "vendor")]
    pub(super) fn warn_at(&mut self, text: impl Display, file: Option<&str>, line: Option<u64>) {
        if self.format == Format::Human {
            return self.warn(text);
        }
        self.clear_line();
        let text = self.advice.text(&text.to_string());
        self.talk(&serde_json::json!({"event": "warning", "text": text, "file": file, "line": line}).to_string());
    }

    /// Reports progress of a long step: bytes done of a total (0: not known). Call it as often as you like.
    pub fn progress(&mut self, what: &'static str, done: u64, total: u64) {
        self.report(what, Unit::Bytes, done, total);
    }

    /// As [`Self::progress`], of a step that counts things.
    #[cfg(any(feature = "vendor", feature = "site"))]
    pub(super) fn steps(&mut self, what: &'static str, done: u64, total: u64) {
        self.report(what, Unit::Things, done, total);
    }

    /// Returns what says a line from any thread: only for what cannot wait until its turn.
    #[cfg(feature = "vendor")]
    pub(super) fn teller(&self) -> fn(&str) {
        fn say(line: &str) {
            wipe();
            writeln!(io::stderr().lock(), "{}", shown_lines(line)).ok();
        }
        match self.format {
            Format::Human => |line| say(&escape(line)),
            _ => |line| say(&serde_json::json!({"event": "message", "text": line}).to_string()),
        }
    }

    /// Returns what says from any thread what is waited for: on a terminal it is drawn over itself, elsewhere it becomes a line.
    #[cfg(feature = "vendor")]
    pub(super) fn waiting_teller(&self) -> fn(&str) {
        fn say(line: &str) {
            writeln!(io::stderr().lock(), "{}", shown_lines(line)).ok();
        }
        match self.format {
            Format::Human if self.terminal => |line| draw(&escape(line)),
            Format::Human => |line| say(&escape(line)),
            _ => |line| say(&serde_json::json!({"event": "waiting", "text": line}).to_string()),
        }
    }

    /// Says what is waited for: on a terminal it is drawn over itself, elsewhere it becomes a line. Call it as often as you like.
    #[cfg(feature = "edge")]
    pub(super) fn waits(&mut self, line: &str) {
        let is_drawn = self.terminal && self.format == Format::Human;
        let pause = if is_drawn { REDRAW } else { EVENT };
        if self.waited.is_some_and(|waited| waited.elapsed() < pause) {
            return;
        }
        self.waited = Some(Instant::now());
        let line = escape(line);
        if is_drawn {
            draw(&line);
        } else if self.format == Format::Human {
            self.talk(&line);
        } else {
            self.talk(&serde_json::json!({"event": "waiting", "text": line}).to_string());
        }
    }

    fn report(&mut self, what: &'static str, unit: Unit, done: u64, total: u64) {
        let now = Instant::now();
        if self.progress.as_ref().is_none_or(|progress| progress.what != what) {
            self.clear_line();
            self.progress = Some(Progress {
                what,
                started: now,
                shown: None,
                first_done: done,
            });
        }
        let Some(progress) = &mut self.progress else { return };
        let pause = if self.terminal && self.format == Format::Human {
            REDRAW
        } else {
            EVENT
        };
        // A step that ends before its first pause is over stays silent; none stays silent longer than that.
        if now.duration_since(progress.shown.unwrap_or(progress.started)) < pause {
            return;
        }
        progress.shown = Some(now);
        let seconds = now.duration_since(progress.started).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = done.saturating_sub(progress.first_done) as f64 / seconds;
        #[expect(clippy::cast_precision_loss, reason = "a time for people")]
        let left = (total > done && rate > 0.0).then(|| (total - done) as f64 / rate);
        let text = match self.format {
            Format::Human => {
                let amount = |count: u64| match unit {
                    Unit::Bytes => bytes(count),
                    Unit::Things => count.to_string(),
                };
                let mut text = format!("{what}: {}", amount(done));
                if total > 0 {
                    text += &format!(" of {}", amount(total));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a rate for people"
                )]
                let per_second = bytes(rate as u64);
                if unit == Unit::Bytes {
                    text += &format!(", {per_second}/s");
                }
                if let Some(left) = left {
                    text += &format!(", {left:.0} s left");
                }
                text
            }
            _ if unit == Unit::Things => {
                serde_json::json!({"event": "progress", "step": what, "done": done, "total": total}).to_string()
            }
            _ => serde_json::json!({
                "event": "progress", "step": what, "bytes": done, "total_bytes": total,
                "bytes_per_second": rate.round(), "seconds_left": left.map(f64::round),
            })
            .to_string(),
        };
        if self.terminal && self.format == Format::Human {
            let mut stderr = io::stderr().lock();
            // A lost progress line is not worth failing for.
            write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush()).ok();
        } else {
            self.talk(&text);
        }
    }

    /// Says why the command was refused: class, code, step, and the sentence.
    pub fn refuse(&mut self, error: &Error) {
        self.clear_line();
        let text = match self.format {
            Format::Human => {
                let mut text = format!("airlock: {} {}", error.class(), error.code());
                if let Some(step) = error.step() {
                    text += &format!(" at {step}");
                }
                text + &format!(": {}", self.advice.text(&error.to_string()))
            }
            _ => serde_json::json!({
                "event": "refused", "class": error.class().name(), "code": error.code(),
                "step": error.step().map(|step| step.to_string()), "found": error.found(),
                "expected": error.expectation().map(|text| self.advice.text(text)), "remedy": error.advice().map(|advice| self.advice.text(advice)),
                "list": error.things(), "exit": error.class().exit_code(),
            })
            .to_string(),
        };
        self.talk(&text);
    }

    /// Says what is wrong with the command line, or the help that it asks for; a closed pipe is no news. Machines are told as of every refusal,
    /// in the words of the parser.
    pub(super) fn usage(mut error: clap::Error, format: Format) {
        use clap::error::ContextValue;

        // What the message quotes came from outside; the rest of it has line breaks of its own.
        let quoted: Vec<_> = error
            .context()
            .filter_map(|(kind, value)| match value {
                ContextValue::String(text) => Some((kind, ContextValue::String(escape(text)))),
                ContextValue::Strings(texts) => Some((
                    kind,
                    ContextValue::Strings(texts.iter().map(|text| escape(text)).collect()),
                )),
                _ => None,
            })
            .collect();
        for (kind, value) in quoted {
            error.insert(kind, value);
        }
        let text = shown_lines(&error.render().to_string());
        if error.use_stderr() && format != Format::Human {
            let first = text.split("\n\n").next().unwrap_or_default();
            let found = first.strip_prefix("error: ").unwrap_or(first).split_whitespace();
            let refusal = Error::new(Class::Usage, "command-line", found.collect::<Vec<_>>().join(" ")).with_a_remedy();
            Self::new(format).refuse(&refusal);
        } else if error.use_stderr() {
            write!(io::stderr().lock(), "{text}").ok();
        } else {
            write!(io::stdout().lock(), "{text}").ok();
        }
    }

    fn clear_line(&mut self) {
        wipe();
        if self.progress.take().is_some_and(|progress| progress.shown.is_some())
            && self.terminal
            && self.format == Format::Human
        {
            write!(io::stderr().lock(), "\r\x1b[K").ok();
        }
    }

    #[expect(clippy::unused_self, reason = "talking is what a Ui does")]
    fn talk(&self, line: &str) {
        // Nobody is left to tell when stderr is gone.
        writeln!(io::stderr().lock(), "{}", shown_lines(line)).ok();
    }
}

/// Draws on a terminal what is waited for, over what was drawn there before.
#[cfg(any(feature = "vendor", feature = "edge"))]
fn draw(line: &str) {
    let mut stderr = io::stderr().lock();
    DRAWN.store(true, Ordering::Relaxed);
    // A lost line is not worth failing for.
    write!(stderr, "\r\x1b[K{}", shown_lines(line))
        .and_then(|()| stderr.flush())
        .ok();
}

/// Takes away what says on a terminal what is waited for.
fn wipe() {
    if DRAWN.swap(false, Ordering::Relaxed) {
        write!(io::stderr().lock(), "\r\x1b[K").ok();
    }
}

/// Makes the error of an output that takes no more.
pub(super) fn not_written(error: &io::Error) -> Error {
    Error::new(Class::Io, "stdout", format!("cannot write to stdout: {error}"))
        .remedy("send the output elsewhere, and try again")
}
