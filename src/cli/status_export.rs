//! `airlock status export`: out of the appliance, to a folder, a file or a pipe.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde_json::{Value, json};

use super::output_place::{self, Makes};
use super::package_args::{self, PackageArgs};
use super::status_preview::range;
use super::ui::{bytes, escape};
use super::{Ui, approval_rule};
use crate::appliance::export::{Delivered, Destination, PackageRow, Wanted};
use crate::appliance::{Appliance, status};
use crate::db::site::packages::State;
use crate::domain::{Class, Clock as _, Error, Result, SystemClock};
use crate::media;
use crate::package::{Head, OpenedPackage, Switch};
use crate::stream::Looked;

/// Where packages go when they are written to a pipe.
const STDOUT: &str = "-";

/// Sign the next status package of a vendor and bring it out
///
/// The draft goes that `airlock status preview` shows; --digest says that it must be that one. What was signed before and did not get out goes
/// first, with the same bytes, unless the draft covers it. Without a draft one is made, where nobody has to approve it. A draft keeps how
/// many approvals it was made to need, also where the configuration is left out. The package is
/// read back from the medium, and only then counts as exported: one that went into a pipe, when all of it was written. In a folder it has
/// a name of its own; packages that were cut for want of room follow one another there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  airlock status export /media/usb
  airlock status export /media/usb --digest 46b73742
  airlock status export /media/usb --again 7
  airlock status export - | ssh diode 'cat > 7.airlock-status'")]
pub(super) struct ExportArgs {
    /// Folder, file or named pipe to write to, or - for standard output. A pipe is waited for until somebody reads it
    #[arg(value_name = "DEST")]
    destination: PathBuf,
    /// Head digest of the package that shall leave, or 8 or more of its first digits: another one does not
    #[arg(long, value_name = "HEX", conflicts_with = "again")]
    digest: Option<String>,
    /// Bring out what was signed before, by its number: the same bytes
    #[arg(long, value_name = "NUMBER")]
    again: Option<u64>,
    #[command(flatten)]
    package: PackageArgs,
}

/// Where packages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Folder,
    File,
    NamedPipe,
    Stdout,
}

/// Device numbers of `/dev/null` on Linux.
const NULL_DEVICE: (u32, u32) = (1, 3);

pub(super) fn run(args: &ExportArgs, ui: &mut Ui) -> Result<()> {
    let place = Place::of(&args.destination)?;
    match place {
        Place::Stdout => check_is_kept(&io::stdout())?,
        _ => output_place::check_outside(&args.destination, &args.package.state.state)?,
    }
    if place == Place::File {
        check_is_meant(&args.destination)?;
    }
    let config = args.package.config.read()?;
    let appliance = args.package.state.open_as_to_change(&config, "status export", ui)?;
    if let Err(error) = status::check(&appliance) {
        ui.warn(format_args!(
            "what agents reported cannot be read, and status.db is set aside beside itself: a gap record in the package says what is missing ({})",
            escape(error.found())
        ));
    }
    package_args::settle(&appliance, ui);
    let redactor = package_args::redactor(&appliance, &config)?;
    let asked = approval_rule::asked(&appliance, &config.export, ui)?;
    let request = args.package.request(
        &appliance,
        &config.export,
        asked,
        &redactor,
        false,
        args.digest.as_deref(),
    )?;
    let wanted = match (&args.digest, args.again) {
        (_, Some(number)) => Wanted::Again(number),
        (Some(digits), None) => Wanted::Digest(digits.clone()),
        (None, None) => Wanted::Next,
    };
    let mut delivered = Vec::new();
    let begun = SystemClock.now();
    loop {
        let row = appliance.choose_package(&wanted, &request, &mut |done| ui.progress("writing lines", done, 0))?;
        if row.state == State::Draft && row.made_at < begun {
            ui.say(format_args!(
                "this is the draft of {}: nothing that came after it is in this package",
                row.made_at
            ));
        }
        let rule = approval_rule::rule(asked, &config.export, &row)?;
        let path = path(&args.destination, place, &row, &appliance)?;
        let needed = asked.max(row.approvals);
        let row = appliance.sign_package(row.head, &rule)?;
        let one = deliver(&appliance, &row, place, &path, config.export.outbox, ui)?;
        for lost in &one.dropped {
            ui.warn(format_args!(
                "the outbox is full: the file of package {}, which is not acknowledged, is gone; the next package covers what it held",
                lost.number
            ));
        }
        let goes_on = one.row.cut && place == Place::Folder && wanted == Wanted::Next;
        delivered.push((one, path));
        // Where people approve packages, the next one waits for them.
        if !goes_on || needed > 0 {
            break;
        }
    }
    tell(&appliance, &delivered, place, ui)
}

