//! Updates by what changed: two versions of an image as real engines build them, the second carried as a delta, and what a site answers
//! that has lost what the second is copied from.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::airlock::{Site, Vendor};
use crate::http::digest;
use crate::process::Program;
use crate::world::World;
use crate::{Outcome, ensure};

/// What a container of each version prints.
const SAYS: [&str; 2] = ["the first\n", "made again of the first\n"];
/// Bytes of this program in the layer, twice.
const CODE: usize = 3 << 18;
/// The pages of an index have fewer bytes: they are read before what it needs is looked at. The payload has more.
const PAGES: u64 = 64 << 10;
/// The container's command.
const ENTRYPOINT: [&str; 3] = ["/bin/busybox", "cat", "/says"];
/// Exit codes of the refusals: `E-DEPENDENCY` and `E-STATE`.
const DEPENDENCY: i32 = 21;
const STATE: i32 = 27;

/// Builds an image with two engines in two versions, updates a site by delta, and runs what arrives; then takes the base away.
pub(crate) fn a_layer_is_updated_by_what_changed(world: &World) -> Outcome {
    let dir = world.folder("deltas")?;
    let engines = [Engine::Docker, Engine::Podman];
    for version in [1, 2] {
        let tree = tree(&dir, version)?;
        for engine in engines {
            engine.push(world, &dir, &tree, version)?;
        }
    }
    let vendor = Vendor::new(&dir)?;
    let bundle = |number: u32| dir.join(format!("release-{number}.airlock"));
    let images = |version: u32| {
        let lines = engines.map(|engine| {
            let name = engine.name();
            format!(
                "  - {{source: \"{}/deltas/{name}:{version}\", name: \"registry.acme.example/deltas/{name}:{version}\"}}\n",
                world.plain.host()
            )
        });
        format!(
            "audience: any\nhome_hosts: [registry.acme.example]\nimages:\n{}",
            lines.concat()
        )
    };
    vendor.create(1, &images(1), &bundle(1))?.ok()?;
    let told = vendor
        .create(2, &images(2), &bundle(2))?
        .args(["--format", "json", "--base"])
        .arg(bundle(1))
        .ok()?;
    let told: Value = serde_json::from_str(&told)?;
    let mut bases = Vec::new();
    for engine in engines {
        let layer = engine.layer(world, 2)?;
        let blobs = told["encodings"]["blobs"].as_array().ok_or("no report of encodings")?;
        let found = blobs.iter().find(|blob| blob["digest"] == json!(layer));
        let found = found.ok_or_else(|| format!("nothing of {layer} in {told}"))?;
        let (travel, size) = (found["travel_size"].as_u64(), found["size"].as_u64());
        let is_small = travel.zip(size).is_some_and(|(travel, size)| travel * 20 < size);
        ensure(found["encoding"] == "delta" && is_small, || {
            format!("the layer of {} is no small delta: {found}", engine.name())
        })?;
        bases.push(found["bases"][0].as_str().ok_or("a delta without base")?.to_owned());
    }

    let site = Site::new(&dir, &vendor.root())?;
    site.imported(bundle(1))?;
    let [absent, damaged] = [copy_of(&site, &dir, "absent")?, copy_of(&site, &dir, "damaged")?];
    site.imported(bundle(2))?;
    runs_what_arrived(world, &site, &engines)?;

    // The twin of the two below: this trace shows what is written where.
    let twin = copy_of(&absent, &dir, "twin")?;
    let (code, trace, said) = traced_import(&twin, &bundle(2), &dir)?;
    let (named, written) = changes(&trace);
    ensure(code == 0 && !named.is_empty() && written > PAGES, || {
        format!("an import that writes {written} bytes: {code}, {named:#?}, {said}")
    })?;
    let base = bases.first().ok_or("no base")?;
    fs::remove_file(stored(&absent, base))?;
    let before = content(&absent)?;
    let (code, trace, said) = traced_import(&absent, &bundle(2), &dir)?;
    ensure(code == DEPENDENCY && says(&said, "E-DEPENDENCY", "X10"), || {
        format!("without the base: {code}, {said}")
    })?;
    let (named, written) = changes(&trace);
    ensure(
        named.is_empty() && written < PAGES && content(&absent)? == before,
        || format!("without the base it wrote {written} bytes and did {named:#?}"),
    )?;

    let path = stored(&damaged, base);
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).ok_or("an empty base")? ^= 1;
    fs::remove_file(&path)?;
    fs::write(&path, bytes)?;
    let (code, trace, said) = traced_import(&damaged, &bundle(2), &dir)?;
    ensure(code == STATE && says(&said, "E-STATE", "X10"), || {
        format!("with a damaged base: {code}, {said}")
    })?;
    // It is set aside, as by whoever else meets it; nothing else is touched.
    let (_, hex) = base.split_once(':').ok_or("a digest without algorithm")?;
    let (mut named, written) = changes(&trace);
    named.retain(|line| !line.contains(hex));
    ensure(named.is_empty() && written < PAGES, || {
        format!("with a damaged base it wrote {written} bytes and did {named:#?}")
    })?;
    // The first bundle brings it again, and then the second comes in.
    for lame in [&absent, &damaged] {
        lame.import(bundle(1)).ok()?;
        lame.imported(bundle(2))?;
    }
    Ok(())
}

