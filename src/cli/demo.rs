//! `airlock demo`: the whole path on one machine, with nothing set up before.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::ui::bytes;
use super::{Ui, demo_fixture};
use crate::appliance::registry::Registry;
use crate::appliance::{Appliance, Event, NewAppliance, Options, Outcome, init};
use crate::bundle::{Content, ContentSource as _};
use crate::db::ledger;
use crate::domain::oci::Document;
use crate::domain::{Class, Clock as _, Digest, Error, Hash, Name, ParseNameError, Result, Scope, SystemClock};
use crate::http::{Server, Settings};
use crate::stream::{create_folder, write_atomically};
use crate::vendor_side::collect::{ImageRequest, RegistryOptions, Source, Sources, collect};
use crate::vendor_side::release::Overrides;
use crate::vendor_side::release_file::ReleaseFile;
use crate::vendor_side::{self, Build, Destination, Init, Workspace};

/// Run the whole path on this machine: vendor, bundle, import, registry
///
/// Needs nothing but this program. What it makes stays in --dir, when given, and is used again the next time.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  airlock demo\n  airlock demo --once\n  airlock demo --dir /tmp/airlock-demo --listen 127.0.0.1:5001"
)]
pub(super) struct DemoArgs {
    /// Folder for everything that the demo makes [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Address to serve on; with port 0, or when the default is taken, any free port
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Pull the image back, compare every digest, and end
    #[arg(long)]
    once: bool,
}

/// Where the demo's image lives.
const REPOSITORY: &str = "registry.demo.example/hello";
const PRODUCT: &str = "demo";
const CHANNEL: &str = "stable";

pub(super) fn run(args: &DemoArgs, ui: &mut Ui) -> Result<()> {
    let temporary = if args.dir.is_none() {
        Some(TemporaryFolder::make()?)
    } else {
        None
    };
    let folder = match (&args.dir, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(temporary)) => temporary.0.clone(),
        (None, None) => PathBuf::new(),
    };
    create_folder(&folder)?;
    let workspace = vendor(&folder, ui)?;
    let appliance = site(&folder, &workspace, ui)?;
    let (bundle, sent) = seal(&folder, &workspace, ui)?;
    bring_in(&appliance, &bundle, ui)?;

    let registry = Arc::new(Registry::open(
        appliance.folder(),
        Duration::from_secs(3600),
        Arc::new(SystemClock),
    )?);
    let running = listen(args.listen)?.start(&registry)?;
    let address = running
        .addresses()
        .first()
        .copied()
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    ui.say(format_args!(
        "6. serve     http://{address}/v2/ answers docker, podman, skopeo, containerd"
    ));
    if args.once {
        let pulled = pull_back(address, &sent)?;
        running.shutdown();
        return ui.result(
            &json!({"result": "same", "digests": pulled.digests, "bytes": pulled.bytes}),
            format!(
                "7. pull      {} digests, {}: the same as at the vendor",
                pulled.digests,
                bytes(pulled.bytes)
            ),
        );
    }
    ui.say(format_args!(
        "\nTry, in another terminal:\n  docker pull {address}/hello:1.0 && docker run --rm {address}/hello:1.0\n  \
         skopeo copy --src-tls-verify=false docker://{address}/hello:1.0 oci:hello:1.0\n  \
         curl http://{address}/v2/hello/manifests/1.0\n  \
         airlock release list --state {}\n\nCtrl-C ends the demo.",
        appliance.folder().display()
    ));
    running.run_until_signal(|| Ok(()), || Ok(()))
}

