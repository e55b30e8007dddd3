//! `bundle verify` and `import`: large blobs beside hashing and copying, small blobs beside `tar x` and `sync`.

use std::fs;
use std::path::Path;
use std::process::Command;

use airlock::appliance::{Appliance, Event, NewAppliance, Options, Outcome, init};
use airlock::bundle::{CheckOnly, OpenedBundle};
use airlock::domain::{Clock as _, SystemClock};
use airlock::media;

use super::measure::{Start, Taken, job, timed};
use super::report::{Bar, Report, median};
use super::{Bench, data, vendor};

/// In the child: verifies the bundle of a set.
pub(crate) fn verify(set: &Path) -> Vec<Taken> {
    let workspace = vendor::workspace(set);
    timed(|| {
        let source = media::open(&set.join("bundle.airlock"), None).unwrap();
        let opened = OpenedBundle::open(source.input).unwrap();
        let bundle = opened
            .verify(workspace.chain())
            .unwrap()
            .read_index(|_, _| Ok(()))
            .unwrap();
        bundle.read_payload(&mut CheckOnly(|_| ())).unwrap();
    })
}

/// In the child: imports the bundle of a set.
pub(crate) fn ours(set: &Path, state: &Path) -> Vec<Taken> {
    timed(|| {
        let appliance = Appliance::open(state, std::sync::Arc::new(SystemClock)).unwrap();
        let bundle = set.join("bundle.airlock");
        let imported = appliance
            .import(
                || media::open(&bundle, None),
                &Options::default(),
                &SystemClock,
                &mut |_| (),
            )
            .unwrap();
        assert!(
            matches!(imported.result, Outcome::Published { activated: Some(_), .. }),
            "{imported:?}"
        );
    })
}

/// In the child: imports the bundle of a set until so much of it was read, and is gone then as after a power cut.
pub(crate) fn until(set: &Path, state: &Path, percent: u64) -> Vec<Taken> {
    let start = Start::now();
    let bundle = set.join("bundle.airlock");
    let appliance = Appliance::open(state, std::sync::Arc::new(SystemClock)).unwrap();
    let mut told = |event: Event<'_>| {
        if let Event::Progress { done, total } = event
            && done * 100 >= total * percent
        {
            super::measure::tell(&[start.taken()]);
            std::process::exit(0);
        }
    };
    let imported = appliance.import(
        || media::open(&bundle, None),
        &Options::default(),
        &SystemClock,
        &mut told,
    );
    panic!("the import came to its end: {imported:?}");
}

/// In the child: goes on with such an import. Returns what all of it took, what passed before the first progress, and, as bytes read, what
/// the earlier try spared it.
pub(crate) fn on(set: &Path, state: &Path) -> Vec<Taken> {
    let start = Start::now();
    let mut first = None;
    let bundle = set.join("bundle.airlock");
    let appliance = Appliance::open(state, std::sync::Arc::new(SystemClock)).unwrap();
    let mut told = |event: Event<'_>| {
        if let (Event::Progress { .. }, None) = (event, &first) {
            first = Some(start.taken());
        }
    };
    let imported = appliance
        .import(
            || media::open(&bundle, None),
            &Options::default(),
            &SystemClock,
            &mut told,
        )
        .unwrap();
    let Outcome::Published { resumed_bytes, .. } = imported.result else {
        panic!("{imported:?}");
    };
    let spared = Taken {
        read: resumed_bytes as f64,
        ..Taken::default()
    };
    vec![start.taken(), first.unwrap(), spared]
}

/// Makes an appliance with nothing in it.
pub(crate) fn fresh_state(set: &Path, state: &Path) {
    if state.try_exists().unwrap() {
        fs::remove_dir_all(state).unwrap();
    }
    let workspace = vendor::workspace(set);
    let new = NewAppliance {
        name: "bench",
        pins: &[workspace.chain().clone()],
        now: SystemClock.now(),
    };
    init(state, &new).unwrap();
}

