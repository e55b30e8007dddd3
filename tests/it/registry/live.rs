//! A running server: it follows activations, keeps pulls in progress whole (R03), and ends without cutting anybody off.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::client::{connect, get, read_head, read_reply};
use crate::support::site::{Site, digest, noise};

const A: &str = "docker.io/library/a";

#[test]
fn a_running_server_shows_what_another_process_activates() {
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{\"n\":1}").live();
    let (_server, address) = site.serve();
    let path = format!("/v2/{A}/manifests/v1");
    assert_eq!(get(address, &path).body, b"{\"n\":1}");
    site.release("erp", 2).tag(A, "v1", b"{\"n\":2}").live();
    let until = Instant::now() + Duration::from_secs(30);
    while get(address, &path).body != b"{\"n\":2}" {
        assert!(Instant::now() < until, "the server does not notice");
        std::thread::yield_now();
    }
    assert_eq!(get(address, "/readyz").json()["generation"], 2);
}

#[test]
fn digests_of_a_replaced_release_live_on_for_the_grace_period() {
    let site = Site::new();
    site.clock.set(2_000_000);
    let old = site.release("erp", 1).tag(A, "v1", b"{\"n\":1}").blob(A, b"old");
    let old = old.blob("quay.io/gone", b"x").live();
    let registry = site.registry();
    let (_server, address) = site.serve_with(airlock::http::Settings::default(), &registry);
    let status = |path: &str| get(address, &format!("/v2/{path}")).status;
    let (blob, manifest) = (
        format!("{A}/blobs/{}", digest(b"old")),
        format!("{A}/manifests/{}", digest(b"{\"n\":1}")),
    );
    site.release("erp", 2).tag(A, "v2", b"{\"n\":2}").live();
    registry.live().refresh().unwrap();
    // Lists and tags switch at once, digests stay.
    assert_eq!(
        get(address, &format!("/v2/{A}/tags/list")).json()["tags"],
        serde_json::json!(["v2"])
    );
    assert_eq!(status(&format!("{A}/manifests/v1")), 404);
    assert_eq!(status("quay.io/gone/tags/list"), 404);
    assert_eq!((status(&blob), status(&manifest)), (200, 200));
    site.clock.set(2_000_000 + 3599);
    registry.live().refresh().unwrap();
    assert_eq!((status(&blob), status(&manifest)), (200, 200));
    site.clock.set(2_000_000 + 3600);
    registry.live().refresh().unwrap();
    assert_eq!((status(&blob), status(&manifest)), (404, 404));
    assert_eq!(status(&format!("quay.io/gone/blobs/{}", digest(b"x"))), 404);
    // Back again, by a local act.
    site.activate(old);
    registry.live().refresh().unwrap();
    assert_eq!((status(&blob), status(&format!("{A}/manifests/v1"))), (200, 200));
}

#[test]
fn every_answer_belongs_to_one_generation() {
    let site = Site::new();
    let tags = ["a", "b", "c"];
    let publish = |n: u64| {
        let body = format!("{{\"n\":{n}}}");
        let mut draft = site.release("erp", n);
        for tag in tags {
            draft = draft.tag(A, &format!("{tag}{n}"), body.as_bytes());
        }
        draft.tag(A, "now", body.as_bytes()).live();
    };
    publish(1);
    let (_server, address) = site.serve();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < 30 {
                        let list = get(address, &format!("/v2/{A}/tags/list")).json();
                        let list: Vec<&str> = list["tags"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .map(|t| t.as_str().unwrap())
                            .collect();
                        let n: u64 = list[0][1..].parse().unwrap();
                        assert_eq!(list, [&format!("a{n}"), &format!("b{n}"), &format!("c{n}"), "now"]);
                        assert!(n >= seen, "back from {seen} to {n}");
                        let reply = get(address, &format!("/v2/{A}/manifests/now"));
                        assert_eq!(reply.status, 200);
                        // The digest stays good whatever was activated in between.
                        let by_digest = reply.header("docker-content-digest").unwrap();
                        let again = get(address, &format!("/v2/{A}/manifests/{by_digest}"));
                        assert_eq!((again.status, again.body), (200, reply.body));
                        seen = n;
                    }
                })
            })
            .collect();
        for n in 2..=30 {
            publish(n);
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_download_in_progress_ends_well_when_the_server_stops() {
    let large = noise(64 << 20, 5);
    let site = Site::new();
    site.release("erp", 1).tag(A, "v1", b"{}").blob(A, &large).live();
    let (server, address) = site.serve();
    let mut idle = connect(address);
    let mut stream = connect(address);
    let request = format!(
        "GET /v2/{A}/blobs/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        digest(&large)
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    assert_eq!(read_head(&mut stream).unwrap().status, 200);
    let stop = std::thread::spawn(move || server.shutdown());
    // The idle connection is closed at once; from then on the server is known to be stopping.
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert!(!stop.is_finished());
    let mut body = vec![0; large.len()];
    stream.read_exact(&mut body).unwrap();
    assert!(body == large, "other bytes");
    stop.join().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn one_connection_answers_many_requests() {
    let site = Site::new();
    let large = noise(5 << 20, 6);
    site.release("erp", 1)
        .tag(A, "v1", b"{}")
        .blob(A, &large)
        .blob(A, b"x")
        .live();
    let (_server, address) = site.serve();
    let mut stream = BufReader::new(connect(address));
    let bodies: [(String, &[u8]); 3] = [
        (format!("/v2/{A}/manifests/v1"), b"{}"),
        (format!("/v2/{A}/blobs/{}", digest(&large)), &large),
        (format!("/v2/{A}/blobs/{}", digest(b"x")), b"x"),
    ];
    // Sent before the first answer was read: answers come in the same order, and files where they belong.
    for _ in 0..4 {
        for (path, _) in &bodies {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            stream.get_mut().write_all(request.as_bytes()).unwrap();
        }
    }
    for _ in 0..4 {
        for (path, body) in &bodies {
            let reply = read_reply(&mut stream, false).unwrap();
            assert!((reply.status, reply.body.as_slice()) == (200, *body), "{path}");
        }
    }
}
