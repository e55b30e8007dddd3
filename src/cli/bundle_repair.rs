//! `airlock bundle repair`: of a bundle, what a site has lost of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ui;
use super::bundle_opening::{told, warn_unfinished};
use super::head_view::release;
use super::output_place::{self, Makes};
use super::signature_file::read_signatures;
use super::ui::{bytes, escape};
use crate::bundle::{Lost, Mends, Repair};
use crate::container::ChunkRanges;
use crate::domain::{Class, Digest, Error, Hash, Result, counted};
use crate::media::{self, BundleFile, UncachedFile};
use crate::stream::{open_named, read_bounded};

/// Bytes of a report: a hundred for each of a million blobs.
const REPORT_BYTES: u64 = 128 << 20;

/// Make a small file of what a site has lost of a bundle: it mends there what the whole bundle would
///
/// The site says what is damaged (`airlock scrub --report FILE`, or the JSON of scrub), by digests alone. The file carries
/// the signed head, the index, and every chunk that holds something of it; it needs no key, for nothing in it is new. `airlock import FILE`
/// takes it where the release is, and nowhere else. What came with an earlier bundle is mended by a file of that one, which the report names.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  airlock scrub --report damage.json                      # at the site\n  airlock bundle repair release-7.airlock --report damage.json -o repair-7.airlock\n  airlock import repair-7.airlock                         # at the site"
)]
pub(super) struct RepairArgs {
    /// Bundle file, or folder with one bundle or its volumes; or volumes one by one: those that hold what is lost
    #[arg(required = true, value_name = "BUNDLE")]
    files: Vec<PathBuf>,
    /// What the site says is damaged
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// The repair file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Detached signature file that belongs to the bundle: it goes along; may repeat
    #[arg(long, value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// Replace a bundle or repair file at --output
    #[arg(long)]
    replace: bool,
}

/// What a site says is damaged; whatever else stands there is for others.
#[derive(Debug, Deserialize)]
struct Report {
    damage: Vec<DamagedRelease>,
}

#[derive(Debug, Deserialize)]
struct DamagedRelease {
    head: Hash,
    #[serde(default)]
    content: Vec<Digest>,
    /// Of large content, which pieces of it are lost.
    #[serde(default)]
    pieces: BTreeMap<Digest, LostPieces>,
    /// What is wrong with the signed head, or whether anything is.
    #[serde(default)]
    signed_head: Value,
}

#[derive(Debug, Deserialize)]
struct LostPieces {
    bytes: u64,
    lost: String,
}

impl DamagedRelease {
    fn lost(&self) -> BTreeMap<Digest, Lost> {
        let lost = |digest: &Digest| {
            let pieces = self.pieces.get(digest);
            // What cannot be read means all of it.
            let pieces = pieces.and_then(|pieces| Some((pieces.bytes, ChunkRanges::parse(&pieces.lost)?)));
            pieces.map_or(Lost::All, |(bytes, numbers)| Lost::Pieces(bytes, numbers))
        };
        self.content.iter().map(|digest| (*digest, lost(digest))).collect()
    }
}

pub(super) fn run(args: &RepairArgs, ui: &mut Ui) -> Result<()> {
    let inputs = args.files.iter().chain(&args.signatures).chain([&args.report]);
    output_place::check_folder(&args.output)?;
    output_place::check_free(&args.output, Makes::Bundle, args.replace, inputs.map(PathBuf::as_path))?;
    let report = read_report(&args.report)?;
    let mut signatures = Vec::new();
    for path in &args.signatures {
        signatures.extend(read_signatures(path)?);
    }
    let source = media::open_all(&args.files, None)?;
    warn_unfinished(&source, ui);
    let opened = source.into_bundle().map_err(|error| told(error, &args.files))?;
    let opened = opened.with_signatures(signatures);
    let damaged = of_bundle(&report, opened.head_digest())?;
    let is_unsigned = opened.signatures()?.is_empty();
    let lost = damaged.lost();
    let (mut repair, mends) = opened.into_repair(&lost)?;
    let is_head_lost = !matches!(damaged.signed_head, Value::Null | Value::Bool(false));
    if mends.blobs.is_empty() && mends.pages == 0 && !is_head_lost {
        return Err(nothing_of_it(&mends));
    }
    warn(&mends, is_unsigned, ui);
    write(&mut repair, &args.output, ui)?;
    let (head, output) = (repair.head(), args.output.display().to_string());
    let value = json!({
        "file": output, "head_digest": repair.head_digest(), "product": head.product, "channel": head.channel, "epoch": head.epoch,
        "sequence": head.sequence, "version": head.version, "repair": repair.chunks().to_string(), "chunks": repair.chunks().count(),
        "bytes": repair.bytes(), "blobs": mends.blobs.len(), "index_pages": mends.pages, "signed_head": is_head_lost,
        "needed": mends.needed, "unknown": mends.unknown, "copied": mends.copied,
    });
    let human = format!(
        "{}: {} with {} of {}, for {} of {}\nchunks       {} of {}\nnext: carry it to the site, and `airlock import FILE` there",
        escape(&output),
        bytes(repair.bytes()),
        counted(repair.chunks().count(), "chunk"),
        release(head),
        counted(mends.blobs.len(), "blob"),
        lost.len(),
        repair.chunks(),
        head.totals.chunks,
    );
    ui.result(&value, human)
}

