//! A real engine: compose over docker, as `docker compose`, or as Debian's older `docker-compose`.
//!
//! Everything it starts belongs to a project of its own name, and is found again by compose's label.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::agent::engine::{Deployment, Engine, Health};
use crate::{Outcome, failure};

/// How often an apply that takes long says so.
const INTERVAL: Duration = Duration::from_secs(5);

/// Compose, as it is installed.
#[derive(Debug, Clone)]
pub(crate) struct Compose {
    program: Vec<String>,
    /// Version 1 does not know the top-level name.
    first: bool,
    /// Project folders.
    folder: PathBuf,
    /// Docker configuration when a project names nothing of the registry.
    own_config: PathBuf,
    /// What it did, for whoever looks: `apply PROJECT`, `down PROJECT`.
    pub(crate) done: Vec<String>,
}

impl Compose {
    /// Finds compose: the program that `AIRLOCK_TEST_COMPOSE` names, the docker plugin, else the program of its own.
    pub(crate) fn find(folder: &Path) -> Outcome<Self> {
        let named = std::env::var("AIRLOCK_TEST_COMPOSE").ok();
        let named = named.iter().map(|program| vec![program.as_str()]);
        for program in named.chain([vec!["docker", "compose"], vec!["docker-compose"]]) {
            let mut command = Command::new(program.first().copied().unwrap_or_default());
            command.args(program.iter().skip(1)).args(["version", "--short"]);
            let Ok(output) = command.stdin(Stdio::null()).output() else {
                continue;
            };
            if output.status.success() {
                let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                let own_config = folder.join("own-config");
                std::fs::create_dir_all(&own_config)?;
                return Ok(Self {
                    program: program.into_iter().map(str::to_owned).collect(),
                    first: version.trim_start_matches('v').starts_with("1."),
                    folder: folder.to_path_buf(),
                    own_config,
                    done: Vec::new(),
                });
            }
        }
        failure("neither `docker compose` nor `docker-compose` is installed")
    }

    /// Whether it is compose 1, which does not know everything.
    pub(crate) fn is_first(&self) -> bool {
        self.first
    }

    fn project_folder(&self, project: &str) -> PathBuf {
        self.folder.join("projects").join(project)
    }

    fn compose(&self, project: &str, config: Option<&Path>) -> Command {
        let mut command = Command::new(self.program.first().map_or("docker-compose", String::as_str));
        command.args(self.program.iter().skip(1));
        let folder = self.project_folder(project);
        command.args(["--project-name", project, "--file", "docker-compose.yaml"]);
        command.current_dir(folder);
        command.env("DOCKER_CONFIG", config.unwrap_or(&self.own_config));
        command.stdin(Stdio::null());
        command
    }

    /// Containers of a project: name, state, and what docker says about them.
    pub(crate) fn containers(project: &str) -> Result<Vec<[String; 4]>, String> {
        let filter = format!("label=com.docker.compose.project={project}");
        let format = "{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Status}}";
        let said = docker(&["ps", "--all", "--no-trunc", "--filter", &filter, "--format", format])?;
        let mut found: Vec<[String; 4]> = said
            .lines()
            .filter_map(|line| {
                let mut words = line.splitn(4, '\t').map(str::to_owned);
                Some([words.next()?, words.next()?, words.next()?, words.next()?])
            })
            .collect();
        found.sort();
        Ok(found)
    }

    fn write_project(&self, deployment: &Deployment) -> Outcome {
        let folder = self.project_folder(&deployment.project);
        std::fs::create_dir_all(&folder)?;
        let mut text = deployment.compose.clone();
        if self.first {
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("name:")).collect();
            text = lines.join("\n") + "\n";
        }
        write(&folder.join("docker-compose.yaml"), text.as_bytes())?;
        write(&folder.join(".env"), deployment.env.as_deref().unwrap_or_default())
    }
}

impl Engine for Compose {
    fn apply(
        &mut self,
        deployment: &Deployment,
        config: Option<&Path>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<String, String> {
        self.done.push(format!("apply {}", deployment.project));
        if deployment.swarm {
            return Err("no swarm is active here".into());
        }
        self.write_project(deployment).map_err(|error| error.to_string())?;
        let log = self.project_folder(&deployment.project).join("up.log");
        let file = std::fs::File::create(&log).map_err(|error| error.to_string())?;
        let mut command = self.compose(&deployment.project, config);
        command.args(["up", "--detach", "--remove-orphans"]);
        command.stdout(Stdio::null()).stderr(file);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut said = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if said.elapsed() >= INTERVAL {
                progress("compose is at work");
                said = Instant::now();
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        if status.success() {
            return Ok("compose command executed successfully".into());
        }
        Err(format!("compose up: {status}: {}", read(&log)))
    }

    fn check(&mut self, deployment: &Deployment) -> Health {
        let containers = match Self::containers(&deployment.project) {
            Ok(containers) => containers,
            Err(error) => return ("error", error),
        };
        if containers.is_empty() {
            return ("error", "no containers found".into());
        }
        let (mut healthy, mut running, mut starting) = (0, 0, 0);
        for [_, name, state, status] in &containers {
            match state.as_str() {
                "running" if status.contains("(healthy)") => healthy += 1,
                "running" if status.contains("(unhealthy)") => return ("error", format!("{name} is unhealthy")),
                "running" if status.contains("health: starting") => starting += 1,
                "running" => running += 1,
                "restarting" | "created" => starting += 1,
                other => return ("error", format!("container {name} is {other}: {status}")),
            }
        }
        let parts = [
            (healthy, "healthy"),
            (running, "running (healthchecks missing)"),
            (starting, "starting"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let kind = match (starting, running) {
            (0, 0) => "healthy",
            (0, _) => "running",
            _ => "progressing",
        };
        (kind, format!("status check results: {}", parts.join(", ")))
    }

    fn down(&mut self, project: &str) -> Result<(), String> {
        self.done.push(format!("down {project}"));
        let filter = format!("label=com.docker.compose.project={project}");
        let images = docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Image}}"])?;
        succeed(self.compose(project, None).args(["down", "--volumes"]))?;
        for image in images.lines() {
            // Still used by others is as good.
            docker(&["image", "rm", image]).ok();
        }
        Ok(())
    }

    fn restart(&mut self, project: &str) -> Result<(), String> {
        self.done.push(format!("restart {project}"));
        succeed(self.compose(project, None).arg("restart")).map(drop)
    }

    fn replace_agent(&mut self, _manifest: &str) -> Result<(), String> {
        Err("this double runs in no container and cannot be replaced".into())
    }
}

/// Runs a docker command and returns what it says.
pub(crate) fn docker(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("docker");
    let output = succeed(command.args(arguments).stdin(Stdio::null()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn succeed(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {}: {said}", output.status))
}

#[expect(clippy::disallowed_methods, reason = "files of the project folder")]
fn write(path: &Path, bytes: &[u8]) -> Outcome {
    Ok(std::fs::write(path, bytes)?)
}

#[expect(clippy::disallowed_methods, reason = "a log for a failure's text")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
