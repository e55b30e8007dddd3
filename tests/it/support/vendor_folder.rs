//! A vendor's folder with files, a workspace, and releases built from them as the command line does.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use airlock::bundle::desired::DesiredState;
use airlock::bundle::{Blob, Graph, Head, OpenedBundle, Sink};
use airlock::crypto::{Chain, Enrolment, RecipientKey, SigningKey};
use airlock::domain::{Class, Digest, Error, Hash, Result, SiteId, Timestamp};
use airlock::vendor_side::collect::RegistryOptions;
use airlock::vendor_side::release::Overrides;
use airlock::vendor_side::release_file::ReleaseFile;
use airlock::vendor_side::{
    AskSecret, Build, BuildEvent, Built, Destination, Init, SigningTime, Workspace, build, release_keys,
};

/// The head of every release file here.
pub(crate) const HEAD: &str = "product: shop\nchannel: stable\nversion: v1\nissued_at: 2026-01-01T00:00:00Z\n\
                               expires_in: 520w\naudience: any\n";

/// Begins what a person answers who is asked for a secret.
pub(crate) const ANSWER: &str = "c4n4ry answer";

/// A folder with a workspace for the product `shop`, and the fixtures beside it.
pub(crate) struct VendorFolder {
    folder: tempfile::TempDir,
    workspace: Workspace,
    pub(crate) warnings: Vec<String>,
    /// Options that win over the release file.
    pub(crate) overrides: Overrides,
}

impl VendorFolder {
    pub(crate) fn new() -> Self {
        let folder = super::appliance::scratch();
        let init = Init {
            products: vec!["shop".parse().unwrap()],
            vendor: "Test".to_owned(),
            root_keys: 1,
            threshold: 1,
            time: signing_time(),
            issued_at: "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap(),
            expires: "2036-01-01T00:00:00Z".parse().unwrap(),
        };
        let workspace = Workspace::init(&folder.path().join("w"), &init, None).unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for name in ["hello", "shop", "chart"] {
            copy(&fixtures.join(name), &folder.path().join(name));
        }
        Self {
            folder,
            workspace,
            warnings: Vec::new(),
            overrides: Overrides::default(),
        }
    }

    /// Enrols a site, whose recipient key has this secret.
    pub(crate) fn enrol(&self, name: &str, recipient: [u8; 32]) -> SiteId {
        let site = SiteId::from_bytes([recipient[0]; 16]);
        let status = SigningKey::from_secret(&[recipient[0] ^ 0x80; 32]);
        let domain = self.workspace.chain().domain();
        let file = Enrolment::sign(
            site.clone(),
            domain,
            RecipientKey::of_secret(&recipient),
            Timestamp::EPOCH,
            &status,
        );
        airlock::vendor_side::enrol(&self.workspace, &file, Some(name), Timestamp::EPOCH).unwrap();
        site
    }

    /// Verifies the last bundle and returns its head.
    pub(crate) fn head(&self) -> Head {
        let source = airlock::media::open(&self.path("out.airlock"), None).unwrap();
        let opened = OpenedBundle::open(source.input).unwrap();
        opened.verify(self.workspace.chain()).unwrap().head().clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The roots that its bundles are signed under.
    pub(crate) fn chain(&self) -> &Chain {
        self.workspace.chain()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Changes a text file.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, text.replace(from, to));
    }

    /// Builds release `sequence` from a release file that is there.
    pub(crate) fn build_file(&mut self, name: &str, sequence: u64) -> Result<(Built, Vec<u8>)> {
        let path = self.path(name);
        let file = ReleaseFile::parse(&path, &fs::read_to_string(&path).unwrap())?;
        let overrides = Overrides {
            sequence: Some(sequence),
            ..self.overrides.clone()
        };
        let registries = RegistryOptions {
            first_pause: Duration::from_millis(1),
            ..RegistryOptions::default()
        };
        let keys = release_keys(&self.workspace, &[], &mut |_| {
            Err(Error::new(Class::Internal, "passphrase", "the keys have none"))
        })?;
        let inputs = Build {
            secrets: AskSecret::Asked(&|which| Ok(format!("{ANSWER} for {which}").into())),
            file: &file,
            overrides: &overrides,
            registries: &registries,
            keys: &keys,
            ack_keys: None,
            time: signing_time(),
        };
        let out = self.path("out.airlock");
        let warnings = &mut self.warnings;
        warnings.clear();
        let built = build(&self.workspace, &inputs, Destination::File(&out), &mut |event| {
            if let BuildEvent::Warning(warning) = event {
                warnings.push(warning.text);
            }
        })?;
        Ok((built, fs::read(out).unwrap()))
    }

    /// Builds a release whose file is [`HEAD`] and `rest`.
    pub(crate) fn build(&mut self, rest: &str, sequence: u64) -> Result<(Built, Vec<u8>)> {
        self.write("release.yaml", format!("{HEAD}{rest}"));
        self.build_file("release.yaml", sequence)
    }

    /// Verifies the last bundle and returns what it holds.
    pub(crate) fn contents(&self) -> Contents {
        let source = airlock::media::open(&self.path("out.airlock"), None).unwrap();
        let signed = OpenedBundle::open(source.input)
            .unwrap()
            .verify(self.workspace.chain())
            .unwrap();
        let mut contents = Contents::default();
        signed
            .read_index(|_, _| Ok(()))
            .unwrap()
            .read_payload(&mut contents)
            .unwrap();
        contents
    }

    /// The names of the last bundle that have a tag.
    pub(crate) fn names(&self) -> Vec<String> {
        let source = airlock::media::open(&self.path("out.airlock"), None).unwrap();
        let opened = OpenedBundle::open(source.input).unwrap();
        let signed = opened.verify(self.workspace.chain()).unwrap();
        let bundle = signed.read_index(|_, _| Ok(())).unwrap();
        let names = bundle.index().names();
        names
            .filter_map(|(repository, tag, _)| Some(format!("{repository}:{}", tag?)))
            .collect()
    }

    /// Builds a release that must be refused: class, code, and the whole sentence.
    pub(crate) fn refused(&mut self, rest: &str, sequence: u64) -> (&'static str, &'static str, String) {
        let out = self.path("out.airlock");
        fs::remove_file(&out).ok();
        let error = self.build(rest, sequence).map(|_| ()).unwrap_err();
        assert!(!out.exists(), "nothing is left of a refused bundle");
        (error.class().name(), error.code(), error.to_string())
    }
}

/// The day on which everything is signed here: after the dates in the fixtures.
fn signing_time() -> SigningTime {
    SigningTime::at("2026-12-01T00:00:00Z".parse().unwrap())
}

/// The desired state of a build that has one.
pub(crate) fn desired(built: &Built) -> &DesiredState {
    built.desired.as_ref().expect("a desired state")
}

/// Everything small of a bundle, by digest.
#[derive(Default)]
pub(crate) struct Contents(pub(crate) BTreeMap<Digest, Vec<u8>>);

impl Contents {
    /// A blob as text.
    pub(crate) fn text(&self, digest: Digest) -> String {
        String::from_utf8(self.0[&digest].clone()).unwrap()
    }
}

impl Sink for Contents {
    fn blob(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        self.0.insert(blob.digest, bytes.to_vec());
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

    fn chunk_done(&mut self, _: u64, _: u64, _: Option<Hash>) -> Result<()> {
        Ok(())
    }

    fn graph(&mut self, _: Graph) -> Result<()> {
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
