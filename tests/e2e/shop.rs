//! A vendor's shop: a compose application and two charts, agents, targets, and three releases of it all.
//!
//! | Release | What it says |
//! |---|---|
//! | 1 | services `web` and `side`, images 1.0 |
//! | 2 | `web` with image 2.0, no `side` |
//! | 3 | the shop is gone from the docker target, by instruction |
//!
//! Applications name images as everybody knows them (`registry.acme.example`); the release says where they really come from.
//! Compose files keep to what Debian's compose of 2021 understands, and start nothing that needs a container network.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::airlock::Vendor;
use crate::clients::Docker;
use crate::registry::Registry;

/// The docker target.
pub(crate) const TARGET: &str = "edge";
/// Where the vendor's images stand for everybody else.
pub(crate) const PUBLIC: &str = "registry.acme.example";
/// The kubernetes targets, one of each scope.
pub(crate) const CELL: &str = "cell";
/// The one that may reach the cluster.
pub(crate) const FARM: &str = "farm";
/// Version of the charts.
pub(crate) const CHART_VERSION: &str = "1.4.0+build.7";

/// The vendor with its releases.
#[derive(Debug)]
pub(crate) struct Shop {
    /// Keys and trust.
    pub(crate) vendor: Vendor,
    /// Bundles by release number, from 1.
    pub(crate) bundles: Vec<PathBuf>,
}

/// What a container of `web` prints first.
pub(crate) fn web_says(number: u32) -> String {
    format!("shop of release {number}, greeting hello-{number}")
}

impl Shop {
    /// Builds images, writes applications and charts, makes the bundles.
    pub(crate) fn new(docker: &Docker, registry: &Registry, dir: &Path) -> Outcome<Self> {
        let vendor = Vendor::new(dir)?;
        let host = registry.host();
        push_images(docker, &host, dir)?;
        for chart in ["shop", "classic"] {
            write_chart(&dir.join("charts").join(chart), chart)?;
        }
        let mut bundles = Vec::new();
        for number in 1..=3 {
            write_application(&dir.join(format!("shop-{number}")), number)?;
            let bundle = dir.join(format!("shop-{number}.airlock"));
            vendor.create(number, &release(number, &host), &bundle)?.ok()?;
            bundles.push(bundle);
        }
        Ok(Self { vendor, bundles })
    }

    /// The bundle of a release.
    pub(crate) fn bundle(&self, number: usize) -> Outcome<&Path> {
        let found = self.bundles.get(number.wrapping_sub(1));
        Ok(found.ok_or("there are three releases")?)
    }
}

