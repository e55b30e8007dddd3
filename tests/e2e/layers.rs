//! Layers as real tools make them: each travels as a recipe, arrives byte for byte, and runs.
//!
//! | Tool | Compresses with | Known as |
//! |---|---|---|
//! | `docker push` | Go's library | `go-1-6` |
//! | `podman push`, `buildah push`, `skopeo copy` | pgzip over klauspost/compress | `pgzip-…-5` |
//! | `crane append` | Go's library, fastest | `go-1-1` |
//! | `pigz -9`, as base images of Debian are | pigz | `pigz-1-9` |
//! | Python's `gzip` | zlib | `zlib-1-9` |

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::airlock::{Site, Vendor};
use crate::clients::skopeo;
use crate::http::{Client, digest};
use crate::process::Program;
use crate::world::World;
use crate::{Outcome, ensure, needs};

/// What a container of each image prints.
const SAYS: &str = "rebuilt to the byte\n";
/// Bytes of this program in each layer, twice: machine code, which compresses as programs do, and once more out of a deflate's sight.
const CODE: usize = 3 << 18;
/// The container's command.
const ENTRYPOINT: [&str; 3] = ["/bin/busybox", "cat", "/says"];

/// Makes one image with each tool, carries all of them, and runs what arrives.
pub(crate) fn layers_of_real_tools_are_rebuilt(world: &World) -> Outcome {
    for program in ["buildah", "pigz", "crane"] {
        needs(program)?;
    }
    let dir = world.folder("layers")?;
    let tree = Tree::new(&dir)?;
    let tools = Tools {
        world,
        dir: &dir,
        tree: &tree,
    };
    let made: [(&str, &[&str]); 7] = [
        (tools.docker()?, &["go-1-6"]),
        (tools.podman()?, &["pgzip-1-5", "pgzip-2-5"]),
        (tools.buildah()?, &["pgzip-1-5", "pgzip-2-5"]),
        (tools.skopeo()?, &["pgzip-1-5", "pgzip-2-5"]),
        (tools.crane()?, &["go-1-1"]),
        (
            tools.gzip_file("pigz", &["pigz", "-9", "--no-time", "-c"])?,
            &["pigz-1-9"],
        ),
        (tools.gzip_file("python", &["python3", "-m", "gzip"])?, &["zlib-1-9"]),
    ];
    let vendor = Vendor::new(&dir)?;
    let mut images = "audience: any\nhome_hosts: [registry.acme.example]\nimages:\n".to_owned();
    for (tool, _) in &made {
        images += &format!(
            "  - {{source: \"{0}/layers/{tool}:1\", name: \"registry.acme.example/layers/{tool}:1\"}}\n",
            world.plain.host()
        );
    }
    let bundle = dir.join("layers.airlock");
    let told: Value = serde_json::from_str(&vendor.create(1, &images, &bundle)?.args(["--format", "json"]).ok()?)?;
    let blobs = told["encodings"]["blobs"].as_array().ok_or("no report of encodings")?;
    let producers: BTreeMap<&str, &str> = blobs
        .iter()
        .filter_map(|blob| Some((blob["digest"].as_str()?, blob["producer"].as_str()?)))
        .collect();

    // The verifier that shares nothing with the product: each plain is the one that the image's own configuration states.
    let judged = Program::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/verify.py"))
        .arg(&bundle)
        .arg("--trust")
        .arg(vendor.root())
        .arg("--json")
        .ok()?;
    let judged: Value = serde_json::from_str(&judged)?;
    ensure(
        judged["diff_ids"] == json!({"layers": made.len(), "equal": made.len()}),
        || format!("verify.py says {judged}"),
    )?;

    let site = Site::new(&dir, &vendor.root())?;
    site.imported(&bundle)?;
    let server = site.serve()?;
    for (tool, expected) in made {
        let source = world.plain.client();
        let layer = layer_of(source, tool)?;
        let found = producers.get(layer.as_str()).copied();
        ensure(found.is_some_and(|found| expected.contains(&found)), || {
            format!(
                "the layer of {tool} is known as {found:?} and not as one of {expected:?}: {}",
                told["encodings"]
            )
        })?;
        // Every byte was hashed on both ways.
        let repository = format!("layers/{tool}");
        let (there, here) = (source.pull(&repository, "1")?, server.client().pull(&repository, "1")?);
        ensure(there == here, || {
            format!("{tool}: the source has {there:?}, the site {here:?}")
        })?;
        let top = digest(&source.get(&format!("/v2/{repository}/manifests/1"))?.body);
        let image = format!("{}/{repository}@{top}", server.host());
        world.docker.pull(&image)?;
        let printed = world.docker.run(&image)?;
        ensure(printed == SAYS, || format!("docker: {tool} printed {printed:?}"))?;
        world.docker.forget(&image)?;
        world.podman.pull(&image)?;
        let printed = world.podman.run(&image)?;
        ensure(printed == SAYS, || format!("podman: {tool} printed {printed:?}"))?;
    }
    Ok(())
}

