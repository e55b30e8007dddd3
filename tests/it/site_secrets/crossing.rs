//! Vendors with workspaces and sites with agents in one folder, by the program alone, and everything that it ever printed.
#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlock::vendor_side::compose::Environment;
use serde_json::Value;
use tempfile::TempDir;

use crate::agent::engine::{Deployment, Engine, Health};
use crate::agent::looping::{Agent, Round};
use crate::support::appliance::{AIRLOCK, Ended, Serving, scratch};
use crate::vendor::compose::{Compose, composes};

/// Begins every release file; the rest says what is in it.
const HEAD: &str = "channel: stable\nissued_at: 2026-01-01T00:00:00Z\nexpires_in: 520w\naudience: any\n";

/// The folder.
pub(super) struct Crossing {
    folder: TempDir,
    said: RefCell<String>,
}

impl Crossing {
    /// An empty one, with the fixture `hello`, of which images are made.
    pub(super) fn new() -> Self {
        let crossing = Self {
            folder: scratch(),
            said: RefCell::default(),
        };
        let hello = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(hello)
            .arg(crossing.folder.path())
            .status();
        assert!(copied.unwrap().success());
        crossing
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that nobody else may read.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Everything that commands printed so far.
    pub(super) fn said(&self) -> String {
        self.said.borrow().clone()
    }

    pub(super) fn run(&self, format: &str, words: &[&str], stdin: &str) -> (Ended, String) {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", format])
            .args(words)
            .current_dir(self.folder.path());
        command.env_clear().env("HOME", self.folder.path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who refuses before reads nothing of it.
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut said = self.said.borrow_mut();
        said.push_str(&out);
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        (Ended::of(&output), out)
    }

    #[track_caller]
    pub(super) fn good(&self, words: &[&str]) -> Value {
        self.good_with(words, "")
    }

    #[track_caller]
    pub(super) fn good_with(&self, words: &[&str], stdin: &str) -> Value {
        let (ended, _) = self.run("json", words, stdin);
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
        ended.result
    }

    /// A vendor of a product, whose workspace is the folder `PRODUCT.w`.
    pub(super) fn vendor(&self, product: &str) {
        let (workspace, expires) = (format!("{product}.w"), "2100-01-01T00:00:00Z");
        self.good(&[
            "vendor",
            "init",
            "--product",
            product,
            "--vendor",
            product,
            &workspace,
            "--expires",
            expires,
        ]);
    }

    /// A site with the state folder `SITE.state`, which trusts the vendors of these products and is enrolled with each.
    pub(super) fn site(&self, site: &str, products: &[&str]) {
        let state = format!("{site}.state");
        let roots: Vec<String> = products
            .iter()
            .map(|product| format!("{product}.w/root.json"))
            .collect();
        let mut words = vec!["init", "--site", site, "--state", &state];
        for root in &roots {
            words.extend(["--trust", root]);
        }
        self.good(&words);
        let outbox = self.path(&state).join("outbox");
        for product in products {
            let mut took = 0;
            for entry in fs::read_dir(&outbox).unwrap() {
                let file = entry.unwrap().path();
                let workspace = format!("{product}.w");
                let words = [
                    "vendor",
                    "enroll",
                    "--yes",
                    file.to_str().unwrap(),
                    "-w",
                    &workspace,
                    "--name",
                    site,
                ];
                took += usize::from(self.run("json", &words, "").0.code == Some(0));
            }
            assert_eq!(took, 1, "one enrolment file of {site} is for {product}");
        }
    }

    /// Makes a release of a product for these sites and returns its bundle.
    pub(super) fn release(&self, product: &str, sequence: u64, rest: &str, sites: &[&str]) -> String {
        let (file, out) = (format!("{product}.yaml"), format!("{product}-{sequence}.airlock"));
        let text = format!("product: {product}\nversion: \"{sequence}\"\nsequence: {sequence}\n{HEAD}{rest}");
        fs::write(self.path(&file), text).unwrap();
        let workspace = format!("{product}.w");
        let mut words = vec!["bundle", "create", "-f", &file, "-w", &workspace, "-o", &out];
        for site in sites {
            words.extend(["--site", site]);
        }
        self.good(&words);
        out
    }

    /// A command at a site.
    #[track_caller]
    pub(super) fn at(&self, site: &str, words: &[&str], stdin: &str) -> Value {
        let state = format!("{site}.state");
        self.good_with(&[words, &["--state", &state]].concat(), stdin)
    }

    /// Serves a site; what the server logs is in the file `SITE.log`.
    pub(super) fn serve(&self, site: &str) -> Serving {
        let state = self.path(&format!("{site}.state"));
        Serving::start_logging(&state, &self.path(&format!("{site}.log")))
    }

    /// Takes a target's agent into use.
    pub(super) fn agent(&self, site: &str, serving: &Serving, target: &str) -> Agent<Reader> {
        let config = format!("{site}.connect.toml");
        fs::write(
            self.path(&config),
            format!("[agents]\naddress = \"{}\"\nplain_http = true\n", serving.address),
        )
        .unwrap();
        let state = format!("{site}.state");
        let words = [
            "target",
            "connect",
            target,
            "--manifest",
            "--config",
            &config,
            "--state",
            &state,
        ];
        let (ended, manifest) = self.run("human", &words, "");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        // Agents keep what they need on their own host.
        let host = tempfile::tempdir().unwrap();
        let scratch = host.path().to_path_buf();
        Agent::start(&manifest, Reader::new(host), scratch, BTreeMap::new()).unwrap()
    }
}

/// What an agent was told to run, as it is read.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The compose file as it came.
    pub(super) compose: String,
    /// Values of the environment file.
    env: BTreeMap<String, String>,
    /// What a real compose makes of both, where one is here that knows everything in them.
    pub(super) config: Option<Value>,
}

impl Told {
    #[track_caller]
    pub(super) fn env(&self, name: &str) -> &str {
        self.env
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.env))
    }

    /// A variable of a service, as its container gets it: only a real compose knows.
    pub(super) fn variable(&self, service: &str, name: &str) -> Option<String> {
        let value = &self.config.as_ref()?["services"][service]["environment"][name];
        Some(
            value
                .as_str()
                .unwrap_or_else(|| panic!("no {name} of {service}"))
                .replace("$$", "$"),
        )
    }
}

