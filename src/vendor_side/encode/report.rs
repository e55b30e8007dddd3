//! What became of every layer, and why: for people, for machines, and in sum for a census.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::Digest;
use crate::encoding::Encoding;

/// Why a layer travels as it is. The words are fixed: they stand in reports and caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It has less than 64 KiB.
    Small,
    /// It is compressed in a way that is not taken apart: zstd, xz, bzip2, zip.
    Compressed,
    /// It is a gzip file that no known producer makes.
    UnknownProducer,
    /// What was rebuilt is not the layer.
    RebuildDiffers,
    /// Its recipe would be larger than one may be.
    RecipeTooLarge,
    /// It would not become smaller by a tenth.
    NoGain,
    /// Its plain is larger than a plain may be.
    TooLarge,
    /// Making it again takes more than half of the work that a reader allows.
    Work,
    /// `--encodings none`.
    Disabled,
}

/// What became of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It travels encoded.
    Encoded {
        /// Bytes of its travel form.
        travel_size: u64,
        /// How.
        encoding: Encoding,
        /// Pieces and framed operations of its recipe.
        pieces: u64,
        /// What it is copied from in part.
        bases: Vec<Digest>,
    },
    /// It travels as it is.
    AsItIs(Reason),
}

/// A layer and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobReport {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Milliseconds that it took, in this run or the one that kept it.
    pub milliseconds: u64,
}

/// What was read of layers that others may be copied from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BaseReport {
    /// How many were looked at.
    pub layers: u64,
    /// Bytes that were inflated of them, each once.
    pub inflated: u64,
    /// Bytes that were read of those that were chosen, to know what stands where: each once, where there are not too many.
    pub indexed: u64,
}

/// What became of all of them.
#[derive(Debug, Clone, Default)]
pub struct EncodeReport {
    /// Those that were looked at, in payload order.
    pub blobs: Vec<BlobReport>,
    /// Older layers that all sites hold and from which nothing is copied, for nobody here has their bytes.
    pub lacking: Vec<(Digest, u64)>,
    /// Nothing is copied at all, for readers would inflate so many bytes for it, more than half of what they allow.
    pub too_laborious: Option<u64>,
    /// What was read to find what layers are copied from.
    pub bases: BaseReport,
    /// Those that nobody looks at, for each reason how many and their bytes: a release may have a hundred thousand.
    passed: BTreeMap<Reason, (u64, u64)>,
}

impl Reason {
    /// All of them.
    const ALL: [Self; 9] = [
        Self::Small,
        Self::Compressed,
        Self::UnknownProducer,
        Self::RebuildDiffers,
        Self::RecipeTooLarge,
        Self::NoGain,
        Self::TooLarge,
        Self::Work,
        Self::Disabled,
    ];

    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Compressed => "compressed",
            Self::UnknownProducer => "unknown-producer",
            Self::RebuildDiffers => "rebuild-differs",
            Self::RecipeTooLarge => "recipe-too-large",
            Self::NoGain => "no-gain",
            Self::TooLarge => "too-large",
            Self::Work => "work",
            Self::Disabled => "disabled",
        }
    }

    /// Returns the reason of a word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

impl EncodeReport {
    /// A layer was looked at.
    pub(super) fn tried(&mut self, blob: BlobReport) {
        self.blobs.push(blob);
    }

    /// A layer of so many bytes was passed over.
    pub(super) fn passed(&mut self, reason: Reason, size: u64) {
        add(&mut self.passed, reason, size);
    }

    /// Returns how many layers travel encoded, their bytes, and those of their travel forms.
    pub fn encoded(&self) -> (u64, u64, u64) {
        self.blobs
            .iter()
            .fold((0, 0, 0), |(count, size, travel), blob| match &blob.outcome {
                Outcome::Encoded { travel_size, .. } => (count + 1, size + blob.size, travel + travel_size),
                Outcome::AsItIs(_) => (count, size, travel),
            })
    }

