//! HTTPS: the appliance's authority, certificates of the site's own, renewal without restart, refusals (R12, R13).

use std::fs::{self, Permissions};
use std::io::{BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock::appliance::Authority;
use airlock::crypto::CertificateFacts;
use airlock::domain::{Class, Error};
use airlock::http::{Limits, OwnCertificate, Running, Server, Services, Settings, TlsSettings};
use base64::Engine as _;

use crate::support::client::{self, connect, read_head};
use crate::support::site::{Site, digest, noise};
use crate::support::tls;

const A: &str = "docker.io/library/a";
const DAY: i64 = 24 * 3600;
/// Within the life of what the authority signs, whatever day the tests run on.
const NOW: i64 = 1_795_255_200;

fn site() -> Site {
    let site = Site::new();
    site.clock.set(NOW);
    site.release("erp", 1).tag(A, "v1", b"{}").blob(A, b"x").live();
    site
}

fn authority(site: &Site) -> Arc<Authority> {
    Arc::new(Authority::open(&site.appliance().unwrap()).unwrap())
}

fn settings(own: Option<OwnCertificate>) -> Settings {
    let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Settings {
        listen: vec![free],
        tls: TlsSettings {
            listen: vec![free],
            names: vec!["airlock.plant.example".into()],
            own,
        },
        ..Settings::default()
    }
}

fn start(site: &Site, settings: Settings, authority: &Arc<Authority>) -> Result<(Running, SocketAddr), Error> {
    let services = Services::registry(&site.registry()).with_authority(authority);
    let running = Server::start(settings, services)?;
    let address = running.tls_addresses()[0];
    Ok((running, address))
}

#[test]
fn the_authority_signs_for_this_appliance_and_bytes_come_whole() {
    let large = noise(5 << 20, 3);
    let site = site();
    site.release("crm", 1).blob(A, &large).live();
    let authority = authority(&site);
    let (running, address) = start(&site, settings(None), &authority).unwrap();
    let config = tls::trusting(authority.certificate_pem());
    for name in ["airlock.plant.example", "localhost", "127.0.0.1"] {
        tls::shown(&config, address, name).unwrap();
    }
    assert!(tls::shown(&config, address, "evil.example").is_err());
    let path = format!("/v2/{A}/blobs/{}", digest(&large));
    let reply = tls::get(&config, address, &path, "");
    assert_eq!((reply.status, reply.body == large), (200, true));
    let part = tls::get(&config, address, &path, "Range: bytes=3000000-\r\n");
    assert_eq!((part.status, part.body == large[3_000_000..]), (206, true));
    let plain = client::get(running.addresses()[0], &path);
    assert_eq!(plain.stable_headers(), reply.stable_headers());
    // HTTP/1.1 is agreed on, and nothing else is offered.
    let mut wanting = (*config).clone();
    wanting.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = tls::open(&Arc::new(wanting), address, "localhost").unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
    let ready = tls::get(&config, address, "/readyz", "").json();
    assert_eq!(ready["checks"]["certificate"], "ok");
    // Another appliance's authority says nothing here.
    let other = Site::new();
    let other = Authority::open(&other.appliance().unwrap()).unwrap();
    assert!(tls::shown(&tls::trusting(other.certificate_pem()), address, "localhost").is_err());
}

#[test]
fn the_authority_is_made_once_and_damage_is_refused() {
    let site = site();
    let first = authority(&site);
    assert_eq!(authority(&site).fingerprint(), first.fingerprint());
    let key = site.path().join("identity/ca.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let refused = || {
        let error = Authority::open(&site.appliance().unwrap()).unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::State, "authority"), "{error}");
        assert!(!error.to_string().contains("PRIVATE"), "{error}");
    };
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    refused();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    authority(&site);
    let other = self::site();
    authority(&other);
    fs::copy(&key, site.path().join("kept")).unwrap();
    fs::copy(other.path().join("identity/ca.key"), &key).unwrap();
    refused();
    // One half alone is damage, never a reason to make another authority.
    fs::remove_file(&key).unwrap();
    refused();
    fs::copy(site.path().join("kept"), &key).unwrap();
    let certificate = site.path().join("identity/ca.pem");
    fs::copy(&certificate, site.path().join("kept.pem")).unwrap();
    fs::remove_file(&certificate).unwrap();
    refused();
    assert!(!certificate.try_exists().unwrap());
    fs::copy(site.path().join("kept.pem"), &certificate).unwrap();
    assert_eq!(authority(&site).fingerprint(), first.fingerprint());
    // Where both were removed, as the message says, there is a new one.
    fs::remove_file(&certificate).unwrap();
    fs::remove_file(&key).unwrap();
    assert_ne!(authority(&site).fingerprint(), first.fingerprint());
}

