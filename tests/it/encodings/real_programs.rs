//! Layers that programs of this machine compressed, from a release file to a site's store.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use airlock::producer::Sample;
use serde_json::{Value, json};

use crate::support::image_set::{ImageSet, MANIFEST};
use crate::support::python::python;
use crate::support::site::noise;
use crate::vendor::cli::CommandFolder;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const PYTHON: &str = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read(), 9, mtime=7))";

/// What repeats itself farther away than deflate reaches.
fn plain(seed: u64) -> Vec<u8> {
    [&Sample::Text.plain()[..30_000], &noise(30_000, seed)]
        .concat()
        .repeat(3)
}

/// What a program makes of some plain; nothing where it is not installed.
fn piped(command: &mut Command, plain: &[u8]) -> Option<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(plain).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    Some(output.stdout)
}

fn image(folder: &CommandFolder, name: &str, layers: &[Vec<u8>]) {
    let mut set = ImageSet::default();
    let layers: Vec<Value> = layers.iter().map(|bytes| set.blob(LAYER, bytes)).collect();
    let diffs: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diffs}});
    let config = set.blob(
        "application/vnd.oci.image.config.v1+json",
        config.to_string().as_bytes(),
    );
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let manifest = set.manifest(&manifest);
    set.tag("1", &manifest);
    set.write_folder(&folder.path(name), &[manifest]);
}

#[test]
fn layers_that_programs_compressed_are_made_again_at_a_site() {
    let folder = CommandFolder::new();
    let mut layers = vec![piped(python().args(["-c", PYTHON]), &plain(1)).unwrap()];
    let mut producers = vec!["zlib-1-9"];
    if let Some(made) = piped(Command::new("pigz").args(["-9", "--no-time", "-c"]), &plain(2)) {
        layers.push(made);
        producers.push("pigz-1-9");
    }
    image(&folder, "layout", &layers);
    let mut images = "    - {source: \"oci:layout:1\", name: \"registry.test/acme/web:1\"}\n".to_owned();
    image(&folder, "flat", &[plain(3)]);
    let mut skopeo = Command::new("skopeo");
    skopeo.args([
        "--insecure-policy",
        "copy",
        "--dest-compress",
        "--dest-compress-format",
        "gzip",
    ]);
    for (name, tag) in [("flat", "oci:"), ("squeezed", "oci:")] {
        skopeo.arg(format!("{tag}{}:1", folder.path(name).display()));
    }
    if skopeo.output().is_ok_and(|output| output.status.success()) {
        images += "    - {source: \"oci:squeezed:1\", name: \"registry.test/acme/squeezed:1\"}\n";
        producers.push("pgzip-1-5");
    }
    let text = format!(
        "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\nimages:\n{images}"
    );
    fs::write(folder.path("release.yaml"), text).unwrap();
    let said = folder.good(&["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "bundle"]);
    let made = said["encodings"]["producers"].as_object().unwrap();
    producers.sort_unstable();
    assert_eq!(made.keys().map(String::as_str).collect::<Vec<_>>(), producers, "{said}");
    folder.good(&["init", "--trust", "w/root.json", "--site", "plant", "--state", "state"]);
    folder.good(&["import", "bundle", "--state", "state"]);
    let mut seen = 0;
    for layout in ["layout", "squeezed"] {
        let Ok(blobs) = fs::read_dir(folder.path(layout).join("blobs/sha256")) else {
            continue;
        };
        for blob in blobs {
            let path = blob.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let stored = folder.path("state/blobs/sha256").join(&name[..2]).join(name);
            assert!(fs::read(&path).unwrap() == fs::read(&stored).unwrap(), "{name}");
            seen += usize::from(fs::metadata(&path).unwrap().len() > 65_536);
        }
    }
    assert_eq!(seen, producers.len());
}
