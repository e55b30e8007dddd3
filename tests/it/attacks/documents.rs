//! Documents that somebody changed on the appliance (A10): never served, never left out, and another agent's are not disturbed.

use airlock::domain::{Digest, DocumentType};
use base64::Engine as _;

use super::snapshot::records;
use crate::support::agents::Serving;
use crate::support::appliance::wait_for;
use crate::support::desired::{Desired, target_id};
use crate::support::in_process::{InProcessAppliance, overwrite};
use crate::support::site::digest;

/// The documents of the release, by type.
fn documents(desired: &Desired) -> Vec<(DocumentType, Vec<u8>)> {
    desired.clone().into_documents()
}

/// What an agent is told, whatever port this server has.
fn ask(serving: &Serving, token: &str) -> (u16, String) {
    let reply = serving.agent(token, "GET", "resources", "");
    if reply.status != 200 {
        return (reply.status, String::new());
    }
    let file = reply.json()["deployments"][0]["composeFile"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = base64::engine::general_purpose::STANDARD.decode(file).unwrap();
    let port = serving.address.to_string();
    (reply.status, String::from_utf8(file).unwrap().replace(&port, "HERE"))
}

#[test]
fn a10_a_changed_document_is_503_and_never_an_empty_list() {
    let mut instance = InProcessAppliance::new();
    let mut kept = None;
    let made = instance.vendor.with_targets(1, |image| {
        let desired = Desired::docker(image, 2, "a");
        kept = Some(desired.clone());
        desired
    });
    instance.import(&made, false).unwrap();
    let desired = kept.unwrap();
    let all = documents(&desired);
    let compose_of = |name: &str| {
        let target = desired.state.targets.iter().find(|target| target.name == name).unwrap();
        target.deployments[0].docker.as_ref().unwrap().compose
    };
    let bytes_of = |wanted: Digest| all.iter().find(|(_, bytes)| digest(bytes) == wanted).unwrap().1.clone();
    let (mine, other) = (compose_of("edge-0"), compose_of("edge-1"));
    let state_document = all
        .iter()
        .find(|(kind, _)| *kind == DocumentType::DesiredState)
        .unwrap()
        .1
        .clone();
    let evil = String::from_utf8(bytes_of(mine))
        .unwrap()
        .replace("restart", "privileged");
    let evil = format!("{evil}    privileged: true\n");
    // Another document of the right form, even one that is signed for somebody else.
    let mut elsewhere = desired.clone();
    elsewhere.target("edge-0").deployments[0]
        .docker
        .as_mut()
        .unwrap()
        .compose = other;
    let changes: [(&str, Digest, Vec<u8>, bool); 5] = [
        ("another compose file", mine, evil.into_bytes(), false),
        ("the other target's compose file", mine, bytes_of(other), false),
        ("an empty compose file", mine, Vec::new(), false),
        (
            "a bit of the desired state",
            digest(&state_document),
            flipped(&state_document),
            true,
        ),
        (
            "another desired state",
            digest(&state_document),
            elsewhere.state.to_bytes(),
            true,
        ),
    ];
    for (says, place, bytes, both) in changes {
        let path = instance.blob(&place);
        let good = crate::support::appliance::read(&path);
        // Once while the server runs and has answered, once before it starts.
        let serving = Serving::start(instance, airlock::http::Settings::default());
        let (token, others) = (serving.token("edge-0"), serving.token("edge-1"));
        let before = (ask(&serving, &token), ask(&serving, &others));
        assert_eq!((before.0.0, before.1.0), (200, 200));
        overwrite(&path, &bytes);
        serving.hub.refresh().unwrap();
        let reply = serving.agent(&token, "GET", "resources", "");
        assert_eq!(reply.status, 503, "{says}: {}", String::from_utf8_lossy(&reply.body));
        let answer = ask(&serving, &others);
        assert!(answer == before.1 || (both && answer.0 == 503), "{says}: {answer:?}");
        instance = serving.stop();
        let serving = Serving::start(instance, airlock::http::Settings::default());
        assert_eq!(ask(&serving, &token).0, 503, "{says}, from the start");
        // An agent that gets 503 keeps what runs. It still may report, and nobody took its target away.
        assert_eq!(serving.agent(&token, "POST", "metrics", "{}").status, 200);
        assert!(!records(&serving).is_empty());
        assert_eq!(serving.send("GET", "/v2/", &[], b"").status, 200, "pulls go on");
        overwrite(&path, &good);
        // A repair shows by itself, without a restart.
        wait_for(says, || {
            let now = (ask(&serving, &token), ask(&serving, &others));
            assert!(now == before || now.0.0 == 503, "{says}: {now:?}");
            now == before
        });
        assert!(
            serving
                .hub
                .targets()
                .iter()
                .any(|target| target.id == target_id("edge-0"))
        );
        instance = serving.stop();
    }
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}
