//! How registries are reached as people have them: logins, certificates, proxies, limits, and what is kept between runs.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::cli::{CREATE, CommandFolder, refusal_of};
use crate::support::image_set::{ImageSet, digest_of};
use crate::support::registry::{Access, Behaviour, Fault, TestRegistry, closed_port};

fn image_set() -> ImageSet {
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    image_set.tag("1.0", &image);
    image_set
}

fn start(behaviour: Behaviour) -> TestRegistry {
    TestRegistry::start(image_set(), behaviour)
}

fn write(folder: &CommandFolder, name: &str, text: &str) {
    let path = folder.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Makes a bundle under an environment.
fn created(folder: &CommandFolder, environment: &[(&str, &str)], more: &[&str]) {
    let output = folder.run_with("json", environment, &[&CREATE[..], more].concat());
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::remove_file(folder.path("out.airlock")).unwrap();
}

/// Is refused under an environment, and leaves nothing.
fn refused(folder: &CommandFolder, environment: &[(&str, &str)], more: &[&str], class: &str, code: &str) -> Value {
    let event = refusal_of(&folder.run_with("json", environment, &[&CREATE[..], more].concat()));
    assert_eq!(
        (event["class"].as_str(), event["code"].as_str()),
        (Some(class), Some(code)),
        "{event}"
    );
    assert!(!folder.path("out.airlock").exists());
    event
}

#[test]
fn logins_of_podman_and_its_helpers_are_found() {
    let registry = start(Behaviour {
        access: Access::Basic,
        ..Behaviour::default()
    });
    let (host, pair) = (registry.host(), |text: &str| {
        base64::engine::general_purpose::STANDARD.encode(text)
    });
    let good = pair("user:secret");
    let folder = CommandFolder::new();
    folder.release_file(&registry.image(":1.0"));
    refused(&folder, &[], &[], "E-USAGE", "registry-credentials");
    // For a part of the registry, beside one that is wrong for the rest of it.
    let narrow =
        json!({"auths": {&host: {"auth": pair("user:wrong")}, format!("{host}/acme"): {"auth": good}}}).to_string();
    let (named, run) = (folder.path("named.json"), folder.path("run"));
    let (named, run) = (named.to_str().unwrap(), run.to_str().unwrap());
    for (file, environment) in [
        ("named.json", vec![("REGISTRY_AUTH_FILE", named)]),
        ("run/containers/auth.json", vec![("XDG_RUNTIME_DIR", run)]),
        (".config/containers/auth.json", vec![]),
    ] {
        write(&folder, file, &narrow);
        created(&folder, &environment, &[]);
        fs::remove_file(folder.path(file)).unwrap();
        refused(&folder, &environment, &[], "E-USAGE", "registry-credentials");
    }
    let helper = json!({"credHelpers": {&host: "shelf"}}).to_string();
    write(&folder, ".config/containers/auth.json", &helper);
    let event = refused(&folder, &[], &[], "E-USAGE", "registry-credentials");
    assert!(
        event["found"]
            .as_str()
            .unwrap()
            .contains(".config/containers/auth.json"),
        "{event}"
    );
    write(
        &folder,
        "docker-credential-shelf",
        "#!/bin/sh\nread server\necho '{\"Username\":\"user\",\"Secret\":\"secret\"}'\n",
    );
    let helper = folder.path("docker-credential-shelf");
    fs::set_permissions(helper, fs::Permissions::from_mode(0o755)).unwrap();
    created(&folder, &[], &[]);
}

#[test]
fn certificates_of_one_registry_are_found() {
    let registry = start(Behaviour {
        tls: true,
        ..Behaviour::default()
    });
    let folder = CommandFolder::new();
    folder.release_file(&registry.image(":1.0"));
    let event = refused(&folder, &[], &[], "E-IO", "registry");
    assert!(event["found"].as_str().unwrap().contains("certificate"), "{event}");
    let authority =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls/ca.pem")).unwrap();
    let place = format!(".config/containers/certs.d/{}", registry.host());
    write(&folder, &format!("{place}/authority.crt"), &authority);
    created(&folder, &[], &[]);
    // Another host's are its own.
    fs::rename(
        folder.path(&place),
        folder.path(".config/containers/certs.d/127.0.0.1:1"),
    )
    .unwrap();
    refused(&folder, &[], &[], "E-IO", "registry");
    write(&folder, &format!("{place}/authority.crt"), "no certificate\n");
    refused(&folder, &[], &[], "E-USAGE", "ca-file");
    write(&folder, &format!("{place}/authority.crt"), &authority);
    write(&folder, &format!("{place}/me.cert"), &authority);
    let event = refused(&folder, &[], &[], "E-USAGE", "client-certificate");
    assert!(event["found"].as_str().unwrap().contains("me.key"), "{event}");
    write(&folder, &format!("{place}/me.key"), "no key\n");
    refused(&folder, &[], &[], "E-USAGE", "client-certificate");
    fs::remove_file(folder.path(&format!("{place}/me.cert"))).unwrap();
    created(&folder, &[], &[]);
}

/// A certificate that is its own authority, as `openssl req -x509` makes them: PEM and key.
fn own_authority(name: &str, until: i32) -> (String, String) {
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn a_certificate_that_is_its_own_authority_is_taken_where_it_is_named() {
    let (good, other) = (own_authority("127.0.0.1", 2090), own_authority("127.0.0.1", 2090));
    // Named or not, the name and the time in it count.
    let elsewhere = own_authority("registry.example", 2090);
    let over = own_authority("127.0.0.1", 2020);
    for (shown, named, is_taken) in [
        (&good, &good, true),
        (&good, &other, false),
        (&elsewhere, &elsewhere, false),
        (&over, &over, false),
    ] {
        let registry = start(Behaviour {
            tls: true,
            certificate: Some(shown.clone()),
            ..Behaviour::default()
        });
        let folder = CommandFolder::new();
        folder.release_file(&registry.image(":1.0"));
        write(
            &folder,
            &format!(".config/docker/certs.d/{}/ca.crt", registry.host()),
            &named.0,
        );
        if is_taken {
            created(&folder, &[], &[]);
            fs::remove_dir_all(folder.path(".config")).unwrap();
            refused(&folder, &[], &[], "E-IO", "registry");
            write(&folder, "named.pem", &named.0);
            created(&folder, &[], &["--ca-file", "named.pem"]);
        } else {
            let event = refused(&folder, &[], &[], "E-IO", "registry");
            assert!(event["found"].as_str().unwrap().contains("certificate"), "{event}");
        }
    }
}

#[test]
fn a_certificate_is_shown_to_the_registry_that_it_is_for() {
    let me = rcgen::generate_simple_self_signed(vec!["vendor.test".to_owned()]).unwrap();
    let registry = start(Behaviour {
        tls: true,
        wants_certificate: Some(me.cert.pem()),
        ..Behaviour::default()
    });
    let folder = CommandFolder::new();
    folder.release_file(&registry.image(":1.0"));
    let authority =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls/ca.pem")).unwrap();
    let place = format!(".config/docker/certs.d/{}", registry.host());
    write(&folder, &format!("{place}/ca.crt"), &authority);
    // This machine's registry is asked first whether it speaks TLS at all; without a certificate its answer is an alert.
    let event = refusal_of(&folder.run(&CREATE));
    assert_eq!(
        (event["class"].as_str(), event["code"].as_str()),
        (Some("E-IO"), Some("registry")),
        "{event}"
    );
    // What TLS refuses is asked once.
    assert!(!event["found"].as_str().unwrap().contains(" times ("), "{event}");
    write(&folder, &format!("{place}/me.cert"), &me.cert.pem());
    write(&folder, &format!("{place}/me.key"), &me.signing_key.serialize_pem());
    created(&folder, &[], &[]);
}

#[test]
fn where_nobody_listens_three_tries_are_enough() {
    let folder = CommandFolder::new();
    folder.release_file(&format!("{}/acme/app:1.0", closed_port()));
    let event = refused(&folder, &[], &[], "E-IO", "registry");
    assert!(
        event["found"]
            .as_str()
            .unwrap()
            .contains("refused (os error 111), 3 times ("),
        "{event}"
    );
}

/// A proxy that connects to one address, whatever it is asked for. Returns its own.
fn tunnel(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The thread lives as long as the test process.
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut reader = BufReader::new(client.try_clone().unwrap());
                let mut first = String::new();
                reader.read_line(&mut first).unwrap();
                assert!(first.starts_with("CONNECT registry.test:443 "), "{first}");
                let mut line = String::new();
                while reader.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let mut client = client;
                client.write_all(b"HTTP/1.1 200 X\r\n\r\n").unwrap();
                let server = TcpStream::connect(to).unwrap();
                let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client);
                let mut to_server = server;
                thread::spawn(move || std::io::copy(&mut from_server, &mut to_client).ok());
                std::io::copy(&mut reader, &mut to_server).ok();
            });
        }
    });
    address
}

