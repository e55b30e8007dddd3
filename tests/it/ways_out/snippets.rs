//! What engines are given: files that say what they must, put where others' words stay.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use airlock::appliance::fleet::SiteView;
use airlock::appliance::snippets::{Engine, Login, Snippet};

use crate::support::appliance::{self, AIRLOCK, Ended, read, write};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::in_process::InProcessAppliance;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

fn snippet(engine: Engine, secure: bool, login: bool) -> Snippet {
    let view = SiteView::new("appliance.example:5443", secure, SiteView::INTERVAL, Some(PEM)).unwrap();
    let hosts = BTreeSet::from(["docker.io".to_owned(), "registry.test".to_owned()]);
    let login = login.then(|| Login {
        user: "ops".into(),
        secret: "0123456789abcdef0123456789abcdef".to_owned().into(),
    });
    engine.snippet(&view, &hosts, login.as_ref())
}

fn file(snippet: &Snippet, path: &str) -> String {
    let found = snippet.files.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("{snippet:?}")).text()
}

#[test]
fn containerd_trusts_at_both_levels_and_shows_its_credential_at_both() {
    let own = "/etc/containerd/certs.d/appliance.example_5443_";
    let plain = snippet(Engine::Containerd, true, false);
    assert_eq!(file(&plain, &format!("{own}/ca.crt")), PEM);
    let expected = format!(
        "server = \"https://appliance.example:5443\"\ncapabilities = [\"pull\", \"resolve\"]\nca = \"{own}/ca.crt\"\n\n\
         [host.\"https://appliance.example:5443\"]\n  capabilities = [\"pull\", \"resolve\"]\n  ca = \"{own}/ca.crt\"\n"
    );
    for host in ["docker.io", "registry.test", "appliance.example_5443_"] {
        assert_eq!(
            file(&plain, &format!("/etc/containerd/certs.d/{host}/hosts.toml")),
            expected
        );
    }
    assert!(plain.files.iter().all(|file| !file.is_secret));
    let shown = snippet(Engine::Containerd, true, true);
    let text = file(&shown, "/etc/containerd/certs.d/docker.io/hosts.toml");
    let header = "Authorization = \"Basic b3BzOjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm\"";
    assert_eq!(text.matches(header).count(), 2, "{text}");
    assert!(
        shown
            .files
            .iter()
            .all(|file| file.is_secret == file.path.ends_with("hosts.toml"))
    );
    // Over plain HTTP there is nothing to trust.
    let http = snippet(Engine::Containerd, false, false);
    assert!(
        !http
            .files
            .iter()
            .any(|file| file.text().contains("ca") && file.path.ends_with("ca.crt"))
    );
}

#[test]
fn podman_finds_every_host_here() {
    let found = snippet(Engine::Podman, true, false);
    assert_eq!(
        file(&found, "/etc/containers/certs.d/appliance.example:5443/ca.crt"),
        PEM
    );
    let text = file(&found, "/etc/containers/registries.conf.d/50-airlock.conf");
    assert!(
        text.contains("prefix = \"docker.io\"\nlocation = \"appliance.example:5443/docker.io\"\n"),
        "{text}"
    );
    assert!(!text.contains("insecure"), "{text}");
    let http = snippet(Engine::Crio, false, false);
    let text = file(&http, "/etc/containers/registries.conf.d/50-airlock.conf");
    assert_eq!(text.matches("insecure = true").count(), 3, "{text}");
}

/// Runs a script with `/etc` somewhere else.
fn put(snippet: &Snippet, root: &Path) -> Output {
    let script: String = snippet
        .files
        .iter()
        .map(airlock::appliance::snippets::SnippetFile::script)
        .collect();
    let script = script.replace("/etc/", &format!("{}/", root.display()));
    Command::new("sh").args(["-c", &script]).output().unwrap()
}

fn kept(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names
        .filter(|path| path.to_str().unwrap().contains(".before-"))
        .collect()
}