/// Waits until a server shows another certificate than before.
fn until_another(config: &Arc<rustls::ClientConfig>, address: SocketAddr, before: &[u8]) -> Vec<u8> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let now = tls::shown(config, address, "airlock.plant.example").unwrap();
        if now != before {
            return now;
        }
        assert!(Instant::now() < end, "the certificate is not replaced");
        std::thread::yield_now();
    }
}

#[test]
fn what_the_authority_signed_is_renewed_without_a_restart() {
    let site = site();
    let authority = authority(&site);
    let (_running, address) = start(&site, settings(None), &authority).unwrap();
    let config = tls::trusting(authority.certificate_pem());
    // A connection from before goes on.
    let mut old = BufReader::new(tls::open(&config, address, "localhost").unwrap());
    let first = tls::shown(&config, address, "localhost").unwrap();
    site.clock.set(NOW + 300 * DAY);
    let second = until_another(&config, address, &first);
    let facts = |der: &[u8]| CertificateFacts::read(der).unwrap();
    assert!(facts(&second).until > facts(&first).until);
    let path = format!("/v2/{A}/manifests/v1");
    old.get_mut()
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
        .unwrap();
    assert_eq!(client::read_reply(&mut old, false).unwrap().body, b"{}");
}

/// Puts a certificate of somebody's authority, good from about a day before now, into files.
fn own(folder: &Path, names: &[&str]) -> (OwnCertificate, Arc<Authority>) {
    let issuer = site();
    let authority = authority(&issuer);
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let leaf = authority.issue(&names).unwrap();
    let own = OwnCertificate {
        certificate: folder.join("tls.pem"),
        key: folder.join("tls.key"),
        authority: None,
    };
    put(&own.certificate, "CERTIFICATE", &leaf.certificate);
    put(&own.key, "PRIVATE KEY", &leaf.key);
    (own, authority)
}

fn put(path: &Path, label: &str, der: &[u8]) {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
    airlock::stream::write_atomically(path, text.as_bytes(), 0o600).unwrap();
}

