//! Five applications shaped like well-known ones on a real engine: carried with their secrets, deployed by the agent's double with a real
//! compose, and running. One small image stands in for all that they are made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::airlock::{Site, Vendor, airlock};
use crate::compose::{Compose, docker};
use crate::deploy::Leftovers;
use crate::plant::Plant;
use crate::process::Program;
use crate::shop::TARGET;
use crate::world::World;
use crate::{NotHere, Outcome, ensure};

/// What a person enters at the site.
const SMTP: &str = "p\"4'ss $HOME ${X:-y} $$ #1";
/// What the vendor seals.
const ASSISTANT_KEY: &str = "k-4ss1st $HOME 100%";
const WIKI_LICENCE: &str = "of: plant\nseal: 4f-$$-\\-#\n";

/// An application: its compose files, its profiles, the images that it names, and how many containers run of it at least.
struct Application {
    name: &'static str,
    files: &'static str,
    profiles: &'static str,
    images: &'static [&'static str],
    containers: usize,
}

const APPLICATIONS: [Application; 5] = [
    Application {
        name: "photo-library",
        files: "compose.yaml",
        profiles: "",
        images: &[
            "docker.io/valkey/valkey:9-alpine",
            "registry.example.com/photos/postgres:14-vectors",
            "registry.example.com/photos/machine-learning:v2.4.1",
            "registry.example.com/photos/server:v2.4.1",
        ],
        containers: 4,
    },
    Application {
        name: "identity-provider",
        files: "compose.yaml",
        profiles: "",
        images: &[
            "docker.io/library/postgres:16-alpine",
            "docker.io/library/redis:alpine",
            "registry.example.com/identity/server:2026.10.2",
        ],
        containers: 4,
    },
    Application {
        name: "workflow-engine",
        files: "compose.yaml",
        profiles: "queue",
        images: &[
            "registry.example.com/workflows/engine:1.118.1",
            "postgres:16",
            "redis:6-alpine",
        ],
        containers: 4,
    },
    Application {
        name: "error-tracker",
        files: "compose.yaml",
        profiles: "feature-complete",
        images: &[
            "registry.example.com/mail/exim-relay",
            "memcached:1.6.26-alpine",
            "redis:6.2.20-alpine",
            "postgres:14.19-bookworm",
            "registry.example.com/streams/kafka:7.6.6",
            "registry.example.com/columns/clickhouse:25.3",
            "registry.example.com/tracker/events:25.10.0",
            "registry.example.com/tracker/server:25.10.0",
            "registry.example.com/tracker/profiles:25.10.0",
            "nginx:1.29.1-alpine",
            "registry.example.com/tracker/relay:25.10.0",
        ],
        containers: 15,
    },
    Application {
        name: "wiki",
        files: "compose.yaml, compose.prod.yaml",
        profiles: "",
        images: &["postgres:15-alpine", "registry.example.com/pages/wiki:2.5"],
        containers: 2,
    },
];

/// Volumes that the error tracker expects to be there.
const EXTERNAL: [&str; 5] = [
    "tracker-data",
    "tracker-postgres",
    "tracker-redis",
    "tracker-kafka",
    "tracker-clickhouse",
];

/// Volumes of this run, removed with it.
struct Volumes;

impl Volumes {
    fn new() -> Outcome<Self> {
        for name in EXTERNAL {
            docker(&["volume", "create", name])?;
        }
        Ok(Self)
    }
}

impl Drop for Volumes {
    fn drop(&mut self) {
        for name in EXTERNAL {
            docker(&["volume", "rm", "--force", name]).ok();
        }
    }
}

