//! What clusters get: manifests that fit the published schemas, charts that the real helm takes.

use std::fs;

use crate::plant::Plant;
use crate::process::Program;
use crate::shop::{CELL, CHART_VERSION, FARM};
use crate::world::World;
use crate::{Outcome, ensure, needs};

/// Versions of kubernetes that the manifests are held against: the oldest that the tool has and the newest.
const VERSIONS: [&str; 2] = ["1.25", "1.37"];

/// Both scopes, object by object, strictly: no member that the schemas do not know.
pub(crate) fn manifests_fit_the_published_schemas(world: &World) -> Outcome {
    needs("kubernetes-validate")?;
    let dir = world.folder("schemas")?;
    let plant = Plant::new(world.shop()?, &dir)?;
    for target in [CELL, FARM] {
        let path = dir.join(format!("{target}.yaml"));
        fs::write(&path, plant.connect(target)?)?;
        for version in VERSIONS {
            let mut validate = Program::new("kubernetes-validate").args(["--strict", "-k", version]);
            validate = validate.arg(&path);
            let said = validate.ok()?;
            ensure(!said.contains("ERROR"), || said.clone())?;
        }
    }
    // The check can fail: the same manifest with a member that no schema knows.
    let broken = fs::read_to_string(dir.join("cell.yaml"))?.replace("replicas: 1", "replicaz: 1");
    fs::write(dir.join("broken.yaml"), broken)?;
    let said = Program::new("kubernetes-validate")
        .arg("--strict")
        .arg(dir.join("broken.yaml"))
        .run()?;
    ensure(!said.status.success(), || said.told())
}

/// helm pulls over `oci://` with an agent's credentials, and from `index.yaml` without any, and renders with the deployment's values.
pub(crate) fn helm_pulls_and_renders(world: &World) -> Outcome {
    needs("helm")?;
    let dir = world.folder("helm")?;
    let plant = Plant::new(world.shop()?, &dir)?;
    let authority = plant.authority()?;
    let home = |program: Program| {
        program
            .env("HELM_CACHE_HOME", dir.join("cache"))
            .env("HELM_CONFIG_HOME", dir.join("config"))
            .env("HELM_DATA_HOME", dir.join("data"))
    };
    let helm = || home(Program::new("helm"));
    let mut rendered = Vec::new();
    for (target, name) in [(CELL, "shop"), (FARM, "classic")] {
        let (token, resources) = plant.resources(target)?;
        let deployment = &resources["deployments"][0];
        let text = |member: &str| deployment[member].as_str().unwrap_or_default().to_owned();
        ensure(text("chartVersion") == CHART_VERSION, || resources.to_string())?;
        let values = dir.join(format!("{name}.json"));
        fs::write(&values, deployment["values"].to_string())?;
        let out = dir.join(format!("{name}-pulled"));
        fs::create_dir_all(&out)?;
        let url = text("chartUrl");
        if let Some(reference) = url.strip_prefix("oci://") {
            ensure(text("chartName").is_empty(), || text("chartName"))?;
            let pull = || {
                let pull = helm().args(["pull", &url, "--version", CHART_VERSION]);
                pull.arg("--destination").arg(&out).arg("--ca-file").arg(&authority)
            };
            // Without credentials, and with the wrong authority, there is no chart.
            ensure(!pull().run()?.status.success(), || "a chart without credentials".into())?;
            let refused = helm()
                .args([
                    "pull",
                    &url,
                    "--version",
                    CHART_VERSION,
                    "--username",
                    "-",
                    "--password",
                    &token,
                ])
                .run()?;
            ensure(refused.stderr.contains("x509"), || refused.told())?;
            pull().args(["--username", "-", "--password", &token]).ok()?;
            ensure(reference.starts_with(&plant.host()), || url.clone())?;
        } else {
            let add = helm().args(["repo", "add", "plant", &url, "--ca-file"]).arg(&authority);
            add.ok()?;
            let pull = helm().args([
                "pull",
                &format!("plant/{}", text("chartName")),
                "--version",
                CHART_VERSION,
            ]);
            pull.arg("--destination")
                .arg(&out)
                .arg("--ca-file")
                .arg(&authority)
                .ok()?;
        }
        let archive = fs::read_dir(&out)?.next().ok_or("nothing was pulled")??.path();
        let said = helm()
            .args(["template", &text("releaseName")])
            .arg(&archive)
            .arg("--values")
            .arg(&values)
            .ok()?;
        let image = format!("image: \"{}/{}/acme/shop", plant.host(), crate::shop::PUBLIC);
        ensure(said.contains(&image) && said.contains("@sha256:"), || said.clone())?;
        ensure(said.contains("from-the-chart") && said.contains("replicas: 2"), || {
            said.clone()
        })?;
        rendered.push(said);
    }
    ensure(rendered.len() == 2, || "two charts".into())
}
