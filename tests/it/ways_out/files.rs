//! `/files/`: a plain file to whoever may have it, as the file that it is, and nothing else to anybody.

use airlock::appliance::access::NewAccess;
use airlock::http::Settings;

use super::file_world::{File, bundle, manifest};
use crate::support::agents::{Serving, basic, credentials};
use crate::support::appliance::{read, write};
use crate::support::client::{Reply, get, head, request};
use crate::support::desired::Desired;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{Site, digest, noise};

const PATH: &str = "crm/stable/manuals/press";
const AT: &str = "/files/crm/stable/manuals/press";

fn message(reply: &Reply) -> String {
    reply.json()["errors"][0]["message"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_none(reply: &Reply) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "BLOB_UNKNOWN"),
        "{reply:?}"
    );
    assert_eq!(
        message(reply),
        "no such file; plain files are at /files/PRODUCT/CHANNEL/NAME"
    );
}

#[test]
fn a_plain_file_is_answered_as_the_file_that_it_is() {
    let bytes = noise(200_000, 1);
    let site = Site::new();
    let file = File {
        title: "Handbuch Größe.pdf",
        ..File::new(PATH, &bytes)
    };
    file.carried(site.release("crm", 1)).live();
    let (_server, address) = site.serve();
    let whole = get(address, AT);
    assert!(whole.status == 200 && whole.body == bytes);
    let etag = format!("\"{}\"", file.digest());
    for (name, value) in [
        ("content-type", "application/pdf"),
        ("content-length", "200000"),
        ("accept-ranges", "bytes"),
        ("etag", &etag),
        ("docker-content-digest", etag.trim_matches('"')),
        (
            "content-disposition",
            "attachment; filename=\"Handbuch Gr__e.pdf\"; filename*=UTF-8''Handbuch%20Gr%C3%B6%C3%9Fe.pdf",
        ),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(whole.header(name), Some(value), "{name}");
    }
    let only_head = head(address, AT);
    assert_eq!((only_head.status, only_head.body.len()), (200, 0));
    assert_eq!(only_head.stable_headers(), whole.stable_headers());
    let known = request(address, "GET", AT, &[("If-None-Match", &etag)]);
    assert_eq!((known.status, known.header("content-length")), (304, None));
    // Parts of it, also of what another one goes on with.
    for (range, status, part, shown) in [
        ("bytes=0-9", 206, 0..10, "bytes 0-9/200000"),
        ("bytes=199990-", 206, 199_990..200_000, "bytes 199990-199999/200000"),
        ("bytes=-5", 206, 199_995..200_000, "bytes 199995-199999/200000"),
        (
            "bytes=199999-300000",
            206,
            199_999..200_000,
            "bytes 199999-199999/200000",
        ),
    ] {
        let reply = request(address, "GET", AT, &[("Range", range), ("If-Range", &etag)]);
        assert_eq!((reply.status, reply.header("content-range")), (status, Some(shown)));
        assert!(reply.body == bytes[part]);
        assert_eq!(reply.header("content-type"), Some("application/pdf"));
    }
    let beyond = request(address, "GET", AT, &[("Range", "bytes=200000-")]);
    assert_eq!(
        (beyond.status, beyond.header("content-range"), beyond.code().as_str()),
        (416, Some("bytes */200000"), "RANGE_INVALID")
    );
    // Another file's: all of it.
    let stale = request(address, "GET", AT, &[("Range", "bytes=0-9"), ("If-Range", "\"x\"")]);
    assert_eq!((stale.status, stale.body.len()), (200, 200_000));
}