#[test]
fn a_registry_behind_a_proxy_is_reached_through_it() {
    let plain = start(Behaviour::default());
    let folder = CommandFolder::new();
    folder.release_file("registry.test/acme/app:1.0");
    let proxy = format!("http://{}", plain.host());
    let option = ["--plain-http", "registry.test"];
    created(&folder, &[("HTTP_PROXY", &proxy)], &option);
    created(&folder, &[("http_proxy", &proxy)], &option);
    let asked = plain.log().len();
    assert!(asked > 0);
    // Not for hosts that are reached without.
    let away = format!("http://{}", closed_port());
    folder.release_file(&plain.image(":1.0"));
    created(&folder, &[("HTTP_PROXY", &away), ("HTTPS_PROXY", &away)], &[]);

    let tls = start(Behaviour {
        tls: true,
        ..Behaviour::default()
    });
    folder.release_file("registry.test/acme/app:1.0");
    let proxy = format!("http://{}", tunnel(tls.host().parse().unwrap()));
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls/ca.pem");
    let option = ["--ca-file", authority.to_str().unwrap()];
    created(&folder, &[("HTTPS_PROXY", &proxy)], &option);
    assert!(tls.log().iter().any(|line| line.contains("/manifests/1.0")));
}

#[test]
fn a_host_that_nobody_knows_is_told_at_once() {
    let folder = CommandFolder::new();
    let text = "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n\
                images: [registry.test/acme/app:1.0, registry.test/acme/other:1.0]\n";
    write(&folder, "release.yaml", text);
    // A label of this length is nobody's, and no resolver beyond this machine is asked for it.
    let host = format!("{}.test", "a".repeat(64));
    let proxy = format!("http://{host}:3128");
    let started = Instant::now();
    let event = refused(&folder, &[("HTTPS_PROXY", &proxy)], &[], "E-IO", "registry");
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?} {event}",
        started.elapsed()
    );
    let said = event["found"].as_str().unwrap();
    assert!(
        said.contains(&format!("knows no host {host}")) && said.contains("acme/other"),
        "{event}"
    );
}