/// Builds the image that stands in for every other, and pushes it into the vendor's registry: it says what it was given, is healthy
/// whatever is asked, and ends when it is told to, or at once as `node`.
fn push_stand_in(world: &World, dir: &Path) -> Outcome<String> {
    let folder = dir.join("stand-in");
    fs::create_dir_all(&folder)?;
    fs::copy("/bin/busybox", folder.join("busybox"))?;
    let stand_in = "#!/bin/sh\nbusybox env\nfor file in /run/secrets/* /wiki/licence; do [ ! -f $file ] || { echo \"== $file\"; busybox cat $file; }; done\n\
                    echo '== end'\n[ \"$1\" != node ] || exit 0\ntrap 'exit 0' TERM\nwhile :; do busybox sleep 1 & wait $!; done\n";
    fs::write(folder.join("stand-in"), stand_in)?;
    fs::write(
        folder.join("docker-entrypoint.sh"),
        "#!/bin/sh\nexec /bin/stand-in \"$@\"\n",
    )?;
    fs::write(folder.join("healthy"), "#!/bin/sh\necho PONG ok\n")?;
    // Health checks open sockets with it; files of applications are its scripts.
    fs::write(
        folder.join("bash"),
        "#!/bin/sh\n[ \"$1\" != -c ] || exit 0\nexec /bin/sh \"$@\"\n",
    )?;
    fs::write(folder.join("passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    for name in ["stand-in", "docker-entrypoint.sh", "healthy", "bash"] {
        Program::new("chmod").arg("0755").arg(folder.join(name)).ok()?;
    }
    let mut file =
        "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY bash stand-in /bin/\n".to_owned();
    file += "COPY passwd /etc/passwd\nCOPY docker-entrypoint.sh /docker-entrypoint.sh\n";
    for name in [
        "pg_isready",
        "redis-cli",
        "valkey-cli",
        "photos-health",
        "nc",
        "wget",
        "curl",
        "kafka-topics",
        "tracker",
    ] {
        file += &format!("COPY healthy /usr/bin/{name}\n");
    }
    file += "ENV PATH=/usr/bin:/bin\nENTRYPOINT [\"/bin/stand-in\"]\n";
    fs::write(folder.join("Dockerfile"), file)?;
    let image = format!("{}/acme/stand-in:1", world.plain.host());
    world.docker.owns(&image);
    world
        .docker
        .command()
        .args(["build", "--quiet", "--network", "none", "--tag", &image])
        .arg(&folder)
        .ok()?;
    world.docker.command().args(["push", &image]).ok()?;
    world.docker.forget(&image)?;
    Ok(image)
}

/// Writes the applications, with places on this machine that are this run's own, and returns the release file behind its first lines.
fn write_release(dir: &Path, image: &str) -> Outcome<String> {
    let applications = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/vendor/applications");
    for name in ["docker.sock", "localtime"] {
        fs::write(dir.join(name), "")?;
    }
    let own = dir.display().to_string();
    for application in &APPLICATIONS {
        let folder = dir.join(application.name);
        Program::new("cp")
            .arg("-r")
            .arg(applications.join(application.name))
            .arg(&folder)
            .ok()?;
        for name in ["compose.yaml", "app.env"] {
            let text = fs::read_to_string(folder.join(name))?
                .replace("/var/run/docker.sock:", &format!("{own}/docker.sock:"))
                .replace("/etc/localtime:", &format!("{own}/localtime:"))
                .replace("=/srv/", &format!("={own}/srv/"))
                // Not the ones that the shell has built in.
                .replace("wget -", "/usr/bin/wget -")
                .replace("| nc ", "| /usr/bin/nc ")
                // A sandbox may not raise its own limits.
                .replace("262144", "4096")
                .replace("10032", "4096")
                // Nobody waits for what is healthy at once.
                .replace("interval: 30s", "interval: 1s")
                .replace("interval: 10s", "interval: 1s")
                .replace("HEALTHCHECK_INTERVAL=30s", "HEALTHCHECK_INTERVAL=1s");
            fs::write(folder.join(name), text)?;
        }
    }
    let private = dir.join("private");
    fs::create_dir(&private)?;
    for (name, value) in [("assistant-key", ASSISTANT_KEY), ("wiki-licence", WIKI_LICENCE)] {
        fs::write(private.join(name), value)?;
        Program::new("chmod").arg("0600").arg(private.join(name)).ok()?;
    }
    let named = |name: &str| format!("{{source: \"{image}\", name: registry.acme.example/acme/{name}:1}}");
    let mut release = format!(
        "audience: any\nplatforms: [linux/amd64]\nagents:\n  - {{name: 3.1.0, docker: {}, autoheal: {}}}\napplications:\n",
        named("agent"),
        named("autoheal")
    );
    let mut deployments = Vec::new();
    for Application {
        name,
        files,
        profiles,
        images,
        ..
    } in &APPLICATIONS
    {
        let files: Vec<String> = files.split(", ").map(|file| format!("{name}/{file}")).collect();
        let images: Vec<String> = images.iter().map(|used| format!("'{used}': '{image}'")).collect();
        release += &format!(
            "  - {{name: {name}, version: \"1\", compose: [{}], profiles: [{profiles}], env_file: {name}/app.env, images: {{{}}}}}\n",
            files.join(", "),
            images.join(", ")
        );
        deployments.push(format!("{{application: {name}}}"));
    }
    release += &format!(
        "targets:\n  - {{name: {TARGET}, kind: docker, deployments: [{}]}}\n",
        deployments.join(", ")
    );
    release += &fs::read_to_string(applications.join("secrets.yaml"))?;
    Ok(release)
}

/// What the container of a service printed when it started.
fn said(project: &str, service: &str) -> Outcome<String> {
    let filters = [
        format!("label=com.docker.compose.project={project}"),
        format!("label=com.docker.compose.service={service}"),
    ];
    let id = docker(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        &filters[0],
        "--filter",
        &filters[1],
    ])?;
    let id = id.lines().next().ok_or_else(|| format!("no container of {service}"))?;
    Ok(docker(&["logs", id])?)
}

