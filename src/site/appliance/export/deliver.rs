//! Out of the appliance: a signed package to a file or a pipe, read back, and only then called exported (E8).

use std::io::{self, Read, Write};
use std::path::Path;

use super::choose::unknown;
use super::upkeep;
use crate::appliance::state::Appliance;
use crate::db::site::packages::{self, PackageRow, State};
use crate::domain::{Class, Error, Hash, Result};
use crate::media::{BundleFile, UncachedFile};
use crate::stream::read_exact_or_end;

/// Where a package goes.
#[derive(Debug)]
pub enum Destination<'a> {
    /// A file, under this name when it is whole. What stands there is replaced.
    File(&'a Path),
    /// A pipe, which nobody can read back, and what to call it.
    Pipe(&'a mut dyn PipeEnd, &'a Path),
}

/// What takes the bytes of a package.
pub trait PipeEnd: Write + std::fmt::Debug {}

impl<T: Write + std::fmt::Debug> PipeEnd for T {}

/// What became of a package.
#[derive(Debug)]
pub struct Delivered {
    /// Its row.
    pub row: PackageRow,
    /// Packages whose files had to go from the outbox for want of room.
    pub dropped: Vec<PackageRow>,
}

impl Appliance {
    /// Brings a signed package out, whose file is read whole before; what arrives are the bytes of that file. A package that did not get out
    /// stays signed, and the next export goes on with the same bytes.
    ///
    /// `outbox` is what files of packages may take here afterwards, in bytes.
    ///
    /// # Errors
    ///
    /// `E-POLICY digest-mismatch` when nothing that was signed has this head digest; those of [`Appliance::read_back`]; `E-SIGNATURE` for a
    /// file without the site's signature; `E-IO read-back` when the medium gives back other bytes; `E-BUSY export`; `E-STATE`, `E-IO` and
    /// `E-SPACE`.
    pub fn deliver(&self, head: Hash, to: Destination<'_>, outbox: u64) -> Result<Delivered> {
        let lock = self.lock_export()?;
        let found = self.db.read(|connection| packages::find(connection, head))?;
        let Some(mut row) = found.filter(|row| row.state != State::Draft) else {
            return Err(unknown(&format!(
                "nothing that was signed here has the head digest {head}"
            )));
        };
        self.read_back(&row, &mut |_| Ok(()))?;
        self.check_signature(&row)?;
        let source = || UncachedFile::open(&self.package_path(row.head));
        match to {
            Destination::File(path) => write_file(path, source()?, source()?)?,
            Destination::Pipe(out, name) => {
                io::copy(&mut source()?, out)
                    .and_then(|_| out.flush())
                    .map_err(|error| Error::io("write", name, error))?;
            }
        }
        self.db
            .write(|transaction| packages::advance(transaction, head, State::Exported))?;
        row.state = State::Exported;
        Ok(Delivered {
            dropped: upkeep::drop_above(self, &lock, outbox)?,
            row,
        })
    }
}

/// Writes a file under a partial name, reads it back from its medium, and gives it its own.
fn write_file(path: &Path, mut source: UncachedFile, again: UncachedFile) -> Result<()> {
    let mut file = BundleFile::create(path, 0)?;
    io::copy(&mut source, &mut file).map_err(|error| Error::io("write", path, error))?;
    // Nothing stands before what was written: this makes it durable.
    file.seal(&[])?;
    compare(UncachedFile::open(file.partial_path())?, again, path)?;
    file.publish()
}

/// Compares what the medium gives back with the file in the outbox, byte by byte.
fn compare(mut written: impl Read, mut meant: impl Read, path: &Path) -> Result<()> {
    let (mut one, mut other) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let failed = |error| Error::io("read back", path, error);
        let count = read_exact_or_end(&mut written, &mut one).map_err(failed)?;
        let expected = read_exact_or_end(&mut meant, &mut other).map_err(failed)?;
        if one.get(..count) != other.get(..expected) {
            return Err(Error::new(
                Class::Io,
                "read-back",
                format!("the medium does not give back what was written to {}", path.display()),
            )
            .remedy("use another medium; this one cannot be trusted"));
        }
        if count == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_byte_and_every_other_end_is_seen() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let path = Path::new("stick");
        compare(&bytes[..], &bytes[..], path).unwrap();
        let refused = |written: &[u8]| {
            let error = compare(written, &bytes[..], path).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Io, "read-back"));
        };
        for at in [0, 1, (1 << 16) - 1, 1 << 16, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            refused(&changed);
            refused(&bytes[..at]);
        }
        refused(&[&bytes[..], b"x"].concat());
    }
}
