//! Where a layout cannot be unpacked: told in the words of the command, before anything is written.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::workbench::{Workbench, read_layout};
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::appliance::{AIRLOCK, Ended, read};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::site::noise;
use crate::support::strace;

/// Runs `airlock bundle extract` while the first unnamed file in a folder is answered as on a file system that has none.
fn without_unnamed_files(bench: &Workbench, bundle: &Path, folder: &Path, output: &[&str]) -> Ended {
    let log = tempfile::NamedTempFile::new().unwrap();
    let given = [
        "-P",
        folder.to_str().unwrap(),
        "-e",
        "trace=?open",
        "-e",
        "inject=?open:error=EOPNOTSUPP:when=1",
    ]
    .map(ToOwned::to_owned);
    let root = bench.path("root.json").display().to_string();
    let bundle = bundle.to_str().unwrap();
    let words = ["--format", "json", "bundle", "extract", bundle, "--trust", &root];
    let words: Vec<_> = words.iter().chain(output).map(Into::into).collect();
    let output = strace::command(&given, log.path(), &words).output().unwrap();
    let trace = String::from_utf8(read(log.path())).unwrap();
    assert!(trace.contains("(INJECTED)"), "nothing was injected: {trace}");
    Ended::of(&output)
}

#[test]
fn a_file_system_that_cannot_take_a_layout_is_told_before_anything_is_written() {
    if !strace::available() {
        return;
    }
    let bench = Workbench::new();
    let made = bench.vendor.bundle(3, &[noise(700, 2)], SMALL_CHUNKS);
    let bundle = bench.file("bundle", &made.bytes);
    for name in ["stick", "work"] {
        fs::create_dir(bench.path(name)).unwrap();
    }
    let out = bench.path("stick/out").display().to_string();
    let work = bench.path("work").display().to_string();
    for (folder, output) in [("stick", vec!["-o", &out]), ("work", vec!["-o", "-", "--work", &work])] {
        let folder = bench.path(folder);
        let refused = without_unnamed_files(&bench, &bundle, &folder, &output);
        refused.assert_refused("E-IO", "unnamed-files", "");
        let remedy = refused.remedy();
        assert!(!remedy.contains("state folder"), "{remedy}");
        assert_eq!(
            remedy,
            "with -o DIR name a folder on ext4, xfs, btrfs or tmpfs, and copy it from there (`cp -r`); with -o - name such a folder with \
             --work; nothing was written"
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
    // As it says: unpacked on another one, and copied from there.
    let ended = bench.extract(&made, "elsewhere", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let copied = Command::new("cp")
        .arg("-r")
        .arg(bench.path("elsewhere"))
        .arg(&out)
        .status();
    assert!(copied.unwrap().success());
    assert_eq!(read_layout(Path::new(&out)), read_layout(&bench.path("elsewhere")));
    let mut piped = bench.extract_command(&bundle, "-", &[]);
    let piped = piped.arg("--work").arg(&work).output().unwrap();
    assert!(piped.status.success() && !piped.stdout.is_empty());
    assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
}

#[test]
fn room_for_all_content_is_asked_for_before_any_is_written() {
    if !in_namespace("ways_out::extract_places::room_for_all_content_is_asked_for_before_any_is_written") {
        return;
    }
    let bench = Workbench::new();
    // Little to carry, and much to unpack.
    let made = bench
        .vendor
        .bundle(3, &[vec![0; 24 << 20], noise(700, 2)], SMALL_CHUNKS);
    assert!(made.bytes.len() < 1 << 20);
    let bundle = bench.file("bundle", &made.bytes);
    let disk = Disk::mount("tmpfs").unwrap();
    disk.fill(20 << 20);
    let out = disk.path().join("out");
    let extract = |words: &[&Path]| {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "bundle", "extract"]).arg(&bundle);
        command.arg("--trust").arg(bench.path("root.json")).args(words);
        command.output().unwrap()
    };
    let to_folder = [Path::new("-o"), &out];
    let point = disk.path();
    let to_pipe = [Path::new("-o"), Path::new("-"), Path::new("--work"), &point];
    for words in [&to_folder[..], &to_pipe] {
        let refused = Ended::of(&extract(words));
        refused.assert_refused("E-SPACE", "no-space", "");
        assert_eq!(
            refused.remedy(),
            "free space there, or name another place: with -o DIR, or with -o - by --work"
        );
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "nothing is left");
    }
    assert_eq!(bench.extract(&made, "elsewhere", &[]).code, Some(0));
    disk.empty();
    assert!(extract(&to_folder).status.success());
    assert!(extract(&to_pipe).status.success());
    assert_eq!(read_layout(&out), read_layout(&bench.path("elsewhere")));
}
