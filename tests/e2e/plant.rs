//! An appliance as a plant runs it: HTTPS by its own authority, registry reads by credentials, an address that is not 127/8.
//!
//! dockerd takes any certificate for addresses in 127/8, so an appliance there would not show that it is trusted for the right
//! reason. An address of the range for documentation is put on the loopback device while the guard lives; nothing leaves the
//! machine.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::agent::looping::{Acknowledged, Agent, Record};
use crate::airlock::{Site, airlock};
use crate::compose::Compose;
use crate::process::{Program, Service};
use crate::shop::Shop;
use crate::{Outcome, ensure, failure};

/// The plant's address (RFC 5737).
const ADDRESS: &str = "198.51.100.7";

/// The address on the loopback device.
#[derive(Debug)]
struct OnLoopback;

impl OnLoopback {
    fn new() -> Outcome<Self> {
        ip("add")?;
        Ok(Self)
    }
}

impl Drop for OnLoopback {
    fn drop(&mut self) {
        ip("del").ok();
    }
}

fn ip(verb: &str) -> Outcome {
    Program::new("ip")
        .words(&format!("address {verb} {ADDRESS}/32 dev lo"))
        .ok()?;
    Ok(())
}

/// An appliance with its files for engines.
#[derive(Debug)]
pub(crate) struct Plant {
    service: Option<Service>,
    /// State folder and enrolment.
    pub(crate) site: Site,
    config: PathBuf,
    dir: PathBuf,
    port: u16,
    trusted: Option<PathBuf>,
    _address: OnLoopback,
}

impl Plant {
    /// Makes an appliance, imports the first release, serves.
    pub(crate) fn new(shop: &Shop, dir: &Path) -> Outcome<Self> {
        let site = Site::new(dir, &shop.vendor.root())?;
        site.imported(shop.bundle(1)?)?;
        Self::of(site, dir)
    }

    /// Serves an appliance that has a live release.
    pub(crate) fn of(site: Site, dir: &Path) -> Outcome<Self> {
        let address = OnLoopback::new()?;
        // A free port that stays the same over restarts.
        let port = TcpListener::bind((ADDRESS, 0))?.local_addr()?.port();
        let config = dir.join("airlock.toml");
        fs::write(
            &config,
            format!(
                "listen = [\"127.0.0.1:0\"]\n[tls]\nlisten = [\"{ADDRESS}:{port}\"]\n[registry]\nread = \"credentials\"\n"
            ),
        )?;
        let mut plant = Self {
            service: None,
            site,
            config,
            dir: dir.to_path_buf(),
            port,
            trusted: None,
            _address: address,
        };
        plant.serve()?;
        Ok(plant)
    }

    /// Starts serving, on the port of before.
    pub(crate) fn serve(&mut self) -> Outcome {
        let wanted = format!("https://{}/", self.host());
        let (service, ()) = airlock()
            .args(["serve", "--config"])
            .arg(&self.config)
            .arg("--state")
            .arg(&self.site.state)
            .serve(|line| line.contains(&wanted).then_some(()))?;
        self.service = Some(service);
        Ok(())
    }

    /// Ends the appliance as a power cut does.
    pub(crate) fn kill(&mut self) -> Outcome {
        let service = self.service.take().ok_or("the appliance does not run")?;
        let id = i32::try_from(service.id())?;
        kill_process(Pid::from_raw(id).ok_or("no process")?, Signal::KILL)?;
        let (status, _) = service.end()?;
        ensure(!status.success(), || format!("it ended by itself: {status}"))
    }

    /// `host:port`, also in image names.
    pub(crate) fn host(&self) -> String {
        format!("{ADDRESS}:{}", self.port)
    }

    /// A command on the state folder that answers in JSON.
    pub(crate) fn ask(&self, words: &[&str]) -> Outcome<Value> {
        let said = airlock()
            .args(["--format", "json"])
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .arg("--state")
            .arg(&self.site.state)
            .ok()?;
        Ok(serde_json::from_str(&said)?)
    }

    /// As [`Self::ask`], with something to read.
    pub(crate) fn ask_with(&self, words: &[&str], stdin: fs::File) -> Outcome<Value> {
        let said = airlock()
            .args(["--format", "json"])
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .arg("--state")
            .arg(&self.site.state)
            .stdin(stdin)
            .ok()?;
        Ok(serde_json::from_str(&said)?)
    }