/// The digest of an image's one layer, as the registry has it.
fn layer_of(registry: Client, tool: &str) -> Outcome<String> {
    let manifest: Value = serde_json::from_slice(&registry.get(&format!("/v2/layers/{tool}/manifests/1"))?.body)?;
    let layers = manifest["layers"].as_array().ok_or("a manifest without layers")?;
    ensure(layers.len() == 1, || format!("{tool} made {} layers", layers.len()))?;
    Ok(layers[0]["digest"].as_str().ok_or("a layer without digest")?.to_owned())
}

/// What is in every layer.
struct Tree {
    folder: PathBuf,
    /// The same as a tar file.
    tar: PathBuf,
}

impl Tree {
    fn new(dir: &Path) -> Outcome<Self> {
        let (folder, tar) = (dir.join("tree"), dir.join("tree.tar"));
        fs::create_dir_all(folder.join("bin"))?;
        fs::copy("/bin/busybox", folder.join("bin/busybox"))?;
        fs::write(folder.join("says"), SAYS)?;
        let code = fs::read(std::env::current_exe()?)?;
        for name in ["code", "again"] {
            fs::write(folder.join(name), code.get(..CODE).unwrap_or(&code))?;
        }
        Program::new("tar")
            .arg("-C")
            .arg(&folder)
            .arg("-cf")
            .arg(&tar)
            .args(["bin", "says", "code", "again"])
            .ok()?;
        Ok(Self { folder, tar })
    }
}

/// The tools; each leaves an image `layers/NAME:1` in the vendor's registry and returns its name.
struct Tools<'a> {
    world: &'a World,
    dir: &'a Path,
    tree: &'a Tree,
}

