//! The product, as its users run it: the built binary, one process per command.

use std::fs;
use std::path::{Path, PathBuf};

use ::airlock::domain::{Clock as _, SystemClock};
use serde_json::Value;

use crate::Outcome;
use crate::http::Client;
use crate::process::{Program, Service};

/// The product that all bundles here are for.
const PRODUCT: &str = "acme-erp";

/// An airlock command with nothing of the caller's environment that airlock would look at.
pub(crate) fn airlock() -> Program {
    let mut program = Program::new(env!("CARGO_BIN_EXE_airlock"));
    for name in [
        "AIRLOCK_STATE",
        "AIRLOCK_WORKSPACE",
        "AIRLOCK_LOG",
        "SOURCE_DATE_EPOCH",
        "RUST_BACKTRACE",
    ] {
        program = program.without(name);
    }
    program
}

/// A vendor's workspace.
#[derive(Debug)]
pub(crate) struct Vendor {
    /// The workspace.
    pub(crate) workspace: PathBuf,
}

/// An appliance.
#[derive(Debug)]
pub(crate) struct Site {
    /// Its state folder.
    pub(crate) state: PathBuf,
    /// Its enrolment file.
    pub(crate) enrolment: PathBuf,
}

/// A serving appliance; dropping it ends the server.
#[derive(Debug)]
pub(crate) struct Server {
    /// The process.
    pub(crate) service: Service,
    /// Its port at 127.0.0.1.
    pub(crate) port: u16,
}

impl Vendor {
    /// Makes keys, trust root and ledger.
    pub(crate) fn new(dir: &Path) -> Outcome<Self> {
        let workspace = dir.join("workspace");
        airlock()
            .args(["vendor", "init", "--product", PRODUCT, "--vendor", "Acme"])
            .arg(&workspace)
            .ok()?;
        Ok(Self { workspace })
    }

    /// The chain file that sites pin.
    pub(crate) fn root(&self) -> PathBuf {
        self.workspace.join("root.json")
    }

    /// The command that makes a bundle of a release; the release file's text is written beside the workspace.
    pub(crate) fn create(&self, number: u32, images: &str, out: &Path) -> Outcome<Program> {
        let file = self.workspace.with_file_name(format!("release-{number}.yaml"));
        fs::write(
            &file,
            format!(
                "product: {PRODUCT}\nchannel: stable\nversion: \"{number}.0\"\nsequence: {number}\nissued_at: {now}\nexpires_in: 90d\n{images}",
                now = SystemClock.now()
            ),
        )?;
        Ok(airlock()
            .args(["bundle", "create", "-f"])
            .arg(file)
            .arg("-w")
            .arg(&self.workspace)
            .arg("-o")
            .arg(out))
    }
}

impl Site {
    /// Makes an appliance that trusts a root.
    pub(crate) fn new(dir: &Path, root: &Path) -> Outcome<Self> {
        let site = Self {
            state: dir.join("state"),
            enrolment: dir.join("enrolment.json"),
        };
        airlock()
            .args(["init", "--site", "plant-7", "--trust"])
            .arg(root)
            .arg("--enrolment")
            .arg(&site.enrolment)
            .arg("--state")
            .arg(&site.state)
            .ok()?;
        Ok(site)
    }

    /// The command that imports from somewhere.
    pub(crate) fn import(&self, source: impl AsRef<Path>) -> Program {
        airlock()
            .args(["--format", "json", "import"])
            .arg(source.as_ref())
            .arg("--state")
            .arg(&self.state)
    }

    /// Imports a bundle, expects that it goes live.
    pub(crate) fn imported(&self, source: impl AsRef<Path>) -> Outcome {
        let result: Value = serde_json::from_str(&self.import(source).ok()?)?;
        if result["result"] == "imported" && result["active"] == true {
            Ok(())
        } else {
            Err(format!("the import says {result}").into())
        }
    }

    /// Makes a release live by its label.
    pub(crate) fn activate(&self, label: &str) -> Outcome {
        airlock()
            .args(["release", "activate", label, "--state"])
            .arg(&self.state)
            .ok()?;
        Ok(())
    }

    /// The command that serves on a port that the system chooses.
    pub(crate) fn serve_command(&self) -> Program {
        serving(airlock(), &self.state)
    }

    /// Starts serving.
    pub(crate) fn serve(&self) -> Outcome<Server> {
        Server::start(self.serve_command())
    }
}

impl Server {
    /// Starts a command that serves and waits for the line that names the port.
    pub(crate) fn start(command: Program) -> Outcome<Self> {
        let (service, port) = command.serve(port_of)?;
        Ok(Self { service, port })
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        Client { port: self.port }
    }

    /// The host as it stands in image names.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Adds the words that make a command serve a state folder.
pub(crate) fn serving(program: Program, state: &Path) -> Program {
    program.args(["serve", "--listen", "127.0.0.1:0", "--state"]).arg(state)
}

/// The port in the line that says where the server listens.
pub(crate) fn port_of(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("serving http://127.0.0.1:")?;
    rest.split('/').next()?.parse().ok()
}
