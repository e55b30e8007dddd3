//! Requests that mean harm: bad paths (R01), writes (R07), slow and greedy connections (R12), peers that may not read (D19).

use std::io::{BufReader, Read, Write as _};
use std::time::{Duration, Instant};

use airlock::http::{Limits, Network, ReadPolicy, Remote, Settings, router};
use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt as _;

use crate::support::client::{connect, get, raw, read_head, read_reply, request};
use crate::support::site::{Site, digest, noise};

const A: &str = "docker.io/library/a";

fn site() -> Site {
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").blob(A, b"x").live();
    site
}

#[test]
fn no_path_leads_anywhere_but_to_names() {
    let site = site();
    let (_server, address) = site.serve();
    let blob = digest(b"x");
    let escaped = blob.to_string().replace(':', "%3A");
    let deep = format!("/v2/{A}/blobs/sha256:{}/../../../airlock.db", blob.0);
    let long = format!("/v2/{}/tags/list", "a".repeat(300));
    for (path, status, code) in [
        ("/v2/../airlock.db".to_owned(), 404, "UNSUPPORTED"),
        ("/v2/..%2fairlock.db".into(), 404, "UNSUPPORTED"),
        ("/v2/%2e%2e/tags/list".into(), 400, "NAME_INVALID"),
        ("/v2/%252e%252e/tags/list".into(), 400, "NAME_INVALID"),
        ("/v2/a/../b/tags/list".into(), 400, "NAME_INVALID"),
        ("/v2/a/%2e%2e/b/tags/list".into(), 400, "NAME_INVALID"),
        ("/v2//tags/list".into(), 400, "NAME_INVALID"),
        (format!("/v2//{A}/tags/list"), 400, "NAME_INVALID"),
        ("/v2/a%00b/tags/list".into(), 400, "NAME_INVALID"),
        ("/v2/docker.io/A/tags/list".into(), 400, "NAME_INVALID"),
        ("/v2/docker.io/../tags/list".into(), 400, "NAME_INVALID"),
        ("/v2/../../etc/passwd/tags/list".into(), 400, "NAME_INVALID"),
        (long, 400, "NAME_INVALID"),
        (format!("/v2/{A}/tags/list/"), 404, "UNSUPPORTED"),
        (format!("/v2/{A}/manifests/v1/"), 404, "UNSUPPORTED"),
        (format!("/v2/{A}/manifests/..%2f..%2fx"), 400, "DIGEST_INVALID"),
        (format!("/v2/{A}/manifests/.."), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/{A}/blobs/{escaped}"), 400, "DIGEST_INVALID"),
        (
            format!("/v2/{A}/blobs/sha256:{}", blob.0.to_hex().to_uppercase()),
            400,
            "DIGEST_INVALID",
        ),
        (format!("/v2/{A}/blobs/sha256:..%2f{}", blob.0), 400, "DIGEST_INVALID"),
        (deep, 404, "UNSUPPORTED"),
        (format!("/v2/{A}/tags/list?ns=../x"), 400, "NAME_INVALID"),
        (format!("/v2/{A}/tags/list?ns=%00"), 400, "UNSUPPORTED"),
        (format!("/v2/a/tags/list?ns={}", "x".repeat(3000)), 400, "NAME_INVALID"),
        (format!("/v2/{}", "a/".repeat(2500)), 414, "NAME_INVALID"),
    ] {
        let reply = get(address, &path);
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}");
    }
    // Bytes that no address may have never reach a route.
    for path in ["/v2/a\\b/tags/list", "/v2/a\0b/tags/list", "/v2/a b/tags/list"] {
        let reply = raw(
            address,
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes(),
            false,
        )
        .unwrap();
        assert_eq!(reply.status, 400, "{path:?}");
    }
    // Positive twin; and what a header says about methods changes nothing.
    let path = format!("/v2/{A}/blobs/{blob}");
    let reply = request(address, "GET", &path, &[("X-HTTP-Method-Override", "DELETE")]);
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"x".as_slice()));
}

#[test]
fn nothing_can_be_written() {
    let site = site();
    let (_server, address) = site.serve();
    let blob = digest(b"x");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MKCOL"] {
        for path in [
            format!("/v2/{A}/blobs/uploads/"),
            format!("/v2/{A}/blobs/uploads/?mount={blob}&from=quay.io/b"),
            format!("/v2/{A}/blobs/{blob}"),
            format!("/v2/{A}/manifests/v1"),
            format!("/v2/{A}/tags/list"),
            "/v2/".into(),
        ] {
            let reply = request(address, method, &path, &[]);
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (405, "UNSUPPORTED"),
                "{method} {path}"
            );
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        }
    }
    let put = format!("PUT /v2/{A}/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\nabc");
    assert_eq!(raw(address, put.as_bytes(), false).unwrap().status, 405);
    let body = format!("GET /v2/{A}/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(raw(address, body.as_bytes(), false).unwrap().status, 413);
    assert_eq!(get(address, &format!("/v2/{A}/manifests/v1")).body, b"{}");
}

