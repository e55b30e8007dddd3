//! The whole way of a container that is no bundle: another first word, another unit, another role, other caps.

use std::io::Cursor;

use super::*;
use crate::crypto::{PayloadType, RunningHash, Signature};
use crate::domain::{Class, Digest, Error, Hash, Result};

/// A kind as far from bundles as kinds may be.
pub(crate) static KIND: Kind = Kind {
    word: "airlock-crate",
    noun: "crate",
    maker: "the site",
    made_with: "airlock crate make",
    is_repaired: true,
    no_such_file: "not-a-crate",
    head_type: PayloadType::StatusHead,
    offset_unit: 512,
    caps: Caps {
        entries: [128, 1024, 1024, 1024, 1024],
        pages: 1,
        fill: 2048,
        chunks: 8,
        volumes: 1,
        blobs: 8,
    },
    others: &[OtherKind {
        word: "airlock-bundle",
        noun: "bundle",
        remedy: "import it",
    }],
};

const CHUNK: u64 = 1 << 20;

#[derive(Debug, Clone, Copy)]
struct Part {
    digest: Digest,
    size: u64,
}

impl PayloadBlob for Part {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn travel_size(&self) -> u64 {
        self.size
    }
}

/// Keeps what is handed over; `chunks_done` says where an earlier try ended.
#[derive(Default)]
struct Shelf {
    blobs: Vec<Vec<u8>>,
    large: Vec<u8>,
    chunks_done: u64,
    /// What an earlier try has kept of each chunk, and what it left of the large blob.
    states: Vec<Hash>,
    prefix: Vec<u8>,
    recalled: usize,
    chunks: u64,
    skipped: u64,
    reached: usize,
    /// The midstate of each chunk.
    told: Vec<Hash>,
}

/// The midstates of a blob at the ends of its chunks but the last.
fn midstates(blob: &[u8]) -> Vec<Hash> {
    let mut hash = RunningHash::default();
    let mut states: Vec<_> = blob
        .chunks(1 << 20)
        .map(|piece| {
            hash.update(piece);
            hash.midstate().unwrap_or(Hash([0; 32]))
        })
        .collect();
    states.pop();
    states
}

impl PayloadSink<Part> for Shelf {
    fn chunks_done(&self) -> u64 {
        self.chunks_done
    }
    fn resumed(&mut self, bytes: u64) {
        self.skipped = bytes;
    }
    fn reached(&mut self, blob: usize) -> Result<()> {
        self.reached = blob;
        Ok(())
    }
    fn kept_midstates(&mut self, chunks: std::ops::Range<u64>) -> Result<Vec<Hash>> {
        let index = |number: u64| usize::try_from(number - 1).unwrap();
        Ok(self.states[index(chunks.start)..index(chunks.end)].to_vec())
    }
    fn recall(&mut self, _: &Part, _: Vec<Hash>) -> Result<()> {
        self.recalled += 1;
        Ok(())
    }
    fn go_on(&mut self, _: &Part, length: u64) -> Result<()> {
        self.large = self.prefix[..usize::try_from(length).unwrap()].to_vec();
        Ok(())
    }
    fn blob(&mut self, _: &Part, bytes: &[u8]) -> Result<()> {
        self.blobs.push(bytes.to_vec());
        Ok(())
    }
    fn begin(&mut self, _: &Part) -> Result<()> {
        self.large.clear();
        Ok(())
    }
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.large.extend_from_slice(bytes);
        Ok(())
    }
    fn end(&mut self, _: &Part, states: Vec<Hash>) -> Result<()> {
        assert_eq!(states, midstates(&self.large));
        self.blobs.push(std::mem::take(&mut self.large));
        Ok(())
    }
    fn chunk_done(&mut self, chunks: u64, _: u64, midstate: Option<Hash>) -> Result<()> {
        self.chunks = chunks;
        self.told.push(midstate.unwrap_or(Hash([0; 32])));
        Ok(())
    }
}

/// Text, nothing, noise above two chunks, text again.
fn contents() -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let noise = (0..2_500_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    vec![b"first".to_vec(), Vec::new(), noise, vec![b'x'; 70_000]]
}

struct Made {
    parts: Vec<Part>,
    chunks: Vec<Chunk>,
    pages: Vec<Vec<u8>>,
    prologue: Vec<u8>,
    file: Vec<u8>,
}

impl Made {
    fn payload(&self) -> Payload<'_, Part> {
        Payload {
            blobs: &self.parts,
            early: 1,
            chunk_bytes: CHUNK,
            copies: false,
        }
    }

    fn offset(&self) -> u64 {
        self.prologue.len() as u64
    }

    /// Reads a file up to its payload.
    fn open(&self, file: &[u8]) -> Result<Source> {
        let mut source = Source::new(Box::new(Cursor::new(file.to_vec())), &KIND);
        let prologue = Prologue::read(&mut source)?;
        assert_eq!(prologue.format(), b"airlock-crate 1\nvolume 1/1 chunks 1-5\n");
        assert_eq!(
            (prologue.trust(), prologue.head()),
            (&b"{\"t\":1}"[..], &b"{\"h\":1}"[..])
        );
        assert_eq!((prologue.signatures()?.len(), prologue.approvals()?.len()), (1, 0));
        let mut seen = Vec::new();
        read_pages(&mut source, &page_entries(&self.pages), |_, page| {
            for line in PageReader::of_index().lines(&page)? {
                seen.push(Chunk::parse(line)?);
            }
            Ok(())
        })?;
        assert_eq!(seen, self.chunks);
        check_chunks(&seen, self.payload())?;
        read_fill(&mut source, self.offset())?;
        Ok(source)
    }

    fn read(&self, file: &[u8], sink: &mut Shelf) -> Result<()> {
        let mut source = self.open(file)?;
        read_payload(&mut source, self.payload(), &self.chunks, sink)?;
        source.end()
    }

    fn read_back(&self, file: &[u8]) -> Result<()> {
        let input = Box::new(Cursor::new(file.to_vec()));
        read_back(
            &KIND,
            &self.prologue,
            (1..).zip(self.chunks.clone()),
            CHUNK,
            input,
            &mut |_| (),
        )
    }
}