#[test]
fn a_certificate_of_the_sites_own_is_shown_and_read_again() {
    const NAMES: &[&str] = &["airlock.plant.example", "127.0.0.1"];
    let site = site();
    let folder = crate::support::appliance::scratch();
    let (files, issuer) = own(folder.path(), NAMES);
    let (_running, address) = start(&site, settings(Some(files.clone())), &authority(&site)).unwrap();
    let config = tls::trusting(issuer.certificate_pem());
    let first = tls::shown(&config, address, "airlock.plant.example").unwrap();
    // Half of a replacement changes nothing; the other half completes it.
    let leaf = issuer
        .issue(&NAMES.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        .unwrap();
    put(&files.key, "PRIVATE KEY", &leaf.key);
    assert_eq!(tls::shown(&config, address, "airlock.plant.example").unwrap(), first);
    put(&files.certificate, "CERTIFICATE", &leaf.certificate);
    assert_eq!(until_another(&config, address, &first), leaf.certificate);
}

/// What `/readyz` says of the certificate: its word, and the remedy of what is wrong with it.
fn told(running: &Running) -> (String, Option<String>) {
    let ready = client::get(running.addresses()[0], "/readyz").json();
    let problems = ready["problems"].as_array().unwrap().clone();
    let found = problems.into_iter().find(|problem| problem["part"] == "certificate");
    let remedy = found.map(|problem| problem["remedy"].as_str().unwrap().to_owned());
    (ready["checks"]["certificate"].as_str().unwrap().to_owned(), remedy)
}

/// Where nothing is served without TLS, nobody would be answered.
#[test]
fn a_certificate_that_cannot_be_shown_stops_a_start_that_needs_it() {
    let site = site();
    let authority = authority(&site);
    let folder = crate::support::appliance::scratch();
    let (files, _) = own(folder.path(), &["airlock.plant.example", "127.0.0.1"]);
    let refused = |files: &OwnCertificate, part: &str| {
        let mut alone = settings(Some(files.clone()));
        alone.listen.clear();
        let error = start(&site, alone, &authority).err().unwrap();
        assert_eq!(
            (error.class(), error.code()),
            (Class::Usage, "tls-certificate"),
            "{error}"
        );
        assert!(error.to_string().contains(part), "{error}");
    };
    drop(start(&site, settings(Some(files.clone())), &authority).unwrap());
    // One that has expired is shown all the same, and told.
    site.clock.set(NOW + 500 * DAY);
    let (running, address) = start(&site, settings(Some(files.clone())), &authority).unwrap();
    let remedy = format!(
        "put one that is good at present into {}, with its key",
        files.certificate.display()
    );
    assert_eq!(told(&running), ("expired".into(), Some(remedy)));
    assert!(tls::open(&tls::trusting(authority.certificate_pem()), address, "localhost").is_err());
    assert_eq!(client::get(running.addresses()[0], "/v2/").status, 200);
    drop(running);
    // A dead clock judges nothing.
    site.clock.set(0);
    drop(start(&site, settings(Some(files.clone())), &authority).unwrap());
    site.clock.set(NOW);
    let missing = OwnCertificate {
        certificate: folder.path().join("none.pem"),
        ..files.clone()
    };
    refused(&missing, "cannot be read");
    let swapped = OwnCertificate {
        certificate: files.key.clone(),
        ..files.clone()
    };
    refused(&swapped, "holds no certificate");
    fs::set_permissions(&files.key, Permissions::from_mode(0o640)).unwrap();
    refused(&files, "cannot be read");
    fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
    let elsewhere = crate::support::appliance::scratch();
    let (others, _) = own(elsewhere.path(), &["other.example", "127.0.0.1"]);
    refused(&others, "other names than airlock.plant.example");
    let mixed = OwnCertificate {
        key: others.key,
        ..files.clone()
    };
    refused(&mixed, "is the key of another certificate");
    drop(start(&site, settings(Some(files)), &authority).unwrap());
}

/// What cannot be shown keeps nobody from what is served without TLS, and is shown once it is put right: files of the site's own, and an
/// authority that has lost its key.
#[test]
fn without_a_certificate_plain_http_goes_on_until_there_is_one() {
    let site = site();
    let folder = crate::support::appliance::scratch();
    let (files, issuer) = own(folder.path(), &["airlock.plant.example", "127.0.0.1"]);
    fs::set_permissions(&files.key, Permissions::from_mode(0o640)).unwrap();
    let authority_key = site.path().join("identity/ca.key");
    drop(authority(&site));
    rustix::fs::rename(&authority_key, folder.path().join("kept")).unwrap();
    let shown = Arc::new(Authority::open_to_show(&site.appliance().unwrap()).unwrap());
    let (of_own, own_address) = start(&site, settings(Some(files.clone())), &shown).unwrap();
    let (of_authority, address) = start(&site, settings(None), &shown).unwrap();
    for (running, part) in [
        (&of_own, "the files that [tls] names"),
        (&of_authority, "restore both files"),
    ] {
        let plain = running.addresses()[0];
        let (word, remedy) = told(running);
        assert!(
            word == "missing" && remedy.as_ref().unwrap().contains(part),
            "{word} {remedy:?}"
        );
        assert_eq!(
            (client::get(plain, "/readyz").status, client::get(plain, "/v2/").status),
            (503, 200)
        );
    }
    let ours = tls::trusting(shown.certificate_pem());
    assert!(tls::shown(&ours, address, "localhost").is_err());
    fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
    rustix::fs::rename(folder.path().join("kept"), &authority_key).unwrap();
    crate::support::appliance::wait_for("the certificates", || {
        [&of_own, &of_authority]
            .iter()
            .all(|running| told(running) == ("ok".into(), None))
    });
    tls::shown(&ours, address, "localhost").unwrap();
    let theirs = tls::trusting(issuer.certificate_pem());
    tls::shown(&theirs, own_address, "airlock.plant.example").unwrap();
}

#[test]
fn a_certificate_that_expires_later_is_shown_on_and_said_to_be_expired() {
    let site = site();
    let folder = crate::support::appliance::scratch();
    let (files, _) = own(folder.path(), &["airlock.plant.example", "127.0.0.1"]);
    let (running, address) = start(&site, settings(Some(files)), &authority(&site)).unwrap();
    let plain = running.addresses()[0];
    // Right after the start the state is still being looked at.
    let word = || client::get(plain, "/readyz").json()["checks"]["certificate"].clone();
    assert_eq!(word(), "ok");
    site.clock.set(NOW + 500 * DAY);
    assert_eq!(word(), "expired");
    assert_eq!(client::get(plain, "/readyz").status, 503);
    assert!(connect(address).peer_addr().is_ok());
    assert_eq!(client::get(plain, "/v2/").status, 200);
}

/// By a clock that ran away, even the authority has ended: once the clock is right, nothing is wrong.
#[test]
fn a_runaway_clock_ends_the_authority_until_it_is_put_right() {
    let site = site();
    let authority = authority(&site);
    let running = start(&site, settings(None), &authority).unwrap().0;
    assert_eq!(told(&running), ("ok".into(), None));
    site.clock.set(NOW + 21 * 366 * DAY);
    let (word, remedy) = told(&running);
    assert_eq!(word, "expired");
    assert!(
        remedy
            .unwrap()
            .starts_with("look at the machine's clock; where that is right, end airlock serve, remove identity/ca.pem")
    );
    site.clock.set(NOW);
    assert_eq!(told(&running), ("ok".into(), None));
}

#[test]
fn every_address_needs_names() {
    let mut settings = settings(None);
    settings.tls.listen = vec!["0.0.0.0:0".parse().unwrap()];
    settings.check().unwrap();
    settings.tls.names.clear();
    assert_eq!(settings.check().unwrap_err().code(), "tls-name");
    settings.tls.names = vec!["no name".into()];
    assert_eq!(settings.check().unwrap_err().code(), "tls-name");
}

#[test]
fn clients_that_do_not_finish_a_handshake_or_do_not_read_are_closed() {
    let large = noise(64 << 20, 7);
    let site = site();
    site.release("crm", 1).blob(A, &large).live();
    let authority = authority(&site);
    let mut settings = settings(None);
    settings.limits = Limits {
        head: Duration::from_secs(3),
        stall: Duration::from_millis(300),
        ..Limits::default()
    };
    let (_running, address) = start(&site, settings, &authority).unwrap();
    let config = tls::trusting(authority.certificate_pem());
    let mut silent = connect(address);
    let mut wrong = connect(address);
    wrong.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lazy = tls::open(&config, address, "localhost").unwrap();
    let request = format!(
        "GET /v2/{A}/blobs/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        digest(&large)
    );
    lazy.write_all(request.as_bytes()).unwrap();
    let mut lazy = BufReader::with_capacity(1024, lazy);
    assert_eq!(read_head(&mut lazy).unwrap().status, 200);
    for stream in [&mut silent, &mut wrong] {
        let mut rest = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "a test's own server sends it")]
        stream.read_to_end(&mut rest).ok();
        // Nothing, or a TLS alert.
        assert!(rest.is_empty() || rest[0] == 0x15, "{rest:?}");
    }
    assert_eq!(tls::get(&config, address, "/v2/", "").status, 200);
    let mut body = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "a test's own server sends it")]
    lazy.read_to_end(&mut body).ok();
    assert!(body.len() < large.len() && large.starts_with(&body));
}
