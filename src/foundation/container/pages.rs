//! Index pages (entries 05) and the fill (entry 06): lines filled greedily into pages whose hashes the head states.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::entry::{BLOCK, FILL, entry_bytes, page_name};
use super::outline::PageEntry;
use super::source::Source;
use crate::domain::{Class, Error, Hash, Result, limits};

/// Cuts lines into pages, each filled greedily.
pub(crate) struct PageWriter<'a> {
    line: Vec<u8>,
    /// Bytes of the page under way.
    filled: usize,
    take: &'a mut dyn FnMut(&[u8], bool),
}

impl<'a> PageWriter<'a> {
    /// Begins; `take` is handed line by line, and whether a page begins with it.
    pub(crate) fn new(take: &'a mut dyn FnMut(&[u8], bool)) -> Self {
        Self {
            line: Vec::new(),
            filled: 0,
            take,
        }
    }

    /// Adds a line.
    pub(crate) fn push(&mut self, line: &impl Serialize) {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).expect("lines have a JSON form");
        self.line.push(b'\n');
        let filled = self.filled.saturating_add(self.line.len());
        let new_page = self.filled == 0 || filled > limits::PAGE_BYTES;
        self.filled = if new_page { self.line.len() } else { filled };
        (self.take)(&self.line, new_page);
    }
}

impl std::fmt::Debug for PageWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PageWriter({} bytes of the page filled)", self.filled)
    }
}

/// Takes pages apart into lines, in order, and sees that none was begun too early.
#[derive(Debug)]
pub(crate) struct PageReader {
    /// What a page is called; its code is that of refusals.
    code: &'static str,
    noun: &'static str,
    /// Bytes of a full page.
    most: usize,
    previous_page: Option<usize>,
}

impl PageReader {
    /// Starts at the first page of an index.
    pub(crate) fn of_index() -> Self {
        Self::new("index", "index page", limits::PAGE_BYTES)
    }

    /// Starts at the first page of some kind. Its form is refused under `code`.
    pub(crate) fn new(code: &'static str, noun: &'static str, most: usize) -> Self {
        Self {
            code,
            noun,
            most,
            previous_page: None,
        }
    }

    /// Returns the lines of the next page, whose hash was compared before.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` with the code of the kind of pages.
    pub(crate) fn lines<'p>(&mut self, page: &'p [u8]) -> Result<impl Iterator<Item = &'p [u8]> + use<'p>> {
        let Some(text) = page.strip_suffix(b"\n") else {
            return Err(self.wrong("does not end with a line feed"));
        };
        let lines = || text.split(|byte| *byte == b'\n');
        // Greedy filling: the first line of a page did not fit on the page before it.
        if let (Some(previous), Some(first)) = (self.previous_page, lines().next())
            && previous.saturating_add(first.len()).saturating_add(1) <= self.most
        {
            return Err(self.wrong("was begun before the one before it was full"));
        }
        self.previous_page = Some(page.len());
        Ok(lines())
    }

    fn wrong(&self, found: &str) -> Error {
        Error::new(Class::Format, self.code, format!("one {} {found}", self.noun))
    }
}

/// Returns what a head says of its pages.
pub(crate) fn page_entries(pages: &[Vec<u8>]) -> Vec<PageEntry> {
    pages
        .iter()
        .map(|page| PageEntry {
            sha256: Hash(Sha256::digest(page).into()),
            size: page.len() as u64,
        })
        .collect()
}

/// Reads the index pages that a head states, and hands over each with its hash once that was compared.
///
/// # Errors
///
/// `E-INTEGRITY page-hash`; those of the source and of `take`.
pub(crate) fn read_pages(
    source: &mut Source,
    pages: &[PageEntry],
    mut take: impl FnMut(Hash, Vec<u8>) -> Result<()>,
) -> Result<()> {
    for (number, page) in (1..).zip(pages) {
        source.header(&page_name(number), page.size)?;
        let content = source.content(page.size, Class::Incomplete)?;
        if Hash(Sha256::digest(&content).into()) != page.sha256 {
            return Err(Error::new(
                Class::Integrity,
                "page-hash",
                format!("index page {number} is not the one that was signed"),
            )
            .expected(page.sha256.to_string())
            .remedy(format!("copy the {} again", source.noun())));
        }
        take(page.sha256, content)?;
    }
    Ok(())
}

/// Reads the fill up to where the payload begins.
///
/// # Errors
///
/// `E-FORMAT payload-offset` and `fill`; `E-LIMIT fill`; those of the source.
pub(crate) fn read_fill(source: &mut Source, payload_offset: u64) -> Result<()> {
    let fill = payload_offset
        .checked_sub(source.position().saturating_add(entry_bytes(0)))
        .ok_or_else(|| {
            Error::new(
                Class::Format,
                "payload-offset",
                "the payload would begin inside the index",
            )
        })?;
    let most = source.kind().caps.fill;
    if fill > most {
        return Err(
            Error::new(Class::Limit, "fill", format!("the fill has {fill} bytes")).expected(format!("at most {most}"))
        );
    }
    source.header(FILL, fill)?;
    let mut rest = fill;
    let mut block = [0; 8 * BLOCK];
    while rest > 0 {
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(block.len());
        let part = block.get_mut(..count).unwrap_or_default();
        source.zeros(part, "fill", Class::Incomplete)?;
        rest = rest.saturating_sub(count as u64);
    }
    Ok(())
}
