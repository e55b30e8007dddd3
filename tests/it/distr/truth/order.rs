//! Deployments keep the order of the release file: in the release, for agents, and for people.

#[cfg(feature = "vendor")]
use std::fmt::Write as _;

use super::Plant;
use crate::support::desired::Desired;
use crate::support::in_process::InProcessAppliance;
#[cfg(feature = "vendor")]
use crate::support::{
    appliance::read,
    vendor_folder::{VendorFolder, desired},
};
use airlock::domain::Uuid;

/// Applications in an order that is neither that of their names nor that of their UUIDs.
const NAMES: [&str; 5] = ["worker", "api", "queue", "zoo", "cache"];

#[cfg(feature = "vendor")]
#[test]
fn a_release_keeps_the_order_of_its_file() {
    // UUIDs are another vendor's each time: by chance their order may be that of the names, and not each time.
    let mut differs = false;
    for times in [
        [""; 5],
        [
            "",
            "2026-05-01T00:00:00Z",
            "",
            "2020-01-01T00:00:00Z",
            "2026-05-01T00:00:01Z",
        ],
    ] {
        let mut folder = VendorFolder::new();
        let text = String::from_utf8(read(&folder.path("shop/release.yaml"))).unwrap();
        let (head, rest) = text.split_once("applications:\n").unwrap();
        let (application, _) = rest.split_once("targets:\n").unwrap();
        let mut file = format!("{head}applications:\n");
        for name in NAMES {
            file += &application.replace("name: shop", &format!("name: {name}"));
        }
        file += "targets:\n  - name: counter\n    kind: docker\n    deployments:\n";
        for (name, time) in NAMES.iter().zip(times) {
            writeln!(file, "      - application: {name}").unwrap();
            if !time.is_empty() {
                writeln!(file, "        created_at: {time}").unwrap();
            }
        }
        folder.write("shop/many.yaml", &file);
        let (built, _) = folder.build_file("shop/many.yaml", 1).unwrap();
        let target = &desired(&built).targets[0];
        let ordered: Vec<&str> = target
            .in_order()
            .map(|(_, deployment)| deployment.application.as_str())
            .collect();
        assert_eq!(ordered, NAMES, "{times:?}");
        let by_id: Vec<&str> = target
            .deployments
            .iter()
            .map(|deployment| deployment.application.as_str())
            .collect();
        assert!(target.deployments.is_sorted_by_key(|deployment| deployment.id));
        differs |= by_id != NAMES;
    }
    assert!(differs, "the document itself is sorted by UUID");
}

#[test]
fn agents_and_people_are_told_in_the_order_of_the_release() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 1, "a");
        let target = desired.target("edge-0");
        let first = target.deployments.remove(0);
        for (n, name) in NAMES.iter().enumerate() {
            let mut one = first.clone();
            one.application = name.parse().unwrap();
            // The later, the lower its UUID.
            one.id = Uuid::from_random([u8::try_from(200 - n).unwrap(); 16]);
            one.revision = Uuid::from_random([u8::try_from(100 - n).unwrap(); 16]);
            one.created_at = one.created_at.plus_seconds(i64::try_from(n).unwrap());
            target.deployments.push(one);
        }
        target.deployments.sort_by_key(|deployment| deployment.id);
        desired
    });
    instance.import(&made, false).unwrap();
    let plant = Plant::of(instance);
    let list = plant.list();
    let deployments = list["targets"][0]["deployments"].as_array().unwrap().clone();
    let names: Vec<&str> = deployments
        .iter()
        .map(|one| one["application"].as_str().unwrap())
        .collect();
    assert_eq!(names, NAMES);
    let ids: Vec<&str> = deployments.iter().map(|one| one["id"].as_str().unwrap()).collect();
    let told = plant.poll();
    assert_eq!(told.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ids);
    let line = NAMES.map(|name| format!("{name} version a")).join(", ");
    assert!(plant.line("edge-0").ends_with(&line), "{}", plant.line("edge-0"));
    let shown = plant.good(&["release", "show", "1.0"]);
    let places: Vec<usize> = NAMES
        .iter()
        .map(|name| shown.find(&format!("{name} version a")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{shown}");
    let watch = plant.good(&["target", "watch", "--once"]);
    let places: Vec<usize> = NAMES
        .iter()
        .map(|name| watch.find(&format!("    {name} ")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{watch}");
}
