//! `airlock status verify FILE… --enrolment FILE…`: as guards at a boundary and auditors judge packages, without a ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::file_kind::Door;
use super::ui::{bytes, escape};
use super::{Ui, site_keys_file, summary_text};
use crate::crypto::{ENROLMENT_BYTES, Enrolment, ExportApproval, KeyId, SiteKeys};
use crate::domain::{Class, Error, Hash, Result, Step, counted};
use crate::media;
use crate::package::{EnrolledSites, Head, OpenedPackage, RecordRange, Switch, advice};
use crate::stream::{open_named, read_bounded};

/// What only a vendor's ledger can judge.
const SKIPPED: [(&str, &str); 4] = [
    ("V5", "whether number and package before fit what arrived earlier"),
    ("V9", "receipts against the releases that were signed"),
    ("V10", "rows of the log against those that are known"),
    ("V11", "records against those that are known"),
];

/// Code of what is to be looked at.
const UNEXPLAINED: &str = "records-unexplained";

#[derive(Debug, Args)]
pub(super) struct GuardArgs {
    /// Judge by this enrolment file of a site, without a ledger and keeping nothing; may repeat. Of several of one site the last one is in
    /// force
    #[arg(long, value_name = "FILE")]
    #[cfg_attr(not(feature = "vendor"), arg(required = true))]
    pub(super) enrolment: Vec<PathBuf>,
    /// The site's file of keys that approve what leaves
    #[arg(long, value_name = "FILE", requires_all = ["approvals", "enrolment"])]
    site_keys: Option<PathBuf>,
    /// How many of these keys must have approved each package
    #[arg(long, value_name = "K", requires = "site_keys", value_parser = clap::value_parser!(u8).range(1..=32))]
    approvals: Option<u8>,
}

/// Judges packages by enrolment files alone.
pub(super) fn run(files: &[PathBuf], args: &GuardArgs, ui: &mut Ui) -> Result<()> {
    let guard = Guard::read(args)?;
    // What judges a package needs no network: it gives the power up before it reads the first byte.
    #[cfg(feature = "site")]
    crate::confine::no_network()?;
    let verdicts: Vec<_> = files
        .iter()
        .map(|file| (file.as_path(), guard.judge(file, ui)))
        .collect();
    let values: Vec<Value> = verdicts.iter().map(|(file, verdict)| to_json(file, verdict)).collect();
    let texts: Vec<String> = verdicts.iter().map(|(file, verdict)| to_text(file, verdict)).collect();
    let skipped: Vec<&str> = SKIPPED.iter().map(|(step, _)| *step).collect();
    let not_judged: Vec<String> = SKIPPED.iter().map(|(step, what)| format!("{what} ({step})")).collect();
    ui.result(
        &json!({"packages": values, "skipped": skipped}),
        format_args!(
            "{}\n\nnot judged without a ledger: {}",
            texts.join("\n\n"),
            not_judged.join(", ")
        ),
    )?;
    let refusals = verdicts
        .into_iter()
        .filter_map(|(file, verdict)| Some(verdict.err()?.context(&file.display().to_string())));
    // The first of the worst.
    match refusals.rev().max_by_key(|refusal| refusal.class().exit_code()) {
        Some(worst) => Err(worst),
        None => Ok(()),
    }
}

/// Says of missing approvals how many are asked for, how many are there, and by whom others are: the package may be good for another guard.
fn too_few(error: Error, wanted: usize, good: usize, unknown: &[KeyId]) -> Error {
    if error.class() != Class::Policy {
        return error;
    }
    Error::new(
        Class::Policy,
        "approvals",
        format!(
            "this guard asks for {}, the file has {good}{}",
            counted(wanted, "approval"),
            if unknown.is_empty() {
                String::new()
            } else {
                format!(", and {} by keys that --site-keys does not name: {}", unknown.len(), listed(unknown))
            }
        ),
    )
    .expected("as many good approvals of this package by keys that --site-keys names")
    .remedy("have as many people approve the next one at the site, with `airlock approve DRAFT --key FILE` before it is exported; where they did, give the file with their keys with --site-keys")
    .with_source(error)
}

/// What a guard knows.
struct Guard {
    sites: EnrolledSites,
    approvers: Option<(SiteKeys, usize)>,
}

