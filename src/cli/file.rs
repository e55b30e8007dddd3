//! `airlock file list|get`: plain files and artifacts of the live releases, out again as files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Ui;
use super::damage_view::DamageView;
use super::file_output::Output;
use super::package_args::domain_called;
use super::scope_names::ScopeNames;
use super::site_view::ConfigArgs;
use super::state_folder::StateArgs;
use super::table::table;
use super::ui::{bytes, escape};
use crate::appliance::Appliance;
use crate::appliance::live::Live;
use crate::appliance::registry::{FileEntry, FileLayer, Registry, Snapshot};
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Class, Digest, Error, Hash, Result, counted, nearest};

/// Digits of a head digest that people are shown.
const DIGITS: usize = 16;

/// Look at plain files and artifacts of the live releases, and write them out
///
/// Plain files are what a release carries that is no image: manuals, licences, firmware. Artifacts are whatever else a registry holds that is
/// no image (charts, policies, packages); each of their layers is a file. A running server has plain files at /files/DOMAIN/PRODUCT/CHANNEL/NAME
/// too, for whoever may read the registry.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum FileCommand {
    /// List them: name, size, mode, media type, release
    #[command(after_help = "Example:\n  airlock file list --format json")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Write one out, compared with its digest meanwhile
    ///
    /// NAME is one of `airlock file list`, or the title of a file, or its digest. The file appears under its name once all of it is written, with
    /// the mode that the vendor states, as far as the umask allows; special bits are never set. Where several files have one name, of other
    /// products, channels or vendors, they are listed, and --product, --vendor or --release says which one. A script that means the file of one
    /// vendor says --vendor: another one may get a file of that name any day.
    #[command(after_help = "Examples:
  airlock file get installation.pdf -o /media/usb/
  airlock file get firmware/press.bin -o press.bin --product acme-erp/stable
  airlock file get registry.acme.example/erp/policy:1.0 -o - | tar tz")]
    Get {
        /// Name, title or digest
        name: String,
        /// File to write; a folder, for the file's own name in it; or - for standard output
        #[arg(short, long, value_name = "FILE|-")]
        output: PathBuf,
        /// Head digest (or its first 8 digits or more), number or version label of a live release, where several have the name
        #[arg(long)]
        release: Option<String>,
        /// Product or PRODUCT/CHANNEL, as `airlock file list` writes it, where several have the name
        #[arg(long)]
        product: Option<String>,
        /// Name of the vendor, or the first 8 digits or more of its trust domain
        #[arg(long)]
        vendor: Option<String>,
        /// Replace a file that stands there
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        place: Place,
    },
}

// Which appliance.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// The files of an appliance as it is now.
struct Files {
    appliance: Arc<Appliance>,
    registry: Registry,
    snapshot: Arc<Snapshot>,
    entries: Vec<FileEntry>,
    names: ScopeNames,
}

/// Which of several files of one name is meant.
#[derive(Debug, Clone, Copy)]
struct Meant<'a> {
    release: Option<&'a ReleaseRow>,
    product: Option<&'a str>,
    vendor: Option<Hash>,
}

impl Files {
    fn read(place: &Place, ui: &mut Ui) -> Result<Self> {
        let appliance = place.state.open_as(&place.config.read()?, ui)?;
        let registry = Registry::new(&Live::load(&appliance, Duration::ZERO)?)?;
        let snapshot = registry.snapshot();
        Ok(Self {
            entries: registry.files(&snapshot)?,
            names: ScopeNames::read(&appliance, [])?,
            appliance,
            registry,
            snapshot,
        })
    }
}

pub(super) fn run(command: &FileCommand, ui: &mut Ui) -> Result<()> {
    match command {
        FileCommand::List { place } => list(&Files::read(place, ui)?, ui),
        FileCommand::Get {
            name,
            output,
            release,
            product,
            vendor,
            replace,
            place,
        } => {
            // What is in the way is told before anything is read.
            let output = Output::new(output, *replace, &place.state.state)?;
            let files = Files::read(place, ui)?;
            let release = release
                .as_deref()
                .map(|release| live_release(&files.appliance, release, product.as_deref()))
                .transpose()?;
            let vendor = vendor.as_deref();
            let meant = Meant {
                release: release.as_ref(),
                product: product.as_deref(),
                vendor: vendor.map(|word| domain_called(&files.appliance, word)).transpose()?,
            };
            let entry = files.choose(name, meant)?;
            let file = entry.file.as_ref().map_err(Error::again)?;
            get(&files, (entry, file), output, ui)
        }
    }
}

