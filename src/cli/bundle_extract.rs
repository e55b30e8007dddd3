//! `airlock bundle extract`: a bundle as an OCI image layout, for tools that know nothing of airlock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Ui;
use super::bundle_bases::{BaseBundle, NamedBases};
use super::bundle_opening::{By, open_judged};
use super::ui::{bytes, escape, not_written};
use crate::bundle::{Index, VerifiedBundle, of_base};
use crate::domain::{Class, Digest, Error, Hash, Result, Timestamp, counted};
use crate::extract::{Filled, WorkFolder, archive_bytes, check_free, write_archive};

/// Unpack a bundle into an OCI image layout, which skopeo, podman, oras, crane and containerd read
///
/// Every signature, byte and reference is checked as by `bundle verify`, and DIR has its name only then: until that it grows in DIR.partial,
/// and the same command goes on there after a stop. Nothing that stands under either name is written into. The file system needs room for all
/// content, and has to be one of Linux' own (ext4, xfs, btrfs, tmpfs); the layout can be copied to any other. Layers that the bundle does not
/// carry, or that are copied in part from others, come from --base; without what they need nothing is unpacked. Images, charts and what refers
/// to them keep their digests; what targets shall run is shown by `bundle inspect --list`, and is no part of a layout.
///
/// Names stand in it whole: skopeo and podman call an image oci:DIR:HOST/REPOSITORY:TAG, oras DIR@DIGEST; containerd finds them when it imports
/// the archive, where all are images, and podman loads an archive with one name. skopeo 1.9 passes over images with Docker's media types. Of an index whose platforms were left out `skopeo copy --all` does not find all; a copy of one platform does.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  airlock bundle extract release-7.airlock --trust root.json -o layout
  skopeo copy oci:layout:registry.acme.example/erp/web:7.0 \\
    docker://registry.plant.example/erp/web:7.0
  airlock bundle extract release-8.airlock --trust root.json -o layout-8 --base release-7.airlock
  airlock bundle extract release-7.airlock --trust root.json -o - | ctr image import -")]
pub(super) struct ExtractArgs {
    /// Bundle file, folder with one bundle or its volumes in it, named pipe, or - for standard input; or volumes one by one
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder to make; or - for a tar archive of it on standard output, which begins when everything was checked
    #[arg(short, long, value_name = "DIR|-")]
    output: PathBuf,
    /// Vendor's chain file; may repeat
    #[arg(long, value_name = "ROOT.JSON", required = true)]
    trust: Vec<PathBuf>,
    /// Detached signature file that belongs to the bundle; may repeat
    #[arg(long, value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// Bundle of an earlier release, or state folder of a site, that holds what this one needs; may repeat, in any order: bundles that are
    /// copied from others need those too
    #[arg(long, value_name = "BUNDLE|STATE")]
    base: Vec<PathBuf>,
    /// Refuse what has expired at this time: YYYY-MM-DDTHH:MM:SSZ, or with an offset, or a day (its start in UTC)
    #[arg(long, value_name = "TIME", value_parser = Timestamp::of_person)]
    at: Option<Timestamp>,
    /// With -o -: folder in which the layout is made before it is written out; it needs room for all content
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    work: PathBuf,
}

/// Where a layout goes.
enum Output<'a> {
    Folder(&'a Path),
    Pipe,
}

impl Output<'_> {
    /// Where it grows.
    fn work_folder(&self, work: &Path, head: Hash) -> PathBuf {
        match self {
            Self::Folder(path) => {
                let mut name = OsString::from(path.as_os_str());
                name.push(".partial");
                PathBuf::from(name)
            }
            Self::Pipe => work.join(format!("airlock-extract-{}", head.to_hex())),
        }
    }
}

pub(super) fn run(args: &ExtractArgs, ui: &mut Ui) -> Result<()> {
    // A name that ends in a slash is the same name.
    let output: PathBuf = args.output.components().collect();
    let output = if output == Path::new("-") {
        Output::Pipe
    } else {
        check_free(&output)?;
        Output::Folder(&output)
    };
    let by = By {
        trust: &args.trust,
        signatures: &args.signatures,
        at: args.at,
    };
    let (bundle, chain) = open_judged(&args.files, by, ui)?;
    let head_digest = bundle.head_digest();
    let place = output.work_folder(&args.work, head_digest);
    let bases = NamedBases::read(&args.base, &chain)?;
    bases.check_sizes(bundle.index().needs())?;
    let wanted = wanted(&bases, bundle.index());
    let mut work = WorkFolder::open(&place, head_digest)?;
    let absent = bundle.index().absent().len();
    if let Err(error) = check_space(bundle.index(), &wanted, &work) {
        return Err(if work.is_new() { given_up(work, error) } else { error });
    }
    match gather(bundle, &mut work, bases, wanted, ui) {
        Ok(filled) => finish(work, &filled, absent, &output, (head_digest, ui)),
        // What was verified waits for the next run.
        Err(error) if error.class().keeps_incoming() => Err(error),
        Err(error) => Err(given_up(work, error)),
    }
}

/// Checks, before anything is copied, that what the bundle carries and what is wanted of bases fits.
fn check_space(index: &Index, wanted: &BTreeMap<Digest, u64>, work: &WorkFolder) -> Result<()> {
    let carried = index.blobs().iter().map(|blob| (blob.digest, blob.size));
    let wanted = wanted.iter().map(|(digest, size)| (*digest, *size));
    work.check_space(carried.chain(wanted), index.largest_scratch())
}

/// Leaves nothing of a run that came to an error.
fn given_up(work: WorkFolder, error: Error) -> Error {
    match work.remove() {
        Ok(()) => error,
        Err(left) => error.and_then(&left),
    }
}

