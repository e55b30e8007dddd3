//! The vectors of `bundle-spec/vectors`: read here for the attack catalogue, and each good one made again, byte for byte.
//!
//! They are made by `bundle-spec/make_vectors.py` and judged a second time by `bundle-spec/verify.py`: two writers and two
//! readers that share no line of code.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use airlock::bundle::{
    BlobSource, BundleContent, BundleLayout, CheckOnly, Feature, OpenedBundle, Packing, ReleaseStatement, TagLine,
};
use airlock::crypto::{Chain, SigningKey};
use airlock::domain::{Class, Digest, DocumentType, Error, Hash, Result, Step};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// One vector: a bundle, how it is judged, and what must come out.
pub(crate) struct Vector {
    pub(crate) name: String,
    folder: PathBuf,
    pub(crate) text: Value,
}

/// Returns a file of `bundle-spec`.
pub(crate) fn spec_file(name: &str) -> Vec<u8> {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec").join(name))
}

/// Returns name, folder and description of every vector below a folder of `bundle-spec`, by name.
pub(crate) fn described(folder: &str) -> Vec<(String, PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec").join(folder);
    let mut vectors: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            let text = String::from_utf8(load(&folder.join("vector.json"))).unwrap();
            let text = serde_json::from_str(&text).unwrap();
            (name, folder, text)
        })
        .collect();
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!vectors.is_empty());
    vectors
}

/// Returns the vectors of a folder: `good` or `bad`.
pub(crate) fn vectors(kind: &str) -> Vec<Vector> {
    let described = described(&format!("vectors/{kind}")).into_iter();
    described
        .map(|(name, folder, text)| Vector { name, folder, text })
        .collect()
}

/// The bad vectors that a check of more than their verdict takes: each with `AIRLOCK_SLOW=1`, else those that only a site judges, and the
/// first one of every class and step. The verdict of each, with its sub-code, is checked in any case, without a site.
pub(crate) fn telling() -> Vec<Vector> {
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let mut seen = std::collections::BTreeSet::new();
    let mut vectors = vectors("bad");
    vectors.retain(|vector| {
        let expect = &vector.text["expect"];
        seen.insert((expect["class"].to_string(), expect["step"].to_string())) || slow || vector.needs_a_site()
    });
    vectors
}

#[expect(clippy::disallowed_methods, reason = "committed files of the project")]
pub(crate) fn load(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

impl Vector {
    pub(crate) fn bundle_path(&self) -> PathBuf {
        self.folder.join(self.text["bundle"].as_str().unwrap())
    }

    pub(crate) fn bundle(&self) -> Vec<u8> {
        load(&self.bundle_path())
    }

    /// The bundle of an earlier release that brought what this one is copied from.
    pub(crate) fn base_path(&self) -> Option<PathBuf> {
        self.text["base"].as_str().map(|name| self.folder.join(name))
    }

    pub(crate) fn pin_paths(&self) -> Vec<PathBuf> {
        let names = self.text["trust"].as_array().unwrap();
        names
            .iter()
            .map(|name| self.folder.join(name.as_str().unwrap()))
            .collect()
    }

    pub(crate) fn pins(&self) -> Result<Vec<Chain>> {
        self.pin_paths().iter().map(|path| Chain::parse(&load(path))).collect()
    }

    /// Class, sub-code and step of the refusal.
    pub(crate) fn expected(&self) -> String {
        let word = |name: &str| self.text["expect"][name].as_str();
        format!(
            "{} {} at {}",
            word("class").unwrap(),
            word("code").unwrap(),
            word("step").unwrap_or("no step")
        )
    }

    /// Whether only a site comes to this verdict.
    pub(crate) fn needs_a_site(&self) -> bool {
        self.text["site"].is_string()
    }
}

/// Judges a bundle as far as a reader without a site does.
pub(crate) fn judge(bundle: Vec<u8>, pins: &[Chain]) -> Result<()> {
    judge_opened(OpenedBundle::open(Box::new(Cursor::new(bundle)))?, pins)
}

fn judge_opened(opened: OpenedBundle, pins: &[Chain]) -> Result<()> {
    let (domain, links) = opened.links()?;
    let pinned = pins
        .iter()
        .find(|chain| chain.domain() == domain)
        .ok_or_else(|| Error::new(Class::Trust, "unknown-domain", domain.to_string()).at(Step::X3))?;
    let walked = pinned.extend(&links);
    if let Some(refusal) = walked.refusal {
        return Err(refusal.at(Step::X3));
    }
    let signed = opened.verify(&walked.chain)?;
    signed.approvals()?;
    let verified = signed.read_index(|_, _| Ok(()))?;
    if verified.repair().is_some() {
        return verified.check_repair(|_| ());
    }
    verified.read_payload(&mut CheckOnly(|_| ()))
}

struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl BlobSource for Blobs {
    fn open(&self, digest: &Digest, _: u64) -> Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(digest).expect("the description names every blob");
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Hash(Sha256::digest(bytes).into()))
}

