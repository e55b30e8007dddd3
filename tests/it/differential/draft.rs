//! A bundle of the project's own builder, taken apart, changed, and put together again under a good signature.

use airlock::crypto::{PayloadType, Signature, SigningKey};
use airlock::domain::oci;
use serde_json::{Value, json};

use crate::support::site::digest;

/// Bytes of a block of the container.
const BLOCK: usize = 512;
/// The four entries before the head, and the approvals behind it.
const PROLOGUE: [&str; 5] = [
    "00-format",
    "01-signatures.json",
    "02-trust.json",
    "03-head.json",
    "04-approvals.json",
];
/// Most bytes of an index page.
const PAGE_BYTES: usize = 1 << 20;
/// Plain bytes of a full chunk in every draft.
const CHUNK_BYTES: usize = 1 << 20;

/// What of a bundle can be changed before it is signed.
#[derive(Clone)]
pub(crate) struct Draft {
    /// The head; what follows from the rest is worked out anew.
    pub(crate) head: Value,
    /// Lines `tag`, `absent` and `need`.
    pub(crate) names: Vec<Value>,
    /// Lines `blob`, in payload order, with the bytes.
    pub(crate) blobs: Vec<(Value, Vec<u8>)>,
    /// The entry with the vendor's roots.
    pub(crate) trust: Vec<u8>,
    early: usize,
}

type OnLines<'a> = &'a mut dyn FnMut(&mut Vec<Vec<u8>>);
type OnHead<'a> = &'a mut dyn FnMut(Vec<u8>) -> Vec<u8>;
type OnChunk<'a> = &'a mut dyn FnMut(usize, &[u8]) -> (&'static str, Vec<u8>);

/// Changes that are made while a bundle is put together.
#[derive(Default)]
pub(crate) struct Changes<'a> {
    /// The lines of the index page.
    pub(crate) lines: Option<OnLines<'a>>,
    /// The bytes of the head, before they are signed.
    pub(crate) head: Option<OnHead<'a>>,
    /// The stored bytes of a chunk with its number from 0; a codec and other bytes.
    pub(crate) chunk: Option<OnChunk<'a>>,
}

impl Draft {
    /// Takes a bundle apart.
    pub(crate) fn of(bundle: &[u8]) -> Self {
        let mut at = 0;
        let mut entry = || {
            let header = &bundle[at..at + BLOCK];
            let octal = std::str::from_utf8(&header[124..135]).unwrap();
            let size = usize::from_str_radix(octal, 8).unwrap();
            let name: Vec<u8> = header.iter().copied().take_while(|byte| *byte != 0).collect();
            let content = &bundle[at + BLOCK..at + BLOCK + size];
            at += BLOCK + size.next_multiple_of(BLOCK);
            (String::from_utf8(name).unwrap(), content)
        };
        let prologue: Vec<&[u8]> = PROLOGUE
            .iter()
            .map(|expected| {
                let (name, content) = entry();
                assert_eq!(name, *expected);
                content
            })
            .collect();
        let head = parsed(prologue[3]);
        let mut lines: Vec<Value> = Vec::new();
        for _ in head["index"].as_array().unwrap() {
            lines.extend(
                entry()
                    .1
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .map(parsed),
            );
        }
        entry();
        let mut plain: Vec<u8> = Vec::new();
        for line in lines.iter().filter(|line| line["kind"] == "chunk") {
            let stored = entry().1;
            plain.extend(match line["codec"].as_str().unwrap() {
                "zstd" => zstd::decode_all(stored).unwrap(),
                _ => stored.to_vec(),
            });
        }
        let mut blobs = Vec::new();
        for line in lines.iter().filter(|line| line["kind"] == "blob") {
            let size = usize::try_from(line["size"].as_u64().unwrap()).unwrap();
            blobs.push((line.clone(), plain.drain(..size).collect()));
        }
        let is_name = |line: &Value| matches!(line["kind"].as_str(), Some("tag" | "absent" | "need"));
        Self {
            early: usize::try_from(head["totals"]["early_blobs"].as_u64().unwrap()).unwrap(),
            names: lines.into_iter().filter(is_name).collect(),
            blobs,
            trust: prologue[2].to_vec(),
            head,
        }
    }

    /// The place of the first blob for which something holds.
    pub(crate) fn find(&self, holds: impl Fn(&Value, &[u8]) -> bool) -> usize {
        self.blobs.iter().position(|(line, bytes)| holds(line, bytes)).unwrap()
    }

    /// Adds a manifest or index under a tag of the usual repository.
    pub(crate) fn add(&mut self, bytes: &[u8], media_type: &str, tag: &str) -> usize {
        let (name, size) = (digest(bytes).to_string(), bytes.len());
        let repository = self.names[0]["repository"].clone();
        self.names.push(
            json!({"kind": "tag", "digest": name, "size": size, "media_type": media_type,
            "repository": repository, "tag": tag}),
        );
        let key =
            |line: &Value| [&line["repository"], &line["tag"]].map(|text| text.as_str().unwrap_or_default().to_owned());
        self.names.sort_by_key(key);
        let line = json!({"kind": "blob", "digest": name, "size": size, "media_type": media_type});
        self.blobs.insert(self.early, (line, bytes.to_vec()));
        self.early += 1;
        self.early - 1
    }

    /// Gives a blob other bytes, and its new digest and size to every line and document that names it.
    pub(crate) fn replace(&mut self, place: usize, bytes: Vec<u8>) {
        let old = self.blobs[place].0["digest"].clone();
        let (name, size) = (json!(digest(&bytes).to_string()), json!(bytes.len()));
        self.blobs[place].1 = bytes;
        let documents = self.head["documents"].as_array_mut().unwrap().iter_mut();
        let lines = self.names.iter_mut().chain(self.blobs.iter_mut().map(|(line, _)| line));
        for line in lines.chain(documents).filter(|line| line["digest"] == old) {
            line["digest"] = name.clone();
            line["size"] = size.clone();
        }
    }