#[test]
fn heads_that_no_client_sends_are_refused() {
    let site = site();
    let (_server, address) = site.serve();
    let large = format!(
        "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "y".repeat(17 << 10)
    );
    let many = format!("GET /v2/ HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(200));
    for (text, status) in [
        (large.as_str(), 431),
        (&many, 431),
        (
            "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        ("GET /v2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        ("GET /v2/ HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ] {
        let reply = raw(address, text.as_bytes(), false).unwrap();
        assert_eq!(reply.status, status, "{}", &text[..text.len().min(80)]);
    }
    // HTTP/2 is not spoken, not even to refuse it.
    assert!(raw(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false).is_err());
    assert_eq!(get(address, "/v2/").status, 200);
}

/// Reads what still comes; how the connection ended does not matter.
#[expect(clippy::disallowed_methods, reason = "a test's own server sends it")]
fn until_closed(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok();
    bytes
}

#[test]
fn slow_connections_are_closed_and_others_served_meanwhile() {
    let large = noise(64 << 20, 7);
    let site = site();
    site.release("crm", 1).blob(A, &large).live();
    let limits = Limits {
        head: Duration::from_secs(3),
        stall: Duration::from_millis(300),
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let (_server, address) = site.serve_with(settings, &site.registry());
    // Nothing at all, half a head, an idle connection after an answer, and a client that reads its head and no more.
    let mut silent = connect(address);
    let mut half = connect(address);
    half.write_all(b"GET /v2/ HTTP/1.1\r\nHost").unwrap();
    let mut idle = BufReader::new(connect(address));
    idle.get_mut()
        .write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(read_reply(&mut idle, false).unwrap().status, 200);
    let mut lazy = BufReader::with_capacity(1024, connect(address));
    let request = format!(
        "GET /v2/{A}/blobs/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        digest(&large)
    );
    lazy.get_mut().write_all(request.as_bytes()).unwrap();
    assert_eq!(read_head(&mut lazy).unwrap().status, 200);
    for stream in [&mut silent, &mut half, idle.get_mut()] {
        // Closed, or answered with 408 and closed; never kept.
        let rest = until_closed(stream);
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{rest:?}");
    }
    assert_eq!(get(address, "/v2/").status, 200);
    // By now ten times its patience is over. What was buffered for the lazy client still arrives, the rest never does.
    let body = until_closed(&mut lazy);
    assert!(body.len() < large.len(), "a client that does not read got everything");
    assert!(large.starts_with(&body));
}

#[test]
fn one_address_cannot_take_every_connection() {
    let site = site();
    let limits = Limits {
        connections: 10,
        connections_per_address: 3,
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let (_server, address) = site.serve_with(settings, &site.registry());
    let mut held: Vec<_> = (0..3).map(|_| BufReader::new(connect(address))).collect();
    for stream in &mut held {
        stream
            .get_mut()
            .write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        assert_eq!(read_reply(stream, false).unwrap().status, 200);
    }
    // A fourth is served at the cost of the one that is idle longest, as soon as that is old enough.
    let until = Instant::now() + Duration::from_secs(30);
    let request = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // Before that it is told to come again.
    while !raw(address, request, false).is_ok_and(|reply| reply.status == 200) {
        assert!(Instant::now() < until, "nobody gives way");
    }
    // They fell idle within a moment of one another, so any of them may be it; the others stay.
    let answered = held.iter_mut().filter_map(|stream| {
        let request = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.get_mut().write_all(request).ok()?;
        read_reply(stream, false).ok()
    });
    // The one that gave way is told so, at most.
    let answered = answered.filter(|reply| reply.status != 503);
    let answers: Vec<u16> = answered.map(|reply| reply.status).collect();
    assert_eq!(answers, [200, 200]);
}

#[test]
fn only_named_networks_may_read() {
    let site = site();
    let network: Network = "10.0.0.0/8".parse().unwrap();
    let ask = |policy: &ReadPolicy, peer: Option<&str>, path: &str, forwarded: bool| {
        let app = router(site.registry(), policy.clone());
        let mut request = Request::get(path).header("host", "localhost");
        if forwarded {
            request = request.header("x-forwarded-for", "127.0.0.1");
        }
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            request
                .extensions_mut()
                .insert(Remote(format!("{peer}:1000").parse().unwrap()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(app.oneshot(request)).unwrap().status().as_u16()
    };
    let networks = ReadPolicy::Networks(vec![network]);
    let manifest = format!("/v2/{A}/manifests/v1");
    for (policy, peer, status) in [
        (&ReadPolicy::Loopback, Some("127.0.0.1"), 200),
        (&ReadPolicy::Loopback, Some("10.0.0.1"), 403),
        (&networks, Some("10.0.0.1"), 200),
        (&networks, Some("127.0.0.1"), 200),
        (&networks, Some("192.168.0.1"), 403),
        (&networks, None, 403),
    ] {
        for path in [manifest.as_str(), "/v2/", "/v2/_catalog", "/readyz"] {
            assert_eq!(ask(policy, peer, path, false), status, "{policy:?} {peer:?} {path}");
            assert_eq!(ask(policy, peer, path, true), 403, "{policy:?} {peer:?} {path}");
        }
        assert_eq!(ask(policy, peer, "/healthz", false), 200);
    }
}