/// Reads what a person carried: bounded, and of no other form.
#[expect(
    clippy::disallowed_methods,
    reason = "printed by this program for machines, with members that are not looked at; nothing but digests is taken out of it"
)]
fn read_report(path: &Path) -> Result<Report> {
    let text = read_bounded(open_named(path, "open the report")?, REPORT_BYTES, "the report")?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::new(
            Class::Usage,
            "report",
            format!("{} is no report of damage: {error}", path.display()),
        )
        .expected("what `airlock scrub --report FILE` writes")
        .remedy("have the site write one: `airlock scrub --report FILE`")
    })
}

/// Returns what is damaged of the release of a bundle.
fn of_bundle(report: &Report, head: Hash) -> Result<&DamagedRelease> {
    report
        .damage
        .iter()
        .find(|damaged| damaged.head == head)
        .ok_or_else(|| {
            let named: Vec<String> = report.damage.iter().map(|damaged| damaged.head.to_string()).collect();
            Error::listing(
                Class::Usage,
                "report",
                format!("the report says nothing of this bundle, whose head is {head}; it names"),
                &named,
            )
            .expected("a bundle of a release that is damaged at the site")
            .remedy(
                "name the bundle of a release that the report names: `airlock bundle inspect BUNDLE` says the head of each",
            )
        })
}

fn nothing_of_it(mends: &Mends) -> Error {
    Error::new(
        Class::Usage,
        "report",
        format!(
            "this bundle carries nothing of what is damaged: {} came with earlier bundles, and {} it does not know",
            counted(mends.needed.len(), "blob"),
            mends.unknown.len()
        ),
    )
    .expected("a bundle that carries some of it")
    .remedy("make one of the bundle of each other release that the report names")
}

fn warn(mends: &Mends, is_unsigned: bool, ui: &mut Ui) {
    if !mends.needed.is_empty() {
        ui.warn(format_args!(
            "{} of what is damaged came with earlier bundles: make a repair file of the bundle of each other release that the report names",
            counted(mends.needed.len(), "blob")
        ));
    }
    if mends.copied > 0 {
        ui.warn(format_args!(
            "{} copied in part from content of earlier bundles, which the site must still hold whole",
            match mends.copied {
                1 => "1 blob is".to_owned(),
                count => format!("{count} blobs are"),
            }
        ));
    }
    if is_unsigned {
        ui.warn("the bundle carries no signature, so no site takes this without `--signatures FILE`");
    }
}

/// Writes it as a bundle is written: read back from its medium, and only then named.
fn write(repair: &mut Repair, output: &Path, ui: &mut Ui) -> Result<()> {
    let total = repair.bytes();
    let mut file = BundleFile::create(output, repair.prologue().len() as u64)?;
    repair.write_payload(&mut file, &|error| Error::io("write", output, error), &mut |done| {
        ui.progress("reading the bundle", done, 0);
    })?;
    file.seal(repair.prologue())?;
    let written = UncachedFile::open(file.partial_path())?;
    repair.read_back(Box::new(written), &mut |done| ui.progress("reading back", done, total))?;
    file.publish()
}