    /// Puts the bundle together and signs it.
    pub(crate) fn build(&self, key: &SigningKey, mut changes: Changes<'_>) -> Vec<u8> {
        let mut head = self.head.clone();
        let mut lines = self.names.clone();
        lines.extend(self.blobs.iter().map(|(line, _)| line.clone()));
        let chunks: Vec<(&str, Vec<u8>)> = (0..)
            .zip(self.chunks())
            .map(|(number, plain)| match &mut changes.chunk {
                Some(change) => change(number, &plain),
                None => ("none", plain),
            })
            .collect();
        lines.extend(chunks.iter().map(
            |(codec, stored)| json!({"kind": "chunk", "codec": codec, "sha256": hex(stored), "size": stored.len()}),
        ));
        let mut lines: Vec<Vec<u8>> = lines.iter().map(written).collect();
        if let Some(change) = &mut changes.lines {
            change(&mut lines);
        }
        let mut pages: Vec<Vec<u8>> = vec![Vec::new()];
        for line in lines {
            if pages
                .last()
                .is_some_and(|page| page.len() + line.len() + 1 > PAGE_BYTES)
            {
                pages.push(Vec::new());
            }
            pages.last_mut().unwrap().extend([&line[..], b"\n"].concat());
        }
        let content: usize = self.blobs.iter().map(|(_, bytes)| bytes.len()).sum();
        let stored: usize = chunks.iter().map(|(_, stored)| stored.len()).sum();
        let entries = pages
            .iter()
            .map(|page| json!({"sha256": hex(page), "size": page.len()}));
        head["index"] = entries.collect();
        head["chunk_bytes"] = json!(CHUNK_BYTES);
        head["volumes"] = json!([chunks.len()]);
        head["totals"] = json!({"blobs": self.blobs.len(), "chunks": chunks.len(), "content_bytes": content,
            "early_blobs": self.early, "needs": self.names.iter().filter(|line| line["kind"] == "need").count(),
            "stored_bytes": stored});
        // Room for whatever the head becomes.
        let around: usize = pages.iter().map(|page| page.len() + 2 * BLOCK).sum();
        let offset = (around + self.trust.len() + written(&head).len() + 32 * BLOCK).next_multiple_of(4096);
        head["payload_offset"] = json!(offset);
        let mut head = written(&head);
        if let Some(change) = &mut changes.head {
            head = change(head);
        }
        let signature = Signature::make(key, PayloadType::BundleHead, &head);
        let signatures = written(&json!({"signatures": [signature]}));
        let count = chunks.len();
        let first = format!("airlock-bundle 1\nvolume 1/1 chunks {}-{count}\n", count.min(1));
        let approvals: &[u8] = br#"{"approvals":[]}"#;
        let mut bundle = Vec::new();
        for (name, content) in PROLOGUE
            .iter()
            .zip([first.as_bytes(), &signatures, &self.trust, &head, approvals])
        {
            push(&mut bundle, name, content);
        }
        for (number, page) in (1..).zip(&pages) {
            push(&mut bundle, &format!("05-index/{number:04}"), page);
        }
        let fill = offset.saturating_sub(bundle.len() + BLOCK);
        push(&mut bundle, "06-fill", &vec![0; fill]);
        for (number, (_, stored)) in (1..).zip(&chunks) {
            push(&mut bundle, &format!("chunks/{number:010}"), stored);
        }
        bundle.resize(bundle.len() + 2 * BLOCK, 0);
        bundle
    }

    /// The plain chunks by the cut rule, for blobs that all fit into one.
    fn chunks(&self) -> Vec<Vec<u8>> {
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        let mut open = false;
        for (number, (_, bytes)) in self.blobs.iter().enumerate() {
            assert!(bytes.len() <= CHUNK_BYTES, "drafts are small");
            let fits = chunks
                .last()
                .is_some_and(|last| last.len() + bytes.len() <= CHUNK_BYTES);
            if bytes.is_empty() {
                continue;
            }
            if !open || !fits || number == self.early {
                chunks.push(Vec::new());
            }
            open = true;
            chunks.last_mut().unwrap().extend(bytes);
        }
        chunks
    }
}

pub(super) fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_str(std::str::from_utf8(bytes).unwrap()).unwrap()
}

/// Canonical: members are sorted by the type that holds them.
pub(crate) fn written(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    digest(bytes).to_string()["sha256:".len()..].to_owned()
}

/// Appends an entry of the container.
pub(super) fn push(bundle: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bundle.extend(header);
    bundle.extend(content);
    bundle.resize(bundle.len().next_multiple_of(BLOCK), 0);
}

/// An index over a manifest of a draft, and an artifact about it.
pub(crate) fn index_and_artifact(manifest: &[u8], config: &Value, layer: &Value) -> [(Value, &'static str); 2] {
    let described =
        json!({"mediaType": oci::OCI_MANIFEST, "digest": digest(manifest).to_string(), "size": manifest.len()});
    let mut child = described.clone();
    child["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    child["annotations"] = json!({"a": "b"});
    let index =
        json!({"schemaVersion": 2, "mediaType": oci::OCI_INDEX, "manifests": [child], "annotations": {"a": "b"}});
    let artifact = json!({"schemaVersion": 2, "mediaType": oci::OCI_MANIFEST, "artifactType": "application/vnd.example",
        "config": config, "layers": [layer], "subject": described, "annotations": {"a": "b"}});
    [(index, oci::OCI_INDEX), (artifact, oci::OCI_MANIFEST)]
}
