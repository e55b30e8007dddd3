//! The main job: what the source registry had is what the site serves, to every client, byte for byte.

use serde_json::Value;

use crate::airlock::{Site, airlock};
use crate::clients::{Pulled, skopeo_pull};
use crate::http::digest;
use crate::images::{app_says, fixture, tool_says};
use crate::world::{IMAGES, World};
use crate::{Outcome, ensure, failure};

/// What a container of `fixtures/hello` prints.
const HELLO_SAYS: &str = "Hello from the other side of the gap.\n\
    Every byte of this image crossed in one signed bundle.\nThis program was built for linux/amd64.\n";

/// A bundle says what it is from its head, and verifies.
pub(crate) fn bundle_is_inspected_and_verified(world: &World) -> Outcome {
    let release = world.release(1)?;
    let inspect = airlock()
        .args(["--format", "json", "bundle", "inspect"])
        .arg(&release.bundle);
    let told: Value = serde_json::from_str(&inspect.ok()?)?;
    ensure(
        told["head"]["version"] == "1.0" && told["head"]["sequence"] == 1,
        || format!("inspect says {told}"),
    )?;
    let verify = airlock()
        .args(["--format", "json", "bundle", "verify"])
        .arg(&release.bundle)
        .arg("--trust")
        .arg(world.root()?);
    let told: Value = serde_json::from_str(&verify.ok()?)?;
    ensure(told["result"] == "good", || format!("verify says {told}"))
}

/// Every digest of every image, asked for by tag and followed by digest, is the source's.
pub(crate) fn every_digest_is_the_sources(world: &World) -> Outcome {
    let server = world.live()?;
    for (repository, tag) in IMAGES {
        let served = server.client().pull(repository, tag)?;
        let source = world.release(1)?.graph(repository)?;
        ensure(&served == source, || {
            format!("{repository}:{tag} is served as {served:#?}, and was {source:#?}")
        })?;
    }
    // The same names under their host, as runtimes behind a mirror ask for them.
    let plain = server.client().pull("acme/app", "stable")?;
    let hosted = server.client().pull("registry.acme.example/acme/app", "stable")?;
    ensure(plain == hosted, || {
        format!("with its host in the name the image is {hosted:?}")
    })?;
    let mirrored = server
        .client()
        .get("/v2/acme/app/manifests/stable?ns=registry.acme.example")?;
    ensure(plain.get(&digest(&mirrored.body)) == Some(&"manifest"), || {
        "?ns= leads elsewhere".to_owned()
    })
}

/// dockerd pulls, compares, starts.
pub(crate) fn docker_pulls_and_runs(world: &World) -> Outcome {
    engine_pulls_and_runs(world, |image| {
        let pulled = world.docker.pull(image)?;
        let printed = world.docker.run(image)?;
        world.docker.forget(image)?;
        Ok((pulled, printed))
    })
}

/// podman pulls, compares, starts.
pub(crate) fn podman_pulls_and_runs(world: &World) -> Outcome {
    engine_pulls_and_runs(world, |image| Ok((world.podman.pull(image)?, world.podman.run(image)?)))
}

fn engine_pulls_and_runs(world: &World, engine: impl Fn(&str) -> Outcome<(Pulled, String)>) -> Outcome {
    let server = world.live()?;
    for (repository, tag, said) in [
        ("acme/app", "stable", app_says(1)),
        ("acme/tool", "stable", tool_says(1)),
        ("acme/hello", "1.0", HELLO_SAYS.to_owned()),
        ("acme/signed", "1.0", HELLO_SAYS.to_owned()),
    ] {
        let image = format!("{}/{repository}:{tag}", server.host());
        let (pulled, printed) = engine(&image)?;
        ensure(printed == said, || format!("{image} printed {printed:?}"))?;
        same_as_source(world, &pulled, repository).map_err(|e| format!("{image}: {e}"))?;
    }
    Ok(())
}

/// Compares what an engine has with the source: top digest, config, and through the config every unpacked layer.
fn same_as_source(world: &World, pulled: &Pulled, repository: &str) -> Outcome {
    let client = world.plain.client();
    let release = world.release(1)?;
    let (top, graph) = (release.top(repository)?, release.graph(repository)?);
    ensure(pulled.digests.contains(top), || {
        format!("the engine has {:?}, the source {top}", pulled.digests)
    })?;
    ensure(graph.get(&pulled.id) == Some(&"config"), || {
        format!("the engine's config {} is none of {graph:?}", pulled.id)
    })?;
    let config = client.get(&format!("/v2/{repository}/blobs/{}", pulled.id))?.json()?;
    let layers: Vec<&str> = match config["rootfs"]["diff_ids"].as_array() {
        Some(list) => list.iter().filter_map(Value::as_str).collect(),
        None => return failure("a config without layers"),
    };
    ensure(pulled.diff_ids == layers, || {
        format!("the engine unpacked {:?}, the config names {layers:?}", pulled.diff_ids)
    })
}

