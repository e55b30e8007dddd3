//! Images where people have them: in an engine, in what it saves, in podman's storage, in a registry that one must log in to.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::airlock::{Site, Vendor, airlock};
use crate::clients::{Docker, skopeo};
use crate::images::push_fixtures;
use crate::process::Program;
use crate::registry::{PASSWORD, Registry, USER};
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
    build(docker, &dir, NAME)?;
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

/// Makes the image in the engine, under a name.
fn build(docker: &Docker, dir: &Path, name: &str) -> Outcome {
    let context = dir.join("context");
    fs::create_dir(&context)?;
    fs::copy("/bin/busybox", context.join("busybox"))?;
    fs::write(context.join("says"), SAYS)?;
    fs::write(
        context.join("Dockerfile"),
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY says /says\nHEALTHCHECK CMD [\"/bin/busybox\", \"true\"]\n\
         ENTRYPOINT [\"/bin/busybox\", \"cat\", \"/says\"]\n",
    )?;
    docker.owns(name);
    docker
        .command()
        .args(["build", "--quiet", "--network", "none", "--tag", name])
        .arg(&context)
        .ok()?;
    Ok(())
}

/// From nothing to a pull at the site: the six commands of the README, with an image of the engine.
pub(crate) fn first_bundle_takes_six_commands(world: &World) -> Outcome {
    const FIRST: &str = "e2e.acme.example/first:1";
    let dir = world.folder("first")?;
    let docker = &world.docker;
    build(docker, &dir, FIRST)?;
    let (workspace, bundle) = (dir.join("acme"), dir.join("first.airlock"));
    airlock()
        .args(["vendor", "init", "--vendor", "Acme GmbH", "--product", "acme-erp"])
        .arg(&workspace)
        .ok()?;
    airlock()
        .args(["bundle", "create", "--image", &format!("docker:{FIRST}"), "-w"])
        .arg(&workspace)
        .arg("-o")
        .arg(&bundle)
        .ok()?;
    let site = Site::new(&dir, &workspace.join("root.json"))?;
    site.imported(&bundle)?;
    let server = site.serve()?;
    let image = format!("{}/{FIRST}", server.host());
    docker.pull(&image)?;
    let printed = docker.run(&image)?;
    ensure(printed == SAYS, || format!("it printed {printed:?}"))
}

/// Takes an image out of a registry with TLS and a password, with the login and the certificate where podman's users have them.
pub(crate) fn registries_are_reached_as_podman_reaches_them(world: &World) -> Outcome {
    let dir = world.folder("reached")?;
    let (plain, guarded) = (Registry::plain(&dir)?, Registry::guarded(&dir)?);
    push_fixtures(&plain)?;
    let authority = guarded.ca_file.as_ref().ok_or("a registry without an authority")?;
    let trusted = authority.parent().ok_or("a file without a folder")?;
    let login = dir.join("auth.json");
    skopeo()
        .args(["login", "--username", USER, "--password", PASSWORD, "--authfile"])
        .arg(&login)
        .arg("--cert-dir")
        .arg(trusted)
        .arg(guarded.host())
        .ok()?;
    let certificates = dir.join("config/containers/certs.d").join(guarded.host());
    fs::create_dir_all(&certificates)?;

    let vendor = Vendor::new(&dir)?;
    let images = format!(
        "audience: any\nhome_hosts: [registry.acme.example]\nimages:\n  \
         - {{source: {}/acme/hello:1.0, name: registry.acme.example/acme/hello:1.0}}\n",
        guarded.host()
    );
    let bundle = dir.join("reached.airlock");
    let create = || -> Outcome<Program> {
        let create = vendor
            .create(1, &images, &bundle)?
            .env("XDG_CONFIG_HOME", dir.join("config"));
        Ok(create
            .env("HOME", &dir)
            .without("DOCKER_CONFIG")
            .without("XDG_RUNTIME_DIR"))
    };
    let said = create()?.env("REGISTRY_AUTH_FILE", &login).refused(25)?;
    ensure(said.contains("certificate"), || said.clone())?;
    fs::copy(authority, certificates.join("ca.crt"))?;
    let said = create()?.refused(2)?;
    ensure(
        said.contains("wants credentials") && said.contains("authentication required"),
        || said.clone(),
    )?;
    ensure(!bundle.try_exists()?, || {
        "something is left of what was refused".to_owned()
    })?;
    create()?.env("REGISTRY_AUTH_FILE", &login).ok()?;
    let site = Site::new(&dir, &vendor.root())?;
    site.imported(&bundle)?;
    let server = site.serve()?;
    let (there, here) = (
        plain.client().pull("acme/hello", "1.0")?,
        server.client().pull("acme/hello", "1.0")?,
    );
    ensure(there == here, || {
        format!("the registry has {there:?}, the site {here:?}")
    })
}
