//! Reads a chart archive: a gzipped tar with one folder. Names are compared and never become paths.

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::domain::{Class, Error, Result};
use crate::stream::read_bounded;

/// Largest archive.
pub(in super::super) const CHART_BYTES: u64 = 32 << 20;
/// Largest file of a chart: helm's own bound.
const FILE_BYTES: u64 = 5 << 20;
/// Bytes of all files, those of charts inside charts included: helm's own bound.
const PLAIN_BYTES: u64 = 100 << 20;
/// Files of a chart, those of charts inside charts included.
const FILES: u64 = 10_000;
/// Longest name.
const NAME_BYTES: usize = 1024;

/// What is left of the bounds, for one chart and everything inside it.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    files: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: PLAIN_BYTES,
            files: FILES,
        }
    }
}

/// Reads every file below the archive's one folder and gives it to `take`: its name below that folder, and its bytes.
///
/// # Errors
///
/// `E-CONTENT chart` for what is no such archive, `E-LIMIT chart` for one without end; those of `take`.
pub(super) fn read(
    archive: &[u8],
    label: &str,
    budget: &mut Budget,
    take: &mut dyn FnMut(&str, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let wrong = |what: &str| wrong(label, what);
    let limit = |what: &str| {
        Error::new(Class::Limit, "chart", format!("{label}: {what}"))
            .expected("at most 10,000 files, 5 MiB each, 100 MiB together")
    };
    // A tar of N bytes of files has at most so many more for headers.
    let bound = PLAIN_BYTES.saturating_add(FILES.saturating_mul(4096));
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive).take(bound));
    let unreadable = |error: std::io::Error| wrong(&format!("it cannot be read: {error}"));
    let mut root: Option<String> = None;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for entry in tar.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let name = entry.path_bytes();
        let name = std::str::from_utf8(&name)
            .map_err(|_| wrong("a name in it is no UTF-8"))?
            .to_owned();
        let shown: String = name.chars().take(120).collect();
        let folder = kind == EntryType::Directory;
        if !folder && kind != EntryType::Regular && kind != EntryType::Continuous {
            return Err(wrong(&format!("{shown:?} is a link or a device")).expected("files and folders"));
        }
        let plain = name.strip_prefix("./").unwrap_or(&name);
        let plain = if folder { plain.trim_end_matches('/') } else { plain };
        if folder && plain.is_empty() {
            continue;
        }
        check_name(plain).map_err(|what| wrong(&format!("the name {shown:?} {what}")))?;
        let (top, below) = plain.split_once('/').unwrap_or((plain, ""));
        match &root {
            None => root = Some(top.to_owned()),
            Some(root) if root == top => {}
            Some(root) => {
                return Err(wrong(&format!("it has several folders, {root:?} and {top:?}"))
                    .expected("the chart's folder alone"));
            }
        }
        if folder {
            continue;
        }
        if below.is_empty() {
            return Err(
                wrong(&format!("{shown:?} stands beside the chart's folder")).expected("the chart's folder alone")
            );
        }
        if !seen.insert(below.to_owned()) {
            return Err(wrong(&format!("{shown:?} is there twice")).expected("each name once"));
        }
        budget.files = budget
            .files
            .checked_sub(1)
            .ok_or_else(|| limit("it has too many files"))?;
        if entry.size() > FILE_BYTES {
            return Err(limit(&format!("{shown:?} has {} bytes", entry.size())));
        }
        let below = below.to_owned();
        let bytes = read_bounded(entry, FILE_BYTES, "a file of a chart").map_err(|error| wrong(error.found()))?;
        budget.bytes = budget
            .bytes
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| limit("it is too large"))?;
        take(&below, bytes)?;
    }
    if root.is_none() {
        return Err(wrong("it is empty"));
    }
    Ok(())
}

/// Checks a name as the strictest of its readers would.
fn check_name(name: &str) -> Result<(), &'static str> {
    let drive = name.as_bytes().get(1) == Some(&b':');
    if name.is_empty() || name.starts_with('/') || drive {
        Err("is absolute")
    } else if name.len() > NAME_BYTES {
        Err("is too long")
    } else if name.contains('\\') || name.chars().any(char::is_control) {
        Err("holds a backslash or a control character")
    } else if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Err("leaves its folder")
    } else {
        Ok(())
    }
}

pub(super) fn wrong(label: &str, what: &str) -> Error {
    Error::new(Class::Content, "chart", format!("{label} is no chart: {what}"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    /// An archive of entries, their names written as they are.
    pub(in super::super) fn tgz(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for (name, kind, bytes) in entries {
            let mut header = Header::new_ustar();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            if kind.is_symlink() || kind.is_hard_link() {
                header.set_link_name("x").unwrap();
            }
            header.set_cksum();
            tar.append(&header, *bytes).unwrap();
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&tar.into_inner().unwrap()).unwrap();
        gzip.finish().unwrap()
    }

    fn names(archive: &[u8]) -> Result<Vec<String>> {
        let mut names = Vec::new();
        read(archive, "x.tgz", &mut Budget::default(), &mut |name, _| {
            names.push(name.to_owned());
            Ok(())
        })?;
        Ok(names)
    }

    #[test]
    fn hostile_archives_are_refused_and_plain_ones_read() {
        let file = EntryType::Regular;
        let good = tgz(&[
            ("erp/", EntryType::Directory, b""),
            ("erp/Chart.yaml", file, b"name: erp"),
            ("./erp/templates/a.yaml", file, b""),
        ]);
        assert_eq!(names(&good).unwrap(), ["Chart.yaml", "templates/a.yaml"]);
        for (entries, says) in [
            (vec![("erp/../x", file)], "leaves its folder"),
            (vec![("../erp/x", file)], "leaves its folder"),
            (vec![("/erp/x", file)], "absolute"),
            (vec![("C:/erp/x", file)], "absolute"),
            (vec![("erp\\..\\x", file)], "backslash"),
            (vec![("erp/x", EntryType::Symlink)], "link"),
            (vec![("erp/x", EntryType::Link)], "link"),
            (vec![("erp/x", EntryType::Fifo)], "link"),
            (vec![("erp/x", file), ("other/x", file)], "several folders"),
            (vec![("x", file)], "beside"),
            (vec![("erp/x", file), ("erp/x", file)], "twice"),
            (vec![], "empty"),
        ] {
            let entries: Vec<_> = entries.iter().map(|(name, kind)| (*name, *kind, &b""[..])).collect();
            let error = names(&tgz(&entries)).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, "chart"), "{entries:?}");
            assert!(error.found().contains(says), "{error}");
        }
        assert_eq!(names(b"no gzip").unwrap_err().class(), Class::Content);
        let cut = &good[..good.len() - 12];
        assert_eq!(names(cut).unwrap_err().class(), Class::Content);
    }

    #[test]
    fn bombs_end_at_the_bounds() {
        let large = vec![0; usize::try_from(FILE_BYTES).unwrap() + 1];
        let error = names(&tgz(&[("a/x", EntryType::Regular, &large)])).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Limit, "chart"));
        let most = &large[1..];
        let names_of: Vec<String> = (0..21).map(|n| format!("a/{n}")).collect();
        let entries: Vec<_> = names_of
            .iter()
            .map(|name| (name.as_str(), EntryType::Regular, most))
            .collect();
        assert_eq!(names(&tgz(&entries)).unwrap_err().class(), Class::Limit);
        assert_eq!(names(&tgz(&entries[..20])).unwrap().len(), 20);
    }
}
