//! Data sets as OCI layouts, the same bytes on every machine, made once and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use airlock::bundle::{BlobSource, BundleContent, TagLine};
use airlock::domain::{Digest, Error, Hash, Result, oci};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 64 << 10;
const MIB: u64 = 1 << 20;
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Layers of an image of the small set.
const LAYERS: usize = 1000;

/// A pseudo-random sequence (xorshift64).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Bytes that no compressor makes smaller.
    fn noise(&mut self, buffer: &mut [u8]) {
        for part in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
    }

    /// Words in random order: about what a compressor makes of text.
    fn text(&mut self, buffer: &mut [u8]) {
        let mut filled = 0;
        while filled < buffer.len() {
            // The square makes some words common and most of them rare.
            let pick = ((self.next() >> 52) * (self.next() >> 52)) >> 12;
            let mut spelling = Self::new(pick + 1);
            let word = spelling.next().to_le_bytes();
            let length = 2 + usize::try_from(spelling.next() % 7).unwrap();
            for byte in &word[..length] {
                if let Some(place) = buffer.get_mut(filled) {
                    *place = b'a' + byte % 26;
                }
                filled += 1;
            }
            if let Some(place) = buffer.get_mut(filled) {
                *place = b' ';
            }
            filled += 1;
        }
    }
}

/// A data set: an OCI layout beside the bundle that is made from it.
pub(crate) struct Set {
    pub(crate) folder: PathBuf,
    sizes: Vec<u64>,
    /// Layers of the first image, and of each that follows.
    first: usize,
    others: usize,
    /// Tenths of it that no compressor makes smaller.
    noise: u64,
}

impl Set {
    /// One layer of three quarters of the bytes, and 200 that share the rest.
    pub(crate) fn large(folder: &Path, mib: u64) -> Self {
        let rest = mib * MIB / 4;
        let mut sizes = vec![mib * MIB * 3 / 4];
        // From a tenth to nineteen tenths of the mean: below and above the size of a chunk.
        sizes.extend((0..200).map(|n| rest / 200 * (1 + 18 * n / 199) / 10 + n));
        Self {
            folder: folder.to_owned(),
            sizes,
            first: 201,
            others: 201,
            noise: 6,
        }
    }

    /// As the large set, and nothing of it gets smaller: every chunk travels as it is.
    pub(crate) fn noise(folder: &Path, mib: u64) -> Self {
        Self {
            noise: 10,
            ..Self::large(folder, mib)
        }
    }

    /// 64 layers of 8 MiB.
    pub(crate) fn layers(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            sizes: vec![8 * MIB; 64],
            first: 64,
            others: 64,
            noise: 6,
        }
    }

    /// 50 images of four layers each, from 64 KiB to 5 MiB, as published ones are: half a gibibyte.
    pub(crate) fn images(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            sizes: (0..200).map(|n| (64 << 10) + 5 * MIB * (n * 37 % 200) / 200).collect(),
            first: 4,
            others: 4,
            noise: 6,
        }
    }

    /// Many layers of 4 KiB.
    pub(crate) fn small(folder: &Path, blobs: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            sizes: (0..blobs).map(|_| 4096).collect(),
            // What clients ask for most often: a manifest of the usual size.
            first: 5,
            others: LAYERS,
            noise: 6,
        }
    }

    /// Bytes of all layers.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// The bundle beside the layout.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.folder.join("bundle.airlock")
    }

    /// Makes the layout where it is not there yet, and returns its folder.
    pub(crate) fn layout(&self) -> PathBuf {
        let layout = self.folder.join("layout");
        if layout.join("index.json").try_exists().unwrap() {
            return layout;
        }
        let blobs = blob_folder(&self.folder);
        fs::create_dir_all(&blobs).unwrap();
        let put = |bytes: &[u8]| {
            let digest = format!("{:x}", HexOf(bytes));
            fs::write(blobs.join(&digest), bytes).unwrap();
            (format!("sha256:{digest}"), bytes.len())
        };
        let mut images = Vec::new();
        let (first, others) = self.sizes.split_at(self.first.min(self.sizes.len()));
        for (number, sizes) in (1_u64..).zip([first].into_iter().chain(others.chunks(self.others))) {
            let (config, config_size) =
                put(format!("{{\"architecture\":\"amd64\",\"os\":\"linux\",\"created_by\":\"{number}\"}}").as_bytes());
            let layers: Vec<Value> = (number * 1_000_000..)
                .zip(sizes)
                .map(|(seed, size)| json!({"mediaType": LAYER, "digest": blob(&blobs, seed, *size, self.noise), "size": size}))
                .collect();
            let manifest = json!({
                "schemaVersion": 2, "mediaType": oci::OCI_MANIFEST,
                "config": {"mediaType": CONFIG, "digest": config, "size": config_size}, "layers": layers,
            });
            let (digest, size) = put(manifest.to_string().as_bytes());
            images.push(json!({
                "mediaType": oci::OCI_MANIFEST, "digest": digest, "size": size,
                "annotations": {"org.opencontainers.image.ref.name": format!("registry.example/bench/image-{number}:1.0")},
            }));
        }
        fs::write(self.folder.join("release.yaml"), release_file(&images)).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let index = json!({"schemaVersion": 2, "mediaType": oci::OCI_INDEX, "manifests": images});
        fs::write(layout.join("index.json"), index.to_string()).unwrap();
        rustix::fs::syncfs(File::open(&layout).unwrap()).unwrap();
        layout
    }
}

