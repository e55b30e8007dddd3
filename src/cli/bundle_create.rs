//! `airlock bundle create`: a signed bundle from a release file.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::advice::quoted;
use super::bundle_desired;
use super::bundle_plan;
use super::end_signals::end_programs_on_signals;
use super::image_lists::ImageListArgs;
use super::output_place::{self, Makes};
use super::passphrase::{PassphraseArgs, ask_secret};
use super::times::{SigningTimeArgs, source_date_epoch};
use super::ui::{Format, Ui, bytes, escape};
use super::workspace_folder::WorkspaceArgs;
use crate::bundle::desired::DesiredState;
use crate::crypto::RoleName;
use crate::domain::{Class, Error, Result, Timestamp, Version, counted};
use crate::encoding::Level;
use crate::media;
use crate::stream::{open_named, read_bounded};
use crate::vendor_side::collect::{Platform, RegistryOptions};
use crate::vendor_side::release::Overrides;
use crate::vendor_side::release_file::{RELEASE_FILE_BYTES, ReleaseFile, duration};
use crate::vendor_side::{
    AckKeys, AskSecret, Build, BuildEvent, Destination, EncodeOptions, Encodings, HelmChoice, PackEvent,
    StandingRelease, build, plan, release_keys,
};

/// Where a bundle goes when it is written to a pipe.
const STDOUT: &str = "-";

// Options of `airlock bundle create`; options win over the release file.
#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The release file; `airlock vendor release new` writes one to begin with
    #[arg(short, long, value_name = "RELEASE.YAML", required_unless_present_any = ["images", "lists"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    lists: ImageListArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// The bundle to write, or - for a pipe
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Collect and plan, and stop there: nothing is written, signed or recorded, and no number is used
    #[arg(long)]
    dry_run: bool,
    /// Most bytes of a file, like 700M, 4G (one byte less, as FAT32 takes it), or dvd: where more is written, it is in volumes that are called
    /// FILE.1-of-3.airlock and so on, and the sites need airlock 0.2.0 or newer
    #[arg(long, value_name = "SIZE", value_parser = volume_size)]
    volume_size: Option<u64>,
    /// Replace a bundle at --output even where it is of another release, or others have signed or approved it
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    number: NumberArgs,
    /// Label of the release, for people
    #[arg(long, value_name = "LABEL")]
    version: Option<String>,
    /// When the release is issued: `YYYY-MM-DDTHH:MM:SSZ`, or with an offset, or a day (its start in UTC); else the file says it, else
    /// `SOURCE_DATE_EPOCH`
    #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person)]
    issued_at: Option<Timestamp>,
    /// After this time sites no longer import it: `YYYY-MM-DDTHH:MM:SSZ`, or with an offset, or a day (its start in UTC)
    #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person)]
    expires: Option<Timestamp>,
    #[command(flatten)]
    signing: SigningTimeArgs,
    /// Site id or enrolled name that the release is for (may repeat); replaces the file's audience
    #[arg(long = "site", value_name = "SITE")]
    sites: Vec<String>,
    #[command(flatten)]
    base: BaseArgs,
    /// Platform to carry, like linux/amd64 (may repeat); replaces the file's platforms
    #[arg(long = "platform", value_name = "OS/ARCH")]
    platforms: Vec<Platform>,
    /// Write the bundle without signatures; add them with `airlock bundle sign`
    #[arg(long, conflicts_with_all = ["keys", "passphrase_file"])]
    unsigned: bool,
    /// Private key file that signs (may repeat); without it the keys in the workspace do
    #[arg(long = "key", value_name = "PEM")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Further CA certificates for registries, PEM (may repeat)
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_files: Vec<PathBuf>,
    /// Registry host, with its port, that is reached by plain HTTP (may repeat); this machine always is
    #[arg(long = "plain-http", value_name = "HOST")]
    plain_http: Vec<String>,
    /// Host of a token service that gets the credentials for a registry, where it is another host than the registry's (may repeat)
    #[arg(long = "token-realm", value_name = "HOST=REALM", value_parser = realm)]
    token_realms: Vec<(String, String)>,
    /// File or folder outside the folder of the release file that it, its compose files and charts may read (may repeat)
    #[arg(long = "allow-outside", value_name = "PATH")]
    allow_outside: Vec<PathBuf>,
    /// Most bytes that a gzipped OCI layout may have when it is expanded, like 64GiB [default: 32GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    expand_limit: Option<u64>,
    #[command(flatten)]
    charts: ChartArgs,
    #[command(flatten)]
    encode: EncodeArgs,
    /// Folder with room for the whole payload, used only with `-o -`: the head comes first and is known last
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    work: PathBuf,
}