fn list(files: &Files, ui: &mut Ui) -> Result<()> {
    let names = &files.names;
    let damage = DamageView::read(&files.appliance)?;
    let (mut rows, mut notes) = (Vec::new(), String::new());
    for entry in &files.entries {
        let [size, mode, media_type, title] = match &entry.file {
            Ok(file) => [
                bytes(file.size),
                file.mode.map_or_else(|| "-".to_owned(), |mode| format!("{mode:04o}")),
                escape(&file.media_type),
                escape(file.title.as_deref().unwrap_or("-")),
            ],
            Err(error) => {
                notes += &format!("\n{}: {}", escape(&entry.name()), escape(error.found()));
                ["-", "-", "-", "UNREADABLE"].map(ToOwned::to_owned)
            }
        };
        if let Some(hidden) = &entry.hidden {
            notes += &format!(
                "\nhidden: {hidden}; that of {} is for its own clients, and for this command",
                entry.release.scope
            );
        }
        let release = format!("{} ({})", entry.release.counter, escape(&entry.release.version));
        rows.push([
            entry.name(),
            size,
            mode,
            media_type,
            release,
            names.of(&entry.release.scope),
            title,
        ]);
    }
    let human = if rows.is_empty() {
        "no live release has a plain file or an artifact".to_owned()
    } else {
        table(["NAME", "SIZE", "MODE", "TYPE", "RELEASE", "PRODUCT", "TITLE"], rows)
    };
    let values: Vec<Value> = files.entries.iter().map(to_json).collect();
    ui.result(
        &json!({"files": values, "damage": damage.to_json()}),
        human + &notes + &damage.lines(names),
    )
}

fn get(files: &Files, (entry, file): (&FileEntry, &FileLayer), output: Output<'_>, ui: &mut Ui) -> Result<()> {
    let mut done = 0_u64;
    let written = output.write(file, &mut |take| {
        files.registry.read_file(&files.snapshot, entry, file, &mut |bytes| {
            take(bytes)?;
            done = done.saturating_add(bytes.len() as u64);
            ui.progress("file", done, file.size);
            Ok(())
        })
    })?;
    let scope = &entry.release.scope;
    let said = format!(
        "{} of {}, {}",
        escape(&entry.name()),
        files.names.with_vendor(scope, &files.appliance),
        file.digest
    );
    let Some(path) = written else {
        ui.say(format!("{said}: {}", bytes(file.size)));
        return Ok(());
    };
    let shown = path.display().to_string();
    let mut value = to_json(entry);
    if let Some(members) = value.as_object_mut() {
        members.insert("result".into(), json!("written"));
        members.insert("output".into(), json!(shown));
    }
    ui.result(&value, format!("{}: {}; {said}", escape(&shown), bytes(file.size)))
}

impl Files {
    /// Finds the one file that a person means.
    fn choose(&self, name: &str, meant: Meant<'_>) -> Result<&FileEntry> {
        let is_meant = |entry: &&FileEntry| {
            let scope = &entry.release.scope;
            let is_product = |product: &str| {
                scope.to_string() == product || scope.product.as_str() == product || self.names.of(scope) == product
            };
            meant.release.is_none_or(|release| release.id == entry.release.id)
                && meant.product.is_none_or(is_product)
                && meant.vendor.is_none_or(|vendor| scope.domain == vendor)
        };
        let entries: Vec<&FileEntry> = self.entries.iter().filter(is_meant).collect();
        let title = |entry: &FileEntry| entry.file.as_ref().ok().and_then(|file| file.title.clone());
        let digest = name.parse::<Digest>().ok();
        let is_called: [&dyn Fn(&FileEntry) -> bool; 3] = [
            &|entry| {
                let path = format!("{}/{}", entry.release.scope, entry.name());
                let repository = entry.repository.as_str();
                entry.name() == name
                    || entry.reference() == name
                    || (entry.plain.is_some() && (path == name || repository == name))
            },
            &|entry| title(entry).as_deref() == Some(name),
            &|entry| entry.file.as_ref().is_ok_and(|file| Some(file.digest) == digest),
        ];
        // A name goes before a title that is the same text; but what one vendor calls so never goes before what another one does.
        let mut found: Vec<&FileEntry> = Vec::new();
        for called in is_called {
            let is_new = |entry: &FileEntry| {
                let domain = entry.release.scope.domain;
                !found.iter().any(|known| known.release.scope.domain == domain)
            };
            let more: Vec<&FileEntry> = entries
                .iter()
                .copied()
                .filter(|entry| called(entry) && is_new(entry))
                .collect();
            found.extend(more);
        }
        let (Some(first), rest) = (found.first().copied(), found.get(1..).unwrap_or_default()) else {
            return Err(self.snapshot.unsigned().unwrap_or_else(|| unknown(name, &entries)));
        };
        let is_same = |other: &&FileEntry| match (&first.file, &other.file) {
            (Ok(first), Ok(other)) => first == other,
            _ => false,
        };
        if rest.iter().all(is_same) {
            return Ok(first);
        }
        Err(self.several(name, &found))
    }

