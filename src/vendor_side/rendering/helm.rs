//! helm as a program that works charts out, and nothing else.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::documents::split;
use super::objects::{Wrong, reading};
use super::program::{Bounds, run};
use super::renderings::Rendering;
use super::scratch::Scratch;
use crate::chart::{Reading, ReleaseWords, Template};
use crate::domain::{Class, Error, Result, SecretName};
use crate::invented_site::InventedSite;

/// Longest time that a chart may take.
const TIME: Duration = Duration::from_secs(60);
/// Most that comes out of a chart.
const BYTES: u64 = 64 << 20;
/// An address at which nobody answers, for whatever wants to reach out.
const NOWHERE: &str = "http://127.0.0.1:1";

/// What works charts out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HelmChoice {
    /// Nothing does: they are read as they stand.
    #[default]
    Off,
    /// A program that was found; where it is no helm, charts are read as they stand, and that is said.
    Found(PathBuf),
    /// A program that was named.
    Named(PathBuf),
}

impl HelmChoice {
    /// Looks for helm in the folders of a `PATH`.
    pub fn on_path(folders: &OsStr) -> Self {
        std::env::split_paths(folders)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("helm"))
            .find(|path| {
                path.metadata()
                    .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
            })
            .map_or(Self::Off, Self::Found)
    }
}

/// What a cluster says that it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Its version; helm's own default when not given.
    pub(crate) kube_version: Option<String>,
    /// APIs that it has besides the usual ones, where that is said.
    pub(crate) api_versions: Option<Vec<String>>,
}

/// A helm that answers.
#[derive(Debug)]
pub(crate) struct Helm {
    program: PathBuf,
    /// Its version, like `v4.3.0`.
    pub(crate) version: String,
}

impl Helm {
    /// Asks a program whether it is helm.
    ///
    /// # Errors
    ///
    /// `E-USAGE helm` when it is not, or of a generation that charts of today are not written for.
    pub(crate) fn open(program: &Path) -> Result<Self> {
        let refused = |found: String| {
            Error::new(Class::Usage, "helm", found)
                .expected("helm 3 or 4")
                .remedy("give its path with --helm FILE, or read charts without it: --helm off")
        };
        let shown = program.display();
        // It runs in a folder of its own.
        let program = &std::path::absolute(program).map_err(|error| Error::io("look for", program, error))?;
        Scratch::remove_left();
        let scratch = Scratch::new()?;
        let mut command = command(program, &scratch)?;
        command.args(["version", "--template", "{{.Version}}"]);
        let ended = run(
            command,
            "helm",
            Bounds {
                time: TIME,
                bytes: 1 << 16,
            },
        )
        .map_err(|error| refused(format!("{shown} cannot be asked for its version: {}", error.found())))?;
        let version = String::from_utf8_lossy(&ended.out).trim().to_owned();
        let short: String = version.chars().take(40).collect();
        if !ended.well || !["v3.", "v4."].iter().any(|known| version.starts_with(known)) {
            return Err(refused(format!("{shown} says that its version is {short:?}")));
        }
        Ok(Self {
            program: program.clone(),
            version: short,
        })
    }
}

/// A chart that helm can work out again and again.
#[derive(Debug)]
pub(crate) struct HelmChart<'a> {
    helm: &'a Helm,
    label: &'a str,
    templates: &'a [Template],
    crds: &'a [Template],
    capabilities: &'a Capabilities,
    release: ReleaseWords<'a>,
    scratch: Scratch,
    archive: PathBuf,
}