// The number of the release.
#[derive(Debug, Args)]
struct NumberArgs {
    /// Number of the release, higher than every one before
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Give the release the next free number, whatever the release file says
    #[arg(long, conflicts_with = "sequence")]
    next: bool,
}

// How charts are read.
#[derive(Debug, Args)]
struct ChartArgs {
    /// helm, 3 or 4, which works charts out so that every image in them is found; the first on PATH when not given; `off`: charts are read
    /// as they stand, and refused where that does not tell every image (list those under images, and say `images_complete`)
    #[arg(long, value_name = "FILE", env = "AIRLOCK_HELM")]
    helm: Option<PathBuf>,
    /// Refuse charts also for texts that only look like images which the release does not carry (in arguments, environment, annotations),
    /// and for charts and images that something at the site fetches or chooses by itself
    #[arg(long)]
    strict: bool,
}

// How layers are made to travel smaller.
#[derive(Debug, Args)]
struct EncodeArgs {
    /// Which encodings layers may travel in: what a site stores and serves is the same bytes in each case. The head says what its readers
    /// must know [auto: every one that makes a layer smaller by a tenth; recipes: all but copying in part from other layers; none]
    #[arg(long, value_name = "WHICH", default_value = "auto", value_parser = encodings, hide_possible_values = true)]
    encodings: Encodings,
    /// How hard layers are compressed that travel encoded
    #[arg(long, value_name = "LEVEL", default_value = "normal", value_parser = level)]
    level: Level,
    /// Neither use nor keep travel forms and layers in the workspace's cache/: forms are made in a file without a name
    #[arg(long)]
    no_cache: bool,
    /// Bytes that travel forms of earlier bundles may take in the workspace's cache/, like 64GiB [default: 20GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    cache_limit: Option<u64>,
}

impl EncodeArgs {
    fn options(&self) -> EncodeOptions {
        let defaults = EncodeOptions::default();
        EncodeOptions {
            encodings: self.encodings,
            level: self.level,
            cache: !self.no_cache,
            cache_bytes: self.cache_limit.unwrap_or(defaults.cache_bytes),
            ..defaults
        }
    }
}

// Whether a bundle builds on what its sites hold.
#[derive(Debug, Args)]
struct BaseArgs {
    /// Carry everything, also what the sites hold. Without it that is left out which the newest package of every site says it holds; never
    /// for a site against which a refusal as equivocation or the finding `branches` is open (`airlock vendor ledger findings`)
    #[arg(long)]
    full: bool,
    /// Bundle of an earlier release that every site of this one has imported, by your word; or its number, where it was signed here; or the
    /// state folder of a site: its layers are left out, and others are copied from them in part where that makes them much smaller. Bundles
    /// that build on one another are named in their order; a file that is called by digits alone is ./FILE
    #[arg(long, value_name = "BUNDLE|NUMBER|STATE", conflicts_with = "full")]
    base: Vec<PathBuf>,
    /// Build on what a site holds only where its newest package is not older than this, like 90d, 12h or 2w
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "180d")]
    base_max_age: i64,
}

impl ChartArgs {
    fn choice(&self) -> HelmChoice {
        match &self.helm {
            Some(path) if path == Path::new("off") => HelmChoice::Off,
            Some(path) => HelmChoice::Named(path.clone()),
            None => std::env::var_os("PATH").map_or(HelmChoice::Off, |folders| HelmChoice::on_path(&folders)),
        }
    }
}