    fn several(&self, name: &str, found: &[&FileEntry]) -> Error {
        let line = |entry: &&FileEntry| {
            let release = &entry.release;
            let head = release.head.to_hex();
            let digest = match &entry.file {
                Ok(file) => file.digest.to_string(),
                Err(_) => "unreadable".to_owned(),
            };
            format!(
                "{} of {}, release {} ({}), head {}: {digest}",
                entry.name(),
                self.names.with_vendor(&release.scope, &self.appliance),
                release.counter,
                release.version,
                head.get(..DIGITS).unwrap_or_default()
            )
        };
        let lines: Vec<String> = found.iter().map(line).collect();
        Error::listing(
            Class::Usage,
            "several-files",
            format!("{} are called {name:?}:", counted(found.len(), "file")),
            &lines,
        )
        .expected("exactly one")
        .remedy(
            "say which one: with --product PRODUCT/CHANNEL, with --vendor and its name or trust domain, with --release and its head digest, or by its \
             own digest in place of NAME",
        )
    }
}

fn unknown(name: &str, entries: &[&FileEntry]) -> Error {
    let names: Vec<String> = entries.iter().map(|entry| entry.name()).collect();
    let error = Error::new(
        Class::Usage,
        "file",
        format!("no live release that is meant has a file {name:?}"),
    )
    .expected("a name, a title or a digest of `airlock file list`");
    match nearest(name, names.iter().map(String::as_str)) {
        Some(meant) => error.remedy(format!("did you mean {meant}?")),
        None => error.remedy("look at `airlock file list`"),
    }
}

/// Finds a release that is named, which has to be live: what is not has no files to give.
fn live_release(appliance: &Appliance, text: &str, product: Option<&str>) -> Result<ReleaseRow> {
    let release = appliance.find_release(text, product)?;
    if release.state == State::Active {
        return Ok(release);
    }
    Err(Error::new(
        Class::Usage,
        "release-not-live",
        format!("release {} of {} is {}", release.counter, release.scope, release.state),
    )
    .expected("a release that is live")
    .remedy("take the file of the live one, without --release; or make that one live with `airlock release activate RELEASE`"))
}

fn to_json(entry: &FileEntry) -> Value {
    let release = &entry.release;
    let mut value = json!({
        "name": entry.name(), "kind": if entry.plain.is_some() { "file" } else { "artifact" },
        "repository": entry.repository, "tag": entry.tag, "product": release.scope.product, "channel": release.scope.channel,
        "domain": release.scope.domain, "epoch": release.counter.epoch, "sequence": release.counter.sequence,
        "version": release.version, "head": release.head,
        "path": entry.plain.as_ref().map(|_| format!("/files/{}", entry.repository.path())),
        "hidden": entry.hidden.as_ref().map(ToString::to_string),
    });
    let about = match &entry.file {
        Ok(file) => json!({
            "digest": file.digest, "bytes": file.size, "media_type": file.media_type, "title": file.title,
            "mode": file.mode.map(|mode| format!("{mode:04o}")),
        }),
        Err(error) => json!({
            "error": {"class": error.class().name(), "code": error.code(), "found": error.found(), "remedy": error.advice()},
        }),
    };
    if let (Some(members), Value::Object(about)) = (value.as_object_mut(), about) {
        members.extend(about);
    }
    value
}
