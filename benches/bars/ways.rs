//! In and out: a bundle made from a registry, extracted, and mirrored into another registry.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use airlock::domain::{Clock as _, SystemClock};
use airlock::vendor_side::collect::RegistryOptions;
use airlock::vendor_side::release::Overrides;
use airlock::vendor_side::release_file::ReleaseFile;
use airlock::vendor_side::{
    AskSecret, Build, BuildEvent, Destination, EncodeOptions, Encodings, PackEvent, SigningTime, build, release_keys,
};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::measure::{Start, Taken, job, of_process};
use super::report::{Bar, Report};
use super::servers::{Names, Running, airlock};
use super::{Bench, import, vendor};

/// In the child: a bundle of the images of a registry, up to its seal. What a run before has kept is not used, and nothing is kept.
pub(crate) fn create(vendor: &Path, file: &Path, out: &Path) -> Vec<Taken> {
    let workspace = vendor::workspace(vendor);
    let start = Start::now();
    let release = ReleaseFile::parse(file, &fs::read_to_string(file).unwrap()).unwrap();
    let overrides = Overrides {
        issued_at: Some(SystemClock.now()),
        encode: EncodeOptions {
            encodings: Encodings::None,
            cache: false,
            ..EncodeOptions::default()
        },
        ..Overrides::default()
    };
    let registries = RegistryOptions::default();
    let inputs = Build {
        file: &release,
        overrides: &overrides,
        registries: &registries,
        keys: &release_keys(&workspace, &[], &mut |_| unreachable!("the keys have no passphrase")).unwrap(),
        ack_keys: None,
        secrets: AskSecret::Assumed,
        time: SigningTime::at(SystemClock.now()),
    };
    let mut sealed = None;
    build(&workspace, &inputs, Destination::File(out), &mut |event| {
        if let (BuildEvent::Packing(PackEvent::ReadingBack(..)), None) = (&event, &sealed) {
            sealed = Some(start.taken());
        }
    })
    .unwrap();
    vec![sealed.unwrap()]
}

/// The built program with these words, to its end.
fn run(words: &[&str]) -> Taken {
    let at = Instant::now();
    let mut child = Command::new(airlock())
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    let taken = Taken {
        wall: at.elapsed().as_secs_f64(),
        ..of_process(&child.id().to_string())
    };
    assert!(child.wait().unwrap().success(), "{words:?} failed");
    taken
}

/// Writes the release file of the first `count` images, from a registry.
fn release_file(set: &Path, names: &Names, address: SocketAddr, count: usize) -> PathBuf {
    let mut text =
        "product: bench\nchannel: stable\nversion: \"1.0\"\nsequence: 1\nexpires_in: 2000d\naudience: any\nimages:\n"
            .to_owned();
    for (repository, tag, _) in names.tagged.iter().take(count) {
        text += &format!("  - source: {address}/{repository}:{tag}\n    name: {repository}:{tag}\n");
    }
    let path = set.join(format!("from-registry-{count}.yaml"));
    fs::write(&path, text).unwrap();
    path
}