/// Runs `airlock bundle create`.
pub(super) fn run(args: &CreateArgs, ui: &mut Ui) -> Result<()> {
    let output = args.output.as_deref();
    let to_pipe = output == Some(Path::new(STDOUT));
    if let Some(output) = output.filter(|_| !to_pipe) {
        let read = args.keys.iter().chain(&args.ca_files).chain(&args.allow_outside);
        let inputs = read.chain(&args.passphrase.passphrase_file).chain(&args.file);
        let inputs = inputs.chain(&args.lists.lists);
        let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).collect();
        output_place::check_folder(output)?;
        output_place::check(output, Makes::Bundle, inputs.iter().copied())?;
        for volume in volumes_there(args, output)? {
            output_place::check(&volume, Makes::Bundle, inputs.iter().copied())?;
        }
    }
    if to_pipe && args.volume_size.is_some() {
        return Err(Error::new(
            Class::Usage,
            "volume-size",
            "--volume-size was given, and a pipe takes one bundle",
        )
        .expected("a file with -o, which the volumes are called after")
        .remedy("leave --volume-size out, or give -o FILE"));
    }
    end_programs_on_signals()?;
    let workspace = args.workspace.open_to_write(ui)?;
    let file = match &args.file {
        Some(path) => read_release_file(path, &unsaid(args)?)?,
        None => args.lists.release(&workspace, args.number.sequence, ui)?,
    };
    let overrides = Overrides {
        sequence: args.number.sequence,
        next: args.number.next,
        version: args.version.clone(),
        issued_at: args.issued_at,
        expires: args.expires,
        sites: args.sites.clone(),
        platforms: args.platforms.clone(),
        source_date_epoch: source_date_epoch()?,
        allow_outside: args.allow_outside.clone(),
        expanded: args.expand_limit,
        helm: args.charts.choice(),
        strict: args.charts.strict,
        full: args.base.full,
        base: args.base.base.clone(),
        base_max_age: Some(args.base.base_max_age),
        volume_bytes: args.volume_size,
        standing: match output {
            Some(output) if !to_pipe && !args.replace => standing(args, output)?,
            _ => Vec::new(),
        },
        encode: args.encode.options(),
    };
    let registries = RegistryOptions {
        ca_files: args.ca_files.clone(),
        plain_http: args.plain_http.clone(),
        token_realms: args.token_realms.clone(),
        told: Some(ui.teller()),
        waiting: Some(ui.waiting_teller()),
        ..RegistryOptions::default()
    };
    let ack_keys = || {
        let mut asker = args.passphrase.asker();
        workspace.signing_keys(RoleName::Ack, &mut |path| asker.ask(path))
    };
    let mut inputs = Build {
        file: &file,
        overrides: &overrides,
        registries: &registries,
        keys: &[],
        ack_keys: (!args.unsigned).then_some(AckKeys::Counted),
        secrets: AskSecret::Assumed,
        time: args.signing.signing_time(),
    };
    let Some(output) = output.filter(|_| !args.dry_run) else {
        let plan = plan(&workspace, &inputs, &mut |event| match event {
            // It is the result.
            BuildEvent::Planned(_) => {}
            event => tell(&event, ui),
        })?;
        return ui.result(&bundle_plan::to_json(&plan), bundle_plan::describe(&plan));
    };
    // Before anything is fetched: a forgotten passphrase is noticed at once.
    let keys = if args.unsigned {
        Vec::new()
    } else {
        let mut asker = args.passphrase.asker();
        release_keys(&workspace, &args.keys, &mut |path| asker.ask(path))?
    };
    if !to_pipe && !args.replace {
        let keys: Vec<_> = keys.iter().map(|key| key.public().id()).collect();
        output_place::check_replaced(output, &keys)?;
        for volume in volumes_there(args, output)? {
            output_place::check_replaced(&volume, &keys)?;
        }
    }
    let mut stdout = io::stdout().lock();
    let destination = if to_pipe {
        Destination::Pipe {
            out: &mut stdout,
            work: &args.work,
        }
    } else {
        Destination::File(output)
    };
    let ask = |which: &str| ask_secret(&format!("value of the secret {which}: "));
    inputs.secrets = AskSecret::Asked(&ask);
    inputs.ack_keys = (!args.unsigned).then_some(AckKeys::Opened(&ack_keys));
    inputs.keys = &keys;
    let built = build(&workspace, &inputs, destination, &mut |event| tell(&event, ui))?;
    drop(stdout);

    let (head, packed) = (&built.packed.head, &built.packed);
    let targets: Vec<Value> = built
        .desired
        .iter()
        .flat_map(|desired| &desired.targets)
        .map(bundle_plan::target_json)
        .collect();
    let output = output.display().to_string();
    let files: Vec<String> = packed.files.iter().map(|path| path.display().to_string()).collect();
    let value = json!({
        "file": output, "files": files, "head_digest": packed.head_digest, "product": head.product, "channel": head.channel,
        "version": head.version, "epoch": head.epoch, "sequence": head.sequence, "audience": head.audience,
        "expires": head.expires, "bytes": packed.bytes, "content_bytes": head.totals.content_bytes,
        "blobs": head.totals.blobs, "names": built.names, "absent": built.absent,
        "needs": built.needs, "needed_bytes": built.needed_bytes, "base": bundle_plan::base_json(&built.base),
        "signatures": packed.signatures, "signatures_missing": built.signatures_missing,
        "read_back_direct": packed.read_back_direct, "targets": targets,
        "removed": built.desired.iter().flat_map(|desired| &desired.removed).collect::<Vec<_>>(),
        "acknowledgement": built.acknowledgement, "charts": bundle_plan::charts_json(&built.charts),
        "sealed_to": built.sealed, "encodings": built.encoded.to_json(), "reader": head.reader,
    });
    let mut human = format!(
        "{}\n{}\nhead         {}\nsize         {} for {} of content in {}, {}\nsignatures   {}",
        match &files[..] {
            [] => escape(&output),
            files => files.iter().map(|file| escape(file)).collect::<Vec<_>>().join("\n"),
        },
        super::head_view::headline(head),
        packed.head_digest,
        bytes(packed.bytes),
        bytes(head.totals.content_bytes),
        counted(head.totals.blobs, "blob"),
        counted(built.names, "name"),
        packed.signatures,
    );
    if head.reader > Version::new(0, 1, 0) {
        human += &format!("\nreader       its sites need airlock {} or newer", head.reader);
    }
    if built.needs > 0 {
        human += &format!(
            "\nneeds        {} of earlier bundles, {}",
            counted(built.needs, "blob"),
            bytes(built.needed_bytes)
        );
    }
    for (target, deployment) in built.desired.iter().flat_map(DesiredState::deployments) {
        human += &format!(
            "\ntarget       {} runs {} {}, revision {}",
            escape(&target.name),
            deployment.application,
            escape(&deployment.version),
            deployment.revision
        );
        if let Some(secrets) = bundle_desired::secrets(deployment) {
            human += &format!("\n  secrets    {secrets}");
        }
    }
    if let Some(number) = built.acknowledgement {
        human += &format!("\nacknowledges what the site sent: acknowledgement {number} goes along");
    }
    if built.sealed > 0 {
        human += &format!(
            "\nsecrets      sealed to {}; another build of the same has other bytes there and another head, so this number is used up",
            counted(built.sealed, "site")
        );
    }
    // On a pipe the bundle is the data; the summary is talk.
    match (to_pipe, ui.format()) {
        (false, _) => ui.result(&value, human)?,
        (true, Format::Human) => ui.say(human),
        (true, _) => ui.say(value),
    }
    if packed.read_back_direct == Some(false) {
        ui.warn("this file system does not read past its cache: the read-back may not have come from the medium");
    }
    if built.signatures_missing > 0 {
        ui.warn(format_args!(
            "{} needed before a site takes it: `airlock bundle sign {} --key FILE`{}",
            match built.signatures_missing {
                1 => "1 more signature is".to_owned(),
                missing => format!("{missing} more signatures are"),
            },
            match &files[..] {
                [] => "BUNDLE".to_owned(),
                [first, ..] => quoted(&escape(first)),
            },
            if files.len() > 1 {
                ", and each other volume likewise"
            } else {
                ""
            }
        ));
    }
    Ok(())
}