fn push_images(docker: &Docker, host: &str, dir: &Path) -> Outcome {
    let folder = dir.join("images");
    fs::create_dir_all(&folder)?;
    fs::copy("/bin/busybox", folder.join("busybox"))?;
    fs::write(
        folder.join("Dockerfile"),
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY version /version\nENTRYPOINT [\"/bin/busybox\"]\n",
    )?;
    for (image, version) in [
        ("acme/shop:1.0", "shop of release 1"),
        ("acme/shop:2.0", "shop of release 2"),
        ("acme/side:1.0", "side"),
        ("distr/docker-agent:3.1.0", "agent"),
        ("distr/docker-autoheal:3.1.0", "autoheal"),
        ("distr/kubernetes-agent:3.1.0", "kubernetes agent"),
    ] {
        fs::write(folder.join("version"), version)?;
        let reference = format!("{host}/{image}");
        docker.owns(&reference);
        docker
            .command()
            .args(["build", "--quiet", "--tag", &reference])
            .arg(&folder)
            .ok()?;
        docker.command().args(["push", &reference]).ok()?;
        // Gone from the engine, so that whoever runs it must pull it.
        docker.forget(&reference)?;
    }
    Ok(())
}

fn write_application(dir: &Path, number: u32) -> Outcome {
    fs::create_dir_all(dir)?;
    let greet = "command: [\"sh\", \"-c\", \"/bin/busybox echo $$(/bin/busybox cat /version), greeting $$GREETING; trap 'exit 0' TERM; while :; do /bin/busybox sleep 1; done\"]";
    let side = if number == 1 {
        format!(
            "  side:\n    image: {PUBLIC}/acme/side:1.0\n    network_mode: none\n    command: [\"sleep\", \"100000\"]\n    stop_grace_period: 1s\n"
        )
    } else {
        String::new()
    };
    fs::write(
        dir.join("compose.yaml"),
        format!(
            "services:\n  web:\n    image: {PUBLIC}/acme/shop:${{VERSION:-1.0}}\n    network_mode: none\n    {greet}\n    restart: unless-stopped\n    stop_grace_period: 5s\n    environment:\n      GREETING: ${{GREETING:-none}}\n    volumes: [\"data:/data\"]\n{side}volumes:\n  data: {{}}\n"
        ),
    )?;
    let version = if number == 1 { 1 } else { 2 };
    fs::write(
        dir.join("shop.env"),
        format!("VERSION={version}.0\nGREETING=hello-{number}\n"),
    )?;
    Ok(())
}

fn write_chart(dir: &Path, name: &str) -> Outcome {
    fs::create_dir_all(dir.join("templates"))?;
    fs::write(
        dir.join("Chart.yaml"),
        format!("apiVersion: v2\nname: {name}\nversion: {CHART_VERSION}\ntype: application\n"),
    )?;
    fs::write(
        dir.join("values.yaml"),
        format!("image: {PUBLIC}/acme/shop:1.0\ngreeting: from-the-chart\nreplicas: 2\nimagePullSecrets: []\n"),
    )?;
    fs::write(
        dir.join("templates/deployment.yaml"),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector:\n    matchLabels: {app: {{ .Release.Name }}}\n  template:\n    metadata:\n      labels: {app: {{ .Release.Name }}}\n    spec:\n      containers:\n        - name: shop\n          image: {{ .Values.image | quote }}\n          env:\n            - name: GREETING\n              value: {{ .Values.greeting | quote }}\n",
    )?;
    Ok(())
}

/// The release file after its first lines.
fn release(number: u32, host: &str) -> String {
    let deployed = if number < 3 {
        "    deployments:\n      - application: shop\n"
    } else {
        ""
    };
    let removed = if number < 3 { "" } else { "removed: [edge/shop]\n" };
    let named = |image: &str| format!("{{source: \"{host}/{image}\", name: \"{PUBLIC}/{image}\"}}");
    let images: Vec<String> = ["acme/shop:1.0", "acme/shop:2.0", "acme/side:1.0"]
        .iter()
        .map(|image| format!("  - {}\n", named(image)))
        .collect();
    let shop = if number < 3 {
        format!(
            "  - name: shop\n    version: \"{number}.0\"\n    compose: shop-{number}/compose.yaml\n    env_file: shop-{number}/shop.env\n"
        )
    } else {
        String::new()
    };
    format!(
        "audience: any\nplatforms: [linux/amd64]\nimages:\n{}\
         applications:\n{shop}\
         \x20 - name: chart\n    version: \"1.4\"\n    chart: {{source: ./charts/shop, name: {PUBLIC}/acme/charts/shop}}\n    image_values: [image]\n\
         \x20 - name: classic\n    version: \"1.4\"\n    chart: {{source: ./charts/classic, name: {PUBLIC}/acme/charts/classic}}\n    serve: repository\n    image_values: [image]\n\
         agents:\n  - name: 3.1.0\n    docker: {}\n    autoheal: {}\n    kubernetes: {}\n\
         targets:\n  - name: {TARGET}\n    kind: docker\n    logs: true\n    metrics: true\n{deployed}\
         \x20 - name: {CELL}\n    kind: kubernetes\n    namespace: cell\n    scope: namespace\n    deployments:\n      - application: chart\n\
         \x20 - name: {FARM}\n    kind: kubernetes\n    namespace: farm\n    scope: cluster\n    resources: {{cpu_limit: \"1\", cpu_request: 100m, memory_limit: 512Mi, memory_request: 256Mi}}\n    deployments:\n      - application: classic\n\
         {removed}",
        images.concat(),
        named("distr/docker-agent:3.1.0"),
        named("distr/docker-autoheal:3.1.0"),
        named("distr/kubernetes-agent:3.1.0"),
    )
}
