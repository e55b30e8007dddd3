//! Images that stand in no registry: in an engine, in what it saves, in podman's storage.

use std::fs;

use serde_json::Value;

use crate::airlock::{Site, Vendor};
use crate::world::World;
use crate::{Outcome, ensure};

/// What a container of the image prints.
const SAYS: &str = "from no registry\n";
/// What the engine calls it.
const NAME: &str = "e2e.acme.example/engine:1";

/// Builds one image, takes it from everywhere it stands, and runs what arrives.
pub(crate) fn engines_and_archives_are_sources(world: &World) -> Outcome {
    let dir = world.folder("engines")?;
    let (docker, podman) = (&world.docker, &world.podman);
    let context = dir.join("context");
    fs::create_dir(&context)?;
    fs::copy("/bin/busybox", context.join("busybox"))?;
    fs::write(context.join("says"), SAYS)?;
    fs::write(
        context.join("Dockerfile"),
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY says /says\nHEALTHCHECK CMD [\"/bin/busybox\", \"true\"]\n\
         ENTRYPOINT [\"/bin/busybox\", \"cat\", \"/says\"]\n",
    )?;
    docker.owns(NAME);
    docker
        .command()
        .args(["build", "--quiet", "--network", "none", "--tag", NAME])
        .arg(&context)
        .ok()?;
    let id = docker
        .command()
        .args(["image", "inspect", "--format", "{{.Id}}", NAME])
        .ok()?;
    let saved = dir.join("saved.tar");
    docker.command().args(["save", NAME, "-o"]).arg(&saved).ok()?;
    podman.command().args(["load", "--quiet", "-i"]).arg(&saved).ok()?;
    podman
        .command()
        .args(["save", "--quiet", NAME, "-o"])
        .arg(dir.join("podman.tar"))
        .ok()?;
    podman
        .command()
        .args(["save", "--quiet", "--format", "oci-archive", NAME, "-o"])
        .arg(dir.join("podman.oci"))
        .ok()?;
    // What it pulls later is not what it loaded here.
    podman.command().args(["rmi", "--force", NAME]).ok()?;

    let vendor = Vendor::new(&dir)?;
    let sources = [
        ("engine", format!("docker:{NAME}")),
        ("saved", "docker-archive:saved.tar".to_owned()),
        ("podman-saved", format!("docker-archive:podman.tar:{NAME}")),
        ("podman", "oci:podman.oci".to_owned()),
    ];
    let mut images = "audience: any\nhome_hosts: [registry.acme.example]\nimages:\n".to_owned();
    for (name, source) in &sources {
        images += &format!("  - {{source: \"{source}\", name: \"registry.acme.example/engines/{name}:1\"}}\n");
    }
    let bundle = dir.join("engines.airlock");
    let made = vendor.create(1, &images, &bundle)?.run()?;
    ensure(made.status.success(), || made.stderr.clone())?;
    ensure(
        made.stderr.matches("airlock's own, and no registry's").count() == 3,
        || format!("whose digests these are was not said: {}", made.stderr),
    )?;
    let site = Site::new(&dir, &vendor.root())?;
    site.imported(&bundle)?;
    let server = site.serve()?;
    let mut digests = Vec::new();
    for (name, _) in &sources {
        let image = format!("{}/engines/{name}:1", server.host());
        let pulled = docker.pull(&image)?;
        let printed = docker.run(&image)?;
        ensure(printed == SAYS, || format!("docker: {name} printed {printed:?}"))?;
        docker.forget(&image)?;
        podman.pull(&image)?;
        let printed = podman.run(&image)?;
        ensure(printed == SAYS, || format!("podman: {name} printed {printed:?}"))?;
        digests.push((pulled.id, pulled.digests));
    }
    // The engine and its file are the same image, and it is the one that the engine has.
    ensure(digests[0] == digests[1] && digests[0].0 == id.trim(), || {
        format!("{digests:?} of {id}")
    })?;
    // Nothing of the config got lost on the way, also for an engine of another make.
    let image = format!("{}/engines/engine:1", server.host());
    let seen: Value = serde_json::from_str(&podman.command().args(["image", "inspect", &image]).ok()?)?;
    ensure(seen[0]["Healthcheck"]["Test"][1] == "/bin/busybox", || {
        format!("podman sees no health check: {}", seen[0])
    })
}
