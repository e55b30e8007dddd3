//! Charts in every shape, each read without helm and worked out by a real helm where one is here: what is carried, what is refused,
//! and that what a site's helm makes of what was carried needs nothing else.
//!
//! A helm is taken from `AIRLOCK_TEST_HELM`, else from `PATH`. Without one that half is left out, which is said.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::bundle::desired::DesiredState;
use airlock::vendor_side::{ChartWay, HelmChoice};

use super::chart_cases::{CASES, Case, Verdict};
use crate::support::vendor_folder::{VendorFolder, desired};

/// The helm of this machine.
pub(super) fn helm() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("AIRLOCK_TEST_HELM") {
        return Some(PathBuf::from(named));
    }
    match HelmChoice::on_path(&std::env::var_os("PATH")?) {
        HelmChoice::Found(path) => Some(path),
        HelmChoice::Off | HelmChoice::Named(_) => None,
    }
}

/// Images that every case may name.
const IMAGES: &str = "images:\n- {source: 'oci:hello:1.0', name: 'docker.io/acme/web:1'}\n\
                      - {source: 'oci:hello:1.0', name: 'docker.io/acme/web:1.2.3'}\n\
                      - {source: 'oci:hello:1.0', name: 'quay.io/acme/db:16'}\n\
                      - {source: 'oci:hello:1.0', name: 'registry.k8s.io/acme/web:v1'}\n";

fn release(case: &Case) -> String {
    let mut words = String::new();
    for line in case.release.lines() {
        words += &format!("  {line}\n");
    }
    format!(
        "agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'agents.example.com/k:3.1.0'}}\n{IMAGES}\
         applications:\n- name: app\n  version: \"1\"\n  chart: case\n{words}\
         targets:\n- name: hall\n  kind: kubernetes\n  namespace: shop\n  deployments:\n  - application: app\n"
    )
}

fn lay_out(folder: &VendorFolder, case: &Case) {
    std::fs::remove_dir_all(folder.path("case")).ok();
    folder.write(
        "case/Chart.yaml",
        "apiVersion: v2\nname: app\nversion: v1.18.2\nappVersion: \"1\"\n",
    );
    folder.write("case/values.yaml", case.values);
    for (name, text) in case.files {
        folder.write(&format!("case/{name}"), text);
    }
}

/// The images of the deployment, but for its chart.
fn carried(state: &DesiredState) -> BTreeSet<String> {
    let deployment = &state.targets[0].deployments[0];
    let chart = &deployment.helm.as_ref().unwrap().chart;
    let images = deployment.images.iter().filter(|image| image.repository != *chart);
    images.map(|image| image.repository.to_string()).collect()
}

/// Builds a case, says how it differs from what is expected, and gives back whether it was carried.
fn differs(folder: &mut VendorFolder, case: &Case, expected: Verdict, number: u64) -> Result<bool, String> {
    let built = match (folder.build(&release(case), number), expected) {
        (Ok((built, _)), Verdict::Carried(_) | Verdict::Warned(..)) => built,
        (Ok(_), Verdict::Refused(code)) => return Err(format!("is carried and not refused as {code}")),
        (Err(error), Verdict::Refused(code)) if error.code() == code => {
            let places = ["untold-image", "written-image", "suspected-image", "rewritten-image"];
            let found = error.found();
            if places.contains(&code) && !["case/", "crds/", "value "].iter().any(|place| found.contains(place)) {
                return Err(format!("names no place: {error}"));
            }
            return Ok(false);
        }
        (Err(error), _) => return Err(format!("is refused: {error}")),
    };
    let (images, says) = match expected {
        Verdict::Carried(images) => (images, None),
        Verdict::Warned(images, says) => (images, Some(says)),
        Verdict::Refused(_) => (&[][..], None),
    };
    let expected: BTreeSet<String> = images.iter().map(|image| (*image).to_owned()).collect();
    let found = carried(desired(&built));
    if found != expected {
        return Err(format!("carries {found:?} and not {expected:?}"));
    }
    let rest: Vec<&String> = folder
        .warnings
        .iter()
        .filter(|warning| !warning.contains("pull secrets"))
        .collect();
    match says {
        Some(says) if !rest.iter().any(|warning| warning.contains(says)) => {
            Err(format!("does not warn of {says:?}: {rest:?}"))
        }
        None if !rest.is_empty() => Err(format!("warns: {rest:?}")),
        _ => Ok(true),
    }
}

