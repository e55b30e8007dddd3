//! Applications on a real engine: deployed by the double of the docker agent with a real compose, pulled through dockerd over
//! HTTPS with the credentials that the appliance issued.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::agent::looping::{Agent, Round};
use crate::clients::skopeo;
use crate::compose::{Compose, docker};
use crate::plant::Plant;
use crate::process::Program;
use crate::shop::web_says;
use crate::world::World;
use crate::{Outcome, ensure, failure, needs};

/// Longest time for anything to come about.
const PATIENCE: Duration = Duration::from_secs(120);

/// Rounds of the agent until something holds.
fn until(agent: &mut Agent<Compose>, what: &str, holds: impl Fn(&Agent<Compose>) -> Outcome<bool>) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        agent.round();
        if holds(agent)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    failure(format!(
        "{what} did not come about: {:?}\n{:?}\n{:?}",
        agent.troubles, agent.acknowledged, agent.engine.done
    ))
}

/// Either compose will do; the older one is what Debian has.
fn compose_is_here() -> Outcome {
    let plugin = Program::new("docker").args(["compose", "version"]).run();
    if plugin.is_ok_and(|said| said.status.success()) {
        return Ok(());
    }
    needs("docker-compose")
}

/// Whether the agent's last word on the shop is that it runs.
fn runs(agent: &Agent<Compose>, revision: &str) -> bool {
    agent
        .acknowledged
        .last()
        .is_some_and(|status| status.kind == "running" && status.revision == revision)
}

/// The shop's revision, as the agent recorded it.
fn revision(agent: &Agent<Compose>) -> String {
    agent
        .records
        .values()
        .next()
        .map(|record| record.revision.clone())
        .unwrap_or_default()
}

fn project(agent: &Agent<Compose>) -> Outcome<String> {
    let record = agent.records.values().next().ok_or("nothing is deployed")?;
    Ok(record.project.clone())
}

/// What the container of `web` printed, its image, and when it was started.
fn web(agent: &Agent<Compose>) -> Outcome<(String, String, String)> {
    let filters = [
        format!("label=com.docker.compose.project={}", project(agent)?),
        "label=com.docker.compose.service=web".to_owned(),
    ];
    let found = docker(&[
        "ps",
        "--quiet",
        "--no-trunc",
        "--filter",
        &filters[0],
        "--filter",
        &filters[1],
    ])?;
    let id = found.trim();
    ensure(id.len() == 64, || format!("one container of web: {found:?}"))?;
    let inspect = |format: &str| docker(&["inspect", "--format", format, id]);
    Ok((
        docker(&["logs", id])?,
        inspect("{{.Config.Image}}")?.trim().to_owned(),
        format!("{id} {}", inspect("{{.State.StartedAt}}")?.trim()),
    ))
}

fn deployed(world: &World, name: &str) -> Outcome<(Plant, Agent<Compose>)> {
    compose_is_here()?;
    let mut plant = Plant::new(world.shop()?, &world.folder(name)?)?;
    plant.trust_by_dockerd()?;
    let mut agent = plant.agent(BTreeMap::new())?;
    agent.round();
    let first = revision(&agent);
    until(&mut agent, "the first release", |agent| Ok(runs(agent, &first)))?;
    Ok((plant, agent))
}

/// Removes what a case deployed, whatever became of the case.
pub(crate) struct Leftovers(pub(crate) String);

impl Drop for Leftovers {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.0);
        for (list, remove) in [
            (vec!["ps", "--all", "--quiet"], vec!["rm", "--force", "--volumes"]),
            (vec!["volume", "ls", "--quiet"], vec!["volume", "rm", "--force"]),
            (vec!["network", "ls", "--quiet"], vec!["network", "rm"]),
        ] {
            let mut words = list.clone();
            words.extend(["--filter", &filter]);
            for item in docker(&words).unwrap_or_default().lines() {
                let mut words = remove.clone();
                words.push(item);
                docker(&words).ok();
            }
        }
    }
}

/// From bundle to running containers, to the next release, to none; and every answered status is kept.
pub(crate) fn application_is_deployed_updated_and_removed(world: &World) -> Outcome {
    let (plant, mut agent) = deployed(world, "deployed")?;
    let project = project(&agent)?;
    let _leftovers = Leftovers(project.clone());
    let first = revision(&agent);
    let (said, image, _) = web(&agent)?;
    ensure(said.starts_with(&web_says(1)), || said.clone())?;
    ensure(image.starts_with(&plant.host()) && image.contains("@sha256:"), || {
        image.clone()
    })?;
    ensure(Compose::containers(&project)?.len() == 2, || {
        format!("{:?}", Compose::containers(&project))
    })?;
    ensure(
        docker(&["volume", "ls", "--quiet"])?.contains(&format!("{project}_data")),
        || "no volume".into(),
    )?;
    // Logs and a sample of the machine, as the workers beside the loop send them.
    let record = json!([{
        "id": "00000000-0000-0000-0000-000000000000",
        "deploymentId": agent.records.keys().next(), "deploymentRevisionId": first, "resource": "web-1",
        "timestamp": "2026-11-21T01:00:00.123456789Z", "severity": "Log", "body": said.trim(),
    }]);
    ensure(agent.send_logs(&record)? == 204, || "logs".into())?;
    let sample = json!({"cpuCoresMillis": 2000, "cpuUsage": 0.1, "memoryBytes": 1, "memoryUsage": 0.5});
    ensure(agent.send_metrics(&sample)? == 200, || "metrics".into())?;
    agent.flush();
    // The second release, imported while serving.
    plant.site.imported(world.shop()?.bundle(2)?)?;
    until(&mut agent, "the second release", |agent| {
        let now = revision(agent);
        Ok(now != first && runs(agent, &now))
    })?;
    let (said, _, _) = web(&agent)?;
    ensure(said.starts_with(&web_says(2)), || said.clone())?;
    ensure(Compose::containers(&project)?.len() == 1, || {
        "side is still there".into()
    })?;
    // Gone by instruction, with its volume.
    plant.site.imported(world.shop()?.bundle(3)?)?;
    until(&mut agent, "the removal", |agent| Ok(agent.records.is_empty()))?;
    ensure(Compose::containers(&project)?.is_empty(), || {
        "containers are left".into()
    })?;
    ensure(!docker(&["volume", "ls", "--quiet"])?.contains(&project), || {
        "volumes are left".into()
    })?;
    let down = format!("down {project}");
    ensure(
        agent.engine.done.iter().filter(|done| **done == down).count() == 1,
        || format!("{:?}", agent.engine.done),
    )?;
    ensure(agent.troubles.is_empty(), || format!("{:?}", agent.troubles))?;
    plant.keeps(&agent.acknowledged)
}