/// Pulls each image by digest with docker and podman from a site, and runs it.
fn runs_what_arrived(world: &World, site: &Site, engines: &[Engine]) -> Outcome {
    let server = site.serve()?;
    for engine in engines {
        let (source, repository) = (world.plain.client(), format!("deltas/{}", engine.name()));
        let (there, here) = (source.pull(&repository, "2")?, server.client().pull(&repository, "2")?);
        ensure(there == here, || {
            format!("{repository}: the source has {there:?}, the site {here:?}")
        })?;
        let top = digest(&source.get(&format!("/v2/{repository}/manifests/2"))?.body);
        let image = format!("{}/{repository}@{top}", server.host());
        world.docker.pull(&image)?;
        let printed = world.docker.run(&image)?;
        ensure(printed == SAYS[1], || {
            format!("docker: {repository} printed {printed:?}")
        })?;
        world.docker.forget(&image)?;
        world.podman.pull(&image)?;
        let printed = world.podman.run(&image)?;
        ensure(printed == SAYS[1], || {
            format!("podman: {repository} printed {printed:?}")
        })?;
    }
    Ok(())
}

/// What is in the layer: in the second version a file is another one, and a large one has some bytes more near its beginning, so that
/// the rest has moved.
fn tree(dir: &Path, version: usize) -> Outcome<PathBuf> {
    let tree = dir.join(format!("tree-{version}"));
    fs::create_dir_all(tree.join("bin"))?;
    fs::copy("/bin/busybox", tree.join("bin/busybox"))?;
    fs::write(tree.join("says"), SAYS[version - 1])?;
    let code = fs::read(std::env::current_exe()?)?;
    let code = code.get(..CODE).unwrap_or(&code);
    let (first, rest) = code.split_at(code.len() / 7);
    let moved = if version == 1 { &b""[..] } else { b"not a whole block" };
    fs::write(tree.join("archive"), [first, moved, rest].concat())?;
    fs::write(tree.join("same"), code)?;
    Ok(tree)
}

/// Who builds an image.
#[derive(Debug, Clone, Copy)]
enum Engine {
    Docker,
    Podman,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Leaves the image `deltas/NAME:VERSION` in the vendor's registry.
    fn push(self, world: &World, dir: &Path, tree: &Path, version: usize) -> Outcome {
        let name = format!("{}/deltas/{}:{version}", world.plain.host(), self.name());
        let entrypoint = format!("ENTRYPOINT {}", json!(ENTRYPOINT));
        match self {
            Self::Docker => {
                fs::write(
                    tree.with_extension("dockerfile"),
                    format!("FROM scratch\nCOPY . /\n{entrypoint}\n"),
                )?;
                world.docker.owns(&name);
                let build = world.docker.command().args(["build", "--quiet", "--network", "none"]);
                build
                    .args(["--tag", &name, "--file"])
                    .arg(tree.with_extension("dockerfile"))
                    .arg(tree)
                    .ok()?;
                world.docker.command().args(["push", &name]).ok()?;
            }
            Self::Podman => {
                let tar = dir.join(format!("tree-{version}.tar"));
                Program::new("tar")
                    .arg("-C")
                    .arg(tree)
                    .arg("-cf")
                    .arg(&tar)
                    .args(["bin", "archive", "same", "says"])
                    .ok()?;
                let import = world.podman.command().args(["import", "--change", &entrypoint]);
                import.arg(&tar).arg(&name).ok()?;
                let push = world.podman.command();
                push.args(["push", "--tls-verify=false", &name]).ok()?;
            }
        }
        Ok(())
    }