/// Tells how far it is.
fn tell(event: &BuildEvent<'_>, ui: &mut Ui) {
    match event {
        BuildEvent::Collecting(image) => ui.say(format_args!("collecting {}", escape(image))),
        BuildEvent::Looking(done, total) => ui.steps("looking at images", *done as u64, *total as u64),
        BuildEvent::Saving(done) => ui.progress("saving from the engine", *done, 0),
        BuildEvent::Reading(done, total) => ui.progress("reading files", *done, *total),
        BuildEvent::ReadingBase(done, total) => ui.progress("reading a base", *done, *total),
        BuildEvent::Chart(chart) => ui.say(escape(&chart.sentence())),
        BuildEvent::Planned(plan) => {
            for line in bundle_plan::lines(plan) {
                ui.say(line);
            }
        }
        BuildEvent::Warning(warning) => ui.warn_at(escape(&warning.text), warning.file.as_deref(), warning.line),
        BuildEvent::Encoding(done, total) => ui.progress("encoding", *done, *total),
        BuildEvent::Encoded(plan, report) => {
            for line in bundle_plan::encoded(plan, report) {
                ui.say(line);
            }
        }
        BuildEvent::Packing(PackEvent::Packing(done, total)) => ui.progress("packing", *done, *total),
        BuildEvent::Packing(PackEvent::ReadingBack(done, total)) => ui.progress("reading back", *done, *total),
    }
}