/// Refuses a standard output that goes nowhere: one that is closed is the null device to this program, and takes everything.
fn check_is_kept(out: &io::Stdout) -> Result<()> {
    let stat =
        rustix::fs::fstat(out).map_err(|errno| Error::io("look at", Path::new("standard output"), errno.into()))?;
    let is_device = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_char_device();
    if !is_device || stat.st_rdev != rustix::fs::makedev(NULL_DEVICE.0, NULL_DEVICE.1) {
        return Ok(());
    }
    Err(Error::new(Class::Usage, "output", "standard output is closed, or the null device")
        .expected("a pipe or a file that keeps the package")
        .remedy("let somebody read it, such as `airlock status export - | ssh diode 'cat > FILE'`, or name a folder; nothing was written"))
}

/// Refuses a file that nobody may have meant: a folder of a medium that is not mounted is not there, and would become a file on this disk.
fn check_is_meant(destination: &Path) -> Result<()> {
    let is_named = destination.extension().is_some() && !destination.as_os_str().as_encoded_bytes().ends_with(b"/");
    if is_named || Looked::itself(destination).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        Class::Usage,
        "output",
        format!("{} is not there", destination.display()),
    )
    .expected("a folder that is there, or a file whose name has an ending, such as .airlock-status")
    .remedy("mount the medium, or make the folder; or name a file with an ending; nothing was written"))
}

impl Place {
    fn of(destination: &Path) -> Result<Self> {
        if destination == Path::new(STDOUT) {
            return Ok(Self::Stdout);
        }
        // A folder may be a link to where the medium is mounted.
        if fs::metadata(destination).is_ok_and(|found| found.is_dir()) {
            return Ok(Self::Folder);
        }
        match Looked::itself(destination) {
            Ok(looked) if looked.kind().is_fifo() => Ok(Self::NamedPipe),
            Ok(_) => Ok(Self::File),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::File),
            Err(error) => Err(Error::io("look at", destination, error)),
        }
    }
}

/// Returns the name that a package gets, once it is clear that nothing else is lost there: before the number is used.
fn path(destination: &Path, place: Place, row: &PackageRow, appliance: &Appliance) -> Result<PathBuf> {
    let path = match place {
        Place::Stdout | Place::NamedPipe => return Ok(destination.to_owned()),
        Place::File => destination.to_owned(),
        Place::Folder => destination.join(appliance.package_head(row)?.file_name()),
    };
    output_place::check(&path, Makes::Package, [])?;
    // A file that somebody named may be another package.
    let there = media::open(&path, None).and_then(|source| OpenedPackage::open(source.input));
    match there {
        Ok(package) if package.head_digest() != row.head => Err(Error::new(
            Class::Usage,
            "output",
            format!("{} is another package, {}", path.display(), package.head_digest()),
        )
        .expected("a free name, or the same package")
        .remedy("give another name, or move away what stands there; nothing was written")),
        _ => Ok(path),
    }
}

