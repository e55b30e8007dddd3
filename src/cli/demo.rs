//! `airlock demo`: the whole path on one machine, with nothing set up before.
//!
//! Vendor, bundle, import, registry; then an agent that enrols, deploys a small application, and reports; then the way home ([`demo_home`]):
//! a status package, what the vendor knows from it, the next bundle that leaves out what the site holds, and what the site lets go.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::demo_agent::{Account, Agent, VERSION};
use super::ui::bytes;
use super::{Ui, demo_fixture, demo_home};
use crate::appliance::fleet::{Hub, SiteView};
use crate::appliance::live::Live;
use crate::appliance::registry::Registry;
use crate::appliance::status::{Quota, StatusBuffer};
use crate::appliance::{Appliance, Event, Imported, NewAppliance, Options, Outcome, init};
use crate::bundle::{BlobSource as _, BundleContent};
use crate::crypto::RoleName;
use crate::db::ledger;
use crate::domain::oci::Document;
use crate::domain::{Class, Clock as _, Digest, Error, Hash, Name, ParseNameError, Result, Scope, SystemClock};
use crate::http::{Running, Server, Services, Settings};
use crate::media;
use crate::panics::{self, caught};
use crate::stream::{create_folder, write_atomically};
use crate::vendor_side::collect::{ImageOptions, ImageRequest, RegistryOptions, Source, Sources, collect};
use crate::vendor_side::release::Overrides;
use crate::vendor_side::release_file::ReleaseFile;
use crate::vendor_side::{self, AckKeys, Build, Built, Destination, Init, SigningTime, Workspace};

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
const VENDOR: &str = "Demo vendor";
/// The target of the demo, and its application.
const TARGET: &str = "press-1";
/// The image stays the same over the releases; what changes is what it is told.
const COMPOSE: &str = "services:\n  greeter:\n    image: registry.demo.example/hello:1.0\n    entrypoint: [/stay]\n    \
                       environment: {RELEASE: \"VERSION\"}\n    \
                       # The program is process 1 and has no handler for SIGTERM.\n    stop_signal: SIGKILL\n    network_mode: none\n";
