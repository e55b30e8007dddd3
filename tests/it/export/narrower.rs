//! What was made under an easier rule leaves by the one that holds now: what a package shows, and who has to agree to it.

use std::sync::Arc;

use airlock::appliance::Appliance;
use airlock::appliance::export::ApprovalRule;
use airlock::db::site::packages::State;
use airlock::domain::SystemClock;

use super::desk::Desk;

#[test]
fn what_was_signed_under_a_wider_profile_does_not_leave_by_its_name() {
    let desk = Desk::new(0);
    desk.configure(0, "profile = \"full\"\n");
    let head = desk.draft();
    desk.configure(0, "profile = \"minimal\"\n");
    desk.refused(&format!("status export stick --digest {head}"), "E-BUSY", "draft");
    desk.configure(0, "profile = \"full\"\n");
    desk.good("status export ./first.status");
    desk.configure(0, "profile = \"minimal\"\n");
    for words in [
        format!("status export stick --digest {head}"),
        "status export stick --again 1".into(),
    ] {
        desk.refused(&words, "E-POLICY", "profile");
    }
    assert!(desk.on_stick().is_empty());
    assert_eq!(desk.states(), [(1, State::Exported)]);
    // As the message says.
    let next = desk.draft();
    desk.good(&format!("status export stick --digest {next}"));
    // Where it may leave again, it does.
    desk.configure(0, "profile = \"full\"\n");
    desk.good("status export ./again.status --again 1");
}

#[test]
fn what_was_signed_before_people_had_to_agree_waits_for_them() {
    let desk = Desk::new(0);
    let head = desk.draft();
    let appliance = Appliance::open(&desk.state(), Arc::new(SystemClock)).unwrap();
    appliance
        .sign_package(head.parse().unwrap(), &ApprovalRule::default())
        .unwrap();
    drop(appliance);
    desk.configure(2, "");
    for words in [
        format!("status export stick --digest {head}"),
        "status export stick --again 1".into(),
    ] {
        let ended = desk.refused(&words, "E-POLICY", "approvals");
        assert!(ended.stderr.contains("airlock status preview"), "{}", ended.stderr);
    }
    desk.refused("status export stick", "E-POLICY", "approvals");
    assert!(desk.on_stick().is_empty());
    assert_eq!(desk.states(), [(1, State::Signed)]);
    // A summary leaves with the approvals of its package: of this one none does.
    let rows = desk.stream().rows.len();
    let ended = desk.refused("status summary", "E-POLICY", "approvals");
    assert!(
        ended.stderr.contains("airlock status preview") && ended.result.is_null(),
        "{}",
        ended.stderr
    );
    assert_eq!(desk.stream().rows.len(), rows);
    // A draft covers it; two people agree to that.
    let next = desk.draft();
    for n in [1, 2] {
        desk.good(&format!("approve {next} --key {n}.pem"));
    }
    desk.good("status export stick");
    assert_eq!(desk.on_stick().len(), 1);
    assert_eq!(desk.states(), [(1, State::Signed), (2, State::Exported)]);
    assert_eq!(desk.good("status summary")["number"], 2);
}
