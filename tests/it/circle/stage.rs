//! A vendor with a workspace, a site with a server, and a folder for a stick between them: everything by commands.
#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use airlock::db::{Db, Schema, SqlResult as _};
use serde_json::Value;
use tempfile::TempDir;

use crate::agent::engine::{Deployment, Engine, Health};
use crate::agent::looping::Agent;
use crate::support::appliance::{AIRLOCK, Serving, scratch};

/// How often each status was reported: revision, state, text.
pub(crate) type Tally = BTreeMap<(String, String, String), u64>;

pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    /// A vendor of the product `shop`, and a site that it has enrolled as `plant`. The site shows everything.
    pub(crate) fn new() -> Self {
        let stage = Self { folder: scratch() };
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for name in ["hello", "shop"] {
            let copied = Command::new("cp")
                .arg("-r")
                .arg(fixtures.join(name))
                .arg(stage.folder.path())
                .status();
            assert!(copied.unwrap().success());
        }
        fs::create_dir(stage.path("stick")).unwrap();
        fs::write(
            stage.path("airlock.toml"),
            "[export]\nprofile = \"full\"\nshow = []\nredact = []\n",
        )
        .unwrap();
        stage.good(&[
            "vendor",
            "init",
            "--product",
            "shop",
            "--vendor",
            "Test",
            "w",
            "--expires",
            "2100-01-01T00:00:00Z",
        ]);
        stage.good(&["init", "--trust", "w/root.json", "--site", "plant", "--state", "state"]);
        let enrolment = stage.only("state/outbox", "enrolment-");
        stage.good(&["vendor", "enroll", "--yes", &enrolment, "-w", "w", "--name", "plant"]);
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The only file of a folder whose name begins so, as a path from the stage.
    #[track_caller]
    pub(crate) fn only(&self, folder: &str, start: &str) -> String {
        let found: Vec<String> = self
            .list(folder)
            .into_iter()
            .filter(|name| name.starts_with(start))
            .collect();
        let [name] = &found[..] else {
            panic!("{folder}: {found:?}")
        };
        format!("{folder}/{name}")
    }

    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn run(&self, format: &str, arguments: &[&str]) -> Output {
        Command::new(AIRLOCK)
            .args(["--format", format])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed and returns its result.
    #[track_caller]
    pub(crate) fn good(&self, arguments: &[&str]) -> Value {
        let output = self.run("json", arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Runs a command that must be refused: class, code, and the remedy.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> (String, String, String) {
        let output = self.run("json", arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let event: Value = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["event"] == "refused")
            .unwrap_or_else(|| panic!("{arguments:?} was not refused\n{text}"));
        let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        (word("class"), word("code"), word("remedy"))
    }

    /// Runs a command and returns what a person reads.
    #[track_caller]
    pub(crate) fn human(&self, arguments: &[&str]) -> String {
        let output = self.run("human", arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes release `sequence` for the site, whose application is of that version.
    pub(crate) fn bundle(&self, sequence: u64) -> (PathBuf, Value) {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop/release.yaml")).unwrap();
        let text = text
            .replace("version: \"1.0\"", &format!("version: \"{sequence}.0\""))
            .replace("sequence: 1", &format!("sequence: {sequence}"));
        fs::write(self.path("shop/release.yaml"), text).unwrap();
        if sequence > 1 {
            fs::write(
                self.path("shop/shop.env"),
                format!("SHOP_VERSION=1.0\nGREETING=release {sequence}\n"),
            )
            .unwrap();
        }
        let file = format!("stick/release-{sequence}.airlock");
        let made = self.good(&[
            "bundle",
            "create",
            "-f",
            "shop/release.yaml",
            "-w",
            "w",
            "-o",
            &file,
            "--site",
            "plant",
        ]);
        (self.path(&file), made)
    }

    pub(crate) fn import(&self, bundle: &Path) -> Value {
        self.good(&["import", bundle.to_str().unwrap(), "--state", "state"])
    }

    pub(crate) fn serve(&self) -> Serving {
        Serving::start(&self.path("state"))
    }

    /// Takes the target's agent into use, as its install command does.
    pub(crate) fn agent(&self, serving: &Serving) -> Agent<Books> {
        let address = serving.address.to_string();
        fs::write(
            self.path("connect.toml"),
            format!("[agents]\naddress = \"{address}\"\nplain_http = true\n"),
        )
        .unwrap();
        let manifest = self.human(&[
            "target",
            "connect",
            "counter",
            "--manifest",
            "--config",
            "connect.toml",
            "--state",
            "state",
        ]);
        Agent::start(&manifest, Books::default(), self.path("agent"), BTreeMap::new()).unwrap()
    }

    /// Exports the next package onto the stick and returns its file.
    pub(crate) fn export(&self) -> String {
        let before = self.packages();
        self.good(&[
            "status",
            "export",
            "stick",
            "--config",
            "airlock.toml",
            "--state",
            "state",
        ]);
        let after = self.packages();
        let new: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
        let [name] = new[..] else {
            panic!("one package more: {before:?} {after:?}")
        };
        format!("stick/{name}")
    }

    /// Names of the packages on the stick.
    pub(crate) fn packages(&self) -> Vec<String> {
        let mut names = self.list("stick");
        names.retain(|name| name.ends_with(".airlock-status"));
        names
    }

    /// Rows of the ledger.
    pub(crate) fn ledger<T>(&self, sql: &str, read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let db = Db::open(&self.path("w/ledger.db"), &Schema::LEDGER).unwrap();
        db.read(|connection| {
            let mut select = connection.prepare(sql).sql("ask")?;
            let rows = select.query_map([], |row| read(row)).sql("ask")?;
            rows.collect::<rusqlite::Result<Vec<T>>>().sql("ask")
        })
        .unwrap()
    }

    /// What the ledger holds of statuses, each in the place of its first time.
    pub(crate) fn told_in_order(&self) -> Vec<(String, String, String)> {
        let rows = self.ledger(
            "SELECT lower(hex(revision)), state, text FROM record ORDER BY instance, number",
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        );
        each_once(rows.into_iter())
    }

    /// What the ledger holds of statuses.
    pub(crate) fn told(&self) -> Tally {
        let rows = self.ledger(
            "SELECT lower(hex(revision)), state, text, count FROM record ORDER BY instance, number",
            |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, Option<String>>(2)?,
                    row.get::<_, u64>(3)?,
                ))
            },
        );
        let mut tally = Tally::new();
        for (revision, state, text, count) in rows {
            *tally
                .entry((revision, state, text.expect("the site shows texts")))
                .or_default() += count;
        }
        tally
    }
}

/// What an agent got a 2xx for, each in the place of its first time.
pub(crate) fn in_order<E: Engine>(agent: &Agent<E>) -> Vec<(String, String, String)> {
    let told = agent.acknowledged.iter().map(|status| {
        (
            status.revision.replace('-', ""),
            status.kind.clone(),
            status.message.clone(),
        )
    });
    each_once(told)
}

fn each_once(told: impl Iterator<Item = (String, String, String)>) -> Vec<(String, String, String)> {
    let mut seen = BTreeSet::new();
    told.filter(|one| seen.insert(one.clone())).collect()
}

/// What an agent got a 2xx for.
pub(crate) fn acknowledged<E: Engine>(agent: &Agent<E>) -> Tally {
    let mut tally = Tally::new();
    for status in &agent.acknowledged {
        let key = (
            status.revision.replace('-', ""),
            status.kind.clone(),
            status.message.clone(),
        );
        *tally.entry(key).or_default() += 1;
    }
    tally
}

/// An engine that runs nothing and keeps books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) projects: BTreeMap<String, String>,
    /// What `check` finds instead of a running project.
    pub(crate) trouble: Option<String>,
}

impl Engine for Books {
    fn apply(
        &mut self,
        deployment: &Deployment,
        _: Option<&Path>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<String, String> {
        progress("Pulling: 1/1");
        self.projects
            .insert(deployment.project.clone(), deployment.compose.clone());
        Ok("compose command executed successfully".into())
    }

    fn check(&mut self, deployment: &Deployment) -> Health {
        match &self.trouble {
            Some(trouble) => ("error", trouble.clone()),
            None if self.projects.contains_key(&deployment.project) => (
                "running",
                "status check results: 1 running (healthchecks missing)".into(),
            ),
            None => ("error", "no containers found".into()),
        }
    }

    fn down(&mut self, project: &str) -> Result<(), String> {
        self.projects.remove(project);
        Ok(())
    }

    fn restart(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn replace_agent(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }
}
