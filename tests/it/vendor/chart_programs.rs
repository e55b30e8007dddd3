//! helm is bounded, and ends with whoever asked it.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use airlock::vendor_side::HelmChoice;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::chart_table::helm;
use crate::support::appliance::{AIRLOCK, wait_for};
use crate::support::vendor_folder::{HEAD, VendorFolder};

const RELEASE: &str = "agents:\n- name: 3.1.0\n  kubernetes: {source: 'oci:hello:1.0', name: 'agents.example.com/k:3.1.0'}\n\
    images: [{source: 'oci:hello:1.0', name: 'docker.io/acme/web:1'}]\n\
    applications: [{name: app, version: \"1\", chart: own}]\n\
    targets:\n- {name: hall, kind: kubernetes, namespace: shop, deployments: [{application: app}]}\n";

fn folder(template: &str) -> VendorFolder {
    let folder = VendorFolder::new();
    folder.write("own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 1.0.0\n");
    folder.write("own/values.yaml", "imagePullSecrets: []\n");
    folder.write("own/templates/a.yaml", template);
    folder
}

#[test]
fn a_chart_that_fills_the_memory_is_refused() {
    let Some(helm) = helm() else {
        println!("left out: no helm on this machine");
        return;
    };
    let mut folder = folder("a: {{ repeat 2000000000 \"x\" | len }}\n");
    folder.overrides.helm = HelmChoice::Named(helm);
    let (class, code, text) = folder.refused(RELEASE, 1);
    assert_eq!((class, code), ("E-LIMIT", "memory"), "{text}");
    folder.write("own/templates/a.yaml", "a: {{ repeat 2000000 \"x\" | len }}\n");
    folder.build(RELEASE, 1).unwrap();
}

/// A helm that answers who it is, and then works for ever.
struct EndlessHelm {
    folder: VendorFolder,
    pid_file: PathBuf,
    temporary: PathBuf,
}

impl EndlessHelm {
    fn new() -> Self {
        let folder = folder("kind: ConfigMap\n");
        folder.write("release.yaml", format!("{HEAD}sequence: 1\n{RELEASE}"));
        let pid_file = folder.path("pid");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = version ] && echo v4.0.0 && exit\necho $$ >{0}.new\nmv {0}.new {0}\nexec sleep 600\n",
            pid_file.display()
        );
        folder.write("helm", script);
        std::fs::set_permissions(folder.path("helm"), PermissionsExt::from_mode(0o755)).unwrap();
        let temporary = folder.path("temporary");
        std::fs::create_dir(&temporary).unwrap();
        Self {
            folder,
            pid_file,
            temporary,
        }
    }

    fn create(&self) -> Command {
        // Where this runs in the background, signals of the terminal are ignored.
        let mut create = Command::new("env");
        create
            .args(["--default-signal", AIRLOCK])
            .args("bundle create -f release.yaml -w w --dry-run --helm ./helm".split(' '))
            .current_dir(self.folder.path(""))
            .env("TMPDIR", &self.temporary)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        create
    }

    /// Returns a `create` whose helm works, and that helm.
    fn started(&self) -> (Child, Pid) {
        std::fs::remove_file(&self.pid_file).ok();
        let mut child = self.create().spawn().unwrap();
        wait_for("helm", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            self.pid_file.try_exists().unwrap()
        });
        let helm = std::fs::read_to_string(&self.pid_file).unwrap();
        (child, Pid::from_raw(helm.trim().parse().unwrap()).unwrap())
    }

    /// Returns what lies among the temporary files.
    fn left(&self) -> BTreeSet<OsString> {
        let entries = std::fs::read_dir(&self.temporary).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn wait_for_end(helm: Pid) {
    wait_for("the end of helm", || test_kill_process(helm).is_err());
}

#[test]
fn whatever_works_for_create_ends_with_it_and_leaves_nothing() {
    let endless = EndlessHelm::new();
    for (ended_by, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let (mut child, helm) = endless.started();
        assert!(!endless.left().is_empty());
        signal(&child, ended_by);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        wait_for_end(helm);
        assert_eq!(endless.left(), BTreeSet::new());
    }
}

#[test]
fn helm_ends_where_create_is_killed_and_the_next_create_removes_what_that_left() {
    let endless = EndlessHelm::new();
    let (mut child, helm) = endless.started();
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    wait_for_end(helm);
    let left = endless.left();
    assert!(!left.is_empty());
    // What is not airlock's, or has another form, stays.
    for other in [
        "airlock-chart-mine",
        "airlock-chart-0123456789abcdeg",
        "chart-0123456789abcdef",
    ] {
        std::fs::create_dir(endless.temporary.join(other)).unwrap();
    }
    std::fs::write(endless.temporary.join("airlock-chart-0123456789abcdef"), "").unwrap();
    let link = endless.temporary.join("airlock-chart-fedcba9876543210");
    std::os::unix::fs::symlink(endless.folder.path("own"), &link).unwrap();
    let others: BTreeSet<OsString> = endless.left().difference(&left).cloned().collect();
    assert_eq!(others.len(), 5);

    let (mut one, its_helm) = endless.started();
    let used: BTreeSet<OsString> = endless.left().difference(&others).cloned().collect();
    assert!(left.is_disjoint(&used) && !used.is_empty(), "{left:?} {used:?}");
    // Nor does a second one touch what the first one uses.
    let (mut two, helm_of_two) = endless.started();
    assert!(endless.left().is_superset(&used));
    for (child, helm) in [(&mut one, its_helm), (&mut two, helm_of_two)] {
        signal(child, Signal::TERM);
        child.wait().unwrap();
        wait_for_end(helm);
    }
    assert_eq!(endless.left(), others);
    assert!(endless.folder.path("own/Chart.yaml").is_file());
}