/// A vendor with keys and a trust root; used again when it is there.
fn vendor(folder: &Path, ui: &mut Ui) -> Result<Workspace> {
    let path = folder.join("vendor");
    if path.try_exists().map_err(|e| Error::io("look for", &path, e))? {
        let workspace = Workspace::open(&path)?;
        ui.say(format_args!("1. vendor    {} is used again", path.display()));
        return Ok(workspace);
    }
    let now = SystemClock.now();
    let new = Init {
        products: vec![name(PRODUCT)?],
        vendor: "Demo vendor".into(),
        root_keys: 3,
        threshold: 2,
        issued_at: now,
        expires: now.plus_seconds(10 * 365 * 24 * 3600),
    };
    let workspace = Workspace::init(&path, &new, None)?;
    ui.say(format_args!(
        "1. vendor    keys and trust root 1 (2 of 3 root keys) in {}",
        path.display()
    ));
    ui.say(format_args!(
        "             fingerprint {}",
        workspace.chain().fingerprint().spoken()
    ));
    Ok(workspace)
}

/// An appliance that trusts the vendor, enrolled there; used again when it is there.
fn site(folder: &Path, workspace: &Workspace, ui: &mut Ui) -> Result<Appliance> {
    let path = folder.join("site");
    if path.try_exists().map_err(|e| Error::io("look for", &path, e))? {
        let appliance = Appliance::open(&path)?;
        ui.say(format_args!("2. site      {} is used again", path.display()));
        return Ok(appliance);
    }
    let now = SystemClock.now();
    let made = init(
        &path,
        &NewAppliance {
            name: "demo site",
            pins: &[workspace.chain().clone()],
            now,
        },
    )?;
    vendor_side::enrol(workspace, &made.enrolment, Some("demo-site"), now)?;
    ui.say(format_args!(
        "2. site      appliance {} in {}, root pinned, enrolled at the vendor",
        made.site,
        path.display()
    ));
    Appliance::open(&path)
}

/// A signed bundle made from the fixture, with the next number.
fn seal(folder: &Path, workspace: &Workspace, ui: &mut Ui) -> Result<(PathBuf, Content)> {
    demo_fixture::write(&folder.join("hello"))?;
    let scope = Scope {
        domain: workspace.chain().domain(),
        product: name(PRODUCT)?,
        channel: name(CHANNEL)?,
    };
    let newest = workspace
        .ledger()?
        .read(|connection| ledger::newest_release(connection, &scope))?;
    let sequence = newest.map_or(1, |release| release.counter.sequence.saturating_add(1));
    let text = format!(
        "product: {PRODUCT}\nchannel: {CHANNEL}\nversion: \"1.0\"\nsequence: {sequence}\nissued_at: {}\nexpires_in: 90d\n\
         audience: [demo-site]\nhome_hosts: [registry.demo.example]\nnotes: The image of the demo.\nimages:\n  - source: oci:hello\n    name: {REPOSITORY}:1.0\n",
        SystemClock.now()
    );
    let file = folder.join("release.yaml");
    write_atomically(&file, text.as_bytes(), 0o644)?;
    ui.say(format_args!("3. release   {} says what to send", file.display()));
    let release = ReleaseFile::parse(&file, &text)?;
    let (overrides, registries) = (Overrides::default(), RegistryOptions::default());
    let mut ask = |_: &Path| {
        Err(Error::new(
            Class::Internal,
            "passphrase",
            "the demo's keys have no passphrase",
        ))
    };
    let inputs = Build {
        file: &release,
        overrides: &overrides,
        registries: &registries,
        keys: &vendor_side::release_keys(workspace, &[], &mut ask)?,
        now: SystemClock.now(),
    };
    let out = folder.join(format!("release-{sequence}.airlock"));
    let built = vendor_side::build(workspace, &inputs, Destination::File(&out), &mut |_| ())?;
    ui.say(format_args!(
        "4. bundle    {} ({}), signed, synced, read back; head {}",
        out.display(),
        bytes(built.packed.bytes),
        built.packed.head_digest
    ));
    let (sent, _) = collect(
        &[image(&format!("oci:{}:1.0", folder.join("hello").display()))?],
        &[],
        Vec::new(),
        &registries,
        |_| (),
    )?;
    Ok((out, sent))
}

/// The demo's image from somewhere, under the name that it has everywhere.
fn image(source: &str) -> Result<ImageRequest> {
    let wrong = |error: String| Error::new(Class::Internal, "name", error);
    Ok(ImageRequest {
        source: Source::parse(source, Path::new(".")).map_err(wrong)?,
        name: Some((
            REPOSITORY
                .parse()
                .map_err(|error: ParseNameError| wrong(error.to_string()))?,
            Some(
                "1.0"
                    .parse()
                    .map_err(|error: ParseNameError| wrong(error.to_string()))?,
            ),
        )),
    })
}