/// What a good package says.
struct Verdict {
    head: Head,
    head_digest: Hash,
    size: u64,
    /// How many lines there are of each kind.
    counts: BTreeMap<&'static str, u64>,
    /// Key ids of the approvals that it carries.
    carried: Vec<KeyId>,
    /// What they come to, where keys were given.
    checked: Option<Checked>,
}

/// Approvals that were compared with the keys of a site.
struct Checked {
    /// Those that are good.
    good: Vec<KeyId>,
    /// Those by keys that are none of the site's; nobody can say whether they are good.
    unknown: Vec<KeyId>,
    /// How many had to be good.
    wanted: usize,
}

impl Guard {
    fn read(args: &GuardArgs) -> Result<Self> {
        let mut sites = EnrolledSites::default();
        for path in &args.enrolment {
            let shown = path.display().to_string();
            let file = open_named(path, "open the enrolment file")?;
            read_bounded(file, ENROLMENT_BYTES, "the enrolment file")
                .and_then(|bytes| Enrolment::parse(&bytes))
                .and_then(|enrolment| sites.add(enrolment))
                .map_err(|error| Door::ENROLMENT.told(error, path).context(&shown))?;
        }
        let keys = args.site_keys.as_deref().map(site_keys_file::read).transpose()?;
        Ok(Self {
            sites,
            approvers: keys.zip(args.approvals.map(usize::from)),
        })
    }

    /// Judges a package: V1 to V10, but for what a ledger knows.
    fn judge(&self, file: &Path, ui: &mut Ui) -> Result<Verdict> {
        if summary_text::is_one(file)? {
            return Err(Error::new(
                Class::Usage,
                "summary",
                format!("{} is a summary of a package, which only a vendor's ledger can judge", file.display()),
            )
            .expected("status packages alone, where --enrolment is given")
            .remedy("give the vendor's workspace with -w in place of --enrolment, or ask the site for the status package itself"));
        }
        self.judge_package(file, ui).map_err(|error| {
            advice::of_package(
                Door::PACKAGE.told(error, file),
                "where the site replaced its status key, give the new enrolment file with --enrolment too, behind the earlier one",
            )
        })
    }

    fn judge_package(&self, file: &Path, ui: &mut Ui) -> Result<Verdict> {
        let opened = OpenedPackage::open(media::open(file, None)?.input)?;
        let keys = self
            .sites
            .keys_of(&opened.hints()?)
            .map_err(|error| error.at(Step::V2))?;
        let package = opened.verify(keys)?;
        let head_digest = package.head_digest();
        let approvals = package.approvals()?;
        let checked = match &self.approvers {
            None => None,
            Some((keys, wanted)) => {
                let approval = ExportApproval {
                    head: head_digest,
                    site: package.head().site.clone(),
                };
                let good = keys.approved(&approval, &approvals);
                let carried = approvals.iter().map(|approval| approval.keyid);
                let unknown: Vec<KeyId> = carried.filter(|id| !keys.has(*id)).collect();
                keys.check(&approval, *wanted, &approvals)
                    .map_err(|error| too_few(error, *wanted, good.len(), &unknown).at(Step::V4))?;
                Some(Checked {
                    good,
                    unknown,
                    wanted: *wanted,
                })
            }
        };
        let package = package.read_index()?;
        let (size, total) = (package.total_bytes(), package.head().totals.content_bytes);
        let lines = package
            .head()
            .parts
            .iter()
            .map(|part| part.lines)
            .fold(0, u64::saturating_add);
        let mut read: u64 = 0;
        let mut counts = BTreeMap::new();
        let head = package.read_lines(&mut |line, _| {
            let count: &mut u64 = counts.entry(line.kind()).or_default();
            *count = count.saturating_add(1);
            read = read.saturating_add(1);
            ui.progress("verify", total / lines.max(1) * read, total);
            Ok(())
        })?;
        Ok(Verdict {
            head,
            head_digest,
            size,
            counts,
            carried: approvals.iter().map(|approval| approval.keyid).collect(),
            checked,
        })
    }
}