impl Tools<'_> {
    fn name(&self, tool: &str) -> String {
        format!("{}/layers/{tool}:1", self.world.plain.host())
    }

    fn docker(&self) -> Outcome<&'static str> {
        let (docker, name) = (&self.world.docker, self.name("docker"));
        let context = self.dir.join("context");
        fs::create_dir(&context)?;
        fs::write(
            context.join("Dockerfile"),
            format!("FROM scratch\nCOPY tree /\n{}\n", entrypoint()),
        )?;
        Program::new("cp").arg("-a").arg(&self.tree.folder).arg(&context).ok()?;
        docker.owns(&name);
        docker
            .command()
            .args(["build", "--quiet", "--network", "none", "--tag", &name])
            .arg(&context)
            .ok()?;
        docker.command().args(["push", &name]).ok()?;
        Ok("docker")
    }

    fn podman(&self) -> Outcome<&'static str> {
        let (podman, name) = (&self.world.podman, self.name("podman"));
        podman
            .command()
            .args(["import", "--change", &entrypoint()])
            .arg(&self.tree.tar)
            .arg(&name)
            .ok()?;
        podman.command().args(["push", "--tls-verify=false", &name]).ok()?;
        Ok("podman")
    }

    fn buildah(&self) -> Outcome<&'static str> {
        let name = self.name("buildah");
        let buildah = || {
            Program::new("unshare")
                .words("--mount --propagation private buildah")
                .arg("--root")
                .arg(self.dir.join("buildah"))
                .arg("--runroot")
                .arg(self.dir.join("buildah-run"))
        };
        let container = buildah().args(["from", "--name", "layers", "scratch"]).ok()?;
        let container = container.trim();
        buildah().args(["add", "--quiet", container]).arg(&self.tree.tar).ok()?;
        let command = json!(ENTRYPOINT).to_string();
        buildah().args(["config", "--entrypoint", &command, container]).ok()?;
        buildah().args(["commit", "--quiet", "--rm", container, &name]).ok()?;
        buildah().args(["push", "--quiet", "--tls-verify=false", &name]).ok()?;
        Ok("buildah")
    }

    fn skopeo(&self) -> Outcome<&'static str> {
        let layout = self.dir.join("flat");
        fs::create_dir_all(layout.join("blobs/sha256"))?;
        let tar = fs::read(&self.tree.tar)?;
        let put = |bytes: &[u8]| -> Outcome<String> {
            let name = digest(bytes);
            let (_, hex) = name.split_once(':').ok_or("a digest without algorithm")?;
            fs::write(layout.join("blobs/sha256").join(hex), bytes)?;
            Ok(name)
        };
        let [config, manifest] = image(&tar, &digest(&tar), "application/vnd.oci.image.layer.v1.tar")?;
        put(&tar)?;
        put(&config)?;
        let descriptor = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": put(&manifest)?, "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": "1"},
        });
        fs::write(layout.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        fs::write(
            layout.join("index.json"),
            json!({"schemaVersion": 2, "manifests": [descriptor]}).to_string(),
        )?;
        skopeo()
            .args(["copy", "--dest-tls-verify=false"])
            .arg(format!("oci:{}:1", layout.display()))
            .arg(format!("docker://{}", self.name("skopeo")))
            .ok()?;
        Ok("skopeo")
    }

    fn crane(&self) -> Outcome<&'static str> {
        let name = self.name("crane");
        let crane = || Program::new("crane").arg("--insecure");
        crane()
            .args(["append", "--oci-empty-base", "--new_tag", &name, "--new_layer"])
            .arg(&self.tree.tar)
            .ok()?;
        crane()
            .args([
                "mutate",
                &name,
                "--tag",
                &name,
                "--set-platform",
                "linux/amd64",
                "--entrypoint",
            ])
            .arg(ENTRYPOINT.join(","))
            .ok()?;
        Ok("crane")
    }

    /// A layer that a program makes of the tar file on its standard input or beside it, pushed as it is.
    fn gzip_file(&self, tool: &'static str, command: &[&str]) -> Outcome<&'static str> {
        let copy = self.dir.join(format!("{tool}.tar"));
        fs::copy(&self.tree.tar, &copy)?;
        let packed = self.dir.join(format!("{tool}.tar.gz"));
        let [program, arguments @ ..] = command else {
            return crate::failure("no program");
        };
        // What writes to standard output is given a file; what writes beside its file needs none.
        Program::new("sh")
            .args(["-euc", "out=$1; file=$2; shift 2; \"$@\" \"$file\" >\"$out.said\"; [ -e \"$out\" ] || mv \"$out.said\" \"$out\"", "sh"])
            .arg(&packed)
            .arg(&copy)
            .arg(program)
            .args(arguments)
            .ok()?;
        let layer = fs::read(&packed)?;
        let diff_id = digest(&fs::read(&self.tree.tar)?);
        let [config, manifest] = image(&layer, &diff_id, "application/vnd.oci.image.layer.v1.tar+gzip")?;
        let (client, repository) = (self.world.plain.client(), format!("layers/{tool}"));
        client.push_blob(&repository, &layer)?;
        client.push_blob(&repository, &config)?;
        client.push_manifest(
            &repository,
            "1",
            "application/vnd.oci.image.manifest.v1+json",
            &manifest,
        )?;
        Ok(tool)
    }
}

/// The configuration and the manifest of an image of one layer.
fn image(layer: &[u8], diff_id: &str, media_type: &str) -> Outcome<[Vec<u8>; 2]> {
    let config = serde_json::to_vec(&json!({
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ENTRYPOINT},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }))?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()},
        "layers": [{"mediaType": media_type, "digest": digest(layer), "size": layer.len()}],
    }))?;
    Ok([config, manifest])
}

fn entrypoint() -> String {
    format!("ENTRYPOINT {}", json!(ENTRYPOINT))
}
