//! Two vendors with a product of one name are told apart wherever people read whose it is.

use std::path::Path;
use std::process::{Command, Output};

use airlock::crypto::Chain;
use airlock::domain::Clock as _;
use serde_json::Value;

use crate::support::appliance::{AIRLOCK, import_command, write};
use crate::support::bundles::Vendor;
use crate::support::desired::Desired;
use crate::support::in_process::InProcessAppliance;

fn run(state: &Path, words: &[&str]) -> Output {
    Command::new(AIRLOCK)
        .args(words)
        .arg("--state")
        .arg(state)
        .output()
        .unwrap()
}

#[track_caller]
fn good(state: &Path, words: &[&str]) -> String {
    let output = run(state, words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn products_of_one_name_stand_with_their_vendor() {
    let (a, b) = (InProcessAppliance::new(), Vendor::new());
    let chain = Chain::parse(&b.chain_file()).unwrap();
    a.appliance().pin(&chain, a.clock.now()).unwrap();
    let state = a.state();
    // A's target is edge-0, B's edge-1.
    let of_b = |product: &str, sequence| {
        b.with_targets_of(product, sequence, |image| {
            Desired::docker(image, 2, "b").without(&["edge-0"])
        })
    };
    a.release(1, 1, "a");
    a.import(
        &b.with_targets_of("erp", 1, |image| Desired::docker(image, 1, "c").without(&["edge-0"])),
        false,
    )
    .unwrap();
    let lists: [&[&str]; 2] = [&["release", "list"], &["target", "list"]];
    for list in lists {
        let human = good(&state, list);
        assert!(
            human.contains("crm/stable") && !human.contains("crm/stable ("),
            "{human}"
        );
    }
    a.import(&of_b("crm", 1), false).unwrap();
    let word = |chain: &Chain| {
        let vendor = &chain.newest().vendor;
        format!("crm/stable ({vendor}, {})", &chain.domain().to_hex()[..8])
    };
    let (of_a, of_b_word) = (word(a.vendor.chain()), word(b.chain()));
    assert_ne!(of_a, of_b_word);
    for list in lists {
        let human = good(&state, list);
        for word in [&of_a, &of_b_word] {
            assert_eq!(human.matches(&word[..]).count(), 1, "{human}");
        }
        assert!(
            !human.contains("erp/stable ("),
            "the other product has one vendor: {human}"
        );
        let json: Value = serde_json::from_str(&good(&state, &[list, &["--format", "json"]].concat())).unwrap();
        let member = if list[0] == "release" { "releases" } else { "targets" };
        for one in json[member].as_array().unwrap() {
            let domain = one["domain"].as_str().unwrap();
            assert!(
                domain.len() == 64 && !one["product"].as_str().unwrap().contains('('),
                "{one}"
            );
        }
    }
    let head = a
        .appliance()
        .releases()
        .unwrap()
        .into_iter()
        .find(|one| one.scope.domain == b.chain().domain());
    let head = head.unwrap().head.to_hex();
    let shown = good(&state, &["release", "show", &head]);
    assert!(
        shown.lines().next().unwrap().contains(&of_b_word) || shown.contains("erp/stable"),
        "{shown}"
    );
    // What an import says, before there is a second one and after.
    let path = state.with_file_name("next.airlock");
    write(&path, &of_b("crm", 2).bytes);
    for dry in [true, false] {
        let mut command = import_command(&state, &path);
        command.args(["--format", "human"]).args(dry.then_some("--dry-run"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("of {of_b_word} ")), "{said}");
    }
    // Without its pin a vendor has no name any more, and its domain is told all the same.
    let domain = b.chain().domain().to_hex();
    let roots = std::fs::read_dir(state.join("roots"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pin = roots
        .into_iter()
        .find(|path| path.to_string_lossy().contains(&domain))
        .unwrap();
    std::fs::remove_file(&pin).unwrap();
    write(&pin, b"damaged");
    let human = good(&state, &["release", "list"]);
    assert!(
        human.contains(&of_a) && human.contains(&format!("crm/stable ({})", &domain[..8])),
        "{human}"
    );
}