fn deliver(
    appliance: &Appliance,
    row: &PackageRow,
    place: Place,
    path: &Path,
    outbox: u64,
    ui: &mut Ui,
) -> Result<Delivered> {
    match place {
        Place::Folder | Place::File => appliance.deliver(row.head, Destination::File(path), outbox),
        Place::Stdout => {
            let name = Path::new("standard output");
            appliance.deliver(row.head, Destination::Pipe(&mut io::stdout().lock(), name), outbox)
        }
        Place::NamedPipe => {
            let mut pipe = open_pipe(path, ui).map_err(|error| Error::io("open", path, error))?;
            appliance.deliver(row.head, Destination::Pipe(&mut pipe, path), outbox)
        }
    }
}

/// Opens a named pipe once somebody reads it; until then the person knows what is waited for.
fn open_pipe(path: &Path, ui: &mut Ui) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    let at_once = options
        .clone()
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    match at_once {
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => ui.say(format_args!(
            "waiting for somebody who reads the pipe {}; Ctrl-C ends that, and the package then counts as not exported",
            escape(&path.display().to_string())
        )),
        // Opened once more, so that a slow reader is waited for; this end is held until then.
        Ok(held) => return options.open(path).inspect(|_| drop(held)),
        Err(error) => return Err(error),
    }
    options.open(path)
}

fn tell(appliance: &Appliance, delivered: &[(Delivered, PathBuf)], place: Place, ui: &mut Ui) -> Result<()> {
    let more = delivered.last().is_some_and(|(one, _)| one.row.cut);
    let heads: Vec<Head> = delivered
        .iter()
        .map(|(one, _)| appliance.package_head(&one.row))
        .collect::<Result<_>>()?;
    let lines: Vec<String> = delivered
        .iter()
        .zip(&heads)
        .map(|((one, path), head)| {
            let place = match place {
                Place::Stdout => "to standard output".to_owned(),
                Place::NamedPipe => format!("into the pipe {}", escape(&path.display().to_string())),
                Place::Folder | Place::File => format!("in {}", escape(&path.display().to_string())),
            };
            let vendor = package_args::vendor_name(appliance, head.domain);
            let vendor = vendor.map_or_else(|| head.domain.to_hex(), |name| escape(&name));
            let switches: Vec<&str> = Switch::ALL
                .into_iter()
                .filter(|switch| head.shows.has(*switch))
                .map(Switch::as_str)
                .collect();
            let beside = if switches.is_empty() {
                "no text, no log, no metrics".to_owned()
            } else {
                format!("also {}", switches.join(" "))
            };
            format!(
                "package {} for {vendor} {place}, {}\nhead         {}\ncovers       {}\nshows        {beside}",
                one.row.number,
                bytes(one.row.size),
                one.row.head,
                covers(head),
            )
        })
        .collect();
    if place == Place::Stdout {
        // What stands there is the package.
        lines.iter().flat_map(|text| text.lines()).for_each(|line| ui.say(line));
    } else {
        let packages: Vec<Value> = delivered
            .iter()
            .zip(&heads)
            .map(|((one, path), head)| {
                json!({
                    "number": one.row.number, "head": one.row.head, "domain": one.row.domain, "instance": one.row.instance,
                    "file": path, "size": one.row.size, "cut": one.row.cut, "shows": head.shows, "records": head.records,
                    "receipts": head.receipts, "audit": {"first": head.audit.first, "last": head.audit.last},
                })
            })
            .collect();
        ui.result(&json!({"packages": packages, "more": more}), lines.join("\n"))?;
    }
    if more {
        ui.say("a range ended early for want of room: another package goes on behind it");
    }
    Ok(())
}

/// Says which numbers of the stream a package accounts for.
pub(super) fn covers(head: &Head) -> String {
    let (firsts, lasts) = (head.firsts(), head.lasts());
    format!(
        "records {}, receipts {}, audit rows {}",
        range(firsts.records, lasts.records),
        range(firsts.receipts, lasts.receipts),
        range(firsts.audit, lasts.audit),
    )
}
