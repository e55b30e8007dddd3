//! The stream log against a status package that left before: every row that it carries, and the seal before the first one (M-106).

use std::fs::File;
use std::path::Path;

use super::audit_log::{Compared, differs_at, no_copy, other_site};
use super::state::Appliance;
use crate::db::site::stream_log;
use crate::domain::{Class, Error, Hash, Result};
use crate::media;
use crate::package::{Line, OpenedPackage, SignedPackage, StatusKeys};

impl Appliance {
    /// Compares the stream log with a package, signed by the status key in force or by one before it.
    ///
    /// # Errors
    ///
    /// `E-STATE audit-differs` with the first row that is not what it was; `E-AUDIENCE site` for a package of another site; `E-FORMAT
    /// audit-copy` for a pipe; those of the steps V1 to V10.
    pub(super) fn compare_package(&self, file: &File) -> Result<Compared> {
        let package = self.own_package(file)?;
        let head = package.head();
        let (domain, number, audit) = (head.domain, head.number, head.audit);
        let seal = |row| self.db.read(|connection| stream_log::seal(connection, domain, row));
        let mut differs = None;
        let mut compare = |row: u64, told: Hash| -> Result<()> {
            let kept = seal(row)?;
            if kept != Some(told) {
                differs.get_or_insert((row, kept.is_none()));
            }
            Ok(())
        };
        compare(audit.first.saturating_sub(1), audit.before)?;
        package.read_index()?.read_lines(&mut |line, told| match (line, told) {
            (Line::Audit(row), Some(told)) => compare(row.number, told),
            _ => Ok(()),
        })?;
        match differs {
            Some((row, is_missing)) => {
                let what = format!("the stream log of the trust domain {domain}, up to row");
                Err(differs_at(&what, row, is_missing))
            }
            None => Ok(Compared::Package {
                domain,
                number,
                row: audit.last,
            }),
        }
    }

    /// Opens a package that one of this site's own keys signed.
    fn own_package(&self, file: &File) -> Result<SignedPackage> {
        let open = || {
            let again = file.try_clone().map_err(|error| unreadable(&error))?;
            let is_file = again.metadata().map_err(|error| unreadable(&error))?.is_file();
            if !is_file {
                return Err(no_copy("a package is read from a plain file, and this is none"));
            }
            OpenedPackage::open(media::input(again, Path::new("the package"))?)
        };
        let site = open()?.hints()?.site;
        if site != *self.site() {
            return Err(other_site(&site));
        }
        let mut keys = self.own_keys()?;
        let mut refusal = None;
        // Each of them was in force once; who signed receipts before is good for these alone.
        for _ in 0..keys.len() {
            let Some(key) = keys.pop() else { break };
            match open()?.verify(StatusKeys::new(key, keys.iter().copied())) {
                Err(error) if error.class() == Class::Signature => refusal = refusal.or(Some(error)),
                verified => return verified,
            }
            keys.insert(0, key);
        }
        Err(refusal.unwrap_or_else(|| no_copy("no key of this site is known")))
    }
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::new(Class::Io, "io", format!("cannot read the package: {error}"))
}
