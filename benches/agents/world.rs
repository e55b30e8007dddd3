//! An appliance with many targets: several products, because one desired-state document is at most 4 MiB.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use airlock::appliance::{Appliance, NewAppliance, Options, init};
use airlock::bundle::desired::{
    AgentVersion, Deployment, DesiredState, DockerDeployment, DockerMode, ImageName, PLACEHOLDER_HOST, Target,
    TargetKind,
};
use airlock::bundle::{BlobSource, BundleContent, BundleLayout, Packing, ReleaseStatement, TagLine};
use airlock::crypto::RoleName;
use airlock::domain::{
    Audience, Digest, DocumentType, Error, Hash, Name, Result, SystemClock, Timestamp, Uuid, Version, oci,
};
use airlock::vendor_side::{Destination, Init, SigningTime, Workspace, pack};
use sha2::{Digest as _, Sha256};

/// Targets of one release.
const PER_RELEASE: usize = 4000;
/// Where every release has its one image.
pub(crate) const REPOSITORY: &str = "registry.example/bench/app";

/// What a simulated agent has to know besides its secret.
pub(crate) struct Enrolled {
    pub(crate) target: Uuid,
    #[allow(dead_code, reason = "read by the bench of the way home")]
    pub(crate) deployment: Uuid,
    pub(crate) revision: Uuid,
}

/// Makes an appliance in a folder, with so many docker targets of one compose deployment each.
pub(crate) fn make(folder: &Path, targets: usize) -> Vec<Enrolled> {
    fs::remove_dir_all(folder).ok();
    fs::create_dir_all(folder).unwrap();
    let products: Vec<Name> = (0..targets.div_ceil(PER_RELEASE))
        .map(|number| format!("bench-{number}").parse().unwrap())
        .collect();
    let workspace = Workspace::init(
        &folder.join("vendor"),
        &Init {
            products: products.clone(),
            vendor: "Bench".into(),
            root_keys: 1,
            threshold: 1,
            time: SigningTime::at(time("2026-01-01T00:00:00Z")),
            issued_at: time("2026-01-01T00:00:00Z"),
            expires: time("2036-01-01T00:00:00Z"),
        },
        None,
    )
    .unwrap();
    let state = folder.join("site");
    init(
        &state,
        &NewAppliance {
            name: "bench",
            pins: &[workspace.chain().clone()],
            now: time("2026-02-01T00:00:00Z"),
        },
    )
    .unwrap();
    let appliance = Appliance::open(&state, std::sync::Arc::new(SystemClock)).unwrap();
    let mut enrolled = Vec::new();
    for (number, product) in products.iter().enumerate() {
        let count = PER_RELEASE.min(targets - number * PER_RELEASE);
        enrolled.extend(bring(folder, &workspace, &appliance, product, count, 1));
    }
    enrolled
}

/// Makes a release of a product with so many targets, and imports it.
pub(crate) fn bring(
    folder: &Path,
    workspace: &Workspace,
    appliance: &Appliance,
    product: &Name,
    count: usize,
    sequence: u64,
) -> Vec<Enrolled> {
    let (content, blobs, made) = release(product, count, sequence);
    let bundle = folder.join(format!("{product}-{sequence}.airlock"));
    seal(workspace, product, content, &blobs, &bundle, sequence);
    appliance
        .import(
            || airlock::media::open(&bundle, None),
            &Options::default(),
            &SystemClock,
            &mut |_| (),
        )
        .unwrap();
    made
}