pub(crate) fn large_bars(bench: &Bench, report: &mut Report) {
    let set = bench.large();
    let bundle = vendor::bundle(&set);
    let (state, copied) = (bench.folder.join("state"), bench.folder.join("copied"));
    let (folder, file) = (set.folder.to_str().unwrap(), bundle.to_str().unwrap());
    let content = set.content_bytes();
    // One pass over what is stored and one over what it decodes to.
    let hashed = (vendor::size(&bundle) + content as f64).to_string();
    let mut imported = Vec::new();
    let mut verified = Vec::new();
    let mut hash_cpu = Vec::new();
    let [mut read, mut hash, mut openssl, mut copy] = [const { Vec::new() }; 4];
    let [mut bare_verify, mut bare_import, mut resumed, mut rest, mut first] = [const { Vec::new() }; 5];
    for _ in 0..bench.rounds {
        warm_memory(&bundle);
        verified.push(job(&[&bundle], &["verify", folder])[0]);
        bare_verify.push(cpu(&job(&[&bundle], &["floor-take-in", file])[0]));
        read.push(job(&[&bundle], &["floor-read", file])[0].wall);
        let pass = job(&[], &["floor-hash", "2", &hashed])[0];
        hash.push(pass.wall);
        hash_cpu.push(pass.user + pass.system);
        fresh_state(&set.folder, &state);
        imported.push(job(&[&bundle], &["import", folder, state.to_str().unwrap()])[0]);
        fs::remove_file(&copied).ok();
        let words = ["floor-copy", file, &content.to_string(), copied.to_str().unwrap()];
        copy.push(job(&[&bundle], &words)[0].wall);
        openssl.extend(openssl_passes(&bundle, &copied));
        fs::remove_file(&copied).ok();
        bare_import.push(cpu(&job(
            &[&bundle],
            &["floor-take-in", file, copied.to_str().unwrap()],
        )[0]));
        fresh_state(&set.folder, &state);
        job(&[&bundle], &["import-until", folder, state.to_str().unwrap(), "90"]);
        let parts = job(&[&bundle], &["import-on", folder, state.to_str().unwrap()]);
        resumed.push(parts[0].wall);
        first.push(parts[1].wall);
        // What was not durable is the rest, and is read, hashed and stored once.
        let left = 1.0 - parts[2].read / vendor::size(&bundle);
        rest.push(imported.last().unwrap().wall * left);
    }
    fs::remove_file(&copied).unwrap();
    fs::remove_dir_all(&state).unwrap();
    let larger = |a: &Vec<f64>, b: &Vec<f64>| if median(a) > median(b) { a.clone() } else { b.clone() };
    if openssl.is_empty() {
        report.skipped("hash floor: openssl dgst -sha256", "there is no openssl here");
    } else {
        report.beside("hash floor: sha2 beside openssl dgst", "s", &hash, &openssl, Bar::None);
    }
    let walls = |runs: &[Taken]| runs.iter().map(|run| run.wall).collect::<Vec<_>>();
    let cpus = |runs: &[Taken]| runs.iter().map(cpu).collect::<Vec<_>>();
    report.beside(
        "verify: CPU, beside the hash floor",
        "s",
        &cpus(&verified),
        &hash_cpu,
        Bar::None,
    );
    report.beside(
        "verify: CPU, read + hashes + decode",
        "s",
        &cpus(&verified),
        &bare_verify,
        Bar::AtMost(1.4),
    );
    report.beside(
        "import large: CPU, beside the hash floor",
        "s",
        &cpus(&imported),
        &hash_cpu,
        Bar::None,
    );
    report.beside(
        "import large: CPU, the same + buffered write",
        "s",
        &cpus(&imported),
        &bare_import,
        Bar::AtMost(1.8),
    );
    report.beside(
        "resume at 90 %: the rest of an import",
        "s",
        &resumed,
        &rest,
        Bar::AtMost(1.1),
    );
    report.alone("resume at 90 %: first progress", "s", &first, Bar::AtMost(2.0));
    let (verified, walls) = (walls(&verified), walls(&imported));
    report.beside(
        "verify: max(hash, cold read)",
        "s",
        &verified,
        &larger(&hash, &read),
        Bar::None,
    );
    report.beside("import large: beside the hash floor", "s", &walls, &hash, Bar::None);
    report.beside("import large: beside read, write, fsync", "s", &walls, &copy, Bar::None);
    report.beside(
        "import large: max of both",
        "s",
        &walls,
        &larger(&hash, &copy),
        Bar::AtMost(1.3),
    );
    let written: Vec<f64> = imported.iter().map(|run| run.written / content as f64).collect();
    report.alone(
        "import large: bytes written / content",
        "x",
        &written,
        Bar::AtMost(1.01),
    );
}

/// Reads a bundle, and counts nothing of it. A virtual machine gives memory that was freed back to its host, and whoever uses it first after
/// that pays for it: as much again as a cold read costs, and nothing to do with what is measured.
fn warm_memory(bundle: &Path) {
    job(&[bundle], &["floor-read", bundle.to_str().unwrap()]);
}

fn cpu(run: &Taken) -> f64 {
    run.user + run.system
}