/// Reads `auto`, `none` or `recipes`.
fn encodings(text: &str) -> Result<Encodings, String> {
    [Encodings::Auto, Encodings::None, Encodings::Recipes]
        .into_iter()
        .find(|encodings| encodings.word() == text)
        .ok_or_else(|| format!("{text:?} is none of auto, none, recipes"))
}

/// Reads `quick`, `normal` or `small`.
fn level(text: &str) -> Result<Level, String> {
    [Level::Quick, Level::Normal, Level::Small]
        .into_iter()
        .find(|level| level.word() == text)
        .ok_or_else(|| format!("{text:?} is none of quick, normal, small"))
}

/// Releases whose bundles this one would replace.
fn standing(args: &CreateArgs, output: &Path) -> Result<Vec<StandingRelease>> {
    let mut files = volumes_there(args, output)?;
    files.push(output.to_owned());
    let release = |path: &PathBuf| {
        let opened = media::open(path, None)
            .and_then(media::BundleSource::into_bundle)
            .ok()?;
        StandingRelease::of(path, &opened)
    };
    Ok(files.iter().filter_map(release).collect())
}

/// Volumes of an earlier bundle of this name, where volumes are to be written.
fn volumes_there(args: &CreateArgs, output: &Path) -> Result<Vec<PathBuf>> {
    match args.volume_size {
        Some(_) => media::volumes_at(output),
        None => Ok(Vec::new()),
    }
}

/// Reads `4G`, `dvd`, `700M` or a number of bytes.
fn volume_size(text: &str) -> Result<u64, String> {
    // What a single-layer DVD holds beside its own file system.
    const DVD: u64 = 4_480 << 20;
    let bytes = match text {
        "dvd" => DVD,
        _ => match text.strip_suffix(['K', 'M', 'G', 'T']) {
            Some(_) => size(&format!("{text}iB"))?,
            None => size(text).map_err(|_| format!("{text:?} is no size like 4G, 700M, dvd or a number of bytes"))?,
        },
    };
    Ok(if bytes == media::FAT_FILE_BYTES + 1 {
        bytes - 1
    } else {
        bytes
    })
}

/// Reads `90d`, `12h` or `2w`.
fn age(text: &str) -> Result<i64, String> {
    duration(text).ok_or_else(|| format!("{text:?} is no age like 90d, 12h or 2w"))
}

/// Reads `registry.example.com=login.example.com`.
fn realm(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((host, realm)) if !host.is_empty() && !realm.is_empty() && !text.contains('/') => {
            Ok((host.to_owned(), realm.to_owned()))
        }
        _ => Err(format!("{text:?} is not two hosts with = between them")),
    }
}

/// Reads `64GiB`, `500MiB` or a number of bytes.
fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let (number, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    let number: Option<u64> = number.trim_end().parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("{text:?} is no size like 64GiB"))
}

/// Keys of the release file that no option says.
fn unsaid(args: &CreateArgs) -> Result<Vec<&'static str>> {
    let said = [
        ("version", args.version.is_some()),
        ("sequence", args.number.sequence.is_some() || args.number.next),
        ("issued_at", args.issued_at.is_some() || source_date_epoch()?.is_some()),
        ("expires or expires_in", args.expires.is_some()),
        ("audience", !args.sites.is_empty()),
    ];
    Ok(said
        .iter()
        .filter(|(_, is_said)| !is_said)
        .map(|(key, _)| *key)
        .collect())
}

fn read_release_file(path: &Path, unsaid: &[&'static str]) -> Result<ReleaseFile> {
    let file = open_named(path, "open the release file")?;
    let bytes = read_bounded(file, RELEASE_FILE_BYTES, "the release file")?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::new(Class::Usage, "yaml", format!("{} is no UTF-8 text", path.display())))?;
    ReleaseFile::parse_alone(path, &text, unsaid)
}