#[test]
fn no_path_leads_anywhere_else() {
    let site = Site::new();
    let draft = File::new(PATH, b"a file").carried(site.release("crm", 1));
    draft
        .tag("docker.io/library/a", "latest", b"{}")
        .blob("docker.io/library/a", b"a layer")
        .live();
    let (_server, address) = site.serve();
    for path in [
        "/files/crm/stable/manuals",
        "/files/crm/stable/manuals/press/",
        "/files/crm/stable//manuals/press",
        "/files//crm/stable/manuals/press",
        "/files/crm/stable/manuals/../manuals/press",
        "/files/crm/stable/manuals/./press",
        "/files/crm/stable/manuals%2fpress",
        "/files/%63rm/stable/manuals/press",
        "/files/crm/stable/manuals/%2e%2e/%2e%2e/%2e%2e/v2/",
        "/files/../../../../etc/passwd",
        "/files/../v2/_catalog",
        "/files/crm/stable/manuals/press:latest",
        "/files/crm/stable/manuals/PRESS",
        "/files/files.airlock.internal/crm/stable/manuals/press",
        "/files/docker.io/library/a",
        "/files/crm/stable/press?ns=files.airlock.internal",
    ] {
        for method in ["GET", "HEAD"] {
            let reply = request(address, method, path, &[]);
            assert_eq!(reply.status, 404, "{method} {path}");
            if method == "GET" {
                assert_none(&reply);
            }
        }
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let reply = request(address, method, AT, &[]);
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
    let with_body = request(address, "GET", AT, &[("Content-Length", "1")]);
    assert_eq!(with_body.status, 413);
    for path in ["/files", "/files/"] {
        assert_eq!(message(&get(address, path)), "no such endpoint");
    }
    // What is asked beside it says nothing else.
    assert_eq!(get(address, &format!("{AT}?ns=docker.io&x=%zz")).body, b"a file");
}

#[test]
fn what_has_not_the_form_of_a_plain_file_is_none_whoever_signed_it() {
    let site = Site::new();
    let mut draft = site.release("crm", 1);
    let bad = [
        ("title", "../manual.pdf", "0644"),
        ("dots", "..", "0644"),
        ("root", "/etc/cron.d/x", "0644"),
        ("setuid", "manual.pdf", "4755"),
        ("short", "manual.pdf", "644"),
    ];
    for (name, title, mode) in bad {
        let path = format!("crm/stable/{name}");
        let file = File {
            title,
            mode,
            ..File::new(&path, b"a file")
        };
        draft = file.carried(draft);
    }
    let long = "files.airlock.internal/crm/stable/long";
    let more = format!(
        r#","artifactType":"application/vnd.airlock.file.v1","annotations":{{"x":"{}"}}"#,
        "x".repeat(70_000)
    );
    draft = draft
        .tag(
            long,
            "latest",
            &manifest(&[("a.txt", "0644", "text/plain", b"a file")], &more),
        )
        .blob(long, b"a file");
    let other = "files.airlock.internal/crm/stable/other";
    let two: [(&str, &str, &str, &[u8]); 1] = [("a.txt", "0644", "text/plain", b"a file")];
    draft
        .tag(other, "latest", &manifest(&two, r#","artifactType":"application/x""#))
        .blob(other, b"a file")
        .live();
    let (_server, address) = site.serve();
    for name in ["title", "dots", "root", "setuid", "short", "long", "other"] {
        assert_none(&get(address, &format!("/files/crm/stable/{name}")));
        // As what it is, it is pulled like any other.
        let repository = format!("files.airlock.internal/crm/stable/{name}");
        assert_eq!(get(address, &format!("/v2/{repository}/manifests/latest")).status, 200);
        let layer = digest(b"a file");
        assert_eq!(get(address, &format!("/v2/{repository}/blobs/{layer}")).body, b"a file");
    }
}

#[test]
fn what_a_browser_would_act_on_is_a_file_to_be_saved() {
    let site = Site::new();
    let page = File {
        title: "a\\\"; x.html",
        media_type: "text/html",
        ..File::new(PATH, b"<script>alert(1)</script>")
    };
    // JSON's escape of a quote: the title itself has no backslash.
    page.carried(site.release("crm", 1)).live();
    let odd = File {
        media_type: "no type at all",
        ..File::new("crm/stable/odd", b"?")
    };
    odd.carried(site.release_of(0, "erp", 1)).live();
    let (_server, address) = site.serve();
    let reply = get(address, AT);
    assert_eq!(reply.header("content-type"), Some("text/html"));
    assert_eq!(
        reply.header("content-disposition"),
        Some("attachment; filename=\"a__ x.html\"; filename*=UTF-8''a%22%3B%20x.html")
    );
    assert_eq!(
        reply.header("content-security-policy"),
        Some("default-src 'none'; sandbox")
    );
    assert_eq!(
        get(address, "/files/crm/stable/odd").header("content-type"),
        Some("application/octet-stream")
    );
}

#[test]
fn what_is_damaged_is_not_sent_and_is_told_as_elsewhere() {
    let (bytes, other) = (noise(10_000, 1), noise(10_000, 2));
    let site = Site::new();
    let (first, second) = (File::new(PATH, &bytes), File::new("crm/stable/b", &other));
    let third = File::new("crm/stable/c", b"its manifest is gone");
    let draft = second.carried(first.carried(site.release("crm", 1)));
    third.carried(draft).live();
    let spoil = |path: &std::path::Path| {
        let mut spoilt = read(path);
        spoilt[7] ^= 1;
        write(path, &spoilt);
    };
    spoil(&site.blob_path(&first.digest()));
    spoil(&site.blob_path(&digest(&third.manifest())));
    let (_server, address) = site.serve();
    for path in [AT, "/files/crm/stable/c"] {
        for _ in 0..2 {
            let reply = get(address, path);
            assert_eq!((reply.status, reply.code().as_str()), (500, "UNKNOWN"));
            assert_eq!(message(&reply), "E-STATE blob-damaged");
        }
    }
    let damage = site.appliance().unwrap().damage().unwrap();
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].count(), 2, "{}", damage[0]);
    assert!(get(address, "/files/crm/stable/b").body == other);
}

#[test]
fn a_name_is_answered_as_its_repository_is_and_by_nobody_else() {
    let site = Site::of_vendors(2);
    let (ours, theirs) = (File::new(PATH, b"ours"), File::new(PATH, b"theirs"));
    ours.carried(site.release("crm", 1)).live();
    // Nobody can call the host of plain files a home.
    theirs
        .carried(site.release_of(1, "crm", 1).home("files.airlock.internal"))
        .live();
    File::new("crm/stable/theirs", b"theirs alone")
        .carried(site.release_of(1, "erp", 1).home("files.airlock.internal"))
        .live();
    let registry = site.registry();
    let (_server, address) = site.serve_with(Settings::default(), &registry);
    assert_eq!(get(address, AT).body, b"ours");
    assert_eq!(get(address, "/files/crm/stable/theirs").body, b"theirs alone");
    // What the owner no longer states is 404, never another's; the words name both.
    site.release("crm", 2).tag("docker.io/library/a", "1", b"{}").live();
    registry.live().refresh().unwrap();
    let gone = get(address, AT);
    assert_eq!((gone.status, gone.code().as_str()), (404, "BLOB_UNKNOWN"));
    let said = message(&gone);
    assert!(
        said.starts_with(
            "no such file for everybody: files.airlock.internal/crm/stable/manuals/press:latest belongs to"
        ) && said.ends_with("is for its own clients"),
        "{said}"
    );
}

#[test]
fn a_host_of_plain_files_that_is_stated_as_a_home_first_hides_nothing() {
    let site = Site::of_vendors(2);
    site.release_of(1, "erp", 1)
        .home("files.airlock.internal")
        .tag("files.airlock.internal/erp/stable/x", "latest", b"{}")
        .live();
    File::new(PATH, b"ours").carried(site.release("crm", 1)).live();
    let (_server, address) = site.serve();
    assert_eq!(get(address, AT).body, b"ours");
}

#[test]
fn a_credential_reads_the_files_that_it_names_and_none_once_it_is_removed() {
    let instance = InProcessAppliance::new();
    instance
        .import(&bundle(&instance, 1, &File::new(PATH, b"a file")), false)
        .unwrap();
    let serving = Serving::start(instance, credentials());
    let add = |name: &str, pattern: &str| {
        let appliance = serving.hub.live().appliance();
        let (secret, _) = appliance
            .add_access(NewAccess {
                name: &name.parse().unwrap(),
                patterns: &[pattern.to_owned()],
            })
            .unwrap();
        serving.hub.refresh().unwrap();
        secret.as_str().to_owned()
    };
    let ask = |method: &str, path: &str, secret: &str| {
        serving.send(method, path, &[("Authorization", &basic("ops", secret))], b"")
    };
    let good = [
        add("all", "crm/stable:*"),
        add("files", "crm/stable:files.airlock.internal/*"),
        add("one", &format!("crm/stable:files.airlock.internal/{PATH}")),
    ];
    for secret in &good {
        let reply = ask("GET", AT, secret);
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"a file"[..]));
        assert_eq!(ask("HEAD", AT, secret).status, 200);
        assert_eq!(ask("POST", AT, secret).status, 405);
    }
    // Outside of what it names: as what is not here.
    for secret in [
        add("images", "crm/stable:registry.test/*"),
        add("other", "erp/stable:*"),
        add("near", "crm/stable:files.airlock.internal/crm/stable/manuals/pres"),
    ] {
        assert_none(&ask("GET", AT, &secret));
        assert_eq!(
            ask("GET", AT, &secret).body,
            ask("GET", "/files/crm/stable/no", &secret).body
        );
    }
    // Whoever shows nothing, or nothing good, learns nothing, whatever is asked.
    let none = serving.send("GET", AT, &[], b"");
    assert_eq!((none.status, none.code().as_str()), (401, "UNAUTHORIZED"));
    for (method, path) in [
        ("GET", "/files/crm/stable/no"),
        ("GET", "/files/../x"),
        ("POST", AT),
        ("GET", "/files/crm"),
    ] {
        let reply = serving.send(method, path, &[], b"");
        assert_eq!((reply.status, &reply.body), (401, &none.body), "{method} {path}");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Basic"));
    }
    assert_eq!(ask("GET", AT, &"0".repeat(32)).status, 401);
    serving
        .hub
        .live()
        .appliance()
        .remove_access(&"one".parse().unwrap())
        .unwrap();
    serving.hub.refresh().unwrap();
    assert_eq!(
        (ask("GET", AT, &good[2]).status, ask("GET", AT, &good[0]).status),
        (401, 200)
    );
}