/// Versions of the demo's first release and of the next one.
const FIRST: &str = "1.0";
const NEXT: &str = "1.1";
/// How often the agent asks, once it lives.
const ROUND: Duration = Duration::from_millis(5370);
/// What the demo's buffer may hold.
const QUOTA_MIB: u64 = 64;
const CHANNEL: &str = "stable";
const RELEASE_FILE: &str = "release.yaml";

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
    check_free(&folder)?;
    create_folder(&folder)?;
    let workspace = vendor(&folder, ui)?;
    let appliance = site(&folder, &workspace, ui)?;
    ui.say(format_args!(
        "3. release   {} says what to send",
        folder.join(RELEASE_FILE).display()
    ));
    let bundle = seal(&folder, &workspace, FIRST)?;
    ui.say(format_args!(
        "4. bundle    {} ({}), signed, synced, read back; head {}",
        bundle.path.display(),
        bytes(bundle.built.packed.bytes),
        bundle.built.packed.head_digest
    ));
    let sent = what_was_sent(&folder)?;
    let imported = bring_in(&appliance, &bundle.path, ui)?;
    if let Outcome::Published { receipt, .. } = imported.result {
        ui.say(format_args!(
            "5. import    release {} of {} is verified, stored and live; signed receipt {receipt}",
            imported.counter, imported.scope
        ));
    }

    let site = Site::open(&appliance, args.listen)?;
    let address = site.address;
    ui.say(format_args!(
        "6. serve     http://{address}/v2/ answers docker, podman, skopeo, containerd; /api/v1/ answers Distr's agents"
    ));
    let mut agent = enrol(&site, &folder.join("agent"), ui)?;
    let mut circle = || -> Result<Vec<String>> {
        let mut seen = deploy(&site, &mut agent, "8. status   ", ui)?;
        let home = demo_home::Home {
            appliance: &appliance,
            workspace: &workspace,
            folder: &folder,
        };
        home.tell(ui)?;
        let next = seal(&folder, &workspace, NEXT)?;
        home.next(&next.path, &next.built, NEXT, ui)?;
        let imported = bring_in(&appliance, &next.path, ui)?;
        demo_home::trimmed(&imported, ui)?;
        site.hub.refresh()?;
        seen.extend(deploy(&site, &mut agent, "13. status  ", ui)?);
        Ok(seen)
    };
    let seen = circle();
    if args.once {
        let pulled = pull_back(address, &sent);
        let ended = agent.end();
        site.running.shutdown();
        let (seen, pulled) = (seen?, pulled?);
        ended?;
        return ui.result(
            &json!({
                "result": "same", "digests": pulled.digests, "bytes": pulled.bytes,
                "deployed": agent.deploys(), "statuses": seen,
            }),
            format!(
                "14. pull     {} digests, {}: the same as at the vendor{}",
                pulled.digests,
                bytes(pulled.bytes),
                // What is removed now answers nothing.
                args.dir.as_ref().map_or(String::new(), |_| {
                    format!("\n15. ask      airlock status show -w {}", workspace.folder().display())
                })
            ),
        );
    }
    seen?;
    ui.say(format_args!(
        "\nTry, in another terminal:\n  docker pull {address}/hello:1.0 && docker run --rm {address}/hello:1.0\n  \
         skopeo copy --src-tls-verify=false docker://{address}/hello:1.0 oci:hello:1.0\n  \
         curl http://{address}/v2/hello/manifests/1.0\n  \
         airlock release list --state {state}\n  \
         airlock target watch --state {state}\n  \
         airlock status show -w {workspace}\n\nThe agent goes on asking and reporting. Ctrl-C ends the demo.",
        state = appliance.folder().display(),
        workspace = workspace.folder().display()
    ));
    let (stop, stopped) = mpsc::channel::<()>();
    let stopper = site.running.stopper();
    let rounds = std::thread::Builder::new()
        .name("agent".into())
        .spawn(move || {
            let ended = caught("agent", || keep_reporting(agent, address, &stopped));
            // Without its agent there is no demo: whatever ended it ends the rest.
            stopper.stop();
            ended.flatten()
        })
        .map_err(|e| Error::new(Class::Io, "thread", format!("the agent cannot start: {e}")).with_source(e))?;
    let served = site.running.run_until_signal(|| Ok(()), || Ok(()));
    drop(stop);
    let ended = rounds.join().map_err(|_| panics::note("agent"))?;
    served.and(ended)
}

/// What is served, and by what.
struct Site {
    hub: Arc<Hub>,
    status: Arc<StatusBuffer>,
    running: Running,
    address: SocketAddr,
}

impl Site {
    fn open(appliance: &Arc<Appliance>, asked: Option<SocketAddr>) -> Result<Self> {
        let live = Live::load(appliance, Duration::from_secs(3600))?;
        let registry = Arc::new(Registry::new(&live)?);
        let bound = listen(asked)?;
        let address = bound
            .addresses()
            .first()
            .copied()
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let view = SiteView::new(&address.to_string(), false, SiteView::INTERVAL, None)?;
        let hub = Arc::new(Hub::new(&live, view)?);
        let status = Arc::new(StatusBuffer::open(appliance, Quota::from_mib(QUOTA_MIB))?);
        let services = Services::registry(&registry).with_agents(&hub, &status, appliance.clock.clone());
        Ok(Self {
            hub,
            status,
            running: bound.start(services)?,
            address,
        })
    }
}