/// What a site's helm makes of the chart and the values in the bundle: every image but those that the release lists itself.
fn rendered_images(folder: &VendorFolder, helm: &Path, values: &str) -> Result<Vec<String>, String> {
    folder.write("carried.json", values);
    let output = Command::new(helm)
        .args(["template", "app", "case", "-n", "shop", "-f", "carried.json"])
        .current_dir(folder.path(""))
        .env("HOME", folder.path("home"))
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    // Simpler than what it is held against: any key that speaks of an image, without remarks.
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for key in ["image:", "\"image\":", "imageName:", "reference:", "repository:"] {
            let Some((_, value)) = line.split_once(key) else {
                continue;
            };
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.trim().trim_start_matches(['"', '\'']);
            let end = value.find(['"', '\'', '}', ',', ' ']).unwrap_or(value.len());
            // A text on lines of its own.
            if end > 0 && !value.starts_with('>') {
                found.push(value[..end].to_owned());
            }
            break;
        }
    }
    Ok(found)
}

#[test]
fn charts_of_every_shape_are_read_without_helm() {
    let mut folder = VendorFolder::new();
    let mut wrong = Vec::new();
    for (number, case) in (1..).zip(CASES) {
        lay_out(&folder, case);
        folder.overrides.strict = case.strict;
        if let Err(difference) = differs(&mut folder, case, case.without, number) {
            wrong.push(format!("{}: {difference}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        CASES.len(),
        wrong.join("\n")
    );
    assert!(CASES.len() >= 60);
}

#[test]
fn charts_of_every_shape_are_worked_out_by_helm() {
    let Some(helm) = helm() else {
        println!("left out: no helm on this machine");
        return;
    };
    // A ninth of them where time is short: helm takes a second for each.
    let step = if std::env::var_os("AIRLOCK_SLOW").is_some() {
        1
    } else {
        9
    };
    let mut folder = VendorFolder::new();
    let mut wrong = Vec::new();
    for (number, case) in (1..).zip(CASES.iter().step_by(step)) {
        lay_out(&folder, case);
        folder.overrides.strict = case.strict;
        folder.overrides.helm = HelmChoice::Named(helm.clone());
        match differs(&mut folder, case, case.with_helm, number) {
            Err(difference) => wrong.push(format!("{}: {difference}", case.name)),
            Ok(false) => {}
            Ok(true) => wrong.extend(check_at_the_site(&folder, &helm, case)),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        CASES.len(),
        wrong.join("\n")
    );
}

/// Holds the values of the last bundle against a real helm.
fn check_at_the_site(folder: &VendorFolder, helm: &Path, case: &Case) -> Option<String> {
    let contents = folder.contents();
    let is_state = |text: &str| text.starts_with("{\"agents\":");
    let state = contents
        .0
        .values()
        .filter_map(|bytes| std::str::from_utf8(bytes).ok())
        .find(|text| is_state(text))?;
    let state: serde_json::Value = state.parse().ok()?;
    let digest = state["targets"][0]["deployments"][0]["helm"]["values"].as_str()?;
    let values = contents.text(digest.parse().ok()?);
    let images = match rendered_images(folder, helm, &values) {
        Ok(images) => images,
        Err(error) => return Some(format!("{}: at the site helm refuses it: {error}", case.name)),
    };
    let listed = case.release.contains("images: [{source") || case.release.contains("images_complete");
    let foreign = images.iter().find(|image| {
        let mirrored = listed && !image.contains("registry.airlock.internal");
        let suspected = matches!(case.with_helm, Verdict::Warned(_, says) if says.contains(image.as_str()));
        !image.starts_with("registry.airlock.internal/") && !mirrored && !suspected
    })?;
    Some(format!("{}: at the site {foreign:?} comes out", case.name))
}

#[test]
fn both_ways_say_what_they_found() {
    let case = CASES.iter().find(|case| case.name == "a helper of the chart").unwrap();
    let mut folder = VendorFolder::new();
    lay_out(&folder, case);
    if let Some(helm) = helm() {
        folder.overrides.helm = HelmChoice::Named(helm);
        let (built, _) = folder.build(&release(case), 1).unwrap();
        let [chart] = &built.charts[..] else {
            panic!("{:?}", built.charts)
        };
        assert_eq!((chart.application.as_str(), chart.release.as_str()), ("app", "app"));
        assert_eq!(chart.images, ["quay.io/acme/db:16"]);
        let ChartWay::Rendered {
            helm,
            renderings,
            without_helm,
            vouched: 0,
        } = &chart.way
        else {
            panic!("{chart:?}")
        };
        assert!(helm.starts_with('v'), "{helm}");
        assert_eq!(renderings, &["installed"]);
        assert!(
            without_helm.starts_with("without helm 0 of them are found, and 1 place cannot be told (first: ")
                && without_helm.ends_with("case/templates/a.yaml:4)"),
            "{without_helm}"
        );
    }
    if let Some(helm) = helm() {
        folder.overrides.helm = HelmChoice::Named(helm);
        let renderings = |folder: &mut VendorFolder, name: &str, number: u64| {
            let case = CASES.iter().find(|case| case.name == name).unwrap();
            lay_out(folder, case);
            let (built, _) = folder.build(&release(case), number).unwrap();
            let sentence = built.charts[0].sentence();
            let (_, words) = sentence.split_once(" as installed").unwrap();
            let (words, rest) = words.split_once(" image").unwrap();
            (
                words.rsplit_once(", ").unwrap().0.to_owned(),
                rest.contains("images_complete"),
            )
        };
        let name = "only where the cluster has an API, by a helper";
        assert_eq!(
            renderings(&mut folder, name, 2),
            (", as installed with a.io/v1".to_owned(), false)
        );
        let name = "only where something stands in the cluster, and a vendor vouches";
        assert_eq!(renderings(&mut folder, name, 3), (String::new(), true));
    }
    let case = CASES.iter().find(|case| case.name == "repository and tag").unwrap();
    lay_out(&folder, case);
    folder.overrides.helm = HelmChoice::Off;
    let (built, plain) = folder.build(&release(case), 4).unwrap();
    assert_eq!(built.charts[0].way, ChartWay::Static);
    assert!(
        built.charts[0].sentence().contains("read without helm, 1 image"),
        "{}",
        built.charts[0].sentence()
    );
    // What both take they write alike.
    if let Some(helm) = helm() {
        folder.overrides.helm = HelmChoice::Named(helm);
        let (_, rendered) = folder.build(&release(case), 4).unwrap();
        assert!(plain == rendered, "the same bytes with helm and without");
    }
}

#[test]
fn a_helm_that_is_none_is_refused_when_named_and_said_when_found() {
    let case = CASES.iter().find(|case| case.name == "repository and tag").unwrap();
    let mut folder = VendorFolder::new();
    lay_out(&folder, case);
    folder.write("helm", "#!/bin/sh\necho v2.17.0\n");
    let path = folder.path("helm");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    folder.overrides.helm = HelmChoice::Named(path.clone());
    let (class, code, text) = folder.refused(&release(case), 1);
    assert_eq!((class, code), ("E-USAGE", "helm"), "{text}");
    folder.overrides.helm = HelmChoice::Found(path);
    let (built, _) = folder.build(&release(case), 1).unwrap();
    assert_eq!(built.charts[0].way, ChartWay::Static);
    assert!(
        folder.warnings.iter().any(|warning| warning.contains("v2.17.0")),
        "{:?}",
        folder.warnings
    );
}

#[test]
fn agents_add_pull_secrets_only_to_lists_that_are_there_and_that_is_said() {
    let values = "image: acme/web:1\nweb: {image: {pullSecrets: []}}\n";
    let mut case = *CASES.iter().find(|case| case.name == "a text that is listed").unwrap();
    case.values = values;
    let mut folder = VendorFolder::new();
    lay_out(&folder, &case);
    folder.build(&release(&case), 1).unwrap();
    let said: Vec<_> = folder
        .warnings
        .iter()
        .filter(|text| text.contains("pull secrets"))
        .collect();
    let line = said[0].rsplit("add to a file under values: ").next().unwrap();
    assert_eq!(line, "web: {image: {pullSecrets: []}}");
    folder.write("own.yaml", format!("{line}\n"));
    case.release = "image_values: [image]\nvalues: own.yaml";
    folder.build(&release(&case), 2).unwrap();
    assert!(folder.warnings.is_empty(), "{:?}", folder.warnings);
}