impl<'a> HelmChart<'a> {
    /// Lays a chart out for helm. `label` is what messages call it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(crate) fn new(
        helm: &'a Helm,
        label: &'a str,
        (archive, templates, crds): (&[u8], &'a [Template], &'a [Template]),
        capabilities: &'a Capabilities,
        release: ReleaseWords<'a>,
    ) -> Result<Self> {
        let scratch = Scratch::new()?;
        let archive = scratch.file("chart.tgz", archive)?;
        Ok(Self {
            helm,
            label,
            templates,
            crds,
            capabilities,
            release,
            scratch,
            archive,
        })
    }

    /// Works the chart out as a site has the values, under circumstances, and reads what comes out; the text of it too.
    ///
    /// # Errors
    ///
    /// `E-CONTENT render` with what helm says; `E-LIMIT size`, `time` and `objects`; `E-IO`.
    pub(crate) fn read(&self, values: &Value, site: &InventedSite, rendering: &Rendering) -> Result<(Reading, String)> {
        let text = self.template(&site.put_into(values), rendering)?;
        let files = self.templates.iter().chain(self.crds);
        let secrets: Vec<(&SecretName, &str)> = site.secrets().collect();
        let reading = reading(&split(&text), files, &secrets).map_err(|wrong| match wrong {
            Wrong::Document(found) => Error::new(Class::Content, "render", format!("{}: {found}", self.label)),
            Wrong::Many(found) => Error::new(Class::Limit, "objects", format!("{}: {found}", self.label))
                .remedy("turn off in the values what is not needed"),
        })?;
        Ok((reading, text))
    }

    fn template(&self, values: &Value, rendering: &Rendering) -> Result<String> {
        let values = self.scratch.file("values.json", values.to_string().as_bytes())?;
        let mut command = command(&self.helm.program, &self.scratch)?;
        command
            .args(["template", self.release.name])
            .arg(&self.archive)
            .args(["--namespace", self.release.namespace, "--include-crds", "--values"])
            .arg(values);
        let version = rendering.kube_version.as_ref();
        if let Some(version) = version.or(self.capabilities.kube_version.as_ref()) {
            command.args(["--kube-version", version]);
        }
        let stated = self.capabilities.api_versions.iter().flatten();
        for version in stated.chain(&rendering.api_versions) {
            command.args(["--api-versions", version]);
        }
        if rendering.upgrade {
            command.arg("--is-upgrade");
        }
        let bounds = Bounds {
            time: TIME,
            bytes: BYTES,
        };
        let ended = run(command, self.label, bounds)?;
        if !ended.well {
            let said = said(&String::from_utf8_lossy(&ended.said), self.scratch.path());
            let refused = Error::new(
                Class::Content,
                "render",
                format!("{}: helm refuses it: {said}", self.label),
            );
            if said.contains("chart requires kubeVersion") {
                return Err(refused.expected("a version of kubernetes that the chart takes").remedy(
                    "say kube_version, the version that its clusters have, beside chart: in the release file",
                ));
            }
            return Err(refused.expected("a chart that helm installs with these values").remedy(
                "put the chart or the values right: `helm template` says the same with the same values, where each secret is a text of its \
                 length: and alphabet:, and lists of pull secrets have the one that agents add, - name: …",
            ));
        }
        String::from_utf8(ended.out).map_err(|_| {
            let found = format!("{}: what helm makes of it is no UTF-8 text", self.label);
            Error::new(Class::Content, "render", found)
        })
    }
}

/// helm with nothing of this machine but itself.
fn command(program: &Path, scratch: &Scratch) -> Result<Command> {
    let home = scratch.path().join("home");
    let home = if home.is_dir() { home } else { scratch.folder("home")? };
    let mut command = Command::new(program);
    command.env_clear().current_dir(&home).env("HOME", &home);
    for folder in [
        "HELM_CACHE_HOME",
        "HELM_CONFIG_HOME",
        "HELM_DATA_HOME",
        "HELM_PLUGINS",
        "TMPDIR",
    ] {
        command.env(folder, &home);
    }
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"] {
        command.env(proxy, NOWHERE);
    }
    command
        .env("HELM_NO_PLUGINS", "1")
        .env("KUBECONFIG", home.join("no-cluster"))
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    Ok(command)
}

/// What helm says, on one line and without the places of its files here.
fn said(text: &str, scratch: &Path) -> String {
    let text = text.replace(&scratch.display().to_string(), "");
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Use --debug") && !line.starts_with("level="))
        .collect();
    let joined = lines.join(" ");
    let joined = joined.strip_prefix("Error: ").unwrap_or(&joined);
    if joined.is_empty() {
        return "it does not say why".to_owned();
    }
    joined.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_helm_is_named_and_the_first_on_the_path_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = std::fs::File::create(&path).unwrap();
            std::io::Write::write_all(&mut file, format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
            file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let old = script("a/old", "echo v2.17.0");
        let error = Helm::open(&old).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Usage, "helm"));
        assert!(error.found().contains("v2.17.0"), "{error}");
        assert!(Helm::open(Path::new("/no/such/helm")).is_err());
        let good = script("b/helm", "echo v4.1.2");
        assert_eq!(Helm::open(&good).unwrap().version, "v4.1.2");
        let path = std::env::join_paths([folder.path().join("a"), folder.path().join("b")]).unwrap();
        assert_eq!(HelmChoice::on_path(&path), HelmChoice::Found(good));
        assert_eq!(HelmChoice::on_path(OsStr::new("relative:")), HelmChoice::Off);
    }

    #[test]
    fn what_helm_says_is_one_line_without_places_of_this_machine() {
        let text = "level=WARN x\nError: erp/templates/a.yaml:1:18\n  executing at <semver>:\n    wrong /tmp/x/chart.tgz\n\nUse --debug flag\n";
        assert_eq!(
            said(text, Path::new("/tmp/x")),
            "erp/templates/a.yaml:1:18 executing at <semver>: wrong /chart.tgz"
        );
    }
}
