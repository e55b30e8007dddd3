//! Registries that take a connection and say nothing: what is waited for is told meanwhile, and there is an end to it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use airlock::vendor_side::collect::{Patience, RegistryOptions};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};

use crate::support::image_set::{ImageSet, digest};
use crate::support::registry::{Behaviour, Fault, TestRegistry};
use crate::support::vendor::{pack, refusal, take_with};

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Options that wait for the hosts of this test no longer than it lasts.
fn hasty(plain_http: &[&str]) -> RegistryOptions {
    RegistryOptions {
        plain_http: plain_http.iter().map(ToString::to_string).collect(),
        waiting: Some(|line| SAID.lock().unwrap().push(line.to_owned())),
        patience: Patience {
            connection: Duration::from_millis(60),
            answer: Duration::from_millis(150),
            silence: Duration::from_millis(20),
        },
        ..RegistryOptions::default()
    }
}

/// Whether it was said of a host that so much of it is waited for.
fn was_said(host: &str, what: &str) -> bool {
    let said = SAID.lock().unwrap();
    said.iter()
        .any(|line| line.contains(host) && line.contains(what) && line.contains(" ms"))
}

/// A registry of one image whose layer is large enough to come in parts.
fn registry(fault: Fault) -> (TestRegistry, String) {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", &vec![7; 100_000]);
    image_set.tag("1.0", &image);
    let behaviour = Behaviour {
        // Another try brings nothing new.
        no_ranges: true,
        faults: vec![fault],
        ..Behaviour::default()
    };
    (TestRegistry::start(image_set, behaviour), digest(&image).to_string())
}

#[test]
fn an_answer_that_does_not_come_is_told_and_given_up() {
    for (fault, said, found) in [
        (
            Fault::Stall("/manifests/", None),
            "has given no answer to GET /v2/acme/app/manifests/1.0 for ",
            "it took the request and gave no answer within 150 ms (GET /v2/acme/app/manifests/1.0), 3 times",
        ),
        (
            Fault::Stall("/manifests/", Some(20)),
            "has sent nothing more of /v2/acme/app/manifests/1.0 for ",
            "its answer stood still for 150 ms (GET /v2/acme/app/manifests/1.0), 3 times",
        ),
    ] {
        let (registry, _) = registry(fault);
        let host = registry.host();
        let (class, code, text) = refusal(take_with(&registry.image(":1.0"), &[], hasty(&[&host])));
        assert_eq!((class, code), ("E-IO", "registry"), "{text}");
        assert!(text.contains(found), "{text}");
        assert!(was_said(&host, said), "{said}: {:?}", SAID.lock().unwrap());
    }
}

#[test]
fn a_layer_that_stands_still_is_told_and_given_up() {
    let (registry, _) = registry(Fault::Stall("/blobs/", Some(1000)));
    let host = registry.host();
    let (content, sources) = take_with(&registry.image(":1.0"), &[], hasty(&[&host])).unwrap();
    let (class, code, text) = refusal(pack(&content, &sources));
    assert_eq!((class, code), ("E-IO", "source"), "{text}");
    assert!(
        text.contains("its answer stood still for 150 ms") && text.contains("behind its first 1"),
        "{text}"
    );
    assert!(was_said(&host, "has sent nothing more of /v2/acme/app/blobs/sha256:"));
}

#[test]
fn a_connection_that_does_not_come_about_is_told_and_given_up() {
    // Its one place is taken, and nobody ever takes the connection out of it: others are not let in.
    let full = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&full, &SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    listen(&full, 0).unwrap();
    let address: SocketAddr = getsockname(&full).unwrap().try_into().unwrap();
    let mut places = Vec::new();
    while let Ok(place) = TcpStream::connect_timeout(&address, Duration::from_millis(20)) {
        places.push(place);
    }
    // Connections are taken, and no word of TLS is said.
    let mute = TcpListener::bind("127.0.0.2:0").unwrap();
    for host in [address.to_string(), mute.local_addr().unwrap().to_string()] {
        let began = Instant::now();
        let (class, code, text) = refusal(take_with(&format!("{host}/acme/app:1.0"), &[], hasty(&[])));
        assert_eq!((class, code), ("E-IO", "registry"), "{text}");
        let found = "no connection (TCP and TLS) came about within 60 ms (GET /v2/acme/app/manifests/1.0), 3 times";
        assert!(text.contains(found), "{text}");
        assert!(
            was_said(&host, "has given no answer to GET /v2/acme/app/manifests/1.0 for "),
            "{host}"
        );
        assert!(
            began.elapsed() >= Duration::from_millis(180),
            "it was tried three times"
        );
    }
    // This machine's registries are asked first whether they speak TLS at all.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = mute.local_addr().unwrap().to_string();
    let (class, code, text) = refusal(take_with(&format!("{host}/acme/app:1.0"), &[], hasty(&[])));
    assert_eq!((class, code), ("E-IO", "registry"), "{text}");
    assert!(was_said(
        &host,
        "is asked whether it speaks TLS, and has said nothing for "
    ));
}