pub(crate) fn bars(bench: &Bench, report: &mut Report) {
    let set = bench.images();
    let bundle = vendor::bundle(&set);
    let names = Names::of(&set.folder);
    let work = bench.folder.join("ways");
    fs::create_dir_all(&work).unwrap();
    let Some(server) = Running::distribution(&names, &work.join("full")) else {
        return report.skipped("create from a registry, mirror", "no registry program");
    };
    server.wait_for(&server.manifest(&names.manifest), None);
    let folder = set.folder.to_str().unwrap();
    let (out, vendor) = (work.join("out"), work.join("vendor"));
    let count = names.tagged.len();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let few = text(&release_file(&set.folder, &names, server.address, count / 4));
    let all = text(&release_file(&set.folder, &names, server.address, count));
    let (list, address) = (text(&names.list(&work)), server.address.to_string());
    let [mut ours, mut floor, mut small, mut large] = [const { Vec::new() }; 4];
    let made = text(&out);
    for _ in 0..bench.rounds {
        for (file, peaks) in [(&few, &mut small), (&all, &mut large)] {
            fs::remove_file(&out).ok();
            // A workspace knows which numbers it signed.
            fs::remove_dir_all(&vendor).ok();
            let taken = job(&[], &["create-from", vendor.to_str().unwrap(), file, &made])[0];
            peaks.push(taken.peak / f64::from(1 << 20));
            ours.push(taken.wall);
        }
        // Only the whole counts.
        ours.remove(ours.len() - 2);
        fs::remove_file(&out).unwrap();
        floor.push(job(&[], &["floor-fetch", &list, &address, &made])[0].wall);
    }
    fs::remove_file(&out).unwrap();
    drop(server);
    report.beside(
        "create from a registry of 50 images: time",
        "s",
        &ours,
        &floor,
        Bar::AtMost(1.3),
    );
    report.beside(
        "the same: memory, beside a quarter of them",
        "MiB",
        &large,
        &small,
        Bar::AtMost(1.1),
    );
    extract_bars(bench, report, &text(&bundle), folder);
    mirror_bars(bench, report, &list, folder);
}

fn extract_bars(bench: &Bench, report: &mut Report, bundle: &str, set: &str) {
    let (out, bare) = (bench.folder.join("ways/extracted"), bench.folder.join("ways/copied"));
    let trust = format!("{set}/workspace/root.json");
    let [mut ours, mut floor, mut cpu, mut bare_cpu] = [const { Vec::new() }; 4];
    let copied = bench.folder.join("ways/taken");
    for _ in 0..bench.rounds {
        for folder in [&out, &bare] {
            fs::remove_dir_all(folder).ok();
        }
        let words = [
            "bundle",
            "extract",
            bundle,
            "--trust",
            &trust,
            "-o",
            out.to_str().unwrap(),
        ];
        let taken = run(&words);
        ours.push(taken.wall);
        cpu.push(taken.user + taken.system);
        let blobs = super::data::blob_folder(Path::new(set));
        floor.push(job(&[], &["floor-cp", blobs.to_str().unwrap(), bare.to_str().unwrap()])[0].wall);
        // What `cp` need not do: hash what is stored, decode it, hash what comes out.
        let taken = &job(&[], &["floor-take-in", bundle, copied.to_str().unwrap()])[0];
        bare_cpu.push(taken.user + taken.system);
        fs::remove_file(&copied).unwrap();
    }
    for folder in [&out, &bare] {
        fs::remove_dir_all(folder).unwrap();
    }
    report.beside(
        "extract, beside cp of the blobs and sync",
        "s",
        &ours,
        &floor,
        Bar::AtMost(1.3),
    );
    report.beside(
        "the same: CPU, beside hashing and decoding",
        "s",
        &cpu,
        &bare_cpu,
        Bar::None,
    );
}

fn mirror_bars(bench: &Bench, report: &mut Report, list: &str, set: &str) {
    let work = bench.folder.join("ways");
    let (state, config) = (work.join("state"), work.join("mirror.toml"));
    import::fresh_state(Path::new(set), &state);
    job(&[], &["import", set, state.to_str().unwrap()]);
    let [mut ours, mut floor] = [const { Vec::new() }; 2];
    for _ in 0..bench.rounds {
        let server = Running::empty_distribution(&work.join("empty")).unwrap();
        fs::write(
            &config,
            format!("[mirror]\nregistry = \"{}\"\nplain_http = true\n", server.address),
        )
        .unwrap();
        let words = [
            "mirror",
            "--config",
            config.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ];
        ours.push(run(&words).wall);
        drop(server);
        let server = Running::empty_distribution(&work.join("empty")).unwrap();
        floor.push(job(&[], &["floor-push", list, &server.address.to_string()])[0].wall);
    }
    report.beside("mirror, beside a bare uploader", "s", &ours, &floor, Bar::AtMost(1.3));
}