/// Issues a secret to the demo's target, as `airlock target connect` does, and makes an agent that has it.
fn enrol(site: &Site, folder: &Path, ui: &mut Ui) -> Result<Agent> {
    let target = site
        .hub
        .targets()
        .into_iter()
        .find(|target| target.name == TARGET)
        .ok_or_else(|| Error::new(Class::Internal, "demo", "the release does not hold the demo's target"))?;
    let secret = site.hub.issue_secret(&target.id, false)?;
    create_folder(folder)?;
    let agent = Agent::new(
        Account {
            base: format!("http://{}", site.address),
            target: target.id,
            secret: Zeroizing::new(secret.as_str().to_owned()),
        },
        folder,
    )?;
    ui.say(format_args!(
        "7. target    {TARGET} ({}) has a secret; its agent {}",
        target.id,
        if agent.deploys() {
            "deploys with the Docker engine of this machine"
        } else {
            "pulls and reports only: no Docker engine with compose answers here"
        }
    ));
    Ok(agent)
}

/// Two rounds of the agent: apply, then check. What it reports is read back from the appliance's buffer.
fn deploy(site: &Site, agent: &mut Agent, step: &str, ui: &mut Ui) -> Result<Vec<String>> {
    let mut shown = Vec::new();
    for _ in 0..2 {
        agent.round(&mut |reference| pull_one(reference))?;
        for target in site.status.overview()? {
            for deployment in target.deployments {
                if let Some(status) = deployment.latest {
                    let line = format!("{}: {}", status.kind, status.message);
                    ui.say(format_args!("{step} {TARGET} {}", super::ui::escape(&line)));
                    shown.push(line);
                }
            }
        }
    }
    Ok(shown)
}

/// The agent's rounds until the demo ends; then what it deployed is taken down.
fn keep_reporting(mut agent: Agent, address: SocketAddr, stopped: &mpsc::Receiver<()>) -> Result<()> {
    panics::point("agent");
    while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(ROUND) {
        if let Err(error) = agent.round(&mut |reference| pull_one(reference)) {
            tracing::warn!(%error, %address, "a round of the demo's agent failed");
        }
    }
    agent.end()
}

/// Pulls an image by digest and compares everything; returns its bytes.
fn pull_one(reference: &str) -> Result<u64> {
    let wrong = |error: String| Error::new(Class::Internal, "name", error);
    let request = ImageRequest {
        source: Source::parse(&format!("docker://{reference}"), Path::new(".")).map_err(wrong)?,
        name: None,
        options: ImageOptions::default(),
    };
    let (pulled, sources) = collect(&[request], &[], Vec::new(), &RegistryOptions::default(), |_| ())?;
    let mut total = Pulled { digests: 0, bytes: 0 };
    for tag in &pulled.tags {
        count(&pulled, tag.digest, &tag.media_type, &sources, &mut total)?;
    }
    Ok(total.bytes)
}