fn bring_in(appliance: &Appliance, bundle: &Path, ui: &mut Ui) -> Result<()> {
    let imported = appliance.import(bundle, &Options::default(), &SystemClock, &mut |event| {
        if let Event::Note(note) = event {
            ui.say(format_args!("             {}", super::ui::escape(&note)));
        }
    })?;
    if let Outcome::Published { receipt, .. } = imported.result {
        ui.say(format_args!(
            "5. import    release {} of {} is verified, stored and live; signed receipt {receipt}",
            imported.counter, imported.scope
        ));
    }
    Ok(())
}

/// Binds what was asked for; when nothing was, the usual port, or any free one when that is taken.
fn listen(asked: Option<SocketAddr>) -> Result<crate::http::Bound> {
    let settings = |address| Settings {
        listen: vec![address],
        ..Settings::default()
    };
    match asked {
        Some(address) => {
            let settings = settings(address);
            settings.check()?;
            Server::bind(settings)
        }
        None => {
            Server::bind(Settings::default()).or_else(|_| Server::bind(settings(SocketAddr::from(([127, 0, 0, 1], 0)))))
        }
    }
}

struct Pulled {
    digests: usize,
    bytes: u64,
}

/// Pulls the image through the registry as a client would, and compares everything with what the vendor sent.
fn pull_back(address: SocketAddr, sent: &Content) -> Result<Pulled> {
    let differs = |what: String| Error::new(Class::Integrity, "demo", what).expected("what the vendor sent");
    let request = image(&format!("docker://{address}/hello:1.0"))?;
    let (pulled, sources) = collect(&[request], &[], Vec::new(), &RegistryOptions::default(), |_| ())?;
    if pulled.tags != sent.tags || pulled.manifests != sent.manifests {
        return Err(differs("the names or manifests that were pulled differ".into()));
    }
    let mut total = Pulled { digests: 0, bytes: 0 };
    for tag in &pulled.tags {
        count(&pulled, tag.digest, &tag.media_type, &sources, &mut total)?;
    }
    Ok(total)
}

fn count(content: &Content, digest: Digest, media_type: &str, sources: &Sources, total: &mut Pulled) -> Result<()> {
    let Some(manifest) = content.manifests.get(&digest) else {
        return Ok(());
    };
    let document = Document::parse(manifest, media_type)?;
    total.digests += 1;
    total.bytes += manifest.len() as u64;
    for blob in document.config.iter().chain(&document.layers) {
        let mut hasher = Sha256::new();
        let mut reader = sources.open(&blob.digest, blob.size)?;
        let mut buffer = [0; 8192];
        loop {
            let read = reader
                .read(&mut buffer)
                .map_err(|e| Error::io("pull", Path::new(&blob.digest.to_string()), e))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        if Digest(Hash(hasher.finalize().into())) != blob.digest {
            return Err(Error::new(
                Class::Integrity,
                "demo",
                format!("what was pulled as {} is other content", blob.digest),
            ));
        }
        total.digests += 1;
        total.bytes += blob.size;
    }
    for child in &document.manifests {
        count(content, child.digest, &child.media_type, sources, total)?;
    }
    Ok(())
}

fn name(text: &str) -> Result<Name> {
    text.parse()
        .map_err(|error: ParseNameError| Error::new(Class::Internal, "name", error.to_string()))
}

/// A folder of the demo alone, removed when it ends.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn make() -> Result<Self> {
        let mut random = [0; 8];
        crate::crypto::random(&mut random)?;
        let path = std::env::temp_dir().join(format!("airlock-demo-{:016x}", u64::from_le_bytes(random)));
        create_folder(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What is left in a temporary folder does no harm, and there is nobody to tell any more.
        std::fs::remove_dir_all(&self.0).ok();
    }
}