fn made() -> Made {
    let contents = contents();
    let parts: Vec<Part> = contents
        .iter()
        .map(|bytes| Part {
            digest: digest_of(bytes),
            size: bytes.len() as u64,
        })
        .collect();
    let payload = Payload {
        blobs: &parts,
        early: 1,
        chunk_bytes: CHUNK,
        copies: false,
    };
    let mut written = Vec::new();
    let mut left = contents.iter().filter(|bytes| !bytes.is_empty()).cloned();
    let mut told = 0;
    let chunks = write_payload(
        &KIND,
        payload,
        3,
        &mut |part| Ok((Box::new(Cursor::new(left.next().unwrap())), part.digest)),
        &mut OneFile(&mut written),
        &mut |done| told = done,
    )
    .unwrap();
    assert_eq!(told, 2_570_005);
    let mut pages: Vec<Vec<u8>> = Vec::new();
    let mut take = |line: &[u8], new_page: bool| {
        if new_page {
            pages.push(Vec::new());
        }
        pages.last_mut().unwrap().extend_from_slice(line);
    };
    let mut writer = PageWriter::new(&mut take);
    for chunk in &chunks {
        writer.push(&chunk.line());
    }
    let signature = Signature {
        keyid: Hash([7; 32]),
        sig: vec![7; 64],
    };
    let lines = format_lines(&KIND, chunks.len() as u64);
    let signatures = signatures_bytes(&[signature]);
    let entries: [&[u8]; 5] = [
        lines.as_bytes(),
        &signatures,
        b"{\"t\":1}",
        b"{\"h\":1}",
        EMPTY_APPROVALS,
    ];
    assert_eq!(
        bytes_before_payload(entries, &pages, 4096).unwrap_err().code(),
        "reserve"
    );
    let prologue = bytes_before_payload(entries, &pages, 15 * KIND.offset_unit).unwrap();
    Made {
        parts,
        chunks,
        pages,
        file: [prologue.clone(), written].concat(),
        prologue,
    }
}

#[test]
fn another_kind_goes_the_whole_way() {
    let made = made();
    let mut shelf = Shelf::default();
    made.read(&made.file, &mut shelf).unwrap();
    assert_eq!(shelf.blobs, contents());
    assert_eq!((shelf.chunks, shelf.reached, shelf.skipped), (5, 4, 0));
    made.read_back(&made.file).unwrap();
}

#[test]
fn a_stopped_reading_goes_on_inside_a_large_blob() {
    let made = made();
    let mut first = Shelf::default();
    made.read(&made.file, &mut first).unwrap();
    let mut shelf = Shelf {
        chunks_done: 2,
        states: first.told,
        prefix: contents()[2].clone(),
        ..Shelf::default()
    };
    made.read(&made.file, &mut shelf).unwrap();
    assert_eq!(shelf.blobs, contents()[2..]);
    assert_eq!((shelf.recalled, shelf.chunks), (2, 5));
    assert_eq!(shelf.skipped, (512 + 512) + (512 + (1 << 20)));
}

#[test]
fn reading_and_reading_back_refuse_the_same_damage() {
    let made = made();
    let offset = usize::try_from(made.offset()).unwrap();
    let end = made.file.len();
    let damaged = |at: usize| {
        let mut file = made.file.clone();
        file[at] ^= 1;
        file
    };
    let cases = [
        (damaged(offset), Class::Format, "header"),
        (damaged(offset + 512), Class::Integrity, "stored-hash"),
        (damaged(offset + 1023), Class::Format, "padding"),
        (damaged(offset + 2 * 1024), Class::Integrity, "stored-hash"),
        (damaged(end - 1), Class::Format, "end"),
        (made.file[..end - 1].to_vec(), Class::Incomplete, "truncated"),
        ([&made.file[..], b"x"].concat(), Class::Format, "trailing-data"),
    ];
    for (file, class, code) in cases {
        let error = made.read(&file, &mut Shelf::default()).unwrap_err();
        assert_eq!((error.class(), error.code()), (class, code));
        let error = made.read_back(&file).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Io, "read-back"), "{code}");
    }
}

#[test]
fn kinds_refuse_one_another_in_their_own_words() {
    let refused = |lines: &str| {
        let entries: [&[u8]; 5] = [lines.as_bytes(), b"", b"", b"", b""];
        let bytes = bytes_before_payload(entries, [] as [&[u8]; 0], 8192).unwrap();
        let mut source = Source::new(Box::new(Cursor::new(bytes)), &KIND);
        let error: Error = Prologue::read(&mut source).unwrap_err();
        (error.code().to_owned(), error.to_string())
    };
    let (code, text) = refused("airlock-bundle 1\nvolume 1/1 chunks 0-0\n");
    assert_eq!(code, "wrong-type");
    assert!(text.contains("this is a bundle") && text.contains("expected a crate") && text.ends_with("import it"));
    assert_eq!(refused("airlock-crate 2\n").0, "unsupported-version");
    assert_eq!(refused("airlock-crate 1\nvolume x\n").0, "format-lines");
    for other in ["airlock-cratee 1\n", "airlock-crate", "", "hello"] {
        assert_eq!(refused(other).0, "not-a-crate", "{other:?}");
    }
}
