//! The plain of a gzip layer as a reader: inflated on a thread of its own, a few parts ahead.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use crate::domain::Result;
use crate::inflate::Fault;
use crate::panics::caught;
use crate::recipe::find::inflated;

/// Bytes of a part.
const PART: usize = 1 << 18;
/// Parts that wait.
const WAITING: usize = 4;

/// Hands the plain of a gzip file of so many bytes of plain to `work`.
///
/// # Errors
///
/// Those of `work`, which is told what the file failed with as a failure of the reader.
pub(super) fn with_plain<T>(
    file: Box<dyn Read + Send>,
    plain: u64,
    work: impl FnOnce(&mut (dyn Read + Send)) -> Result<T>,
) -> Result<T> {
    let (sender, parts) = mpsc::sync_channel(WAITING);
    thread::scope(|scope| {
        scope.spawn(move || {
            let ended = caught("inflater", || inflate(file, plain, &sender));
            let fault = match ended {
                Ok(Ok(()) | Err(Ends::Left)) => return,
                Ok(Err(Ends::Fault(Fault::Io(error)))) => error,
                Ok(Err(Ends::Fault(Fault::Cut | Fault::Damaged))) => io::Error::other("it is no gzip file any more"),
                Err(error) => io::Error::other(error),
            };
            sender.send(Err(fault)).ok();
        });
        work(&mut Plain {
            parts,
            part: Vec::new(),
            at: 0,
        })
    })
}

enum Ends {
    Fault(Fault),
    /// Nobody reads any more.
    Left,
}

impl From<Fault> for Ends {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn inflate(
    file: Box<dyn Read + Send>,
    plain: u64,
    sender: &SyncSender<io::Result<Vec<u8>>>,
) -> std::result::Result<(), Ends> {
    let mut part = Vec::with_capacity(PART);
    inflated(file, plain, &mut |bytes: &[u8]| {
        part.extend_from_slice(bytes);
        if part.len() < PART {
            return Ok(());
        }
        let full = std::mem::replace(&mut part, Vec::with_capacity(PART));
        sender.send(Ok(full)).map_err(|_| Ends::Left)
    })?;
    sender.send(Ok(part)).map_err(|_| Ends::Left)
}

struct Plain {
    parts: Receiver<io::Result<Vec<u8>>>,
    part: Vec<u8>,
    at: usize,
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.len() {
            match self.parts.recv() {
                Ok(part) => (self.part, self.at) = (part?, 0),
                Err(_) => return Ok(0),
            }
        }
        let left = self.part.get(self.at..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}
