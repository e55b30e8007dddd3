//! One error type for everything that can be refused: class, sub-code, step, and a sentence for people.
//!
//! The classes and exit codes are the contract of the command line, of receipts and of audit rows; they
//! never change their meaning. A refusal says what was found, what was expected and what to do. Its parts are kept as they came, for
//! machines; the sentence (`Display`) is safe for a terminal and a log, whatever of it came from outside.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

use super::code::Code;
use super::shown::{shown, shown_lines};
use super::step::Step;

/// Result of everything below the command line.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error classes with stable names and exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Anything without a class of its own.
    Other,
    /// Command line or configuration.
    Usage,
    /// Framing, grammar, non-canonical, unsupported version.
    Format,
    /// A bound was exceeded.
    Limit,
    /// Missing, invalid, below threshold, wrong type or role.
    Signature,
    /// Root chain or key material.
    Trust,
    /// Not for this product, channel, site, appliance or version.
    Audience,
    /// Older, or fast-forward.
    Rollback,
    /// Same number, different content.
    Equivocation,
    /// Past `expires`.
    Expired,
    /// Clock unusable for the decision.
    Clock,
    /// Digest or size mismatch under a good signature.
    Integrity,
    /// Truncated after entry 04, or a part is missing; resumes.
    Incomplete,
    /// Base content missing.
    Dependency,
    /// OCI, chart, licence, verifier semantics.
    Content,
    /// Site approval, withdrawal, downgrade.
    Policy,
    /// Another import runs.
    Busy,
    /// Medium or disk error.
    Io,
    /// No space, inodes or descriptors.
    Space,
    /// Local state damaged; imports stop, serving continues.
    State,
    /// A bug in airlock.
    Internal,
}

impl Class {
    /// Every class, in the order of the exit codes.
    pub const ALL: [Self; 21] = [
        Self::Other,
        Self::Usage,
        Self::Format,
        Self::Limit,
        Self::Signature,
        Self::Trust,
        Self::Audience,
        Self::Rollback,
        Self::Equivocation,
        Self::Expired,
        Self::Clock,
        Self::Integrity,
        Self::Incomplete,
        Self::Dependency,
        Self::Content,
        Self::Policy,
        Self::Busy,
        Self::Io,
        Self::Space,
        Self::State,
        Self::Internal,
    ];

