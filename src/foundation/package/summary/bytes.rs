//! P: the bytes of a summary, in their one form. Integers are unsigned LEB128, shortest form, at most 2^53−1.

use std::collections::BTreeSet;

use super::age::Age;
use super::content::{LocalState, Summary, SummaryDeployments, SummaryLive, SummaryRelease, SummaryRuns, SummaryState};
use crate::domain::{Class, Error, Result, Timestamp, limits};

const VERSION: u8 = 1;
const LIVE: u8 = 1;
const COUNTED: u8 = 3;

impl Summary {
    /// Returns P.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.site);
        out.extend(self.instance);
        integer(&mut out, self.number);
        out.extend(self.head);
        // The format ends in 2106, as 32 bits of seconds do.
        out.extend(u32::try_from(self.made_at.unix()).unwrap_or(u32::MAX).to_be_bytes());
        for number in [self.records, self.receipts, self.audit] {
            integer(&mut out, number);
        }
        out.extend(self.seal);
        for number in [self.lost, self.damaged, self.refused] {
            integer(&mut out, number);
        }
        integer(&mut out, self.releases.len() as u64);
        for release in &self.releases {
            release.write(&mut out);
        }
        out
    }

    /// Reads P.
    ///
    /// # Errors
    ///
    /// `E-FORMAT summary` and `unsupported-version`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return Err(Error::new(
                Class::Format,
                "unsupported-version",
                "the summary is of another version",
            )
            .expected(format!("version {VERSION}")));
        }
        let summary = Self {
            site: reader.array()?,
            instance: reader.array()?,
            number: reader.integer()?,
            head: reader.array()?,
            made_at: reader.time()?,
            records: reader.integer()?,
            receipts: reader.integer()?,
            audit: reader.integer()?,
            seal: reader.array()?,
            lost: reader.integer()?,
            damaged: reader.integer()?,
            refused: reader.integer()?,
            releases: reader.list(8, Reader::release)?,
        };
        if !reader.0.is_empty() {
            return Err(wrong("bytes follow the summary"));
        }
        if summary.number == 0 {
            return Err(wrong(
                "packages are numbered from 1 on, and the summary is of package 0",
            ));
        }
        if let Some(head) = repeated(summary.releases.iter().map(|release| release.head)) {
            let head = data_encoding::HEXLOWER.encode(&head);
            return Err(wrong(&format!(
                "the summary names the release whose head begins with {head} twice"
            )));
        }
        let live = summary.releases.iter().filter_map(|release| release.live.as_ref());
        if let Some(made_there) = repeated(live.flat_map(|live| &live.local).map(|local| local.deployment)) {
            let name = data_encoding::HEXLOWER.encode(&made_there);
            return Err(wrong(&format!(
                "the summary names the deployment {name}, which was made there, twice"
            )));
        }
        Ok(summary)
    }
}

impl SummaryRelease {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.head);
        let Some(live) = &self.live else {
            out.extend([0, self.age.to_byte()]);
            return;
        };
        match &live.deployments {
            SummaryDeployments::Each(states) => {
                out.extend([LIVE, self.age.to_byte()]);
                integer(out, states.len() as u64);
                for state in states {
                    state.write(out);
                }
            }
            SummaryDeployments::Counted { by_state, not_wanted } => {
                out.extend([COUNTED, self.age.to_byte()]);
                for count in by_state.iter().chain([not_wanted]) {
                    integer(out, *count);
                }
            }
        }
        integer(out, live.local.len() as u64);
        for local in &live.local {
            out.extend(local.deployment);
            local.state.write(out);
        }
    }
}

impl SummaryState {
    fn write(self, out: &mut Vec<u8>) {
        let runs = match self.runs {
            SummaryRuns::Wanted => 0,
            SummaryRuns::Another => 1 << 3,
            SummaryRuns::Unknown => 2 << 3,
        };
        out.extend([self.state | runs | (u8::from(self.removed) << 5), self.age.to_byte()]);
    }
}

/// Writes an unsigned LEB128.
fn integer(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// What is left of P.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (first, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or_else(|| wrong("the summary ends within a member"))?;
        let first = *first;
        self.0 = rest;
        Ok(first)
    }

    fn byte(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn time(&mut self) -> Result<Timestamp> {
        let seconds = i64::from(u32::from_be_bytes(self.array()?));
        Timestamp::from_unix(seconds).ok_or_else(|| wrong("the summary has no time"))
    }

    fn age(&mut self) -> Result<Age> {
        self.byte().map(Age::from_byte)
    }

    fn integer(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..=56).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                if value > limits::JSON_INTEGER_MAX || (byte == 0 && shift > 0) {
                    return Err(wrong("a number is not in its shortest form, or above 2^53-1"));
                }
                return Ok(value);
            }
        }
        Err(wrong("a number is too long"))
    }

    /// Reads a counted list of items of at least `size` bytes, so that no number alone takes memory.
    fn list<T>(&mut self, size: u64, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.integer()?;
        if count.saturating_mul(size) > self.0.len() as u64 {
            return Err(wrong("a list is longer than the summary"));
        }
        (0..count).map(|_| item(self)).collect()
    }

    fn state(&mut self) -> Result<SummaryState> {
        let byte = self.byte()?;
        let runs = match byte >> 3 & 3 {
            0 => SummaryRuns::Wanted,
            1 => SummaryRuns::Another,
            2 => SummaryRuns::Unknown,
            _ => return Err(state_byte(byte)),
        };
        if byte & 7 > 5 || byte >> 6 != 0 {
            return Err(state_byte(byte));
        }
        Ok(SummaryState {
            state: byte & 7,
            runs,
            removed: byte & 0x20 != 0,
            age: self.age()?,
        })
    }

    fn local(&mut self) -> Result<LocalState> {
        Ok(LocalState {
            deployment: self.array()?,
            state: self.state()?,
        })
    }

    fn release(&mut self) -> Result<SummaryRelease> {
        let head = self.array()?;
        let flags = self.byte()?;
        if ![0, LIVE, COUNTED].contains(&flags) {
            return Err(wrong(&format!("the flags {flags:#04x} of a release mean nothing")));
        }
        let age = self.age()?;
        if flags == 0 {
            return Ok(SummaryRelease { head, age, live: None });
        }
        let deployments = if flags == COUNTED {
            let mut by_state = [0; 6];
            for count in &mut by_state {
                *count = self.integer()?;
            }
            SummaryDeployments::Counted {
                by_state,
                not_wanted: self.integer()?,
            }
        } else {
            SummaryDeployments::Each(self.list(2, Self::state)?)
        };
        let local = self.list(10, Self::local)?;
        let live = Some(SummaryLive { deployments, local });
        Ok(SummaryRelease { head, age, live })
    }
}

/// Returns the first of some names that was there before.
fn repeated<const N: usize>(mut names: impl Iterator<Item = [u8; N]>) -> Option<[u8; N]> {
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(*name))
}

fn state_byte(byte: u8) -> Error {
    wrong(&format!("the state byte {byte:#04x} means nothing"))
}

fn wrong(found: &str) -> Error {
    Error::new(Class::Format, "summary", found).expected("a summary in the form that SPEC.md describes, 16")
}