#[test]
fn an_agent_gets_the_file_of_its_own_product_whoever_owns_the_name() {
    let instance = InProcessAppliance::new();
    let (ours, theirs) = (File::new(PATH, b"ours"), File::new(PATH, b"theirs"));
    instance.import(&bundle(&instance, 1, &ours), false).unwrap();
    let made = instance.vendor.with_file_of(
        "erp",
        (&theirs.repository(), &theirs.manifest(), &[theirs.bytes, b"{}"]),
        |image| Desired::docker(image, 1, "a"),
    );
    instance.import(&made, false).unwrap();
    let serving = Serving::start(instance, Settings::default());
    let token = serving.token("edge-0");
    let agent = serving.send("GET", AT, &[("Authorization", &basic("edge-0", &token))], b"");
    assert_eq!((agent.status, agent.body.as_slice()), (200, &b"theirs"[..]));
    assert_eq!(get(serving.address, AT).body, b"ours");
}

#[test]
fn a_file_is_the_example_where_there_is_no_image() {
    let site = Site::new();
    File::new(PATH, b"a file").carried(site.release("crm", 1)).live();
    let registry = site.registry();
    let example = registry.example(&registry.snapshot()).unwrap().unwrap();
    assert_eq!(
        format!("{example:?}"),
        r#"File("files.airlock.internal/crm/stable/manuals/press", "latest")"#
    );
    site.release("erp", 1).tag("z.example/a", "1", b"{}").live();
    registry.live().refresh().unwrap();
    let example = registry.example(&registry.snapshot()).unwrap().unwrap();
    assert_eq!(format!("{example:?}"), r#"Image("z.example/a", "1")"#);
}