/// skopeo copies one platform, and the whole index of an image that has no other.
pub(crate) fn skopeo_copies_every_digest(world: &World) -> Outcome {
    let server = world.live()?;
    let dir = world.folder("skopeo")?;
    for (repository, tag) in IMAGES {
        let to = dir.join(repository.replace('/', "-"));
        let copied = skopeo_pull(&format!("{}/{repository}:{tag}", server.host()), &to, false)?;
        // skopeo keeps no index when it copies one platform.
        let expected: Vec<&String> = world
            .release(1)?
            .graph(repository)?
            .iter()
            .filter(|(_, role)| !matches!(**role, "index" | "absent"))
            .map(|(digest, _)| digest)
            .collect();
        ensure(copied.keys().eq(expected.iter().copied()), || {
            format!("{repository}:{tag}: skopeo has {copied:?}, the source {expected:?}")
        })?;
    }
    Ok(())
}

/// The bill of materials and the signature of an image cross with it and are found as clients look for them.
pub(crate) fn referrers_and_signatures_cross(world: &World) -> Outcome {
    let server = world.live()?;
    let (source, site) = (world.plain.client(), server.client());
    let subject = digest(&source.get("/v2/acme/signed/manifests/1.0")?.body);
    let listed = site.get(&format!("/v2/acme/signed/referrers/{subject}"))?.json()?;
    let [bill] = listed["manifests"].as_array().map_or(&[][..], Vec::as_slice) else {
        return failure(format!("the referrers are {listed}"));
    };
    ensure(bill["artifactType"] == "application/spdx+json", || {
        format!("the referrer is {bill}")
    })?;
    let bill = bill["digest"].as_str().ok_or("a referrer without digest")?;
    let signature = format!("{}.sig", subject.replace(':', "-"));
    for reference in [bill, &signature] {
        let (here, there) = (
            site.pull("acme/signed", reference)?,
            source.pull("acme/signed", reference)?,
        );
        ensure(here == there, || format!("{reference} is {here:?}, and was {there:?}"))?;
    }
    let filtered = format!("/v2/acme/signed/referrers/{subject}?artifactType=application/other");
    let none = site.get(&filtered)?.json()?;
    ensure(none["manifests"].as_array().is_some_and(Vec::is_empty), || {
        format!("the filter lets through {none}")
    })
}

/// A bundle addressed to one enrolled site is imported there, and refused elsewhere with nothing changed.
pub(crate) fn bundle_for_one_enrolled_site(world: &World) -> Outcome {
    let (vendor, _) = world.releases()?;
    let dir = world.folder("addressed")?;
    let site = Site::new(&dir, &vendor.root())?;
    airlock()
        .args(["vendor", "enroll", "--yes"])
        .arg(&site.enrolment)
        .arg("--workspace")
        .arg(&vendor.workspace)
        .args(["--name", "plant-7"])
        .ok()?;
    let bundle = dir.join("addressed.airlock");
    let images = format!(
        "audience: [plant-7]\nhome_hosts: [registry.acme.example]\nallow_outside: [{0}]\nimages:\n  - source: oci:{0}:1.0\n    name: registry.acme.example/acme/hello:1.0\n",
        fixture("hello").display()
    );
    vendor.create(3, &images, &bundle)?.ok()?;
    let other = world.site("not-addressed")?;
    let said = other.import(&bundle).refused(14)?;
    ensure(said.contains("E-AUDIENCE"), || format!("the refusal says {said}"))?;
    let server = other.serve()?;
    let answer = server.client().send("GET", "/v2/acme/hello/manifests/1.0", &[], &[])?;
    ensure(answer.status == 404, || {
        format!("refused content is answered with {}", answer.status)
    })?;
    // Both platforms travel when none is left out; skopeo takes the whole index.
    site.imported(&bundle)?;
    let server = site.serve()?;
    let copied = skopeo_pull(&format!("{}/acme/hello:1.0", server.host()), &dir.join("copy"), true)?;
    let source = world.plain.client().pull("acme/hello", "1.0")?;
    ensure(copied.keys().eq(source.keys()), || {
        format!("skopeo has {copied:?}, the source {source:?}")
    })
}
