//! A status package of the project's own writer, taken apart, changed, and put together again under the site's key.

use airlock::crypto::{PayloadType, Signature, SigningKey};
use serde_json::{Value, json};

use super::draft::{hex, parsed, push, written};

/// Bytes of a block of the container.
const BLOCK: usize = 512;

/// What of a package can be changed before it is signed.
#[derive(Clone)]
pub(super) struct PackageDraft {
    /// The head; what follows from the rest is worked out anew.
    pub(super) head: Value,
    /// The entry that says whose it is.
    pub(super) hints: Vec<u8>,
    pub(super) approvals: Vec<u8>,
    /// Parts in payload order: type and lines.
    pub(super) parts: Vec<(String, Vec<Vec<u8>>)>,
}

type OfIndex<'a> = dyn FnMut(&mut Vec<Vec<u8>>) + 'a;
type OfChunk<'a> = dyn FnMut(&[u8]) -> (&'static str, Vec<u8>) + 'a;

/// Changes that are made while a package is put together.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// The lines of the index page.
    pub(super) index: Option<&'a mut OfIndex<'a>>,
    /// The bytes of the head, before they are signed.
    pub(super) head: Option<&'a mut dyn FnMut(Vec<u8>) -> Vec<u8>>,
    /// The stored bytes of the one chunk; a codec and other bytes.
    pub(super) chunk: Option<&'a mut OfChunk<'a>>,
}

fn lines_of(page: &[u8]) -> Vec<Vec<u8>> {
    let lines = page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(<[u8]>::to_vec).collect()
}

impl PackageDraft {
    /// Takes a package of one chunk apart.
    pub(super) fn of(package: &[u8]) -> Self {
        let mut at = 0;
        let mut entries = Vec::new();
        while package[at] != 0 {
            let header = &package[at..at + BLOCK];
            let size = usize::from_str_radix(std::str::from_utf8(&header[124..135]).unwrap(), 8).unwrap();
            entries.push(&package[at + BLOCK..at + BLOCK + size]);
            at += BLOCK + size.next_multiple_of(BLOCK);
        }
        // 00 to 04, one page, the fill, one chunk.
        let [_, _, hints, head, approvals, _, _, chunk] = entries[..] else {
            panic!("{} entries", entries.len())
        };
        let head = parsed(head);
        let mut plain = zstd::decode_all(chunk).unwrap_or_else(|_| chunk.to_vec());
        let parts = head["parts"].as_array().unwrap().iter().map(|part| {
            let size = usize::try_from(part["size"].as_u64().unwrap()).unwrap();
            let page: Vec<u8> = plain.drain(..size).collect();
            (part["type"].as_str().unwrap().to_owned(), lines_of(&page))
        });
        Self {
            parts: parts.collect(),
            hints: hints.to_vec(),
            approvals: approvals.to_vec(),
            head,
        }
    }

    /// The lines of a type.
    pub(super) fn part(&mut self, kind: &str) -> &mut Vec<Vec<u8>> {
        let found = self.parts.iter_mut().find(|(of, _)| of == kind);
        &mut found.unwrap().1
    }

    /// Counts the lines of records anew, where the head does.
    pub(super) fn count(&mut self) {
        let shown = self.part("records").len();
        self.head["records"]["shown"] = json!(shown);
    }

    /// Puts the package together and signs it.
    pub(super) fn build(&self, key: &SigningKey, mut changes: Changes<'_>) -> Vec<u8> {
        let mut head = self.head.clone();
        let (mut plain, mut index, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, lines) in &self.parts {
            let page: Vec<u8> = lines.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect();
            let digest = format!("sha256:{}", hex(&page));
            parts.push(json!({"digest": digest, "lines": lines.len(), "size": page.len(), "type": kind}));
            index.push(json!({"digest": digest, "kind": "blob", "size": page.len()}));
            plain.extend(page);
        }
        let (codec, stored) = match &mut changes.chunk {
            Some(change) => change(&plain),
            None => ("zstd", zstd::bulk::compress(&plain, 3).unwrap()),
        };
        index.push(json!({"codec": codec, "kind": "chunk", "sha256": hex(&stored), "size": stored.len()}));
        let mut index: Vec<Vec<u8>> = index.iter().map(written).collect();
        if let Some(change) = &mut changes.index {
            change(&mut index);
        }
        let page: Vec<u8> = index.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect();
        head["parts"] = parts.into();
        head["index"] = json!([{"sha256": hex(&page), "size": page.len()}]);
        head["volumes"] = json!([1]);
        let blobs = self.parts.len();
        head["totals"] = json!({"blobs": blobs, "chunks": 1, "content_bytes": plain.len(), "early_blobs": blobs,
            "needs": 0, "stored_bytes": stored.len()});
        let around = page.len() + self.hints.len() + self.approvals.len() + written(&head).len() + 32 * BLOCK;
        let offset = around.next_multiple_of(BLOCK);
        head["payload_offset"] = json!(offset);
        let mut head = written(&head);
        if let Some(change) = &mut changes.head {
            head = change(head);
        }
        let signature = Signature::make(key, PayloadType::StatusHead, &head);
        let signatures = written(&json!({"signatures": [signature]}));
        let mut package = Vec::new();
        for (name, content) in [
            ("00-format", &b"airlock-status 1\nvolume 1/1 chunks 1-1\n"[..]),
            ("01-signatures.json", &signatures),
            ("02-trust.json", &self.hints),
            ("03-head.json", &head),
            ("04-approvals.json", &self.approvals),
            ("05-index/0001", &page),
        ] {
            push(&mut package, name, content);
        }
        let fill = offset.saturating_sub(package.len() + BLOCK);
        push(&mut package, "06-fill", &vec![0; fill]);
        push(&mut package, "chunks/0000000001", &stored);
        package.resize(package.len() + 2 * BLOCK, 0);
        package
    }
}