#[test]
fn entries_of_others_in_registries_yaml_stay() {
    let folder = appliance::scratch();
    let host = folder.path().join("rancher/k3s");
    let path = host.join("registries.yaml");
    let text = |path: &Path| String::from_utf8(read(path)).unwrap();
    let ours = snippet(Engine::K3s, true, true);

    // Nothing there yet: the file is ours alone, and for its owner's eyes.
    assert!(put(&ours, folder.path()).status.success());
    let alone = text(&path);
    assert_eq!(
        alone,
        file(&ours, "/etc/rancher/k3s/registries.yaml").replace("/etc/", &format!("{}/", folder.path().display()))
    );
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o077,
        0
    );
    // Again: nothing changes, and nothing is kept.
    assert!(put(&ours, folder.path()).status.success());
    assert_eq!((text(&path), kept(&host)), (alone, vec![]));

    // Others' entries, with their own indentation, comments and an order of their own.
    let theirs = "# ours, says the plant\nconfigs:\n    \"own.example\":\n        auth: {username: a, password: b}\nmirrors:\n    own.example:  # near\n        endpoint: [\"https://own.example\"]\n";
    write(&path, theirs.as_bytes());
    let done = put(&ours, folder.path());
    assert!(done.status.success(), "{done:?}");
    let merged = text(&path);
    for line in theirs.lines() {
        assert!(merged.lines().any(|found| found == line), "{line} in {merged}");
    }
    assert!(
        merged.contains("\n    # airlock begin\n    \"appliance.example:5443\":\n      endpoint:\n"),
        "{merged}"
    );
    assert!(merged.contains("\n    \"docker.io\":\n"), "{merged}");
    let kept_file = kept(&host).pop().unwrap();
    assert_eq!(text(&kept_file), theirs);
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("said something else: that is kept as"), "{said}");
    // Another run takes its own entries out first.
    let fewer = Engine::K3s.snippet(
        &SiteView::new("appliance.example:5443", true, SiteView::INTERVAL, Some(PEM)).unwrap(),
        &BTreeSet::from(["quay.io".to_owned()]),
        None,
    );
    assert!(put(&fewer, folder.path()).status.success());
    let again = text(&path);
    assert!(
        again.contains("\"quay.io\":") && !again.contains("docker.io") && again.contains("own.example"),
        "{again}"
    );
    assert_eq!(again.matches("# airlock begin").count(), 2, "{again}");
}

#[test]
fn a_file_that_is_there_keeps_its_mode_unless_a_credential_comes_into_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = appliance::scratch();
    let host = folder.path().join("rancher/k3s");
    std::fs::create_dir_all(&host).unwrap();
    let path = host.join("registries.yaml");
    for (before, with_login, after) in [(0o600, false, 0o600), (0o640, false, 0o640), (0o644, true, 0o600)] {
        write(
            &path,
            b"configs:\n  own.example:\n    auth: {username: a, password: b}\n",
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(before)).unwrap();
        let done = put(&snippet(Engine::K3s, true, with_login), folder.path());
        assert!(done.status.success(), "{done:?}");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, after, "{before:o} {with_login}");
    }
}

#[test]
fn what_cannot_be_merged_is_told_and_stays() {
    let folder = appliance::scratch();
    let host = folder.path().join("rancher/rke2");
    std::fs::create_dir_all(&host).unwrap();
    let path = host.join("registries.yaml");
    let ours = snippet(Engine::Rke2, true, false);
    for (theirs, said) in [
        ("mirrors: {own.example: {}}\n", "in one line"),
        ("\"mirrors\":\n  own.example: {}\n", "not merged"),
        ("'mirrors':\n  own.example: {}\n", "not merged"),
        ("mirrors :\n  own.example: {}\n", "not merged"),
        ("\u{feff}mirrors:\n  own.example: {}\n", "not merged"),
        ("{\"mirrors\": {\"own.example\": {}}}\n", "not merged"),
        ("---\nmirrors:\n  own.example: {}\n...\n", "not merged"),
        ("  mirrors:\n    own.example: {}\n", "not merged"),
        ("mirrors:\n  own.example: {}\nmirrors:\n  b.example: {}\n", "not merged"),
        ("mirrors:\n  ? own.example\n  : {}\n", "not merged"),
        ("mirrors:\n    own.example: {}\n  b.example: {}\n", "not merged"),
        ("mirrors:\n\town.example: {}\n", "not merged"),
        ("mirrors:\r\n  own.example: {}\r\n", "not merged"),
        ("mirrors:\n  # airlock begin\n  own.example: {}\n", "not merged"),
        ("mirrors:\n  # airlock end\n  own.example: {}\n", "not merged"),
        (
            "mirrors:\n  docker.io: {endpoint: [\"https://own.example\"]}\n",
            "has that host itself",
        ),
        ("mirrors:\n  docker.io :\n    endpoint: []\n", "has that host itself"),
        (
            "mirrors:\n  'docker.io': &x\n    endpoint: []\n",
            "has that host itself",
        ),
        (
            "mirrors:\n  docker.io:\n    endpoint: [\"https://own.example\"]\n",
            "has that host itself",
        ),
        (
            "mirrors:\n  \"docker.io\": # near\n    endpoint: [\"https://own.example\"]\n",
            "has that host itself",
        ),
    ] {
        write(&path, theirs.as_bytes());
        let done = put(&ours, folder.path());
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert!(!done.status.success() && stderr.contains(said), "{stderr}");
        assert_eq!(read(&path), theirs.as_bytes());
        let left: Vec<_> = std::fs::read_dir(&host)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            left.iter()
                .all(|name| ["registries.yaml", "airlock-ca.crt"].contains(&name.to_str().unwrap())),
            "{left:?}"
        );
    }
    // What is odd and can be merged.
    for theirs in [
        "---\nmirrors:\n  own.example:5000: {endpoint: [\"https://own.example\"]}\n",
        "mirrors:\n  \"*\":\n    endpoint:\n    - https://own.example\nauths: {a: b}\n",
    ] {
        write(&path, theirs.as_bytes());
        let done = put(&ours, folder.path());
        assert!(done.status.success(), "{done:?}");
        let merged = String::from_utf8(read(&path)).unwrap();
        assert!(
            theirs.lines().all(|line| merged.lines().any(|found| found == line)),
            "{merged}"
        );
    }
    // A host of others below another key is none of ours.
    write(&path, b"configs:\n  docker.io:\n    tls: {}\n");
    assert!(put(&ours, folder.path()).status.success());
}