/// The appliance dies and stays away; what runs goes on, and afterwards the agent does, with nothing lost that was answered.
pub(crate) fn appliance_away_harms_no_workload(world: &World) -> Outcome {
    let (mut plant, mut agent) = deployed(world, "away")?;
    let _leftovers = Leftovers(project(&agent)?);
    let before = (web(&agent)?, Compose::containers(&project(&agent)?)?.len());
    let answered = agent.acknowledged.len();
    plant.kill()?;
    for _ in 0..4 {
        ensure(matches!(agent.round(), Round::Away(_)), || {
            "the appliance is dead".into()
        })?;
    }
    let during = (web(&agent)?, Compose::containers(&project(&agent)?)?.len());
    ensure(during == before, || format!("{before:?} became {during:?}"))?;
    ensure(agent.acknowledged.len() == answered, || "an answer of nobody".into())?;
    plant.serve()?;
    let now = revision(&agent);
    until(&mut agent, "the way back", |agent| {
        Ok(agent.acknowledged.len() > answered + 1 && runs(agent, &now))
    })?;
    let after = (web(&agent)?, Compose::containers(&project(&agent)?)?.len());
    ensure(after == before, || format!("{before:?} became {after:?}"))?;
    let applied = agent
        .engine
        .done
        .iter()
        .filter(|done| done.starts_with("apply"))
        .count();
    ensure(applied == 1, || format!("{:?}", agent.engine.done))?;
    ensure(agent.client.logins == 1, || "the token outlives a crash".into())?;
    // Killed once more right after the last answer: what was answered is there.
    plant.kill()?;
    plant.keeps(&agent.acknowledged)
}

/// The release of before, made live again on the spot, is applied again under its own revision.
pub(crate) fn earlier_release_is_applied_again(world: &World) -> Outcome {
    let (plant, mut agent) = deployed(world, "earlier")?;
    let _leftovers = Leftovers(project(&agent)?);
    let first = revision(&agent);
    plant.site.imported(world.shop()?.bundle(2)?)?;
    until(&mut agent, "the second release", |agent| {
        let now = revision(agent);
        Ok(now != first && runs(agent, &now))
    })?;
    plant.site.activate("1.0")?;
    until(&mut agent, "the first release again", |agent| {
        Ok(revision(agent) == first && runs(agent, &first))
    })?;
    let (said, _, _) = web(&agent)?;
    ensure(said.starts_with(&web_says(1)), || said.clone())?;
    ensure(Compose::containers(&project(&agent)?)?.len() == 2, || {
        "side did not come back".into()
    })?;
    plant.keeps(&agent.acknowledged)
}

/// dockerd pulls because it trusts the authority, and because the agent's credentials are good; for no other reason.
pub(crate) fn engine_needs_trust_and_credentials(world: &World) -> Outcome {
    compose_is_here()?;
    let mut plant = Plant::new(world.shop()?, &world.folder("trust")?)?;
    let mut agent = plant.agent(BTreeMap::new())?;
    agent.round();
    let _leftovers = Leftovers(project(&agent)?);
    let last = agent.acknowledged.last().cloned().ok_or("no status")?;
    ensure(last.kind == "error" && last.message.contains("x509"), || {
        format!("{last:?}")
    })?;
    plant.trust_by_dockerd()?;
    let image = format!("{}/{}/acme/shop:1.0", plant.host(), crate::shop::PUBLIC);
    let said = world.docker.command().args(["pull", &image]).run()?;
    ensure(!said.status.success(), || format!("{image} came without credentials"))?;
    // The agent's own image comes without any, for dockerd and for clients that are asked request by request.
    let settings = crate::agent::settings::Settings::read(&plant.connect(crate::shop::TARGET)?)?;
    let trusted = plant.authority()?;
    let anonymous = |name: &str| {
        // Only digests are public: a list of the tags beside them is not.
        let inspect = skopeo().args(["inspect", "--raw", "--no-creds", "--cert-dir"]);
        inspect
            .arg(trusted.parent().unwrap_or(&trusted))
            .arg(format!("docker://{name}"))
            .run()
    };
    let said = anonymous(&settings.image)?;
    ensure(said.status.success(), || said.told())?;
    ensure(!anonymous(&image)?.status.success(), || {
        format!("{image} came without credentials")
    })?;
    let said = world.docker.command().args(["pull", &settings.image]).run()?;
    ensure(said.status.success(), || said.told())?;
    // The secret is new since; a new agent takes the old one's place, and tries again what failed.
    let records = agent.records.clone();
    let mut agent = plant.agent(records)?;
    agent.round();
    let first = revision(&agent);
    until(&mut agent, "the first release", |agent| Ok(runs(agent, &first)))?;
    plant.keeps(&agent.acknowledged)
}