    /// Returns the stable name, for example `E-FORMAT`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Other => "E-OTHER",
            Self::Usage => "E-USAGE",
            Self::Format => "E-FORMAT",
            Self::Limit => "E-LIMIT",
            Self::Signature => "E-SIGNATURE",
            Self::Trust => "E-TRUST",
            Self::Audience => "E-AUDIENCE",
            Self::Rollback => "E-ROLLBACK",
            Self::Equivocation => "E-EQUIVOCATION",
            Self::Expired => "E-EXPIRED",
            Self::Clock => "E-CLOCK",
            Self::Integrity => "E-INTEGRITY",
            Self::Incomplete => "E-INCOMPLETE",
            Self::Dependency => "E-DEPENDENCY",
            Self::Content => "E-CONTENT",
            Self::Policy => "E-POLICY",
            Self::Busy => "E-BUSY",
            Self::Io => "E-IO",
            Self::Space => "E-SPACE",
            Self::State => "E-STATE",
            Self::Internal => "E-INTERNAL",
        }
    }

    /// Returns the process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::Format => 10,
            Self::Limit => 11,
            Self::Signature => 12,
            Self::Trust => 13,
            Self::Audience => 14,
            Self::Rollback => 15,
            Self::Equivocation => 16,
            Self::Expired => 17,
            Self::Clock => 18,
            Self::Integrity => 19,
            Self::Incomplete => 20,
            Self::Dependency => 21,
            Self::Content => 22,
            Self::Policy => 23,
            Self::Busy => 24,
            Self::Io => 25,
            Self::Space => 26,
            Self::State => 27,
            Self::Internal => 70,
        }
    }

    /// Returns what to do about a refusal of this class where nothing more exact is known.
    pub fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::Usage => "correct it where it stands, or see the command's `--help`",
            Self::Format | Self::Signature | Self::Trust => {
                "copy the file again and compare its SHA-256 with the sender's; if it is the same, the sender must make it again"
            }
            Self::Limit => "it must be made smaller where it comes from; nothing on this side raises the bound",
            Self::Content => "correct it where the release is made; at a site, ask the vendor for a corrected bundle",
            Self::Io => "try again; from a medium, put it back first, or use another copy",
            // Whoever refuses with another class says what to do.
            _ => return None,
        })
    }

    /// Whether what was already verified stays in `incoming/` for the next try (format.md 7).
    pub fn keeps_incoming(self) -> bool {
        matches!(self, Self::Io | Self::Incomplete | Self::Space)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Longest list that is written out.
const LISTED: usize = 50;

/// What went wrong, in one sentence and in stable words for machines.
pub struct Error(Box<Inner>);

struct Inner {
    class: Class,
    code: Code,
    step: Option<Step>,
    found: String,
    /// Whether the line breaks in `found` are our own.
    list: bool,
    /// Everything that is listed, also what people are only told the number of.
    things: Vec<String>,
    expected: Option<String>,
    remedy: Option<String>,
    /// Whether there is nothing to do about it.
    settled: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Class and sub-code for whoever must not learn why.
    told: Option<(Class, Code)>,
}

impl Error {
    /// Makes an error: its class, its stable sub-code, and what was found.
    pub fn new(class: Class, code: impl Into<Code>, found: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            class,
            code: code.into(),
            step: None,
            found: found.into(),
            list: false,
            things: Vec::new(),
            expected: None,
            remedy: None,
            settled: false,
            source: None,
            told: None,
        }))
    }

    /// Makes an error of many things, one a line below the sentence that says what they are; long lists are cut and say so.
    pub fn listing(
        class: Class,
        code: impl Into<Code>,
        found: impl Into<String>,
        things: &[impl fmt::Display],
    ) -> Self {
        let all: Vec<String> = things.iter().map(ToString::to_string).collect();
        let lines = all.iter().map(|thing| shown(thing));
        let mut error = Self::lines(class, code, &found.into(), lines);
        error.0.things = all;
        error
    }

    /// As [`Self::listing`], of errors: what each of them found, and below it what it lists itself.
    pub fn listing_errors(class: Class, code: impl Into<Code>, found: impl Into<String>, errors: &[Self]) -> Self {
        let lines = errors.iter().map(|error| match &*error.0 {
            Inner { list: true, found, .. } => found.replace('\n', "\n  "),
            Inner { found, .. } => shown(found),
        });
        let mut error = Self::lines(class, code, &found.into(), lines);
        let all = errors.iter().flat_map(|error| match &*error.0 {
            Inner { list: true, things, .. } => things.clone(),
            Inner { found, .. } => vec![found.clone()],
        });
        error.0.things = all.collect();
        error
    }

    fn lines(
        class: Class,
        code: impl Into<Code>,
        found: &str,
        mut lines: impl ExactSizeIterator<Item = String>,
    ) -> Self {
        let mut text = shown(found);
        for line in lines.by_ref().take(LISTED) {
            text += &format!("\n  {line}");
        }
        if lines.len() > 0 {
            text += &format!("\n  and {} more; --format json has all of them", lines.len());
        }
        let mut error = Self::new(class, code, text);
        error.0.list = true;
        error
    }

    /// Makes an error of the same class and code that says something before and after what this one found.
    #[must_use]
    pub fn retold(&self, before: &str, after: &str) -> Self {
        let list = self.0.list;
        let part = |text: &str| if list { shown(text) } else { text.to_owned() };
        let mut error = Self::new(
            self.0.class,
            self.0.code,
            format!("{}{}{}", part(before), self.0.found, part(after)),
        );
        error.0.list = list;
        error.0.things.clone_from(&self.0.things);
        error
    }

    /// Makes an error of the operating system; a full disk and missing descriptors are `E-SPACE`, the rest `E-IO`.
    pub fn io(verb: &str, path: &Path, source: io::Error) -> Self {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(&source);
        let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            || matches!(errno, Some(Errno::NOSPC | Errno::DQUOT));
        let found = format!("cannot {verb} {}: {source}", path.display());
        let error = if full {
            Self::new(Class::Space, "no-space", found)
                .expected("room on that file system")
                .remedy("free space and try again")
        } else if matches!(errno, Some(Errno::MFILE | Errno::NFILE)) {
            Self::new(Class::Space, "descriptors", found)
                .expected("descriptors left to this process")
                .remedy("raise the limit with `ulimit -n`, or with LimitNOFILE= in the unit")
        } else {
            let (expected, remedy) = match source.kind() {
                io::ErrorKind::NotFound => ("something there", "check the path, and that the medium is mounted"),
                io::ErrorKind::PermissionDenied => (
                    "the permission for it",
                    "run the command as the user that owns it, or change its owner or mode",
                ),
                io::ErrorKind::AlreadyExists => (
                    "nothing there yet",
                    "try again; where it stays, name another path, or move it away",
                ),
                io::ErrorKind::IsADirectory => ("a file, and no folder", "name another file, or move that folder away"),
                io::ErrorKind::NotADirectory => ("a folder", "check the path"),
                io::ErrorKind::BrokenPipe => (
                    "a reader that takes everything",
                    "give the pipe a reader that stays until everything was written",
                ),
                io::ErrorKind::ReadOnlyFilesystem => (
                    "a file system to write on",
                    "mount it for writing, or name another place",
                ),
                _ => (
                    "a medium or disk without errors",
                    "look at what the kernel says of it (`dmesg`), and try again",
                ),
            };
            Self::new(Class::Io, "io", found).expected(expected).remedy(remedy)
        };
        error.with_source(source)
    }

    /// Says what was expected instead.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.0.expected = Some(expected.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Says that there is nothing to do: it is what the person wanted.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.0.settled = true;
        self
    }

    /// Puts words before what was found: what was being done.
    #[must_use]
    pub fn context(mut self, words: &str) -> Self {
        self.0.found = format!("{words}: {}", self.0.found);
        self
    }

    /// Adds what went wrong afterwards, while something was tidied up. Class, sub-code, step and remedy stay those of the first.
    #[must_use]
    pub fn and_then(mut self, later: &Self) -> Self {
        self.0.found = format!("{}; after that, {}", self.0.found, later.0.found);
        self.0.remedy = match (self.0.remedy.take(), &later.0.remedy) {
            (Some(first), Some(second)) if first != *second => Some(format!("{first}; {second}")),
            (first, second) => first.or_else(|| second.clone()),
        };
        self
    }

    /// Says at which step of the import it happened, unless that is known already.
    #[must_use]
    pub fn at(mut self, step: Step) -> Self {
        self.0.step.get_or_insert(step);
        self
    }

    /// Keeps the cause; `Display` does not repeat it.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Gives the same sentence another class and code, where a caller knows better what a failure means.
    #[must_use]
    pub fn reclassified(mut self, class: Class, code: impl Into<Code>) -> Self {
        self.0.class = class;
        self.0.code = code.into();
        self
    }

    /// Moves the error into another class and keeps its code; an exceeded limit stays what it is.
    #[must_use]
    pub fn into_class(mut self, class: Class) -> Self {
        if self.0.class != Class::Limit {
            self.0.class = class;
        }
        self
    }

    /// Gives it the remedy of its class where nothing more exact is known.
    #[must_use]
    pub fn with_a_remedy(self) -> Self {
        match self.0.class.remedy() {
            Some(remedy) if self.0.remedy.is_none() && !self.0.settled => self.remedy(remedy),
            _ => self,
        }
    }

    /// Says as what those outside may know a refusal that follows from what others have here.
    #[must_use]
    pub fn told_as(mut self, class: Class, code: impl Into<Code>) -> Self {
        self.0.told = Some((class, code.into()));
        self
    }

    /// Returns class and sub-code for those outside.
    pub fn told(&self) -> (Class, Code) {
        self.0.told.unwrap_or((self.0.class, self.0.code))
    }

    /// The same refusal for the next one whom it concerns.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut copy = Self::new(self.class(), self.code(), self.found());
        copy.0.things.clone_from(&self.0.things);
        match self.advice() {
            Some(advice) => copy.remedy(advice),
            None => copy,
        }
    }

    /// Returns the class.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Returns the stable sub-code as the word that is shown and stored.
    pub fn code(&self) -> &'static str {
        self.0.code.as_str()
    }

    /// Whether it was refused with this sub-code.
    pub fn is(&self, code: Code) -> bool {
        self.0.code == code
    }

    /// Whether both have one class and one sub-code.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.0.class, self.0.code) == (other.0.class, other.0.code)
    }

    /// Returns the step, where one is known.
    pub fn step(&self) -> Option<Step> {
        self.0.step
    }

    /// Returns what was found.
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// Returns each thing that it lists; none where it is one alone.
    pub fn things(&self) -> &[String] {
        &self.0.things
    }

    /// Returns what was expected.
    pub fn expectation(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// Returns what to do.
    pub fn advice(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, mut separator) = if self.0.list {
            (shown_lines(&self.0.found), "\n")
        } else {
            (shown(&self.0.found), "; ")
        };
        f.write_str(&found)?;
        if let Some(expected) = &self.0.expected {
            write!(f, "{separator}expected {}", shown(expected))?;
            separator = "; ";
        }
        if let Some(remedy) = &self.0.remedy {
            write!(f, "{separator}{}", shown(remedy))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.class, self.0.code)?;
        if let Some(step) = self.0.step {
            write!(f, " @{step}")?;
        }
        write!(f, ": {self}")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_distinct_names_and_exit_codes() {
        let mut names: Vec<_> = Class::ALL.iter().map(|c| c.name()).collect();
        let mut codes: Vec<_> = Class::ALL.iter().map(|c| c.exit_code()).collect();
        assert!(codes.is_sorted());
        names.sort_unstable();
        names.dedup();
        codes.dedup();
        assert_eq!((names.len(), codes.len()), (Class::ALL.len(), Class::ALL.len()));
    }

    #[test]
    fn the_sentence_holds_all_three_parts_and_not_the_source() {
        let error = Error::new(Class::Format, "trailing-data", "3 bytes follow the end blocks")
            .expected("end of file")
            .remedy("fetch the bundle again")
            .at(Step::X12)
            .with_source(io::Error::other("inner"));
        assert_eq!(
            error.to_string(),
            "3 bytes follow the end blocks; expected end of file; fetch the bundle again"
        );
        assert_eq!(error.at(Step::X2).step(), Some(Step::X12));
    }

    #[test]
    fn what_came_from_outside_cannot_break_the_line_and_a_list_has_lines() {
        let error = Error::new(Class::Io, "io", "cannot open a\nairlock: all is well\u{1b}[2K")
            .expected("b\u{202e}")
            .remedy("c\u{2028}d");
        assert_eq!(
            error.to_string(),
            "cannot open a\\u000aairlock: all is well\\u001b[2K; expected b\\u202e; c\\u2028d"
        );
        assert_eq!(error.found(), "cannot open a\nairlock: all is well\u{1b}[2K");
        let list = Error::listing(
            Class::Content,
            "problems",
            "2 things stand here:",
            &["one\ntwo", "three"],
        )
        .remedy("leave them out");
        assert_eq!(
            list.to_string(),
            "2 things stand here:\n  one\\u000atwo\n  three\nleave them out"
        );
        let nested = list.retold("the application \n: ", "");
        let nested = Error::listing_errors(
            Class::Content,
            "problems",
            "2 things:",
            &[nested, Error::new(Class::Io, "io", "b\nc")],
        );
        assert_eq!(
            nested.to_string(),
            "2 things:\n  the application \\u000a: 2 things stand here:\n    one\\u000atwo\n    three\n  b\\u000ac"
        );
        let long = Error::listing(Class::Content, "problems", "many:", &vec!["x"; LISTED + 2]);
        assert!(
            long.to_string()
                .ends_with("\n  x\n  and 2 more; --format json has all of them")
        );
        assert_eq!(
            (long.to_string().lines().count(), long.things().len()),
            (LISTED + 2, LISTED + 2)
        );
        let nested = Error::listing_errors(
            Class::Content,
            "problems",
            "3 things:",
            &[long.retold("a: ", ""), error],
        );
        assert_eq!(nested.things().len(), LISTED + 3);
    }
}
