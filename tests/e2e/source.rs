//! The vendor's side of the test bed, without airlock: what real clients push is what the registry serves.
//!
//! A case of its own, so that a broken test bed is not taken for a broken product.

use crate::clients::skopeo_pull;
use crate::images::{ImageSet, app_says, push_fixtures};
use crate::registry::Registry;
use crate::world::World;
use crate::{Outcome, ensure};

/// Pushes the image set into registries of its own and pulls it back with every client.
pub(crate) fn serves_what_clients_pushed(world: &World) -> Outcome {
    let dir = world.folder("source")?;
    let plain = Registry::plain(&dir)?;
    let guarded = Registry::guarded(&dir)?;
    ImageSet::new(&world.docker, &dir)?.publish(1, &plain, &guarded)?;
    push_fixtures(&plain)?;
    for (repository, tag, nodes) in [
        ("acme/app", "stable", 4),
        ("acme/tool", "stable", 3),
        ("acme/hello", "1.0", 8),
        ("acme/signed", "1.0", 4),
    ] {
        let graph = plain.client().pull(repository, tag)?;
        ensure(graph.len() >= nodes, || format!("{repository}:{tag} is only {graph:?}"))?;
        let to = dir.join(repository.replace('/', "-"));
        let copied = skopeo_pull(&format!("{}/{repository}:{tag}", plain.host()), &to, true)?;
        ensure(copied.keys().eq(graph.keys()), || {
            format!("{repository}:{tag}: skopeo has {copied:?}, the registry {graph:?}")
        })?;
    }
    let image = format!("{}/acme/app:stable", plain.host());
    world.docker.pull(&image)?;
    let printed = world.docker.run(&image)?;
    ensure(printed == app_says(1), || {
        format!("docker: {image} printed {printed:?}")
    })?;
    world.podman.pull(&image)?;
    let printed = world.podman.run(&image)?;
    ensure(printed == app_says(1), || {
        format!("podman: {image} printed {printed:?}")
    })
}