#[test]
fn what_a_registry_says_of_its_refusal_is_shown() {
    const LIMIT: &str = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#;
    let registry = start(Behaviour::default());
    let folder = CommandFolder::new();
    folder.release_file(&registry.image(":1.0"));
    for (fault, class, code, says) in [
        (
            Fault::Said(
                "manifests/1.0",
                403,
                "",
                r#"{"errors":[{"code":"DENIED","message":"the project is closed"}]}"#,
            ),
            "E-USAGE",
            "registry-credentials",
            "the project is closed",
        ),
        (
            Fault::Said("manifests/1.0", 403, "", "blocked by\n  your administrator"),
            "E-USAGE",
            "registry-credentials",
            ": blocked by your administrator",
        ),
        (
            Fault::Said("manifests/1.0", 429, "21600", LIMIT),
            "E-IO",
            "registry",
            "your pull rate limit.",
        ),
        (
            Fault::Said("manifests/1.0", 418, "", "I am a teapot"),
            "E-IO",
            "registry",
            "I am a teapot",
        ),
    ] {
        registry.add_faults([fault.clone()]);
        let event = refused(&folder, &[], &[], class, code);
        assert!(event["found"].as_str().unwrap().contains(says), "{event}");
        assert_eq!(registry.faults_left(), 0, "it was asked once");
        if matches!(fault, Fault::Said(_, 429, ..)) {
            assert!(
                event["remedy"].as_str().unwrap().starts_with("try again in 21600 s"),
                "{event}"
            );
        }
    }
    // One that was asked often enough was reached: what is to be done is another thing than where nobody answers.
    for (status, says) in [(429, "wait, and try again; "), (500, "try again later; ")] {
        registry.add_faults(vec![Fault::Said("manifests/1.0", status, "0", LIMIT); 6]);
        let event = refused(&folder, &[], &[], "E-IO", "registry");
        assert!(
            event["found"]
                .as_str()
                .unwrap()
                .contains("your pull rate limit., 6 times"),
            "{event}"
        );
        assert!(event["remedy"].as_str().unwrap().starts_with(says), "{event}");
    }
    // A wait that is short enough is waited for, and said.
    registry.add_faults([Fault::Said("manifests/1.0", 429, "1", LIMIT)]);
    let output = folder.run(&CREATE);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("your pull rate limit.") && said.contains("asked again in 1 s"),
        "{said}"
    );
}

