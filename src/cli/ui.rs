//! What a person or a machine sees: results on stdout, talk and progress on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;

use crate::domain::{Class, Error, Result};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    Human,
    /// One JSON document on stdout; JSON events on stderr.
    Json,
}

/// Where a command writes.
#[derive(Debug)]
pub struct Ui {
    format: Format,
    terminal: bool,
    progress: Option<Progress>,
}

#[derive(Debug)]
struct Progress {
    what: &'static str,
    started: Instant,
    shown: Option<Instant>,
    first_done: u64,
}

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
            Format::Human => human.to_string(),
            Format::Json => serde_json::to_string_pretty(value)
                .map_err(|e| Error::new(Class::Internal, "json", format!("a result has no JSON form: {e}")))?,
        };
        self.script(format!("{text}\n").as_bytes())
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
            Err(error) => Err(Error::new(
                Class::Io,
                "stdout",
                format!("cannot write to stdout: {error}"),
            )),
            Ok(()) => Ok(()),
        }
    }

    /// Says one line to the person at the terminal.
    pub fn say(&mut self, line: impl Display) {
        self.clear_line();
        match self.format {
            Format::Human => self.talk(&line.to_string()),
            Format::Json => self.talk(&serde_json::json!({"event": "message", "text": line.to_string()}).to_string()),
        }
    }

    /// Warns about something that does not stop the command.
    pub fn warn(&mut self, line: impl Display) {
        self.clear_line();
        match self.format {
            Format::Human => self.talk(&format!("warning: {line}")),
            Format::Json => self.talk(&serde_json::json!({"event": "warning", "text": line.to_string()}).to_string()),
        }
    }

    /// Reports progress of a long step: bytes done of a total (0: not known). Call it as often as you like.
    pub fn progress(&mut self, what: &'static str, done: u64, total: u64) {
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
                let mut text = format!("{what}: {}", bytes(done));
                if total > 0 {
                    text += &format!(" of {}", bytes(total));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a rate for people"
                )]
                let per_second = bytes(rate as u64);
                text += &format!(", {per_second}/s");
                if let Some(left) = left {
                    text += &format!(", {left:.0} s left");
                }
                text
            }
            Format::Json => serde_json::json!({
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
                text + &format!(": {}", escape(&error.to_string()))
            }
            Format::Json => serde_json::json!({
                "event": "refused", "class": error.class().name(), "code": error.code(),
                "step": error.step().map(|step| step.to_string()), "found": error.found(),
                "expected": error.expectation(), "remedy": error.advice(),
                "exit": error.class().exit_code(),
            })
            .to_string(),
        };
        self.talk(&text);
    }

    fn clear_line(&mut self) {
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
        writeln!(io::stderr().lock(), "{line}").ok();
    }
}

/// Returns a number of bytes for people: `3.2 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Returns a number of things for people: `1 target`, `2 targets`.
#[cfg(feature = "site")]
pub(crate) fn count(number: impl TryInto<u64>, thing: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Makes text from outside safe for a terminal: control and direction-changing characters become escapes.
pub(crate) fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let unsafe_character = c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if unsafe_character {
                c.escape_unicode().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}