/// The line of a variable in what a container printed.
fn variable<'a>(said: &'a str, name: &str) -> Outcome<&'a str> {
    let mut lines = said
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    lines.next().ok_or_else(|| format!("no {name} in {said}").into())
}

/// From five folders of a vendor to five projects that run, each with its secrets.
pub(crate) fn five_applications_run_with_their_secrets(world: &World) -> Outcome {
    let dir = world.folder("applications")?;
    if !Compose::find(&dir).is_ok_and(|compose| !compose.is_first()) {
        return Err(NotHere("compose-2").into());
    }
    let image = push_stand_in(world, &dir)?;
    let vendor = Vendor::new(&dir)?;
    let site = Site::new(&dir, &vendor.root())?;
    airlock()
        .args(["vendor", "enroll", "--yes", "--name", "plant", "--workspace"])
        .arg(&vendor.workspace)
        .arg(&site.enrolment)
        .ok()?;
    let bundle = dir.join("applications.airlock");
    let release = write_release(&dir, &image)?;
    vendor.create(1, &release, &bundle)?.args(["--site", "plant"]).ok()?;
    site.import(&bundle).ok()?;
    let value = dir.join("smtp");
    fs::write(&value, SMTP)?;
    airlock()
        .args(["secret", "set", "SMTP_PASSWORD", "--state"])
        .arg(&site.state)
        .stdin(fs::File::open(&value)?)
        .ok()?;
    let mut plant = Plant::of(site, &dir)?;
    plant.trust_by_dockerd()?;
    let _volumes = Volumes::new()?;
    let mut agent = plant.agent(BTreeMap::new())?;
    agent.round();
    let _leftovers: Vec<Leftovers> = agent
        .records
        .values()
        .map(|record| Leftovers(record.project.clone()))
        .collect();
    // Of a long tale the end says what went wrong.
    let errors = agent.acknowledged.iter().filter(|status| status.kind == "error");
    let errors: Vec<String> = errors
        .map(|status| {
            let lines: Vec<&str> = status.message.lines().rev().take(6).collect();
            lines.join("\n")
        })
        .collect();
    ensure(errors.is_empty() && agent.records.len() == 5, || {
        format!("{:?}\n{}", agent.troubles, errors.join("\n\n"))
    })?;
    let mut projects: BTreeMap<&str, String> = BTreeMap::new();
    for record in agent.records.values() {
        let containers = Compose::containers(&record.project)?;
        let running = containers.iter().filter(|[_, _, state, _]| state == "running").count();
        let names = format!("{containers:?}");
        let marks = ["photos_server", "postgresql", "engine", "relay", "wiki"];
        let mark = marks
            .into_iter()
            .find(|mark| names.contains(mark))
            .ok_or_else(|| names.clone())?;
        let place = marks.iter().position(|known| *known == mark).unwrap_or_default();
        let application = APPLICATIONS.get(place).ok_or("five applications")?;
        ensure(running >= application.containers, || {
            format!("{}: {names}", application.name)
        })?;
        projects.insert(application.name, record.project.clone());
    }
    ensure(projects.len() == 5, || format!("{projects:?}"))?;
    let of = |application: &str, service: &str| said(projects.get(application).map_or("", String::as_str), service);

    let (server, database) = (of("photo-library", "server")?, of("photo-library", "database")?);
    let made = variable(&server, "DB_PASSWORD")?;
    ensure(
        made.len() == 32 && variable(&database, "POSTGRES_PASSWORD")? == made,
        || server.clone(),
    )?;
    let worker = of("identity-provider", "worker")?;
    ensure(variable(&worker, "IDENTITY_EMAIL__PASSWORD")? == SMTP, || {
        worker.clone()
    })?;
    ensure(variable(&worker, "IDENTITY_SECRET_KEY")?.len() == 60, || worker.clone())?;
    let engine = of("workflow-engine", "engine")?;
    ensure(variable(&engine, "ENCRYPTION_KEY")?.len() == 24, || engine.clone())?;
    let web = of("error-tracker", "web")?;
    ensure(
        variable(&web, "ASSISTANT_API_KEY")? == ASSISTANT_KEY && variable(&web, "TRACKER_MAIL_PASSWORD")? == SMTP,
        || web.clone(),
    )?;
    let wiki = of("wiki", "wiki")?;
    let licence = format!("== /wiki/licence\n# Of the vendor, for this plant\n{WIKI_LICENCE}");
    ensure(wiki.contains(&licence), || wiki.clone())?;
    let password = wiki.split("== /run/secrets/db_pass\n").nth(1).unwrap_or_default();
    ensure(
        password.bytes().take_while(u8::is_ascii_alphanumeric).count() == 32,
        || wiki.clone(),
    )?;
    Ok(())
}
