//! The vendor's side of the test bed, without airlock: what real clients push is what the registry serves.
//!
//! A case of its own, so that a broken test bed is not taken for a broken product.

use crate::clients::skopeo_pull;
use crate::images::{app_says, tool_says};
use crate::world::World;
use crate::{Outcome, ensure};

/// Pulls the image set from the source registry with every client.
pub(crate) fn serves_what_clients_pushed(world: &World) -> Outcome {
    world.published()?;
    let client = world.plain.client();
    for (repository, tag, nodes) in [
        ("acme/app", "stable", 4),
        ("acme/tool", "stable", 3),
        ("acme/hello", "1.0", 8),
        ("acme/signed", "1.0", 4),
    ] {
        let graph = client.pull(repository, tag)?;
        ensure(graph.len() >= nodes, || format!("{repository}:{tag} is only {graph:?}"))?;
        let to = world.folder(&format!("source-{}", repository.replace('/', "-")))?;
        let copied = skopeo_pull(&format!("{}/{repository}:{tag}", world.plain.host()), &to, true)?;
        ensure(copied.keys().eq(graph.keys()), || {
            format!("{repository}:{tag}: skopeo has {copied:?}, the registry {graph:?}")
        })?;
    }
    for (repository, said) in [("acme/app", app_says(1)), ("acme/tool", tool_says(1))] {
        let image = format!("{}/{repository}:stable", world.plain.host());
        world.docker.pull(&image)?;
        let printed = world.docker.run(&image)?;
        ensure(printed == said, || format!("docker: {image} printed {printed:?}"))?;
        world.podman.pull(&image)?;
        let printed = world.podman.run(&image)?;
        ensure(printed == said, || format!("podman: {image} printed {printed:?}"))?;
    }
    Ok(())
}
