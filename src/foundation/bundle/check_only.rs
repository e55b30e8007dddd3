//! A sink that keeps nothing: every check is made, no byte is stored.

use super::graph::Graph;
use super::index::Blob;
use super::payload::Sink;
use crate::domain::{Hash, Result};

/// Verifies and forgets: blobs that are copied from others are judged as far as their bytes allow. The function is told the bytes of the
/// bundle that were read so far.
#[derive(Debug)]
pub struct CheckOnly<F>(pub F);

impl<F: FnMut(u64)> Sink for CheckOnly<F> {
    fn blob(&mut self, _: &Blob, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Blob, _: Vec<Hash>) -> Result<()> {
        Ok(())
    }

    fn unrestored(&mut self, _: &Blob) -> Result<()> {
        Ok(())
    }

    fn inside(&mut self, _: u64, _: u64, bytes_read: u64) {
        (self.0)(bytes_read);
    }

    fn chunk_done(&mut self, _: u64, bytes_read: u64, _: Option<Hash>) -> Result<()> {
        (self.0)(bytes_read);
        Ok(())
    }

    fn graph(&mut self, _: Graph) -> Result<()> {
        Ok(())
    }
}