/// An engine that has a real compose read what it is told, and runs nothing.
#[derive(Debug)]
pub(super) struct Reader {
    compose: Option<Compose>,
    host: TempDir,
    /// By a service that the project has.
    told: BTreeMap<String, Told>,
    /// Names of the first service of each project that was applied, in order.
    pub(super) applied: Vec<String>,
    /// What containers are found to be in place of running.
    pub(super) trouble: Option<String>,
}

impl Reader {
    fn new(host: TempDir) -> Self {
        Self {
            compose: composes().into_iter().find(|compose| !compose.old),
            host,
            told: BTreeMap::new(),
            applied: Vec::new(),
            trouble: None,
        }
    }

    /// What is run with this service in it.
    #[track_caller]
    pub(super) fn told(&self, service: &str) -> &Told {
        self.told.get(service).unwrap_or_else(|| panic!("no {service}"))
    }
}

impl Engine for Reader {
    fn apply(&mut self, deployment: &Deployment, _: Option<&Path>, _: &mut dyn FnMut(&str)) -> Result<String, String> {
        let folder = self.host.path().join(&deployment.project);
        fs::create_dir_all(&folder).unwrap();
        let env = deployment.env.clone().unwrap_or_default();
        fs::write(folder.join("docker-compose.yaml"), &deployment.compose).unwrap();
        for name in [".env", "app.env"] {
            fs::write(folder.join(name), &env).unwrap();
        }
        let config = match &self.compose {
            Some(compose) => Some(compose.config(&folder, &["docker-compose.yaml"], &[])?),
            None => None,
        };
        let read = Environment::parse(Path::new("app.env"), &env).map_err(|error| error.to_string())?;
        let told = Told {
            compose: deployment.compose.clone(),
            env: read
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            config,
        };
        let document: Value = serde_saphyr::from_str(&deployment.compose).map_err(|error| error.to_string())?;
        let services: Vec<&String> = document["services"].as_object().unwrap().keys().collect();
        self.applied.push(services[0].clone());
        for service in services {
            self.told.insert(service.clone(), told.clone());
        }
        Ok("compose command executed successfully".into())
    }

    fn check(&mut self, _: &Deployment) -> Health {
        match &self.trouble {
            Some(trouble) => ("error", trouble.clone()),
            None => (
                "running",
                "status check results: 1 running (healthchecks missing)".into(),
            ),
        }
    }

    fn down(&mut self, _: &str) -> Result<(), String> {
        Err("nothing is to be removed".into())
    }

    fn restart(&mut self, _: &str) -> Result<(), String> {
        Err("nothing is to be restarted".into())
    }

    fn replace_agent(&mut self, _: &str) -> Result<(), String> {
        Err("no agent is to be replaced".into())
    }
}

/// One round, and what it applied.
#[track_caller]
pub(super) fn round(agent: &mut Agent<Reader>) -> Vec<String> {
    agent.engine.applied.clear();
    assert_eq!(agent.round(), Round::Done, "{:?}", agent.troubles);
    assert_eq!(agent.troubles, Vec::<String>::new());
    let mut applied = agent.engine.applied.clone();
    applied.sort();
    applied
}