/// What travels as it is: nothing is decoded, and what is left are two hashes of each byte and a read.
pub(crate) fn noise_bars(bench: &Bench, report: &mut Report) {
    let set = bench.noise();
    let bundle = vendor::bundle(&set);
    let (folder, file) = (set.folder.to_str().unwrap(), bundle.to_str().unwrap());
    let hashed = (vendor::size(&bundle) + set.content_bytes() as f64).to_string();
    let [mut ours, mut hash, mut read] = [const { Vec::new() }; 3];
    for _ in 0..bench.rounds {
        warm_memory(&bundle);
        ours.push(job(&[&bundle], &["verify", folder])[0].wall);
        hash.push(job(&[], &["floor-hash", "2", &hashed])[0].wall);
        read.push(job(&[&bundle], &["floor-read", file])[0].wall);
    }
    let floor = if median(&hash) > median(&read) { hash } else { read };
    report.beside(
        "verify none: max(hash, cold read)",
        "s",
        &ours,
        &floor,
        Bar::AtMost(1.3),
    );
}

/// 64 layers of 8 MiB: each larger than a chunk, none of them large.
pub(crate) fn layer_bars(bench: &Bench, report: &mut Report) {
    let set = bench.layers();
    let bundle = vendor::bundle(&set);
    let (state, copied) = (bench.folder.join("state"), bench.folder.join("copied"));
    let (folder, file) = (set.folder.to_str().unwrap(), bundle.to_str().unwrap());
    let content = set.content_bytes();
    let hashed = (vendor::size(&bundle) + content as f64).to_string();
    let [mut ours, mut hash, mut copy] = [const { Vec::new() }; 3];
    for _ in 0..bench.rounds {
        fresh_state(&set.folder, &state);
        ours.push(job(&[&bundle], &["import", folder, state.to_str().unwrap()])[0].wall);
        hash.push(job(&[], &["floor-hash", "2", &hashed])[0].wall);
        fs::remove_file(&copied).ok();
        let words = ["floor-copy", file, &content.to_string(), copied.to_str().unwrap()];
        copy.push(job(&[&bundle], &words)[0].wall);
    }
    fs::remove_file(&copied).unwrap();
    fs::remove_dir_all(&state).unwrap();
    let floor = if median(&hash) > median(&copy) { hash } else { copy };
    report.beside(
        "import layers of 8 MiB: max of both",
        "s",
        &ours,
        &floor,
        Bar::AtMost(1.3),
    );
}

/// Two processes at once, each a pass over one of the files; nothing where there is no openssl.
fn openssl_passes(bundle: &Path, copied: &Path) -> Option<f64> {
    let start = std::time::Instant::now();
    let passes = [bundle, copied].map(|path| {
        Command::new("openssl")
            .args(["dgst", "-sha256"])
            .arg(path)
            .stdout(std::process::Stdio::null())
            .spawn()
    });
    for pass in passes {
        assert!(pass.ok()?.wait().unwrap().success());
    }
    Some(start.elapsed().as_secs_f64())
}

pub(crate) fn small_bars(bench: &Bench, report: &mut Report) {
    let set = bench.small();
    let bundle = vendor::bundle(&set);
    let archive = set.folder.join("blobs.tar");
    if !archive.try_exists().unwrap() {
        let blobs = data::blob_folder(&set.folder);
        let status = Command::new("tar")
            .arg("cf")
            .arg(&archive)
            .arg("-C")
            .arg(blobs)
            .arg(".")
            .status();
        assert!(status.unwrap().success());
    }
    // A folder a round, and none of them removed before the last: ext4 passes over inodes that were freed within the last minutes, one by
    // one and for each new file, which took seventeen times as long as making the file.
    let made = bench.folder.join("small-rounds");
    if made.try_exists().unwrap() {
        fs::remove_dir_all(&made).unwrap();
    }
    let [mut ours, mut floor] = [const { Vec::new() }; 2];
    for round in 0..bench.rounds {
        let folder = made.join(round.to_string());
        let (state, unpacked) = (folder.join("state"), folder.join("unpacked"));
        fs::create_dir_all(&unpacked).unwrap();
        fresh_state(&set.folder, &state);
        let words = ["import", set.folder.to_str().unwrap(), state.to_str().unwrap()];
        ours.push(job(&[&bundle], &words)[0]);
        let words = ["floor-tar", archive.to_str().unwrap(), unpacked.to_str().unwrap()];
        floor.push(job(&[&archive], &words)[0]);
    }
    fs::remove_dir_all(&made).unwrap();
    let wall = |runs: &[Taken]| runs.iter().map(|run| run.wall).collect::<Vec<_>>();
    report.beside(
        "import small: tar x + sync",
        "s",
        &wall(&ours),
        &wall(&floor),
        Bar::AtMost(1.5),
    );
    let cpu: Vec<f64> = ours.iter().map(|run| run.user + run.system).collect();
    report.alone("import small: CPU", "s", &cpu, Bar::None);
}