#[test]
fn many_images_are_asked_for_at_once() {
    let mut image_set = ImageSet::default();
    let mut images = String::new();
    for n in 0..12 {
        let image = image_set.image("linux/amd64", format!("layer {n}").as_bytes());
        image_set.tag(&format!("{n}.0"), &image);
    }
    let behaviour = Behaviour {
        together: 6,
        ..Behaviour::default()
    };
    let registry = TestRegistry::start(image_set, behaviour);
    for n in 0..12 {
        images += &format!("{} registry.test/acme/app:{n}.0\n", registry.image(&format!(":{n}.0")));
    }
    let folder = CommandFolder::new();
    write(&folder, "images.txt", &images);
    let made = folder.good(&[
        "bundle",
        "create",
        "--images",
        "images.txt",
        "-w",
        "w",
        "-o",
        "out.airlock",
    ]);
    assert_eq!(made["names"], json!(12));
    for n in 0..12 {
        let asked = registry
            .log()
            .iter()
            .filter(|line| line.ends_with(&format!("/manifests/{n}.0")))
            .count();
        assert_eq!(asked, 1, "a tag is looked up once");
    }
}

/// Bytes that nothing makes smaller.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut block = digest_of(&[seed]);
    while bytes.len() < length {
        bytes.extend_from_slice(&block.0.0);
        block = digest_of(&block.0.0);
    }
    bytes
}

#[test]
fn a_second_run_goes_on_where_the_first_one_stopped() {
    let mut image_set = ImageSet::default();
    let (first, second) = (noise(1, 100_000), noise(2, 100_000));
    for (tag, layer) in [("1.0", &first), ("2.0", &second)] {
        let image = image_set.image("linux/amd64", layer);
        image_set.tag(tag, &image);
    }
    let registry = TestRegistry::start(image_set, Behaviour::default());
    let folder = CommandFolder::new();
    let images = [":1.0", ":2.0"].map(|tag| format!("{} registry.test/acme/app{tag}\n", registry.image(tag)));
    write(&folder, "images.txt", &images.concat());
    let create = [
        "bundle",
        "create",
        "--images",
        "images.txt",
        "-w",
        "w",
        "-o",
        "out.airlock",
    ];
    let fetched = |bytes: &[u8]| {
        let wanted = format!("GET /v2/acme/app/blobs/{}", digest_of(bytes));
        registry.log().iter().filter(|line| line.starts_with(&wanted)).count()
    };
    // One layer cannot be had: whichever is first in the payload, the other one is kept.
    registry.change(|behaviour| {
        behaviour
            .false_bytes
            .insert(digest_of(&second).to_string(), noise(3, 100_000));
    });
    let (class, code, _) = folder.refused(&create);
    assert_eq!((class.as_str(), code.as_str()), ("E-INTEGRITY", "source"));
    assert!(!folder.path("out.airlock").exists());
    let before = (fetched(&first), fetched(&second));
    registry.change(|behaviour| behaviour.false_bytes.clear());
    folder.good(&create);
    let kept = folder.path(&format!("w/cache/content/{}", digest_of(&first).0));
    assert!(kept.exists() && fetched(&second) > before.1);
    let made = fs::read(folder.path("out.airlock")).unwrap();
    // Now everything is here, and is the same.
    let before = (fetched(&first), fetched(&second));
    folder.good(&[&create[..], &["--sequence", "1"]].concat());
    assert_eq!((fetched(&first), fetched(&second)), before);
    assert!(made == fs::read(folder.path("out.airlock")).unwrap());
    // What was changed there is fetched again.
    fs::write(&kept, noise(9, 100_000)).unwrap();
    folder.good(&[&create[..], &["--sequence", "1"]].concat());
    assert!(made == fs::read(folder.path("out.airlock")).unwrap());
    assert_eq!((fetched(&first), fetched(&second)), (before.0 + 1, before.1));
    // And whoever keeps nothing fetches everything.
    folder.good(&[&create[..], &["--sequence", "1", "--no-cache"]].concat());
    assert!(fetched(&first) > before.0 + 1 && fetched(&second) > before.1);
}