    /// A new secret of a target, and the target's id.
    pub(crate) fn secret(&self, target: &str) -> Outcome<(String, String)> {
        let said: Value = serde_json::from_str(
            &airlock()
                .args(["--format", "json", "target", "secret", target, "--yes", "--state"])
                .arg(&self.site.state)
                .ok()?,
        )?;
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        match (text("id").or_else(|| text("target")), text("secret")) {
            (Some(id), Some(secret)) => Ok((id, secret)),
            _ => failure(format!("no secret in {said}")),
        }
    }

    /// The authority's certificate, as engines get it.
    pub(crate) fn authority(&self) -> Outcome<PathBuf> {
        let path = self.dir.join("authority.crt");
        if !path.exists() {
            let files = self.mirror_files("docker")?;
            let found = files.iter().find(|(path, _)| path.ends_with("/ca.crt"));
            let (_, content) = found.ok_or("no authority among the files for dockerd")?;
            fs::write(&path, content)?;
        }
        Ok(path)
    }

    /// Files that `target connect --mirrors` writes for a runtime: path and content.
    pub(crate) fn mirror_files(&self, runtime: &str) -> Outcome<Vec<(String, String)>> {
        let said = self.ask(&["target", "connect", crate::shop::TARGET, "--mirrors", runtime])?;
        let list = said["files"].as_array().ok_or_else(|| format!("no files in {said}"))?;
        let text = |file: &Value, name: &str| file[name].as_str().unwrap_or_default().to_owned();
        Ok(list
            .iter()
            .map(|file| (text(file, "path"), text(file, "content")))
            .collect())
    }

    /// Has dockerd trust this appliance, with the file that the appliance names for it, until the plant is gone.
    pub(crate) fn trust_by_dockerd(&mut self) -> Outcome {
        let folder = Path::new("/etc/docker/certs.d").join(self.host());
        for (path, content) in self.mirror_files("docker")? {
            if path == folder.join("ca.crt").to_string_lossy() {
                fs::create_dir_all(&folder)?;
                fs::write(path, content)?;
                self.trusted = Some(folder);
                return Ok(());
            }
        }
        failure("the appliance names no ca.crt for dockerd")
    }

    /// What the connect address answers, fetched as a person at the target does.
    pub(crate) fn connect(&self, target: &str) -> Outcome<String> {
        let (id, secret) = self.secret(target)?;
        let url = format!(
            "https://{}/api/v1/connect?targetId={id}&targetSecret={secret}",
            self.host()
        );
        Program::new("curl")
            .args(["-fsSL", "--cacert"])
            .arg(self.authority()?)
            .arg(url)
            .ok()
    }

    /// A token of a target, and what it shall run, asked for with curl.
    pub(crate) fn resources(&self, target: &str) -> Outcome<(String, Value)> {
        let (id, secret) = self.secret(target)?;
        let base = format!("https://{}/api/v1/agent", self.host());
        let curl =
            || -> Outcome<Program> { Ok(Program::new("curl").args(["-fsS", "--cacert"]).arg(self.authority()?)) };
        let login = curl()?
            .args(["-X", "POST", "-u", &format!("{id}:{secret}"), &format!("{base}/login")])
            .ok()?;
        let login: Value = serde_json::from_str(&login)?;
        let token = login["token"].as_str().ok_or("no token")?.to_owned();
        let bearer = format!("Authorization: Bearer {token}");
        let said = curl()?.args(["-H", &bearer, &format!("{base}/resources")]).ok()?;
        Ok((token, serde_json::from_str(&said)?))
    }

    /// Starts an agent from the manifest.
    pub(crate) fn agent(&self, records: std::collections::BTreeMap<String, Record>) -> Outcome<Agent<Compose>> {
        let scratch = self.dir.join("agent");
        fs::create_dir_all(&scratch)?;
        let engine = Compose::find(&scratch)?;
        Agent::start(&self.connect(crate::shop::TARGET)?, engine, scratch, records)
    }

    /// Fails unless every status that got an answer is kept. Repeats may be folded into one row with a count.
    pub(crate) fn keeps(&self, acknowledged: &[Acknowledged]) -> Outcome {
        crate::kept::compare(&self.site.state, acknowledged)
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        drop(self.service.take());
        if let Some(folder) = &self.trusted {
            fs::remove_dir_all(folder).ok();
        }
    }
}