/// Makes the bundle that a description describes.
fn make(text: &Value) -> Vec<u8> {
    let mut content = BundleContent::default();
    let mut blobs = BTreeMap::new();
    for blob in text["blobs"].as_array().unwrap() {
        let bytes = match blob["data"].as_str() {
            Some(data) => STANDARD.decode(data).unwrap(),
            None => vec![parsed::<u8>(&blob["repeat"]); parsed::<usize>(&blob["size"])],
        };
        if blob["media_type"].is_string() {
            content.manifests.insert(digest_of(&bytes), bytes);
        } else {
            blobs.insert(digest_of(&bytes), bytes);
        }
    }
    for tag in text["tags"].as_array().unwrap() {
        content.tags.push(TagLine {
            digest: parsed(&tag["digest"]),
            media_type: parsed(&tag["media_type"]),
            repository: parsed(&tag["repository"]),
            size: parsed(&tag["size"]),
            tag: parsed(&tag["tag"]),
        });
    }
    content.absent = parsed(&text["absent"]);
    let required = |feature: &Feature| {
        let mut names = text["requires"].as_array().into_iter().flatten();
        names.any(|name| name == feature.name())
    };
    content.requires = [
        Feature::MissingSubjects,
        Feature::NondistributableLayers,
        Feature::Secrets,
    ]
    .into_iter()
    .filter(required)
    .collect();
    for document in text["documents"].as_array().unwrap() {
        let kind: DocumentType = parsed(&document["type"]);
        let bytes = STANDARD.decode(document["data"].as_str().unwrap()).unwrap();
        content.documents.push((kind, bytes));
    }
    let release = &text["release"];
    let release = ReleaseStatement {
        product: parsed(&release["product"]),
        channel: parsed(&release["channel"]),
        version: parsed(&release["version"]),
        epoch: parsed(&release["epoch"]),
        sequence: parsed(&release["sequence"]),
        issued_at: parsed(&release["issued_at"]),
        expires: parsed(&release["expires"]),
        audience: parsed(&release["audience"]),
        home_hosts: parsed(&release["home_hosts"]),
        minimum_appliance: parsed(&release["minimum_appliance"]),
    };
    let packing = Packing {
        chunk_bytes: parsed(&text["packing"]["chunk_bytes"]),
        level: parsed(&text["packing"]["level"]),
        reserve: parsed(&text["packing"]["reserve"]),
    };
    let chain = Chain::parse(text["chain"].to_string().as_bytes()).unwrap();
    let plan = BundleLayout::new(&release, &content, &chain, packing).unwrap();
    let mut payload = Vec::new();
    let unsigned = plan
        .write_payload(content, &Blobs(blobs), &mut payload, |_| ())
        .unwrap();
    let seeds: Vec<Hash> = parsed(&text["signing_seeds"]);
    let signatures: Vec<_> = seeds
        .iter()
        .map(|seed| unsigned.sign(&SigningKey::from_secret(&seed.0)))
        .collect();
    let mut bundle = unsigned.prologue(&signatures).unwrap();
    bundle.extend_from_slice(&payload);
    bundle
}

#[test]
fn sets_of_volumes_and_repair_files_come_out_as_their_vectors_say() {
    let mut good = 0;
    for vector in vectors("sets") {
        let names = vector.text["volumes"].as_array().into_iter().flatten();
        let others = names.map(|name| load(&vector.folder.join(name.as_str().unwrap())));
        let open = |bytes: Vec<u8>| OpenedBundle::open(Box::new(Cursor::new(bytes)));
        let set = others.fold(open(vector.bundle()), |set, other| set?.with_volume(open(other)?));
        let found = set.and_then(|set| judge_opened(set, &vector.pins().unwrap()));
        match found {
            Ok(()) => {
                assert_eq!(vector.text["expect"]["verdict"], "good", "{}", vector.name);
                good += 1;
            }
            Err(error) => {
                let step = error.step().map_or_else(String::new, |step| step.to_string());
                let found = format!("{} {} at {step}", error.class(), error.code());
                assert_eq!(found, vector.expected(), "{}", vector.name);
            }
        }
    }
    assert_eq!(good, 6);
}

#[test]
fn every_good_vector_is_written_again_byte_for_byte() {
    // Those without a description cannot come from this writer: it orders and encodes in one way only.
    for vector in vectors("good")
        .into_iter()
        .filter(|vector| vector.text["make"].is_object())
    {
        let (made, stored) = (make(&vector.text["make"]), vector.bundle());
        let first = made.iter().zip(&stored).position(|(a, b)| a != b);
        assert!(
            made == stored,
            "{}: {} bytes made, {} stored, first difference at {first:?}",
            vector.name,
            made.len(),
            stored.len()
        );
    }
}
