//! helm is bounded, and ends with whoever asked it.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::path::Path;
use std::process::{Command, Stdio};

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

#[test]
fn whatever_works_for_create_ends_with_it_and_leaves_nothing() {
    let folder = folder("kind: ConfigMap\n");
    folder.write("release.yaml", format!("{HEAD}sequence: 1\n{RELEASE}"));
    let pid_file = folder.path("pid");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = version ] && echo v4.0.0 && exit\necho $$ >{0}.new\nmv {0}.new {0}\nexec sleep 600\n",
        pid_file.display()
    );
    folder.write("helm", script);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path("helm"), mode).unwrap();
    let temporary = folder.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let left = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        std::fs::remove_file(&pid_file).ok();
        let mut child = Command::new(AIRLOCK)
            .args([
                "bundle",
                "create",
                "-f",
                "release.yaml",
                "-w",
                "w",
                "--dry-run",
                "--helm",
                "./helm",
            ])
            .current_dir(folder.path(""))
            .env("TMPDIR", &temporary)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("helm", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            pid_file.try_exists().unwrap()
        });
        assert!(left(&temporary) > 0);
        let helm: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
        let own = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(own, signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        wait_for("the end of helm", || {
            test_kill_process(Pid::from_raw(helm).unwrap()).is_err()
        });
        assert_eq!(left(&temporary), 0);
    }
}
