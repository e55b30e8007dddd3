//! `bundle create` to a file, and the read-back of its medium.

use std::fs;
use std::path::{Path, PathBuf};

use airlock::vendor_side::PackEvent;

use super::measure::{Start, Taken, job};
use super::report::{Bar, Report, median};
use super::{Bench, data, vendor};

/// In the child: everything up to the seal, then the read-back.
pub(crate) fn ours(set: &Path, out: &Path) -> Vec<Taken> {
    let start = Start::now();
    let mut sealed = None;
    vendor::create(set, out, &mut |event| {
        // The first event of the read-back comes after its first chunk: milliseconds late.
        if let (PackEvent::ReadingBack(..), None) = (event, &sealed) {
            sealed = Some((start.taken(), Start::now()));
        }
    });
    let (created, back) = sealed.unwrap();
    vec![created, back.taken()]
}

pub(crate) fn bars(bench: &Bench, report: &mut Report) {
    let set = bench.large();
    set.layout();
    vendor::workspace(&set.folder);
    let sources: Vec<PathBuf> = fs::read_dir(data::blob_folder(&set.folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let cold: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    let (out, bare) = (bench.folder.join("created"), bench.folder.join("created-bare"));
    let folder = set.folder.to_str().unwrap();
    let [mut ours, mut floor] = [const { Vec::new() }; 2];
    let [mut back, mut read, mut hash] = [const { Vec::new() }; 3];
    let mut bytes = 0.0;
    for _ in 0..bench.rounds {
        fs::remove_file(&out).ok();
        let parts = job(&cold, &["create", folder, out.to_str().unwrap()]);
        ours.push(parts[0]);
        back.push(parts[1].wall);
        bytes = vendor::size(&out);
        read.push(job(&[&out], &["floor-read", out.to_str().unwrap()])[0].wall);
        hash.push(job(&[], &["floor-hash", "1", &format!("{bytes}")])[0].wall);
        fs::remove_file(&bare).ok();
        floor.push(job(&cold, &["floor-create", folder, bare.to_str().unwrap()])[0]);
    }
    fs::remove_file(&out).unwrap();
    fs::remove_file(&bare).unwrap();
    let wall = |runs: &[Taken]| runs.iter().map(|run| run.wall).collect::<Vec<_>>();
    let cpu = |runs: &[Taken]| runs.iter().map(|run| run.user + run.system).collect::<Vec<_>>();
    let busy = |runs: &[Taken]| runs.iter().map(|run| run.user / run.wall).collect::<Vec<_>>();
    report.beside("create: time", "s", &wall(&ours), &wall(&floor), Bar::AtMost(1.3));
    report.beside("create: CPU", "s", &cpu(&ours), &cpu(&floor), Bar::None);
    let written: Vec<f64> = ours.iter().map(|run| run.written / bytes).collect();
    report.alone("create: bytes written / bundle", "x", &written, Bar::AtMost(1.005));
    report.alone("create: user CPU / wall", "x", &busy(&ours), Bar::AtLeast(1.6));
    report.alone("create: the same of the bare program", "x", &busy(&floor), Bar::None);
    let slower = if median(&read) > median(&hash) { &read } else { &hash };
    report.beside(
        "read-back: max(cold read, sha256)",
        "s",
        &back,
        slower,
        Bar::AtMost(1.1),
    );
}