    /// Returns how many layers are copied in part from others, their bytes, and those of their travel forms.
    pub fn copied(&self) -> (u64, u64, u64) {
        let mut copied = (0, 0, 0);
        for blob in &self.blobs {
            if let Outcome::Encoded { travel_size, bases, .. } = &blob.outcome
                && !bases.is_empty()
            {
                copied = (copied.0 + 1, copied.1 + blob.size, copied.2 + travel_size);
            }
        }
        copied
    }

    /// Returns how many layers each producer makes again, their bytes, and those of their travel forms.
    pub fn producers(&self) -> BTreeMap<&'static str, (u64, u64, u64)> {
        let mut producers = BTreeMap::new();
        for blob in &self.blobs {
            if let Outcome::Encoded {
                travel_size, encoding, ..
            } = &blob.outcome
                && let Some(producer) = encoding.producer()
            {
                let (count, size, travel) = producers.entry(producer.as_str()).or_insert((0_u64, 0_u64, 0_u64));
                (*count, *size, *travel) = (*count + 1, *size + blob.size, *travel + travel_size);
            }
        }
        producers
    }

    /// Returns how many layers travel as they are for each reason, and their bytes.
    pub fn reasons(&self) -> BTreeMap<Reason, (u64, u64)> {
        let mut reasons = self.passed.clone();
        for blob in &self.blobs {
            if let Outcome::AsItIs(reason) = blob.outcome {
                add(&mut reasons, reason, blob.size);
            }
        }
        reasons
    }

    /// Returns it for machines.
    pub fn to_json(&self) -> Value {
        let blobs: Vec<Value> = self.blobs.iter().map(blob_json).collect();
        let (count, size, travel_size) = self.encoded();
        let reasons: serde_json::Map<String, Value> = self
            .reasons()
            .into_iter()
            .map(|(reason, (count, size))| (reason.word().to_owned(), json!({"blobs": count, "bytes": size})))
            .collect();
        let producers: serde_json::Map<String, Value> = self
            .producers()
            .into_iter()
            .map(|(producer, (count, size, travel))| {
                let value = json!({"blobs": count, "bytes": size, "travel_bytes": travel});
                (producer.to_owned(), value)
            })
            .collect();
        let lacking: Vec<Value> = self
            .lacking
            .iter()
            .map(|(digest, size)| json!({"digest": digest, "size": size}))
            .collect();
        let BaseReport {
            layers,
            inflated,
            indexed,
        } = self.bases;
        json!({
            "bases": {"layers": layers, "inflated_bytes": inflated, "indexed_bytes": indexed},
            "blobs": blobs, "lacking": lacking, "encoded": {"blobs": count, "bytes": size, "travel_bytes": travel_size},
            "producers": producers, "as_it_is": reasons,
        })
    }
}

fn add(reasons: &mut BTreeMap<Reason, (u64, u64)>, reason: Reason, size: u64) {
    let (count, bytes) = reasons.entry(reason).or_default();
    (*count, *bytes) = (count.saturating_add(1), bytes.saturating_add(size));
}

fn blob_json(blob: &BlobReport) -> Value {
    match &blob.outcome {
        Outcome::Encoded {
            travel_size,
            encoding,
            pieces,
            bases,
        } => {
            let mut value = json!({
                "digest": blob.digest, "size": blob.size, "travel_size": travel_size,
                "saved": blob.size.saturating_sub(*travel_size), "bases": bases,
                "encoding": if bases.is_empty() { encoding.word() } else { "delta" },
                "milliseconds": blob.milliseconds,
            });
            if let (Some(producer), Some(members)) = (encoding.producer(), value.as_object_mut()) {
                members.insert("producer".to_owned(), json!(producer.as_str()));
                members.insert("pieces".to_owned(), json!(pieces));
            }
            value
        }
        Outcome::AsItIs(reason) => json!({"digest": blob.digest, "size": blob.size, "reason": reason.word()}),
    }
}