/// What `airlock bundle create` is told about a layout.
fn release_file(images: &[Value]) -> String {
    let mut text = "product: bench\nchannel: stable\nversion: \"1.0\"\nsequence: 1\nissued_at: 2026-06-01T00:00:00Z\n\
                    expires_in: 2000d\naudience: any\nimages:\n"
        .to_owned();
    for image in images {
        let name = &image["annotations"]["org.opencontainers.image.ref.name"];
        text += &format!(
            "  - source: oci:layout@{}\n    name: {}\n",
            image["digest"].as_str().unwrap(),
            name.as_str().unwrap()
        );
    }
    text
}

/// Where the blobs of a set lie.
pub(crate) fn blob_folder(set: &Path) -> PathBuf {
    set.join("layout/blobs/sha256")
}

/// Writes one layer under its digest: so many of ten blocks are noise.
fn blob(folder: &Path, seed: u64, size: u64, tenths: u64) -> String {
    let partial = folder.join("partial");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&partial).unwrap());
    let mut hasher = Sha256::new();
    let mut noise = Noise::new(seed);
    let mut buffer = vec![0; BLOCK];
    let mut left = usize::try_from(size).unwrap();
    // Runs of a megabyte, as files in a layer are: a chunk is seldom all of one kind.
    let mut in_run = 0;
    let mut compressible = false;
    while left > 0 {
        let part = &mut buffer[..left.min(BLOCK)];
        if in_run == 0 {
            compressible = noise.next() % 10 >= tenths;
            in_run = 16;
        }
        in_run -= 1;
        if compressible && size > 4096 {
            noise.text(part);
        } else {
            noise.noise(part);
        }
        hasher.update(&*part);
        file.write_all(part).unwrap();
        left -= part.len();
    }
    file.into_inner().unwrap();
    let digest = Hash(hasher.finalize().into()).to_hex();
    fs::rename(partial, folder.join(&digest)).unwrap();
    format!("sha256:{digest}")
}

struct HexOf<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexOf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&Hash(Sha256::digest(self.0).into()).to_hex())
    }
}

/// A layout read as content of a bundle.
pub(crate) fn content(set: &Path) -> BundleContent {
    let index: Value = serde_json::from_slice(&fs::read(set.join("layout/index.json")).unwrap()).unwrap();
    let mut content = BundleContent {
        tags: Vec::new(),
        manifests: BTreeMap::new(),
        absent: BTreeMap::new(),
        documents: Vec::new(),
        requires: BTreeSet::new(),
    };
    for image in index["manifests"].as_array().unwrap() {
        let digest: Digest = image["digest"].as_str().unwrap().parse().unwrap();
        let name = image["annotations"]["org.opencontainers.image.ref.name"]
            .as_str()
            .unwrap();
        let (repository, tag) = name.rsplit_once(':').unwrap();
        content
            .manifests
            .insert(digest, fs::read(blob_folder(set).join(digest.0.to_hex())).unwrap());
        content.tags.push(TagLine {
            digest,
            media_type: oci::OCI_MANIFEST.into(),
            repository: repository.parse().unwrap(),
            size: image["size"].as_u64().unwrap(),
            tag: Some(tag.parse().unwrap()),
        });
    }
    content
}

/// The blobs of a layout.
pub(crate) struct Blobs(pub(crate) PathBuf);

impl BlobSource for Blobs {
    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let path = self.0.join(digest.0.to_hex());
        match File::open(&path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(Error::io("open", &path, error)),
        }
    }
}