    /// The digest of the image's one layer.
    fn layer(self, world: &World, version: usize) -> Outcome<String> {
        let path = format!("/v2/deltas/{}/manifests/{version}", self.name());
        let manifest: Value = serde_json::from_slice(&world.plain.client().get(&path)?.body)?;
        let digest = manifest["layers"][0]["digest"].as_str();
        Ok(digest.ok_or("a manifest without layers")?.to_owned())
    }
}

/// A copy of a site's state folder, as of a machine that has come as far.
fn copy_of(site: &Site, dir: &Path, name: &str) -> Outcome<Site> {
    let state = dir.join(name);
    Program::new("cp").arg("-a").arg(&site.state).arg(&state).ok()?;
    Ok(Site {
        state,
        enrolment: site.enrolment.clone(),
    })
}

fn stored(site: &Site, digest: &str) -> PathBuf {
    let hex = digest.trim_start_matches("sha256:");
    let folder = hex.get(..2).unwrap_or_default();
    site.state.join("blobs/sha256").join(folder).join(hex)
}

fn says(said: &str, class: &str, step: &str) -> bool {
    said.contains(class) && said.contains(step)
}

/// Imports under strace; returns the exit code, the calls that name files or write, and what the command said.
fn traced_import(site: &Site, bundle: &Path, dir: &Path) -> Outcome<(i32, String, String)> {
    let trace = dir.join("trace");
    let traced = Program::new("strace")
        .words("-f -y -e signal=none -e trace=%file,%desc -o")
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_airlock"));
    let said = traced
        .args(["--format", "json", "import"])
        .arg(bundle)
        .arg("--state")
        .arg(&site.state)
        .run()?;
    let code = said.status.code().ok_or("ended by a signal")?;
    Ok((code, fs::read_to_string(&trace)?, said.stderr))
}

/// The calls of a trace that change something where content is, blobs and what is under way, and the bytes that were written into files
/// without a name there. What has no name when it is closed never was; a folder of a try that was made and taken away again is none.
fn changes(trace: &str) -> (Vec<&str>, u64) {
    const CHANGING: [&str; 14] = [
        "write(",
        "pwrite64(",
        "writev(",
        "pwritev",
        "copy_file_range(",
        "ftruncate(",
        "fallocate(",
        "rename",
        "link",
        "symlink",
        "unlink",
        "creat(",
        "truncate(",
        "fchmod",
    ];
    const OPENING: [&str; 3] = ["O_CREAT", "O_WRONLY", "O_RDWR"];
    let (mut named, mut unnamed) = (Vec::new(), 0);
    for line in trace.lines().filter(|line| !line.contains(" = -1 ")) {
        let call = line.split_once(' ').map_or(line, |(_, call)| call.trim_start());
        let opens = call.starts_with("open") && OPENING.iter().any(|flag| call.contains(flag));
        let is_change = opens || CHANGING.iter().any(|name| call.starts_with(name));
        let is_content = line.contains("/blobs") || line.contains("/incoming") || line.contains("\"incoming");
        if !is_change || !is_content || call.contains("O_TMPFILE") || call.contains("AT_REMOVEDIR") {
            continue;
        }
        if call.contains("(deleted)") && !call.starts_with("link") {
            let written = call
                .rsplit_once(" = ")
                .and_then(|(_, count)| count.trim().parse::<u64>().ok());
            unnamed += written.unwrap_or(0);
        } else {
            named.push(line);
        }
    }
    (named, unnamed)
}

/// Every file and folder where content is, with its size.
fn content(site: &Site) -> Outcome<String> {
    Program::new("find")
        .arg(site.state.join("blobs"))
        .arg(site.state.join("incoming"))
        .args(["-type", "f", "-printf", "%p:%s\\n"])
        .ok()
}