/// Takes a folder that is new or empty, or that a demo made: one that holds the demo's vendor.
fn check_free(folder: &Path) -> Result<()> {
    let failed = |e| Error::io("look at", folder, e);
    let mut entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let is_empty = entries.next().transpose().map_err(failed)?.is_none();
    let is_own = || Workspace::open(&folder.join("vendor")).is_ok_and(|own| own.chain().newest().vendor == VENDOR);
    if is_empty || is_own() {
        return Ok(());
    }
    Err(Error::new(
        Class::Usage,
        "folder-in-use",
        format!("{} holds something that no demo made", folder.display()),
    )
    .expected("a new or empty folder, or that of an earlier demo")
    .remedy("name another folder with --dir; nothing was written"))
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
        vendor: VENDOR.into(),
        root_keys: 3,
        threshold: 2,
        time: SigningTime::at(now),
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
fn site(folder: &Path, workspace: &Workspace, ui: &mut Ui) -> Result<Arc<Appliance>> {
    let path = folder.join("site");
    if path.try_exists().map_err(|e| Error::io("look for", &path, e))? {
        let appliance = Arc::new(Appliance::open(&path, Arc::new(SystemClock))?);
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
    for file in &made.enrolments {
        vendor_side::enrol(workspace, &file.bytes, Some("demo-site"), now)?;
    }
    ui.say(format_args!(
        "2. site      appliance {} in {}, root pinned, enrolled at the vendor",
        made.site,
        path.display()
    ));
    Appliance::open(&path, Arc::new(SystemClock)).map(Arc::new)
}

/// A bundle of the demo.
struct Sealed {
    path: PathBuf,
    built: Built,
}

/// A signed bundle made from the fixture, with the next number.
fn seal(folder: &Path, workspace: &Workspace, version: &str) -> Result<Sealed> {
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
        "product: {PRODUCT}\nchannel: {CHANNEL}\nversion: \"{version}\"\nsequence: {sequence}\nissued_at: {}\nexpires_in: 90d\n\
         audience: [demo-site]\nhome_hosts: [registry.demo.example]\nnotes: The image of the demo.\nimages:\n  - source: oci:hello\n    name: {REPOSITORY}:1.0\n\
         # Stand-ins: the demo plays the agent itself.\n\
         agents:\n  - name: {VERSION}\n    docker: {{source: oci:hello, name: agents.demo.example/docker-agent:{VERSION}}}\n    \
         autoheal: {{source: oci:hello, name: agents.demo.example/docker-autoheal:{VERSION}}}\n\
         applications:\n  - name: greeter\n    version: \"{version}\"\n    compose: compose.yaml\n    images: {{\"{REPOSITORY}:1.0\": \"oci:hello\"}}\n\
         targets:\n  - name: {TARGET}\n    kind: docker\n    deployments:\n      - application: greeter\n",
        SystemClock.now()
    );
    let compose = COMPOSE.replace("VERSION", version);
    write_atomically(&folder.join("compose.yaml"), compose.as_bytes(), 0o644)?;
    let file = folder.join(RELEASE_FILE);
    write_atomically(&file, text.as_bytes(), 0o644)?;
    let release = ReleaseFile::parse(&file, &text)?;
    let (overrides, registries) = (Overrides::default(), RegistryOptions::default());
    let ack_keys = || workspace.signing_keys(RoleName::Ack, &mut no_passphrase);
    let inputs = Build {
        secrets: vendor_side::AskSecret::Assumed,
        file: &release,
        overrides: &overrides,
        registries: &registries,
        keys: &vendor_side::release_keys(workspace, &[], &mut no_passphrase)?,
        ack_keys: Some(AckKeys::Opened(&ack_keys)),
        time: SigningTime::at(SystemClock.now()),
    };
    let path = folder.join(format!("release-{sequence}.airlock"));
    let built = vendor_side::build(workspace, &inputs, Destination::File(&path), &mut |_| ())?;
    Ok(Sealed { path, built })
}

fn no_passphrase(_: &Path) -> Result<Zeroizing<String>> {
    Err(Error::new(
        Class::Internal,
        "passphrase",
        "the demo's keys have no passphrase",
    ))
}

/// What the vendor has sent of its image.
fn what_was_sent(folder: &Path) -> Result<BundleContent> {
    let source = image(&format!("oci:{}:1.0", folder.join("hello").display()))?;
    let (sent, _) = collect(&[source], &[], Vec::new(), &RegistryOptions::default(), |_| ())?;
    Ok(sent)
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
        options: ImageOptions::default(),
    })
}

fn bring_in(appliance: &Appliance, bundle: &Path, ui: &mut Ui) -> Result<Imported> {
    appliance.import(
        || media::open(bundle, None),
        &Options::default(),
        &SystemClock,
        &mut |event| {
            if let Event::Note(note) = event {
                ui.say(format_args!("             {}", super::ui::escape(&note)));
            }
        },
    )
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
fn pull_back(address: SocketAddr, sent: &BundleContent) -> Result<Pulled> {
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

fn count(
    content: &BundleContent,
    digest: Digest,
    media_type: &str,
    sources: &Sources,
    total: &mut Pulled,
) -> Result<()> {
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
