//! Case F18: what surrounds a process changes nothing of what it does: environment, umask, and the folder that it is started in.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::appliance::{AIRLOCK, Ended, Serving, read, scratch, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::site::noise;

/// Every file and folder below a state folder, by whether others than its owner get at it.
fn open_to_others(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        if metadata.mode() & 0o022 != 0 || (metadata.is_dir() && metadata.mode() & 0o077 != 0) {
            found.push(format!("{:o} {}", metadata.mode(), path.display()));
        }
        if metadata.is_dir() {
            open_to_others(&path, found);
        }
    }
}

#[test]
fn f18_environment_and_current_folder_change_nothing() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    for name in ["here", "elsewhere"] {
        fs::create_dir(path(name)).unwrap();
    }
    let vendor = Vendor::new();
    let made = vendor.bundle(1, &[noise(5000, 1), noise(1_500_000, 2)], SMALL_CHUNKS);
    write(&path("bundle"), &made.bytes);
    write(&path("root.json"), &vendor.chain_file());
    // What would be taken up if anything of it were.
    let planted = "listen = [\"0.0.0.0:1\"]\nactivation = \"manual\"\nplain_http_beyond_loopback = true\n";
    for name in ["airlock.toml", ".airlock.toml", "config.toml"] {
        write(&path("here").join(name), planted.as_bytes());
    }
    write(&path("here/root.json"), b"not this one");
    symlink(path("elsewhere"), path("temporary")).unwrap();
    let names = |folder: &Path| -> Vec<_> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names(&path("here"));
    let command = |words: &[&str]| {
        let mut command = Command::new("sh");
        command
            .args(["-c", "umask 000; exec \"$0\" \"$@\"", AIRLOCK])
            .args(words)
            .arg("--state")
            .arg(path("state"))
            .current_dir(path("here"))
            .stdin(Stdio::null())
            .env("TMPDIR", path("temporary"))
            .env("HOME", path("here"))
            .env("XDG_CONFIG_HOME", path("here"))
            .env("LD_PRELOAD", path("here").join("evil.so"))
            .envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"].map(|name| (name, "http://192.0.2.1:3128")));
        command
    };
    let run = |words: &[&str]| {
        let output = command(words).output().unwrap();
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ended::of(&output)
    };
    let (root, bundle) = (path("root.json"), path("bundle"));
    run(&["init", "--site", "plant", "--trust", root.to_str().unwrap()]);
    let imported = run(&["--format", "json", "import", bundle.to_str().unwrap()]);
    assert_eq!(
        (imported.word(), &imported.result["active"]),
        ("imported", &true.into())
    );
    let server = Serving::spawn(command(&["serve", "--listen", "127.0.0.1:0"]));
    server.assert_serves(&made);
    // It has given up what it never needs, whatever it was started with.
    let limits = String::from_utf8(read(Path::new(&format!("/proc/{}/status", server.id())))).unwrap();
    assert!(
        limits.contains("\nNoNewPrivs:\t1\n") && limits.contains("\nSeccomp:\t2\n"),
        "{limits}"
    );
    assert!(server.stop().success());
    let mut found = Vec::new();
    open_to_others(&path("state"), &mut found);
    assert_eq!(found, Vec::<String>::new());
    assert_eq!((names(&path("here")), names(&path("elsewhere"))), (before, Vec::new()));
}