fn release(product: &Name, count: usize, sequence: u64) -> (BundleContent, Blobs, Vec<Enrolled>) {
    let mut blobs = Blobs::default();
    let layer = blobs.put(b"a layer".to_vec());
    let config = blobs.put(format!(r#"{{"architecture":"amd64","os":"linux","author":"{product}"}}"#).into_bytes());
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar",{layer}}}]}}"#,
        oci::OCI_MANIFEST
    );
    let image = ImageName {
        digest: digest(manifest.as_bytes()),
        repository: REPOSITORY.parse().unwrap(),
    };
    let compose = format!(
        "name: \"app\"\nservices:\n  web:\n    image: \"{PLACEHOLDER_HOST}/{REPOSITORY}@{}\"\n    restart: unless-stopped\n{}",
        image.digest,
        // About as long as a compose file is.
        "    # a line of what a compose file says about environment, volumes and ports\n".repeat(40)
    )
    .into_bytes();
    let agent = Uuid::derived("bench-agent", &[]);
    let mut targets = Vec::new();
    let mut enrolled = Vec::new();
    for number in 0..count {
        let name = format!("{product}-{number}");
        // As a hub's: what is derived would have to follow from the release.
        let random = |kind| Uuid::from_random(*Uuid::derived(kind, &[&name]).as_bytes());
        let id = random("bench-target");
        let revision = Uuid::derived("bench-revision", &[&name, &sequence.to_string()]);
        let deployment = random("bench-deployment");
        enrolled.push(Enrolled {
            target: id,
            deployment,
            revision,
        });
        targets.push(Target {
            agent,
            autoheal_all: false,
            created_at: Timestamp::EPOCH,
            deployments: vec![Deployment {
                application: "app".parse().unwrap(),
                created_at: Timestamp::EPOCH,
                docker: Some(DockerDeployment {
                    compose: digest(&compose),
                    env: None,
                    mode: DockerMode::Compose,
                }),
                force_restart: false,
                secret_uses: None,
                helm: None,
                id: deployment,
                images: vec![image.clone()],
                revision,
                version: "1.0".into(),
            }],
            docker_socket: None,
            id,
            image_cleanup: false,
            kind: TargetKind::Docker,
            kubernetes: None,
            logs: true,
            logs_after: None,
            metrics: true,
            name,
            site: None,
            verifier: None,
        });
    }
    targets.sort_by_key(|target| target.id);
    let desired = DesiredState {
        agents: vec![AgentVersion {
            autoheal: Some(image.clone()),
            created_at: Timestamp::EPOCH,
            docker: Some(image.clone()),
            id: agent,
            kubernetes: None,
            name: "3.1.0".into(),
        }],
        removed: Vec::new(),
        targets,
    };
    let content = BundleContent {
        tags: vec![TagLine {
            digest: image.digest,
            media_type: oci::OCI_MANIFEST.into(),
            repository: image.repository,
            size: manifest.len() as u64,
            tag: Some("1.0".parse().unwrap()),
        }],
        manifests: BTreeMap::from([(image.digest, manifest.into_bytes())]),
        absent: BTreeMap::new(),
        documents: vec![
            (DocumentType::Compose, compose),
            (DocumentType::DesiredState, desired.to_bytes()),
        ],
        requires: BTreeSet::new(),
    };
    (content, blobs, enrolled)
}

fn seal(workspace: &Workspace, product: &Name, content: BundleContent, blobs: &Blobs, out: &Path, sequence: u64) {
    let keys = workspace
        .signing_keys(RoleName::Release, &mut |_| unreachable!("the keys have no passphrase"))
        .unwrap();
    let release = ReleaseStatement {
        product: product.clone(),
        channel: "stable".parse().unwrap(),
        version: "1.0".into(),
        epoch: 0,
        sequence,
        issued_at: time("2026-02-01T00:00:00Z"),
        expires: time("2035-01-01T00:00:00Z"),
        audience: Audience::ANY,
        home_hosts: vec!["registry.example".into()],
        minimum_appliance: Version::new(0, 1, 0),
    };
    let plan = BundleLayout::new(&release, &content, workspace.chain(), Packing::default()).unwrap();
    pack(
        plan,
        content,
        blobs,
        Destination::File(out),
        &mut |bundle| Ok(keys.iter().map(|key| bundle.sign(key)).collect()),
        &mut |_| (),
    )
    .unwrap();
}

#[derive(Default)]
struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl Blobs {
    /// Keeps a blob; returns the two members of a descriptor that name it.
    fn put(&mut self, bytes: Vec<u8>) -> String {
        let digest = digest(&bytes);
        let members = format!(r#""digest":"{digest}","size":{}"#, bytes.len());
        self.0.insert(digest, bytes);
        members
    }
}

impl BlobSource for Blobs {
    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(digest).cloned();
        bytes
            .map(|bytes| -> Box<dyn Read + Send> { Box::new(Cursor::new(bytes)) })
            .ok_or_else(|| Error::new(airlock::domain::Class::Io, "bench", format!("no {digest}")))
    }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Hash(Sha256::digest(bytes).into()))
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}