fn to_json(file: &Path, verdict: &Result<Verdict>) -> Value {
    let Verdict {
        head,
        head_digest,
        size,
        counts,
        carried,
        checked,
    } = match verdict {
        Ok(verdict) => verdict,
        Err(error) => {
            return json!({
                "file": file, "result": "refused", "class": error.class().name(), "code": error.code(),
                "step": error.step().map(|step| step.to_string()), "found": error.found(), "expected": error.expectation(),
                "remedy": error.advice(), "exit": error.class().exit_code(),
            });
        }
    };
    json!({
        "file": file, "result": "good", "head_digest": head_digest, "site": head.site, "domain": head.domain,
        "instance": head.instance, "number": head.number, "previous": head.previous, "made_at": head.made_at, "size": size,
        "shows": head.shows, "line_counts": counts, "records": head.records, "receipts": head.receipts,
        "audit": {"first": head.audit.first, "last": head.audit.last},
        "findings": finding(head).map(|found| json!({"code": UNEXPLAINED, "detail": found})).into_iter().collect::<Vec<_>>(),
        "approvals": {
            "carried": carried, "good": checked.as_ref().map(|checked| &checked.good),
            "unknown": checked.as_ref().map(|checked| &checked.unknown), "wanted": checked.as_ref().map(|checked| checked.wanted),
        },
    })
}

fn to_text(file: &Path, verdict: &Result<Verdict>) -> String {
    let file = escape(&file.display().to_string());
    let Verdict {
        head,
        head_digest,
        size,
        counts,
        carried,
        checked,
    } = match verdict {
        Ok(verdict) => verdict,
        Err(error) => {
            let step = error.step().map(|step| format!(" at {step}")).unwrap_or_default();
            return format!("refused: {file}\n{} {}{step}: {error}", error.class(), error.code());
        }
    };
    let shows: Vec<&str> = head.shows.iter().map(Switch::as_str).collect();
    let lines: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let approvals = match checked {
        Some(Checked { good, unknown, wanted }) => {
            let mut text = format!("{} good of {wanted} that are asked for: {}", good.len(), listed(good));
            if !unknown.is_empty() {
                text += &format!(
                    "\n             not counted, by keys that --site-keys does not name: {}",
                    listed(unknown)
                );
            }
            text
        }
        None if carried.is_empty() => "none".to_owned(),
        None => format!("carried, and not checked without --site-keys: {}", listed(carried)),
    };
    [
        format!("good: {file}, {}", bytes(*size)),
        format!("package      {} of the site {}", head.number, head.site),
        format!("domain       {}", head.domain),
        format!("head         {head_digest}"),
        format!(
            "made         {} by the site's clock, in instance {}",
            head.made_at, head.instance
        ),
        format!(
            "shows        {}",
            if shows.is_empty() {
                "the least".to_owned()
            } else {
                shows.join(", ")
            }
        ),
        format!("lines        {}", lines.join(", ")),
        format!("records      {}", coverage(&head.records)),
        format!(
            "receipts     {}; audit rows {}",
            range(head.receipts.first, head.receipts.last),
            range(head.audit.first, head.audit.last)
        ),
        format!("approvals    {approvals}"),
    ]
    .into_iter()
    .chain(finding(head).map(|found| format!("finding      {UNEXPLAINED}: {found}")))
    .collect::<Vec<_>>()
    .join("\n")
}

/// What is to be looked at in a good package, as far as it says that itself.
fn finding(head: &Head) -> Option<String> {
    let records = &head.records;
    (records.unexplained > 0).then(|| {
        format!(
            "{} of the range {} to {} missing at the site, and no gap tells why",
            counted(records.unexplained, "record"),
            records.first,
            records.last
        )
    })
}

fn listed(keys: &[KeyId]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Where every number of the range is.
fn coverage(records: &RecordRange) -> String {
    let withheld = records.withheld;
    let withheld = [withheld.agent_log, withheld.log, withheld.metrics, withheld.status]
        .into_iter()
        .fold(0, u64::saturating_add);
    format!(
        "{} = {} shown + {withheld} withheld + {} in gaps + {} unexplained",
        range(records.first, records.last),
        records.shown,
        records.missing,
        records.unexplained
    )
}

fn range(first: u64, last: u64) -> String {
    if last < first {
        "none".to_owned()
    } else {
        format!("{first} to {last}")
    }
}
