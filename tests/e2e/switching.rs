//! Releases change while clients pull: everybody gets one release whole.

use std::collections::BTreeSet;
use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::clients::skopeo_pull;
use crate::http::{Client, Graph};
use crate::images::{app_says, tool_says};
use crate::world::{IMAGES, World};
use crate::{Outcome, ensure, failure};

/// How often the live release changes.
const ACTIVATIONS: usize = 50;
/// How many clients pull meanwhile.
const CLIENTS: usize = 100;
/// Every so many-th client is skopeo; the others are the test's own, which hash every byte.
const SKOPEO_EVERY: usize = 10;

/// A second release arrives and goes live; the running server shows it without a restart.
pub(crate) fn second_release_goes_live_while_serving(world: &World) -> Outcome {
    let site = world.site("second")?;
    site.imported(&world.release(1)?.bundle)?;
    let server = site.serve()?;
    let app = format!("{}/acme/app:stable", server.host());
    for number in [1, 2] {
        let release = world.release(number)?;
        if number == 2 {
            site.imported(&release.bundle)?;
            server.client().shows("acme/app", "stable", release.top("acme/app")?)?;
        }
        for (repository, tag) in IMAGES {
            let served = server.client().pull(repository, tag)?;
            ensure(&served == release.graph(repository)?, || {
                format!("{repository}:{tag} of release {number} is served as {served:?}")
            })?;
        }
        world.docker.pull(&app)?;
        let printed = world.docker.run(&app)?;
        ensure(printed == app_says(number), || format!("docker printed {printed:?}"))?;
    }
    world.podman.pull(&format!("{}/acme/tool:stable", server.host()))?;
    let printed = world.podman.run(&format!("{}/acme/tool:stable", server.host()))?;
    ensure(printed == tool_says(2), || format!("podman printed {printed:?}"))?;
    // The same bundle again is harmless, the older one is refused.
    let again = site.import(&world.release(2)?.bundle).ok()?;
    ensure(again.contains("already"), || format!("the same bundle again: {again}"))?;
    let served = server.client().pull("acme/app", "stable")?;
    ensure(&served == world.release(2)?.graph("acme/app")?, || {
        "the tag moved back".to_owned()
    })
}

/// 100 clients, each pulling one image by one tag, across 50 activations: every client's digests belong to one release.
pub(crate) fn hundred_clients_across_fifty_activations(world: &World) -> Outcome {
    let site = world.site("switching")?;
    for number in [1, 2] {
        site.imported(&world.release(number)?.bundle)?;
    }
    let server = site.serve()?;
    let dir = world.folder("switching-clients")?;
    let graphs = |repository| {
        Outcome::Ok([
            world.release(1)?.graph(repository)?,
            world.release(2)?.graph(repository)?,
        ])
    };
    let (apps, tools) = (graphs("acme/app")?, graphs("acme/tool")?);
    // Client n starts when half as many activations are done, so that the pulls are spread over all of them, and each runs
    // while the next ones happen.
    let done = (Mutex::new(0_usize), Condvar::new());
    let (host, client) = (server.host(), server.client());
    let seen: Vec<Got> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (done, host) = (&done, &host);
                let (repository, known) = if number % 4 == 3 {
                    ("acme/app", apps)
                } else {
                    ("acme/tool", tools)
                };
                let to = (number % SKOPEO_EVERY == 0).then(|| dir.join(number.to_string()));
                scope.spawn(move || {
                    let count = || done.0.lock().unwrap_or_else(PoisonError::into_inner);
                    drop(done.1.wait_while(count(), |count| *count < number / 2));
                    let before = *count();
                    let release = pull_one(client, host, repository, to, known)
                        .map_err(|e| format!("client {number}, {repository}: {e}"))?;
                    Ok((release, *count() - before))
                })
            })
            .collect();
        let mut activated = Ok(());
        for activation in 0..ACTIVATIONS {
            if activated.is_ok() {
                let label = if activation % 2 == 0 { "1.0" } else { "2.0" };
                activated = site.activate(label).map_err(|e| e.to_string());
            }
            *done.0.lock().unwrap_or_else(PoisonError::into_inner) = activation + 1;
            done.1.notify_all();
        }
        let mut seen: Vec<Got> = clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
            .collect();
        seen.extend(activated.err().map(Err));
        seen
    });
    let seen: Vec<(u32, usize)> = seen.into_iter().collect::<Result<_, _>>()?;
    let releases: BTreeSet<u32> = seen.iter().map(|(release, _)| *release).collect();
    let across = seen.iter().filter(|(_, activations)| *activations > 0).count();
    writeln!(
        stdout(),
        "     {CLIENTS} clients, {ACTIVATIONS} activations; {across} pulls ran across at least one, one across {}",
        seen.iter().map(|(_, activations)| *activations).max().unwrap_or(0)
    )?;
    ensure(across > 0, || "no pull ran across an activation".to_owned())?;
    ensure(releases == BTreeSet::from([1, 2]), || {
        format!("all clients saw only {releases:?}: the releases did not change under them")
    })
}

/// Which release a client got and how many activations happened meanwhile, or what it met; as text, because it crosses threads.
type Got = Result<(u32, usize), String>;

/// Pulls an image as one client and says which release all of it belongs to.
fn pull_one(
    client: Client,
    host: &str,
    repository: &str,
    to: Option<PathBuf>,
    known: [&Graph; 2],
) -> Result<u32, String> {
    let graph = match to {
        Some(to) => skopeo_pull(&format!("{host}/{repository}:stable"), &to, false),
        None => client.pull(repository, "stable"),
    }
    .map_err(|e| e.to_string())?;
    match known.map(|known| graph.keys().eq(known.keys())) {
        [true, false] => Ok(1),
        [false, true] => Ok(2),
        _ => failure(format!("{graph:?} is neither release")).map_err(|e| e.to_string()),
    }
}