fn run(instance: &InProcessAppliance, words: &[&str], stdin: &str) -> Ended {
    let mut command = Command::new(AIRLOCK);
    command
        .args(["--format", "json"])
        .args(words)
        .arg("--state")
        .arg(instance.state());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes()).ok();
    Ended::of(&child.wait_with_output().unwrap())
}

#[test]
fn the_command_knows_what_is_live_and_whose_a_credential_is() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.bundle(1, &[b"a layer".to_vec()], SMALL_CHUNKS);
    instance.import(&made, false).unwrap();
    for engine in ["docker", "containerd", "k3s", "rke2", "podman", "crio", "helm"] {
        let ended = run(&instance, &["snippet", engine], "");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.result["hosts"], serde_json::json!(["registry.test"]));
        assert!(ended.result["notes"].as_array().unwrap().len() > 1);
    }
    let chosen = run(&instance, &["snippet", "containerd", "--host", "quay.io"], "");
    assert_eq!(chosen.result["hosts"], serde_json::json!(["quay.io"]));
    run(&instance, &["snippet", "containerd", "--host", "https://quay.io"], "").assert_refused("E-USAGE", "host", "");
    // A credential, by what was shown of it.
    run(&instance, &["snippet", "k3s", "--login-stdin"], "nobody's").assert_refused("E-USAGE", "access", "");
    let added = run(&instance, &["access", "add", "ops", "--read", "crm/stable:*"], "");
    let secret = added.result["secret"].as_str().unwrap();
    let shown = run(&instance, &["snippet", "k3s", "--login-stdin"], &format!("{secret}\n"));
    let files = shown.result["files"].as_array().unwrap();
    let registries = files.last().unwrap();
    assert_eq!(registries["secret"], true);
    assert!(
        registries["content"]
            .as_str()
            .unwrap()
            .contains(&format!("password: \"{secret}\"")),
        "{registries}"
    );
}

#[test]
fn hosts_and_credentials_are_given_as_the_messages_say() {
    let instance = InProcessAppliance::new();
    let host = run(&instance, &["snippet", "docker", "--host", "quay.io/x"], "").remedy();
    assert_eq!(host, "name the host alone, without a scheme or a path");
    assert_eq!(
        run(&instance, &["snippet", "docker", "--host", "quay.io"], "").code,
        Some(0)
    );
    let login = run(&instance, &["snippet", "docker", "--login-stdin"], "x").remedy();
    assert!(
        login.starts_with("make one with `airlock access add NAME --read PATTERN"),
        "{login}"
    );
    let added = run(&instance, &["access", "add", "ops", "--read", "crm/stable:*"], "");
    let secret = added.result["secret"].as_str().unwrap();
    assert_eq!(
        run(&instance, &["snippet", "docker", "--login-stdin"], secret).code,
        Some(0)
    );
}