/// Gathers everything in the folder: what the bundle needs first, which alone can be missing.
fn gather(
    bundle: VerifiedBundle,
    work: &mut WorkFolder,
    bases: NamedBases<'_>,
    mut wanted: BTreeMap<Digest, u64>,
    ui: &mut Ui,
) -> Result<Filled> {
    strike_out(&mut wanted, work)?;
    let needs: BTreeMap<Digest, u64> = bundle
        .index()
        .needs()
        .iter()
        .map(|need| (need.digest, need.size))
        .collect();
    check(&bases, &needs, work)?;
    take(bases, &mut wanted, work, ui)?;
    let mut missing = Vec::new();
    for (digest, size) in &needs {
        if !work.has(digest, *size)? {
            missing.push((*digest, *size));
        }
    }
    if !missing.is_empty() {
        return Err(not_held(&missing));
    }
    let total = bundle.total_bytes();
    work.fill(bundle, &mut |done| ui.progress("extract", done, total))
}

fn finish(
    work: WorkFolder,
    filled: &Filled,
    absent: usize,
    output: &Output<'_>,
    (head_digest, ui): (Hash, &mut Ui),
) -> Result<()> {
    let layout = work.lay_out(&filled.graph)?;
    let names = filled.graph.tags.len();
    let content: BTreeMap<Digest, u64> = filled.graph.contents().map(|blob| (blob.digest, blob.size)).collect();
    let size = content.values().copied().fold(0, u64::saturating_add);
    if absent > 0 {
        ui.warn(format_args!(
            "{} left out of indexes, on purpose: what copies every platform (`skopeo copy --all`) does not find all",
            counted(absent, "platform")
        ));
    }
    let said = format!(
        "{}, {} in {}",
        counted(names, "name"),
        bytes(size),
        counted(content.len(), "blob")
    );
    match output {
        Output::Folder(path) => {
            work.publish(&layout, path)?;
            let value = json!({
                "result": "extracted", "output": path.display().to_string(), "head_digest": head_digest, "names": names,
                "blobs": content.len(), "bytes": size, "absent": absent, "resumed_bytes": filled.resumed_bytes,
            });
            ui.result(&value, format!("{}: {said}", escape(&path.display().to_string())))
        }
        Output::Pipe => {
            let total = archive_bytes(&layout)?;
            let mut stdout = io::stdout().lock();
            let mut progress = |done| ui.progress("write", done, total);
            write_archive(&layout, &mut stdout, &|error| not_written(&error), &mut progress)?;
            drop(stdout);
            ui.say(said);
            work.remove()
        }
    }
}

/// Returns what an index needs, and what that is copied from in these bundles, back to the oldest.
fn wanted(bases: &NamedBases<'_>, index: &Index) -> BTreeMap<Digest, u64> {
    let mut wanted: BTreeMap<Digest, u64> = index.needs().iter().map(|need| (need.digest, need.size)).collect();
    bases.widen(&mut wanted);
    wanted
}

/// Checks, by indexes and sizes alone and before anything is copied, that whatever is needed is somewhere.
fn check(bases: &NamedBases<'_>, needs: &BTreeMap<Digest, u64>, work: &WorkFolder) -> Result<()> {
    let mut missing = needs.clone();
    for bundle in &bases.bundles {
        for blob in bundle.index().blobs() {
            missing.remove(&blob.digest);
        }
    }
    let mut nowhere = Vec::new();
    for (digest, size) in missing {
        let mut found = work.has(&digest, size)?;
        for state in &bases.states {
            let own = state.of(&BTreeMap::from([(digest, size)]));
            found |= !own.is_empty() && state.store.size_of(&digest)? == Some(size);
        }
        if !found {
            nowhere.push((digest, size));
        }
    }
    if nowhere.is_empty() {
        return Ok(());
    }
    Err(not_held(&nowhere))
}

/// Takes what is wanted out of them, each from the first that has it.
fn take(bases: NamedBases<'_>, wanted: &mut BTreeMap<Digest, u64>, work: &mut WorkFolder, ui: &mut Ui) -> Result<()> {
    for state in &bases.states {
        work.take_from_store(&state.store, &state.of(wanted))?;
        strike_out(wanted, work)?;
    }
    for BaseBundle { path, bundle } in bases.bundles {
        if wanted.is_empty() {
            break;
        }
        let total = bundle.total_bytes();
        work.take_from_bundle(bundle, wanted, &mut |done| ui.progress("read base", done, total))
            .map_err(|error| of_base(error, &path))?;
        strike_out(wanted, work)?;
    }
    Ok(())
}

/// What is here is wanted no more.
fn strike_out(wanted: &mut BTreeMap<Digest, u64>, work: &WorkFolder) -> Result<()> {
    let mut here = Vec::new();
    for (digest, size) in &*wanted {
        if work.has(digest, *size)? {
            here.push(*digest);
        }
    }
    for digest in here {
        wanted.remove(&digest);
    }
    Ok(())
}

fn not_held(missing: &[(Digest, u64)]) -> Error {
    let lines: Vec<String> = missing
        .iter()
        .map(|(digest, size)| format!("{digest} ({size} bytes)"))
        .collect();
    Error::listing(
        Class::Dependency,
        "needs",
        format!("the bundle builds on {} that no --base holds:", counted(missing.len(), "blob")),
        &lines,
    )
    .expected("bundles of earlier releases, or the state folder of a site, that hold them whole")
    .remedy("give what holds them with --base, several where they build on one another, or unpack a bundle that was made with --full")
}
